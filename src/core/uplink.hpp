#pragma once

/// Which way out of the host a mapping is for: interface, own address, router.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <damson/engine.hpp>
#include <damson/options.hpp>

namespace damson::core {

/// What the program, or its user, says about the way out.
struct uplink_choice {
  ip_family family = ip_family::v4;
  damson::interface_name interface_name{};  ///< empty: any
  ip_address gateway{};                     ///< unspecified: found through the routing table
  ip_address local{};                       ///< unspecified: the one that the traffic carries
  /// The host as the router sees it, where another NAT is between; unspecified: none is.
  ip_address client{};

  friend auto operator<=>(const uplink_choice&, const uplink_choice&) = default;
};

/// The family of a request that is for one of them.
constexpr ip_family family_of(const map_request& wanted) noexcept {
  return wanted.families == ip_families::v6 ? ip_family::v6 : ip_family::v4;
}

/// Whether it is about a flow that goes out, and nothing is to be opened (RFC 6887 section 12).
inline bool is_flow(const map_request& wanted) noexcept {
  return !wanted.remote_peer.address.is_unspecified();
}

/// No address yet, of that family.
constexpr ip_address unspecified(ip_family family) noexcept {
  return family == ip_family::v4 ? ip_address::any_v4() : ip_address::any_v6();
}

/// As the options say, for what names no way of its own.
uplink_choice choice_of(const options& opts, ip_family family = ip_family::v4);
/// As the request says, or else the options. Precondition: it is for one family.
uplink_choice choice_of(const map_request& wanted, const options& opts);

struct uplink {
  /// The router to ask; empty on links that have none.
  std::optional<ip_address> gateway;
  /// Unspecified: the one from which the system reaches the gateway.
  ip_address local;
  std::uint32_t interface_index = 0;  ///< 0: not known
  std::string interface_name;
  /// The gateway was named, not found.
  bool is_named = false;
  /// As in `uplink_choice`.
  ip_address client{};

  friend bool operator==(const uplink&, const uplink&) = default;

  /// The gateway is not on the link but beyond another router, which translates what is sent to it.
  bool is_upstream() const noexcept { return !client.is_unspecified(); }
  /// The interface as requests name it; empty where its name is longer than they can say.
  damson::interface_name name() const;

  /// The host is on the internet itself, without a router in between. A global IPv6 address
  /// says nothing of the kind where there is a router, which may be a firewall.
  bool is_direct() const noexcept {
    return classify(local) == address_class::public_address && !is_named &&
           (local.is_v4() || !gateway);
  }
  /// Next hops that are unspecified, loopback or multicast are no routers.
  bool leads_out() const noexcept { return gateway || is_direct(); }
};

/// The gateway that was named if there is one; else one for each interface and own address of the
/// default routes of the family that suit the choice, also where they lead to no router: the lowest
/// metric first, the route's own source address before other stable global ones of IPv6. At most
/// `engine_limits::parts`.
std::vector<uplink> uplinks(const network_facts& facts, const uplink_choice& how);

/// The first of them that leads to a router or carries a public address.
std::optional<uplink> choose_uplink(const network_facts& facts, const uplink_choice& how);

}  // namespace damson::core
