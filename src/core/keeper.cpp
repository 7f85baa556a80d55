#include "core/keeper.hpp"

#include <utility>

namespace damson::core {
namespace {

constexpr std::chrono::hours longest_timeout{24};

bool is_valid(const map_request& request) {
  return request.internal_port != 0 && request.lifetime.count() >= 1 &&
         request.lifetime.count() <= 0xffff'ffff && request.timeout.count() > 0 &&
         request.timeout <= longest_timeout && !request.external_address.is_multicast();
}

/// Why a request can never be served, if that is so.
std::optional<failure> hopeless(const mapping& what, std::size_t mappings) {
  if (!is_valid(what.request)) return failure{errc::invalid_argument, {}};
  if (mappings > engine_limits::mappings) return failure{errc::limit_reached, {}};
  return std::nullopt;
}

}  // namespace

void keeper::tell(context& ctx, const mapping& what, event_kind kind, mapping_event more) {
  more.kind = kind;
  more.info = what.info;
  ctx.outputs.emplace_back(std::move(more));
}

// ---------------------------------------------------------------------------------------------
// What the program wants

/// Null when the id cannot be used.
mapping* keeper::add(context& ctx, mapping_id id, const map_request& request) {
  mapping* made = id == mapping_id::none ? nullptr : table_.add(id, request);
  if (made == nullptr) {
    ++ctx.counters.inputs_ignored;
    return nullptr;
  }
  made->created = ctx.now;
  ctx.random.fill(made->nonce.bytes);
  made->info.id = id;
  made->info.transport = request.transport;
  made->info.internal.port = request.internal_port;
  return made;
}

void keeper::turn_away(context& ctx, mapping_id id, const map_request& request) {
  mapping* made = add(ctx, id, request);
  if (made == nullptr) return;
  tell_failed(ctx, *made, {errc::closed, {}});
  finish(ctx, *made, removal::already_gone);
}

void keeper::create(context& ctx, mapping_id id, const map_request& request) {
  mapping* made = add(ctx, id, request);
  if (made == nullptr) return;
  if (const auto why = hopeless(*made, table_.size())) {
    table_.move_to(*made, phase::hopeless);
    return tell_failed(ctx, *made, *why);
  }
  table_.claim_port(*made);
  ctx.timers.set({timer::timeout, id}, ctx.now + request.timeout);
  if (const mapping* other = table_.find_other(*made);
      other != nullptr && other->phase != phase::releasing) {
    return tell_failed(ctx, *made, {errc::already_mapped, {}});
  }
  want(ctx, *made);
}

// ---------------------------------------------------------------------------------------------
// The network

void keeper::look(context& ctx) {
  if (std::exchange(looking_, true)) return;
  ctx.outputs.emplace_back(look_at_network{});
}

void keeper::on_network(context& ctx, const network_facts& facts) {
  looking_ = false;
  facts_at_ = ctx.now;
  facts_ = facts;
  const auto chosen = choose_uplink(facts, ctx.opts);
  if (chosen != uplink_) switch_uplink(ctx, chosen);
  if (gateway_) gateway_->look_around(ctx, facts);
  begin_waiting(ctx);
}

/// The old router cannot be reached as the host that made the mappings, so it is left alone: leases
/// end.
void keeper::switch_uplink(context& ctx, const std::optional<uplink>& chosen) {
  const bool is_news = uplink_.has_value();
  uplink_ = chosen;
  for_each([](const mapping& each) { return each.phase == phase::releasing; },
           [&](mapping& each) { finish(ctx, each, removal::left_to_expire); });
  if (gateway_) close_gateway(ctx);
  for_each([](const mapping& each) { return each.phase != phase::hopeless; },
           [&](mapping& each) {
             leave_behind(each);
             each.last_failure.reset();
             each.refusals.clear();
             if (is_news && each.is_held()) lose(ctx, each, {errc::network_changed, {}});
             cancel_timers(ctx, each.id);
             if (!each.told_failed && !each.told_mapped) {
               ctx.timers.set({timer::timeout, each.id}, each.created + each.request.timeout);
             }
             table_.move_to(each, phase::waiting);
           });
}

void keeper::open_gateway(context& ctx) {
  gateway_.emplace(*uplink_);
  ctx.log.log(log_level::debug, "asking router ", gateway_->server());
  gateway_->open(ctx, facts_);
}

void keeper::close_gateway(context& ctx) {
  gateway_->close(ctx);
  gateway_.reset();
  ctx.timers.cancel({timer::restart_wait});
  ctx.timers.cancel({timer::verify});
  to_verify_.clear();
}

// ---------------------------------------------------------------------------------------------
// Inputs

void keeper::on_channel_opened(context& ctx, const channel_opened& what) {
  if (!gateway_ || !gateway_->owns(what.channel)) {
    ++ctx.counters.inputs_ignored;
    return;
  }
  gateway_->on_opened(ctx, what);
  drain_gateway(ctx);
}

void keeper::on_channel_failed(context& ctx, const channel_failed& what) {
  if (!gateway_ || !gateway_->owns(what.channel)) {
    ++ctx.counters.inputs_ignored;
    return;
  }
  gateway_->on_failed(ctx, what);
  drain_gateway(ctx);
}

void keeper::on_datagram(context& ctx, const datagram_received& what) {
  if (!gateway_ || !gateway_->owns(what.channel)) {
    ++ctx.counters.inputs_ignored;
    return;
  }
  gateway_->on_datagram(ctx, what);
  drain_gateway(ctx);
}

void keeper::on_response(context& ctx, const http_response& what) {
  if (!gateway_ || !gateway_->on_response(ctx, what)) {
    ++ctx.counters.inputs_ignored;
    return;
  }
  drain_gateway(ctx);
}

void keeper::on_exchange_failed(context& ctx, const http_failed& what) {
  if (!gateway_ || !gateway_->on_failed(ctx, what)) {
    ++ctx.counters.inputs_ignored;
    return;
  }
  drain_gateway(ctx);
}

void keeper::on_timer(context& ctx, const timer_key& due) {
  if (due.mapping == mapping_id::none || due.name == timer::pcp_try) {
    if (due.name == timer::recheck) {
      on_recheck(ctx);
    } else if (due.name == timer::restart_wait) {
      begin_after_restart(ctx);
    } else if (due.name == timer::verify) {
      verify_next(ctx);
    } else if (gateway_) {
      gateway_->on_timer(ctx, due);
    }
    return drain_gateway(ctx);
  }
  mapping* what = table_.find(due.mapping);
  if (what == nullptr) return;
  switch (due.name) {
    case timer::timeout: {
      failure why = explain(*what, gateway_ ? gateway_->server() : endpoint{});
      why.reason = errc::timed_out;
      tell_failed(ctx, *what, why);
      break;
    }
    case timer::head_start:
      what->head_start_over = true;
      reconsider(ctx, *what);
      break;
    case timer::discovery:
      if (gateway_->nat_pmp_open(what->id) || gateway_->igd().is_mapping(what->id) ||
          what->address_missing) {
        // Its turn may not have come yet; its own schedule and the request's time-out bound this.
        ctx.timers.set(due, ctx.now + ctx.opts.discovery_timeout);
      } else {
        attempt_failed(ctx, *what, explain(*what, gateway_->server()));
      }
      break;
    case timer::retry:
      want(ctx, *what);
      break;
    case timer::renew:
      renew(ctx, *what);
      break;
    case timer::lease_end:
      on_lease_end(ctx, *what);
      break;
    case timer::release_end:
      on_release_end(ctx, *what);
      break;
    default:
      break;
  }
  drain_gateway(ctx);
}

// ---------------------------------------------------------------------------------------------
// What the gateway tells

void keeper::drain_gateway(context& ctx) {
  while (gateway_) {
    const auto events = gateway_->take_events();
    if (events.empty()) break;
    for (const auto& each : events) {
      // An event may have closed the gateway; what was left of it is about nothing then.
      if (!gateway_) return;
      std::visit([&](const auto& what) { on_event(ctx, what); }, each);
    }
  }
  const bool nobody_asks = table_.count(phase::asking) == 0;
  if (gateway_ && gateway_->is_ready() && nobody_asks) gateway_->igd().stop_search(ctx);
}

void keeper::on_event(context& ctx, const gateway_event::channel_ready&) { begin_waiting(ctx); }

/// The channel is gone for good: what it carried is lost, and a new one is opened after a pause.
void keeper::on_channel_gone(context& ctx) {
  for_each([](const mapping& each) { return each.phase == phase::releasing; },
           [&](mapping& each) { finish(ctx, each, removal::left_to_expire); });
  for_each(
      [](const mapping& each) {
        const bool direct = each.is_held() && each.info.protocol == protocol::direct;
        return each.phase != phase::hopeless && each.phase != phase::pausing && !direct;
      },
      [&](mapping& each) {
        leave_behind(each);
        if (each.is_held()) lose(ctx, each, {errc::network_down, {}});
        for (const protocol which : {protocol::pcp, protocol::nat_pmp, protocol::upnp}) {
          if (allows(each.request.protocols, which)) {
            set_failed(ctx, each, which, errc::network_down);
          }
        }
        attempt_failed(ctx, each, explain(each, gateway_->server()));
      });
  if (gateway_) close_gateway(ctx);
}

void keeper::leave_behind(mapping& what) {
  if (what.is_open()) {
    if (what.lease) what.left_behind_until = what.lease->lease_end();
    if (what.info.permanent) what.left_behind_until = time_point::max();
  }
  what.pcp_open = what.nat_pmp_open = what.upnp_open = false;
}

/// On a mapping that is held this is only a retry; in an attempt it ends both protocols of the
/// port.
void keeper::on_event(context& ctx, const gateway_event::channel_broken& what) {
  if (what.error == channel_error::cannot_open) return on_channel_gone(ctx);
  const bool refused = what.error == channel_error::refused;
  const errc reason = refused ? errc::port_closed : errc::network_down;
  on_out_of_reach(protocol::pcp);
  on_out_of_reach(protocol::nat_pmp);
  for_each(
      [&](const mapping& each) {
        return each.phase == phase::asking || (!refused && each.phase == phase::waiting);
      },
      [&](mapping& each) {
        for (const protocol which : {protocol::pcp, protocol::nat_pmp, protocol::upnp}) {
          // Another port of the router may be open, but not where there is no way to it at all.
          const bool is_hit = which != protocol::upnp || (!refused && !each.upnp.under_way);
          if (is_hit && allows(each.request.protocols, which)) set_failed(ctx, each, which, reason);
        }
        // Where the first try is refused, nobody was there to make anything.
        each.pcp_open = each.pcp_open_before || gateway_->pcp_tries(each.id) > 1;
        each.nat_pmp_open = each.nat_pmp_open && each.told_mapped;
        gateway_->give_up_pcp(ctx, each.id);
        gateway_->forget_nat_pmp(ctx, each.id);
        if (each.phase == phase::asking) return reconsider(ctx, each);
        attempt_failed(ctx, each, explain(each, gateway_->server()));
      });
}

void keeper::on_event(context& ctx, const gateway_event::learnt&) {
  for_each([](const mapping& each) { return each.phase == phase::asking; },
           [&](mapping& each) {
             if (gateway_->pcp() == availability::absent && each.pcp.under_way) {
               set_failed(ctx, each, protocol::pcp, errc::version_refused);
               each.pcp_open = each.told_mapped;
               gateway_->give_up_pcp(ctx, each.id);
             }
             if (gateway_->nat_pmp() == availability::absent) {
               set_failed(ctx, each, protocol::nat_pmp, errc::version_refused);
             }
             if (gateway_->upnp() == availability::absent && each.upnp.begun) {
               set_failed(ctx, each, protocol::upnp, gateway_->igd().absent_reason());
             }
             note_answers(ctx, each);
             if (gateway_->pcp() == availability::present) {
               gateway_->extend_pcp(ctx, each.id, each.attempt_began + ctx.opts.discovery_timeout);
             }
             reconsider(ctx, each);
           });
}

/// For the account of the attempt.
void keeper::note_answers(context& ctx, mapping& what) {
  const auto note = [&](asked& how, availability standing) {
    if (how.begun && !how.answered_at && standing == availability::present) {
      how.answered_at = ctx.now;
    }
  };
  note(what.pcp, gateway_->pcp());
  note(what.nat_pmp, gateway_->nat_pmp());
  note(what.upnp, gateway_->upnp());
}

void keeper::on_event(context& ctx, const gateway_event::map_answered& what) {
  mapping* of = table_.find(what.mapping);
  if (of == nullptr) return;
  const bool is_gone = what.outcome.what == map_outcome::kind::deleted ||
                       what.outcome.what == map_outcome::kind::already_gone;
  if (what.protocol == protocol::upnp && is_gone && of->phase == phase::pausing) {
    of->upnp_open = false;
    return;
  }
  switch (of->phase) {
    case phase::asking:
      return on_attempt_answer(ctx, *of, what);
    case phase::mapped:
      return on_lease_answer(ctx, *of, what);
    case phase::releasing:
      return on_release_answer(ctx, *of, what);
    case phase::replacing:
      if (what.asked == map_purpose::remove && !what.late) want(ctx, *of);
      return;
    case phase::hopeless:
      return;
    case phase::waiting:
    case phase::pausing:
      // A grant that nobody waited for any more is a grant all the same: the nonce is ours.
      if (what.outcome.what == map_outcome::kind::granted && what.asked != map_purpose::remove) {
        on_granted(ctx, *of, what.protocol, what.outcome);
      }
      return;
  }
}

void keeper::on_event(context& ctx, const gateway_event::address_asked& what) {
  const auto& external = gateway_->external_address();
  for_each([](const mapping& each) { return each.phase == phase::asking; },
           [&](mapping& each) {
             if (each.address_missing) {
               each.address_missing = false;
               each.info.external.address = external.value_or(ip_address::any_v4());
               return hold(ctx, each);
             }
             if (!what.answered && gateway_->nat_pmp() == availability::unknown &&
                 allows(each.request.protocols, protocol::nat_pmp)) {
               set_failed(ctx, each, protocol::nat_pmp, errc::no_answer);
             }
             reconsider(ctx, each);
           });
  if (what.answered) {
    revive(ctx);
    on_within_reach(ctx, protocol::nat_pmp);
  } else {
    on_out_of_reach(protocol::nat_pmp);
  }
  if (!external) return;
  for_each(
      [&](const mapping& each) {
        return each.is_held_by(protocol::nat_pmp) && each.info.external.address != *external;
      },
      [&](mapping& each) {
        each.info.external.address = *external;
        tell(ctx, each, event_kind::changed);
      });
}

/// The router is alive: what failed because nobody answered need not wait longer. Refusals stand.
void keeper::revive(context& ctx) {
  if (table_.count(phase::pausing) == 0) return;
  for_each(
      [&](const mapping& each) {
        const auto refused = [](const asked& how) { return how.failed && how.failed->result_code; };
        return each.phase == phase::pausing && ctx.timers.is_set({timer::retry, each.id}) &&
               !refused(each.pcp) && !refused(each.nat_pmp) && !refused(each.upnp);
      },
      [&](mapping& each) { want(ctx, each); });
}

}  // namespace damson::core
