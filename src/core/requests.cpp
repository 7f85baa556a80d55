#include "core/requests.hpp"

#include <algorithm>
#include <utility>

#include "core/election.hpp"

namespace damson::core {
namespace {

constexpr std::chrono::hours longest_timeout{24};

/// Nothing named is of any family.
bool is_of(ip_families families, const ip_address& named) {
  if (named.is_unspecified() || families == ip_families::both) return true;
  return named.is_v4() == (families == ip_families::v4);
}

/// A host has one of each family, and which belong together nobody says.
bool is_third_party(ip_families families, const ip_address& named) {
  return named.is_unspecified() ||
         (families != ip_families::both && is_of(families, named) && !named.is_multicast());
}

/// Of one end only, and what MAP alone knows does not go with it (RFC 6887 section 13).
bool is_remote_peer(const map_request& wanted) {
  const endpoint& peer = wanted.remote_peer;
  if (!is_flow(wanted)) return peer.port == 0;
  return peer.port != 0 && !peer.address.is_multicast() && wanted.families != ip_families::both &&
         is_of(wanted.families, peer.address) && !wanted.prefer_failure && wanted.peers.empty() &&
         wanted.port_count == 1 && !wanted.both_transports;
}

bool is_valid(const peer_range& peers) {
  return peers.address.is_v4() ? peers.prefix_length <= 32
                               : peers.prefix_length >= 1 && peers.prefix_length <= 128;
}

/// A row of ports ends at 65535, inside and outside; a flow has one port.
bool are_valid_ports(const map_request& wanted) {
  const std::size_t each_family = ports_of(wanted);
  const std::size_t all = wanted.families == ip_families::both ? each_family * 2 : each_family;
  const std::uint32_t after_last =
      std::max(wanted.internal_port, wanted.external_port) + std::uint32_t{wanted.port_count};
  return wanted.internal_port != 0 && wanted.port_count != 0 && after_last <= 0x1'0000 &&
         (each_family == 1 || (all <= engine_limits::parts && wanted.remote_peer == endpoint{}));
}

/// How much an end may have left.
int weight(removal how) noexcept {
  switch (how) {
    case removal::left_to_expire:
      return 3;
    case removal::still_shared:
      return 2;
    case removal::deleted:
      return 1;
    case removal::already_gone:
      break;
  }
  return 0;
}

}  // namespace

bool is_valid(const map_request& wanted) {
  return are_valid_ports(wanted) && wanted.lifetime.count() >= 1 &&
         wanted.lifetime.count() <= 0xffff'ffff && wanted.timeout.count() > 0 &&
         wanted.timeout <= longest_timeout && !wanted.external_address.is_multicast() &&
         is_of(wanted.families, wanted.gateway) && is_of(wanted.families, wanted.local_address) &&
         is_third_party(wanted.families, wanted.third_party) &&
         (!wanted.prefer_failure || wanted.external_port != 0) && is_remote_peer(wanted) &&
         std::ranges::all_of(wanted.peers, [](const peer_range& each) { return is_valid(each); });
}

namespace {

/// Whether `wanted` allows whatever `other` allows.
bool covers(const map_request& wanted, const map_request& other) {
  const bool allows_its_external =
      !wanted.prefer_failure ||
      (other.prefer_failure && wanted.external_port == other.external_port &&
       wanted.external_address == other.external_address);
  return narrowed(wanted.protocols, other.protocols) == other.protocols &&
         (wanted.allow_permanent || !other.allow_permanent) && allows_its_external &&
         wanted.peers == other.peers;
}

/// Whether a mapping that was made in this way may serve the request.
bool fits(const map_request& wanted, const mapping_info& made) {
  return allows(wanted, made.protocol) && (wanted.allow_permanent || !made.permanent) &&
         will_do(wanted, made.external);
}

}  // namespace

bool outweighs(removal one, removal other) noexcept { return weight(one) > weight(other); }

bool says_the_same(const failure& a, const failure& b) {
  const auto is_same = [](const protocol_failure& x, const protocol_failure& y) {
    return x.protocol == y.protocol && x.reason == y.reason && x.result_code == y.result_code &&
           x.server == y.server;
  };
  return a.reason == b.reason && a.external_class() == b.external_class() &&
         std::ranges::equal(a.protocols, b.protocols, is_same);
}

requests::port_key requests::key_of(context& ctx, const map_request& wanted) {
  return {&keepers_.of(ctx, choice_of(wanted, ctx.opts)), wanted.third_party, wanted.remote_peer,
          wanted.transport, wanted.internal_port};
}

std::size_t requests::port_hash::operator()(const port_key& key) const noexcept {
  const auto port = static_cast<std::size_t>(key.port) << 1 | static_cast<std::size_t>(key.what);
  return std::hash<const void*>{}(key.kept_by) ^ (port * 0x9e37'79b9);
}

/// Null: nothing serves it.
const keeper* requests::keeper_of(const entry& request) const {
  const auto found = mappings_.find(request.served_by);
  return found == mappings_.end() ? nullptr : &found->second.kept_by;
}

// ---------------------------------------------------------------------------------------------
// What the program wants

/// Null when the id cannot be used.
requests::entry* requests::add(context& ctx, mapping_id id, const map_request& wanted) {
  if (id == mapping_id::none || by_id_.contains(id)) {
    ++ctx.counters.inputs_ignored;
    return nullptr;
  }
  return &by_id_.emplace(id, entry{.wanted = wanted, .created = ctx.now}).first->second;
}

void requests::turn_away(context& ctx, mapping_id id, const map_request& wanted) {
  entry* made = add(ctx, id, wanted);
  if (made == nullptr) return;
  fail(ctx, id, *made, {errc::closed, {}});
  let_go(ctx, id, *made, removal::already_gone);
}

void requests::create(context& ctx, mapping_id id, const map_request& wanted) {
  entry* made = add(ctx, id, wanted);
  if (made == nullptr) return;
  if (!is_valid(wanted)) return fail(ctx, id, *made, {errc::invalid_argument, {}});
  const auto protocols = narrowed(wanted.protocols, ctx.opts.protocols);
  if (!protocols) return fail(ctx, id, *made, {errc::protocol_excluded, {}});
  made->wanted.protocols = *protocols;
  if (!allows_any(made->wanted)) return fail(ctx, id, *made, {errc::protocol_excluded, {}});
  if (size() > engine_limits::mappings) return fail(ctx, id, *made, {errc::limit_reached, {}});
  ctx.timers.set({timer::timeout, id}, ctx.now + wanted.timeout);
  place(ctx, id, *made);
}

void requests::place(context& ctx, mapping_id id, entry& request) {
  const port_key key = key_of(ctx, request.wanted);
  const auto served = by_port_.find(key);
  if (served == by_port_.end()) {
    const mapping_id made = chains_.new_mapping();
    request.served_by = made;
    keeper& kept_by = *key.kept_by;
    mappings_.emplace(made,
                      shared{.kept_by = kept_by, .asked_for = request.wanted, .sharers = {id}});
    by_port_.emplace(key, made);
    return chains_.create(ctx, kept_by, made, request.wanted);
  }
  const mapping_id shared_id = served->second;
  shared& mapping = mappings_.at(shared_id);
  const bool is_wider = covers(request.wanted, mapping.asked_for);
  if (!is_wider && !covers(mapping.asked_for, request.wanted)) {
    waiting_[key].push_back(id);
    return fail(ctx, id, request, {errc::already_mapped, {}});
  }
  request.served_by = shared_id;
  mapping.sharers.push_back(id);
  if (is_wider) ask_as(request.wanted, mapping, shared_id);
  if (auto grant = chains_.grant(shared_id)) return tell(ctx, id, request, std::move(*grant));
  mapping.kept_by.hurry(ctx, shared_id);
}

/// From the next try on the mapping is asked for in any way that the request allows.
void requests::ask_as(const map_request& wanted, shared& mapping, mapping_id id) {
  mapping.asked_for.protocols = wanted.protocols;
  mapping.asked_for.allow_permanent = wanted.allow_permanent;
  mapping.asked_for.prefer_failure = wanted.prefer_failure;
  if (wanted.prefer_failure) {
    mapping.asked_for.external_port = wanted.external_port;
    mapping.asked_for.external_address = wanted.external_address;
  }
  mapping.asked_for.port_count = 1;
  for (const mapping_id each : mapping.sharers) {
    mapping.asked_for.port_count =
        std::max(mapping.asked_for.port_count, by_id_.at(each).wanted.port_count);
  }
  chains_.revise(id, mapping.asked_for);
}

void requests::place_waiting(context& ctx, const port_key& key) {
  auto waiting = waiting_.extract(key);
  if (waiting.empty()) return;
  for (const mapping_id id : waiting.mapped()) place(ctx, id, by_id_.at(id));
}

/// Of those who share the mapping, after one has left, whoever allows most and may have it as it
/// is; what is not held suits those who allow all that it is asked for as. None: it suits nobody.
mapping_id requests::whom_it_suits(const shared& mapping, mapping_id id) const {
  const auto grant = chains_.grant(id);
  mapping_id most = mapping_id::none;
  for (const mapping_id each : mapping.sharers) {
    const map_request& wanted = by_id_.at(each).wanted;
    const bool suits = grant ? fits(wanted, grant->info) : covers(wanted, mapping.asked_for);
    const bool is_first = most == mapping_id::none;
    if (suits && (is_first || covers(wanted, by_id_.at(most).wanted))) most = each;
  }
  return most;
}

void requests::release(context& ctx, mapping_id id, bool keep_lease) {
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) {
    ++ctx.counters.inputs_ignored;
    return;
  }
  entry& request = found->second;
  const port_key key = key_of(ctx, request.wanted);
  if (request.served_by == mapping_id::none) {
    if (const auto waiting = waiting_.find(key); waiting != waiting_.end()) {
      std::erase(waiting->second, id);
      if (waiting->second.empty()) waiting_.erase(waiting);
    }
    return let_go(ctx, id, request, removal::already_gone);
  }
  const auto shareable = by_port_.find(key);
  if (shareable == by_port_.end() || shareable->second != request.served_by) {
    ++ctx.counters.inputs_ignored;  // it is being released
    return;
  }
  const mapping_id shared_id = request.served_by;
  shared& mapping = mappings_.at(shared_id);
  mapping.keeps_lease = mapping.keeps_lease || keep_lease;
  if (mapping.sharers.size() > 1) {
    std::erase(mapping.sharers, id);
    if (const mapping_id whom = whom_it_suits(mapping, shared_id); whom != mapping_id::none) {
      ask_as(by_id_.at(whom).wanted, mapping, shared_id);
      return let_go(ctx, id, request, removal::still_shared);
    }
    // It is one's turn to whom it does not suit: given back, and made anew.
    for (const mapping_id each : mapping.sharers) by_id_.at(each).served_by = mapping_id::none;
    waiting_[key].insert(waiting_[key].begin(), mapping.sharers.begin(), mapping.sharers.end());
    mapping.sharers = {id};
  }
  by_port_.erase(shareable);
  chains_.release(ctx, shared_id, mapping.keeps_lease);
  pass_on(ctx);
  place_waiting(ctx, key);
}

void requests::release_all(context& ctx, bool at_once) {
  by_port_.clear();
  waiting_.clear();
  at_once ? keepers_.drop_all(ctx) : chains_.release_all(ctx);
  pass_on(ctx);
  std::vector<mapping_id> left;
  for (const auto& [id, request] : by_id_) {
    if (request.served_by == mapping_id::none) left.push_back(id);
  }
  std::ranges::sort(left);
  for (const mapping_id id : left) let_go(ctx, id, by_id_.at(id), removal::already_gone);
}

// ---------------------------------------------------------------------------------------------
// What it is told

void requests::on_timeout(context& ctx, mapping_id id) {
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return;
  if (chains_.stop_waiting(found->second.served_by)) return;
  const keeper* kept_by = keeper_of(found->second);
  failure why = kept_by != nullptr ? kept_by->account(found->second.served_by) : failure{};
  why.reason = errc::timed_out;
  fail(ctx, id, found->second, why);
}

void requests::pass_on(context& ctx) {
  for (mapping_event& each : chains_.take_events(ctx)) {
    const auto found = mappings_.find(each.info.id);
    if (found == mappings_.end()) continue;
    if (each.kind == event_kind::removed) {
      const auto over = mappings_.extract(found);
      for (const mapping_id id : over.mapped().sharers) tell(ctx, id, by_id_.at(id), each);
    } else {
      for (const mapping_id id : found->second.sharers) tell(ctx, id, by_id_.at(id), each);
    }
  }
}

void requests::fail(context& ctx, mapping_id id, entry& request, const failure& why) {
  mapping_event what;
  if (const keeper* kept_by = keeper_of(request)) what.info = kept_by->info(request.served_by);
  what.kind = event_kind::failed;
  what.info.transport = request.wanted.transport;
  what.info.internal.port = request.wanted.internal_port;
  what.why = why;
  tell(ctx, id, request, std::move(what));
}

void requests::let_go(context& ctx, mapping_id id, entry& request, removal how) {
  mapping_event what;
  if (request.served_by != mapping_id::none) what.info = chains_.info(request.served_by);
  what.kind = event_kind::removed;
  what.info.transport = request.wanted.transport;
  what.info.internal.port = request.wanted.internal_port;
  what.how = how;
  tell(ctx, id, request, std::move(what));
}

/// What is news to the request; the mapping may have been told to others before, and may have been
/// made in a way that this one does not allow.
void requests::tell(context& ctx, mapping_id id, entry& request, mapping_event what) {
  const bool is_open = what.kind == event_kind::mapped || what.kind == event_kind::changed;
  if (is_open && !fits(request.wanted, what.info)) {
    what.kind = request.is_up ? event_kind::lost : event_kind::failed;
    what.why = {errc::already_mapped, {}};
    what.report.clear();
  }
  switch (what.kind) {
    case event_kind::changed:
      if (request.is_up) break;
      what.kind = event_kind::mapped;
      [[fallthrough]];
    case event_kind::mapped:
      request.is_up = true;
      what.regained = std::exchange(request.told_mapped, true);
      if (!what.regained) request.elapsed = ctx.now - request.created;
      request.told_failed.reset();
      ctx.timers.cancel({timer::timeout, id});
      break;
    case event_kind::failed:
      if (!note_failure(ctx, id, request, what.why)) return;
      break;
    case event_kind::lost:
      if (!std::exchange(request.is_up, false)) return;
      break;
    case event_kind::removed:
      ctx.timers.cancel({timer::timeout, id});
      break;
  }
  what.info.id = id;
  what.info.elapsed = request.elapsed;
  const bool is_over = what.kind == event_kind::removed;
  if (is_part(id)) {
    part_events_.push_back(std::move(what));
  } else {
    ctx.outputs.emplace_back(std::move(what));
  }
  if (is_over) by_id_.erase(id);
}

/// False where it is no news.
bool requests::note_failure(context& ctx, mapping_id id, entry& request, failure& why) {
  ctx.timers.cancel({timer::timeout, id});
  std::erase_if(why.protocols, [&](const protocol_failure& each) {
    return !allows(request.wanted, each.protocol);
  });
  // Where one of several ports cannot be had again the others cannot stay.
  const bool matters_to_others = is_part(id) && request.wanted.all_or_nothing;
  if (request.told_mapped && !matters_to_others) return false;
  if (request.told_failed && says_the_same(*request.told_failed, why)) return false;
  request.told_failed = why;
  ctx.log.log(log_level::info, request.wanted.transport, ' ', request.wanted.internal_port,
              " could not be mapped: ", to_string(why));
  return true;
}

}  // namespace damson::core
