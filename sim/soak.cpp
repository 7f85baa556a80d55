#include "sim/soak.hpp"

#include <algorithm>
#include <array>
#include <exception>
#include <memory>
#include <string_view>
#include <utility>

#include "base/random.hpp"
#include "sim/invariants.hpp"
#include "sim/soak_trouble.hpp"
#include "sim/world.hpp"

namespace damson::sim {

namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

/// One seed in so many lives for a year in which little happens.
constexpr std::uint64_t long_lives = 90;
constexpr nanoseconds year = 8'766h;

/// Within what time after the last trouble each wanted mapping is up: what was lost unnoticed shows
/// when its lease ends, or when it was its turn to be read back four times; who was refused or not
/// answered waits for a recheck at most, or the half hours that PCP's long errors stand for.
nanoseconds healing_bound(nanoseconds longest_lease, nanoseconds recheck_period) {
  return std::max(longest_lease, 4 * recheck_period) + 2 * recheck_period + 2h;
}

/// The longest that giving back takes.
constexpr nanoseconds release_bound = 2s;

/// Announcements to a host that does not listen would drown the rest.
std::string without_unheard(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (!line.ends_with(" UNHEARD")) out.append(line).append("\n");
  }
  return out;
}

std::string last_lines(const std::string& text, std::size_t lines) {
  std::size_t at = text.size();
  for (std::size_t i = 0; i <= lines && at != std::string::npos && at > 0; ++i) {
    at = text.rfind('\n', at - 1);
  }
  return at == std::string::npos || at == 0 ? text : text.substr(at + 1);
}

/// Refuses for good, or grants what cannot be held: nothing is ever up, and that is right.
bool can_serve(const profile& how) {
  const bool refuses = how.refuses_maps_with || how.refuses_nat_pmp_maps_with;
  // The addresses outside are those of documentation, which no router takes for public ones.
  const bool by_upnp = how.speaks_upnp && !how.upnp.success_without_entry &&
                       !how.upnp.private_wan_disables &&
                       !(how.upnp.refuses_adds_with && !how.upnp.refused_adds);
  const bool by_others = (how.speaks_pcp || how.speaks_nat_pmp) && !refuses &&
                         how.max_rules >= 60 && !how.rules_per_host && !how.private_wan_disables &&
                         !how.nat_pmp_answers_internal_port && !how.answers_external_port;
  return by_upnp || by_others;
}

class life {
 public:
  explicit life(const soak_settings& how)
      : how_(how),
        dice_(std::array<std::uint64_t, 4>{how.seed, 0x736f616b, 1, 1}),
        world_(scene_of()),
        holds_(world_),
        trouble_(world_, holds_, dice_, plan_) {
    if (how_.live_bytes != nullptr && !how_.keeps_transcript) holds_.watch_memory(how_.live_bytes);
  }

  soak_outcome run() {
    soak_outcome out;
    out.router = plan_.router->name;
    try {
      suffer();
      if (how_.breaks) holds_.fail("it was to break");
      if (ends_abruptly_) {
        close();
      } else {
        trouble_.heal();
        converge();
        close();
        say_nothing_more();
      }
    } catch (const std::exception& error) {
      out.broken = error.what();
    }
    out.simulated = world_.now();
    out.trace_hash = world_.trace_hash();
    out.happenings = world_.happenings();
    if (how_.keeps_transcript) out.transcript = world_.transcript();
    return out;
  }

 private:
  bool one_in(std::uint64_t many) { return dice_.uniform(1, many) == 1; }
  unsigned percent(std::uint64_t highest) {
    return static_cast<unsigned>(dice_.uniform(0, highest));
  }
  std::chrono::seconds seconds(std::uint64_t lowest, std::uint64_t highest) {
    return std::chrono::seconds{dice_.uniform(lowest, highest)};
  }

  const named_profile& pick() {
    const auto all = profiles();
    return all[static_cast<std::size_t>(dice_.uniform(0, all.size() - 1))];
  }

  scene scene_of() {
    constexpr std::array layouts{topology::one_router, topology::two_routers, topology::decoy};
    plan_.router = how_.router != nullptr ? how_.router : &pick();
    plan_.who = layouts.at(static_cast<std::size_t>(dice_.uniform(0, layouts.size() - 1)));
    plan_.is_long = how_.trouble ? *how_.trouble > 24h : one_in(long_lives);
    plan_.is_good_network = one_in(3);
    ends_abruptly_ = one_in(8);
    scene what;
    what.seed = how_.seed;
    what.keeps_records = how_.keeps_transcript;
    what.router = plan_.router->how;
    what.uptime = seconds(0, 100'000);
    what.multicast_works = !one_in(6);
    what.client.recheck_period = plan_.is_long ? seconds(1'800, 86'400) : seconds(60, 600);
    if (plan_.is_long) what.router.upnp.notify_interval = 24h;
    what.link = link_of();
    // By the seed and not by chance, so that lives without it go as they went.
    what.client.listens_to_events = how_.seed % 4 == 2;
    return what;
  }

  link_settings link_of() {
    link_settings out;
    out.latency = std::chrono::milliseconds{dice_.uniform(1, 60)};
    if (plan_.is_good_network) return out;
    if (!one_in(3)) out.loss_percent = percent(30);
    if (one_in(2)) out.duplicate_percent = percent(20);
    if (one_in(2)) out.reorder_percent = percent(30);
    if (one_in(3)) {
      out.burst_percent = percent(3);
      out.burst = dice_.uniform_duration(100ms, 30s);
    }
    if (one_in(8)) {
      out.damage_percent = percent(3);
      is_damaged_ = true;
    }
    return out;
  }

  void suffer() {
    const nanoseconds usual = plan_.is_long ? year : nanoseconds{seconds(600, 3'600)};
    const nanoseconds until = world_.now() + (how_.trouble ? nanoseconds{*how_.trouble} : usual);
    trouble_.begin();
    while (world_.now() < until) {
      trouble_.disturb();
      holds_.pass(
          dice_.uniform_duration(0ms, plan_.is_long ? nanoseconds{96h} : nanoseconds{2min}));
    }
  }

  /// Every wanted mapping is up again, in time, and stays so.
  void converge() {
    // The neighbours' leases are two hours at most. A flipped bit may make one as long as any
    // router gives, or another nonce the owner of a port for as long as that.
    const nanoseconds lease = std::max<nanoseconds>(holds_.longest_lifetime(), 2h);
    const nanoseconds longest = is_damaged_ ? std::max<nanoseconds>(lease, 24h) : lease;
    const nanoseconds bound = healing_bound(longest, world_.recheck_period());
    const nanoseconds until = world_.now() + bound;
    // What somebody deleted just before looks like a gap of a moment, and is none.
    holds_.demand();
    holds_.pass(invariants::longest_gap);
    holds_.pass_until([this] { return !holds_.missing(); }, until - world_.now());
    demand_served();
    holds_.pass(10min);
    // A lease that damage made longer ends at the router while it is told as open.
    if (is_damaged_) holds_.pass_until([this] { return !holds_.missing(); }, until - world_.now());
    demand_served();
  }

  void demand_served() {
    if (!can_serve(plan_.router->how)) return;
    if (const auto what = holds_.missing()) holds_.fail(*what);
  }

  void close() {
    const bool at_once = one_in(8);
    world_.close(at_once);
    if (!at_once) holds_.pass(release_bound);
    holds_.demand_closed();
  }

  void say_nothing_more() {
    holds_.demand_silence(1h);
    const auto& complaints = std::as_const(world_).router().complaints();
    if (!complaints.empty() && !is_damaged_) {
      holds_.fail("the router complains: " + complaints.front().what);
    }
  }

  soak_settings how_;
  random_source dice_;
  life_plan plan_;
  bool ends_abruptly_ = false;
  bool is_damaged_ = false;
  world world_;
  invariants holds_;
  troublemaker trouble_;
};

}  // namespace

soak_outcome live(const soak_settings& how) {
  soak_outcome out = std::make_unique<life>(how)->run();
  if (!out.broken) return out;
  // The same life once more shows what it was like.
  soak_settings again = how;
  again.keeps_transcript = true;
  soak_outcome shown = std::make_unique<life>(again)->run();
  if (!shown.broken) shown.broken = out.broken;  // the memory, which a transcript has no bound for
  shown.last_lines = last_lines(without_unheard(shown.transcript), 50);
  if (!how.keeps_transcript) shown.transcript.clear();
  return shown;
}

}  // namespace damson::sim
