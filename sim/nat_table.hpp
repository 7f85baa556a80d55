#pragma once

/// The mappings that a gateway model holds.

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <damson/types.hpp>

namespace damson::sim {

/// 96 bits that only the mapping's owner knows (RFC 6887 section 11.1).
using nonce_bytes = std::array<std::byte, 12>;

/// Who made a rule; nobody else may change it.
enum class rule_owner : std::uint8_t { pcp, nat_pmp, upnp, household };

/// Whom a mapping lets in (RFC 6887 section 13.3): one remote port, 0 for all, of one prefix.
struct peer_filter {
  ip_address address;
  std::uint8_t prefix_length = 128;  ///< of the sixteen bytes, so 96 to 128 for IPv4
  std::uint16_t port = 0;

  bool lets_in(const endpoint& remote) const;

  friend bool operator==(const peer_filter&, const peer_filter&) = default;
};

struct nat_rule {
  damson::transport transport{};
  std::uint16_t external_port = 0;
  rule_owner owner{};
  endpoint internal;
  nonce_bytes nonce{};
  /// Empty: never.
  std::optional<time_point> expires;
  /// As a UPnP client wrote it.
  std::string description{};
  /// None: everybody may come.
  std::vector<peer_filter> filters{};
  /// The internal port with which the set begins that it is one of (RFC 7753); 0: it is alone.
  std::uint16_t set_begins = 0;

  bool lets_in(const endpoint& remote) const;

  friend bool operator==(const nat_rule&, const nat_rule&) = default;
};

/// A flow to one remote endpoint that its host has asked to keep open (PCP PEER, RFC 6887
/// section 12).
struct nat_flow {
  damson::transport transport{};
  endpoint internal;
  endpoint remote;
  std::uint16_t external_port = 0;
  nonce_bytes nonce{};
  time_point expires;

  friend bool operator==(const nat_flow&, const nat_flow&) = default;
};

/// Rules by their external port, of which each has one at most, and by their internal endpoint. PCP
/// and NAT-PMP know a mapping by its internal endpoint and have one rule for each at most; UPnP
/// knows it by its external port and may have many. Flows of one internal endpoint share one
/// external port, with its rule if it has one.
class nat_table {
 public:
  /// The rule with the lowest external port; null when there is none.
  const nat_rule* at_internal(transport what, const endpoint& internal) const;
  /// A rule of that owner, else the one above.
  const nat_rule* at_internal(transport what, const endpoint& internal, rule_owner owner) const;
  const nat_rule* at_external(transport what, std::uint16_t port) const;

  /// Adds the rule in place of the one at the same external port and, for PCP and NAT-PMP, of those
  /// of the same owner with the same internal endpoint.
  void put(nat_rule rule);

  /// Removes every rule of the endpoint, whoever made it. False when there was none.
  bool remove(transport what, const endpoint& internal);
  bool remove_external(transport what, std::uint16_t port);

  /// Removes what a protocol made for a host.
  std::size_t remove_all(transport what, const ip_address& host, rule_owner owner);

  const nat_flow* flow(transport what, const endpoint& internal, const endpoint& remote) const;
  /// Any flow of the endpoint; null when it has none.
  const nat_flow* flow_of(transport what, const endpoint& internal) const;
  /// In place of the one with the same ends.
  void put_flow(nat_flow flow);
  void remove_flow(const nat_flow& flow);

  /// Where a packet from outside goes; empty: nowhere.
  std::optional<endpoint> way_in(transport what, const endpoint& remote, std::uint16_t port) const;

  void remove_expired(time_point now);
  std::optional<time_point> next_expiry() const;

  /// The first port from `from` upwards that is free, wrapping from 65535 to 1024; 0 when none is.
  /// With `host`, a port whose twin in the other transport belongs to another host is not free. A
  /// port of flows is not free.
  std::uint16_t free_port(transport what, std::uint16_t from,
                          const std::optional<ip_address>& host) const;
  bool is_free(transport what, std::uint16_t port, const std::optional<ip_address>& host) const;

  /// The first of as many free ports in a row, looked for in the same way; 0 when there are none.
  std::uint16_t free_row(transport what, std::uint16_t from, std::uint16_t count) const;
  /// Those of the same set as a rule, itself included.
  std::vector<nat_rule> set_of(const nat_rule& rule) const;

  /// Rules and flows.
  std::size_t count_of(const ip_address& host) const;
  std::size_t size() const noexcept { return by_external_.size() + flows_.size(); }
  /// How often a rule was made, changed or removed.
  std::uint32_t changes() const noexcept { return changes_; }
  std::vector<nat_rule> rules() const;
  const std::vector<nat_flow>& flows() const noexcept { return flows_; }
  void clear();

 private:
  using external_key = std::pair<transport, std::uint16_t>;
  /// With the external port.
  using internal_key = std::tuple<transport, endpoint, std::uint16_t>;

  /// External ports of the rules of an endpoint, in order.
  std::vector<std::uint16_t> ports_of(transport what, const endpoint& internal) const;

  std::map<external_key, nat_rule> by_external_;
  std::set<internal_key> by_internal_;
  std::set<std::pair<time_point, external_key>> by_expiry_;
  std::uint32_t changes_ = 0;
  std::vector<nat_flow> flows_;  ///< few, and looked at rarely
};

}  // namespace damson::sim
