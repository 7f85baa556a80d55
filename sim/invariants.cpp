#include "sim/invariants.hpp"

#include <algorithm>

#include "sim/inspect.hpp"

namespace damson::sim {

namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

/// How long an engine may not know that a mapping is gone: until its lease has ended, or it was its
/// turn to be read back; and where what it asks is lost, at the next rechecks.
nanoseconds detection_bound(const mapping_info& told, nanoseconds recheck_period) {
  return std::max<nanoseconds>(told.lifetime, 4 * recheck_period) + recheck_period + 60s;
}

/// In ten seconds: the tries of a first contact in two protocols for each mapping, and what is
/// asked of the router as such.
std::size_t most_sent_in_ten_seconds(std::size_t mappings) { return 40 + 24 * mappings; }

std::string name_of(mapping_id id) {
  return "mapping " + std::to_string(static_cast<std::uint64_t>(id));
}

std::string name_of(const nat_rule& rule) {
  return std::string(to_string(rule.transport)) + " " + std::to_string(rule.external_port) +
         " to " + to_string(rule.internal);
}

}  // namespace

invariants::invariants(world& watched) : world_(watched) {}

void invariants::on_created(mapping_id id, const map_request& wanted) {
  mappings_[id].wanted = wanted;
  ++created_[{wanted.transport, wanted.internal_port}];
}

std::optional<std::string> invariants::check() {
  take_events();
  if (auto broken = check_packets()) return broken;
  if (auto broken = check_requests()) return broken;
  if (auto broken = check_bystanders()) return broken;
  return check_truth();
}

// -------------------------------------------------------------------------------------------------
// What is sent

bool invariants::is_known(const ip_address& address) {
  constexpr ip_address upnp_group{ip_address::v4_bytes{239, 255, 255, 250}};
  return address == upnp_group || world_.device_at(address) != nullptr;
}

std::optional<std::string> invariants::check_packets() {
  const auto& packets = world_.packets();
  for (; packets_seen_ < packets.size(); ++packets_seen_) {
    const packet_record& record = packets[packets_seen_];
    if (record.way != direction::to_router) continue;
    if (!is_known(record.datagram.to.address)) {
      return "a packet to " + to_string(record.datagram.to) + ", which is nobody";
    }
    if (auto broken = check_nonce(record)) return broken;
    if (auto broken = check_rate(record.at)) return broken;
  }
  return std::nullopt;
}

std::optional<std::string> invariants::check_requests() {
  const auto& requests = world_.requests();
  for (; requests_seen_ < requests.size(); ++requests_seen_) {
    const http_record& record = requests[requests_seen_];
    if (world_.device_at(record.remote.address) == nullptr) {
      return "an HTTP request to " + to_string(record.remote) + ", which is nobody";
    }
    if (auto broken = check_rate(record.at)) return broken;
  }
  return std::nullopt;
}

/// One nonce for the whole life of a mapping, and none for two (RFC 6887 section 11.2).
std::optional<std::string> invariants::check_nonce(const packet_record& record) {
  const auto map = read_pcp_map(record.datagram.bytes);
  if (!map) return std::nullopt;
  constexpr std::uint8_t iana_tcp = 6;
  const port of{map->protocol == iana_tcp ? transport::tcp : transport::udp, map->internal_port};
  const auto [owner, is_new] = owner_of_.emplace(map->nonce, of);
  if (owner->second != of) return "one nonce for two ports";
  nonces_[of].insert(map->nonce);
  if (nonces_[of].size() > created_[of]) {
    return "more nonces for port " + std::to_string(of.second) + " than there were mappings of it";
  }
  return std::nullopt;
}

/// No storm, neither after a restart nor against a dead router.
std::optional<std::string> invariants::check_rate(nanoseconds at) {
  recently_sent_.push_back(at);
  const auto first =
      std::ranges::find_if(recently_sent_, [&](nanoseconds sent) { return sent > at - 10s; });
  recently_sent_.erase(recently_sent_.begin(), first);
  const auto alive = static_cast<std::size_t>(
      std::ranges::count_if(mappings_, [](const auto& each) { return !each.second.is_over; }));
  // Those that were just released still have their deletes under way.
  const std::size_t busy = std::max<std::size_t>(alive, 8);
  if (recently_sent_.size() <= most_sent_in_ten_seconds(busy)) return std::nullopt;
  return std::to_string(recently_sent_.size()) + " sent in ten seconds for " +
         std::to_string(alive) + " mappings";
}

// -------------------------------------------------------------------------------------------------
// What is told

void invariants::take_events() {
  const auto& events = world_.events();
  for (; events_seen_ < events.size(); ++events_seen_) {
    const mapping_event& event = events[events_seen_].event;
    followed& of = mappings_[event.info.id];
    of.missing_since.reset();
    of.is_up = event.kind == event_kind::mapped || event.kind == event_kind::changed;
    of.is_over = event.kind == event_kind::removed;
    of.why = event.why;
    if (of.is_up) of.told = event.info;
    const bool may_stay = event.kind == event_kind::removed ? event.how == removal::left_to_expire
                                                            : event.kind == event_kind::lost;
    if (may_stay) left_to_expire_.insert({event.info.transport, event.info.internal.port});
  }
}

const nat_rule* invariants::rule_of(const followed& what) {
  gateway* router = world_.device_at(what.told.gateway);
  if (router == nullptr) return nullptr;
  const nat_rule* rule = router->table().at_external(what.told.transport, what.told.external.port);
  return rule != nullptr && rule->internal == what.told.internal ? rule : nullptr;
}

/// What is told as up is held by the router, but for as long as it takes to find out.
std::optional<std::string> invariants::check_truth() {
  for (auto& [id, each] : mappings_) {
    if (!each.is_up || each.told.protocol == protocol::direct) continue;
    if (rule_of(each) != nullptr || !world_.is_in_reach()) {
      each.missing_since.reset();
      continue;
    }
    if (!each.missing_since) each.missing_since = world_.now();
    const auto bound = detection_bound(each.told, world_.recheck_period());
    if (world_.now() - *each.missing_since > bound) {
      return name_of(id) + " is told as open, and the router does not hold it since " +
             std::to_string(std::chrono::floor<std::chrono::seconds>(*each.missing_since).count()) +
             " s";
    }
  }
  return std::nullopt;
}

std::optional<std::string> invariants::check_bystanders() const {
  for (const nat_rule& each : bystanders_) {
    const nat_rule* now = world_.router().table().at_external(each.transport, each.external_port);
    if (now == nullptr || now->internal != each.internal) {
      return "somebody else's rule was touched: " + name_of(each);
    }
  }
  return std::nullopt;
}

// -------------------------------------------------------------------------------------------------
// After all

std::optional<std::string> invariants::check_healed() {
  if (auto broken = check()) return broken;
  for (auto& [id, each] : mappings_) {
    if (each.is_over || each.why.reason == errc::already_mapped) continue;
    if (!each.is_up) return name_of(id) + " is not up: " + to_string(each.why);
    if (each.told.protocol != protocol::direct && rule_of(each) == nullptr) {
      return name_of(id) + " is told as open as " + to_string(each.told.external) +
             ", and the router does not hold it";
    }
  }
  return std::nullopt;
}

std::optional<std::string> invariants::check_closed() {
  if (auto broken = check()) return broken;
  if (!world_.closed()) return "the engine has not closed within the release bound";
  if (world_.open_channels() != 0) return "channels are left open";
  if (world_.engine_deadline()) return "a timer is left";
  for (const nat_rule& rule : world_.router().rules()) {
    const bool is_anothers = rule.internal.address != world::host_address;
    if (is_anothers || rule.owner == rule_owner::household) continue;
    if (!left_to_expire_.contains({rule.transport, rule.internal.port})) {
      return "left behind: " + name_of(rule);
    }
  }
  return std::nullopt;
}

}  // namespace damson::sim
