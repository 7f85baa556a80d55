#include "driver/boot_timer.hpp"

#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <system_error>
#include <tuple>

namespace damson::driver {

namespace {

int make_timer() {
  const int handle = ::timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
  if (handle < 0) throw std::system_error{errno, std::system_category(), "timerfd_create"};
  return handle;
}

}  // namespace

boot_timer::boot_timer(const boost::asio::any_io_executor& executor) : descriptor_(executor) {
  const int handle = make_timer();
  boost::system::error_code error;
  std::ignore = descriptor_.assign(handle, error);
  if (!error) return;
  ::close(handle);
  throw std::system_error{error, "timer"};
}

void boot_timer::expires_at(time_point when) {
  cancel();
  // Zero would stop it.
  const auto since_boot =
      std::max<std::chrono::nanoseconds>(when.time_since_epoch(), std::chrono::nanoseconds{1});
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since_boot);
  itimerspec times{};
  times.it_value.tv_sec = seconds.count();
  times.it_value.tv_nsec = (since_boot - seconds).count();
  // What it counted before is forgotten with that, so nothing needs to be read from it. Fails for
  // arguments that make no sense only.
  static_cast<void>(
      ::timerfd_settime(descriptor_.native_handle(), TFD_TIMER_ABSTIME, &times, nullptr));
}

void boot_timer::cancel() {
  boost::system::error_code ignored;
  std::ignore = descriptor_.cancel(ignored);
}

}  // namespace damson::driver
