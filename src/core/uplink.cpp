#include "core/uplink.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace damson::core {
namespace {

ip_address of_family(ip_family family, const std::optional<ip_address>& given) {
  return given && given->family() == family ? *given : unspecified(family);
}

bool is_router(const ip_address& next_hop) {
  return !next_hop.is_unspecified() && !next_hop.is_loopback() && !next_hop.is_multicast();
}

const interface_address* find_address(const network_facts& facts, auto&& wanted) {
  const auto found = std::ranges::find_if(facts.addresses, wanted);
  return found == facts.addresses.end() ? nullptr : &*found;
}

/// What a mapping can lead to for longer than a moment.
bool is_lasting(const interface_address& own) {
  const bool is_reachable = own.address.is_v4() || !own.address.is_link_local();
  return is_reachable && !own.deprecated && !own.temporary;
}

/// The address that the route's traffic carries: as the route says, else the one that shares the
/// gateway's network, else the first of the interface, of IPv6 the first that is global.
const interface_address* source_address(const network_facts& facts, const default_route& route) {
  const auto on_route = [&](const interface_address& a) {
    return a.interface_index == route.interface_index &&
           a.address.family() == route.gateway.family() && is_lasting(a);
  };
  if (route.preferred_source) {
    if (const auto* a = find_address(facts, [&](const auto& each) {
          return each.address == *route.preferred_source && is_lasting(each);
        })) {
      return a;
    }
  }
  if (const auto* a = find_address(facts, [&](const auto& each) {
        return on_route(each) && each.address.in_same_network(route.gateway, each.prefix_length);
      })) {
    return a;
  }
  if (const auto* a = find_address(facts, [&](const auto& each) {
        return on_route(each) && each.address.is_v6() &&
               classify(each.address) == address_class::public_address;
      })) {
    return a;
  }
  return find_address(facts, on_route);
}

/// Of an interface that is named, the address to ask the router from: one of its network, else one
/// that lasts. Of IPv6 the first that is global, for that is to be opened.
const interface_address* address_for(const network_facts& facts, const uplink_choice& how) {
  const auto suits = [&](const interface_address& a) {
    return a.interface_name == how.interface_name.text() &&
           a.address.family() == how.gateway.family() &&
           (how.local.is_unspecified() ? is_lasting(a) : a.address == how.local);
  };
  const auto* own = find_address(facts, [&](const interface_address& a) {
    return suits(a) &&
           (a.address.is_v6() ? classify(a.address) == address_class::public_address
                              : a.address.in_same_network(how.gateway, a.prefix_length));
  });
  return own != nullptr ? own : find_address(facts, suits);
}

/// By way of the interface that is named; empty where that is not there.
std::optional<uplink> named_uplink_by(const network_facts& facts, const uplink_choice& how) {
  const auto* own = address_for(facts, how);
  if (own == nullptr) return std::nullopt;
  uplink chosen{.gateway = how.gateway,
                .local = own->address,
                .interface_index = own->interface_index,
                .interface_name = own->interface_name,
                .is_named = true,
                .client = how.client};
  if (how.gateway.is_v6() && how.gateway.is_link_local() && how.gateway.scope() == 0) {
    chosen.gateway = ip_address{how.gateway.to_v6(), own->interface_index};
  }
  return chosen;
}

uplink named_uplink(const network_facts& facts, const uplink_choice& how) {
  uplink chosen{.gateway = how.gateway,
                .local = how.local,
                .interface_index = how.gateway.scope(),
                .interface_name = {},
                .is_named = true,
                .client = how.client};
  const auto* own = find_address(facts, [&](const interface_address& a) {
    return how.local.is_unspecified() ? a.address.in_same_network(how.gateway, a.prefix_length)
                                      : a.address == how.local;
  });
  if (own != nullptr) {
    chosen.interface_index = own->interface_index;
    chosen.interface_name = own->interface_name;
  }
  return chosen;
}

/// The addresses that mappings of the route can lead to: the one that its traffic carries first.
std::vector<const interface_address*> own_addresses(const network_facts& facts,
                                                    const default_route& route,
                                                    const ip_address& wanted) {
  const auto* usual = source_address(facts, route);
  if (!wanted.is_unspecified() && (usual == nullptr || usual->address != wanted)) {
    usual = find_address(facts, [&](const interface_address& a) {
      return a.interface_index == route.interface_index && a.address == wanted;
    });
  }
  if (usual == nullptr) return {};
  std::vector<const interface_address*> found{usual};
  if (!wanted.is_unspecified() || usual->address.is_v4()) return found;
  for (const interface_address& each : facts.addresses) {
    const bool is_other = each.interface_index == route.interface_index && each.address.is_v6() &&
                          each.address != usual->address;
    if (is_other && is_lasting(each) && classify(each.address) != address_class::private_address) {
      found.push_back(&each);
    }
  }
  return found;
}

/// Tells `visit` of one way out after the other, the preferred first, until it has seen enough.
template <class Visit>
void walk(const network_facts& facts, const uplink_choice& how, Visit&& visit) {
  if (!how.gateway.is_unspecified() && !how.interface_name.empty()) {
    if (auto chosen = named_uplink_by(facts, how)) visit(*std::move(chosen));
    return;
  }
  if (!how.gateway.is_unspecified()) {
    visit(named_uplink(facts, how));
    return;
  }
  std::vector<const default_route*> routes;
  for (const auto& route : facts.routes) {
    if (route.gateway.family() == how.family) routes.push_back(&route);
  }
  // Of equal metrics the one that the system names first.
  std::ranges::sort(routes, {},
                    [](const default_route* each) { return std::pair{each->metric, each}; });

  for (const auto* route : routes) {
    for (const auto* own : own_addresses(facts, *route, how.local)) {
      if (!how.interface_name.empty() && own->interface_name != how.interface_name.text()) continue;
      uplink candidate{.gateway = {},
                       .local = own->address,
                       .interface_index = own->interface_index,
                       .interface_name = own->interface_name};
      if (is_router(route->gateway)) candidate.gateway = route->gateway;
      if (visit(std::move(candidate))) return;
    }
  }
}

}  // namespace

uplink_choice choice_of(const options& opts, ip_family family) {
  return {.family = family,
          .interface_name = {},
          .gateway = of_family(family, opts.gateway),
          .local = of_family(family, opts.local_address),
          .client = {}};
}

uplink_choice choice_of(const map_request& wanted, const options& opts) {
  uplink_choice how = choice_of(opts, family_of(wanted));
  how.interface_name = wanted.interface_name;
  if (!wanted.gateway.is_unspecified()) how.gateway = wanted.gateway;
  if (!wanted.local_address.is_unspecified()) how.local = wanted.local_address;
  return how;
}

damson::interface_name uplink::name() const {
  if (interface_name.size() > damson::interface_name::longest) return {};
  return interface_name;
}

std::vector<uplink> uplinks(const network_facts& facts, const uplink_choice& how) {
  std::vector<uplink> found;
  walk(facts, how, [&](uplink&& each) {
    const auto same = std::ranges::find_if(found, [&](const uplink& other) {
      return other.interface_index == each.interface_index && other.local == each.local;
    });
    if (same == found.end()) {
      if (found.size() == engine_limits::parts) return true;
      found.push_back(std::move(each));
    } else if (!same->leads_out()) {
      *same = std::move(each);
    }
    return false;
  });
  return found;
}

std::optional<uplink> choose_uplink(const network_facts& facts, const uplink_choice& how) {
  std::optional<uplink> found;
  walk(facts, how, [&](uplink&& each) {
    if (!each.is_named && !each.leads_out()) return false;
    found = std::move(each);
    return true;
  });
  return found;
}

}  // namespace damson::core
