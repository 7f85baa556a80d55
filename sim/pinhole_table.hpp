#pragma once

/// The openings in the IPv6 firewall of a gateway model: those that PCP makes by MAP and those of
/// WANIPv6FirewallControl are in one table, as the packets that go through them are.

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include <damson/types.hpp>

#include "sim/nat_table.hpp"

namespace damson::sim {

struct pinhole {
  std::uint16_t id = 0;  ///< never 0 in a table
  rule_owner owner{};
  damson::transport transport{};
  endpoint internal;
  /// UPnP's: unspecified is every address, 0 is every port.
  endpoint remote{ip_address::any_v6(), 0};
  std::vector<peer_filter> filters{};  ///< PCP's
  nonce_bytes nonce{};
  time_point expires;
  std::uint32_t packets = 0;
  bool renewed = false;  ///< PCP's

  bool lets_in(const endpoint& from) const;

  friend bool operator==(const pinhole&, const pinhole&) = default;
};

class pinhole_table {
 public:
  const pinhole* find(std::uint16_t id) const;
  /// The one of that owner with the same five ends.
  const pinhole* find(rule_owner owner, transport what, const endpoint& internal,
                      const endpoint& remote) const;

  /// Adds one under an identifier that is free, which it returns; in place of the one with that
  /// identifier where it has one already. 0: there is no room.
  std::uint16_t put(pinhole hole);
  bool remove(std::uint16_t id);
  void remove_expired(time_point now);
  std::optional<time_point> next_expiry() const;

  /// Whether a packet from outside gets in; it is counted.
  bool pass(transport what, const endpoint& from, const endpoint& to);

  std::size_t count_of(const ip_address& host) const;
  std::size_t size() const noexcept { return holes_.size(); }
  std::vector<pinhole> holes() const;
  void clear() { holes_.clear(); }

 private:
  std::map<std::uint16_t, pinhole> holes_;
  std::uint16_t last_id_ = 0;
};

}  // namespace damson::sim
