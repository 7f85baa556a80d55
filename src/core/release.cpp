/// Giving a mapping back.

#include <utility>

#include "core/keeper.hpp"

namespace damson::core {
namespace {

/// After this a mapping is left to its lease.
constexpr std::chrono::seconds release_bound{2};
/// Of that, for the answer to a delete that is sent once more.
constexpr std::chrono::milliseconds last_delete{500};

removal removal_by(const map_outcome& outcome) noexcept {
  switch (outcome.what) {
    case map_outcome::kind::deleted:
      return removal::deleted;
    case map_outcome::kind::already_gone:
      return removal::already_gone;
    case map_outcome::kind::refused:
      // Deleting what is not there is an error on some servers.
      return outcome.reason == errc::no_resources ? removal::already_gone : removal::left_to_expire;
    case map_outcome::kind::granted:
    case map_outcome::kind::silent:
      break;
  }
  return removal::left_to_expire;
}

/// What is told of several deletes: first what any of them may have left.
removal together(removal one, removal other) noexcept {
  for (const removal each : {removal::left_to_expire, removal::deleted}) {
    if (one == each || other == each) return each;
  }
  return removal::already_gone;
}

natpmp_map_request deletion_of(const mapping& what) noexcept {
  return {.transport = what.request.transport,
          .internal_port = what.request.internal_port,
          .suggested_external_port = 0,
          .lifetime = {}};
}

/// The attempt ended without a word, and nothing was ever granted.
bool nobody_answered(const mapping& what) noexcept {
  return what.phase == phase::pausing && !what.told_mapped && what.pcp.failed &&
         what.pcp.failed->reason == errc::no_answer && !what.nat_pmp_open && !what.upnp_open;
}

}  // namespace

void keeper::release(context& ctx, mapping_id id, bool keep_lease) {
  mapping* found = table_.find(id);
  if (found == nullptr || found->phase == phase::releasing) return;
  mapping& what = *found;
  if (release_of_set(ctx, what)) return;
  take_back_unsent(ctx, what);
  if (!what.is_open()) return finish(ctx, what, removal::already_gone);
  // A flow is the program's traffic: it ends with that, and the mapping with it.
  keep_lease = keep_lease || is_flow(what.request);
  if (keep_lease && gateway_) gateway_->forget(ctx, id, what.upnp_port);
  if (keep_lease || !gateway_ || !gateway_->is_ready()) {
    return finish(ctx, what, removal::left_to_expire);
  }
  if (nobody_answered(what)) {
    // One delete is sent in case only the answers were lost, but it is not waited for.
    gateway_->drop_in_pcp(ctx, pcp_request(what, map_purpose::remove));
    return finish(ctx, what, removal::left_to_expire);
  }
  begin_release(ctx, what);
}

/// What was not sent has made nothing.
void keeper::take_back_unsent(context& ctx, mapping& what) {
  if (what.phase != phase::asking || !gateway_) return;
  if (gateway_->withdraw_pcp(ctx, what.id)) what.pcp_open = what.pcp_open_before;
}

void keeper::begin_release(context& ctx, mapping& what) {
  cancel_timers(ctx, what.id);
  const bool nothing_in_pcp = made_nothing_in_pcp(what);
  const bool pcp_open = what.pcp_open;
  const bool nat_pmp_open = what.nat_pmp_open;
  what.overtakes_in_pcp = pcp_open;
  what.overtakes_in_nat_pmp = nat_pmp_open;
  note_overtaken(ctx, what);
  what.deletes_again = false;
  what.first_try = what.phase == phase::asking && gateway_->pcp_open(what.id) &&
                   !what.pcp_open_before && gateway_->pcp_tries(what.id) <= 1;
  table_.move_to(what, phase::releasing);
  what.any_port = false;
  if (pcp_open) ask_pcp(ctx, what, map_purpose::remove);
  if (nat_pmp_open) ask_nat_pmp(ctx, what, map_purpose::remove);
  if (what.upnp_open) release_in_upnp(ctx, what);
  // A PCP request that another protocol took over from is deleted without waiting where PCP is
  // silent; a server that answers may have granted what could not be used.
  if (nothing_in_pcp) what.pcp_open = what.overtakes_in_pcp = false;
  if (!what.is_open()) return finish(ctx, what, what.how);
  what.release_by = ctx.now + release_bound;
  ctx.timers.set({timer::release_end, what.id},
                 what.may_overtake() ? what.release_by - last_delete : what.release_by);
}

/// What was answered is not on its way any more.
void keeper::note_overtaken(const context& ctx, mapping& what) {
  what.overtakes_in_pcp = what.overtakes_in_pcp && gateway_->may_be_overtaken_in_pcp(ctx, what.id);
  what.overtakes_in_nat_pmp =
      what.overtakes_in_nat_pmp && gateway_->may_be_overtaken_in_nat_pmp(ctx, what.request);
}

/// A request that is under way cleans up after itself; else the entry is deleted that is known.
void keeper::release_in_upnp(context& ctx, mapping& what) {
  if (gateway_->igd().withdraw(ctx, what.id, 0)) return;
  if (what.upnp_port != 0) return ask_upnp(ctx, what, map_purpose::remove);
  what.upnp_open = gateway_->igd().is_removing(what.id);
}

/// Whether what was deleted may be there all the same, so that the delete goes on.
bool keeper::deletes_again(context& ctx, mapping& what, const gateway_event::map_answered& answer) {
  if (answer.late) {
    // A grant of the request before, which the delete may have overtaken. One that is not answered
    // yet goes on being sent; its answer may have been overtaken as well, so it proves nothing.
    what.deletes_again = gateway_->pcp_open(what.id);
    if (!what.deletes_again) ask_pcp(ctx, what, map_purpose::remove);
    return true;
  }
  const bool is_gone = answer.outcome.what == map_outcome::kind::deleted ||
                       answer.outcome.what == map_outcome::kind::already_gone;
  if (!is_gone || answer.protocol != protocol::pcp) return false;
  if (!std::exchange(what.deletes_again, false)) return false;
  ask_pcp(ctx, what, map_purpose::remove);
  return true;
}

void keeper::on_release_answer(context& ctx, mapping& what,
                               const gateway_event::map_answered& answer) {
  if (answer.asked != map_purpose::remove) return;
  note_overtaken(ctx, what);
  if (deletes_again(ctx, what, answer)) return;
  // Who refuses has refused the request before as well; where nothing was made yet there may be
  // nothing to delete.
  const bool is_refusal = answer.outcome.what == map_outcome::kind::refused;
  if (is_refusal && answer.outcome.reason != errc::no_resources) {
    (answer.protocol == protocol::pcp ? what.overtakes_in_pcp : what.overtakes_in_nat_pmp) = false;
  }
  // A renewal that moved has two ports.
  const bool is_more = answer.protocol == protocol::upnp && gateway_->igd().is_removing(what.id);
  const bool was_open = std::exchange(what.open(answer.protocol), is_more);
  // Another protocol may refuse to delete what is not its own; of what it was asked for and may
  // have made nobody knows.
  const bool is_unknown = was_open && answer.outcome.what == map_outcome::kind::silent;
  if (is_unknown || !what.told_mapped || answer.protocol == what.info.protocol) {
    what.how = together(what.how, removal_by(answer.outcome));
  }
  if (what.is_open() || what.may_overtake()) return;
  finish(ctx, what, what.how);
}

void keeper::on_release_end(context& ctx, mapping& what) {
  // After a suspend nobody waits any more.
  if (what.may_overtake() && ctx.now < what.release_by) {
    // Whatever was on its way has arrived by now, so the last word is a delete.
    if (std::exchange(what.overtakes_in_pcp, false)) ask_pcp(ctx, what, map_purpose::remove);
    if (std::exchange(what.overtakes_in_nat_pmp, false)) {
      ask_nat_pmp(ctx, what, map_purpose::remove);
    }
    return ctx.timers.set({timer::release_end, what.id}, what.release_by);
  }
  const bool answered = !what.is_open() && !what.may_overtake();
  finish(ctx, what, answered ? what.how : removal::left_to_expire);
}

void keeper::finish(context& ctx, mapping& what, removal how) {
  const mapping_id id = what.id;
  table_.move_to(what, phase::releasing);
  cancel_timers(ctx, id);
  if (gateway_) gateway_->forget(ctx, id);
  if (what.left_behind && ctx.now < what.left_behind->until) how = removal::left_to_expire;
  ctx.log.log(log_level::debug, what.request.transport, ' ', what.request.internal_port,
              " is removed: ", to_string(how));
  tell(what, event_kind::removed, {.how = how});
  end_set(ctx, what, how);
  mapping* next = table_.find_other(what);
  table_.erase(id);
  if (table_.empty()) {
    stop_looking(ctx);
    if (is_tidying() && !gateway_->leave(ctx)) close_gateway(ctx);
    ctx.timers.cancel(key(timer::recheck));
    return;
  }
  if (next != nullptr && next->phase == phase::waiting) begin(ctx, *next);
}

void keeper::stop_tidying(context& ctx) {
  if (is_tidying()) close_gateway(ctx);
}

void keeper::release_all(context& ctx) {
  for_each([](const mapping& each) { return each.phase != phase::releasing; },
           [&](mapping& each) { release(ctx, each.id, false); });
}

void keeper::drop(context& ctx, mapping_id id) {
  mapping* what = table_.find(id);
  if (what == nullptr) return;
  if (release_of_set(ctx, *what)) return;
  take_back_unsent(ctx, *what);
  if (!what->is_open()) return finish(ctx, *what, removal::already_gone);
  if (gateway_ && gateway_->is_ready()) {
    if (what->pcp_open && !is_flow(what->request)) {
      gateway_->drop_in_pcp(ctx, pcp_request(*what, map_purpose::remove));
    }
    if (what->nat_pmp_open) gateway_->drop_in_nat_pmp(ctx, deletion_of(*what));
  }
  finish(ctx, *what, removal::left_to_expire);
}

void keeper::drop_all(context& ctx) {
  for_each([](const mapping&) { return true; }, [&](mapping& each) { drop(ctx, each.id); });
}

void keeper::cancel_attempt_timers(context& ctx, mapping_id id) {
  for (const timer each : {timer::head_start, timer::attempt_end, timer::retry}) {
    ctx.timers.cancel({each, id});
  }
}

void keeper::cancel_timers(context& ctx, mapping_id id) {
  cancel_attempt_timers(ctx, id);
  for (const timer each : {timer::renew, timer::lease_end, timer::release_end}) {
    ctx.timers.cancel({each, id});
  }
}

}  // namespace damson::core
