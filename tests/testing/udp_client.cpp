#include "udp_client.hpp"

#include <poll.h>

#include <array>

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/multicast.hpp>

namespace asio = boost::asio;
using asio::ip::udp;
using boost::system::error_code;

namespace {

udp::endpoint to_asio(const damson::endpoint& where) {
  return {asio::ip::address_v4{where.address.to_v4()}, where.port};
}

}  // namespace

// Connected, so that the system says when a port refuses.
udp_client::udp_client(const damson::endpoint& server) : server_(to_asio(server)) {
  socket_.connect(server_);
}

void udp_client::send(const packet& what) {
  error_code refused_before;
  socket_.send(asio::buffer(what), 0, refused_before);
}

void udp_client::send_to_group(const damson::endpoint& group, std::string_view text) {
  udp::socket socket{io_, udp::v4()};
  socket.set_option(asio::ip::multicast::outbound_interface{asio::ip::address_v4::loopback()});
  socket.send_to(asio::buffer(text.data(), text.size()), to_asio(group));
}

bool udp_client::wait() {
  constexpr int patience_ms = 20'000;
  pollfd ready{.fd = socket_.native_handle(), .events = POLLIN, .revents = 0};
  return ::poll(&ready, 1, patience_ms) > 0;
}

std::optional<udp_client::packet> udp_client::receive() {
  if (!wait()) return std::nullopt;
  packet out(2'048);
  error_code error;
  out.resize(socket_.receive(asio::buffer(out), 0, error));
  return error ? std::nullopt : std::optional{out};
}

bool udp_client::is_refused() {
  if (!wait()) return false;
  std::array<char, 1> answer{};
  error_code error;
  socket_.receive(asio::buffer(answer), 0, error);
  return error == asio::error::connection_refused;
}

udp_client::packet udp_client::nat_pmp_map(std::uint8_t opcode, std::uint16_t internal,
                                           std::uint16_t external, std::uint32_t lifetime) {
  const auto byte = [](std::uint32_t number, unsigned shift) {
    return static_cast<std::uint8_t>(number >> shift & 0xffU);
  };
  return {0,
          opcode,
          0,
          0,
          byte(internal, 8),
          byte(internal, 0),
          byte(external, 8),
          byte(external, 0),
          byte(lifetime, 24),
          byte(lifetime, 16),
          byte(lifetime, 8),
          byte(lifetime, 0)};
}
