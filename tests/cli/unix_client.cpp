#include "unix_client.hpp"

#include <poll.h>

#include <array>
#include <cstddef>

#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>

namespace damson::cli {

namespace asio = boost::asio;

unix_client::unix_client(const std::string& path) {
  socket_.connect(asio::local::stream_protocol::endpoint{path});
}

void unix_client::send(std::string_view bytes) {
  boost::system::error_code closed_before;
  asio::write(socket_, asio::buffer(bytes.data(), bytes.size()), closed_before);
}

void unix_client::end_sending() { socket_.shutdown(socket_.shutdown_send); }

std::optional<std::string> unix_client::read_line() {
  constexpr int patience_ms = 20'000;
  for (;;) {
    if (const std::size_t end = received_.find('\n'); end != std::string::npos) {
      std::string line = received_.substr(0, end);
      received_.erase(0, end + 1);
      return line;
    }
    pollfd ready{.fd = socket_.native_handle(), .events = POLLIN, .revents = 0};
    std::array<char, 4096> buffer{};
    boost::system::error_code error;
    const std::size_t length =
        ::poll(&ready, 1, patience_ms) > 0 ? socket_.read_some(asio::buffer(buffer), error) : 0;
    if (length == 0) {
      return std::nullopt;
    }
    received_.append(buffer.data(), length);
  }
}

std::string unix_client::ask(std::string_view line) {
  send(std::string{line} + "\n");
  return read_line().value_or("");
}

}  // namespace damson::cli
