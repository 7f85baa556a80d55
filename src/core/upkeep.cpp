/// Looking after what is held: is the router still there, and does it still have the mappings?

#include <algorithm>
#include <utility>

#include "core/keeper.hpp"

namespace damson::core {
namespace {

/// Entries are read back one by one, so that an idle router is left in peace.
constexpr std::chrono::seconds verify_gap{1};

}  // namespace

void keeper::on_recheck(context& ctx) {
  if (table_.count(phase::mapped) == 0) return;
  ctx.timers.set(key(timer::recheck), ctx.now + ctx.opts.recheck_period);
  seen_.look(ctx);
  look_from_outside(ctx);
  if (!gateway_ || !gateway_->is_ready()) return;
  const std::vector<mapping_id> of_upnp = held_by_upnp();
  if (of_upnp.size() < table_.count(phase::mapped)) gateway_->check(ctx);
  if (of_upnp.empty()) return;
  all_verified_early_ = false;
  gateway_->igd().check(ctx);
  if (ctx.timers.is_set(key(timer::verify))) return;
  to_verify_.assign(of_upnp.begin(), of_upnp.end());
  ctx.timers.set(key(timer::verify), ctx.now + verify_gap);
}

void keeper::on_event(context& ctx, const gateway_event::checked& what) {
  if (what.answered) {
    revive(ctx);
    return on_within_reach(ctx, protocol::pcp);
  }
  // Not every PCP server answers ANNOUNCE; a renewal asks the same, and only MAP is a must.
  for (const mapping_id id : table_.ids()) {
    mapping& each = *table_.find(id);
    if (!each.is_held_by(protocol::pcp)) continue;
    // One that is under way has to come to its end: who began anew each time would never know.
    if (!gateway_->pcp_open(id)) renew(ctx, each);
    return;
  }
}

// ---------------------------------------------------------------------------------------------
// Out of reach, and back

void keeper::on_out_of_reach(protocol which) {
  for_each([&](const mapping& each) { return each.is_held_by(which); },
           [](mapping& each) { each.unconfirmed = true; });
}

/// The router answers again: whether it still has the mappings is asked, and the answer told.
void keeper::on_within_reach(context& ctx, protocol which) {
  if (which == protocol::upnp) {
    for (const mapping_id id : held_by_upnp()) {
      if (mapping& each = *table_.find(id); each.unconfirmed) verify(ctx, each);
    }
    return;
  }
  for_each([&](const mapping& each) { return each.is_held_by(which) && each.unconfirmed; },
           [&](mapping& each) { renew(ctx, each); });
}

// ---------------------------------------------------------------------------------------------
// UPnP

void keeper::on_event(context& ctx, const gateway_event::igd_address&) {
  const auto& external = gateway_->igd().external_address();
  if (!external || external->is_unspecified()) return;
  for_each(
      [&](const mapping& each) {
        return each.is_held_by(protocol::upnp) && each.info.external.address != *external;
      },
      [&](mapping& each) { on_moved(ctx, each, {*external, each.info.external.port}); });
}

void keeper::on_event(context& ctx, const gateway_event::igd_doubtful& what) {
  if (what.is_another) {
    for_each([](const mapping& each) { return each.upnp_open && each.phase != phase::releasing; },
             [&](mapping& each) {
               note_leftover(ctx, each, protocol::upnp);
               if (each.is_held_by(protocol::upnp)) {
                 // The one before may have obeyed a renewal of what it had not granted.
                 const bool was_asked =
                     is_asking(each.id, protocol::upnp) || ctx.now < each.perhaps_until;
                 if (was_asked && each.info.gateway != what.before) {
                   note_unknown_leftover(ctx, each);
                 }
                 return;
               }
               each.upnp_port = 0;
               each.upnp_open = gateway_->igd().is_mapping(each.id);
             });
  }
  on_out_of_reach(protocol::upnp);
  on_within_reach(ctx, protocol::upnp);
}

void keeper::on_event(context& ctx, const gateway_event::igd_checked& what) {
  if (!what.answered) return on_out_of_reach(protocol::upnp);
  revive(ctx);
  on_within_reach(ctx, protocol::upnp);
}

void keeper::on_event(context& ctx, const gateway_event::igd_verified& what) {
  mapping* of = table_.find(what.mapping);
  if (of == nullptr || !of->is_held_by(protocol::upnp)) return;
  of->upnp_seen_at = ctx.now;
  if (!what.is_there) {
    of->info.verified = false;
    // Adding it again is the only way to know.
    if (of->unconfirmed) ask_upnp(ctx, *of, map_purpose::renew);
    return;
  }
  if (*what.is_there) {
    // What another device has of it is left from an earlier lease. When that ends is not known, and
    // need not be told, so it is extended.
    if (of->info.gateway != gateway_->server(protocol::upnp).address) {
      return ask_upnp(ctx, *of, map_purpose::renew);
    }
    of->info.verified = true;
    const ip_address external = gateway_->igd().external_address().value_or(ip_address::any_v4());
    const bool is_other = !external.is_unspecified() && external != of->info.external.address;
    if (is_other) {
      of->info.external.address = external;
      compare(ctx, *of);
    }
    if (!will_do(of->request, of->info.external)) return on_moved(ctx, *of, of->info.external);
    if (is_other && !of->unconfirmed) tell(*of, event_kind::changed);
    return confirm(*of);
  }
  // Swept, pushed out, or lost in a restart: made again at once.
  of->upnp_open = false;
  lose(ctx, *of, {errc::mapping_gone, {}});
  want(ctx, *of);
  // Where one is gone others may be: they are not left to wait for their turns.
  if (!std::exchange(all_verified_early_, true)) verify_all(ctx);
}

/// The one that was seen longest ago tells whether all are gone; where the router itself says that
/// some are, they are looked for one by one.
void keeper::on_event(context& ctx, const gateway_event::igd_hinted& what) {
  const std::vector<mapping_id> held = held_by_upnp();
  if (held.empty()) return;
  all_verified_early_ = false;
  verify(ctx, *table_.find(held.front()));
  if (!what.entries || held.size() == 1 || ctx.timers.is_set(key(timer::verify))) return;
  to_verify_.assign(held.begin() + 1, held.end());
  ctx.timers.set(key(timer::verify), ctx.now + verify_gap);
}

void keeper::verify_all(context& ctx) {
  to_verify_.clear();
  ctx.timers.cancel(key(timer::verify));
  for (const mapping_id id : held_by_upnp()) verify(ctx, *table_.find(id));
}

/// Those that were seen longest ago come first: where exchanges fail, a round of looking may not
/// come to its end, and must not see the same ones each time.
std::vector<mapping_id> keeper::held_by_upnp() {
  std::vector<mapping_id> out = table_.ids();
  std::erase_if(out, [&](mapping_id id) { return !table_.find(id)->is_held_by(protocol::upnp); });
  std::ranges::stable_sort(out, {}, [&](mapping_id id) { return table_.find(id)->upnp_seen_at; });
  return out;
}

void keeper::verify(context& ctx, mapping& what) {
  gateway_->igd().verify(ctx, what.id, {what.info.external.port, what.info.transport},
                         what.info.internal);
}

void keeper::verify_next(context& ctx) {
  while (!to_verify_.empty()) {
    mapping* next = table_.find(to_verify_.front());
    to_verify_.pop_front();
    if (next == nullptr || !next->is_held_by(protocol::upnp)) continue;
    if (!to_verify_.empty()) ctx.timers.set(key(timer::verify), ctx.now + verify_gap);
    return verify(ctx, *next);
  }
}

/// The first confirmation after the router was out of reach is told even if nothing changed.
void keeper::confirm(mapping& what) {
  if (!std::exchange(what.unconfirmed, false)) return;
  tell(what, event_kind::mapped, {.regained = true});
}

}  // namespace damson::core
