#pragma once

/// HTTP over TCP for a gateway model: one request for each connection.

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <boost/asio/any_io_executor.hpp>
#include <boost/system/error_code.hpp>

#include <damson/types.hpp>

namespace damson::sim {

/// Reads whole requests and sends whole answers; what is in them is the visitor's. Keeps no
/// connection open after the answer, and is bounded: in connections at a time, in bytes of a
/// request and in the time that one may take to come.
///
/// Everything happens on the executor, which must run one handler at a time; all calls come from
/// there, or while nobody runs it.
class socket_web_server {
 public:
  struct reply {
    std::string text;                    ///< empty: nothing is answered, ever
    std::chrono::milliseconds after{0};  ///< from the request to its answer
    /// Called once, when the answer has been sent or cannot be any more, unless the executor ends
    /// first; never before the visitor returns.
    std::function<void()> then{};
  };
  /// The text is a head and as much of a body as its Content-Length declares; less where the client
  /// sent less, more where it did not wait for the answer. Without an end of the head it is what
  /// there was.
  using visitor = std::function<reply(const endpoint& from, std::string_view request)>;

  socket_web_server(const boost::asio::any_io_executor& executor, visitor ask);
  socket_web_server(const socket_web_server&) = delete;
  socket_web_server& operator=(const socket_web_server&) = delete;
  ~socket_web_server();

  /// Listens there, and nowhere else any more. Connections that were open are cut, answered or not.
  boost::system::error_code listen(const endpoint& where);

  /// Listens no longer, and cuts its connections.
  void close();

 private:
  class server;
  std::shared_ptr<server> server_;
};

}  // namespace damson::sim
