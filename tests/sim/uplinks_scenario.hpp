#pragma once

/// What the scenarios with several ways out of the host share.

#include "scenario.hpp"

namespace damson::sim {

class uplinks : public scenario {
 protected:
  static scene in_both_families() {
    scene what;
    what.has_ipv6 = true;
    return what;
  }

  static map_request in_ipv6(std::uint16_t port = 8080) {
    map_request wanted = request(port);
    wanted.families = ip_families::v6;
    return wanted;
  }

  static constexpr ip_address second_router = v4(192, 168, 2, 1);
  static constexpr ip_address second_own = v4(192, 168, 2, 100);
  static constexpr ip_address second_wan = v4(203, 0, 113, 80);

  /// A second interface with a router of its own; the default route is the first one's.
  world& begin_with_two() {
    world& w = begin();
    second_ = &w.add_router(profile{}, second_router, second_wan);
    w.set_network(two_routes());
    return w;
  }

  static network_facts two_routes() {
    network_facts facts = world::one_route(world::router_address, world::host_address);
    facts.routes.push_back({second_router, 3, 200, std::nullopt});
    facts.addresses.push_back({second_own, 24, 3, "lan1", false, false});
    return facts;
  }

  static map_request by(const char* interface_name, std::uint16_t port = 8080) {
    map_request wanted = request(port);
    wanted.interface_name = interface_name;
    return wanted;
  }

  static bool lets_in(world& w, const ip_address& to, std::uint16_t port) {
    const endpoint peer{ip_address::parse("2001:db8:2::5").value(), 40'000};
    return w.router().pass_in(w.clock(), transport::tcp, peer, {to, port}, 60).has_value();
  }

  gateway* second_ = nullptr;
};

}  // namespace damson::sim
