#include "sim/upnp_firewall.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "sim/message_text.hpp"
#include "sim/upnp_codes.hpp"

namespace damson::sim {

namespace {

using namespace upnp_code;

constexpr std::uint32_t iana_tcp = 6;
constexpr std::uint32_t iana_udp = 17;
constexpr std::uint32_t any_protocol = 65'535;
/// WANIPv6FirewallControl:1 section 2.3.7.
constexpr std::uint32_t longest_lease = 86'400;
constexpr std::uint16_t first_user_port = 1024;
/// How long this router keeps flows that hosts begin (RFC 5382 and RFC 4787 want no less).
constexpr std::string_view tcp_timeout = "7440";
constexpr std::string_view udp_timeout = "300";

/// The five ends of a pinhole, or the code that the arguments deserve by themselves.
struct ends {
  int code = 0;
  transport what{};
  endpoint internal;
  endpoint remote{ip_address::any_v6(), 0};
};

/// An IPv6 address as text; empty where it is none.
std::optional<ip_address> read_address(const std::string& text) {
  const auto out = ip_address::parse(text);
  return out && out->is_v6() ? out : std::nullopt;
}

ends read_ends(const action_call& call) {
  const auto remote_port = read_decimal(call.value("RemotePort"), 65'535);
  const auto internal_port = read_decimal(call.value("InternalPort"), 65'535);
  const auto protocol = read_decimal(call.value("Protocol"), any_protocol);
  const std::string& remote = call.value("RemoteHost");
  const std::string& client = call.value("InternalClient");
  ends out;
  if (!remote_port || !internal_port || !protocol) return {invalid_args, {}, {}, {}};
  if (!remote.empty()) {
    const auto address = read_address(remote);
    if (!address) return {invalid_args, {}, {}, {}};
    out.remote.address = *address;
  } else if (call.how().pinholes_need_remote_host) {
    return {source_wildcard, {}, {}, {}};
  }
  const auto internal = read_address(client);
  if (!internal) return {invalid_args, {}, {}, {}};
  if (*protocol == any_protocol) return {protocol_wildcard, {}, {}, {}};
  if (*protocol != iana_tcp && *protocol != iana_udp) return {protocol_not_supported, {}, {}, {}};
  if (*internal_port == 0) return {port_wildcard, {}, {}, {}};
  out.what = *protocol == iana_tcp ? transport::tcp : transport::udp;
  out.internal = {*internal, static_cast<std::uint16_t>(*internal_port)};
  out.remote.port = static_cast<std::uint16_t>(*remote_port);
  return out;
}

std::optional<std::uint32_t> read_lease(const std::string& text) {
  const auto out = read_decimal(text, longest_lease);
  return out && *out != 0 ? out : std::nullopt;
}

bool is_senders(const action_call& call, const ip_address& client) {
  return !call.how().secure_mode || client.to_v6() == call.context.sender.to_v6();
}

int closed(const upnp_profile& how) {
  if (!how.firewall_enabled) return firewall_disabled;
  return how.pinholes_allowed ? 0 : pinholes_not_allowed;
}

/// The pinhole that UniqueID names and its code, 0 for one that the sender may touch.
std::pair<int, const pinhole*> named(const action_call& call) {
  const auto id = read_decimal(call.value("UniqueID"), 65'535);
  if (!id) return {invalid_args, nullptr};
  const pinhole* found = call.state.pinholes.find(static_cast<std::uint16_t>(*id));
  if (found == nullptr || found->owner != rule_owner::upnp) {
    return {call.how().missing_pinhole_code, nullptr};
  }
  return {is_senders(call, found->internal.address) ? 0 : not_authorized, found};
}

}  // namespace

action_result get_firewall_status(action_call& call) {
  return {0,
          {call.how().firewall_enabled ? "1" : "0",
           call.how().firewall_enabled && call.how().pinholes_allowed ? "1" : "0"}};
}

action_result get_outbound_pinhole_timeout(action_call& call) {
  const ends of = read_ends(call);
  if (of.code != 0) return {of.code, {}};
  if (!call.how().firewall_enabled) return {firewall_disabled, {}};
  return {0, {std::string{of.what == transport::tcp ? tcp_timeout : udp_timeout}}};
}

action_result add_pinhole(action_call& call) {
  const ends of = read_ends(call);
  if (of.code != 0) return {of.code, {}};
  const auto lease = read_lease(call.value("LeaseTime"));
  if (!lease) return {invalid_args, {}};
  if (const int code = closed(call.how())) return {code, {}};
  if (!is_senders(call, of.internal.address)) return {not_authorized, {}};
  if (call.how().refuses_low_ports && of.internal.port < first_user_port) {
    return {not_authorized, {}};
  }
  pinhole hole;
  // The same ends are the same pinhole, for longer.
  if (const auto* there =
          call.state.pinholes.find(rule_owner::upnp, of.what, of.internal, of.remote)) {
    if (call.how().pinholes_are_not_extended) return {action_failed, {}};
    hole = *there;
  } else if (call.state.is_full() || call.state.quota_is_used(of.internal.address)) {
    return {no_pinhole_space, {}};
  }
  hole.owner = rule_owner::upnp;
  hole.transport = of.what;
  hole.internal = of.internal;
  hole.remote = of.remote;
  hole.expires = call.context.now + std::chrono::seconds{*lease};
  const std::uint16_t id = call.state.pinholes.put(std::move(hole));
  if (id == 0) return {no_pinhole_space, {}};
  return {0, {std::to_string(id)}};
}

action_result update_pinhole(action_call& call) {
  const auto lease = read_lease(call.value("NewLeaseTime"));
  if (!lease) return {invalid_args, {}};
  if (const int code = closed(call.how())) return {code, {}};
  const auto [code, found] = named(call);
  if (code != 0) return {code, {}};
  if (call.how().pinholes_are_not_extended) return {action_failed, {}};
  pinhole hole = *found;
  hole.expires = call.context.now + std::chrono::seconds{*lease};
  call.state.pinholes.put(std::move(hole));
  return {};
}

action_result delete_pinhole(action_call& call) {
  const auto [code, found] = named(call);
  if (code != 0) return {code, {}};
  const auto& refusal = call.how().refuses_pinhole_deletes_with;
  if (refusal) return {*refusal, {}};
  call.state.pinholes.remove(found->id);
  return {};
}

action_result get_pinhole_packets(action_call& call) {
  const auto [code, found] = named(call);
  if (code != 0) return {code, {}};
  return {0, {std::to_string(found->packets)}};
}

action_result check_pinhole_working(action_call& call) {
  if (const int code = closed(call.how())) return {code, {}};
  const auto [code, found] = named(call);
  if (code != 0) return {code, {}};
  if (found->packets == 0) return {no_traffic, {}};
  return {0, {"1"}};
}

}  // namespace damson::sim
