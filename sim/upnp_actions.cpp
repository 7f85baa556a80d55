#include "sim/upnp_actions.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "sim/message_text.hpp"

namespace damson::sim {

namespace {

constexpr int invalid_action = 401;
constexpr int invalid_args = 402;
constexpr int action_failed = 501;
constexpr int string_too_long = 605;
constexpr int not_authorized = 606;
constexpr int no_such_entry = 714;
constexpr int external_wildcard = 716;
constexpr int conflict = 718;
constexpr int same_ports = 724;
constexpr int only_permanent = 725;
constexpr int remote_host_wildcard_only = 726;
constexpr int no_port_maps = 728;
constexpr int other_mechanisms = 729;
constexpr int internal_wildcard = 732;

/// The longest lease, and what 0 stands for, in version 2 (WANIPConnection:2 section 2.3.17).
constexpr std::chrono::seconds longest_lease{604'800};
constexpr std::uint16_t first_user_port = 1024;
constexpr std::size_t longest_description = 256;
constexpr std::uint32_t any_number = 0xffff'ffff;

/// The arguments of AddPortMapping or AddAnyPortMapping.
struct add_request {
  transport what{};
  std::uint16_t external_port = 0;
  endpoint internal;
  std::uint32_t lease = 0;
  std::string description;
};

/// What the profile makes of a lease asked for.
struct lease_outcome {
  int code = 0;
  bool dropped = false;                      ///< success without an entry
  std::optional<std::chrono::seconds> span;  ///< empty: for ever
};

lease_outcome judge_lease(const upnp_profile& how, std::uint32_t asked) {
  const std::chrono::seconds span{asked};
  const bool finite = asked != 0;
  switch (how.leases) {
    case lease_policy::only_permanent_725:
      if (finite) return {only_permanent, false, {}};
      return {};
    case lease_policy::only_permanent_402:
      if (finite) return {invalid_args, false, {}};
      return {};
    case lease_policy::finite_is_dropped:
      return {0, finite, {}};
    case lease_policy::only_finite_402:
      if (!finite || span > longest_lease) return {invalid_args, false, {}};
      break;
    case lease_policy::as_asked:
      if (how.version == 2 && span > longest_lease) return {invalid_args, false, {}};
      if (!finite && how.version == 2) return {0, false, longest_lease};
      break;
  }
  if (!finite) return {};
  if (!how.forced_lease) return {0, false, span};
  if (*how.forced_lease == 0) return {};
  return {0, false, std::chrono::seconds{*how.forced_lease}};
}

class connection_actions {
 public:
  connection_actions(gateway_state& state, const action_context& context, const soap_call& call)
      : state_(state), how_(state.how.upnp), context_(context), call_(call) {}

  action_result add() {
    add_request request;
    if (const int code = read(request)) return {code, {}};
    if (const int code = refuse(request)) return {code, {}};
    const lease_outcome lease = judge_lease(how_, request.lease);
    if (lease.code != 0) return {lease.code, {}};
    const nat_rule* holder = state_.table.at_external(request.what, request.external_port);
    if (holder != nullptr) {
      if (const int code = contest(request, *holder)) return {code, {}};
    } else if (full(request)) {
      return {no_room(), {}};
    }
    if (!lease.dropped && !how_.success_without_entry) keep(request, lease, holder);
    return {};
  }

  action_result add_any() {
    add_request request;
    if (const int code = read(request)) return {code, {}};
    if (const int code = refuse(request)) return {code, {}};
    const lease_outcome lease = judge_lease(how_, request.lease);
    if (lease.code != 0) return {lease.code, {}};
    const nat_rule* holder = state_.table.at_external(request.what, request.external_port);
    const bool again = holder != nullptr && !how_.any_port_moves &&
                       holder->internal == request.internal && contest(request, *holder) == 0;
    if (!again) {
      holder = nullptr;
      if (full(request)) return {no_port_maps, {}};
      request.external_port = state_.choose_port(request.what, request.external_port, std::nullopt);
      if (request.external_port == 0) return {no_port_maps, {}};
    }
    if (!lease.dropped && !how_.success_without_entry) keep(request, lease, holder);
    if (how_.reserved_port_name.empty()) return {};
    return {0, {{how_.reserved_port_name, std::to_string(request.external_port)}}};
  }

  action_result remove() {
    if (how_.refuses_deletes_with) return {*how_.refuses_deletes_with, {}};
    transport what{};
    std::uint16_t port = 0;
    if (!read_key(what, port)) return {invalid_args, {}};
    const nat_rule* rule = state_.table.at_external(what, port);
    if (rule == nullptr || !value("NewRemoteHost").empty()) return {no_such_entry, {}};
    // version 1 does not tell a stranger that there is an entry.
    const bool foreign =
        !is_ours(*rule) || (how_.secure_mode && rule->internal.address != context_.sender);
    if (foreign) return {how_.version == 2 ? not_authorized : no_such_entry, {}};
    state_.table.remove_external(what, port);
    return {};
  }

  action_result specific_entry() const {
    transport what{};
    std::uint16_t port = 0;
    if (!read_key(what, port)) return {invalid_args, {}};
    const nat_rule* rule = state_.table.at_external(what, port);
    if (rule == nullptr || !value("NewRemoteHost").empty()) return {how_.missing_entry_code, {}};
    return {0, target_of(*rule)};
  }

  action_result generic_entry() const {
    const auto index = read_decimal(value("NewPortMappingIndex"), 65'535);
    if (!index) return {invalid_args, {}};
    const auto rules = state_.table.rules();
    if (*index >= rules.size()) return {how_.list_end_code, {}};
    const nat_rule& rule = rules[*index];
    action_result out{0,
                      {{"NewRemoteHost", ""},
                       {"NewExternalPort", std::to_string(rule.external_port)},
                       {"NewProtocol", rule.transport == transport::tcp ? "TCP" : "UDP"}}};
    const auto target = target_of(rule);
    out.out.insert(out.out.end(), target.begin(), target.end());
    return out;
  }

  action_result external_address() const {
    std::string text;
    if (is_up() && address()) text = to_string(*address());
    if (text.empty() && how_.unknown_address_is_zero) text = "0.0.0.0";
    return {0, {{"NewExternalIPAddress", text}}};
  }

  action_result status() const {
    const auto passed = std::chrono::floor<std::chrono::seconds>(context_.now - context_.booted);
    const auto seconds = static_cast<std::uint32_t>(passed.count());
    return {0,
            {{"NewConnectionStatus", is_up() ? connection().status : "Disconnected"},
             {"NewLastConnectionError", "ERROR_NONE"},
             {"NewUptime", std::to_string(how_.uptime.value_or(seconds))}}};
  }

  action_result link_properties() const {
    return {0,
            {{"NewWANAccessType", "Ethernet"},
             {"NewLayer1UpstreamMaxBitRate", "100000000"},
             {"NewLayer1DownstreamMaxBitRate", "100000000"},
             {"NewPhysicalLinkStatus", state_.wan ? "Up" : "Down"}}};
  }

  action_result default_connection() const {
    return {0, {{"NewDefaultConnectionService", std::string{context_.default_connection}}}};
  }

 private:
  const std::string& value(std::string_view name) const {
    return std::ranges::find(call_.arguments, name, &soap_arguments::value_type::first)->second;
  }

  const wan_connection& connection() const { return how_.connections[context_.service.connection]; }

  const std::optional<ip_address>& address() const {
    return connection().address ? connection().address : state_.wan;
  }

  /// some do not forward at all behind another NAT.
  bool is_up() const {
    if (!connection().up || !address()) return false;
    return !how_.private_wan_disables || classify(*address()) == address_class::public_address;
  }

  bool is_ours(const nat_rule& rule) const {
    return rule.owner == rule_owner::upnp ||
           (how_.one_rule_for_all_protocols && rule.owner != rule_owner::household);
  }

  int policy_refusal() const { return how_.policy_refusals_are_718 ? conflict : not_authorized; }

  bool read_transport(transport& what) const {
    const std::string& name = value("NewProtocol");  // capitals only
    what = name == "TCP" ? transport::tcp : transport::udp;
    return name == "TCP" || name == "UDP";
  }

  bool read_key(transport& what, std::uint16_t& port) const {
    const auto number = read_decimal(value("NewExternalPort"), 65'535);
    port = static_cast<std::uint16_t>(number.value_or(0));
    return number && read_transport(what);
  }

  /// 0 or the code that the arguments deserve by themselves.
  int read(add_request& out) const {
    const auto internal_port = read_decimal(value("NewInternalPort"), 65'535);
    const auto client = ip_address::parse(value("NewInternalClient"));
    const auto lease = read_decimal(value("NewLeaseDuration"), any_number);
    const std::string& enabled = value("NewEnabled");
    constexpr std::array booleans{"0", "1", "false", "true", "no", "yes"};
    if (!read_key(out.what, out.external_port) || !internal_port || !client || !client->is_v4() ||
        !lease || std::ranges::count(booleans, enabled) == 0) {
      return invalid_args;
    }
    if (!value("NewRemoteHost").empty()) return remote_host_wildcard_only;
    if (out.external_port == 0) return external_wildcard;
    if (*internal_port == 0) return how_.version == 2 ? internal_wildcard : invalid_args;
    if (value("NewPortMappingDescription").size() > longest_description) return string_too_long;
    if (enabled != "1") state_.complain(context_.now, "a mapping that is not enabled (Q-187)");
    out.internal = {*client, static_cast<std::uint16_t>(*internal_port)};
    out.lease = *lease;
    out.description = value("NewPortMappingDescription");
    return 0;
  }

  /// 0 or the code by which this router refuses such a mapping whatever its table holds.
  int refuse(const add_request& request) {
    if (how_.refuses_adds_with && how_.refused_adds.value_or(1) > 0) {
      if (how_.refused_adds) --*how_.refused_adds;
      return *how_.refuses_adds_with;
    }
    if (!is_up()) return action_failed;
    if (how_.secure_mode && request.internal.address != context_.sender) return policy_refusal();
    const bool low =
        request.external_port < first_user_port || request.internal.port < first_user_port;
    if (how_.refuses_low_ports && low) return policy_refusal();
    if (how_.same_ports_required && request.external_port != request.internal.port) {
      return same_ports;
    }
    return 0;
  }

  /// 0 where the rule that holds the port may be overwritten: by the same client, and only a rule
  /// of this protocol (WANIPConnection:1 section 2.4.16).
  int contest(const add_request& request, const nat_rule& holder) const {
    const bool same_client = holder.internal.address == request.internal.address;
    if (holder.owner == rule_owner::upnp) {
      const bool may = same_client || how_.overwrites_anybody;
      return may && !how_.no_overwriting ? 0 : conflict;
    }
    if (is_ours(holder) && holder.internal == request.internal) return 0;
    return how_.version == 2 ? other_mechanisms : conflict;
  }

  int no_room() const {
    if (how_.full_table_is_silent) return 0;
    return how_.version == 2 ? no_port_maps : conflict;
  }

  bool full(const add_request& request) const {
    const auto quota = state_.how.rules_per_host;
    return state_.table.size() >= state_.how.max_rules ||
           (quota && state_.table.count_of(request.internal.address) >= *quota);
  }

  void keep(const add_request& request, const lease_outcome& lease, const nat_rule* holder) {
    nat_rule rule{request.what, request.external_port, rule_owner::upnp,   request.internal,
                  {},           std::nullopt,          request.description};
    if (lease.span) rule.expires = context_.now + *lease.span;
    if (holder != nullptr) {
      // A rule that another protocol made stays that protocol's.
      rule.owner = holder->owner;
      rule.nonce = holder->nonce;
      if (how_.refresh_does_not_extend) rule.expires = holder->expires;
    }
    state_.table.put(std::move(rule));
  }

  soap_arguments target_of(const nat_rule& rule) const {
    std::int64_t left = 0;
    if (rule.expires && !how_.shows_lease_as_zero) {
      left = std::chrono::ceil<std::chrono::seconds>(*rule.expires - context_.now).count();
    }
    return {{"NewInternalPort", std::to_string(rule.internal.port)},
            {"NewInternalClient", to_string(rule.internal.address)},
            {"NewEnabled", "1"},
            {"NewPortMappingDescription", rule.description},
            {"NewLeaseDuration", std::to_string(left)}};
  }

  gateway_state& state_;
  upnp_profile& how_;
  const action_context& context_;
  const soap_call& call_;
};

constexpr std::array<std::string_view, 8> mapping_arguments{"NewRemoteHost",
                                                            "NewExternalPort",
                                                            "NewProtocol",
                                                            "NewInternalPort",
                                                            "NewInternalClient",
                                                            "NewEnabled",
                                                            "NewPortMappingDescription",
                                                            "NewLeaseDuration"};
constexpr std::array<std::string_view, 3> key_arguments{"NewRemoteHost", "NewExternalPort",
                                                        "NewProtocol"};
constexpr std::array<std::string_view, 1> index_arguments{"NewPortMappingIndex"};

/// What never changes here.
action_result connection_type() {
  const std::string type = "IP_Routed";
  return {0, {{"NewConnectionType", type}, {"NewPossibleConnectionTypes", type}}};
}

action_result nat_status() { return {0, {{"NewRSIPAvailable", "0"}, {"NewNATEnabled", "1"}}}; }

using service = connection_actions;

struct action_definition {
  std::string_view name;
  upnp_role role{};
  std::uint8_t version = 1;  ///< of the service that has it first
  std::span<const std::string_view> arguments;
  action_result (*serve)(service&) = nullptr;
};

constexpr std::array actions{
    action_definition{"AddPortMapping", upnp_role::connection, 1, mapping_arguments,
                      [](service& at) { return at.add(); }},
    action_definition{"AddAnyPortMapping", upnp_role::connection, 2, mapping_arguments,
                      [](service& at) { return at.add_any(); }},
    action_definition{"DeletePortMapping", upnp_role::connection, 1, key_arguments,
                      [](service& at) { return at.remove(); }},
    action_definition{"GetSpecificPortMappingEntry", upnp_role::connection, 1, key_arguments,
                      [](service& at) { return at.specific_entry(); }},
    action_definition{"GetGenericPortMappingEntry", upnp_role::connection, 1, index_arguments,
                      [](service& at) { return at.generic_entry(); }},
    action_definition{"GetExternalIPAddress",
                      upnp_role::connection,
                      1,
                      {},
                      [](service& at) { return at.external_address(); }},
    action_definition{
        "GetStatusInfo", upnp_role::connection, 1, {}, [](service& at) { return at.status(); }},
    action_definition{"GetConnectionTypeInfo",
                      upnp_role::connection,
                      1,
                      {},
                      [](service&) { return connection_type(); }},
    action_definition{
        "GetNATRSIPStatus", upnp_role::connection, 1, {}, [](service&) { return nat_status(); }},
    action_definition{"GetCommonLinkProperties",
                      upnp_role::common_interface,
                      1,
                      {},
                      [](service& at) { return at.link_properties(); }},
    action_definition{"GetDefaultConnectionService",
                      upnp_role::layer3_forwarding,
                      1,
                      {},
                      [](service& at) { return at.default_connection(); }},
};

}  // namespace

action_result perform(gateway_state& state, const action_context& context, const soap_call& call) {
  const upnp_profile& how = state.how.upnp;
  if (how.missing_actions.contains(call.action)) return {how.missing_action_code, {}};
  const auto* const found = std::ranges::find_if(actions, [&](const action_definition& one) {
    return one.name == call.action && one.role == context.service.role &&
           one.version <= context.service.version;
  });
  if (found == actions.end()) return {invalid_action, {}};
  const bool exact = std::ranges::equal(found->arguments, call.arguments, {}, {},
                                        &soap_arguments::value_type::first);
  if (!exact) return {invalid_args, {}};
  state.table.remove_expired(context.now);
  connection_actions at(state, context, call);
  return found->serve(at);
}

}  // namespace damson::sim
