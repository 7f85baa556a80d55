#include "sim/soak_trouble.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "sim/soak_neighbours.hpp"

namespace damson::sim {

namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

constexpr ip_address v4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d) {
  return ip_address{ip_address::v4_bytes{a, b, c, d}};
}

constexpr ip_address second_router = v4(192, 168, 1, 254);
constexpr ip_address decoy_address = v4(192, 168, 1, 50);
constexpr ip_address neighbour = v4(192, 168, 1, 101);
constexpr ip_address attacker = v4(192, 168, 1, 66);
constexpr ip_address all_hosts = v4(224, 0, 0, 1);

constexpr std::uint16_t first_port = 8'000;
constexpr std::uint16_t port_count = 10;

bool gives_leases(const profile& how) {
  return how.upnp.leases == lease_policy::as_asked || !how.speaks_upnp;
}

/// Where a taken port is no reason to give another one, what the neighbours hold cannot be mapped.
bool bears_competition(const profile& how) {
  return !how.upnp.same_ports_required && !how.rules_per_host && how.max_rules >= 60;
}

http_treatment faulty(random_source& dice) {
  using outcome = http_treatment::outcome;
  constexpr std::array ends{outcome::refused, outcome::unanswered, outcome::breaks_before,
                            outcome::breaks_after, outcome::hangs};
  http_treatment out;
  out.processing = std::chrono::milliseconds{dice.uniform(0, 300)};
  if (dice.uniform(0, 4) > 0) return out;
  out.end = ends.at(static_cast<std::size_t>(dice.uniform(0, ends.size() - 1)));
  return out;
}

}  // namespace

troublemaker::troublemaker(world& w, invariants& holds, random_source& dice, const life_plan& plan)
    : world_(w), holds_(holds), dice_(dice), plan_(plan) {}

std::chrono::seconds troublemaker::seconds(std::uint64_t lowest, std::uint64_t highest) {
  return std::chrono::seconds{dice_.uniform(lowest, highest)};
}

std::uint16_t troublemaker::any_port() {
  return static_cast<std::uint16_t>(first_port + dice_.uniform(0, port_count - 1));
}

void troublemaker::begin() {
  if (plan_.who == topology::two_routers) {
    world_.add_router(profile{}, second_router, v4(203, 0, 113, 80));
  } else if (plan_.who == topology::decoy) {
    profile decoy;
    decoy.speaks_pcp = decoy.speaks_nat_pmp = false;
    decoy.speaks_upnp = true;
    decoy.upnp.notify_interval = plan_.router->how.upnp.notify_interval;
    world_.add_router(decoy, decoy_address, coin() ? std::optional{v4(10, 0, 0, 7)} : std::nullopt);
  }
  if (bears_competition(plan_.router->how)) {
    world_.router().occupy(transport::tcp, first_port + 3, {neighbour, first_port + 3});
    world_.router().occupy(transport::tcp, first_port + 6, {neighbour, first_port + 6});
  }
  holds_.on_others_changed();
  if (!plan_.is_good_network) {
    world_.http_courier = [this](const http_record&) { return faulty(dice_); };
  }
  create();
}

void troublemaker::disturb() {
  using step = troublemaker;
  static constexpr std::array steps{&step::create,
                                    &step::create,
                                    &step::create,
                                    &step::create_many,
                                    &step::release_one,
                                    &step::release_one,
                                    &step::leave_one,
                                    &step::release_all,
                                    &step::discover,
                                    &step::call_off,
                                    &step::call_after_a_packet,
                                    &step::call_after_a_packet,
                                    &step::call_after_an_event,
                                    &step::call_at_the_deadline,
                                    &step::reboot,
                                    &step::plug,
                                    &step::serve,
                                    &step::change_address,
                                    &step::sweep,
                                    &step::announce_upnp,
                                    &step::change_route,
                                    &step::change_gateway,
                                    &step::move,
                                    &step::doze,
                                    &step::slow_down,
                                    &step::break_sockets,
                                    &step::compete,
                                    &step::compete,
                                    &step::forge_replies,
                                    &step::forge_replies,
                                    &step::forge_announcements,
                                    &step::forge_devices};
  (this->*steps.at(static_cast<std::size_t>(dice_.uniform(0, steps.size() - 1))))();
  holds_.on_world_changed();
}

void troublemaker::heal() {
  world_.http_courier = nullptr;
  profile mended = world_.router().behaviour();
  mended.refused_renewals = 0;
  world_.router().behaviour() = mended;
  world_.set_plugged(true);
  world_.set_serving(true);
  world_.set_http_serving(true);
  world_.sockets_work = true;
  world_.link() = link_settings{};
  world_.set_network(world::one_route(world::router_address, world::host_address));
  holds_.on_healed();
}

// -------------------------------------------------------------------------------------------------
// The user

void troublemaker::create() {
  map_request wanted;
  wanted.transport = any_transport();
  wanted.internal_port = any_port();
  constexpr std::array<std::chrono::seconds, 5> lifetimes{60s, 900s, 2h, 24h, 168h};
  const std::size_t shortest = plan_.is_long ? 2 : 0;
  wanted.lifetime = lifetimes.at(static_cast<std::size_t>(dice_.uniform(shortest, shortest + 2)));
  // An entry without an end that was left behind would stay for ever.
  wanted.allow_permanent = !gives_leases(plan_.router->how);
  holds_.on_created(mapping_id{++created_}, wanted);
  wanted_.push_back(world_.create(wanted));
}

void troublemaker::create_many() {
  for (std::uint64_t i = dice_.uniform(3, 12); i > 0; --i) create();
}

void troublemaker::release(bool keep_lease) {
  if (wanted_.empty()) return;
  const auto which = static_cast<std::ptrdiff_t>(dice_.uniform(0, wanted_.size() - 1));
  const mapping_id id = wanted_[static_cast<std::size_t>(which)];
  wanted_.erase(wanted_.begin() + which);
  holds_.on_released(id);
  world_.release(id, keep_lease);
}

void troublemaker::release_all() {
  while (!wanted_.empty()) release(false);
}

void troublemaker::call_off() {
  if (last_discovery_) world_.cancel(*last_discovery_);
  last_discovery_.reset();
}

/// Anything that a program, or its system, may do in between.
void troublemaker::call() {
  using step = troublemaker;
  static constexpr std::array calls{&step::create,        &step::create,    &step::release_one,
                                    &step::release_one,   &step::leave_one, &step::release_all,
                                    &step::discover,      &step::call_off,  &step::change_route,
                                    &step::reboot,        &step::move,      &step::doze,
                                    &step::change_gateway};
  for (std::uint64_t i = dice_.uniform(1, 3); i > 0; --i) {
    (this->*calls.at(static_cast<std::size_t>(dice_.uniform(0, calls.size() - 1))))();
  }
}

/// Between a request and its answer.
void troublemaker::call_after_a_packet() {
  const std::uint64_t before = world_.sent_count();
  holds_.pass_until([&] { return world_.sent_count() != before; }, plan_.is_long ? 24h : 5min);
  call();
}

/// As a program does that is told something and acts upon it at once.
void troublemaker::call_after_an_event() {
  const std::size_t before = world_.event_count();
  holds_.pass_until([&] { return world_.event_count() != before; }, plan_.is_long ? 24h : 5min);
  call();
}

/// When a timer is due and has not been told so yet: a renewal, a try, the end of a lease.
void troublemaker::call_at_the_deadline() {
  holds_.pass_until([&] { return world_.is_before_deadline(); }, plan_.is_long ? 24h : 5min);
  if (world_.is_before_deadline()) world_.skip_to_deadline();
  call();
}

// -------------------------------------------------------------------------------------------------
// The router

void troublemaker::reboot() {
  world_.reboot_router(one_in(4));
  holds_.on_disturbed();
  holds_.on_others_changed();
  // Whoever comes first after a restart takes what the others had.
  if (one_in(3)) compete();
}

void troublemaker::serve() {
  holds_.on_disturbed();
  coin() ? world_.set_serving(coin()) : world_.set_http_serving(coin());
}

void troublemaker::change_address() {
  world_.set_public_address(v4(198, 51, 100, static_cast<std::uint8_t>(dice_.uniform(1, 250))));
  holds_.on_disturbed();
}

/// Somebody deletes what we have, and tells nobody.
void troublemaker::sweep() {
  world_.router().forget(any_transport(), {world::host_address, any_port()});
  holds_.on_disturbed();
}

// -------------------------------------------------------------------------------------------------
// The network

void troublemaker::change_route() {
  holds_.on_network_changes();
  world_.set_network(coin() ? world::one_route(world::router_address, world::host_address)
                            : network_facts{});
  holds_.on_disturbed();
}

void troublemaker::change_gateway() {
  if (plan_.who != topology::two_routers) return change_route();
  holds_.on_network_changes();
  world_.set_network(world::one_route(second_router, world::host_address));
  holds_.on_disturbed();
}

void troublemaker::move() {
  holds_.on_network_changes();
  world_.set_network(world::one_route(world::router_address, other_own_address));
  holds_.on_disturbed();
}

void troublemaker::doze() {
  const std::chrono::seconds span = seconds(1, 20'000);
  holds_.on_network_changes();
  world_.suspend(span);
  holds_.on_slept(span);
  holds_.on_disturbed();
}

void troublemaker::slow_down() {
  world_.link().latency = std::chrono::milliseconds{dice_.uniform(1, 200)};
}

void troublemaker::break_sockets() {
  holds_.on_network_changes();
  world_.sockets_work = coin();
}

// -------------------------------------------------------------------------------------------------
// The neighbours

/// Another host maps the ports that we have or want, in any protocol that the router speaks.
void troublemaker::compete() {
  const profile& how = plan_.router->how;
  if (!bears_competition(how)) return;
  std::vector<protocol> ways;
  if (how.speaks_pcp) ways.push_back(protocol::pcp);
  if (how.speaks_nat_pmp) ways.push_back(protocol::nat_pmp);
  if (how.speaks_upnp) ways.push_back(protocol::upnp);
  if (ways.empty()) return;
  neighbours_wish wish;
  wish.protocol = ways.at(static_cast<std::size_t>(dice_.uniform(0, ways.size() - 1)));
  wish.transport = any_transport();
  wish.external_port = any_port();
  wish.internal = {neighbour, any_port()};
  wish.lifetime = static_cast<std::uint32_t>(dice_.uniform(120, 7'200));
  dice_.fill(wish.nonce);
  ask_as_neighbour(world_.router(), world_.clock(), wish);
  holds_.on_others_changed();
}

/// Nothing is expected soon, so nothing is under way.
bool troublemaker::is_idle() const {
  const auto next = world_.engine_deadline();
  return !next || *next - world_.clock() > 70s;
}

/// A reply that answers nothing, as somebody sends it who cannot see our packets.
void troublemaker::forge_replies() {
  const auto to = world_.client_port();
  if (!to) return;
  const endpoint host{world::host_address, *to};
  const endpoint router{world::router_address, server_port};
  const endpoint stranger{attacker, server_port};
  const auto send = [&](const endpoint& from, bytes content, const char* name) {
    holds_.demand_no_effect([&] { world_.inject({from, host, std::move(content)}); }, name);
  };
  for (int i = 0; i < 4; ++i) {
    send(stranger, forged_noise(dice_), "noise from a stranger");
    send(router, forged_pcp_grant(dice_, any_transport(), any_port()), "a forged PCP grant");
    send(stranger, forged_nat_pmp_grant(dice_, any_port()), "a NAT-PMP grant from a stranger");
    send(stranger, forged_announcement(dice_), "an announcement to the client's port");
    send({attacker, 1900}, forged_notify("http://192.168.1.66/", true), "a NOTIFY");
    // NAT-PMP has nothing to tell a forged reply by but the question that is open (RFC 6886).
    if (is_idle()) send(router, forged_nat_pmp_grant(dice_, any_port()), "a forged NAT-PMP grant");
  }
}

/// Nothing has happened lately that a question could rightly find out.
bool troublemaker::is_steady() const {
  const nanoseconds quiet = world_.now() - holds_.disturbed_at();
  return plan_.is_good_network && world_.is_in_reach() && quiet > 2 * world_.recheck_period() &&
         world_.link().latency < 50ms;
}

/// "I have restarted", again and again. It is worth one question in ten seconds, and what changes
/// is for the answer to say.
void troublemaker::forge_announcements() {
  const bool steady = is_steady() && !holds_.missing();
  const std::size_t lost = holds_.lost_count();
  const std::size_t checks = holds_.check_count();
  for (int i = 0; i < 18; ++i) {
    const std::uint64_t events = world_.event_count();
    const std::uint64_t sent = world_.sent_count();
    const endpoint from{coin() ? world::router_address : attacker, server_port};
    world_.inject({from, {all_hosts, announcement_port}, forged_announcement(dice_)});
    world_.inject({{attacker, 1900},
                   {all_hosts, announcement_port},
                   forged_notify("http://192.168.1.66/", coin())});
    if (world_.event_count() != events) holds_.fail("a forged announcement changed a state");
    if (world_.sent_count() > sent + 1) {
      holds_.fail("a forged announcement led to more than one question");
    }
    holds_.pass(500ms);
  }
  if (!steady) return;
  // One for the hints, and one that was due anyway, each in both protocols.
  if (holds_.check_count() > checks + 4) {
    holds_.fail("forged announcements led to " + std::to_string(holds_.check_count() - checks) +
                " questions in nine seconds");
  }
  if (holds_.lost_count() != lost) holds_.fail("forged announcements made a mapping be lost");
}

/// Somebody answers the search, in the router's name or its own, and says that the router is
/// elsewhere.
void troublemaker::forge_devices() {
  if (!plan_.is_long) {
    holds_.pass_until([&] { return world_.search_endpoint().has_value(); }, 5min);
  }
  const auto to = world_.search_endpoint();
  if (!to) return;
  static constexpr std::array places{"http://192.168.1.66:80/desc.xml",
                                     "http://192.168.1.77:80/desc.xml",
                                     "http://192.168.1.101:80/",
                                     "http://192.168.1.100:8080/",
                                     "http://127.0.0.1:631/",
                                     "http://203.0.113.9/desc.xml",
                                     "http://239.255.255.250:1900/",
                                     "http://router.example/desc.xml",
                                     "ftp://192.168.1.1/desc.xml",
                                     "http://192.168.1.1:22/",
                                     "http://192.168.1.1@203.0.113.9/",
                                     "http://[::1]/desc.xml",
                                     "http://0.0.0.0/",
                                     ""};
  holds_.on_seen(attacker);
  for (int i = 0; i < 6; ++i) {
    const char* where = places.at(static_cast<std::size_t>(dice_.uniform(0, places.size() - 1)));
    const endpoint from{coin() ? world::router_address : attacker, 1900};
    world_.inject({from, *to, coin() ? forged_search_answer(where) : forged_notify(where, coin())});
    holds_.pass(dice_.uniform_duration(0ms, 200ms));
  }
}

}  // namespace damson::sim
