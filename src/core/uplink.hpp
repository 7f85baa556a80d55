#pragma once

/// Which way out of the host a mapping is for: interface, own address, router.

#include <cstdint>
#include <optional>
#include <string>

#include <damson/engine.hpp>
#include <damson/options.hpp>

namespace damson::core {

struct uplink {
  /// The router to ask; empty on links that have none.
  std::optional<ip_address> gateway;
  /// Unspecified: the one from which the system reaches the gateway.
  ip_address local;
  std::uint32_t interface_index = 0;  ///< 0: not known
  std::string interface_name;

  friend bool operator==(const uplink&, const uplink&) = default;

  /// The host is on the internet itself, without a router in between.
  bool is_public() const noexcept { return classify(local) == address_class::public_address; }
};

/// The uplink for IPv4: the caller's gateway if there is one, else the default route with the
/// lowest metric that leads to a router or carries a public address. Next hops that are
/// unspecified, loopback or multicast are no routers.
std::optional<uplink> choose_uplink(const network_facts& facts, const options& opts);

}  // namespace damson::core
