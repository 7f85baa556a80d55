#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/system/error_code.hpp>

#include <damson/engine.hpp>

namespace damson::driver {

/// Takes the requests that come in on listeners, on their executor.
class event_observer {
 public:
  /// The status to answer with. `id` is for the observer to choose; the views are borrowed for the
  /// call.
  virtual std::uint16_t on_event(event_received what) = 0;

  /// The listener has closed itself.
  virtual void on_listener_failed(channel_id channel) = 0;

 protected:
  ~event_observer() = default;
};

/// A TCP port that takes the events of one router: one HTTP request a connection, from one
/// address, a few at a time, bounded in bytes and in time. All calls come from the executor, a
/// strand.
class event_listener : public std::enable_shared_from_this<event_listener> {
 public:
  using error_code = boost::system::error_code;

  /// More have to wait until one of them is over.
  static constexpr std::size_t most_connections = 4;
  /// Request line and fields; the rest of `engine_limits::event_bytes` is the body's.
  static constexpr std::size_t head_bytes = 4'096;

  /// Bound and listening; nothing is taken before `start`. `patience`: for a whole exchange.
  static std::expected<std::shared_ptr<event_listener>, error_code> open(
      const boost::asio::any_io_executor& executor, const listen_for_events& what,
      std::chrono::milliseconds patience = std::chrono::seconds{5});

  event_listener(const boost::asio::any_io_executor& executor, const listen_for_events& what,
                 std::chrono::milliseconds patience);
  event_listener(const event_listener&) = delete;
  event_listener& operator=(const event_listener&) = delete;
  ~event_listener();

  /// The address and port that the socket is bound to.
  endpoint local() const;

  /// Takes connections until `pause` or `close`. Pending operations keep the observer alive.
  void start(std::weak_ptr<event_observer> observer);

  /// Ends connections and takes no others; they wait in the socket.
  void pause();

  /// Nothing is told any more. May be called from within the observer.
  void close();

  std::size_t connections() const noexcept { return connections_.size(); }

 private:
  class connection;

  error_code listen();
  void wait();
  void wait_a_while();
  void accept();
  void serve(int handle);
  void cut_connections();

  listen_for_events what_;
  std::chrono::milliseconds patience_;
  boost::asio::ip::tcp::acceptor acceptor_;
  boost::asio::steady_timer pause_;
  std::weak_ptr<event_observer> observer_;
  std::vector<std::shared_ptr<connection>> connections_;
  bool started_ = false;
  bool waiting_ = false;  ///< an operation is pending; also for a while after `pause`
};

}  // namespace damson::driver
