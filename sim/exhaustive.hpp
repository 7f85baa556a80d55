#pragma once

/// Every order of a few events on the smallest worlds: what random lives may miss, because it takes
/// exactly these three things in exactly this order.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace damson::sim {

struct exhaustive_outcome {
  std::uint64_t lives = 0;
  std::uint64_t broken = 0;
  /// The first broken life: its events, and what did not hold.
  std::optional<std::string> first;
};

/// Lives through every sequence of up to `longest` events, in worlds with one router that speaks
/// PCP, NAT-PMP or UPnP alone.
exhaustive_outcome live_all(std::size_t longest);

}  // namespace damson::sim
