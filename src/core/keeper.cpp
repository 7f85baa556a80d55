#include "core/keeper.hpp"

#include <algorithm>
#include <utility>

namespace damson::core {
namespace {

/// Servers make less than that into it (RFC 6887 section 15).
constexpr std::chrono::seconds shortest_pcp_lease{120};

/// In UPnP, where the router refuses every lease.
bool may_become_permanent(const mapping& what) {
  return what.request.allow_permanent && family_of(what.request) == ip_family::v4;
}

}  // namespace

keeper::keeper(const uplink_choice& how, gateway_id name, network_view& seen)
    : choice_(how), name_(name), seen_(seen), stun_(name) {
  if (seen_.at) uplink_ = choose_uplink(seen_.facts, choice_);
}

void keeper::tell(const mapping& what, event_kind kind, mapping_event more) {
  more.kind = kind;
  more.info = kind == event_kind::failed ? tried(what) : what.info;
  events_.push_back(std::move(more));
}

/// What is wanted, and by which way out it is tried for.
mapping_info keeper::tried(const mapping& what) const {
  mapping_info info = what.info;
  info.gateway = gateway_ ? gateway_->server().address : ip_address{};
  return info;
}

// ---------------------------------------------------------------------------------------------
// What is wanted

void keeper::create(context& ctx, mapping_id id, const map_request& request) {
  mapping& made = table_.add(id, request);
  ctx.random.fill(made.nonce.bytes);
  made.info.id = id;
  made.info.transport = request.transport;
  made.info.internal = {unspecified(choice_.family), request.internal_port};
  want(ctx, made);
}

void keeper::hurry(context& ctx, mapping_id id) {
  mapping* what = table_.find(id);
  if (what != nullptr && is_pausing(ctx, id)) want(ctx, *what);
}

bool keeper::is_pausing(const context& ctx, mapping_id id) const {
  return ctx.timers.is_set({timer::retry, id});
}

void keeper::revise(mapping_id id, const map_request& request) {
  if (mapping* what = table_.find(id)) what->request = request;
}

std::optional<mapping_event> keeper::grant(mapping_id id) const {
  const mapping* what = table_.find(id);
  if (what == nullptr || !what->is_held()) return std::nullopt;
  mapping_event granted;
  granted.kind = event_kind::mapped;
  granted.info = what->info;
  granted.report = report_of(*what);
  return granted;
}

/// Empty for what no router made.
std::vector<protocol_report> keeper::report_of(const mapping& what) const {
  if (what.info.protocol == protocol::direct) return {};
  return account_of(what, *gateway_);
}

mapping_info keeper::info(mapping_id id) const {
  const mapping* what = table_.find(id);
  if (what == nullptr) return {};
  return what->told_mapped ? what->info : tried(*what);
}

failure keeper::account(mapping_id id) const {
  const mapping* what = table_.find(id);
  return what == nullptr ? failure{} : account(*what);
}

failure keeper::account(const mapping& what) const {
  if (!gateway_) return explain(what, {});
  failure account = explain(what, gateway_->server(), gateway_->outside());
  for (protocol_failure& each : account.protocols) {
    if (each.protocol == protocol::pcp && each.server == gateway_->server()) {
      each.server = gateway_->server(protocol::pcp);
    }
  }
  return account;
}

// ---------------------------------------------------------------------------------------------
// The network

void keeper::on_network(context& ctx) {
  const auto chosen = choose_uplink(seen_.facts, choice_);
  if (chosen != uplink_) switch_uplink(ctx, chosen);
  if (gateway_) gateway_->look_around(seen_.facts);
  begin_waiting(ctx);
}

/// The old router cannot be reached as the host that made the mappings, so it is left alone: leases
/// end.
void keeper::switch_uplink(context& ctx, const std::optional<uplink>& chosen) {
  const bool is_news = uplink_.has_value();
  uplink_ = chosen;
  stop_looking(ctx);
  for_each([](const mapping& each) { return each.phase == phase::releasing; },
           [&](mapping& each) { finish(ctx, each, removal::left_to_expire); });
  for_each([](const mapping&) { return true; }, [&](mapping& each) { leave_behind(ctx, each); });
  if (gateway_) close_gateway(ctx);
  for_each([](const mapping&) { return true; },
           [&](mapping& each) {
             each.last_failure.reset();
             each.refusals.clear();
             if (is_news && each.is_held()) lose(ctx, each, {errc::network_changed, {}});
             cancel_timers(ctx, each.id);
             table_.move_to(each, phase::waiting);
           });
}

void keeper::open_gateway(context& ctx) {
  gateway_.emplace(ctx.new_gateway(), *uplink_);
  ctx.log.log(log_level::debug, "asking router ", gateway_->server());
  gateway_->open(ctx, seen_.facts);
}

void keeper::close_gateway(context& ctx) {
  for_each([](const mapping&) { return true; },
           [&](mapping& each) { gateway_->stop_repeating(ctx, each.id); });
  gateway_->close(ctx);
  gateway_.reset();
  ctx.timers.cancel(key(timer::restart_wait));
  ctx.timers.cancel(key(timer::verify));
  to_verify_.clear();
}

// ---------------------------------------------------------------------------------------------
// Inputs

void keeper::on_channel_opened(context& ctx, const channel_opened& what) {
  if (stun_.owns(what.channel)) return stun_.on_opened(ctx, what);
  gateway_->on_opened(ctx, what);
  drain_gateway(ctx);
}

void keeper::on_channel_failed(context& ctx, const channel_failed& what) {
  if (stun_.owns(what.channel)) return stun_.on_failed(ctx, what);
  gateway_->on_failed(ctx, what);
  drain_gateway(ctx);
}

void keeper::on_datagram(context& ctx, const datagram_received& what) {
  if (stun_.owns(what.channel)) {
    stun_.on_datagram(ctx, what);
    return tell_seen(ctx);
  }
  gateway_->on_datagram(ctx, what);
  drain_gateway(ctx);
}

bool keeper::on_response(context& ctx, const http_response& what) {
  if (!gateway_ || !gateway_->on_response(ctx, what)) return false;
  drain_gateway(ctx);
  return true;
}

bool keeper::on_exchange_failed(context& ctx, const http_failed& what) {
  if (!gateway_ || !gateway_->on_failed(ctx, what)) return false;
  drain_gateway(ctx);
  return true;
}

void keeper::on_event_received(context& ctx, const event_received& what) {
  gateway_->on_event(ctx, what);
  drain_gateway(ctx);
}

bool keeper::owns(const timer_key& due) const {
  if (due.gateway == gateway_id::none) return table_.find(due.mapping) != nullptr;
  return due.gateway == name_ || (gateway_ && gateway_->id() == due.gateway);
}

void keeper::on_timer(context& ctx, const timer_key& due) {
  if (due.gateway == gateway_id::none) {
    on_timer(ctx, *table_.find(due.mapping), due.name);
  } else if (due.gateway != name_) {
    gateway_->on_timer(ctx, due);
  } else if (due.name == timer::recheck) {
    on_recheck(ctx);
  } else if (due.name == timer::restart_wait) {
    begin_after_restart(ctx);
  } else if (due.name == timer::verify) {
    verify_next(ctx);
  } else if (due.name == timer::stun_ask) {
    ask_outside(ctx);
  } else if (due.name == timer::stun_try) {
    stun_.on_timer(ctx);
  }
  drain_gateway(ctx);
}

void keeper::on_timer(context& ctx, mapping& what, timer due) {
  switch (due) {
    case timer::head_start:
      // Who is there and busy is waited for until a try was lost.
      if (gateway_->pcp() == availability::present && gateway_->pcp_open(what.id) &&
          gateway_->pcp_tries(what.id) <= 1) {
        ctx.timers.set({due, what.id}, ctx.now + longest_head_start);
        break;
      }
      what.head_start_over = true;
      reconsider(ctx, what);
      break;
    case timer::attempt_end:
      if (gateway_->is_waiting_in_pcp(what.id) || gateway_->nat_pmp_open(what.id) ||
          gateway_->igd().is_mapping(what.id) || what.address_missing || what.giving_back) {
        // Its turn may not have come yet; its own schedule and the request's time-out bound this.
        ctx.timers.set({due, what.id}, ctx.now + ctx.opts.mapping_timeout);
      } else {
        attempt_failed(ctx, what, account(what));
      }
      break;
    case timer::retry:
      want(ctx, what);
      break;
    case timer::renew:
      renew(ctx, what);
      break;
    case timer::lease_end:
      on_lease_end(ctx, what);
      break;
    case timer::release_end:
      on_release_end(ctx, what);
      break;
    default:
      break;
  }
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
  see_to_sets(ctx);
  const bool nobody_asks = table_.count(phase::asking) == 0;
  if (gateway_ && gateway_->is_ready() && nobody_asks) gateway_->igd().stop_search(ctx);
  if (is_tidying() && !gateway_->leave(ctx)) close_gateway(ctx);
}

void keeper::on_event(context& ctx, const gateway_event::channel_ready&) { begin_waiting(ctx); }

/// The channel is gone for good: what it carried is lost, and a new one is opened after a pause.
void keeper::on_channel_gone(context& ctx) {
  for_each([](const mapping& each) { return each.phase == phase::releasing; },
           [&](mapping& each) { finish(ctx, each, removal::left_to_expire); });
  for_each(
      [](const mapping& each) {
        const bool direct = each.is_held() && each.info.protocol == protocol::direct;
        return each.phase != phase::pausing && !direct;
      },
      [&](mapping& each) {
        leave_behind(ctx, each);
        if (each.is_held()) lose(ctx, each, {errc::network_down, {}});
        for (const protocol which : {protocol::pcp, protocol::nat_pmp, protocol::upnp}) {
          if (allows(each.request, which)) {
            set_failed(ctx, each, which, errc::network_down);
          }
        }
        attempt_failed(ctx, each, account(each));
      });
  if (gateway_) close_gateway(ctx);
}

/// The router cannot be asked any more.
void keeper::leave_behind(const context& ctx, mapping& what) {
  for (const protocol which : {protocol::pcp, protocol::nat_pmp, protocol::upnp}) {
    if (what.open(which)) note_leftover(ctx, what, which);
    what.open(which) = false;
  }
}

/// For how long the router holds at most what it is asked for now.
std::chrono::seconds keeper::wished_lease(const mapping& what, protocol which) {
  if (which == protocol::upnp) return upnp_lease(what.request.lifetime, family_of(what.request));
  return std::max({what.request.lifetime, what.info.lifetime, shortest_pcp_lease});
}

/// Where the router serves in another protocol, it was silent in PCP for not speaking it. Another
/// device that serves in its place says nothing of the router.
bool keeper::made_nothing_in_pcp(const mapping& what) const {
  return what.is_held() && what.info.protocol != protocol::pcp &&
         gateway_->pcp() != availability::present &&
         what.info.gateway == gateway_->server().address;
}

/// What was asked for and not answered may be there as well, for as long as was asked for.
void keeper::note_leftover(const context& ctx, mapping& what, protocol which) {
  const bool is_owner = what.is_held_by(which);
  if (which == protocol::pcp && made_nothing_in_pcp(what)) return;
  time_point until = ctx.now + wished_lease(what, which);
  if (is_owner && what.lease && !is_asking(what.id, which)) {
    // Of a long lease only the first day is counted on.
    const std::chrono::seconds granted = what.info.lifetime;
    until = std::max(what.lease->lease_end() + (granted - scheduled_lifetime(granted)),
                     what.perhaps_until);
  }
  const bool was_asked = !is_owner || is_asking(what.id, which) || ctx.now < what.perhaps_until;
  const bool may_be_permanent = which == protocol::upnp && was_asked && may_become_permanent(what);
  if ((is_owner && what.info.permanent) || may_be_permanent) until = time_point::max();

  std::optional<mapping_info> rule;
  if (is_owner || which != protocol::upnp) {
    rule = what.info;
    rule->protocol = which;
    if (!is_owner) rule->gateway = gateway_->server(which).address;
  }
  add_leftover(ctx, what, std::move(rule), until);
}

/// Of a UPnP port that nobody knows any more.
void keeper::note_unknown_leftover(const context& ctx, mapping& what) {
  const time_point until = ctx.now + wished_lease(what, protocol::upnp);
  add_leftover(ctx, what, std::nullopt, may_become_permanent(what) ? time_point::max() : until);
}

void keeper::add_leftover(const context& ctx, mapping& what, std::optional<mapping_info> rule,
                          time_point until) {
  auto& before = what.left_behind;
  if (before && ctx.now < before->until) {
    until = std::max(until, before->until);
    if (!rule || !before->rule || !is_same_rule(*rule, *before->rule)) rule.reset();
  }
  before = {std::move(rule), until};
}

bool keeper::is_asking(mapping_id id, protocol which) const {
  if (which == protocol::pcp) return gateway_->pcp_open(id);
  if (which == protocol::nat_pmp) return gateway_->nat_pmp_open(id);
  return gateway_->igd().is_mapping(id);
}

/// On a mapping that is held this is only a retry; in an attempt it ends both protocols of the
/// port.
void keeper::on_event(context& ctx, const gateway_event::channel_broken& what) {
  if (what.error == channel_error::cannot_open) return on_channel_gone(ctx);
  const bool refused = what.error == channel_error::refused;
  const errc reason = refused ? errc::port_closed : errc::network_down;
  const bool has_servers = gateway_->has_pcp_servers();
  if (!has_servers) on_out_of_reach(protocol::pcp);
  on_out_of_reach(protocol::nat_pmp);
  for_each(
      [&](const mapping& each) {
        return each.phase == phase::asking || (!refused && each.phase == phase::waiting);
      },
      [&](mapping& each) {
        for (const protocol which : {protocol::pcp, protocol::nat_pmp, protocol::upnp}) {
          // Another port of the router may be open, but not where there is no way to it at all.
          const bool is_hit = which == protocol::upnp ? !refused && !each.upnp.under_way
                                                      : which != protocol::pcp || !has_servers;
          if (is_hit && allows(each.request, which)) set_failed(ctx, each, which, reason);
        }
        if (each.phase == phase::asking) {
          if (each.giving_back != protocol::upnp) each.giving_back.reset();
          // Where the first try is refused, nobody was there to make anything.
          if (!has_servers) {
            each.pcp_open = each.pcp_open_before || gateway_->pcp_tries(each.id) > 1;
          }
          each.nat_pmp_open = each.nat_pmp_open &&
                              (each.nat_pmp_open_before || gateway_->nat_pmp_tries(each.id) > 1);
        }
        if (!has_servers) gateway_->give_up_pcp(ctx, each.id);
        gateway_->forget_nat_pmp(ctx, each.id);
        if (each.phase == phase::asking) return reconsider(ctx, each);
        attempt_failed(ctx, each, account(each));
      });
  if (refused && !has_servers) {
    end_releases_in_pcp(ctx, [](const mapping& each) { return each.first_try; });
  }
}

/// Nobody speaks PCP, so nothing is waited for that was never granted.
void keeper::end_releases_in_pcp(context& ctx, bool (*is_sure)(const mapping&)) {
  for_each(
      [&](const mapping& each) {
        return each.phase == phase::releasing && each.pcp_open && !each.told_mapped &&
               is_sure(each);
      },
      [&](mapping& each) {
        each.pcp_open = each.overtakes_in_pcp = false;
        if (!each.is_open() && !each.may_overtake()) finish(ctx, each, each.how);
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
             shorten_head_start(ctx, each);
             if (gateway_->pcp() == availability::present && each.pcp.under_way) {
               const time_point until = ctx.now + ctx.opts.mapping_timeout;
               const timer_key end{timer::attempt_end, each.id};
               gateway_->extend_pcp(ctx, each.id, until);
               if (until > ctx.timers.at(end)) ctx.timers.set(end, until);
             }
             reconsider(ctx, each);
           });
  if (gateway_->pcp() == availability::absent) {
    end_releases_in_pcp(ctx, [](const mapping&) { return true; });
  }
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
  if (what.protocol == protocol::pcp) note_set(*of, what.outcome);
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
    case phase::waiting:
    case phase::pausing:
      // A grant that nobody waited for any more is a grant all the same: the nonce is ours.
      if (what.asked == map_purpose::remove) return on_given_back(ctx, *of, what);
      if (what.outcome.what == map_outcome::kind::granted) {
        on_granted(ctx, *of, what.protocol, what.outcome);
      }
      return;
  }
}

void keeper::on_event(context& ctx, const gateway_event::address_asked& what) {
  const auto external = gateway_->external_address();
  for_each([](const mapping& each) { return each.phase == phase::asking; },
           [&](mapping& each) {
             if (each.address_missing) {
               each.address_missing = false;
               each.info.external.address = external.value_or(ip_address::any_v4());
               return take(ctx, each);
             }
             if (!what.answered && gateway_->nat_pmp() == availability::unknown &&
                 allows(each.request, protocol::nat_pmp)) {
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
      [&](mapping& each) { on_moved(ctx, each, {*external, each.info.external.port}); });
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
