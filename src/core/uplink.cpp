#include "core/uplink.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace damson::core {
namespace {

bool is_router(const ip_address& next_hop) {
  return !next_hop.is_unspecified() && !next_hop.is_loopback() && !next_hop.is_multicast();
}

const interface_address* find_address(const network_facts& facts, auto&& wanted) {
  const auto found = std::ranges::find_if(facts.addresses, wanted);
  return found == facts.addresses.end() ? nullptr : &*found;
}

/// The address that the route's traffic carries: as the route says, else the one that shares the
/// gateway's network, else the first of the interface.
const interface_address* source_address(const network_facts& facts, const default_route& route) {
  const auto on_route = [&](const interface_address& a) {
    return a.interface_index == route.interface_index && a.address.is_v4() && !a.deprecated;
  };
  if (route.preferred_source) {
    if (const auto* a = find_address(
            facts, [&](const auto& each) { return each.address == *route.preferred_source; })) {
      return a;
    }
  }
  if (const auto* a = find_address(facts, [&](const auto& each) {
        return on_route(each) && each.address.in_same_network(route.gateway, each.prefix_length);
      })) {
    return a;
  }
  return find_address(facts, on_route);
}

std::optional<uplink> given_uplink(const network_facts& facts, const options& opts) {
  uplink chosen{.gateway = opts.gateway,
                .local = opts.local_address.value_or(ip_address::any_v4()),
                .interface_index = opts.gateway->scope(),
                .interface_name = {}};
  const auto* own = find_address(facts, [&](const interface_address& a) {
    return opts.local_address ? a.address == *opts.local_address
                              : a.address.in_same_network(*opts.gateway, a.prefix_length);
  });
  if (own != nullptr) {
    chosen.interface_index = own->interface_index;
    chosen.interface_name = own->interface_name;
  }
  return chosen;
}

}  // namespace

std::optional<uplink> choose_uplink(const network_facts& facts, const options& opts) {
  if (opts.gateway) return given_uplink(facts, opts);

  std::vector<const default_route*> routes;
  for (const auto& route : facts.routes) {
    if (route.gateway.is_v4()) routes.push_back(&route);
  }
  // Of equal metrics the one that the system names first.
  std::ranges::sort(routes, {},
                    [](const default_route* each) { return std::pair{each->metric, each}; });

  for (const auto* route : routes) {
    const auto* own = source_address(facts, *route);
    if (own == nullptr) continue;
    if (opts.local_address && own->address != *opts.local_address) {
      own = find_address(facts, [&](const interface_address& a) {
        return a.interface_index == route->interface_index && a.address == *opts.local_address;
      });
      if (own == nullptr) continue;
    }
    uplink candidate{.gateway = {},
                     .local = own->address,
                     .interface_index = own->interface_index,
                     .interface_name = own->interface_name};
    if (is_router(route->gateway)) candidate.gateway = route->gateway;
    if (candidate.gateway || candidate.is_public()) return candidate;
  }
  return std::nullopt;
}

}  // namespace damson::core
