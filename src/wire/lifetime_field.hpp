#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>

#include "base/check.hpp"

namespace damson {

/// Both protocols count lifetimes in 32 bits of seconds. Longer ones are sent as the longest.
inline std::uint32_t lifetime_field(std::chrono::seconds lifetime) noexcept {
  constexpr std::int64_t longest = std::numeric_limits<std::uint32_t>::max();
  const std::int64_t seconds = lifetime.count();
  DAMSON_ASSERT(seconds >= 0 && seconds <= longest);
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(seconds, 0, longest));
}

}  // namespace damson
