#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/signal_set.hpp>

namespace damson::cli {

/// SIGINT, SIGTERM and, unless it came ignored as nohup leaves it, SIGHUP. The first one cancels
/// the operation that waits on the slot; the second one ends the program at once with exit code 1.
class stop_switch {
 public:
  explicit stop_switch(const boost::asio::any_io_executor& executor);

  /// Ask before waiting: a cancellation that nobody waited for is not kept.
  bool pulled() const { return pulled_; }
  boost::asio::cancellation_slot slot() { return cancel_.slot(); }

  /// No longer keeps the executor busy.
  void disarm() { signals_.cancel(); }

 private:
  void wait();

  boost::asio::signal_set signals_;
  boost::asio::cancellation_signal cancel_;
  bool pulled_ = false;
};

}  // namespace damson::cli
