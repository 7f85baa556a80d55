#include "sim/soak.hpp"

#include <algorithm>
#include <array>
#include <exception>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string_view>
#include <vector>

#include "base/random.hpp"
#include "sim/invariants.hpp"
#include "sim/world.hpp"

namespace damson::sim {

namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

constexpr ip_address v4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d) {
  return ip_address{ip_address::v4_bytes{a, b, c, d}};
}

constexpr ip_address second_router = v4(192, 168, 1, 254);
constexpr ip_address other_own_address = v4(192, 168, 1, 200);
constexpr ip_address neighbour = v4(192, 168, 1, 101);
constexpr ip_address attacker = v4(192, 168, 1, 66);

std::string last_lines(const std::string& text, std::size_t lines) {
  std::size_t at = text.size();
  for (std::size_t i = 0; i <= lines && at != std::string::npos && at > 0; ++i) {
    at = text.rfind('\n', at - 1);
  }
  return at == std::string::npos || at == 0 ? text : text.substr(at + 1);
}

/// One seed in so many lives for a year in which little happens.
constexpr std::uint64_t long_lives = 90;
constexpr nanoseconds year = 8'766h;

/// Until the last lease has ended that is told as open and gone, and refusals that stand for half
/// an hour, an hour and two have passed.
constexpr nanoseconds healing_bound = 8h;

bool gives_leases(const profile& how) {
  return how.upnp.leases == lease_policy::as_asked || !how.speaks_upnp;
}

/// Refuses for good, or grants what cannot be held: nothing is ever up, and that is right.
bool can_serve(const profile& how) {
  const bool refuses = how.refuses_maps_with || how.refuses_nat_pmp_maps_with;
  // The addresses outside are those of documentation, which no router takes for public ones.
  const bool by_upnp = how.speaks_upnp && !how.upnp.success_without_entry &&
                       !how.upnp.private_wan_disables &&
                       !(how.upnp.refuses_adds_with && !how.upnp.refused_adds);
  const bool by_others = (how.speaks_pcp || how.speaks_nat_pmp) && !refuses &&
                         how.max_rules >= 60 && !how.rules_per_host &&
                         !how.nat_pmp_answers_internal_port && !how.answers_external_port;
  return by_upnp || by_others;
}

class life {
 public:
  explicit life(const soak_settings& how)
      : how_(how),
        dice_(std::array<std::uint64_t, 4>{how.seed, 0x736f616b, 1, 1}),
        router_(how.router != nullptr ? *how.router : pick()),
        is_long_(!how.trouble && one_in(long_lives)),
        world_(scene_of()),
        holds_(world_) {}

  soak_outcome run() {
    soak_outcome out;
    out.router = router_.name;
    try {
      prepare();
      trouble();
      heal();
      converge();
      close();
    } catch (const std::exception& error) {
      if (!broken_) broken_ = error.what();
    }
    out.simulated = world_.now();
    out.trace_hash = world_.trace_hash();
    out.happenings = world_.happenings();
    out.broken = broken_;
    if (how_.keeps_transcript) out.transcript = world_.transcript();
    return out;
  }

 private:
  struct broken_off : std::runtime_error {
    using runtime_error::runtime_error;
  };

  bool coin() { return dice_.uniform(0, 1) == 0; }
  bool one_in(std::uint64_t many) { return dice_.uniform(1, many) == 1; }
  std::chrono::seconds seconds(std::uint64_t lowest, std::uint64_t highest) {
    return std::chrono::seconds{dice_.uniform(lowest, highest)};
  }

  const named_profile& pick() {
    const auto all = profiles();
    return all[static_cast<std::size_t>(dice_.uniform(0, all.size() - 1))];
  }

  scene scene_of() {
    scene what;
    what.seed = how_.seed;
    what.router = router_.how;
    what.uptime = seconds(0, 100'000);
    what.link.latency = std::chrono::milliseconds{dice_.uniform(1, 60)};
    what.keeps_records = how_.keeps_transcript;
    what.multicast_works = !one_in(6);
    if (is_long_) {
      what.client.recheck_period = seconds(1'800, 86'400);
      what.router.upnp.notify_interval = 24h;
    } else {
      what.client.recheck_period = seconds(60, 600);
    }
    // A third of all networks are good ones.
    if (!one_in(3)) {
      what.link.loss_percent = static_cast<unsigned>(dice_.uniform(0, 30));
      what.link.duplicate_percent = static_cast<unsigned>(dice_.uniform(0, 20));
    }
    is_good_network_ = what.link.loss_percent == 0;
    return what;
  }

  void require(const std::optional<std::string>& broken) {
    if (!broken) return;
    broken_ = broken;
    throw broken_off(*broken_);
  }

  /// Time passes; the invariants are looked at after each thing that happens.
  void pass(nanoseconds span) {
    const nanoseconds until = world_.now() + span;
    while (world_.step(until)) require(holds_.check());
    require(holds_.check());
  }

  void prepare() {
    world_.add_router(profile{}, second_router, v4(203, 0, 113, 80));
    for (const std::uint16_t port : {std::uint16_t{8'003}, std::uint16_t{8'006}}) {
      // Where both ports must be equal nothing could be mapped there.
      if (router_.how.upnp.same_ports_required) break;
      world_.router().occupy(transport::tcp, port, {neighbour, port});
      holds_.on_bystander({.transport = transport::tcp,
                           .external_port = port,
                           .owner = rule_owner::household,
                           .internal = {neighbour, port},
                           .expires = std::nullopt});
    }
    if (one_in(4)) {
      // Packets overtake each other.
      world_.courier = [this, late = std::make_shared<random_source>(std::array<std::uint64_t, 4>{
                                  how_.seed, 8, 8, 8})](const packet_record&) {
        const nanoseconds latency = world_.link().latency;
        return std::optional{late->uniform_duration(latency / 2, latency * 3)};
      };
    }
    if (!is_good_network_) {
      world_.http_courier = [faults = std::make_shared<random_source>(std::array<std::uint64_t, 4>{
                                 how_.seed, 10, 10, 10})](const http_record&) {
        return faulty(*faults);
      };
    }
  }

  static http_treatment faulty(random_source& dice) {
    using outcome = http_treatment::outcome;
    constexpr std::array ends{outcome::refused, outcome::unanswered, outcome::breaks_before,
                              outcome::breaks_after, outcome::hangs};
    http_treatment out;
    out.processing = std::chrono::milliseconds{dice.uniform(0, 300)};
    if (dice.uniform(0, 4) > 0) return out;
    out.end = ends.at(static_cast<std::size_t>(dice.uniform(0, ends.size() - 1)));
    return out;
  }

  void trouble() {
    const nanoseconds span =
        is_long_ ? year : nanoseconds{how_.trouble.value_or(seconds(600, 3'600))};
    const nanoseconds until = world_.now() + span;
    create();
    while (world_.now() < until) {
      disturb();
      holds_.on_world_changed();
      // Things happen every other day, or every other minute.
      pass(dice_.uniform_duration(0ms, is_long_ ? nanoseconds{96h} : nanoseconds{2min}));
    }
  }

  void create() {
    map_request wanted;
    wanted.transport = coin() ? transport::tcp : transport::udp;
    wanted.internal_port = static_cast<std::uint16_t>(8'000 + dice_.uniform(0, 9));
    constexpr std::array<std::chrono::seconds, 5> lifetimes{60s, 900s, 2h, 24h, 168h};
    wanted.lifetime =
        lifetimes.at(static_cast<std::size_t>(dice_.uniform(0, 2) + (is_long_ ? 2 : 0)));
    // An entry without an end that was left behind would stay for ever.
    wanted.allow_permanent = !gives_leases(router_.how);
    holds_.on_created(mapping_id{created_ + 1}, wanted);
    wanted_.push_back(world_.create(wanted));
    ++created_;
  }

  void release(bool keep_lease) {
    if (wanted_.empty()) return;
    const auto which = static_cast<std::ptrdiff_t>(dice_.uniform(0, wanted_.size() - 1));
    const mapping_id id = wanted_[static_cast<std::size_t>(which)];
    wanted_.erase(wanted_.begin() + which);
    world_.release(id, keep_lease);
  }

  void disturb() {
    static constexpr std::array steps{
        &life::create,         &life::create,       &life::create, &life::release_one,
        &life::release_one,    &life::leave_one,    &life::reboot, &life::plug,
        &life::serve,          &life::change_route, &life::doze,   &life::change_address,
        &life::change_gateway, &life::move,         &life::forge,  &life::forge,
        &life::announce,       &life::slow_down,    &life::sweep,  &life::discover};
    (this->*steps.at(static_cast<std::size_t>(dice_.uniform(0, steps.size() - 1))))();
  }

  void release_one() { release(false); }
  void leave_one() { release(true); }

  void reboot() {
    const bool keeps = one_in(4);
    // The household's own rules outlive a restart in real routers; the model's do not.
    if (!keeps) holds_.on_router_forgets();
    world_.reboot_router(keeps);
  }

  void plug() { world_.set_plugged(coin()); }
  void serve() { coin() ? world_.set_serving(coin()) : world_.set_http_serving(coin()); }
  void doze() { world_.suspend(seconds(1, 20'000)); }
  void slow_down() { world_.link().latency = std::chrono::milliseconds{dice_.uniform(1, 200)}; }
  void discover() { world_.discover(); }

  void change_route() {
    world_.set_network(coin() ? world::one_route(world::router_address, world::host_address)
                              : network_facts{});
  }
  void change_gateway() {
    world_.set_network(world::one_route(second_router, world::host_address));
  }
  void move() { world_.set_network(world::one_route(world::router_address, other_own_address)); }

  void change_address() {
    world_.set_public_address(v4(198, 51, 100, static_cast<std::uint8_t>(dice_.uniform(1, 250))));
  }

  /// Somebody deletes what we have, and tells nobody.
  void sweep() {
    const auto port = static_cast<std::uint16_t>(8'000 + dice_.uniform(0, 9));
    world_.router().forget(coin() ? transport::tcp : transport::udp, {world::host_address, port});
  }

  /// A reply that answers nothing, as somebody sends it who cannot see our packets. Only what the
  /// world was asked for before may come of it.
  void forge() {
    const auto to = world_.client_port();
    if (!to) return;
    std::vector<std::byte> packet(static_cast<std::size_t>(dice_.uniform(0, 80)));
    dice_.fill(packet);
    if (packet.size() > 4 && coin()) {
      packet[0] = coin() ? std::byte{2} : std::byte{0};
      packet[1] = coin() ? std::byte{0x81} : std::byte{0x82};
      packet[2] = packet[3] = std::byte{0};
    }
    // NAT-PMP has nothing to tell a forged reply by but where it comes from.
    const bool is_nat_pmp = packet.empty() || packet[0] == std::byte{0};
    const bool is_spoofed = !is_nat_pmp && coin();
    const endpoint from{is_spoofed ? world::router_address : attacker, 5351};
    const auto before = std::tuple{world_.event_count(), world_.sent_count(),
                                   world_.engine_deadline(), world_.mapping_count()};
    world_.inject({from, {world::host_address, *to}, packet});
    const auto after = std::tuple{world_.event_count(), world_.sent_count(),
                                  world_.engine_deadline(), world_.mapping_count()};
    // Eight bytes that refuse a version have nothing that could be guessed wrong.
    const bool is_bare = packet.size() < 24;
    if (before != after && !is_bare) require("a forged reply changed something");
  }

  /// A forged announcement: a question at most.
  void announce() {
    std::vector<std::byte> packet(24, std::byte{0});
    packet[0] = std::byte{2};
    packet[1] = std::byte{0x80};
    const auto events = world_.event_count();
    const auto sent = world_.sent_count();
    for (int i = 0; i < 20; ++i) {
      world_.inject({{world::router_address, 5351}, {v4(224, 0, 0, 1), 5350}, packet});
    }
    if (world_.event_count() != events) require("a forged announcement changed a state");
    if (world_.sent_count() > sent + 1)
      require("forged announcements led to more than one question");
  }

  void heal() {
    world_.courier = nullptr;
    world_.http_courier = nullptr;
    profile mended = router_.how;
    mended.refused_renewals = 0;
    world_.router().behaviour() = mended;
    world_.set_plugged(true);
    world_.set_serving(true);
    world_.set_http_serving(true);
    world_.link() = link_settings{};
    world_.set_network(world::one_route(world::router_address, world::host_address));
  }

  /// Every wanted mapping is up again, in time, and stays so.
  void converge() {
    holds_.on_world_changed();
    const nanoseconds until = world_.now() + healing_bound;
    while (holds_.missing() && world_.step(until)) require(holds_.check());
    if (can_serve(router_.how)) require(holds_.missing());
    pass(10min);
    if (can_serve(router_.how)) require(holds_.missing());
  }

  void close() {
    world_.close();
    pass(2s);
    require(holds_.check_closed());
    pass(1h);
    if (!world_.router().complaints().empty()) {
      require("the router complains: " + world_.router().complaints().front().what);
    }
  }

  soak_settings how_;
  random_source dice_;
  const named_profile& router_;
  bool is_long_;
  bool is_good_network_ = false;
  world world_;
  invariants holds_;
  std::uint64_t created_ = 0;
  std::vector<mapping_id> wanted_;
  std::optional<std::string> broken_;
};

}  // namespace

soak_outcome live(const soak_settings& how) {
  soak_outcome out = std::make_unique<life>(how)->run();
  if (!out.broken) return out;
  // The same life once more shows what it was like.
  soak_settings again = how;
  again.keeps_transcript = true;
  soak_outcome shown = std::make_unique<life>(again)->run();
  shown.last_lines = last_lines(shown.transcript, 50);
  if (!how.keeps_transcript) shown.transcript.clear();
  return shown;
}

}  // namespace damson::sim
