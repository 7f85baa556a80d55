#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lab/net_namespace.hpp"
#include "lab/probe.hpp"

namespace lab {

/// What the LAN host is given.
enum class lan_kind : std::uint8_t {
  behind_nat,      ///< A private address, a default route, a router that masquerades.
  public_address,  ///< A public address, a default route, a router that only forwards.
  no_route         ///< A private address and no default route.
};

struct network_options {
  lan_kind lan = lan_kind::behind_nat;
  /// Also IPv6: a global address and a default route for the LAN host, no forwarding inward. Left
  /// out when the kernel has no IPv6.
  bool ipv6 = true;
  /// Further hosts of the LAN: then it is a switch that connects the router and all hosts. They
  /// have IPv4 addresses only. Not for public_address.
  std::size_t neighbours = 0;
  /// A network beside another one, whose LAN host is to be plugged into this LAN, a switch: its
  /// addresses are others. behind_nat only, without IPv6 and neighbours.
  bool second = false;
};

/// Three hosts: LAN host – router – WAN host, each in its own network namespace, with real packets
/// between them.
///
///     behind_nat, no_route   192.168.77.10 ── .1 router 1.2.3.4 ── 1.2.3.5
///     public_address            1.2.3.10   ── .1 router 1.2.4.1 ── 1.2.4.5
///     IPv6 in all            2001:db8:77::10 ── ::1 router 2001:db8:99::1 ── 2001:db8:99::5
///     neighbours             192.168.77.20, .21, … on the LAN host's link
///     second                 192.168.78.10 ── .1 router 1.2.5.4 ── 1.2.5.5
///
/// The router forwards outward and, without the rules of a daemon, not inward; it refuses what is
/// sent to itself and has no taker (UDP by ICMP), until drop_5351(). It has no daemon of its own:
/// see miniupnpd. The addresses count as public, but no packet ever leaves the namespaces.
class network {
 public:
  explicit network(network_options options = {});

  const net_namespace& lan() const { return lan_; }
  const net_namespace& router() const { return router_; }
  const net_namespace& wan() const { return wan_; }
  const net_namespace& neighbour(std::size_t which = 0) const { return neighbours_.at(which); }

  /// The addresses as text: the LAN host's own, its default gateway, the router's outer one (the
  /// external address of a mapping), the WAN host's.
  std::string_view lan_address() const { return addresses_.lan; }
  std::string_view gateway_address() const { return addresses_.gateway; }
  std::string_view external_address() const { return addresses_.external; }
  std::string_view wan_address() const { return addresses_.wan; }
  static std::string neighbour_address(std::size_t which = 0);

  /// Plugs a host of another network into the LAN of this second one, and gives it this address
  /// there.
  void plug_in(const net_namespace& host, std::string_view device, std::string_view address) const;

  /// Pulls the LAN host's cable, or plugs it in again: its interface has no carrier meanwhile. Not
  /// for a LAN that is a switch.
  void unplug() const;
  void plug() const;

  /// Whether the lab has IPv6; then these are its addresses.
  bool ipv6() const { return ipv6_; }
  static constexpr std::string_view lan_address6 = "2001:db8:77::10";
  static constexpr std::string_view gateway_address6 = "2001:db8:77::1";
  static constexpr std::string_view gateway_link_local6 = "fe80::1";
  static constexpr std::string_view external_address6 = "2001:db8:99::1";
  static constexpr std::string_view wan_address6 = "2001:db8:99::5";

  /// The router's rules as nft lists them, to be compared with the listing of the start: a daemon
  /// changes three chains of them. Not for public_address, where the router has no such rules.
  std::string rules() const;

  /// How many port mappings the router has in force, and whether one of them leads to `to`.
  std::size_t port_mappings() const;
  bool leads_to(const endpoint& to) const;

  /// Empties those three chains, as a reboot of a real router does. Known flows go on.
  void flush_rules() const;

  /// The router loses every datagram to its port 5351 (announcements and UPnP are left alone). This
  /// fault and those below add up until heal().
  void drop_5351() const;

  /// That for PCP only (first payload byte 2): what is left is a router that knows NAT-PMP alone.
  void drop_pcp() const;

  /// Each datagram to and from port 5351 of the router is lost with this probability, 0 to 100.
  void loss(unsigned percent) const;

  /// The LAN host loses what is sent to its port 5350, where a router announces its restart.
  void drop_announcements() const;

  /// The router loses the searches of UPnP that are sent to it alone; those to the group arrive.
  void drop_unicast_searches() const;

  /// Takes all faults back.
  void heal() const;

 private:
  struct addresses {
    std::string_view lan;
    std::string_view gateway;
    std::string_view external;
    std::string_view wan;
  };

  static addresses addresses_for(const network_options& options);
  void configure_router(lan_kind kind) const;
  void configure_lan(lan_kind kind) const;
  void configure_wan(lan_kind kind) const;
  void join_lan(const network_options& options);
  void lay_cable(const net_namespace& host, std::string_view device, const std::string& port) const;

  addresses addresses_;
  bool ipv6_;
  net_namespace lan_{"the LAN host"};
  net_namespace router_{"the router"};
  net_namespace wan_{"the WAN host"};
  std::optional<net_namespace> switch_;
  std::vector<net_namespace> neighbours_;
};

}  // namespace lab
