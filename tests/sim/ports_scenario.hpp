#pragma once

/// What the scenarios with one request for several ports share.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <set>

#include "spread_scenario.hpp"

namespace damson::sim {

/// 8080 for TCP and UDP.
inline map_request pair_of_ports(bool all_or_nothing = true) {
  map_request wanted = request();
  wanted.both_transports = true;
  wanted.all_or_nothing = all_or_nothing;
  return wanted;
}

/// Those from 8080 on.
inline map_request row_of_ports(std::uint16_t count, bool all_or_nothing = true) {
  map_request wanted = request();
  wanted.port_count = count;
  wanted.all_or_nothing = all_or_nothing;
  return wanted;
}

class ports : public spread {
 protected:
  static constexpr ip_address neighbour_host = v4(192, 168, 1, 101);

  static void occupy(world& w, std::uint16_t port, transport what = transport::udp) {
    w.router().occupy(what, port, {neighbour_host, 80});
  }
  /// Where a part leads out; 0 while it is not open.
  static std::uint16_t outside(const world& w, std::uint32_t part) {
    return is_up(w, part) ? last_of(w, part)->info.external.port : std::uint16_t{0};
  }
  static bool are_up(const world& w, std::uint32_t parts) {
    for (std::uint32_t part = 1; part <= parts; ++part) {
      if (!is_up(w, part)) return false;
    }
    return true;
  }
  /// Of the host, in the router's table.
  static std::size_t rules_of_host(world& w) {
    const auto all = w.router().rules();
    return static_cast<std::size_t>(std::ranges::count_if(
        all, [](const nat_rule& each) { return each.internal.address == world::host_address; }));
  }
  static std::size_t count(const world& w, event_kind kind, std::uint32_t part) {
    return static_cast<std::size_t>(std::ranges::count_if(w.events(), [&](const auto& each) {
      return each.event.kind == kind && each.event.info.part == part;
    }));
  }
};

}  // namespace damson::sim
