/// Whom to ask in PCP, where the program has named servers: each in turn until one answers.

#include <algorithm>

#include "core/keeper.hpp"

namespace damson::core {

/// The one that is asked says nothing. False where there is no other, or where it has granted
/// something: its mappings are renewed with itself, and what it does not answer is tried again.
bool keeper::ask_next_pcp_server(context& ctx) {
  if (!gateway_->has_pcp_servers()) return false;
  const auto is_its = [](const mapping& each) {
    const bool is_ending = each.phase == phase::releasing || each.phase == phase::replacing;
    return each.is_held_by(protocol::pcp) || (is_ending && each.pcp_open && each.told_mapped);
  };
  bool is_needed = false;
  for_each(is_its, [&](const mapping&) { is_needed = true; });
  if (is_needed) return false;

  // Where it never said a word it is taken for not being there; else it may have obeyed.
  const bool was_there = gateway_->has_pcp_server_answered();
  const endpoint before = gateway_->server(protocol::pcp);
  const bool is_left = gateway_->use_next_pcp_server(ctx);
  if (gateway_->server(protocol::pcp) != before) {
    for_each([](const mapping& each) { return each.pcp_open && each.phase != phase::releasing; },
             [&](mapping& each) {
               if (was_there) {
                 add_leftover(ctx, each, std::nullopt, ctx.now + wished_lease(each, protocol::pcp));
               }
               each.pcp_open = each.pcp_open_before = false;
             });
  }
  if (!is_left) return false;
  for_each([](const mapping& each) { return each.phase == phase::asking && each.pcp.under_way; },
           [&](mapping& each) {
             const timer_key end{timer::attempt_end, each.id};
             const time_point until = ctx.now + schedules::first_contact.answer_by;
             if (until > ctx.timers.at(end)) ctx.timers.set(end, until);
             ask_pcp(ctx, each, map_purpose::create);
           });
  return true;
}

/// What is held there is only out of reach.
void keeper::on_event(context& ctx, const gateway_event::pcp_server_broken& what) {
  on_out_of_reach(protocol::pcp);
  if (ask_next_pcp_server(ctx)) return;
  for_each([](const mapping& each) { return each.phase == phase::asking && each.pcp.under_way; },
           [&](mapping& each) {
             set_failed(ctx, each, protocol::pcp, what.reason);
             gateway_->give_up_pcp(ctx, each.id);
             reconsider(ctx, each);
           });
}

}  // namespace damson::core
