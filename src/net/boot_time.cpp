#include <ctime>

#include <chrono>

#include <damson/network.hpp>

namespace damson {

time_point boot_time_now() noexcept {
  timespec now{};
  // Fails for clocks that the kernel does not have only; this one came with Linux 2.6.39.
  static_cast<void>(::clock_gettime(CLOCK_BOOTTIME, &now));
  return time_point{std::chrono::seconds{now.tv_sec} + std::chrono::nanoseconds{now.tv_nsec}};
}

}  // namespace damson
