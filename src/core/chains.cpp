#include "core/chains.hpp"

#include <algorithm>
#include <utility>

#include "core/election.hpp"

namespace damson::core {
namespace {

/// PCP servers of the provider (RFC 7723 section 4).
constexpr ip_address anycast_v4{ip_address::v4_bytes{192, 0, 0, 9}};
constexpr ip_address anycast_v6{
    ip_address::v6_bytes{0x20, 0x01, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};

bool is_behind_nat(const mapping_info& granted) {
  const address_class worth = granted.external_class();
  return (worth == address_class::private_address || worth == address_class::carrier_nat) &&
         granted.external.address != granted.internal.address;
}

mapping_hop hop_of(const mapping_info& granted) {
  return {.protocol = granted.protocol,
          .gateway = granted.gateway,
          .internal = granted.internal,
          .external = granted.external};
}

/// As the second router is asked. What is wanted outside is wanted of both.
map_request beyond(map_request wanted, std::uint16_t port, bool is_named, const endpoint& before) {
  wanted.internal_port = port;
  // What the ports after it lead to at the first router is not known.
  wanted.port_count = 1;
  wanted.third_party = {};
  if (!is_named) wanted.protocols = protocol_filter::pcp_only;
  if (before.port != 0 && !wanted.prefer_failure) {
    wanted.external_address = before.address;
    wanted.external_port = before.port;
  }
  return wanted;
}

/// Until when a router keeps what was left to it. What it was asked for last may have been granted
/// without a word.
time_point end_of(const mapping_info& left, std::chrono::seconds wished, time_point now) {
  return left.permanent ? time_point::max() : now + std::max(left.lifetime, wished);
}

}  // namespace

chains::port_key chains::key_of(const second& what) const {
  return {what.kept_by, what.info.transport, what.at.port, what.at.remote_peer};
}

// ---------------------------------------------------------------------------------------------
// What is wanted

void chains::create(context& ctx, keeper& by, mapping_id id, const map_request& wanted) {
  entries_.emplace(id, entry{.kept_by = by});
  by.create(ctx, id, wanted);
}

void chains::revise(mapping_id id, const map_request& wanted) {
  const entry& of = entries_.at(id);
  of.kept_by.revise(id, wanted);
  const second* what = of.beyond.get();
  if (what == nullptr || what->id == mapping_id::none) return;
  what->kept_by->revise(what->id,
                        beyond(wanted, what->at.port, what->at.is_named, what->info.external));
}

void chains::release(context& ctx, mapping_id id, bool keep_lease) {
  const auto found = entries_.find(id);
  if (found == entries_.end()) return;
  entry& of = found->second;
  of.is_up = false;
  ctx.timers.cancel({timer::orphaned, id});
  if (of.beyond) give_back(ctx, *of.beyond, keep_lease);
  of.kept_by.release(ctx, id, keep_lease);
}

void chains::release_all(context& ctx) {
  std::vector<mapping_id> all;
  for (const auto& [id, of] : entries_) {
    if (of.beyond) all.push_back(id);
  }
  std::ranges::sort(all);
  for (const mapping_id id : all) release(ctx, id, false);
  keepers_.release_all(ctx);
}

/// Who asked where perhaps nobody is, and heard nothing, has nothing to wait for.
void chains::give_back(context& ctx, second& what, bool keep_lease) {
  if (what.id == mapping_id::none) return;
  const mapping_id id = std::exchange(what.id, mapping_id::none);
  by_port_.erase(key_of(what));
  may_ask_ = true;
  if (is_waited_for(what)) {
    ++what.leaving;
    what.kept_by->release(ctx, id, keep_lease);
  } else {
    first_of_.erase(id);
    what.kept_by->drop(ctx, id);
  }
}

// ---------------------------------------------------------------------------------------------
// The way on

chains::place chains::way_on(const context& ctx, const entry& of, const mapping_info& info) {
  const endpoint& outside = info.external;
  const bool is_known = !outside.address.is_unspecified() && outside.port != 0;
  const bool is_public = info.external_class() == address_class::public_address;
  if (info.protocol == protocol::direct || !is_known || is_public) return {};
  place found{.how = {.family = outside.address.family(),
                      .interface_name = {},
                      .gateway = {},
                      .local = info.internal.address,
                      .client = outside.address},
              .port = outside.port,
              .remote_peer = of.kept_by.request(info.id).remote_peer};
  const auto& named = ctx.opts.upstream;
  if (named && named->family() == found.how.family) {
    found.how.gateway = *named;
    found.is_named = true;
    return found;
  }
  const bool may_ask = ctx.opts.asks_anycast && allows(of.kept_by.request(info.id), protocol::pcp);
  if (!may_ask || !is_behind_nat(info)) return {};
  found.how.gateway = outside.address.is_v4() ? anycast_v4 : anycast_v6;
  return found;
}

/// The second leads to where the first leads out.
void chains::follow(context& ctx, mapping_id id, entry& of, const mapping_info& info) {
  ctx.timers.cancel({timer::orphaned, id});
  const place next = way_on(ctx, of, info);
  if (!of.beyond) {
    if (next.port == 0) return;
    of.beyond = std::make_unique<second>();
  }
  second& what = *of.beyond;
  if (what.at != next) {
    give_back(ctx, what);
    what.at = next;
    what.info.transport = info.transport;
    what.is_up = what.was_up = what.has_answered = false;
    what.why = {};
  }
  if (what.id != mapping_id::none || next.port == 0) return;
  if (next.is_named) return ask(ctx, id, of);
  may_ask_ = true;
}

void chains::ask(context& ctx, mapping_id id, entry& of) {
  second& what = *of.beyond;
  what.kept_by = &keepers_.of(ctx, what.at.how);
  // A port of the first router leads to one place only: who had it before has it no more.
  if (const auto before = by_port_.find(key_of(what)); before != by_port_.end()) {
    const mapping_id whose = first_of_.at(before->second);
    entry& other = entries_.at(whose);
    give_back(ctx, *other.beyond);
    other.beyond->at = {};
    other.beyond->is_up = false;
    other.beyond->has_answered = true;
    other.beyond->why = {errc::mapping_gone, {}};
    tell_news(whose, other);
  }
  what.id = new_mapping();
  first_of_.emplace(what.id, id);
  by_port_.emplace(key_of(what), what.id);
  const map_request& wanted = of.kept_by.request(id);
  what.wished = wanted.lifetime;
  what.kept_by->create(ctx, what.id,
                       beyond(wanted, what.at.port, what.at.is_named, what.info.external));
}

/// One asks whether anybody is there; the others ask when somebody has answered.
void chains::ask_waiting(context& ctx) {
  if (!std::exchange(may_ask_, false)) return;
  struct asked_there {
    bool is_asked = false;
    bool is_answered = false;
  };
  std::map<uplink_choice, asked_there> known;
  std::vector<mapping_id> waiting;
  for (const auto& [id, of] : entries_) {
    if (!of.beyond || of.beyond->at.is_named || of.beyond->at.port == 0) continue;
    asked_there& there = known[of.beyond->at.how];
    there.is_asked = there.is_asked || of.beyond->id != mapping_id::none;
    there.is_answered = there.is_answered || of.beyond->is_up;
    if (of.is_up && of.beyond->id == mapping_id::none) waiting.push_back(id);
  }
  std::ranges::sort(waiting);
  for (const mapping_id id : waiting) {
    entry& of = entries_.at(id);
    asked_there& there = known[of.beyond->at.how];
    if (there.is_asked && !there.is_answered) continue;
    there.is_asked = true;
    ask(ctx, id, of);
  }
}

void chains::on_orphaned(context& ctx, mapping_id id) {
  second& what = *entries_.at(id).beyond;
  give_back(ctx, what);
  what.is_up = what.has_answered = false;
}

// ---------------------------------------------------------------------------------------------
// What the keepers tell

std::vector<mapping_event> chains::take_events(context& ctx) {
  for (;;) {
    auto events = keepers_.take_events();
    if (events.empty() && !may_ask_) return std::exchange(events_, {});
    for (mapping_event& each : events) {
      if (const auto whose = first_of_.find(each.info.id); whose != first_of_.end()) {
        const mapping_id id = whose->second;
        on_second(ctx, id, entries_.at(id), each);
      } else if (const auto first = entries_.find(each.info.id); first != entries_.end()) {
        on_first(ctx, first->second, each);
      }
    }
    ask_waiting(ctx);
  }
}

void chains::on_first(context& ctx, entry& of, mapping_event& what) {
  const mapping_id id = what.info.id;
  switch (what.kind) {
    case event_kind::mapped:
    case event_kind::changed:
      of.is_up = true;
      follow(ctx, id, of, what.info);
      // The first word about it waits for the second router's.
      if (!of.is_told && of.beyond && of.beyond->at.is_named && !of.beyond->has_answered) return;
      return tell(of, std::move(what));
    case event_kind::lost:
      of.is_up = false;
      if (std::exchange(of.is_told, false) && of.beyond) what.info = of.beyond->told;
      // It may be back soon, and lead out where it did.
      if (of.beyond) ctx.timers.set({timer::orphaned, id}, ctx.now + ctx.opts.recheck_period);
      events_.push_back(std::move(what));
      return;
    case event_kind::failed:
      events_.push_back(std::move(what));
      return;
    case event_kind::removed:
      of.ended = std::move(what);
      return end_if_over(ctx, id, of);
  }
}

void chains::on_second(context& ctx, mapping_id id, entry& of, mapping_event& told) {
  second& what = *of.beyond;
  if (told.kind == event_kind::removed) {
    note_removal(ctx, what, told);
    return end_if_over(ctx, id, of);
  }
  if (told.info.id != what.id) return;
  switch (told.kind) {
    case event_kind::mapped:
    case event_kind::changed:
      if (!what.is_up) may_ask_ = true;
      what.is_up = what.was_up = what.has_answered = true;
      what.info = told.info;
      what.why = {};
      break;
    case event_kind::lost:
      what.is_up = false;
      what.why = std::move(told.why);
      break;
    default:
      what.has_answered = true;
      if (what.at.is_named) what.why = std::move(told.why);
      break;
  }
  tell_news(id, of);
}

void chains::note_removal(const context& ctx, second& what, const mapping_event& end) {
  first_of_.erase(end.info.id);
  if (end.info.id == what.id) {
    what.id = mapping_id::none;
    by_port_.erase(key_of(what));
    if (!is_waited_for(what)) return;
  } else {
    --what.leaving;
  }
  if (end.how == removal::left_to_expire) {
    what.left_until = std::max(what.left_until, end_of(end.info, what.wished, ctx.now));
  }
}

// ---------------------------------------------------------------------------------------------
// What is told

/// Both mappings as if they were one.
mapping_info chains::as_one(const entry& of, mapping_info info) {
  if (info.protocol == protocol::direct || info.external.port == 0) return info;
  info.hops = {};
  info.hops.push_back(hop_of(info));
  if (!of.beyond || !of.beyond->is_up) return info;
  const mapping_info& outer = of.beyond->info;
  info.hops.push_back(hop_of(outer));
  info.external = outer.external;
  info.permanent = info.permanent || outer.permanent;
  info.filtered = info.filtered || outer.filtered;
  if (outer.protocol == protocol::upnp) {
    info.verified = outer.verified && (info.verified || info.protocol != protocol::upnp);
  }
  return info;
}

std::optional<mapping_event> chains::grant(mapping_id id) const {
  const entry& of = entries_.at(id);
  auto granted = of.kept_by.grant(id);
  if (!granted || !of.is_told) return std::nullopt;
  granted->info = as_one(of, granted->info);
  if (of.beyond) granted->why = of.beyond->why;
  return granted;
}

mapping_info chains::info(mapping_id id) const {
  const entry& of = entries_.at(id);
  return as_one(of, of.kept_by.info(id));
}

bool chains::stop_waiting(mapping_id id) {
  const auto found = entries_.find(id);
  if (found == entries_.end() || !found->second.is_up || found->second.is_told) return false;
  second& what = *found->second.beyond;
  what.has_answered = true;
  what.why = what.kept_by->account(what.id);
  tell_news(id, found->second);
  return true;
}

void chains::tell(entry& of, mapping_event what) {
  what.info = as_one(of, what.info);
  of.is_told = true;
  if (of.beyond) {
    of.beyond->told = what.info;
    if (!of.beyond->is_up) what.why = of.beyond->why;
  }
  events_.push_back(std::move(what));
}

/// Something happened at the second router; whether it is news is seen by what was told last.
void chains::tell_news(mapping_id id, entry& of) {
  auto granted = of.kept_by.grant(id);
  if (!of.is_up || !granted) return;
  if (!of.is_told) {
    if (of.beyond->has_answered) tell(of, std::move(*granted));
    return;
  }
  if (as_one(of, granted->info).hops == of.beyond->told.hops) return;
  granted->kind = event_kind::changed;
  granted->report.clear();
  tell(of, std::move(*granted));
}

void chains::end_if_over(context& ctx, mapping_id id, entry& of) {
  const second* what = of.beyond.get();
  if (!of.ended) return;
  if (what != nullptr && (what->leaving > 0 || what->id != mapping_id::none)) return;
  ctx.timers.cancel({timer::orphaned, id});
  if (what != nullptr && of.is_told) of.ended->info = what->told;
  if (what != nullptr && ctx.now < what->left_until) of.ended->how = removal::left_to_expire;
  events_.push_back(std::move(*of.ended));
  entries_.erase(id);
}

}  // namespace damson::core
