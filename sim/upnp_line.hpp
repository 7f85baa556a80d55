#pragma once

/// The actions of a UPnP gateway model that are about its line and not about mappings: the
/// connection's state, PPP's own, WANCommonInterfaceConfig and Layer3Forwarding.

#include "sim/upnp_action_call.hpp"

namespace damson::sim {

action_result set_connection_type(action_call& call);
action_result get_connection_type_info(action_call& call);
action_result request_connection(action_call& call);
action_result force_termination(action_call& call);
action_result get_status_info(action_call& call);
action_result get_nat_rsip_status(action_call& call);
action_result get_external_ip_address(action_call& call);

/// Auto-, idle- and warn-times are kept and told, and nothing more comes of them: the model has no
/// traffic of its own that could be idle.
action_result set_auto_disconnect_time(action_call& call);
action_result set_idle_disconnect_time(action_call& call);
action_result set_warn_disconnect_delay(action_call& call);
action_result get_auto_disconnect_time(action_call& call);
action_result get_idle_disconnect_time(action_call& call);
action_result get_warn_disconnect_delay(action_call& call);

action_result configure_connection(action_call& call);
action_result get_link_layer_max_bit_rates(action_call& call);
action_result get_ppp_encryption_protocol(action_call& call);
action_result get_ppp_compression_protocol(action_call& call);
action_result get_ppp_authentication_protocol(action_call& call);
action_result get_user_name(action_call& call);
action_result get_password(action_call& call);

action_result get_common_link_properties(action_call& call);
action_result get_total_bytes_sent(action_call& call);
action_result get_total_bytes_received(action_call& call);
action_result get_total_packets_sent(action_call& call);
action_result get_total_packets_received(action_call& call);
action_result get_maximum_active_connections(action_call& call);
action_result get_wan_access_provider(action_call& call);
action_result get_active_connection(action_call& call);
action_result set_enabled_for_internet(action_call& call);
action_result get_enabled_for_internet(action_call& call);

action_result set_default_connection_service(action_call& call);
action_result get_default_connection_service(action_call& call);

/// The value that ConnectionStatus has.
std::string connection_status(const gateway_state& state, std::size_t connection);
/// The value that ExternalIPAddress has.
std::string external_address(const gateway_state& state, std::size_t connection);
/// The connection that Layer3Forwarding names.
std::string default_connection(const gateway_state& state, const action_context& context);
std::string link_status(const gateway_state& state);
std::string_view possible_connection_types(const upnp_service& service);

}  // namespace damson::sim
