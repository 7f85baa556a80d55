#include "sim/exhaustive.hpp"

#include <array>
#include <chrono>
#include <exception>
#include <span>
#include <string_view>
#include <vector>

#include "sim/invariants.hpp"
#include "sim/world.hpp"

namespace damson::sim {

namespace {

using namespace std::chrono_literals;

/// One small world, and what can happen in it.
class small_life {
 public:
  explicit small_life(const profile& router) : world_(scene_of(router)), holds_(world_) {}

  void create() {
    if (id_ != mapping_id::none) return;
    const map_request wanted{.internal_port = 8'080};
    holds_.on_created(mapping_id{created_ + 1}, wanted);
    id_ = world_.create(wanted);
    ++created_;
  }
  void release() {
    holds_.on_released(id_);
    if (id_ != mapping_id::none) world_.release(id_);
    id_ = mapping_id::none;
  }
  void reboot() { world_.reboot_router(); }
  void lose_answer() {
    world_.link().loss_percent = 100;
    holds_.pass(1s);
    world_.link().loss_percent = 0;
  }
  void unplug() { plug(!plugged_); }
  void leave() {
    is_away_ = !is_away_;
    world_.set_network(is_away_ ? network_facts{} : home());
    holds_.on_world_changed();
  }
  void wait_for_timer() {
    holds_.pass_until([this] { return world_.is_before_deadline(); }, 24h);
    if (world_.is_before_deadline()) world_.skip_to_deadline();
  }
  void wait_a_moment() { holds_.pass(1500us); }

  /// Everything works again, and then the client leaves.
  void end() {
    plug(true);
    if (is_away_) leave();
    holds_.pass_until([this] { return !holds_.missing(); }, 3h);
    if (const auto what = holds_.missing()) holds_.fail(*what);
    world_.close();
    holds_.pass(2s);
    holds_.demand_closed();
  }

 private:
  static network_facts home() {
    return world::one_route(world::router_address, world::host_address);
  }
  static scene scene_of(const profile& router) {
    scene out;
    out.router = router;
    out.keeps_records = false;
    return out;
  }
  void plug(bool plugged) {
    plugged_ = plugged;
    world_.set_plugged(plugged);
    holds_.on_world_changed();
  }

  world world_;
  invariants holds_;
  mapping_id id_ = mapping_id::none;
  std::uint64_t created_ = 0;
  bool plugged_ = true;
  bool is_away_ = false;
};

struct letter {
  std::string_view name;
  void (small_life::*happens)();
};

constexpr std::array alphabet{
    letter{"create", &small_life::create},        letter{"release", &small_life::release},
    letter{"reboot", &small_life::reboot},        letter{"loss", &small_life::lose_answer},
    letter{"plug", &small_life::unplug},          letter{"network", &small_life::leave},
    letter{"timer", &small_life::wait_for_timer}, letter{"moment", &small_life::wait_a_moment}};

std::array<profile, 3> smallest_routers() {
  std::array<profile, 3> out;
  out[0].speaks_nat_pmp = false;
  out[1].speaks_pcp = false;
  out[2].speaks_pcp = out[2].speaks_nat_pmp = false;
  out[2].speaks_upnp = true;
  out[2].upnp.notify_interval = 0s;
  return out;
}

std::string names_of(std::span<const std::size_t> word) {
  std::string out;
  for (const std::size_t each : word) out += std::string{alphabet.at(each).name} + " ";
  return out;
}

void live(const profile& router, std::span<const std::size_t> word, exhaustive_outcome& all) {
  ++all.lives;
  try {
    small_life one{router};
    for (const std::size_t each : word) (one.*alphabet.at(each).happens)();
    one.end();
  } catch (const std::exception& error) {
    ++all.broken;
    if (!all.first) all.first = names_of(word) + "- " + error.what();
  }
}

/// Counts up, with the letters as digits; false after the last word of that length.
bool advance(std::vector<std::size_t>& word) {
  for (std::size_t& digit : word) {
    if (++digit < alphabet.size()) return true;
    digit = 0;
  }
  return false;
}

}  // namespace

exhaustive_outcome live_all(std::size_t longest) {
  exhaustive_outcome all;
  for (const profile& router : smallest_routers()) {
    for (std::size_t length = 0; length <= longest; ++length) {
      std::vector<std::size_t> word(length, 0);
      do live(router, word, all);
      while (advance(word));
    }
  }
  return all;
}

}  // namespace damson::sim
