#include "test_router.hpp"

#include <random>

namespace damson::cli {

ip_address fresh_loopback_address() {
  static std::mt19937 random{std::random_device{}()};
  std::uniform_int_distribution<unsigned> byte{1, 254};
  const auto next = [&] { return static_cast<std::uint8_t>(byte(random)); };
  return ip_address{ip_address::v4_bytes{127, next(), next(), next()}};
}

silent_router::silent_router()
    : socket_(context_, {boost::asio::ip::address_v4{address_.to_v4()}, sim::server_port}) {}

}  // namespace damson::cli
