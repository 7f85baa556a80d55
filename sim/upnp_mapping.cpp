#include "sim/upnp_mapping.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "sim/message_text.hpp"
#include "sim/upnp_codes.hpp"
#include "sim/xml_text.hpp"

namespace damson::sim {

namespace {

using namespace upnp_code;

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

/// The ports that a range of version 2 names.
struct port_range {
  int code = 0;
  transport what{};
  std::uint16_t first = 0;
  std::uint16_t last = 0;

  bool holds(const nat_rule& rule) const {
    return rule.transport == what && rule.external_port >= first && rule.external_port <= last;
  }
};

class mapping_actions {
 public:
  explicit mapping_actions(action_call& call)
      : state_(call.state), how_(call.state.how.upnp), context_(call.context), call_(call) {}

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
    // A port that AddPortMapping would give is not taken.
    const bool again = holder != nullptr && !how_.any_port_moves && contest(request, *holder) == 0;
    if (!again) {
      holder = nullptr;
      if (full(request)) return {no_port_maps, {}};
      request.external_port = state_.choose_port(request.what, request.external_port, std::nullopt);
      if (request.external_port == 0) return {no_port_maps, {}};
    }
    if (!lease.dropped && !how_.success_without_entry) keep(request, lease, holder);
    return {0, {std::to_string(request.external_port)}};
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
    std::size_t at = *index;
    if (how_.list_counts_from_one && at-- == 0) return {how_.list_end_code, {}};
    if (how_.list_has_holes) {
      if (at % 2 != 0 && at / 2 < rules.size()) return {no_such_entry, {}};
      at /= 2;
    }
    if (how_.list_has_no_end && !rules.empty()) at = std::min(at, rules.size() - 1);
    if (at >= rules.size()) return {how_.list_end_code, {}};
    const nat_rule& rule = rules[at];
    action_result out{0, {"", std::to_string(rule.external_port), name_of(rule.transport)}};
    const auto target = target_of(rule);
    out.out.insert(out.out.end(), target.begin(), target.end());
    return out;
  }

  action_result remove_range() {
    const port_range range = read_range();
    if (range.code != 0) return {range.code, {}};
    if (how_.refuses_deletes_with) return {*how_.refuses_deletes_with, {}};
    std::size_t removed = 0;
    for (const nat_rule& rule : state_.table.rules()) {
      if (!range.holds(rule) || !is_senders(rule)) continue;
      state_.table.remove_external(rule.transport, rule.external_port);
      ++removed;
    }
    return {removed == 0 ? no_such_mapping : 0, {}};
  }

  action_result list() const {
    const port_range range = read_range();
    if (range.code != 0) return {range.code, {}};
    const auto most = read_decimal(value("NewNumberOfPorts"), 65'535);
    if (!most) return {invalid_args, {}};
    std::string entries;
    std::size_t found = 0;
    for (const nat_rule& rule : state_.table.rules()) {
      if (!range.holds(rule) || !is_senders(rule) || (*most != 0 && found == *most)) continue;
      entries += listed(rule);
      ++found;
    }
    if (found == 0) return {no_such_mapping, {}};
    const std::string list =
        "<?xml version=\"1.0\"?><p:PortMappingList "
        "xmlns:p=\"urn:schemas-upnp-org:gw:WANIPConnection\" "
        "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" "
        "xsi:schemaLocation=\"urn:schemas-upnp-org:gw:WANIPConnection "
        "http://www.upnp.org/schemas/gw/WANIPConnection-v2.xsd\">" +
        entries + "</p:PortMappingList>";
    return {0, {how_.lists_are_escaped_twice ? xml_escaped(list) : list}};
  }

 private:
  const std::string& value(std::string_view name) const { return call_.value(name); }

  bool is_up() const { return connection_is_up(state_, context_.service.connection); }

  static std::string name_of(transport what) { return what == transport::tcp ? "TCP" : "UDP"; }

  /// What version 2 lets somebody see and delete who has not shown who he is.
  bool is_senders(const nat_rule& rule) const {
    if (how_.ignores_manage) return true;
    return is_ours(rule) && (!how_.secure_mode || rule.internal.address == context_.sender);
  }

  /// NewManage asks for everybody's, which takes rights that nobody can show here
  /// (WANIPConnection:2 sections 2.5.21 and 2.5.22).
  port_range read_range() const {
    port_range out;
    const auto first = read_decimal(value("NewStartPort"), 65'535);
    const auto last = read_decimal(value("NewEndPort"), 65'535);
    const std::string& manage = value("NewManage");
    constexpr std::array booleans{"0", "1", "false", "true", "no", "yes"};
    if (!first || !last || !read_transport(out.what) || std::ranges::count(booleans, manage) == 0) {
      return {invalid_args, {}, 0, 0};
    }
    if (*first == 0 && how_.refuses_port_0_in_ranges) return {invalid_args, {}, 0, 0};
    if (*first > *last) return {inconsistent, {}, 0, 0};
    const bool wants_all = manage == "1" || manage == "true" || manage == "yes";
    if (wants_all && how_.secure_mode && !how_.ignores_manage) return {not_authorized, {}, 0, 0};
    out.first = static_cast<std::uint16_t>(*first);
    out.last = static_cast<std::uint16_t>(*last);
    return out;
  }

  std::string listed(const nat_rule& rule) const {
    const auto target = target_of(rule);
    const std::array<std::pair<std::string_view, std::string>, 8> fields{
        {{"NewRemoteHost", ""},
         {"NewExternalPort", std::to_string(rule.external_port)},
         {"NewProtocol", name_of(rule.transport)},
         {"NewInternalPort", target[0]},
         {"NewInternalClient", target[1]},
         {"NewEnabled", target[2]},
         {"NewDescription", target[3]},
         {"NewLeaseTime", target[4]}}};
    std::string out = "<p:PortMappingEntry>";
    for (const auto& [name, text] : fields) {
      out.append("<p:").append(name).append(">").append(xml_escaped(text));
      out.append("</p:").append(name).append(">");
    }
    return out + "</p:PortMappingEntry>";
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
    return state_.is_full() || state_.quota_is_used(request.internal.address);
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

  std::vector<std::string> target_of(const nat_rule& rule) const {
    std::int64_t left = 0;
    if (rule.expires && !how_.shows_lease_as_zero) {
      left = std::chrono::ceil<std::chrono::seconds>(*rule.expires - context_.now).count();
    }
    return {std::to_string(rule.internal.port), to_string(rule.internal.address), "1",
            rule.description, std::to_string(left)};
  }

  gateway_state& state_;
  upnp_profile& how_;
  const action_context& context_;
  const action_call& call_;
};

}  // namespace

action_result add_port_mapping(action_call& call) { return mapping_actions(call).add(); }

action_result add_any_port_mapping(action_call& call) { return mapping_actions(call).add_any(); }

action_result delete_port_mapping(action_call& call) { return mapping_actions(call).remove(); }

action_result delete_port_mapping_range(action_call& call) {
  return mapping_actions(call).remove_range();
}

action_result get_specific_port_mapping_entry(action_call& call) {
  return mapping_actions(call).specific_entry();
}

action_result get_generic_port_mapping_entry(action_call& call) {
  return mapping_actions(call).generic_entry();
}

action_result get_list_of_port_mappings(action_call& call) { return mapping_actions(call).list(); }

}  // namespace damson::sim
