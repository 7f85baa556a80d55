/// The gateway where PCP is not its own but that of servers which the program has named.

#include "core/gateway.hpp"
#include "wire/response_kind.hpp"

namespace damson::core {

bool gateway::use_next_pcp_server(context& ctx) {
  lacks_port_sets_ = false;
  if (!servers_.any()) return false;
  const endpoint before = servers_.current();
  const bool is_left = servers_.next(ctx);
  if (servers_.current() == before) return is_left;
  // Its clock is another one, and what was asked of the one before is asked anew.
  pcp_.forget_epoch();
  pcp_availability_ = availability::unknown;
  return is_left;
}

void gateway::send_in_pcp(context& ctx, std::vector<std::byte> bytes) {
  if (!servers_.any()) return send(ctx, std::move(bytes));
  ++ctx.counters.datagrams_sent;
  ctx.outputs.emplace_back(send_datagram{.channel = servers_.channel(), .bytes = std::move(bytes)});
}

/// Whether it is from whom the channel is for. Announcements come from all whom it asks.
bool gateway::is_expected(const datagram_received& what) const noexcept {
  const auto is_from = [&](const endpoint& whom) {
    return what.from.address == whom.address && what.from.port == whom.port;
  };
  if (servers_.owns(what.channel)) return is_from(servers_.current());
  return is_from(server()) || (what.channel == announcements_ && is_from(server(protocol::pcp)));
}

void gateway::on_pcp_server_opened(context& ctx) {
  if (!servers_.on_opened()) return;
  for (const mapping_id each : pcp_.open_mappings()) pump_pcp(ctx, each);
  pump_check(ctx);
}

void gateway::on_pcp_server_failed(context& ctx, channel_error error) {
  servers_.on_failed(error);
  if (pcp_.check_open()) {
    pcp_.stop_check();
    ctx.timers.cancel(key(timer::check_try));
    events_.emplace_back(gateway_event::checked{.answered = false});
  }
  events_.emplace_back(gateway_event::pcp_server_broken{
      error == channel_error::refused ? errc::port_closed : errc::network_down});
}

void gateway::on_pcp_server_datagram(context& ctx, const datagram_received& what) {
  switch (classify_response(what.bytes)) {
    case response_kind::malformed:
    case response_kind::not_a_response:
      ++ctx.counters.datagrams_malformed;
      return;
    case response_kind::pcp:
      return on_pcp(ctx, what.bytes);
    case response_kind::natpmp:
      ++ctx.counters.datagrams_unmatched;
      return;
    case response_kind::pcp_other_version:
    case response_kind::natpmp_refuses_pcp:
      break;
  }
  // As of the router: one that has answered is believed more than a datagram without a nonce.
  if (!pcp_.any_open() || pcp_availability_ != availability::unknown) {
    ++ctx.counters.datagrams_unmatched;
    return;
  }
  if (pcp_.check_open()) {
    pcp_.stop_check();
    pump_check(ctx);
    events_.emplace_back(gateway_event::checked{.answered = false});
  }
  events_.emplace_back(gateway_event::pcp_server_broken{errc::version_refused});
}

/// Nothing was asked of the router in PCP, but it may say in that why it does not speak NAT-PMP
///
void gateway::on_pcp_of_router(context& ctx, std::span<const std::byte> bytes) {
  const auto response = decode_pcp_response(bytes);
  const bool is_clipped = !response && bytes.size() == nat_pmp_.in_flight_bytes();
  const bool refuses = response && response->result == pcp_result::unsupp_version;
  if ((is_clipped || refuses) && on_answer_of_a_pcp_server(ctx, bytes)) return;
  ++(response ? ctx.counters.datagrams_unmatched : ctx.counters.datagrams_malformed);
}

}  // namespace damson::core
