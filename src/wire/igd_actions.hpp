#pragma once

/// The actions of WANIPConnection:1 and :2 and WANPPPConnection:1 that a port mapper needs, typed.
///
/// Requests assert what must never be sent: an external port of 0, which some routers take for all
/// ports, an internal port of 0, an internal client that is no address.
/// Answers are read strictly where a wrong value would do harm: ports, addresses, leases.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include <damson/types.hpp>

#include "wire/soap.hpp"

namespace damson {

enum class upnp_action : std::uint8_t {
  get_external_ip_address,
  add_port_mapping,
  add_any_port_mapping,  ///< version 2 of WANIPConnection only (Q-94)
  delete_port_mapping,
  get_specific_port_mapping_entry,
  get_status_info,
  // About the whole table, and about the way out: see router_actions.hpp.
  get_generic_port_mapping_entry,
  get_list_of_port_mappings,  ///< version 2 of WANIPConnection only
  delete_port_mapping_range,  ///< likewise
  get_common_link_properties,
  get_total_bytes_sent,
  get_total_bytes_received,
  get_total_packets_sent,
  get_total_packets_received,
  // Of WANIPv6FirewallControl: see pinhole_actions.hpp.
  get_firewall_status,
  add_pinhole,
  update_pinhole,
  delete_pinhole,
  get_pinhole_packets,
  check_pinhole_working,
};

/// "GetExternalIPAddress", …
std::string_view to_string(upnp_action) noexcept;

// Requests. The service type is the one that the description gave.
// ----------------------------------------------------------------------------------------

/// What names a mapping on a router. RemoteHost, the third part of the name, is always sent as an
/// empty element, which stands for every host.
struct port_mapping_key {
  /// 1..65535.
  std::uint16_t external_port = 0;
  damson::transport transport{};

  friend bool operator==(const port_mapping_key&, const port_mapping_key&) = default;
};

/// A mapping to add, or to add again to renew it. Always sent as enabled: routers ignore
/// the other value.
struct port_mapping_request {
  port_mapping_key key;
  /// 1..65535.
  std::uint16_t internal_port = 0;
  /// IPv4, and the address that the request is sent from, or strict routers refuse it.
  ip_address internal_client;
  /// See `safe_description`.
  std::string description;
  /// 0..2^32-1 s. 0 is for ever on version 1, the router's longest on version 2.
  std::chrono::seconds lease{};

  friend bool operator==(const port_mapping_request&, const port_mapping_request&) = default;
};

inline constexpr std::size_t mapping_description_bytes = 60;  ///< Q-183

/// What is sent for a description: letters, digits, spaces, dots and dashes, others become dashes
/// cut to 60; "damson" where nothing is given, because there are routers that a missing
/// one crashes.
std::string safe_description(std::string_view wanted);

soap_request make_get_external_ip_address(std::string_view service_type);
soap_request make_add_port_mapping(std::string_view service_type, const port_mapping_request&);
/// The external port is a suggestion, and as concrete as everywhere else.
soap_request make_add_any_port_mapping(std::string_view service_type, const port_mapping_request&);
soap_request make_delete_port_mapping(std::string_view service_type, const port_mapping_key&);
soap_request make_get_specific_port_mapping_entry(std::string_view service_type,
                                                  const port_mapping_key&);
soap_request make_get_status_info(std::string_view service_type);

// Answers
// ----------------------------------------------------------------------------------------

/// Unspecified (0.0.0.0) when the router says that it has none. `bad_value` for what is no
/// IPv4 address, loopback, multicast or the broadcast address; `missing_field` without the
/// argument.
std::expected<ip_address, soap_error> decode_external_ip_address(const http_answer&);

/// The same rule for its text, where it comes by another way.
std::expected<ip_address, decode_error> read_external_address(std::optional<std::string_view> text);

/// Also the answer to DeletePortMapping: nothing but success.
std::expected<void, soap_error> decode_acknowledgement(const http_answer&);

/// The port that was reserved, under either of its names; empty when the router does not say which
/// ask for the one that was suggested then. `bad_value` for 0 and for what is no port.
std::expected<std::optional<std::uint16_t>, soap_error> decode_reserved_port(const http_answer&);

/// What a router says of one of its mappings.
struct port_mapping_entry {
  std::uint16_t internal_port = 0;
  ip_address internal_client;
  bool enabled = true;
  std::string description;  ///< bytes as they came
  /// What is left of it. 0 is for ever, or a router that does not know; empty when it does
  /// not say.
  std::optional<std::chrono::seconds> lease;

  friend bool operator==(const port_mapping_entry&, const port_mapping_entry&) = default;
};

/// `missing_field` without port or client, `bad_value` when one of them, or the lease, cannot be
/// read.
std::expected<port_mapping_entry, soap_error> decode_port_mapping_entry(const http_answer&);

enum class connection_state : std::uint8_t {
  unknown,  ///< nothing was said
  connected,
  not_connected,  ///< anything else, not always the truth (Q-185)
};

struct connection_status {
  connection_state state{};
  /// Empty when it is missing or not a number of seconds in 32 bits. Not always the truth.
  std::optional<std::chrono::seconds> uptime;

  friend bool operator==(const connection_status&, const connection_status&) = default;
};

/// Only for ranking connections and noticing restarts, so nothing in it is an error. "Connected"
/// and "Up" both mean connected.
std::expected<connection_status, soap_error> decode_status_info(const http_answer&);

}  // namespace damson
