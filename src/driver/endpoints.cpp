#include "driver/endpoints.hpp"

#include <cstdint>

namespace damson::driver {

namespace ip = boost::asio::ip;

ip::address to_asio(const ip_address& address) {
  if (address.is_v4()) return ip::address_v4{address.to_v4()};
  return ip::address_v6{address.to_v6(), address.scope()};
}

ip::udp::endpoint to_asio(const endpoint& where) { return {to_asio(where.address), where.port}; }

ip_address from_asio(const ip::address& address) {
  if (address.is_v4()) return ip_address{address.to_v4().to_bytes()};
  const auto v6 = address.to_v6();
  return ip_address{v6.to_bytes(), static_cast<std::uint32_t>(v6.scope_id())};
}

endpoint from_asio(const ip::udp::endpoint& where) {
  return {from_asio(where.address()), where.port()};
}

ip::tcp::endpoint to_tcp(const endpoint& where) { return {to_asio(where.address), where.port}; }

endpoint from_tcp(const ip::tcp::endpoint& where) {
  return {from_asio(where.address()), where.port()};
}

}  // namespace damson::driver
