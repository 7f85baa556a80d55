#pragma once

#include <utility>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <damson/types.hpp>

namespace damson::driver {

/// A timer on the engine's clock, CLOCK_BOOTTIME. A time that comes while the host is suspended is
/// noticed right after the resume: Asio's own timers run on CLOCK_MONOTONIC, which stands still
/// meanwhile, and would come late by the whole sleep. Does not wake the host.
class boot_timer {
 public:
  /// Throws std::system_error when the system has no timer to give.
  explicit boot_timer(const boost::asio::any_io_executor& executor);
  boot_timer(const boot_timer&) = delete;
  boot_timer& operator=(const boot_timer&) = delete;

  /// Ends what is waited for, with operation_aborted, and sets the time of the next wait; one that
  /// is past has come already.
  void expires_at(time_point when);

  /// Signature: `void(error_code)`.
  template <class Handler>
  void async_wait(Handler&& handler) {
    descriptor_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                           std::forward<Handler>(handler));
  }

  /// Ends what is waited for, with operation_aborted.
  void cancel();

 private:
  boost::asio::posix::stream_descriptor descriptor_;
};

}  // namespace damson::driver
