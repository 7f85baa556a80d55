#pragma once

#include <cstdint>
#include <string_view>

namespace damson {

/// Why a request for a mapping is sent, in either protocol.
enum class map_purpose : std::uint8_t { create, renew, remove };

/// For logs.
constexpr std::string_view to_string(map_purpose why) noexcept {
  switch (why) {
    case map_purpose::create:
      return "create";
    case map_purpose::renew:
      return "renew";
    case map_purpose::remove:
      break;
  }
  return "remove";
}

}  // namespace damson
