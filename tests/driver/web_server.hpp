#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/system/error_code.hpp>

#include <damson/types.hpp>

/// The other end of one connection: listens on a loopback address, takes the first connection,
/// keeps what comes in, and says what the test tells it to. Handlers refer to it until `done`.
class web_server {
 public:
  enum class reading : std::uint8_t { at_once, never };

  explicit web_server(boost::asio::io_context& io, std::string_view address = "127.0.0.1",
                      reading how = reading::at_once);
  web_server(const web_server&) = delete;
  web_server& operator=(const web_server&) = delete;
  ~web_server();

  damson::endpoint where() const;
  /// Where the connection comes from.
  damson::endpoint client() const;

  bool is_connected() const noexcept { return connected_; }
  const std::string& received() const noexcept { return received_; }
  /// How the connection ended from the client's side.
  const std::optional<boost::system::error_code>& ended() const noexcept { return ended_; }

  void send(std::string_view bytes);
  /// Ends its side of the connection.
  void finish();
  /// Ends the connection without any manners.
  void reset();
  /// Takes no connection any more.
  void stop_listening();

  boost::asio::ip::tcp::socket& connection() { return connection_; }

 private:
  void receive();

  boost::asio::ip::tcp::acceptor acceptor_;
  boost::asio::ip::tcp::socket connection_;
  reading how_;
  std::array<char, 4'096> buffer_{};
  std::string received_;
  std::optional<boost::system::error_code> ended_;
  bool connected_ = false;
};
