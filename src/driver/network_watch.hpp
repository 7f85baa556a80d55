#pragma once

#include <chrono>
#include <expected>
#include <memory>
#include <system_error>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include "net/notice_parser.hpp"

namespace damson::driver {

/// Takes the hints of a watch, on its executor.
class network_listener {
 public:
  /// Routes, addresses or links may be others than they were when they were read last.
  virtual void on_network_notice() = 0;

 protected:
  ~network_listener() = default;
};

/// Listens to the kernel's notices of changes, and says when it is time to look. All calls
/// come from the executor, a strand.
///
/// A change comes as several notices (an address goes, another one comes, then a route), and a
/// laptop that changes its network gets dozens. So the first is followed by a wait for the others,
/// and looks keep a distance. No timer runs while nothing changes.
class network_watch : public std::enable_shared_from_this<network_watch> {
 public:
  static constexpr std::chrono::milliseconds settling_time{100};
  static constexpr std::chrono::milliseconds between_looks{250};

  /// What changes from now on is heard of after `start`.
  static std::expected<std::shared_ptr<network_watch>, std::error_code> open(
      const boost::asio::any_io_executor& executor);

  /// Takes the socket over, which must not block.
  network_watch(const boost::asio::any_io_executor& executor, int socket);

  /// Listens until `close`, or until the socket breaks. What is pending keeps the listener alive.
  void start(const std::weak_ptr<network_listener>& listener);

  /// False after `close`, and where the socket was of no use any more.
  bool is_open() const noexcept { return socket_.is_open(); }

  /// Nothing is told any more. May be called from within the listener.
  void close();

 private:
  using listener_pointer = std::shared_ptr<network_listener>;

  void listen(listener_pointer listener);
  void hear(listener_pointer listener);
  void settle(listener_pointer listener);
  void tell(listener_pointer listener);

  boost::asio::posix::stream_descriptor socket_;
  boost::asio::steady_timer timer_;
  boost::asio::steady_timer::time_point next_look_;
  net::notice_parser parser_;
};

}  // namespace damson::driver
