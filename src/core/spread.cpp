#include "core/spread.hpp"

#include <algorithm>
#include <utility>

namespace damson::core {
namespace {

/// Somebody who was away for longer comes back as another part.
constexpr std::chrono::hours longest_absence{24};

std::vector<ip_family> families_of(const map_request& wanted) {
  if (wanted.families == ip_families::both) return {ip_family::v4, ip_family::v6};
  return {family_of(wanted)};
}

/// Without what names something of the other family.
map_request for_family(map_request wanted, ip_family family) {
  wanted.families = family == ip_family::v4 ? ip_families::v4 : ip_families::v6;
  wanted.every_uplink = false;
  for (ip_address* named : {&wanted.gateway, &wanted.local_address, &wanted.external_address}) {
    if (named->family() != family) *named = {};
  }
  return wanted;
}

/// Whether the ways out of the family are looked for; else there is the one that is named, or that
/// the traffic takes.
bool follows_network(const map_request& wanted, ip_family family, const options& opts) {
  return wanted.every_uplink &&
         choice_of(for_family(wanted, family), opts).gateway.is_unspecified();
}

}  // namespace

// ---------------------------------------------------------------------------------------------
// What the program wants

void spread::create(context& ctx, mapping_id id, const map_request& wanted) {
  whole& made = wholes_.try_emplace(id).first->second;
  made.wanted = wanted;
  if (groups_.request_count() + size() > engine_limits::mappings) {
    return fail(ctx, id, made, errc::limit_reached);
  }
  made.is_possible = true;
  if (!wanted.every_uplink || seen_.is_fresh(ctx)) return begin(ctx, id, made);
  ctx.timers.set({timer::timeout, id}, ctx.now + wanted.timeout);
  seen_.look(ctx);
}

void spread::begin(context& ctx, mapping_id id, whole& of) {
  of.has_begun = true;
  ctx.timers.cancel({timer::timeout, id});
  for (const ip_family family : families_of(of.wanted)) {
    if (follows_network(of.wanted, family, ctx.opts)) {
      follow(ctx, id, of, family);
    } else {
      add(of, family);
    }
  }
  // All are there before anything is told of one.
  for (part& each : of.parts) {
    for (port& one : each.ports) one.is_awaited = true;
  }
  for (part& each : of.parts) {
    if (each.standing == standing::missing) tell_failed(ctx, id, of, each);
  }
  ask_for_new(ctx, id, of);
  arm_look(ctx);
}

void spread::release(context& ctx, mapping_id id, bool keep_lease) {
  whole& of = wholes_.at(id);
  if (std::exchange(of.is_releasing, true)) {
    ++ctx.counters.inputs_ignored;
    return;
  }
  ctx.timers.cancel({timer::timeout, id});
  std::erase_if(of.parts, [](const part& each) { return each.id == mapping_id::none; });
  arm_look(ctx);
  if (of.parts.empty()) return end(ctx, id);
  for (part& each : of.parts) let_go(ctx, each, keep_lease);
}

void spread::release_all(context& ctx) {
  std::vector<mapping_id> empty;
  for (auto& [id, of] : wholes_) {
    of.is_releasing = true;
    ctx.timers.cancel({timer::timeout, id});
    std::erase_if(of.parts, [](const part& each) { return each.id == mapping_id::none; });
    for (const part& each : of.parts) ctx.timers.cancel({timer::part_end, each.id});
    if (of.parts.empty()) empty.push_back(id);
  }
  for (const mapping_id id : empty) end(ctx, id);
  groups_.release_all(ctx);
  arm_look(ctx);
}

// ---------------------------------------------------------------------------------------------
// The network

void spread::on_network(context& ctx) {
  for (auto& [id, of] : wholes_) {
    if (of.is_releasing || !of.is_possible || !of.wanted.every_uplink) continue;
    if (!of.has_begun) {
      begin(ctx, id, of);
      continue;
    }
    for (const ip_family family : families_of(of.wanted)) {
      if (follows_network(of.wanted, family, ctx.opts)) follow(ctx, id, of, family);
    }
    ask_for_new(ctx, id, of);
  }
  arm_look(ctx);
}

/// Has a part for each way out that there is.
void spread::follow(context& ctx, mapping_id id, whole& of, ip_family family) {
  auto ways = uplinks(seen_.facts, choice_of(for_family(of.wanted, family), ctx.opts));
  const std::size_t most_ways = engine_limits::parts / ports_of(of.wanted);
  if (ways.size() > most_ways) ways.resize(most_ways);
  for (part& each : of.parts) {
    const bool is_there = std::ranges::any_of(
        ways, [&](const uplink& way) { return each.by == way.name() && each.local == way.local; });
    if (each.family == family && each.standing == standing::present && !is_there) {
      leave(ctx, id, of, each);
    }
  }
  for (const uplink& way : ways) come(ctx, id, of, family, way);
  see_to_one(of, family);
}

/// A family without any way out has a part that stands for the next.
void spread::see_to_one(whole& of, ip_family family) {
  const bool has_one = std::ranges::any_of(of.parts, [&](const part& each) {
    return each.family == family && each.standing != standing::ending;
  });
  if (!has_one) add(of, family).standing = standing::missing;
}

void spread::come(context& ctx, mapping_id id, whole& of, ip_family family, const uplink& way) {
  const auto known = std::ranges::find_if(of.parts, [&](const part& each) {
    return each.family == family && each.by == way.name() && each.local == way.local &&
           (each.standing == standing::present || each.standing == standing::away);
  });
  if (known != of.parts.end()) {
    if (known->standing == standing::present) return;
    known->standing = standing::present;
    ctx.timers.cancel({timer::part_end, known->id});
    // To its request that is no news.
    if (!way.leads_out()) tell_failed(ctx, id, of, *known);
    return;
  }
  const auto missing = std::ranges::find_if(of.parts, [&](const part& each) {
    return each.family == family && each.standing == standing::missing;
  });
  part& made = missing == of.parts.end() ? add(of, family) : *missing;
  made.standing = standing::present;
  made.by = way.name();
  made.local = way.local;
}

/// What cannot be reached any more is left alone. A router may have the mapping when the way out
/// comes back, and then it has to be asked with the same nonce.
void spread::leave(context& ctx, mapping_id id, whole& of, part& what) {
  const uplink_choice how{
      .family = what.family, .interface_name = what.by, .gateway = {}, .local = what.local};
  std::chrono::seconds lease = of.wanted.lifetime;
  for (std::size_t i = 0; i < what.ports.size(); ++i) {
    lease = std::max(lease, what.ports[i].told.lifetime);
    mapping_event gone;
    gone.kind = event_kind::lost;
    gone.info = what.ports[i].told;
    gone.why = {errc::network_changed, {}};
    gone.gone = true;
    tell(ctx, id, of, what, {.member = i, .what = std::move(gone)});
  }
  if (choose_uplink(seen_.facts, how)) return let_go(ctx, what, false);
  what.standing = standing::away;
  ctx.timers.set({timer::part_end, what.id},
                 ctx.now + std::min<std::chrono::seconds>(lease, longest_absence));
  const auto is_away = [](const part& each) { return each.standing == standing::away; };
  const auto away = static_cast<std::size_t>(std::ranges::count_if(of.parts, is_away));
  if (away * what.ports.size() > engine_limits::parts) {
    let_go(ctx, *std::ranges::find_if(of.parts, is_away), false);
  }
}

spread::part& spread::add(whole& of, ip_family family) {
  part made{.number = of.last_part + 1, .family = family, .ports = {}};
  made.local = unspecified(family);
  const auto add_row = [&](transport what) {
    for (std::uint16_t offset = 0; offset < of.wanted.port_count; ++offset) {
      mapping_info& told = made.ports.emplace_back().told;
      told.transport = what;
      told.internal.port = static_cast<std::uint16_t>(of.wanted.internal_port + offset);
    }
  };
  add_row(of.wanted.transport);
  if (of.wanted.both_transports) add_row(other(of.wanted.transport));
  of.last_part += static_cast<std::uint32_t>(made.ports.size());
  return of.parts.emplace_back(std::move(made));
}

void spread::ask_for_new(context& ctx, mapping_id id, whole& of) {
  for (part& each : of.parts) {
    if (each.id != mapping_id::none || each.standing == standing::missing) continue;
    each.id = groups_.new_group();
    whole_of_.emplace(each.id, id);
    map_request wanted = for_family(of.wanted, each.family);
    if (!each.by.empty()) wanted.interface_name = each.by;
    if (!each.local.is_unspecified()) wanted.local_address = each.local;
    groups_.create(ctx, each.id, wanted);
  }
}

void spread::let_go(context& ctx, part& what, bool keep_lease) {
  if (std::exchange(what.standing, standing::ending) == standing::ending) return;
  ctx.timers.cancel({timer::part_end, what.id});
  groups_.release(ctx, what.id, keep_lease);
}

/// Where a family has no way out nobody else looks for one.
void spread::arm_look(context& ctx) {
  const bool is_wanted = std::ranges::any_of(wholes_, [](const auto& each) {
    return std::ranges::any_of(each.second.parts,
                               [](const part& one) { return one.standing == standing::missing; });
  });
  if (!is_wanted) return ctx.timers.cancel(timer::look);
  if (!ctx.timers.is_set(timer::look)) {
    ctx.timers.set(timer::look, ctx.now + ctx.opts.recheck_period);
  }
}

bool spread::on_timer(context& ctx, const timer_key& due) {
  if (groups_.on_timer(ctx, due)) return true;
  if (due.name == timer::look) {
    ctx.timers.set(timer::look, ctx.now + ctx.opts.recheck_period);
    seen_.look(ctx);
    return true;
  }
  if (due.name == timer::part_end) {
    whole& of = wholes_.at(whole_of_.at(due.mapping));
    let_go(ctx, *std::ranges::find(of.parts, due.mapping, &part::id), false);
    return true;
  }
  const auto late = wholes_.find(due.mapping);
  if (due.name != timer::timeout || late == wholes_.end()) return false;
  fail(ctx, due.mapping, late->second, errc::timed_out);
  return true;
}

// ---------------------------------------------------------------------------------------------
// What it is told

bool spread::pass_on(context& ctx) {
  const bool has_news = groups_.hear(ctx);
  for (group_event& each : groups_.take_events()) pass_on(ctx, std::move(each));
  return has_news;
}

void spread::pass_on(context& ctx, group_event told) {
  const auto found = whole_of_.find(told.what.info.id);
  if (found == whole_of_.end()) return;
  const mapping_id id = found->second;
  whole& of = wholes_.at(id);
  if (told.what.kind == event_kind::removed) return on_removed(ctx, id, of, told.what);
  part& about = *std::ranges::find(of.parts, told.what.info.id, &part::id);
  if (about.standing == standing::present) tell(ctx, id, of, about, std::move(told));
}

void spread::on_removed(context& ctx, mapping_id id, whole& of, const mapping_event& what) {
  whole_of_.erase(what.info.id);
  const auto over = std::ranges::find(of.parts, what.info.id, &part::id);
  const ip_family family = over->family;
  of.parts.erase(over);
  if (!of.is_releasing) {
    see_to_one(of, family);
    arm_look(ctx);
    // The mapping goes on without it, but its router may keep what it has.
    if (what.how != removal::left_to_expire) return;
    const auto until = what.info.permanent ? time_point::max() : ctx.now + what.info.lifetime;
    of.left_until = std::max(of.left_until, until);
    return;
  }
  if (of.removed.id == mapping_id::none || outweighs(what.how, of.how)) {
    of.removed = what.info;
    of.how = what.how;
  }
  if (of.parts.empty()) end(ctx, id);
}

void spread::tell(context& ctx, mapping_id id, whole& of, part& about, group_event told) {
  mapping_event& what = told.what;
  port& which = about.ports[told.member];
  what.info.id = id;
  what.info.part = about.number + static_cast<std::uint32_t>(told.member);
  if (what.info.interface_name.empty()) what.info.interface_name = about.by;
  if (what.info.internal.address.is_unspecified()) what.info.internal.address = about.local;
  if (what.kind == event_kind::mapped || what.kind == event_kind::changed) which.told = what.info;
  which.is_awaited = false;
  for (const part& each : of.parts) {
    what.awaited += static_cast<std::size_t>(std::ranges::count_if(each.ports, &port::is_awaited));
  }
  ctx.outputs.emplace_back(std::move(what));
}

void spread::tell_failed(context& ctx, mapping_id id, whole& of, part& about) {
  for (std::size_t i = 0; i < about.ports.size(); ++i) {
    mapping_event what;
    what.kind = event_kind::failed;
    what.info.transport = about.ports[i].told.transport;
    what.info.internal = {about.local, about.ports[i].told.internal.port};
    what.why = {errc::no_gateway, {}};
    tell(ctx, id, of, about, {.member = i, .what = std::move(what)});
  }
}

/// It has no parts yet.
void spread::fail(context& ctx, mapping_id id, const whole& of, errc why) {
  mapping_event what;
  what.kind = event_kind::failed;
  what.info.id = id;
  what.info.transport = of.wanted.transport;
  what.info.internal.port = of.wanted.internal_port;
  what.why = {why, {}};
  ctx.outputs.emplace_back(std::move(what));
}

void spread::end(context& ctx, mapping_id id) {
  whole& of = wholes_.at(id);
  mapping_event what;
  what.kind = event_kind::removed;
  what.info = of.removed;
  what.info.id = id;
  what.info.part = 0;
  what.info.transport = of.wanted.transport;
  what.info.internal.port = of.wanted.internal_port;
  what.how = ctx.now < of.left_until ? removal::left_to_expire : of.how;
  wholes_.erase(id);
  ctx.outputs.emplace_back(std::move(what));
}

}  // namespace damson::core
