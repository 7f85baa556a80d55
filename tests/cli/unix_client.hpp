#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>

namespace damson::cli {

/// The other side of a control socket.
class unix_client {
 public:
  explicit unix_client(const std::string& path);

  void send(std::string_view bytes);
  void end_sending();
  /// The next line without its end; empty when the other side has closed, or a long time has
  /// passed.
  std::optional<std::string> read_line();
  bool has_something_to_read() const { return socket_.available() > 0; }
  /// The reply to a line.
  std::string ask(std::string_view line);

 private:
  boost::asio::io_context io_;
  boost::asio::local::stream_protocol::socket socket_{io_};
  std::string received_;
};

}  // namespace damson::cli
