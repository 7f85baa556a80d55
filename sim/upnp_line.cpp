#include "sim/upnp_line.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <utility>

#include "sim/message_text.hpp"
#include "sim/upnp_codes.hpp"

namespace damson::sim {

namespace {

using namespace upnp_code;

constexpr std::string_view bit_rate = "100000000";
constexpr std::uint32_t any_number = 0xffff'ffff;

std::size_t index_of(const action_call& call) { return call.context.service.connection; }
line_state& line_of(action_call& call) { return call.state.line(index_of(call)); }

/// Where the profile says so only its owner may touch the connection.
int guard(const action_call& call) { return call.how().guards_connection ? not_authorized : 0; }

action_result one(std::string value) { return {0, {std::move(value)}}; }

/// ui4, so it starts again from 0 (WANCommonInterfaceConfig:1 section 2.2.9).
action_result counter(std::uint64_t value) {
  return one(std::to_string(static_cast<std::uint32_t>(value)));
}

std::string connection_type(action_call& call) {
  const std::string& set = line_of(call).type;
  if (!set.empty()) return set;
  const std::string_view possible = possible_connection_types(call.context.service);
  return std::string{possible.substr(0, possible.find(','))};
}

action_result set_number(action_call& call, std::string_view name, std::uint32_t& number) {
  if (const int code = guard(call)) return {code, {}};
  const auto value = read_decimal(call.value(name), any_number);
  if (!value) return {invalid_args, {}};
  number = *value;
  return {};
}

}  // namespace

std::string_view possible_connection_types(const upnp_service& service) {
  return service.kind == "WANPPPConnection" ? "IP_Routed,PPPoE_Relay,Unconfigured"
                                            : "IP_Routed,IP_Bridged,Unconfigured";
}

std::string connection_status(const gateway_state& state, std::size_t connection) {
  return connection_is_up(state, connection) ? state.how.upnp.connections[connection].status
                                             : "Disconnected";
}

std::string external_address(const gateway_state& state, std::size_t connection) {
  std::string text;
  const auto& address = connection_address(state, connection);
  const bool is_known = connection_is_up(state, connection) && address;
  if (is_known && !address->is_unspecified()) text = to_string(*address);
  return text.empty() && state.how.upnp.unknown_address_is_zero ? "0.0.0.0" : text;
}

std::string default_connection(const gateway_state& state, const action_context& context) {
  if (!state.default_connection.empty()) return state.default_connection;
  return context.connections.empty() ? std::string{} : context.connections.front();
}

std::string link_status(const gateway_state& state) { return state.wan ? "Up" : "Down"; }

action_result set_connection_type(action_call& call) {
  if (const int code = guard(call)) return {code, {}};
  const std::string& wanted = call.value("NewConnectionType");
  const std::string possible = "," + std::string{possible_connection_types(call.context.service)};
  if (wanted.empty() || wanted.contains(',') || !(possible + ",").contains("," + wanted + ",")) {
    return {invalid_args, {}};
  }
  if (connection_is_up(call.state, index_of(call))) return {inactive_state_required, {}};
  line_of(call).type = wanted;
  return {};
}

action_result get_connection_type_info(action_call& call) {
  return {0, {connection_type(call), std::string{possible_connection_types(call.context.service)}}};
}

action_result request_connection(action_call& call) {
  if (const int code = guard(call)) return {code, {}};
  if (connection_type(call) != "IP_Routed") return {invalid_connection_type, {}};
  line_of(call).terminated = false;
  return {connection_is_up(call.state, index_of(call)) ? 0 : setup_failed, {}};
}

action_result force_termination(action_call& call) {
  if (const int code = guard(call)) return {code, {}};
  if (connection_type(call) != "IP_Routed") return {invalid_connection_type, {}};
  if (!connection_is_up(call.state, index_of(call))) return {already_terminated, {}};
  line_of(call).terminated = true;
  return {};
}

action_result get_status_info(action_call& call) {
  const auto passed =
      std::chrono::floor<std::chrono::seconds>(call.context.now - call.context.booted);
  const auto seconds = static_cast<std::uint32_t>(passed.count());
  return {0,
          {connection_status(call.state, index_of(call)),
           line_of(call).terminated ? "ERROR_USER_DISCONNECT" : "ERROR_NONE",
           std::to_string(call.how().uptime.value_or(seconds))}};
}

action_result get_nat_rsip_status(action_call&) { return {0, {"0", "1"}}; }

action_result get_external_ip_address(action_call& call) {
  return one(external_address(call.state, index_of(call)));
}

action_result set_auto_disconnect_time(action_call& call) {
  return set_number(call, "NewAutoDisconnectTime", line_of(call).auto_disconnect_time);
}

action_result set_idle_disconnect_time(action_call& call) {
  return set_number(call, "NewIdleDisconnectTime", line_of(call).idle_disconnect_time);
}

action_result set_warn_disconnect_delay(action_call& call) {
  return set_number(call, "NewWarnDisconnectDelay", line_of(call).warn_disconnect_delay);
}

action_result get_auto_disconnect_time(action_call& call) {
  return one(std::to_string(line_of(call).auto_disconnect_time));
}

action_result get_idle_disconnect_time(action_call& call) {
  return one(std::to_string(line_of(call).idle_disconnect_time));
}

action_result get_warn_disconnect_delay(action_call& call) {
  return one(std::to_string(line_of(call).warn_disconnect_delay));
}

action_result configure_connection(action_call& call) {
  if (const int code = guard(call)) return {code, {}};
  if (connection_is_up(call.state, index_of(call))) return {inactive_state_required, {}};
  line_of(call).user_name = call.value("NewUserName");
  line_of(call).password = call.value("NewPassword");
  return {};
}

action_result get_link_layer_max_bit_rates(action_call&) {
  return {0, {std::string{bit_rate}, std::string{bit_rate}}};
}

action_result get_ppp_encryption_protocol(action_call&) { return one("None"); }
action_result get_ppp_compression_protocol(action_call&) { return one("None"); }
action_result get_ppp_authentication_protocol(action_call&) { return one("PAP"); }
action_result get_user_name(action_call& call) { return one(line_of(call).user_name); }

action_result get_password(action_call& call) {
  if (const int code = guard(call)) return {code, {}};
  return one(line_of(call).password);
}

action_result get_common_link_properties(action_call& call) {
  return {0, {"Ethernet", std::string{bit_rate}, std::string{bit_rate}, link_status(call.state)}};
}

action_result get_total_bytes_sent(action_call& call) {
  return counter(call.state.traffic.bytes_sent);
}

action_result get_total_bytes_received(action_call& call) {
  return counter(call.state.traffic.bytes_received);
}

action_result get_total_packets_sent(action_call& call) {
  return counter(call.state.traffic.packets_sent);
}

action_result get_total_packets_received(action_call& call) {
  return counter(call.state.traffic.packets_received);
}

action_result get_maximum_active_connections(action_call& call) {
  return one(std::to_string(call.how().connections.size()));
}

action_result get_wan_access_provider(action_call&) { return one("Somebody's Line"); }

action_result get_active_connection(action_call& call) {
  const auto index = read_decimal(call.value("NewActiveConnectionIndex"), 65'535);
  if (!index) return {invalid_args, {}};
  std::vector<std::string> active;
  for (std::size_t i = 0; i < call.how().connections.size(); ++i) {
    if (connection_is_up(call.state, i)) active.push_back(call.context.connections[i]);
  }
  if (*index >= active.size()) return {index_invalid, {}};
  const std::string& name = active[*index];
  const std::size_t comma = name.find(',');
  return {0, {name.substr(0, comma), name.substr(comma + 1)}};
}

action_result set_enabled_for_internet(action_call& call) {
  if (const int code = guard(call)) return {code, {}};
  const std::string& wanted = call.value("NewEnabledForInternet");
  if (wanted != "0" && wanted != "1") return {invalid_args, {}};
  call.state.internet_disabled = wanted == "0";
  return {};
}

action_result get_enabled_for_internet(action_call& call) {
  return one(call.state.internet_disabled ? "0" : "1");
}

action_result set_default_connection_service(action_call& call) {
  if (const int code = guard(call)) return {code, {}};
  const std::string& wanted = call.value("NewDefaultConnectionService");
  if (std::ranges::count(call.context.connections, wanted) == 0) return {invalid_selection, {}};
  call.state.default_connection = wanted;
  return {};
}

action_result get_default_connection_service(action_call& call) {
  return one(default_connection(call.state, call.context));
}

}  // namespace damson::sim
