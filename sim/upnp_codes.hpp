#pragma once

/// The error codes of the services that a UPnP gateway model has (UPnP Device Architecture 1.0
/// section 3.2.2 and the service templates).

#include <string_view>

namespace damson::sim {

namespace upnp_code {

inline constexpr int invalid_action = 401;
inline constexpr int invalid_args = 402;
inline constexpr int action_failed = 501;
inline constexpr int string_too_long = 605;
inline constexpr int not_authorized = 606;

// WANIPConnection and WANPPPConnection.
inline constexpr int inactive_state_required = 703;
inline constexpr int setup_failed = 704;
inline constexpr int invalid_connection_type = 710;
inline constexpr int already_terminated = 711;
inline constexpr int index_invalid = 713;  ///< of WANCommonInterfaceConfig as well
inline constexpr int no_such_entry = 714;
inline constexpr int external_wildcard = 716;
inline constexpr int conflict = 718;
inline constexpr int same_ports = 724;
inline constexpr int only_permanent = 725;
inline constexpr int remote_host_wildcard_only = 726;
inline constexpr int no_port_maps = 728;
inline constexpr int other_mechanisms = 729;
inline constexpr int no_such_mapping = 730;
inline constexpr int internal_wildcard = 732;
inline constexpr int inconsistent = 733;

// Layer3Forwarding.
inline constexpr int invalid_selection = 723;

// WANIPv6FirewallControl, with other meanings of the same numbers.
inline constexpr int no_pinhole_space = 701;
inline constexpr int firewall_disabled = 702;
inline constexpr int pinholes_not_allowed = 703;
inline constexpr int no_such_pinhole = 704;
inline constexpr int protocol_not_supported = 705;
inline constexpr int port_wildcard = 706;
inline constexpr int protocol_wildcard = 707;
inline constexpr int source_wildcard = 708;
inline constexpr int no_traffic = 709;

}  // namespace upnp_code

/// "ConflictInMappingEntry" and the like.
std::string_view upnp_error_text(std::string_view service_kind, int code);

}  // namespace damson::sim
