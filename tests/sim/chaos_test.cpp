// Everything at once, then healing, then what must hold.

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "scenario.hpp"

namespace damson::sim {
namespace {

class chaos : public scenario {
 protected:
  /// What one seed makes of a router.
  static scene scene_of(std::uint64_t seed, random_source& dice) {
    scene what;
    what.seed = seed;
    what.router.speaks_pcp = dice.uniform(0, 2) > 0;
    what.router.answers_version_refusal = dice.uniform(0, 3) > 0;
    what.router.delete_of_nothing_fails = dice.uniform(0, 1) == 0;
    what.router.taken_port_is_no_resources = dice.uniform(0, 1) == 0;
    what.router.announcements = dice.uniform(0, 1) == 0 ? 10 : 0;
    what.router.max_lifetime = std::chrono::seconds{dice.uniform(0, 1) == 0 ? 86'400 : 300};
    what.router.external_port =
        dice.uniform(0, 1) == 0 ? port_policy::as_suggested : port_policy::own_choice;
    what.uptime = std::chrono::seconds{dice.uniform(0, 100'000)};
    what.link.latency = std::chrono::milliseconds{dice.uniform(1, 60)};
    what.link.loss_percent = static_cast<unsigned>(dice.uniform(0, 3) * 10);
    what.link.duplicate_percent = static_cast<unsigned>(dice.uniform(0, 2) * 10);
    return what;
  }

  void disturb(world& w, random_source& dice) {
    const network_facts home = world::one_route(world::router_address, world::host_address);
    switch (dice.uniform(0, 11)) {
      case 0:
      case 1:
      case 2: {
        const auto port = static_cast<std::uint16_t>(8000 + dice.uniform(0, 9));
        const mapping_id id =
            w.create(request(port, dice.uniform(0, 1) == 0 ? transport::tcp : transport::udp));
        wanted_.insert(id);
        return;
      }
      case 3:
      case 4:
        if (wanted_.empty()) return;
        w.release(*wanted_.begin());
        wanted_.erase(wanted_.begin());
        return;
      case 5: return w.reboot_router(dice.uniform(0, 3) == 0);
      case 6: return w.set_plugged(dice.uniform(0, 1) == 0);
      case 7: return w.set_serving(dice.uniform(0, 1) == 0);
      case 8: return w.set_network(dice.uniform(0, 1) == 0 ? home : network_facts{});
      case 9: return w.suspend(std::chrono::seconds{dice.uniform(1, 4'000)});
      case 10:
        return w.set_public_address(
            v4(198, 51, 100, static_cast<std::uint8_t>(dice.uniform(1, 250))));
      default: w.link().latency = std::chrono::milliseconds{dice.uniform(1, 200)}; return;
    }
  }

  static void heal(world& w) {
    w.set_plugged(true);
    w.set_serving(true);
    w.link() = link_settings{};
    w.set_network(world::one_route(world::router_address, world::host_address));
  }

  /// Last known state of each mapping that is still wanted: mapped, and held by the router.
  void expect_converged(world& w) {
    std::set<std::pair<transport, std::uint16_t>> ports;
    for (const mapping_id id : wanted_) {
      const auto* last = w.last_event(id);
      ASSERT_NE(last, nullptr);
      // A second mapping of one port waits for the first to go, and is not up while that is.
      if (last->event.why.reason == errc::already_mapped) continue;
      EXPECT_TRUE(last->event.kind == event_kind::mapped ||
                  last->event.kind == event_kind::changed)
          << "mapping " << static_cast<std::uint64_t>(id) << " is "
          << to_string(last->event.kind) << ": " << to_string(last->event.why);
      const mapping_info& info = last->event.info;
      const nat_rule* rule = w.router().table().at_internal(info.transport, info.internal);
      ASSERT_NE(rule, nullptr);
      EXPECT_EQ(rule->external_port, info.external.port);
      EXPECT_TRUE(ports.insert({info.transport, info.internal.port}).second);
    }
  }

  std::set<mapping_id> wanted_;
};

TEST_F(chaos, heals_and_leaves_nothing_behind) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    random_source dice{std::array<std::uint64_t, 4>{seed, 7, 7, 7}};
    wanted_.clear();
    world w{scene_of(seed, dice)};
    for (int i = 0; i < 60; ++i) {
      disturb(w, dice);
      w.run_for(std::chrono::milliseconds{dice.uniform(0, 60'000)});
    }
    heal(w);
    // A recheck period, the restart's random wait, and what a refusal may hold back.
    w.run_for(15min);
    expect_converged(w);
    w.close();
    w.run_for(2s);
    EXPECT_TRUE(w.closed());
    // Nothing is left but what was reported as left to expire.
    std::set<std::pair<transport, endpoint>> left;
    for (const auto& seen : w.events()) {
      if (seen.event.kind == event_kind::removed && seen.event.how == removal::left_to_expire) {
        left.insert({seen.event.info.transport, seen.event.info.internal});
      }
    }
    for (const nat_rule& rule : w.router().rules()) {
      EXPECT_TRUE(left.contains({rule.transport, rule.internal})) << rule.internal.port;
    }
    EXPECT_TRUE(w.router().complaints().empty());
    if (HasFailure()) {
      const std::string text = w.transcript();
      std::cout << text.substr(text.size() > 12'000 ? text.size() - 12'000 : 0);
      return;
    }
  }
}

TEST_F(chaos, is_the_same_for_the_same_seed) {
  const auto run = [this](std::uint64_t seed) {
    random_source dice{std::array<std::uint64_t, 4>{seed, 7, 7, 7}};
    wanted_.clear();
    world w{scene_of(seed, dice)};
    for (int i = 0; i < 60; ++i) {
      disturb(w, dice);
      w.run_for(std::chrono::milliseconds{dice.uniform(0, 60'000)});
    }
    return w.transcript();
  };
  EXPECT_EQ(run(11), run(11));
  EXPECT_NE(run(11), run(12));
}

}  // namespace
}  // namespace damson::sim
