#pragma once

/// What the scenarios with one request for several addresses share.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "uplinks_scenario.hpp"

namespace damson::sim {

inline map_request by_all(ip_families families = ip_families::v4) {
  map_request wanted = request();
  wanted.families = families;
  wanted.every_uplink = true;
  return wanted;
}

inline map_request in_both() {
  map_request wanted = request();
  wanted.families = ip_families::both;
  return wanted;
}

class spread : public uplinks {
 protected:
  /// The last event of a part; null when it has had none.
  static const mapping_event* last_of(const world& w, std::uint32_t part) {
    const auto seen = std::ranges::find_if(w.events().rbegin(), w.events().rend(), [&](auto& each) {
      return each.event.info.part == part;
    });
    return seen == w.events().rend() ? nullptr : &seen->event;
  }
  static bool is_up(const world& w, std::uint32_t part) {
    const mapping_event* last = last_of(w, part);
    return last != nullptr &&
           (last->kind == event_kind::mapped || last->kind == event_kind::changed);
  }
  /// Two uplinks, with both parts up under this loss.
  world& begin_up(unsigned loss = 0) {
    world& w = begin_with_two();
    w.link().loss_percent = loss;
    id_ = w.create(by_all());
    EXPECT_TRUE(w.run_until([&] { return is_up(w, 1) && is_up(w, 2); }, 10min)) << loss;
    return w;
  }
  static network_facts only_the_first() {
    return world::one_route(world::router_address, world::host_address);
  }
  static std::size_t packets_to(const world& w, const ip_address& router) {
    return static_cast<std::size_t>(std::ranges::count_if(w.packets(), [&](const auto& each) {
      return each.way == direction::to_router && each.datagram.to.address == router;
    }));
  }
  static constexpr std::array losses{0U, 20U};
};

}  // namespace damson::sim
