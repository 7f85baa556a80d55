#include "sim/gateway.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "sim/nat_pmp_server.hpp"
#include "sim/pcp_server.hpp"

namespace damson::sim {

namespace {

constexpr std::chrono::milliseconds first_announcement_pause{250};
constexpr ip_address all_hosts_v4{ip_address::v4_bytes{224, 0, 0, 1}};
constexpr ip_address all_nodes_v6{
    ip_address::v6_bytes{0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};

}  // namespace

gateway::gateway(const profile& how, const ip_address& lan, const std::optional<ip_address>& wan,
                 time_point now)
    : state_{how, lan, wan, now, {}, {}}, upnp_(state_, now) {}

std::vector<datagram> gateway::handle(time_point now, const datagram& in) {
  std::vector<datagram> out;
  const bool is_for_it = state_.is_own(in.to.address);
  const bool for_upnp = in.to.port == ssdp_port && (is_for_it || is_ssdp_group(in.to.address));
  if (for_upnp && state_.how.speaks_upnp) {
    upnp_.handle(state_, now, in);
    return upnp_.advance(state_, now);
  }
  if (!is_for_it || in.to.port != server_port || in.bytes.empty()) return out;
  end_leases(now);
  if (auto reply = answer(now, in)) out.push_back({in.to, in.from, std::move(*reply)});
  return out;
}

http_answer gateway::handle_http(time_point now, const endpoint& from, std::string_view request) {
  return upnp_.handle_http(state_, now, from, request);
}

/// RFC 6887 section 9 and appendix A: one port, two protocols, told apart by the first byte.
std::optional<bytes> gateway::answer(time_point now, const datagram& in) {
  // NAT-PMP is for IPv4 only.
  const bool is_nat_pmp = in.bytes.front() == std::byte{0} && in.to.address.is_v4();
  if (is_nat_pmp && state_.how.speaks_nat_pmp) return nat_pmp_answer(state_, now, in);
  if (state_.how.speaks_pcp) {
    auto reply = pcp_answer(state_, now, in);
    if (reply && is_nat_pmp && state_.how.clips_answers_to_nat_pmp) {
      reply->resize(std::min(reply->size(), in.bytes.size()));
    }
    return reply;
  }
  if (!state_.how.speaks_nat_pmp || !state_.how.answers_version_refusal) return std::nullopt;
  return nat_pmp_answer(state_, now, in);
}

std::vector<datagram> gateway::advance(time_point now) {
  std::vector<datagram> out;
  end_leases(now);
  if (state_.how.speaks_upnp) out = upnp_.advance(state_, now);
  while (next_announcement_ && *next_announcement_ <= now) {
    announce(now, out);
    --announcements_left_;
    if (announcements_left_ == 0) {
      next_announcement_.reset();
    } else {
      *next_announcement_ += announcement_pause_;
      announcement_pause_ *= 2;
    }
  }
  return out;
}

std::optional<time_point> gateway::deadline() const {
  auto first = state_.table.next_expiry();
  const auto consider = [&first](const std::optional<time_point>& at) {
    if (at && (!first || *at < *first)) first = at;
  };
  consider(state_.pinholes.next_expiry());
  consider(next_announcement_);
  if (state_.how.speaks_upnp) consider(upnp_.deadline());
  return first;
}

void gateway::reboot(time_point now, bool keep_table) {
  state_.epoch_began = now;
  state_.traffic = {};
  for (line_state& line : state_.lines) line.terminated = false;
  if (!keep_table) forget_all();
  if (state_.how.speaks_upnp) upnp_.restart(state_, now);
  start_announcing(now);
}

void gateway::set_public_address(time_point now, const std::optional<ip_address>& wan) {
  if (state_.wan == wan) return;
  state_.wan = wan;
  if (state_.how.address_change_resets_epoch) state_.epoch_began = now;
  start_announcing(now);
}

void gateway::end_leases(time_point now) {
  state_.table.remove_expired(now);
  state_.pinholes.remove_expired(now);
}

std::optional<endpoint> gateway::pass_in(time_point now, transport what, const endpoint& remote,
                                         const endpoint& to, std::size_t size) {
  end_leases(now);
  state_.traffic.bytes_received += size;
  ++state_.traffic.packets_received;
  if (to.address.is_v6()) {
    const bool open = !state_.how.upnp.firewall_enabled || state_.pinholes.pass(what, remote, to);
    return open ? std::optional{to} : std::nullopt;
  }
  if (!state_.wan || to.address != *state_.wan) return std::nullopt;
  return state_.table.way_in(what, remote, to.port);
}

void gateway::pass_out(std::size_t size) {
  state_.traffic.bytes_sent += size;
  ++state_.traffic.packets_sent;
}

bool gateway::forget(transport what, const endpoint& internal) {
  return state_.table.remove(what, internal);
}

bool gateway::forget(transport what, std::uint16_t external_port) {
  return state_.table.remove_external(what, external_port);
}

void gateway::forget_all() {
  const std::vector<nat_rule> all = state_.table.rules();
  state_.table.clear();
  state_.pinholes = {};  // their numbers begin anew
  // What the household set by hand is in the settings and survives.
  for (const auto& rule : all) {
    if (rule.owner == rule_owner::household) state_.table.put(rule);
  }
}

void gateway::occupy(transport what, std::uint16_t external_port, const endpoint& internal) {
  state_.table.put({what, external_port, rule_owner::household, internal, {}, std::nullopt});
}

void gateway::start_announcing(time_point now) {
  announcements_left_ = state_.how.announcements;
  announcement_pause_ = first_announcement_pause;
  next_announcement_.reset();
  if (announcements_left_ > 0) next_announcement_ = now;
}

void gateway::announce(time_point now, std::vector<datagram>& out) const {
  const endpoint from{state_.lan, server_port};
  const endpoint to{all_hosts_v4, announcement_port};
  if (state_.how.speaks_pcp) {
    const bytes packet = pcp_announcement(state_, now);
    out.push_back({from, to, packet});
    for (const ip_address& own : state_.lan_v6) {
      if (!own.is_link_local()) continue;
      out.push_back({{own, server_port}, {all_nodes_v6, announcement_port}, packet});
    }
  }
  if (state_.how.speaks_nat_pmp) out.push_back({from, to, nat_pmp_address(state_, now)});
}

}  // namespace damson::sim
