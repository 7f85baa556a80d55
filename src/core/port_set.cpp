/// Several ports in a row that a PCP server has granted as one mapping (RFC 7753). The one that was
/// asked for, the owner, has the request, the nonce and the lease; the others are held as long as
/// it is.

#include <algorithm>
#include <utility>

#include "core/keeper.hpp"

namespace damson::core {

namespace {

/// What the router makes of its request when it can be reached again is for several.
bool is_unanswered(const mapping& owner) {
  return owner.phase == phase::pausing && owner.pcp_open && owner.last_failure &&
         was_all_silence(*owner.last_failure);
}

}  // namespace

/// What is mapped already by itself is not asked for again, with another nonce.
std::uint16_t keeper::set_size_to_ask(const mapping& what) {
  if (what.pcp_options_refused || gateway_->lacks_port_sets()) return 1;
  std::uint16_t size = 1;
  while (size < what.request.port_count) {
    const mapping* after = table_.find_after(what, size);
    if (after != nullptr && (after->is_open() || after->is_of_set())) break;
    ++size;
  }
  if (size > 1 && std::ranges::count(sets_, what.id) == 0) sets_.push_back(what.id);
  return size;
}

/// The mapping whose set has this port, or is asked for with it.
mapping* keeper::set_over(const mapping& what) {
  for (const mapping_id id : sets_) {
    mapping* owner = table_.find(id);
    if (owner == nullptr || id == what.id) continue;
    const bool is_asked = owner->phase == phase::asking && owner->pcp_open;
    if (!is_asked && !is_unanswered(*owner) && !owner->is_held_by(protocol::pcp)) continue;
    const map_request& has = owner->request;
    const std::uint32_t end = std::uint32_t{has.internal_port} + owner->set_size;
    if (has.transport == what.request.transport && has.third_party == what.request.third_party &&
        what.request.internal_port > has.internal_port && what.request.internal_port < end) {
      return owner;
    }
  }
  return nullptr;
}

/// Whether nothing is to be asked for it, because a set has it, or will have.
bool keeper::is_left_to_a_set(context& ctx, mapping& what) {
  if (what.is_open() || is_flow(what.request)) return false;
  const mapping* owner = set_over(what);
  if (owner == nullptr) {
    what.set_owner = mapping_id::none;
    return false;
  }
  if (owner->phase == phase::asking) {
    set_is_awaited_ = true;
    return true;
  }
  if (!owner->is_held()) {
    // It waits with the owner, and for nothing of its own.
    what.set_owner = owner->id;
    what.last_failure = owner->last_failure;
    table_.move_to(what, phase::pausing);
    tell(what, event_kind::failed, {.why = *owner->last_failure});
    return true;
  }
  const mapping_info granted = as_member(what, *owner);
  const bool is_allowed =
      allows(what.request, protocol::pcp) && what.request.peers == owner->request.peers;
  if (is_allowed && will_do(what.request, granted.external)) {
    join(ctx, what, *owner, granted);
  } else {
    what.pcp = what.nat_pmp = what.upnp = {};
    attempt_failed(ctx, what,
                   {is_allowed ? errc::external_not_available : errc::already_mapped, {}});
  }
  return true;
}

mapping_info keeper::as_member(const mapping& what, const mapping& owner) {
  const int after = what.request.internal_port - owner.request.internal_port;
  mapping_info info = owner.info;
  info.id = what.id;
  info.internal.port = what.request.internal_port;
  info.external.port = static_cast<std::uint16_t>(owner.info.external.port + after);
  return info;
}

void keeper::join(context& ctx, mapping& what, const mapping& owner, const mapping_info& granted) {
  what.set_owner = owner.id;
  what.set_ended.reset();
  what.attempt_began = owner.attempt_began;
  what.pcp = owner.pcp;
  what.nat_pmp = owner.nat_pmp;
  what.upnp = owner.upnp;
  what.lease.reset();
  what.info = granted;
  hold(ctx, what);
}

/// What is there is what the router said last.
void keeper::note_set(mapping& what, const map_outcome& outcome) {
  if (outcome.what != map_outcome::kind::granted) return;
  if (what.set_size > 1 && outcome.port_count == 1) gateway_->note_no_port_sets();
  what.set_size = outcome.port_count;
}

template <class Action>
void keeper::for_members(const mapping& owner, Action&& action) {
  if (std::ranges::count(sets_, owner.id) == 0) return;
  for (std::uint16_t after = 1; after < engine_limits::parts; ++after) {
    mapping* member = table_.find_after(owner, after);
    if (member != nullptr && member->set_owner == owner.id) action(*member, after);
  }
}

/// After a renewal, which may have changed the terms, or granted less.
void keeper::refresh_members(context& ctx, const mapping& owner) {
  if (!owner.is_held()) return;
  for_members(owner, [&](mapping& each, std::uint16_t after) {
    if (!each.is_held()) return;
    if (after >= owner.set_size) return leave_set(ctx, each, {errc::mapping_gone, {}});
    const endpoint before = each.info.external;
    each.info = as_member(each, owner);
    if (!will_do(each.request, each.info.external)) {
      return leave_set(ctx, each, {errc::external_not_available, {}});
    }
    if (each.info.external != before) tell(each, event_kind::changed);
    confirm(each);
  });
}

void keeper::lose_members(context& ctx, const mapping& owner, const failure& why) {
  for_members(owner, [&](mapping& each, std::uint16_t) {
    if (each.is_held()) lose(ctx, each, why);
  });
}

/// They have waited for it to be asked for again.
void keeper::want_members(context& ctx, const mapping& owner) {
  for_members(owner, [&](mapping& each, std::uint16_t) {
    if (each.phase == phase::pausing && !is_pausing(ctx, each.id)) want(ctx, each);
  });
}

void keeper::leave_set(context& ctx, mapping& what, failure why) {
  what.set_owner = mapping_id::none;
  lose(ctx, what, std::move(why));
  want(ctx, what);
}

/// Those that are being released end as it did; what becomes of the others is seen when all that
/// happens now has happened.
void keeper::end_set(context& ctx, const mapping& owner, removal how) {
  for_members(owner, [&](mapping& each, std::uint16_t) {
    each.set_owner = mapping_id::none;
    if (each.phase == phase::releasing) return finish(ctx, each, how);
    each.set_ended = how;
    left_by_set_.push_back(each.id);
  });
  std::erase(sets_, owner.id);
}

/// False where it has, or may have, something of its own on the router.
bool keeper::release_of_set(context& ctx, mapping& what) {
  if (what.set_ended) {
    finish(ctx, what, *what.set_ended);
    return true;
  }
  if (!what.is_of_set() || !what.is_held()) return false;
  const mapping* owner = table_.find(what.set_owner);
  if (owner->phase == phase::releasing) {
    cancel_timers(ctx, what.id);
    table_.move_to(what, phase::releasing);
  } else {
    // A set is deleted as a whole.
    finish(ctx, what, removal::still_shared);
  }
  return true;
}

void keeper::see_to_sets(context& ctx) {
  for (const mapping_id id : std::exchange(left_by_set_, {})) {
    mapping* what = table_.find(id);
    if (what == nullptr || !std::exchange(what->set_ended, std::nullopt)) continue;
    if (what->is_held()) {
      leave_set(ctx, *what, {errc::mapping_gone, {}});
    } else if (what->phase == phase::pausing && !is_pausing(ctx, id)) {
      want(ctx, *what);
    }
  }
  if (std::exchange(set_is_awaited_, false)) begin_waiting(ctx);
}

}  // namespace damson::core
