#pragma once

/// How one router behaves, as data. The defaults are a strict router that does what the RFCs say;
/// each departure is a named field and cites the entry of the router quirk list that it stands for.

#include <chrono>
#include <cstdint>
#include <optional>

#include "sim/upnp_profile.hpp"

namespace damson::sim {

/// Result codes of PCP (RFC 6887 section 7.4).
enum class pcp_result : std::uint8_t {
  success = 0,
  unsupported_version = 1,
  not_authorized = 2,
  malformed_request = 3,
  unsupported_opcode = 4,
  unsupported_option = 5,
  malformed_option = 6,
  network_failure = 7,
  no_resources = 8,
  unsupported_protocol = 9,
  user_exceeded_quota = 10,
  cannot_provide_external = 11,
  address_mismatch = 12,
  excessive_remote_peers = 13,
};

/// Result codes of NAT-PMP (RFC 6886 section 3.5).
enum class nat_pmp_result : std::uint16_t {
  success = 0,
  unsupported_version = 1,
  not_authorized = 2,
  network_failure = 3,
  out_of_resources = 4,
  unsupported_opcode = 5,
};

/// Which external port a new mapping gets.
enum class port_policy : std::uint8_t {
  as_suggested,  ///< the suggested one, else the internal one, else the next free one
  own_choice,    ///< the next of the router's own range, whatever was suggested (Q-53)
};

struct profile {
  // What it speaks.
  bool speaks_pcp = true;
  bool speaks_nat_pmp = true;
  bool speaks_upnp = false;
  /// Where neither PCP nor NAT-PMP is spoken their port refuses with ICMP; else it is silent
  ///
  bool closed_port_refuses = true;
  /// A server of another version than 2 refuses everything, and names its own.
  std::uint8_t pcp_version = 2;
  /// A NAT-PMP-only box answers PCP with 8 bytes that refuse the version; else it is silent
  ///
  bool answers_version_refusal = true;
  /// A PCP-only box answers NAT-PMP with a PCP packet cut to the request's length.
  bool clips_answers_to_nat_pmp = false;

  // Time.
  std::chrono::seconds min_lifetime{120};     ///< of PCP (Q-36)
  std::chrono::seconds max_lifetime{86'400};  ///< Q-36
  std::optional<std::uint32_t> forced_grant;  ///< granted whatever was asked, in s (Q-36, Q-51)
  std::uint32_t epoch_start = 0;              ///< the epoch at the moment of a start

  // Refusals.
  std::optional<pcp_result> refuses_maps_with;  ///< every PCP MAP that is no delete (Q-35)
  std::optional<nat_pmp_result> refuses_nat_pmp_maps_with;  ///< the same for NAT-PMP
  std::uint32_t refused_renewals = 0;           ///< this many renewals get NO_RESOURCES (Q-28)
  bool taken_port_is_no_resources = false;      ///< a suggested port in use is refused (Q-44)
  bool delete_of_nothing_fails = false;         ///< NO_RESOURCES instead of success (Q-29)
  std::optional<std::uint32_t> error_lifetime;  ///< the lifetime of every PCP error, in s (Q-34)
  std::chrono::seconds short_error{30};         ///< RFC 6887 section 7.4
  std::chrono::seconds long_error{1'800};       ///< RFC 6887 section 7.4
  std::uint32_t max_rules = 60'000;             ///< more are NO_RESOURCES
  std::optional<std::uint32_t> rules_per_host;  ///< more are USER_EX_QUOTA
  bool serves_peer = true;                      ///< else PEER is UNSUPP_OPCODE (Q-33)
  bool allows_third_party = false;              ///< else that option is UNSUPP_OPTION (Q-32)
  bool serves_map_options = true;               ///< else PREFER_FAILURE and FILTER are, too
  bool ignores_prefer_failure = false;          ///< another port all the same (Q-30)
  bool ignores_filters = false;                 ///< accepted, and everybody may come (Q-31)
  /// How many ports one mapping can have (PORT_SET, RFC 7753); 0: the option is not known.
  std::uint16_t largest_port_set = 0;
  std::uint32_t max_filters = 8;  ///< of one mapping; more: EXCESSIVE_REMOTE_PEERS

  // What it tells.
  port_policy external_port = port_policy::as_suggested;
  bool external_address_unknown = false;  ///< NAT-PMP says 0.0.0.0, with success (Q-57)
  bool private_wan_is_failure = false;    ///< NAT-PMP calls a private address a failure (Q-58)
  /// Nothing is mapped unless the address outside is public: PCP says 8, NAT-PMP 3.
  bool private_wan_disables = false;
  bool nat_pmp_errors_echo_request = false;  ///< refusals repeat port and lifetime (Q-54)
  bool nat_pmp_errors_are_short = false;     ///< 8 bytes for every refusal (Q-55)
  std::optional<std::uint16_t> nat_pmp_answers_internal_port;  ///< another one than asked (Q-50)
  std::optional<std::uint16_t> answers_external_port;  ///< in grants, whatever it is (Q-141)
  bool answers_announce_requests = true;               ///< else unicast ANNOUNCE meets silence
  /// Multicast announcements after a start or an address change: 250 ms after the first the second,
  /// then at doubled intervals (RFC 6886 section 3.2.1, RFC 6887 section 14.1.2). 0: none.
  std::uint32_t announcements = 10;
  bool address_change_resets_epoch = true;   ///< Q-39
  bool renewed_pinhole_echoes_port = false;  ///< what was suggested, 0 included (Q-27)
  /// One that was renewed cannot be deleted any more: NOT_AUTHORIZED, to its own nonce as well.
  bool renewed_pinhole_stays = false;

  upnp_profile upnp;
};

}  // namespace damson::sim
