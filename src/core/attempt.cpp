/// Asking for a mapping: PCP first, NAT-PMP when PCP is out, until one grants or all have failed.

#include "core/keeper.hpp"

namespace damson::core {
namespace {

/// Network facts younger than this are not asked for again.
constexpr std::chrono::seconds facts_are_fresh{1};

/// Refusals that may be about the wanted external port rather than about us.
bool may_be_the_port(errc reason) noexcept {
  return reason == errc::no_resources || reason == errc::external_not_available;
}

/// A router that lost its epoch may still have the mapping, and for PCP it is somebody else's then
/// as long as its lease lasts, its own protocol is asked first.
bool belongs_to(const mapping& what, protocol which, time_point now) {
  return what.told_lost && what.info.protocol == which && what.lease &&
         now < what.lease->lease_end() && !what.last_failure;
}

endpoint suggestion(const mapping& what) {
  if (what.any_port) return {};
  if (what.info.external.port != 0) return what.info.external;
  const map_request& wanted = what.request;
  return {wanted.external_address,
          wanted.external_port != 0 ? wanted.external_port : wanted.internal_port};
}

}  // namespace

/// Begins an attempt as soon as the network is known.
void keeper::want(context& ctx, mapping& what) {
  cancel_attempt_timers(ctx, what.id);
  table_.move_to(what, phase::waiting);
  if (!facts_at_ || ctx.now - *facts_at_ >= facts_are_fresh || looking_) return look(ctx);
  begin(ctx, what);
}

void keeper::begin_waiting(context& ctx) {
  for_each([](const mapping& each) { return each.phase == phase::waiting; },
           [&](mapping& each) { begin(ctx, each); });
}

void keeper::begin(context& ctx, mapping& what) {
  const mapping* other = table_.find_other(what);
  // One mapping for a port at a time: the others wait until it is gone.
  if (other != nullptr && (other->phase != phase::waiting || other->claim < what.claim)) return;

  if (uplink_ && uplink_->is_public() && !ctx.opts.gateway &&
      what.request.protocols == protocol_filter::any) {
    return hold_direct(ctx, what);
  }
  if (!uplink_ || !uplink_->gateway) {
    what.pcp = what.nat_pmp = {};
    return attempt_failed(ctx, what, {errc::no_gateway, {}});
  }
  if (!gateway_) open_gateway(ctx);
  if (gateway_->is_ready()) begin_on_gateway(ctx, what);
}

void keeper::begin_on_gateway(context& ctx, mapping& what) {
  // After silence it may be another device by now, unless it serves other mappings.
  const bool alone = table_.count(phase::mapped) == 0 && table_.count(phase::asking) == 0;
  const bool was_silent = what.last_failure && !was_refused(*what.last_failure);
  if ((was_silent || what.told_lost) && alone) gateway_->forget_what_it_speaks();

  const protocol_filter filter = what.request.protocols;
  table_.move_to(what, phase::asking);
  what.attempt_began = ctx.now;
  what.pcp_open_before = what.pcp_open;
  what.pcp = what.nat_pmp = {};
  what.head_start_over = what.any_port = what.address_missing = what.nonsense = false;
  what.info.internal.address = gateway_->local();
  gateway_->allow(
      {.pcp = allows(filter, protocol::pcp), .nat_pmp = allows(filter, protocol::nat_pmp)});

  ctx.timers.set({timer::discovery, what.id}, ctx.now + ctx.opts.discovery_timeout);
  if (allows(filter, protocol::pcp)) {
    if (gateway_->pcp() == availability::absent) {
      set_failed(what, protocol::pcp, errc::version_refused);
    } else if (belongs_to(what, protocol::nat_pmp, ctx.now) &&
               gateway_->pcp() != availability::present) {
      set_failed(what, protocol::pcp, errc::not_tried);
    } else {
      // What PCP made is PCP's to make again: NAT-PMP comes in only when PCP has failed.
      if (!belongs_to(what, protocol::pcp, ctx.now)) {
        ctx.timers.set({timer::head_start, what.id}, ctx.now + head_start);
      }
      ask_pcp(ctx, what, map_purpose::create);
    }
  }
  if (needs_address_question(what, *gateway_)) gateway_->ask_address(ctx);
  if (gateway_->nat_pmp() == availability::absent) {
    set_failed(what, protocol::nat_pmp, errc::version_refused);
  }
  reconsider(ctx, what);
}

void keeper::reconsider(context& ctx, mapping& what) {
  if (what.phase != phase::asking || what.address_missing) return;
  switch (next_move(what, gateway_->pcp(), gateway_->nat_pmp())) {
    case move::wait:
      return;
    case move::ask_nat_pmp:
      return ask_nat_pmp(ctx, what, map_purpose::create);
    case move::give_up:
      return attempt_failed(ctx, what, explain(what, gateway_->server()));
  }
}

void keeper::ask_pcp(context& ctx, mapping& what, map_purpose why) {
  ctx.log.log(log_level::debug, "pcp: ", to_string(why), ' ', what.request.transport, ' ',
              what.request.internal_port, " at ", gateway_->server().address);
  what.pcp.under_way = true;
  what.pcp_open = true;
  const bool remove = why == map_purpose::remove;
  gateway_->ask_pcp(ctx, what.id, why,
                    {.client = gateway_->local(),
                     .lifetime = remove ? std::chrono::seconds{0} : what.request.lifetime,
                     .nonce = what.nonce,
                     .transport = what.request.transport,
                     .internal_port = what.request.internal_port,
                     .suggested_external = suggestion(what)});
}

void keeper::ask_nat_pmp(context& ctx, mapping& what, map_purpose why) {
  ctx.log.log(log_level::debug, "nat-pmp: ", to_string(why), ' ', what.request.transport, ' ',
              what.request.internal_port, " at ", gateway_->server().address);
  what.nat_pmp.under_way = true;
  what.nat_pmp_open = true;
  const bool remove = why == map_purpose::remove;
  gateway_->ask_nat_pmp(ctx, what.id, why,
                        {.transport = what.request.transport,
                         .internal_port = what.request.internal_port,
                         .suggested_external_port = suggestion(what).port,
                         .lifetime = remove ? std::chrono::seconds{0} : what.request.lifetime});
  if (why == map_purpose::create && gateway_->last_answer() >= what.attempt_began) {
    gateway_->extend_nat_pmp(ctx, what.id, what.attempt_began + ctx.opts.discovery_timeout);
  }
}

void keeper::on_attempt_answer(context& ctx, mapping& what,
                               const gateway_event::map_answered& answer) {
  if (answer.asked != map_purpose::create) return;
  switch (answer.outcome.what) {
    case map_outcome::kind::granted:
      return on_granted(ctx, what, answer.protocol, answer.outcome);
    case map_outcome::kind::refused:
      return on_attempt_refused(ctx, what, answer.protocol, answer.outcome);
    case map_outcome::kind::silent:
      set_failed(what, answer.protocol, what.nonsense ? errc::unusable_answer : errc::no_answer);
      return reconsider(ctx, what);
    case map_outcome::kind::deleted:
      // Of an earlier delete, so the request goes on; or of a server that grants 0 s.
      what.nonsense = true;
      return;
  }
}

void keeper::on_attempt_refused(context& ctx, mapping& what, protocol which,
                                const map_outcome& outcome) {
  if (may_be_the_port(outcome.reason) && !what.any_port) {
    what.any_port = true;
    return which == protocol::pcp ? ask_pcp(ctx, what, map_purpose::create)
                                  : ask_nat_pmp(ctx, what, map_purpose::create);
  }
  (which == protocol::pcp ? what.pcp_open : what.nat_pmp_open) = false;
  set_failed(what, which, outcome.reason);
  auto& failed = which == protocol::pcp ? what.pcp.failed : what.nat_pmp.failed;
  failed->result_code = outcome.result_code;
  failed->retry_after = outcome.retry_after;
  reconsider(ctx, what);
}

void keeper::set_failed(mapping& what, protocol which, errc reason) {
  asked& how = which == protocol::pcp ? what.pcp : what.nat_pmp;
  if (how.failed) return;
  how.under_way = false;
  how.failed = protocol_failure{.protocol = which,
                                .reason = reason,
                                .result_code = std::nullopt,
                                .server = gateway_->server(),
                                .retry_after = std::nullopt};
}

/// All have failed: the program is told once, and after a pause it is tried again.
void keeper::attempt_failed(context& ctx, mapping& what, const failure& why) {
  const bool same_kind = what.last_failure && was_refused(*what.last_failure) == was_refused(why);
  what.failures = same_kind ? what.failures + 1 : 1;
  what.last_failure = why;
  cancel_attempt_timers(ctx, what.id);
  table_.move_to(what, phase::pausing);
  if (gateway_) {
    gateway_->give_up_pcp(ctx, what.id);
    gateway_->forget_nat_pmp(ctx, what.id);
  }
  ctx.timers.set({timer::retry, what.id},
                 ctx.now + retry_pause(why, what.failures, ctx.opts.recheck_period, ctx.random));
  tell_failed(ctx, what, why);
}

void keeper::tell_failed(context& ctx, mapping& what, const failure& why) {
  ctx.timers.cancel({timer::timeout, what.id});
  if (what.told_mapped || std::exchange(what.told_failed, true)) return;
  ctx.log.log(log_level::info, what.request.transport, ' ', what.request.internal_port,
              " could not be mapped: ", to_string(why));
  tell(ctx, what, event_kind::failed, {.why = why});
}

}  // namespace damson::core
