#include "sim/upnp_actions.hpp"

#include <algorithm>
#include <array>
#include <iterator>

#include "sim/upnp_codes.hpp"
#include "sim/upnp_firewall.hpp"
#include "sim/upnp_line.hpp"
#include "sim/upnp_mapping.hpp"

namespace damson::sim {

namespace {

using arg = action_argument;
using args = std::span<const action_argument>;

constexpr std::string_view any_connection;
constexpr std::string_view ip = "WANIPConnection";
constexpr std::string_view ppp = "WANPPPConnection";
constexpr std::string_view common = "WANCommonInterfaceConfig";
constexpr std::string_view layer3 = "Layer3Forwarding";
constexpr std::string_view firewall = "WANIPv6FirewallControl";

/// One entry of the table of mappings; actions take and give parts of it.
constexpr std::array mapping{
    arg{"NewRemoteHost", "RemoteHost"},
    arg{"NewExternalPort", "ExternalPort"},
    arg{"NewProtocol", "PortMappingProtocol"},
    arg{"NewInternalPort", "InternalPort"},
    arg{"NewInternalClient", "InternalClient"},
    arg{"NewEnabled", "PortMappingEnabled"},
    arg{"NewPortMappingDescription", "PortMappingDescription"},
    arg{"NewLeaseDuration", "PortMappingLeaseDuration"},
};
constexpr args mapping_key = args{mapping}.first(3);
constexpr args mapping_target = args{mapping}.subspan(3);
constexpr std::array mapping_index{arg{"NewPortMappingIndex", "PortMappingNumberOfEntries"}};
constexpr std::array reserved_port{arg{"NewReservedPort", "ExternalPort"}};
constexpr std::array listed_range{
    arg{"NewStartPort", "ExternalPort"},
    arg{"NewEndPort", "ExternalPort"},
    arg{"NewProtocol", "PortMappingProtocol"},
    arg{"NewManage", "A_ARG_TYPE_Manage"},
    arg{"NewNumberOfPorts", "PortMappingNumberOfEntries"},
};
constexpr args deleted_range = args{listed_range}.first(4);
constexpr std::array listing{arg{"NewPortListing", "A_ARG_TYPE_PortListing"}};

constexpr std::array type_info{arg{"NewConnectionType", "ConnectionType"},
                               arg{"NewPossibleConnectionTypes", "PossibleConnectionTypes"}};
constexpr args set_type = args{type_info}.first(1);
constexpr std::array status_info{arg{"NewConnectionStatus", "ConnectionStatus"},
                                 arg{"NewLastConnectionError", "LastConnectionError"},
                                 arg{"NewUptime", "Uptime"}};
constexpr std::array nat_status{arg{"NewRSIPAvailable", "RSIPAvailable"},
                                arg{"NewNATEnabled", "NATEnabled"}};
constexpr std::array outside_address{arg{"NewExternalIPAddress", "ExternalIPAddress"}};
constexpr std::array auto_time{arg{"NewAutoDisconnectTime", "AutoDisconnectTime"}};
constexpr std::array idle_time{arg{"NewIdleDisconnectTime", "IdleDisconnectTime"}};
constexpr std::array warn_delay{arg{"NewWarnDisconnectDelay", "WarnDisconnectDelay"}};

constexpr std::array account{arg{"NewUserName", "UserName"}, arg{"NewPassword", "Password"}};
constexpr std::array bit_rates{arg{"NewUpstreamMaxBitRate", "UpstreamMaxBitRate"},
                               arg{"NewDownstreamMaxBitRate", "DownstreamMaxBitRate"}};
constexpr std::array encryption{arg{"NewPPPEncryptionProtocol", "PPPEncryptionProtocol"}};
constexpr std::array compression{arg{"NewPPPCompressionProtocol", "PPPCompressionProtocol"}};
constexpr std::array authentication{
    arg{"NewPPPAuthenticationProtocol", "PPPAuthenticationProtocol"}};

constexpr std::array link_properties{
    arg{"NewWANAccessType", "WANAccessType"},
    arg{"NewLayer1UpstreamMaxBitRate", "Layer1UpstreamMaxBitRate"},
    arg{"NewLayer1DownstreamMaxBitRate", "Layer1DownstreamMaxBitRate"},
    arg{"NewPhysicalLinkStatus", "PhysicalLinkStatus"}};
constexpr std::array bytes_sent{arg{"NewTotalBytesSent", "TotalBytesSent"}};
constexpr std::array bytes_received{arg{"NewTotalBytesReceived", "TotalBytesReceived"}};
constexpr std::array packets_sent{arg{"NewTotalPacketsSent", "TotalPacketsSent"}};
constexpr std::array packets_received{arg{"NewTotalPacketsReceived", "TotalPacketsReceived"}};
constexpr std::array most_active{arg{"NewMaximumActiveConnections", "MaximumActiveConnections"}};
constexpr std::array provider{arg{"NewWANAccessProvider", "WANAccessProvider"}};
constexpr std::array active_index{arg{"NewActiveConnectionIndex", "NumberOfActiveConnections"}};
constexpr std::array active_connection{
    arg{"NewActiveConnDeviceContainer", "ActiveConnectionDeviceContainer"},
    arg{"NewActiveConnectionServiceID", "ActiveConnectionServiceID"}};
constexpr std::array for_internet{arg{"NewEnabledForInternet", "EnabledForInternet"}};
constexpr std::array default_service{
    arg{"NewDefaultConnectionService", "DefaultConnectionService"}};

constexpr std::array firewall_status{arg{"FirewallEnabled", "FirewallEnabled"},
                                     arg{"InboundPinholeAllowed", "InboundPinholeAllowed"}};
constexpr std::array new_pinhole{
    arg{"RemoteHost", "A_ARG_TYPE_IPv6Address"},     arg{"RemotePort", "A_ARG_TYPE_Port"},
    arg{"InternalClient", "A_ARG_TYPE_IPv6Address"}, arg{"InternalPort", "A_ARG_TYPE_Port"},
    arg{"Protocol", "A_ARG_TYPE_Protocol"},          arg{"LeaseTime", "A_ARG_TYPE_LeaseTime"}};
constexpr args pinhole_ends = args{new_pinhole}.first(5);
constexpr std::array outbound_timeout{
    arg{"OutboundPinholeTimeout", "A_ARG_TYPE_OutboundPinholeTimeout"}};
constexpr std::array longer_pinhole{arg{"UniqueID", "A_ARG_TYPE_UniqueID"},
                                    arg{"NewLeaseTime", "A_ARG_TYPE_LeaseTime"}};
constexpr args pinhole_id = args{longer_pinhole}.first(1);
constexpr std::array pinhole_packets{arg{"PinholePackets", "A_ARG_TYPE_PinholePackets"}};
constexpr std::array is_working{arg{"IsWorking", "A_ARG_TYPE_Boolean"}};

constexpr std::array table{
    action_definition{any_connection, "SetConnectionType", 1, set_type, {}, set_connection_type},
    action_definition{
        any_connection, "GetConnectionTypeInfo", 1, {}, type_info, get_connection_type_info},
    action_definition{ppp, "ConfigureConnection", 1, account, {}, configure_connection},
    action_definition{any_connection, "RequestConnection", 1, {}, {}, request_connection},
    action_definition{any_connection, "RequestTermination", 1, {}, {}, force_termination},
    action_definition{any_connection, "ForceTermination", 1, {}, {}, force_termination},
    action_definition{
        any_connection, "SetAutoDisconnectTime", 1, auto_time, {}, set_auto_disconnect_time},
    action_definition{
        any_connection, "SetIdleDisconnectTime", 1, idle_time, {}, set_idle_disconnect_time},
    action_definition{
        any_connection, "SetWarnDisconnectDelay", 1, warn_delay, {}, set_warn_disconnect_delay},
    action_definition{any_connection, "GetStatusInfo", 1, {}, status_info, get_status_info},
    action_definition{
        ppp, "GetLinkLayerMaxBitRates", 1, {}, bit_rates, get_link_layer_max_bit_rates},
    action_definition{
        ppp, "GetPPPEncryptionProtocol", 1, {}, encryption, get_ppp_encryption_protocol},
    action_definition{
        ppp, "GetPPPCompressionProtocol", 1, {}, compression, get_ppp_compression_protocol},
    action_definition{ppp,
                      "GetPPPAuthenticationProtocol",
                      1,
                      {},
                      authentication,
                      get_ppp_authentication_protocol},
    action_definition{ppp, "GetUserName", 1, {}, args{account}.first(1), get_user_name},
    action_definition{ppp, "GetPassword", 1, {}, args{account}.subspan(1), get_password},
    action_definition{
        any_connection, "GetAutoDisconnectTime", 1, {}, auto_time, get_auto_disconnect_time},
    action_definition{
        any_connection, "GetIdleDisconnectTime", 1, {}, idle_time, get_idle_disconnect_time},
    action_definition{
        any_connection, "GetWarnDisconnectDelay", 1, {}, warn_delay, get_warn_disconnect_delay},
    action_definition{any_connection, "GetNATRSIPStatus", 1, {}, nat_status, get_nat_rsip_status},
    action_definition{any_connection, "GetGenericPortMappingEntry", 1, mapping_index, mapping,
                      get_generic_port_mapping_entry},
    action_definition{any_connection, "GetSpecificPortMappingEntry", 1, mapping_key, mapping_target,
                      get_specific_port_mapping_entry},
    action_definition{any_connection, "AddPortMapping", 1, mapping, {}, add_port_mapping},
    action_definition{ip, "AddAnyPortMapping", 2, mapping, reserved_port, add_any_port_mapping},
    action_definition{any_connection, "DeletePortMapping", 1, mapping_key, {}, delete_port_mapping},
    action_definition{
        ip, "DeletePortMappingRange", 2, deleted_range, {}, delete_port_mapping_range},
    action_definition{ip, "GetListOfPortMappings", 2, listed_range, listing,
                      get_list_of_port_mappings},
    action_definition{
        any_connection, "GetExternalIPAddress", 1, {}, outside_address, get_external_ip_address},

    action_definition{
        common, "SetEnabledForInternet", 1, for_internet, {}, set_enabled_for_internet},
    action_definition{
        common, "GetEnabledForInternet", 1, {}, for_internet, get_enabled_for_internet},
    action_definition{
        common, "GetCommonLinkProperties", 1, {}, link_properties, get_common_link_properties},
    action_definition{common, "GetWANAccessProvider", 1, {}, provider, get_wan_access_provider},
    action_definition{
        common, "GetMaximumActiveConnections", 1, {}, most_active, get_maximum_active_connections},
    action_definition{common, "GetTotalBytesSent", 1, {}, bytes_sent, get_total_bytes_sent},
    action_definition{
        common, "GetTotalBytesReceived", 1, {}, bytes_received, get_total_bytes_received},
    action_definition{common, "GetTotalPacketsSent", 1, {}, packets_sent, get_total_packets_sent},
    action_definition{
        common, "GetTotalPacketsReceived", 1, {}, packets_received, get_total_packets_received},
    action_definition{common, "GetActiveConnection", 1, active_index, active_connection,
                      get_active_connection},

    action_definition{layer3,
                      "SetDefaultConnectionService",
                      1,
                      default_service,
                      {},
                      set_default_connection_service},
    action_definition{layer3,
                      "GetDefaultConnectionService",
                      1,
                      {},
                      default_service,
                      get_default_connection_service},

    action_definition{firewall, "GetFirewallStatus", 1, {}, firewall_status, get_firewall_status},
    action_definition{firewall, "GetOutboundPinholeTimeout", 1, pinhole_ends, outbound_timeout,
                      get_outbound_pinhole_timeout},
    action_definition{firewall, "AddPinhole", 1, new_pinhole, pinhole_id, add_pinhole},
    action_definition{firewall, "UpdatePinhole", 1, longer_pinhole, {}, update_pinhole},
    action_definition{firewall, "DeletePinhole", 1, pinhole_id, {}, delete_pinhole},
    action_definition{firewall, "GetPinholePackets", 1, pinhole_id, pinhole_packets,
                      get_pinhole_packets},
    action_definition{firewall, "CheckPinholeWorking", 1, pinhole_id, is_working,
                      check_pinhole_working},
};

constexpr std::array variables{
    state_variable{"ConnectionType", "string"},
    state_variable{"PossibleConnectionTypes", "string", true},
    state_variable{"ConnectionStatus", "string", true},
    state_variable{"Uptime", "ui4"},
    state_variable{"LastConnectionError", "string"},
    state_variable{"AutoDisconnectTime", "ui4"},
    state_variable{"IdleDisconnectTime", "ui4"},
    state_variable{"WarnDisconnectDelay", "ui4"},
    state_variable{"UserName", "string"},
    state_variable{"Password", "string"},
    state_variable{"UpstreamMaxBitRate", "ui4"},
    state_variable{"DownstreamMaxBitRate", "ui4"},
    state_variable{"PPPEncryptionProtocol", "string"},
    state_variable{"PPPCompressionProtocol", "string"},
    state_variable{"PPPAuthenticationProtocol", "string"},
    state_variable{"RSIPAvailable", "boolean"},
    state_variable{"NATEnabled", "boolean"},
    state_variable{"ExternalIPAddress", "string", true},
    state_variable{"PortMappingNumberOfEntries", "ui2", true},
    state_variable{"PortMappingEnabled", "boolean"},
    state_variable{"PortMappingLeaseDuration", "ui4"},
    state_variable{"RemoteHost", "string"},
    state_variable{"ExternalPort", "ui2"},
    state_variable{"InternalPort", "ui2"},
    state_variable{"PortMappingProtocol", "string"},
    state_variable{"InternalClient", "string"},
    state_variable{"PortMappingDescription", "string"},
    state_variable{"SystemUpdateID", "ui4", true},
    state_variable{"A_ARG_TYPE_Manage", "boolean"},
    state_variable{"A_ARG_TYPE_PortListing", "string"},

    state_variable{"WANAccessType", "string"},
    state_variable{"Layer1UpstreamMaxBitRate", "ui4"},
    state_variable{"Layer1DownstreamMaxBitRate", "ui4"},
    state_variable{"PhysicalLinkStatus", "string", true},
    state_variable{"WANAccessProvider", "string"},
    state_variable{"MaximumActiveConnections", "ui2"},
    state_variable{"TotalBytesSent", "ui4"},
    state_variable{"TotalBytesReceived", "ui4"},
    state_variable{"TotalPacketsSent", "ui4"},
    state_variable{"TotalPacketsReceived", "ui4"},
    state_variable{"EnabledForInternet", "boolean", true},
    state_variable{"NumberOfActiveConnections", "ui2"},
    state_variable{"ActiveConnectionDeviceContainer", "string"},
    state_variable{"ActiveConnectionServiceID", "string"},

    state_variable{"DefaultConnectionService", "string", true},

    state_variable{"FirewallEnabled", "boolean", true},
    state_variable{"InboundPinholeAllowed", "boolean", true},
    state_variable{"A_ARG_TYPE_IPv6Address", "string"},
    state_variable{"A_ARG_TYPE_Port", "ui2"},
    state_variable{"A_ARG_TYPE_Protocol", "ui2"},
    state_variable{"A_ARG_TYPE_LeaseTime", "ui4"},
    state_variable{"A_ARG_TYPE_UniqueID", "ui2"},
    state_variable{"A_ARG_TYPE_OutboundPinholeTimeout", "ui4"},
    state_variable{"A_ARG_TYPE_PinholePackets", "ui4"},
    state_variable{"A_ARG_TYPE_Boolean", "boolean"},
};

bool has(const upnp_service& service, const action_definition& one) {
  const bool of_it =
      one.service == service.kind || (one.service.empty() && service.role == upnp_role::connection);
  return of_it && one.version <= service.version;
}

/// Of a variable that no action is about.
bool is_of(const upnp_service& service, const state_variable& one) {
  return one.name == "SystemUpdateID" && service.kind == ip && service.version >= 2;
}

std::string value_of(const gateway_state& state, const action_context& context,
                     std::string_view variable) {
  const std::size_t index = context.service.connection;
  const upnp_profile& how = state.how.upnp;
  const auto boolean = [](bool value) { return value ? "1" : "0"; };
  if (variable == "PossibleConnectionTypes") {
    return std::string{possible_connection_types(context.service)};
  }
  if (variable == "ConnectionStatus") return connection_status(state, index);
  if (variable == "ExternalIPAddress") return external_address(state, index);
  if (variable == "PortMappingNumberOfEntries") return std::to_string(state.table.rules().size());
  if (variable == "SystemUpdateID") return std::to_string(state.table.changes());
  if (variable == "PhysicalLinkStatus") return link_status(state);
  if (variable == "EnabledForInternet") return boolean(!state.internet_disabled);
  if (variable == "FirewallEnabled") return boolean(how.firewall_enabled);
  if (variable == "InboundPinholeAllowed") {
    return boolean(how.firewall_enabled && how.pinholes_allowed);
  }
  return default_connection(state, context);
}

}  // namespace

const std::string& action_call::value(std::string_view name) const {
  return std::ranges::find(call.arguments, name, &soap_arguments::value_type::first)->second;
}

const std::optional<ip_address>& connection_address(const gateway_state& state,
                                                    std::size_t connection) {
  const auto& own = state.how.upnp.connections[connection].address;
  return own ? own : state.wan;
}

bool connection_is_up(const gateway_state& state, std::size_t connection) {
  const upnp_profile& how = state.how.upnp;
  const auto& address = connection_address(state, connection);
  const bool terminated = connection < state.lines.size() && state.lines[connection].terminated;
  if (!how.connections[connection].up || !address || terminated || state.internet_disabled) {
    return false;
  }
  return !how.private_wan_disables || classify(*address) == address_class::public_address;
}

std::vector<action_definition> actions_of(const upnp_profile& how, const upnp_service& service) {
  std::vector<action_definition> out;
  std::ranges::copy_if(table, std::back_inserter(out), [&](const action_definition& one) {
    return has(service, one) && !how.missing_actions.contains(std::string{one.name});
  });
  return out;
}

std::vector<state_variable> variables_of(const upnp_profile& how, const upnp_service& service) {
  const auto actions = actions_of(how, service);
  const auto is_used = [&](std::string_view name) {
    return std::ranges::any_of(actions, [&](const action_definition& one) {
      return std::ranges::count(one.in, name, &arg::variable) != 0 ||
             std::ranges::count(one.out, name, &arg::variable) != 0;
    });
  };
  std::vector<state_variable> out;
  std::ranges::copy_if(variables, std::back_inserter(out), [&](const state_variable& one) {
    return is_used(one.name) || is_of(service, one);
  });
  return out;
}

soap_arguments evented_values(const gateway_state& state, const action_context& context) {
  soap_arguments out;
  for (const state_variable& one : variables_of(state.how.upnp, context.service)) {
    if (one.evented) out.emplace_back(one.name, value_of(state, context, one.name));
  }
  return out;
}

action_outcome perform(gateway_state& state, const action_context& context, const soap_call& call) {
  const upnp_profile& how = state.how.upnp;
  if (how.missing_actions.contains(call.action)) return {how.missing_action_code, {}};
  const auto* const found = std::ranges::find_if(table, [&](const action_definition& one) {
    return one.name == call.action && has(context.service, one);
  });
  if (found == table.end()) return {upnp_code::invalid_action, {}};
  const bool exact = std::ranges::equal(found->in, call.arguments, {}, &arg::name,
                                        &soap_arguments::value_type::first);
  if (!exact) return {upnp_code::invalid_args, {}};
  state.table.remove_expired(context.now);
  state.pinholes.remove_expired(context.now);
  action_call whole{state, context, call};
  action_result result = found->serve(whole);
  action_outcome out{result.code, {}};
  for (std::size_t i = 0; i < result.out.size(); ++i) {
    std::string name{found->out[i].name};
    if (name == "NewReservedPort") name = how.reserved_port_name;
    if (!name.empty()) out.out.emplace_back(std::move(name), std::move(result.out[i]));
  }
  return out;
}

}  // namespace damson::sim
