#pragma once

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>

#include <damson/types.hpp>

namespace damson::driver {

boost::asio::ip::address to_asio(const ip_address& address);
boost::asio::ip::udp::endpoint to_asio(const endpoint& where);

ip_address from_asio(const boost::asio::ip::address& address);
endpoint from_asio(const boost::asio::ip::udp::endpoint& where);

boost::asio::ip::tcp::endpoint to_tcp(const endpoint& where);
endpoint from_tcp(const boost::asio::ip::tcp::endpoint& where);

}  // namespace damson::driver
