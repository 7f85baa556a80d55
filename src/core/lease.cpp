/// Holding a mapping: granted, renewed in time, changed, lost, and made again after a restart.

#include <utility>

#include "core/keeper.hpp"

namespace damson::core {
namespace {

/// What the router granted as an external endpoint, if it can be used.
std::optional<endpoint> usable(const map_outcome& outcome, const endpoint& internal) {
  endpoint external = outcome.external;
  // A firewall without translation has nothing to assign.
  if (external.port == 0 && external.address == internal.address) external.port = internal.port;
  if (external.port == 0 || external.address.is_loopback() || external.address.is_multicast()) {
    return std::nullopt;
  }
  return external;
}

/// After a grant of what will not do. The port that is wanted is somebody's, as in Q-173.
constexpr std::chrono::minutes taken_port_pause{5};

map_outcome unusable_answer() {
  return {.what = map_outcome::kind::refused,
          .reason = errc::unusable_answer,
          .retry_after = std::chrono::seconds{30}};
}

}  // namespace

void keeper::on_granted(context& ctx, mapping& what, protocol which, const map_outcome& outcome) {
  const auto external = usable(outcome, what.info.internal);
  if (!external) {
    if (what.phase != phase::asking) return;
    on_attempt_refused(ctx, what, which, unusable_answer());
    // It was granted after all, so there is something to delete at the end.
    what.open(which) = true;
    return;
  }
  if (!what.attempt(which).answered_at) what.attempt(which).answered_at = ctx.now;
  what.any_port = false;
  what.info.protocol = which;
  what.info.external = *external;
  what.info.filtered =
      which == protocol::pcp && !what.request.peers.empty() && !what.pcp_options_refused;
  take_terms(ctx, what, outcome);
  what.info.gateway = gateway_->server(which).address;
  if (which == protocol::upnp) what.upnp_port = external->port;
  if (which == protocol::nat_pmp) {
    // The first event carries the address, so it waits for the question that is open.
    if (gateway_->must_wait_for_address(ctx)) {
      what.address_missing = true;
      table_.move_to(what, phase::asking);
      return;
    }
    what.info.external.address = gateway_->external_address().value_or(ip_address::any_v4());
  }
  take(ctx, what);
}

/// Holds what was granted, if it will do.
void keeper::take(context& ctx, mapping& what) {
  will_do(what.request, what.info.external) ? hold(ctx, what) : give_back(ctx, what);
}

/// It will not do, as what a server may grant that was told to fail instead. The attempt
/// goes on when the delete is answered, so that the protocol that comes next does not meet it.
void keeper::give_back(context& ctx, mapping& what) {
  const protocol which = what.info.protocol;
  ctx.log.log(log_level::info, which, ": ", what.info.external,
              " is given back, because only another one will do");
  what.deletes_again = false;
  ask(ctx, what, which, map_purpose::remove);
  what.info.external = {};
  what.info.lifetime = {};
  what.lease.reset();
  if (what.phase != phase::asking) return;
  what.giving_back = which;
  set_failed(ctx, what, which, errc::external_not_available);
  what.attempt(which).failed->retry_after = taken_port_pause;
}

void keeper::on_given_back(context& ctx, mapping& what, const gateway_event::map_answered& answer) {
  if (deletes_again(ctx, what, answer)) return;
  const bool is_waited_for = what.giving_back == answer.protocol;
  if (!is_waited_for && what.phase != phase::pausing) return;
  const bool is_gone = answer.outcome.what == map_outcome::kind::deleted ||
                       answer.outcome.what == map_outcome::kind::already_gone;
  if (is_gone) what.open(answer.protocol) = false;
  if (!is_waited_for) return;
  what.giving_back.reset();
  reconsider(ctx, what);
}

void keeper::hold(context& ctx, mapping& what) {
  cancel_attempt_timers(ctx, what.id);
  withdraw_others(ctx, what);
  table_.move_to(what, phase::mapped);
  const auto& before = what.left_behind;
  if (before && before->rule && is_same_rule(*before->rule, what.info)) what.left_behind.reset();
  what.unconfirmed = false;
  what.last_failure.reset();
  what.refusals.clear();
  what.told_mapped = true;
  if (what.lease) arm_lease(ctx, what);
  if (!ctx.timers.is_set(key(timer::recheck))) {
    ctx.timers.set(key(timer::recheck), ctx.now + ctx.opts.recheck_period);
  }
  ctx.log.log(log_level::debug, what.info.transport, ' ', what.info.internal, " is mapped to ",
              what.info.external, " through ", what.info.protocol, " for ",
              what.info.lifetime.count(), " s");
  what.told_lost = false;
  compare(ctx, what);
  tell(what, event_kind::mapped, {.report = report_of(what)});
}

/// One owner for each mapping. A request that was sent is listened for, because its grant would
/// have to be looked after.
void keeper::withdraw_others(context& ctx, mapping& what) {
  const protocol owner = what.info.protocol;
  if (owner == protocol::direct) return;
  if (owner != protocol::pcp) {
    // A new request that waits for its turn was not sent, so nothing of it is on its way.
    if (gateway_->withdraw_pcp(ctx, what.id)) what.pcp_open = what.pcp_open_before;
    gateway_->give_up_pcp(ctx, what.id);
  }
  if (owner != protocol::nat_pmp && gateway_->withdraw_nat_pmp(ctx, what.id)) {
    what.nat_pmp_open = false;
  }
  if (owner == protocol::upnp || !gateway_->igd().is_mapping(what.id)) return;
  // On the most common daemon what UPnP makes of the same port is the same rule.
  what.upnp_port = what.info.external.port;
  if (!gateway_->igd().withdraw(ctx, what.id, what.upnp_port)) what.upnp_open = false;
}

void keeper::take_terms(context& ctx, mapping& what, const map_outcome& outcome) {
  what.info.lifetime = outcome.lifetime;
  what.info.permanent = outcome.permanent;
  what.info.verified = outcome.verified;
  what.perhaps_until = time_point::min();
  what.was_unheard = false;
  what.upnp_seen_at = ctx.now;
  if (outcome.permanent) {
    what.lease.reset();
    ctx.log.log(log_level::warning, what.request.transport, ' ', what.request.internal_port,
                ": the router makes permanent mappings only; this one stays until it is deleted");
  } else {
    what.lease.emplace(ctx.now, outcome.lifetime);
  }
}

void keeper::hold_direct(context& ctx, mapping& what) {
  what.info.protocol = protocol::direct;
  what.info.internal.address = uplink_->local;
  what.info.external = what.info.internal;
  what.info.lifetime = {};
  what.info.permanent = what.info.verified = what.info.filtered = false;
  what.info.gateway = {};
  what.lease.reset();
  hold(ctx, what);
}

/// Precondition: it has a lease, or is permanent.
void keeper::arm_lease(context& ctx, mapping& what) {
  what.renewal_refused.reset();
  if (!what.lease) {
    ctx.timers.cancel({timer::lease_end, what.id});
    ctx.timers.cancel({timer::renew, what.id});
    return;
  }
  ctx.timers.set({timer::lease_end, what.id}, what.lease->lease_end());
  if (const auto next = what.lease->next(ctx.now, ctx.random)) {
    ctx.timers.set({timer::renew, what.id}, *next);
  } else {
    ctx.timers.cancel({timer::renew, what.id});
  }
}

void keeper::renew(context& ctx, mapping& what) {
  // After a suspend both may be due: an ended lease is made anew instead.
  if (!what.is_held()) return;
  if (what.is_of_set()) {
    mapping* owner = table_.find(what.set_owner);
    if (owner != nullptr && !gateway_->pcp_open(owner->id)) renew(ctx, *owner);
    return;
  }
  if (!what.lease) return verify(ctx, what);
  if (ctx.now >= what.lease->lease_end()) return;
  if (const auto next = what.lease->next(ctx.now, ctx.random)) {
    ctx.timers.set({timer::renew, what.id}, *next);
  }
  // One that waits for its turn need not begin anew.
  if (what.is_held_by(protocol::nat_pmp) && gateway_->nat_pmp_open(what.id)) return;
  ask(ctx, what, what.info.protocol, map_purpose::renew);
}

void keeper::on_lease_answer(context& ctx, mapping& what,
                             const gateway_event::map_answered& answer) {
  if (answer.asked == map_purpose::remove) return on_other_removed(ctx, what, answer);
  const bool owner = answer.protocol == what.info.protocol;
  switch (answer.outcome.what) {
    case map_outcome::kind::granted:
      return owner ? on_renewed(ctx, what, answer.outcome)
                   : on_late_grant(ctx, what, answer.protocol, answer.outcome);
    case map_outcome::kind::refused:
      if (owner) on_renewal_refused(ctx, what, answer.protocol, answer.outcome);
      return;
    case map_outcome::kind::silent:  // the next renewal point asks again
      if (!owner) return;
      what.perhaps_until = ctx.now + wished_lease(what, answer.protocol);
      what.was_unheard = true;
      forget_move(ctx, what, answer.outcome.external.port);
      return on_out_of_reach(answer.protocol);
    case map_outcome::kind::deleted:  // of an earlier delete
    case map_outcome::kind::already_gone:
      return;
  }
}

/// A renewal in UPnP that was not answered may have begun to move to another port. What it is to
/// extend is there still, so that goes.
void keeper::forget_move(context& ctx, mapping& what, std::uint16_t to) {
  if (to == 0 || to == what.info.external.port) return;
  gateway_->igd().remove(ctx, what.id, {to, what.request.transport});
}

void keeper::on_renewed(context& ctx, mapping& what, const map_outcome& outcome) {
  auto external = usable(outcome, what.info.internal);
  if (!external) return;
  if (what.info.protocol == protocol::nat_pmp) {
    external->address = gateway_->external_address().value_or(what.info.external.address);
  } else if (what.info.protocol == protocol::upnp) {
    if (external->address.is_unspecified()) external->address = what.info.external.address;
    what.upnp_port = external->port;
  }
  take_terms(ctx, what, outcome);
  what.info.gateway = gateway_->server(what.info.protocol).address;  // another device, perhaps
  arm_lease(ctx, what);
  if (what.info.external != *external) on_moved(ctx, what, *external);
  if (what.is_held()) confirm(what);
  refresh_members(ctx, what);
}

/// It leads out elsewhere now.
void keeper::on_moved(context& ctx, mapping& what, const endpoint& external) {
  what.info.external = external;
  if (will_do(what.request, external)) {
    compare(ctx, what);
    return tell(what, event_kind::changed);
  }
  replace(ctx, what, {errc::external_not_available, {}});
}

/// A refusal changes nothing before the lease ends, except that some servers cannot renew at all.
void keeper::on_renewal_refused(context& ctx, mapping& what, protocol which,
                                const map_outcome& outcome) {
  what.renewal_refused = protocol_failure{.protocol = which,
                                          .reason = outcome.reason,
                                          .result_code = outcome.result_code,
                                          .router_text = outcome.router_text,
                                          .server = gateway_->server(which),
                                          .retry_after = outcome.retry_after};
  // With PREFER_FAILURE a server that cannot provide the port says that the mapping is gone.
  const bool is_gone =
      what.request.prefer_failure && outcome.reason == errc::external_not_available;
  if (which == protocol::pcp && (outcome.reason == errc::no_resources || is_gone)) {
    return replace(ctx, what, {outcome.reason, {*what.renewal_refused}});
  }
  // The live one of the router's connections may have been silent when they were compared.
  if (which == protocol::upnp && gateway_->igd().is_dead_connection()) {
    gateway_->igd().search_past_device(ctx);
  }
  const auto next = ctx.timers.at({timer::renew, what.id});
  const time_point not_before = ctx.now + outcome.retry_after;
  if (next && *next < not_before) {
    if (not_before < what.lease->lease_end()) {
      ctx.timers.set({timer::renew, what.id}, not_before);
    } else {
      ctx.timers.cancel({timer::renew, what.id});
    }
  }
}

/// Another protocol's request, given up long ago, was granted after all. On the most common daemon
/// both are one rule if the external port is the same, and deleting it would close the one that is
/// kept.
void keeper::on_late_grant(context& ctx, mapping& what, protocol which,
                           const map_outcome& outcome) {
  if (outcome.external.port == what.info.external.port) return;
  ctx.log.log(log_level::info, which, ": a late grant of another external port is deleted");
  ask(ctx, what, which, map_purpose::remove);
}

/// Verifies that the mapping that is kept was not deleted along with the other protocol's.
void keeper::on_other_removed(context& ctx, mapping& what,
                              const gateway_event::map_answered& answer) {
  const bool is_kept = answer.outcome.what == map_outcome::kind::silent ||
                       answer.outcome.what == map_outcome::kind::refused;
  if (answer.protocol == what.info.protocol) {
    if (is_kept && answer.protocol == protocol::upnp) note_unknown_leftover(ctx, what);
    return;
  }
  if (answer.late || answer.outcome.what == map_outcome::kind::silent) return;
  what.open(answer.protocol) = false;
  what.info.protocol == protocol::upnp ? verify(ctx, what) : renew(ctx, what);
}

void keeper::lose(context& ctx, mapping& what, failure why) {
  ctx.timers.cancel({timer::renew, what.id});
  ctx.timers.cancel({timer::lease_end, what.id});
  table_.move_to(what, phase::pausing);
  what.told_lost = true;
  ctx.log.log(log_level::info, what.request.transport, ' ', what.request.internal_port,
              " is lost: ", to_string(why));
  tell(what, event_kind::lost, {.why = why});
  lose_members(ctx, what, why);
}

/// Delete and make anew; there is a gap, so the program is told.
void keeper::replace(context& ctx, mapping& what, failure why) {
  lose(ctx, what, std::move(why));
  if (is_flow(what.request)) return want(ctx, what);
  table_.move_to(what, phase::replacing);
  ask(ctx, what, what.info.protocol, map_purpose::remove);
}

void keeper::on_lease_end(context& ctx, mapping& what) {
  if (!what.is_held()) return;
  failure why{errc::lease_expired, {}};
  if (what.renewal_refused) {
    why = {what.renewal_refused->reason, {*what.renewal_refused}};
  }
  // The port may be somebody else's now; or a request that was not answered has made it ours for
  // another lease.
  if (what.upnp_open) note_leftover(ctx, what, protocol::upnp);
  gateway_->forget(ctx, what.id, what.upnp_port);
  what.upnp_open = false;
  lose(ctx, what, std::move(why));
  want(ctx, what);
}

/// Everything is to be made again, but not by all hosts at once (RFC 6887 section 14.1.3).
void keeper::on_event(context& ctx, const gateway_event::restarted& what) {
  for_each(
      [&](const mapping& each) {
        const bool is_its = each.info.protocol == protocol::pcp ? what.in_pcp : what.elsewhere;
        return each.is_held() && each.info.protocol != protocol::direct && is_its;
      },
      [&](mapping& each) {
        // A renewal that is under way makes the mapping again as well, so it is let go on.
        lose(ctx, each, {errc::gateway_restarted, {}});
      });
  if (ctx.timers.is_set(key(timer::restart_wait))) return;
  ctx.timers.set(key(timer::restart_wait),
                 ctx.now + ctx.random.uniform_duration({}, ctx.tuning.restart_wait));
}

void keeper::begin_after_restart(context& ctx) {
  for_each(
      [&](const mapping& each) {
        return each.phase == phase::pausing && each.told_lost &&
               !ctx.timers.is_set({timer::retry, each.id});
      },
      [&](mapping& each) { want(ctx, each); });
}

}  // namespace damson::core
