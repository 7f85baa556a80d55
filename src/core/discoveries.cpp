#include "core/discoveries.hpp"

#include <algorithm>
#include <utility>
#include <variant>

#include "core/election.hpp"
#include "core/uplink.hpp"

namespace damson::core {

// ---------------------------------------------------------------------------------------------
// What the program wants

void discoveries::begin(context& ctx, const discover& what) {
  wanted_.push_back(what);
  if (!round_) begin_round(ctx);
}

void discoveries::cancel(context& ctx, discovery_id id) {
  std::erase_if(wanted_, [&](const discover& each) { return each.id == id; });
  const bool is_wanted = std::ranges::any_of(
      wanted_, [&](const discover& each) { return round_ && each.protocols == round_->protocols; });
  if (is_wanted) return;
  stop_round(ctx);
  begin_round(ctx);
}

void discoveries::cancel_all(context& ctx) {
  wanted_.clear();
  stop_round(ctx);
}

// ---------------------------------------------------------------------------------------------
// A round

void discoveries::begin_round(context& ctx) {
  if (wanted_.empty()) return;
  round_.emplace(round{.protocols = wanted_.front().protocols,
                       .began = ctx.now,
                       .found = {},
                       .router = std::nullopt,
                       .outside = std::nullopt});
  ctx.timers.set(timer::discovery_end, ctx.now + ctx.opts.discovery_timeout);
  ctx.outputs.emplace_back(look_at_network{});
}

void discoveries::on_network(context& ctx, const network_facts& facts) {
  if (!round_ || round_->router || round_->outside) return;
  const auto way_out = choose_uplink(facts, choice_of(ctx.opts));
  if (way_out) {
    round_->found.local = way_out->local;
    ask_outside(ctx, *way_out);
  }
  if (!way_out || !way_out->gateway) return settle(ctx);
  round_->found.gateway = *way_out->gateway;
  const auto allowed = narrowed(round_->protocols, ctx.opts.protocols);
  for (const protocol each : {protocol::pcp, protocol::nat_pmp, protocol::upnp}) {
    if (!allowed || !allows(*allowed, each)) continue;
    round_->found.protocols.push_back({.protocol = each,
                                       .standing = protocol_standing::asked,
                                       .server = {},
                                       .why = std::nullopt,
                                       .answered_after = std::nullopt});
  }
  if (round_->found.protocols.empty()) return settle(ctx);
  round_->router.emplace(ctx.new_gateway(), *way_out);
  round_->router->open(ctx, facts, false);
}

void discoveries::ask_outside(context& ctx, const uplink& way_out) {
  const auto& server = ctx.opts.stun_server;
  if (!server || server->address.family() != way_out.local.family()) return;
  round_->outside.emplace(ctx.new_gateway());
  round_->outside->ask(ctx, way_out.local, *server, schedules::stun_in_discovery);
}

void discoveries::begin_questions(context& ctx) {
  gateway& router = *round_->router;
  round_->found.local = router.local();
  const auto asks = [&](protocol which) {
    return std::ranges::any_of(round_->found.protocols,
                               [&](const protocol_report& each) { return each.protocol == which; });
  };
  router.allow({.pcp = asks(protocol::pcp), .nat_pmp = asks(protocol::nat_pmp)});
  for (protocol_report& each : round_->found.protocols) {
    each.server = router.server(each.protocol);
  }
  if (asks(protocol::pcp)) router.ask_whether_it_speaks_pcp(ctx);
  if (asks(protocol::nat_pmp)) router.ask_address(ctx);
  if (asks(protocol::upnp)) router.igd().find(ctx, false);
}

void discoveries::end_round(context& ctx) {
  const protocol_filter protocols = round_->protocols;
  const discovery found = std::move(round_->found);
  stop_round(ctx);
  std::erase_if(wanted_, [&](const discover& each) {
    if (each.protocols != protocols) return false;
    ctx.outputs.emplace_back(discovered{.id = each.id, .found = found});
    return true;
  });
  begin_round(ctx);
}

void discoveries::stop_round(context& ctx) {
  if (!round_) return;
  ctx.timers.cancel(timer::discovery_end);
  if (round_->router) round_->router->close(ctx);
  if (round_->outside) round_->outside->stop(ctx);
  round_.reset();
}

// ---------------------------------------------------------------------------------------------
// Inputs

bool discoveries::owns(channel_id channel) const noexcept {
  return round_ && round_->router && round_->router->owns(channel);
}

bool discoveries::on_channel_opened(context& ctx, const channel_opened& what) {
  if (is_outside(what.channel)) {
    round_->outside->on_opened(ctx, what);
    return true;
  }
  if (!owns(what.channel)) return false;
  round_->router->on_opened(ctx, what);
  drain(ctx);
  return true;
}

bool discoveries::on_channel_failed(context& ctx, const channel_failed& what) {
  if (is_outside(what.channel)) {
    round_->outside->on_failed(ctx, what);
    settle(ctx);
    return true;
  }
  if (!owns(what.channel)) return false;
  round_->router->on_failed(ctx, what);
  drain(ctx);
  return true;
}

bool discoveries::on_datagram(context& ctx, const datagram_received& what) {
  if (is_outside(what.channel)) {
    round_->outside->on_datagram(ctx, what);
    settle(ctx);
    return true;
  }
  if (!owns(what.channel)) return false;
  round_->router->on_datagram(ctx, what);
  drain(ctx);
  return true;
}

bool discoveries::on_response(context& ctx, const http_response& what) {
  if (!round_ || !round_->router || !round_->router->on_response(ctx, what)) return false;
  drain(ctx);
  return true;
}

bool discoveries::on_exchange_failed(context& ctx, const http_failed& what) {
  if (!round_ || !round_->router || !round_->router->on_failed(ctx, what)) return false;
  drain(ctx);
  return true;
}

bool discoveries::on_timer(context& ctx, const timer_key& due) {
  if (due.name == timer::discovery_end) {
    for (const protocol_report& each : round_->found.protocols) {
      if (each.standing == protocol_standing::asked)
        failed(each.protocol, errc::no_answer, ctx.now);
    }
    end_round(ctx);
    return true;
  }
  if (round_ && round_->outside && round_->outside->owner() == due.gateway) {
    round_->outside->on_timer(ctx);
    settle(ctx);
    return true;
  }
  if (!round_ || !round_->router || round_->router->id() != due.gateway) return false;
  round_->router->on_timer(ctx, due);
  drain(ctx);
  return true;
}

// ---------------------------------------------------------------------------------------------
// What the router tells

void discoveries::drain(context& ctx) {
  for (const auto& each : round_->router->take_events()) {
    if (std::holds_alternative<gateway_event::channel_ready>(each)) {
      begin_questions(ctx);
    } else if (!asks_next_pcp_server(ctx, each)) {
      note(each, ctx.now);
    }
  }
  note_standings(ctx.now);
  settle(ctx);
}

/// The PCP server that was named says nothing, or cannot be asked.
bool discoveries::asks_next_pcp_server(context& ctx, const any_gateway_event& what) {
  gateway& router = *round_->router;
  const auto* checked = std::get_if<gateway_event::checked>(&what);
  const bool is_silence = checked != nullptr && !checked->answered;
  if (!is_silence || !router.has_pcp_servers() || !router.use_next_pcp_server(ctx)) return false;
  router.ask_whether_it_speaks_pcp(ctx);
  return true;
}

/// Ends the round when nothing is waited for any more.
void discoveries::settle(context& ctx) {
  if (round_->outside) {
    if (const auto seen = round_->outside->take_answer()) round_->found.seen = *seen;
  }
  if (is_settled()) end_round(ctx);
}

void discoveries::note(const any_gateway_event& what, time_point now) {
  if (const auto* broken = std::get_if<gateway_event::channel_broken>(&what)) {
    const bool refused = broken->error == channel_error::refused;
    const errc reason = refused ? errc::port_closed : errc::network_down;
    if (!round_->router->has_pcp_servers()) failed(protocol::pcp, reason, now);
    failed(protocol::nat_pmp, reason, now);
    // The search begins when the channel is there.
    if (broken->error == channel_error::cannot_open) failed(protocol::upnp, reason, now);
  } else if (const auto* pcp = std::get_if<gateway_event::checked>(&what)) {
    if (!pcp->answered) failed(protocol::pcp, errc::no_answer, now);
  } else if (const auto* nat_pmp = std::get_if<gateway_event::address_asked>(&what)) {
    if (!nat_pmp->answered && round_->router->nat_pmp() == availability::unknown) {
      failed(protocol::nat_pmp, errc::no_answer, now);
    }
  }
}

void discoveries::note_standings(time_point now) {
  const gateway& router = *round_->router;
  const auto note = [&](protocol which, availability standing) {
    if (standing == availability::present) answered(which, now);
    if (standing == availability::absent && which != protocol::upnp) {
      failed(which, errc::version_refused, now);
    }
  };
  note(protocol::pcp, router.pcp());
  note(protocol::nat_pmp, router.nat_pmp());
  note(protocol::upnp, router.upnp());
  if (router.upnp() == availability::absent) {
    failed(protocol::upnp, router.igd().absent_reason(), now);
  }
  round_->found.external = router.outside().value_or(ip_address::any_v4());
}

void discoveries::answered(protocol which, time_point now) {
  for (protocol_report& each : round_->found.protocols) {
    if (each.protocol != which || each.standing != protocol_standing::asked) continue;
    each.standing = protocol_standing::answered;
    each.server = round_->router->server(which);
    each.answered_after = now - round_->began;
  }
}

void discoveries::failed(protocol which, errc reason, time_point now) {
  for (protocol_report& each : round_->found.protocols) {
    if (each.protocol != which || each.standing != protocol_standing::asked) continue;
    each.standing = protocol_standing::failed;
    each.answered_after = now - round_->began;
    each.why = protocol_failure{.protocol = which,
                                .reason = reason,
                                .result_code = std::nullopt,
                                .server = round_->router->server(which),
                                .retry_after = std::nullopt};
  }
}

bool discoveries::is_settled() const noexcept {
  if (round_->outside && round_->outside->is_asking()) return false;
  return std::ranges::none_of(round_->found.protocols, [](const protocol_report& each) {
    return each.standing == protocol_standing::asked;
  });
}

}  // namespace damson::core
