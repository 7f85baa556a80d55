#include "core/port_groups.hpp"

#include <algorithm>
#include <utility>

#include "core/election.hpp"

namespace damson::core {
namespace {

/// After the wish, as many as a UPnP mapping alone tries.
constexpr unsigned most_other_bases = 4;
/// Below are the ports that are somebody's by custom.
constexpr std::uint32_t lowest_base = 1024;
constexpr std::uint32_t highest_port = 0xffff;

bool is_open(event_kind kind) noexcept {
  return kind == event_kind::mapped || kind == event_kind::changed;
}

bool is_about_the_port(errc reason) noexcept {
  return reason == errc::external_not_available || reason == errc::no_resources;
}

/// Whether another external port may be had where this one was not.
bool is_about_the_port(const failure& why) {
  return is_about_the_port(why.reason) ||
         std::ranges::any_of(why.protocols, [](const protocol_failure& each) {
           return is_about_the_port(each.reason);
         });
}

mapping_event failed_with(errc why) {
  mapping_event what;
  what.kind = event_kind::failed;
  what.why = {why, {}};
  return what;
}

std::uint16_t random_base(random_source& random, std::uint16_t count) {
  return static_cast<std::uint16_t>(random.uniform(lowest_base, highest_port + 1 - count));
}

/// As long as whoever refused wants it.
std::chrono::nanoseconds pause_after(const failure& why, std::chrono::nanoseconds recheck_period) {
  std::chrono::nanoseconds pause = recheck_period;
  for (const protocol_failure& each : why.protocols) {
    if (each.retry_after) pause = std::max<std::chrono::nanoseconds>(pause, *each.retry_after);
  }
  return pause;
}

}  // namespace

// ---------------------------------------------------------------------------------------------
// What is wanted

void port_groups::create(context& ctx, mapping_id id, const map_request& wanted) {
  group& of = groups_.try_emplace(id).first->second;
  of.wanted = wanted;
  of.created = ctx.now;
  of.base = wanted.external_port;
  const auto add_row = [&](transport what) {
    for (std::uint16_t offset = 0; offset < wanted.port_count; ++offset) {
      of.members.push_back({.transport = what, .offset = offset});
    }
  };
  add_row(wanted.transport);
  if (wanted.both_transports) add_row(other(wanted.transport));
  of.wanted.all_or_nothing = wanted.all_or_nothing && of.members.size() > 1;
  ask(ctx, id, of, of.members.front());
}

/// Outside it is where the first leads out, or is wanted to.
std::uint16_t port_groups::wish_of(const group& of, const member& what) {
  const member& leader = of.members.front();
  if (&what == &leader) return of.base;
  const std::uint32_t base = leader.open ? leader.open->info.external.port : of.base;
  const std::uint32_t wish = base + what.offset;
  return base == 0 || wish > highest_port ? std::uint16_t{0} : static_cast<std::uint16_t>(wish);
}

void port_groups::ask(context& ctx, mapping_id id, group& of, member& what) {
  map_request wanted = of.wanted;
  wanted.transport = what.transport;
  wanted.both_transports = false;
  wanted.internal_port = static_cast<std::uint16_t>(of.wanted.internal_port + what.offset);
  // Who is asked for this one hears that those after it are wanted as well.
  wanted.port_count = static_cast<std::uint16_t>(of.wanted.port_count - what.offset);
  wanted.external_port = what.wish = wish_of(of, what);
  if (of.wanted.all_or_nothing && &what != &of.members.front()) wanted.prefer_failure = true;
  if (!of.has_result) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(of.deadline() - ctx.now);
    wanted.timeout = std::max(left, std::chrono::milliseconds{1});
  }
  what.standing = standing::asked;
  what.id = new_id();
  group_of_.emplace(what.id, id);
  requests_.create(ctx, what.id, wanted);
}

void port_groups::ask_followers(context& ctx, mapping_id id, group& of) {
  for (std::size_t i = 1; i < of.members.size(); ++i) {
    if (of.members[i].standing == standing::idle) ask(ctx, id, of, of.members[i]);
  }
}

void port_groups::let_go(context& ctx, member& what, bool keep_lease) {
  what.open.reset();
  if (what.standing != standing::asked) return;
  what.standing = standing::ending;
  requests_.release(ctx, what.id, keep_lease);
}

void port_groups::release(context& ctx, mapping_id id, bool keep_lease) {
  group& of = groups_.at(id);
  of.is_releasing = true;
  ctx.timers.cancel({timer::group, id});
  for (member& each : of.members) let_go(ctx, each, keep_lease);
  if (is_over(of)) end(ctx, id);
}

void port_groups::release_all(context& ctx) {
  std::vector<mapping_id> over;
  for (auto& [id, of] : groups_) {
    of.is_releasing = true;
    ctx.timers.cancel({timer::group, id});
    if (is_over(of)) over.push_back(id);
  }
  std::ranges::sort(over);
  for (const mapping_id id : over) end(ctx, id);
}

bool port_groups::is_over(const group& of) {
  return std::ranges::all_of(of.members,
                             [](const member& each) { return each.standing == standing::idle; });
}

bool port_groups::on_timer(context& ctx, const timer_key& due) {
  if (due.name != timer::group) return false;
  group& of = groups_.at(due.mapping);
  if (of.is_giving_back) {
    of.is_pausing_next = true;
    tell_failed(ctx, due.mapping, of, failed_with(errc::timed_out));
  } else {
    ask(ctx, due.mapping, of, of.members.front());
  }
  return true;
}

// ---------------------------------------------------------------------------------------------
// What it is told

bool port_groups::hear(context& ctx) {
  auto events = requests_.take_part_events();
  for (mapping_event& each : events) on_event(ctx, std::move(each));
  return !events.empty();
}

void port_groups::on_event(context& ctx, mapping_event what) {
  const auto found = group_of_.find(what.info.id);
  if (found == group_of_.end()) return;
  const mapping_id id = found->second;
  group& of = groups_.at(id);
  member& about = *std::ranges::find(of.members, what.info.id, &member::id);
  if (what.kind == event_kind::removed) return on_removed(ctx, id, of, about, what);
  if (of.is_releasing || about.standing != standing::asked) return;
  if (is_open(what.kind)) {
    about.open = what;
  } else {
    about.open.reset();
  }
  if (of.wanted.all_or_nothing) return on_member_of_all(ctx, id, of, about, std::move(what));

  const bool decides = &about == &of.members.front() && !of.has_result;
  tell(ctx, id, of, about, what);
  if (!decides) return;
  ask_followers(ctx, id, of);
  of.has_result = true;
  // Nobody is there who would answer them.
  if (what.kind == event_kind::failed && was_all_silence(what.why)) tell_failed(ctx, id, of, what);
}

void port_groups::on_removed(context& ctx, mapping_id id, group& of, member& over,
                             const mapping_event& what) {
  group_of_.erase(over.id);
  over.id = mapping_id::none;
  over.standing = standing::idle;
  over.open.reset();
  if (of.is_releasing) {
    if (of.removed.id == mapping_id::none || outweighs(what.how, of.how)) {
      of.removed = what.info;
      of.how = what.how;
    }
    if (is_over(of)) end(ctx, id);
    return;
  }
  if (what.how == removal::left_to_expire) {
    const auto until = what.info.permanent ? time_point::max() : ctx.now + what.info.lifetime;
    of.left_until = std::max(of.left_until, until);
  }
  if (!of.is_giving_back) {
    if (of.members.front().open) follow(ctx, id, of);
  } else if (is_over(of)) {
    on_given_back(ctx, id, of);
  }
}

// ---------------------------------------------------------------------------------------------
// All or nothing

void port_groups::on_member_of_all(context& ctx, mapping_id id, group& of, member& about,
                                   mapping_event what) {
  switch (what.kind) {
    case event_kind::mapped:
    case event_kind::changed:
      if (of.is_whole && agree(of)) return tell(ctx, id, of, about, std::move(what));
      break_up(ctx, id, of, {errc::external_not_available, {}});
      if (agree(of)) return tell_whole(ctx, id, of);
      if (&about == &of.members.front()) follow(ctx, id, of);
      return;
    case event_kind::lost:
      return break_up(ctx, id, of, what.why);
    case event_kind::failed:
      return on_failed(ctx, id, of, about, what);
    case event_kind::removed:
      return;
  }
}

/// Whether all are open, and outside as they are inside.
bool port_groups::agree(const group& of) {
  return std::ranges::all_of(of.members, [&](const member& each) {
    const auto& leader = of.members.front().open;
    return leader && each.open &&
           each.open->info.external.port == leader->info.external.port + each.offset;
  });
}

/// The others are asked for where the first leads out now.
void port_groups::follow(context& ctx, mapping_id id, group& of) {
  const std::uint32_t base = of.members.front().open->info.external.port;
  if (base + of.wanted.port_count > highest_port + 1) {
    return on_failed(ctx, id, of, of.members.back(), failed_with(errc::external_not_available));
  }
  for (std::size_t i = 1; i < of.members.size(); ++i) {
    member& each = of.members[i];
    if (each.standing == standing::idle) {
      ask(ctx, id, of, each);
    } else if (each.wish != wish_of(of, each)) {
      let_go(ctx, each);
    }
  }
}

void port_groups::tell_whole(context& ctx, mapping_id id, group& of) {
  of.is_whole = of.has_result = true;
  of.other_bases = 0;
  for (member& each : of.members) {
    mapping_event open = *each.open;
    open.kind = event_kind::mapped;
    tell(ctx, id, of, each, std::move(open));
  }
}

void port_groups::break_up(context& ctx, mapping_id id, group& of, const failure& why) {
  if (!std::exchange(of.is_whole, false)) return;
  for (member& each : of.members) {
    mapping_event lost;
    lost.kind = event_kind::lost;
    lost.info = each.last_told;
    lost.why = why;
    tell(ctx, id, of, each, std::move(lost));
  }
}

void port_groups::on_failed(context& ctx, mapping_id id, group& of, const member& about,
                            const mapping_event& what) {
  const member& leader = of.members.front();
  const bool is_unheard = was_all_silence(what.why);
  if (&about == &leader || (is_unheard && !leader.open)) {
    // It is tried for by itself; and what a router has that cannot be heard it may have yet when it
    // can, with the same nonces.
    for (member& each : of.members) {
      if (!is_unheard && &each != &leader) let_go(ctx, each);
    }
    return tell_failed(ctx, id, of, what);
  }
  const bool goes_elsewhere =
      !of.wanted.prefer_failure && is_about_the_port(what.why) && of.other_bases < most_other_bases;
  of.is_pausing_next = !goes_elsewhere;
  of.pause = pause_after(what.why, ctx.opts.recheck_period);
  if (goes_elsewhere) {
    ++of.other_bases;
    of.base = random_base(ctx.random, of.wanted.port_count);
    ctx.log.log(log_level::info, of.wanted.transport, ' ', of.wanted.internal_port,
                ": not all the ports can be had there, so they are asked for elsewhere");
    if (!of.has_result) ctx.timers.set({timer::group, id}, std::max(of.deadline(), ctx.now));
  } else {
    tell_failed(ctx, id, of, what);
  }
  give_back(ctx, id, of);
}

void port_groups::give_back(context& ctx, mapping_id id, group& of) {
  of.is_giving_back = true;
  for (member& each : of.members) let_go(ctx, each);
  if (is_over(of)) on_given_back(ctx, id, of);
}

void port_groups::on_given_back(context& ctx, mapping_id id, group& of) {
  of.is_giving_back = false;
  ctx.timers.cancel({timer::group, id});
  if (!of.is_pausing_next) return ask(ctx, id, of, of.members.front());
  of.other_bases = 0;
  of.base = of.wanted.external_port;
  ctx.timers.set({timer::group, id}, ctx.now + of.pause);
}

// ---------------------------------------------------------------------------------------------
// What is told

/// What one has failed with is told of all.
void port_groups::tell_failed(context& ctx, mapping_id id, group& of, const mapping_event& of_one) {
  of.has_result = true;
  for (member& each : of.members) {
    mapping_event failed = of_one;
    failed.info.transport = each.transport;
    failed.info.internal.port = static_cast<std::uint16_t>(of.wanted.internal_port + each.offset);
    tell(ctx, id, of, each, std::move(failed));
  }
}

void port_groups::tell(context& ctx, mapping_id id, group& of, member& about, mapping_event what) {
  switch (what.kind) {
    case event_kind::mapped:
      what.regained = std::exchange(about.told_mapped, true);
      if (!what.regained) about.elapsed = ctx.now - of.created;
      about.told_failed.reset();
      break;
    case event_kind::failed:
      if (about.told_mapped) return;
      if (about.told_failed && says_the_same(*about.told_failed, what.why)) return;
      about.told_failed = what.why;
      break;
    default:
      break;
  }
  what.info.id = id;
  what.info.elapsed = about.elapsed;
  if (is_open(what.kind)) about.last_told = what.info;
  const auto index = static_cast<std::size_t>(&about - of.members.data());
  events_.push_back({.member = index, .what = std::move(what)});
}

void port_groups::end(context& ctx, mapping_id id) {
  const auto over = groups_.extract(id);
  const group& of = over.mapped();
  mapping_event what;
  what.kind = event_kind::removed;
  what.info = of.removed.id != mapping_id::none ? of.removed : of.members.front().last_told;
  what.info.id = id;
  what.how = ctx.now < of.left_until ? removal::left_to_expire : of.how;
  events_.push_back({.member = 0, .what = std::move(what)});
}

}  // namespace damson::core
