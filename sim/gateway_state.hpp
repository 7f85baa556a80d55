#pragma once

/// What the protocol servers of one gateway model share.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <damson/types.hpp>

#include "sim/bytes.hpp"
#include "sim/nat_table.hpp"
#include "sim/pinhole_table.hpp"
#include "sim/profile.hpp"

namespace damson::sim {

/// The port of both protocols' servers.
inline constexpr std::uint16_t server_port = 5351;
/// Where hosts listen for announcements.
inline constexpr std::uint16_t announcement_port = 5350;

struct datagram {
  endpoint from;
  endpoint to;
  sim::bytes bytes;

  friend bool operator==(const datagram&, const datagram&) = default;
};

/// Something that a client must not do and that a server nevertheless has to put up with, such as a
/// reserved field that is not zero.
struct complaint {
  time_point when;
  std::string what;

  friend bool operator==(const complaint&, const complaint&) = default;
};

/// What went through the WAN interface since the last start.
struct wan_traffic {
  std::uint64_t bytes_sent = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t packets_sent = 0;
  std::uint64_t packets_received = 0;
};

/// What clients have set of one WANIPConnection or WANPPPConnection.
struct line_state {
  bool terminated = false;  ///< by ForceTermination
  std::string type{};       ///< empty: the first that is possible
  std::uint32_t auto_disconnect_time = 0;
  std::uint32_t idle_disconnect_time = 0;
  std::uint32_t warn_disconnect_delay = 0;
  std::string user_name = "somebody";
  std::string password{};
};

struct gateway_state {
  profile how;
  ip_address lan;
  /// Empty: no uplink.
  std::optional<ip_address> wan;
  time_point epoch_began;
  nat_table table;
  std::vector<complaint> complaints;
  /// Its addresses on the LAN in IPv6, the link-local one among them; none: it speaks IPv4 only.
  std::vector<ip_address> lan_v6{};
  pinhole_table pinholes{};
  wan_traffic traffic{};
  std::vector<line_state> lines{};   ///< see `line`
  std::string default_connection{};  ///< as a client has set it; empty: the first
  bool internet_disabled = false;    ///< by SetEnabledForInternet
  /// The next port under `port_policy::own_choice`.
  std::uint16_t next_own_port = 40'000;

  /// Seconds since the mappings were last lost (RFC 6887 section 8.5, RFC 6886 section 3.6).
  std::uint32_t epoch(time_point now) const {
    const auto passed = std::chrono::floor<std::chrono::seconds>(now - epoch_began).count();
    return static_cast<std::uint32_t>(how.epoch_start + static_cast<std::uint64_t>(passed));
  }

  /// That of one of the profile's connections.
  line_state& line(std::size_t connection) {
    if (lines.size() <= connection) lines.resize(connection + 1);
    return lines[connection];
  }

  bool is_own(const ip_address& address) const {
    // The scope of a link-local address is a matter of who uses it.
    const auto is_it = [&](const ip_address& own) { return own.to_v6() == address.to_v6(); };
    return is_it(lan) || std::ranges::any_of(lan_v6, is_it);
  }

  /// Whether a host has as much as its quota lets it have.
  bool quota_is_used(const ip_address& host) const {
    return how.rules_per_host &&
           table.count_of(host) + pinholes.count_of(host) >= *how.rules_per_host;
  }

  /// Whether its address outside has switched off PCP and NAT-PMP.
  bool is_shut() const {
    return how.private_wan_disables && !(wan && classify(*wan) == address_class::public_address);
  }

  bool is_full() const { return table.size() + pinholes.size() >= how.max_rules; }

  void complain(time_point now, std::string what) { complaints.push_back({now, std::move(what)}); }

  /// The rule that a PCP or NAT-PMP request for this endpoint is about. UPnP's are beside it,
  /// unless the router keeps one for all.
  const nat_rule* rule_for(transport what, const endpoint& internal, rule_owner asking) const {
    const nat_rule* rule = table.at_internal(what, internal, asking);
    const bool beside =
        rule != nullptr && rule->owner == rule_owner::upnp && !how.upnp.one_rule_for_all_protocols;
    return beside ? nullptr : rule;
  }

  /// The lifetime granted for one asked for, both in seconds. NAT-PMP never gives more than was
  /// asked for (RFC 6886 section 3.3).
  std::uint32_t grant(std::uint32_t asked, rule_owner asking) const {
    if (how.forced_grant) return *how.forced_grant;
    const auto low = static_cast<std::uint32_t>(how.min_lifetime.count());
    const auto high = static_cast<std::uint32_t>(how.max_lifetime.count());
    return asking == rule_owner::nat_pmp ? std::min(asked, high) : std::clamp(asked, low, high);
  }

  /// The external port for a new rule: `wanted` or the next one that is free; 0 when none is.
  std::uint16_t choose_port(transport what, std::uint16_t wanted,
                            const std::optional<ip_address>& host) {
    if (how.external_port == port_policy::as_suggested) return table.free_port(what, wanted, host);
    const std::uint16_t port = table.free_port(what, next_own_port, host);
    constexpr auto last = std::numeric_limits<std::uint16_t>::max();
    next_own_port = port == last ? std::uint16_t{1024} : static_cast<std::uint16_t>(port + 1);
    return port;
  }
};

}  // namespace damson::sim
