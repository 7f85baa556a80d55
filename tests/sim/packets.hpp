#pragma once

/// Packets written down as annotated bytes, one field a line.

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <stdexcept>
#include <string_view>

#include <damson/types.hpp>

#include "sim/bytes.hpp"
#include "sim/gateway_state.hpp"

namespace damson::sim {

/// Hexadecimal fields, spaces allowed, joined.
inline bytes packet(std::initializer_list<std::string_view> fields) {
  const auto digit = [](char c) -> unsigned {
    if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
    if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a' + 10);
    throw std::invalid_argument("not a hexadecimal digit");
  };
  bytes out;
  for (const std::string_view field : fields) {
    unsigned high = 16;
    for (const char c : field) {
      if (c == ' ') continue;
      if (high == 16) {
        high = digit(c);
      } else {
        out.push_back(static_cast<std::byte>(high << 4U | digit(c)));
        high = 16;
      }
    }
    if (high != 16) throw std::invalid_argument("half a byte");
  }
  return out;
}

constexpr ip_address v4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d) {
  return ip_address{ip_address::v4_bytes{a, b, c, d}};
}

inline constexpr ip_address lan_side = v4(192, 168, 1, 1);
inline constexpr ip_address wan_side = v4(198, 51, 100, 7);
inline constexpr ip_address host = v4(192, 168, 1, 100);
inline constexpr ip_address other_host = v4(192, 168, 1, 101);

inline datagram from_host(bytes data, const ip_address& sender = host) {
  return {{sender, 40'000}, {lan_side, server_port}, std::move(data)};
}

}  // namespace damson::sim
