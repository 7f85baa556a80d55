#pragma once

/// Addresses and ports, as Asio has them.

#include <cstdint>

#include <boost/asio/ip/address.hpp>

#include <damson/types.hpp>

namespace damson::sim {

/// `Protocol` is boost::asio::ip::udp or tcp.
template <class Protocol>
typename Protocol::endpoint to_asio(const endpoint& where) {
  using namespace boost::asio::ip;
  if (where.address.is_v4()) return {address_v4{where.address.to_v4()}, where.port};
  return {address_v6{where.address.to_v6(), where.address.scope()}, where.port};
}

template <class AsioEndpoint>
endpoint from_asio(const AsioEndpoint& where) {
  if (where.address().is_v4())
    return {ip_address{where.address().to_v4().to_bytes()}, where.port()};
  const auto v6 = where.address().to_v6();
  return {ip_address{v6.to_bytes(), static_cast<std::uint32_t>(v6.scope_id())}, where.port()};
}

}  // namespace damson::sim
