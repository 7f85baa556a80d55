#include "sim/invariants.hpp"

#include <algorithm>
#include <charconv>
#include <ranges>
#include <string_view>
#include <tuple>
#include <utility>

namespace damson::sim {

namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

/// How long an engine may not know that a mapping is gone: until its lease has ended, or it was its
/// turn to be read back; and where what it asks is lost, at the next rechecks.
nanoseconds detection_bound(nanoseconds lease, nanoseconds recheck_period) {
  return std::max(lease, 4 * recheck_period) + recheck_period + 60s;
}

/// What follows an answer follows it at once, or after the pause that a slow web server is given.
constexpr nanoseconds longest_pause = 1s;

/// From the request whose answer makes a lease begin to that answer.
constexpr nanoseconds slowest_answer = 2s;

/// A request in UPnP may have to wait for so long for the one before, which is what is left of an
/// earlier lease at times.
constexpr std::chrono::seconds shortest_turn{10};

/// How long after it was sent a request may arrive, at most.
constexpr nanoseconds on_its_way = 30s;

/// A flipped bit in a renewal's answer makes a lease of as long as any is believed, and that alone
/// is not told.
constexpr nanoseconds longest_believed_lease = 24h;

/// In ten seconds: the tries of a first contact in two protocols for each mapping, and what is
/// asked of the router as such.
std::size_t most_sent_in_ten_seconds(std::size_t mappings) { return 40 + 24 * mappings; }

/// So many different renewals within a thousandth of the span that they are spread over do not come
/// by chance.
constexpr std::size_t lockstep = 6;

/// The engine with its mappings, the world around it, and what is remembered here.
constexpr std::int64_t most_memory = 1 << 20;

/// Where the provider's PCP server may be (RFC 7723), which is asked for what leads to a NAT only.
/// In these lives it is nowhere.
constexpr ip_address provider{ip_address::v4_bytes{192, 0, 0, 9}};

bool is_behind_nat(const gateway* router) {
  const auto& outside = router->public_address();
  const address_class worth = outside ? classify(*outside) : address_class::unknown;
  return worth == address_class::private_address || worth == address_class::carrier_nat;
}

std::string name_of(mapping_id id) {
  return "mapping " + std::to_string(static_cast<std::uint64_t>(id));
}

std::string name_of(const nat_rule& rule) {
  return std::string(to_string(rule.transport)) + " " + std::to_string(rule.external_port) +
         " to " + to_string(rule.internal);
}

std::pair<transport, std::uint16_t> port_of(const map_request& wanted) {
  return {wanted.transport, wanted.internal_port};
}

std::string port_text(const std::pair<transport, std::uint16_t>& of) {
  return std::to_string(of.second);
}

std::string seconds_text(nanoseconds at) {
  return std::to_string(std::chrono::floor<std::chrono::seconds>(at).count()) + " s";
}

constexpr nanoseconds for_ever = nanoseconds::max();

/// How long a router keeps what is asked of it for the mapping.
nanoseconds longest_lease(const map_request& wanted) {
  constexpr nanoseconds shortest_in_upnp = 300s;
  return wanted.allow_permanent ? for_ever
                                : std::max<nanoseconds>(wanted.lifetime, shortest_in_upnp);
}

template <class Number>
std::optional<Number> number_in(std::string_view request, std::string_view name) {
  const std::string_view text = soap_argument_of(request, name);
  Number number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} ? std::optional{number} : std::nullopt;
}

nanoseconds lease_asked_for(std::string_view request) {
  const auto lease = number_in<std::uint32_t>(request, "NewLeaseDuration");
  return lease.value_or(0) == 0 ? for_ever : std::chrono::seconds{*lease};
}

std::optional<std::pair<transport, std::uint16_t>> port_in(std::string_view request,
                                                           std::string_view name) {
  const auto number = number_in<std::uint16_t>(request, name);
  if (!number) return std::nullopt;
  const bool is_tcp = soap_argument_of(request, "NewProtocol") == "TCP";
  return std::pair{is_tcp ? transport::tcp : transport::udp, *number};
}

/// The port that an action which makes a mapping is about.
std::optional<std::pair<transport, std::uint16_t>> port_added(std::string_view request) {
  if (!soap_action_of(request).starts_with("Add")) return std::nullopt;
  return port_in(request, "NewInternalPort");
}

}  // namespace

invariants::invariants(world& watched)
    : world_(watched), router_upnp_(watched.router().behaviour().upnp) {
  world_.set_witness(this);
  note_outside();
}

invariants::~invariants() { world_.set_witness(nullptr); }

void invariants::broken(std::string what) {
  if (!broken_) broken_ = std::move(what);
}

void invariants::demand() {
  if (check()) throw invariant_broken(*broken_);
}

void invariants::fail(const std::string& what) {
  broken(what);
  demand();
}

void invariants::pass(nanoseconds span) {
  const nanoseconds until = world_.now() + span;
  while (world_.step(until)) demand();
  demand();
}

void invariants::pass_until(const std::function<bool()>& done, nanoseconds limit) {
  const nanoseconds until = world_.now() + limit;
  while (!done() && world_.step(until)) demand();
  demand();
}

void invariants::on_others_changed() {
  const auto before = std::exchange(others_, {});
  for (const nat_rule& each : std::as_const(world_).router().rules()) {
    if (is_ours(each)) continue;
    const auto known = std::ranges::find_if(before, [&](const others_rule& one) {
      return one.rule.transport == each.transport && one.rule.external_port == each.external_port &&
             one.rule.internal == each.internal;
    });
    others_.push_back({each, known == before.end() ? world_.now() : known->taken_at});
  }
}

void invariants::on_created(mapping_id id, const map_request& wanted) {
  const port which{wanted.transport, wanted.internal_port};
  const bool is_shared = std::ranges::any_of(mappings_, [&](const auto& each) {
    return port_of(each.second.wanted) == which && !each.second.is_released;
  });
  mappings_[id].wanted = wanted;
  port_history& of = ports_[which];
  if (!is_shared) of.begin_life();
  of.longest_lease = std::max(of.longest_lease, longest_lease(wanted));
  longest_lifetime_ = std::max<nanoseconds>(longest_lifetime_, wanted.lifetime);
}

void invariants::on_released(mapping_id id) {
  if (const auto found = mappings_.find(id); found != mappings_.end()) {
    found->second.is_released = true;
  }
}

void invariants::on_network_changes() { in_reach_since_.reset(); }

void invariants::note_outside() {
  was_behind_nat_ = was_behind_nat_ || std::ranges::any_of(world_.routers(), is_behind_nat);
}

void invariants::on_world_changed() {
  note_outside();
  if (!world_.is_in_reach()) {
    in_reach_since_.reset();
  } else if (!in_reach_since_) {
    in_reach_since_ = world_.now();
  }
  look_again_ = true;
}

void invariants::on_slept(nanoseconds span) {
  for (auto& [id, each] : mappings_) {
    if (each.missing_since) *each.missing_since += span;
  }
  // A request that the host could not finish before arrives after the sleep, and its lease begins
  // then.
  for (auto& [of, until] : kept_until_) {
    const auto& asked = ports_[of].asked_at;
    const bool may_be_under_way = asked && *asked + on_its_way >= world_.now() - span;
    if (may_be_under_way && until != for_ever) until += span;
  }
  // Nor is its answer heard, which alone says what port the router has chosen.
  for (const http_record& each : std::views::reverse(world_.requests())) {
    if (each.at + on_its_way < world_.now() - span) break;
    const bool is_heard = each.ended_at && *each.ended_at <= world_.now() - span;
    if (!is_heard) may_choose(each);
  }
  look_again_ = true;
}

void invariants::on_healed() {
  healed_at_ = world_.now();
  on_world_changed();
}

const std::optional<std::string>& invariants::check() {
  if (router_changes_seen_ != world_.router_changes()) {
    router_changes_seen_ = world_.router_changes();
    look_again_ = true;
  }
  if (look_again_ || world_.now() > next_bound_) {
    look_again_ = false;
    next_bound_ = nanoseconds::max();
    check_others();
    check_truth();
    check_leases();
  }
  if (live_bytes_ != nullptr && live_bytes_() - live_at_first_ > most_memory) {
    broken(std::to_string(live_bytes_() - live_at_first_) + " bytes are held");
  }
  return broken_;
}

// -------------------------------------------------------------------------------------------------
// What is sent

bool invariants::is_known(const ip_address& address) const {
  constexpr ip_address upnp_group{ip_address::v4_bytes{239, 255, 255, 250}};
  if (address == upnp_group || seen_.contains(address)) return true;
  if (address == provider) return was_behind_nat_;
  if (std::as_const(world_).device_at(address) != nullptr) return true;
  return std::ranges::any_of(world_.network().routes,
                             [&](const default_route& each) { return each.gateway == address; });
}

void invariants::on_packet(const packet_record& record) {
  if (record.way != direction::to_router) {
    is_answer_damaged_ = is_answer_damaged_ || record.damaged;
    return;
  }
  if (!is_known(record.datagram.to.address)) {
    broken("a packet to " + to_string(record.datagram.to) + ", which is nobody");
  }
  // What is asked there has nonces of its own.
  if (record.datagram.to.address == provider) return check_rate(record.at);
  if (const auto map = read_pcp_map(record.datagram.bytes)) {
    is_damaged_ = is_damaged_ || record.damaged;
    constexpr std::uint8_t iana_tcp = 6;
    const port of{map->protocol == iana_tcp ? transport::tcp : transport::udp, map->internal_port};
    check_nonce(of, *map);
    if (map->lifetime != 0) on_asked(of, record.at);
  } else if (const auto asked = read_nat_pmp_map(record.datagram.bytes)) {
    is_damaged_ = is_damaged_ || record.damaged;
    if (asked->lifetime != 0) on_asked({asked->transport, asked->internal_port}, record.at);
  }
  if (is_pcp_announce(record.datagram.bytes)) pcp_checks_.note(record.at);
  if (is_nat_pmp_address(record.datagram.bytes)) nat_pmp_checks_.note(record.at);
  check_rate(record.at);
}

void invariants::on_request(const http_record& record) {
  if (!is_known(record.remote.address)) {
    broken("an HTTP request to " + to_string(record.remote) + ", which is nobody");
  }
  if (const auto of = port_added(record.request)) {
    on_asked(*of, record.at);
    note_look_before(record);
    // The router chooses the port, and who does not hear its answer, or finds another word for it
    // in there, cannot know which.
    const bool is_named_well = router_upnp_.reserved_port_name == "NewReservedPort";
    const bool may_be_unheard =
        world_.http_courier || world_.link().loss_percent > 0 || !is_named_well;
    if (may_be_unheard) may_choose(record);
  }
  check_rate(record.at);
}

void invariants::questions::note(nanoseconds at) {
  if (last_began && at < *last_began + 1s) return;
  last_began = at;
  ++count;
}

/// One nonce for the whole life of a mapping, and none for two (RFC 6887 section 11.2): requests
/// for the same port share it, and who comes after all were released has another.
void invariants::check_nonce(const port& of, const pcp_map_view& map) {
  port_history& history = ports_[of];
  const auto [owner, is_new] = owner_of_.emplace(map.nonce, nonce_owner{of, history.life});
  if (owner->second.of != of) return broken("one nonce for two ports");
  if (owner->second.life != history.life) {
    // What a mapping before left is deleted as its own.
    if (map.lifetime != 0) broken("a nonce of an earlier mapping of port " + port_text(of));
    return;
  }
  history.nonces += is_new ? 1 : 0;
  if (history.nonces > history.mappings) {
    broken("a second nonce for one mapping of port " + port_text(of));
  }
}

/// No storm, neither after a restart nor against a dead router.
void invariants::check_rate(nanoseconds at) {
  recently_sent_.push_back(at);
  while (recently_sent_.front() <= at - 10s) recently_sent_.pop_front();
  // Those that were just released still have their deletes under way.
  const std::size_t busy = std::max<std::size_t>(mappings_.size(), 8);
  if (recently_sent_.size() <= most_sent_in_ten_seconds(busy)) return;
  broken(std::to_string(recently_sent_.size()) + " sent in ten seconds for " +
         std::to_string(mappings_.size()) + " mappings");
}

void invariants::on_asked(const port& of, nanoseconds at) {
  port_history& history = ports_[of];
  if (history.asked_at == at) return;
  history.asked_before = std::exchange(history.asked_at, at);
  if (history.asked_before) check_spread(of, *history.asked_before, at);
}

/// Renewals are spread over an eighth of the lease (RFC 6887 section 11.2.1), lest those of
/// mappings that were made together come together. After trouble they may: what was lost is
/// restored as soon as that is found out, which may be late where packets are lost.
void invariants::check_spread(const port& of, nanoseconds asked_before, nanoseconds at) {
  const auto renewed = std::ranges::find_if(mappings_, [&](const auto& each) {
    const map_request& wanted = each.second.wanted;
    return each.second.is_up && port_of(wanted) == of;
  });
  if (renewed == mappings_.end()) return;
  const auto lease = std::min<nanoseconds>(renewed->second.told.lifetime, 24h);
  const nanoseconds age = at - asked_before;
  const bool is_scheduled = lease >= 15min && age > lease * 2 / 5 && age < lease * 7 / 10;
  const bool is_faultless = world_.link().loss_percent == 0 && world_.link().burst_percent == 0 &&
                            world_.link().damage_percent == 0 && !world_.http_courier;
  const nanoseconds calm_since = std::max(disturbed_at_, in_reach_since_.value_or(for_ever));
  const bool is_calm = calm_since <= asked_before - 4 * world_.recheck_period();
  if (!is_scheduled || !is_faultless || !is_calm) return;
  recently_renewed_.emplace_back(at, of);
  const auto moment = std::min<nanoseconds>(lease / 8 / 1'000, 1s);
  while (recently_renewed_.front().first < at - moment) recently_renewed_.pop_front();
  std::set<port> together;
  for (const auto& each : recently_renewed_) together.insert(each.second);
  if (together.size() >= lockstep) {
    broken(std::to_string(together.size()) + " mappings were renewed in lockstep");
  }
}

// -------------------------------------------------------------------------------------------------
// What is told

void invariants::on_event(const event_record& record) {
  const mapping_event& event = record.event;
  look_again_ = true;
  note_outside();
  followed& of = mappings_[event.info.id];
  if (event.kind == event_kind::removed) {
    const port which{event.info.transport, event.info.internal.port};
    // Who makes other leases than those asked for leaves nobody to know when they end.
    const bool may_stay = event.how == removal::left_to_expire || router_upnp_.forced_lease;
    if (may_stay) may_keep(which, lease_of(which, of.told));
    mappings_.erase(event.info.id);
    // The next one in the queue has a mapping of its own.
    const bool is_handed_over = std::ranges::any_of(mappings_, [&](const auto& each) {
      return port_of(each.second.wanted) == which && each.second.why.reason == errc::already_mapped;
    });
    if (is_handed_over) ++ports_[which].mappings;
    return;
  }
  if (event.kind == event_kind::lost) {
    ++lost_;
    if (event.why.reason == errc::lease_expired) check_was_renewed(event.info, record.at);
    if (router_upnp_.forced_lease) {
      may_keep({event.info.transport, event.info.internal.port}, for_ever);
    }
  }
  of.missing_since.reset();
  of.is_up = event.kind == event_kind::mapped || event.kind == event_kind::changed;
  of.why = event.why;
  if (of.is_up) of.told = event.info;
}

const nat_rule* invariants::rule_of(const followed& what) const {
  const gateway* router = std::as_const(world_).device_at(what.told.gateway);
  if (router == nullptr) return nullptr;
  const nat_rule* rule = router->table().at_external(what.told.transport, what.told.external.port);
  return rule != nullptr && rule->internal == what.told.internal ? rule : nullptr;
}

/// What is told as up is held by the router, but for as long as it takes to find out.
void invariants::check_truth() {
  for (auto& [id, each] : mappings_) {
    if (!each.is_up || each.told.protocol == protocol::direct) continue;
    if (!world_.is_in_reach(each.told.gateway) || rule_of(each) != nullptr) {
      each.missing_since.reset();
      continue;
    }
    if (!each.missing_since) each.missing_since = world_.now();
    const bool may_be_longer = is_answer_damaged_ && each.told.protocol != protocol::upnp;
    const nanoseconds lease = may_be_longer ? longest_believed_lease : each.told.lifetime;
    const nanoseconds bound = *each.missing_since + detection_bound(lease, world_.recheck_period());
    if (world_.now() > bound) {
      broken(name_of(id) + " is told as open, and the router does not hold it since " +
             seconds_text(*each.missing_since));
    }
    next_bound_ = std::min(next_bound_, bound);
  }
}

/// Nothing is told as open for longer than the router gave it when it was last asked. Through UPnP
/// the lease is what was read back, and another one is not told.
void invariants::check_leases() {
  if (is_damaged_ || is_answer_damaged_) return;
  for (const auto& [id, each] : mappings_) {
    const bool has_lease =
        each.told.protocol == protocol::pcp || each.told.protocol == protocol::nat_pmp;
    if (!each.is_up || !has_lease) continue;
    const auto& asked = ports_[{each.wanted.transport, each.wanted.internal_port}].asked_at;
    if (!asked) continue;
    const nanoseconds bound = *asked + each.told.lifetime + slowest_answer;
    if (world_.now() > bound) {
      broken(name_of(id) + " with a lease of " + seconds_text(each.told.lifetime) +
             " was last asked for at " + seconds_text(*asked));
    }
    next_bound_ = std::min(next_bound_, bound);
  }
}

/// A lease ends only when the router was asked to extend it and did not.
void invariants::check_was_renewed(const mapping_info& what, nanoseconds lost_at) {
  const port_history& of = ports_[{what.transport, what.internal.port}];
  // A UPnP router is asked one thing at a time, so whoever does not answer holds up all others, and
  // so does the search for it where packets are lost. Nothing is demanded of such times, nor of a
  // lease that ends soon after them.
  const bool is_upnp = what.protocol == protocol::upnp;
  if (!in_reach_since_ || (is_upnp && world_.http_courier)) return;
  if (is_upnp && what.lifetime < shortest_turn) return;
  // What is asked for anew goes out before it is told that the lease has ended.
  const auto& asked = of.asked_at == lost_at ? of.asked_before : of.asked_at;
  const nanoseconds since =
      std::max({asked.value_or(0s), *in_reach_since_, is_upnp ? healed_at_ : 0s});
  if (lost_at - since < nanoseconds{what.lifetime} * 3 / 4) return;
  broken("port " + std::to_string(what.internal.port) + " with a lease of " +
         seconds_text(what.lifetime) + " was not renewed; it was last asked for at " +
         seconds_text(since));
}

/// What others have ends with its lease, when they say so, or when the router forgets it.
void invariants::check_others() {
  const nat_table& table = std::as_const(world_).router().table();
  std::erase_if(others_, [&](const others_rule& each) {
    const nat_rule& rule = each.rule;
    if (rule.expires && *rule.expires <= world_.clock()) return false;
    const nat_rule* now = table.at_external(rule.transport, rule.external_port);
    const bool is_whole =
        now != nullptr && now->internal == rule.internal && now->expires == rule.expires;
    if (is_whole) return false;
    const bool is_overwritten = now != nullptr && is_ours(*now);
    if (is_overwritten && !could_be_seen(each)) return true;
    broken("somebody else's rule was touched: " + name_of(rule));
    return false;
  });
}

/// UPnP cannot ask for a port only if nobody has it. Of a router that gives anybody's port
/// the best that can be done is to ask for it right after an answer that says whose it is; what
/// somebody takes after that answer was made cannot be seen.
void invariants::note_look_before(const http_record& adding) {
  const auto of = port_in(adding.request, "NewExternalPort");
  const bool may_overwrite =
      router_upnp_.overwrites_anybody && adding.remote.address == world::router_address;
  if (!may_overwrite || !of) return;
  unseen_since_.erase(*of);
  for (const http_record& each : std::views::reverse(world_.requests())) {
    if (each.ended_at.value_or(adding.at) + longest_pause < adding.at) break;
    const bool is_answered = each.served_at && each.ended_at && !each.error;
    if (!is_answered || each.remote != adding.remote ||
        soap_action_of(each.request) != "GetSpecificPortMappingEntry" ||
        port_in(each.request, "NewExternalPort") != of) {
      continue;
    }
    unseen_since_[*of] = *each.served_at;
    return;
  }
}

bool invariants::could_be_seen(const others_rule& what) const {
  const auto since = unseen_since_.find({what.rule.transport, what.rule.external_port});
  return since == unseen_since_.end() || what.taken_at < since->second;
}

// -------------------------------------------------------------------------------------------------
// After all

void invariants::watch_memory(std::int64_t (*live_bytes)()) {
  live_bytes_ = live_bytes;
  live_at_first_ = live_bytes();
}

void invariants::demand_no_effect(const std::function<void()>& what, const char* name) {
  const auto seen = [this] {
    return std::tuple{world_.happenings(), world_.engine_deadline(), world_.mapping_count(),
                      world_.open_channels()};
  };
  const auto before = seen();
  what();
  if (before != seen()) fail(std::string{name} + " changed something");
}

void invariants::demand_silence(nanoseconds span) {
  const std::uint64_t sent = world_.sent_count();
  pass(span);
  if (world_.sent_count() != sent) fail("something was sent after the end");
}

std::optional<std::string> invariants::missing() {
  for (const auto& [id, each] : mappings_) {
    if (each.why.reason == errc::already_mapped) continue;
    if (!each.is_up) return name_of(id) + " is not up: " + to_string(each.why);
    const bool is_gap = each.missing_since && world_.now() - *each.missing_since < longest_gap;
    if (each.told.protocol != protocol::direct && rule_of(each) == nullptr && !is_gap) {
      return name_of(id) + " is told as open as " + to_string(each.told.external) +
             ", and the router does not hold it";
    }
  }
  return std::nullopt;
}

void invariants::demand_closed() {
  demand();
  if (!world_.closed()) fail("the engine has not closed within the release bound");
  if (!mappings_.empty()) fail(name_of(mappings_.begin()->first) + " was never told as removed");
  if (world_.open_channels() != 0) fail("channels are left open");
  if (world_.engine_deadline()) fail("a timer is left");
  for (const gateway* router : world_.routers()) {
    for (const nat_rule& rule : router->rules()) {
      if (is_ours(rule) && !may_stay(rule)) {
        fail("left behind at " + to_string(router->lan_address()) + ": " + name_of(rule));
      }
    }
  }
}

bool invariants::is_ours(const nat_rule& rule) {
  const bool is_hosts =
      rule.internal.address == world::host_address || rule.internal.address == other_own_address;
  return is_hosts && rule.owner != rule_owner::household;
}

/// How long a router may keep what was made of the port; the mapping may have been made for another
/// one who shared it.
nanoseconds invariants::lease_of(const port& which, const mapping_info& told) {
  if (router_upnp_.forced_lease) return for_ever;
  return std::max<nanoseconds>(ports_[which].longest_lease, told.lifetime);
}

/// What was told as left to expire stays no longer than its lease.
void invariants::may_keep(const port& of, nanoseconds lease) {
  nanoseconds& until = kept_until_[of];
  until = std::max(until, lease == for_ever ? for_ever : world_.now() + lease + on_its_way);
}

/// The router may have a port for it that nobody knows of.
void invariants::may_choose(const http_record& asked) {
  const auto of = port_added(asked.request);
  if (!of || soap_action_of(asked.request) != "AddAnyPortMapping") return;
  may_keep(*of, lease_asked_for(asked.request));
}

/// Reported as left to expire; or the child of a packet that a flipped bit has made another one,
/// of which nobody knows, or not for how long it stays.
bool invariants::may_stay(const nat_rule& rule) const {
  const bool is_misunderstood = is_damaged_ || is_answer_damaged_;
  if (is_misunderstood && rule.expires && rule.owner != rule_owner::upnp) return true;
  const auto kept = kept_until_.find({rule.transport, rule.internal.port});
  if (kept == kept_until_.end()) return false;
  const nanoseconds ends = rule.expires ? *rule.expires - world_.clock() + world_.now() : for_ever;
  return ends <= kept->second;
}

}  // namespace damson::sim
