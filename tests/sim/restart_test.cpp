// A router that loses its mappings, and one that only seems to.

#include <algorithm>
#include <set>

#include "scenario.hpp"

namespace damson::sim {
namespace {

class restart : public scenario {
 protected:
  /// The mapping went and came back as it was.
  static void expect_regained(world& w, nanoseconds lost_by, nanoseconds back_within) {
    ASSERT_EQ(kinds(w), (std::vector{event_kind::mapped, event_kind::lost, event_kind::mapped}));
    const auto& lost = w.events()[1];
    const auto& back = w.events()[2];
    EXPECT_LE(lost.at, lost_by);
    EXPECT_EQ(lost.event.why.reason, errc::gateway_restarted);
    EXPECT_TRUE(back.event.regained);
    EXPECT_LE(back.at - lost.at, back_within);
    EXPECT_EQ(back.event.info.external, w.events()[0].event.info.external);
    EXPECT_TRUE(router_holds(w, 8080));
    EXPECT_EQ(w.counters().reboots_seen, 1U);
  }
};

TEST_F(restart, that_is_announced_is_checked_and_mended) {
  scene what;
  what.router.external_port = port_policy::own_choice;
  world& w = begin_mapped(what);
  w.router().behaviour().external_port = port_policy::as_suggested;
  w.run_for(100s);
  w.reboot_router();
  w.run_for(20s);
  expect_regained(w, 110s + 10ms, 5s + 10ms);
  const auto maps = pcp_maps(w);
  ASSERT_EQ(maps.size(), 2U);
  EXPECT_EQ(maps[1].map.nonce, maps[0].map.nonce);
  EXPECT_EQ(maps[1].map.external_port, 40'000);
  EXPECT_EQ(maps[1].map.external_address, wan_side);
}

TEST_F(restart, of_nat_pmp_that_is_announced_is_checked_and_mended) {
  world& w = begin_mapped(with(nat_pmp_only_router()));
  w.run_for(100s);
  w.reboot_router();
  w.run_for(20s);
  expect_regained(w, 110s + 10ms, 5s + 10ms);
  EXPECT_EQ(nat_pmp_maps(w).back().map.external_port, 8080);
}

TEST_F(restart, is_answered_after_a_random_wait) {
  std::set<nanoseconds> waits;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    scene what;
    what.seed = seed;
    world& w = begin_mapped(what);
    w.run_for(100s);
    w.reboot_router();
    w.run_for(20s);
    ASSERT_EQ(w.events().size(), 3U);
    waits.insert(w.events()[2].at - w.events()[1].at);
  }
  EXPECT_GE(waits.size(), 8U);
  EXPECT_LE(*waits.rbegin(), 5s + 10ms);
  EXPECT_GE(*waits.rbegin() - *waits.begin(), 1s);
}

TEST_F(restart, waits_as_short_as_it_is_told) {
  scene what;
  what.tuning.restart_wait = 0ms;
  world& w = begin_mapped(what);
  w.run_for(100s);
  w.reboot_router();
  w.run_for(20s);
  expect_regained(w, 110s, 10ms);
}

TEST_F(restart, whose_announcements_are_lost_is_found_by_the_recheck) {
  for (const bool pcp : {true, false}) {
    scene what;
    what.router.speaks_pcp = pcp;
    what.router.announcements = 0;
    world& w = begin_mapped(what);
    w.run_for(100s);
    w.reboot_router();
    w.run_for(310s);
    expect_regained(w, 100s + 300s + 1s, 5s + 10ms);
  }
}

TEST_F(restart, is_found_although_one_recheck_is_lost) {
  scene what;
  what.router.announcements = 0;
  world& w = begin_mapped(what);
  w.run_for(10min);
  w.reboot_router();
  bool dropped = false;
  w.courier = [&](const packet_record& record) -> std::optional<nanoseconds> {
    if (!dropped && record.way == direction::to_host) {
      dropped = true;
      return std::nullopt;
    }
    return 1ms;
  };
  w.run_for(300s + 60s);
  EXPECT_TRUE(dropped);
  expect_regained(w, 10min + 300s + 60s, 5s + 10ms);
}

TEST_F(restart, is_found_at_the_period_that_the_program_chose) {
  scene what;
  what.router.announcements = 0;
  what.client.recheck_period = 20s;
  world& w = begin_mapped(what);
  w.run_for(100s);
  w.reboot_router();
  w.run_for(40s);
  expect_regained(w, 100s + 20s + 1s, 5s + 10ms);
}

TEST_F(restart, with_time_to_start_is_mended_when_the_router_is_back) {
  world& w = begin_mapped();
  w.run_for(100s);
  w.set_plugged(false);
  w.run_for(90s);
  w.set_plugged(true);
  w.reboot_router();
  w.run_for(20s);
  expect_regained(w, 200s + 10ms, 5s + 10ms);
}

TEST_F(restart, is_seen_in_a_renewal_too) {
  scene what;
  what.router.announcements = 0;
  what.router.answers_announce_requests = false;  // no recheck can tell
  world& w = begin_mapped(what);
  w.run_for(100s);
  w.reboot_router();
  w.run_for(4510s);
  // The renewal itself made the mapping again, with the same nonce and port: whether the gap before
  // it is told as `lost` is not the point here, that it is open again is.
  EXPECT_EQ(w.events().back().event.kind, event_kind::mapped);
  EXPECT_TRUE(router_holds(w, 8080));
  EXPECT_EQ(w.counters().reboots_seen, 1U);
}

TEST_F(restart, that_kept_the_mappings_is_mended_all_the_same) {
  world& w = begin_mapped();
  w.run_for(100s);
  w.reboot_router(true);
  w.run_for(20s);
  expect_regained(w, 110s + 10ms, 5s + 10ms);
}

TEST_F(restart, that_kept_the_mappings_brings_each_back_by_the_protocol_that_made_it) {
  // PCP is not heard at first, so NAT-PMP makes the mapping; for PCP it is somebody else's.
  world& w = begin();
  w.courier = [&w](const packet_record& record) -> std::optional<nanoseconds> {
    if (is_pcp(record.datagram.bytes) && w.now() < 10s) return std::nullopt;
    return 1ms;
  };
  w.create(request());
  w.run_for(100s);
  ASSERT_EQ(kinds(w), std::vector{event_kind::mapped});
  ASSERT_EQ(w.events()[0].event.info.protocol, protocol::nat_pmp);
  w.set_public_address(v4(203, 0, 113, 9));  // the epoch starts again, mappings stay
  w.run_for(60s);
  EXPECT_EQ(w.events().back().event.kind, event_kind::mapped);
  EXPECT_EQ(w.events().back().event.info.external, (endpoint{v4(203, 0, 113, 9), 8080}));
}

TEST_F(restart, of_a_router_with_many_mappings_mends_all_of_them) {
  world& w = begin();
  for (std::uint16_t port = 8000; port < 8100; ++port) w.create(request(port));
  w.run_for(100s);
  ASSERT_EQ(w.count_events(event_kind::mapped), 100U);
  const std::size_t before = w.sent_count();
  w.reboot_router();
  w.run_for(20s);
  EXPECT_EQ(w.count_events(event_kind::lost), 100U);
  EXPECT_EQ(w.count_events(event_kind::mapped), 200U);
  EXPECT_EQ(w.router().rules().size(), 100U);
  // No storm: one request a mapping, the check, and the beginning of a search.
  EXPECT_LE(w.sent_count() - before, 100U + 5U);
}

TEST_F(restart, twice_is_two_restarts) {
  world& w = begin_mapped();
  w.run_for(100s);
  w.reboot_router();
  w.run_for(60s);
  w.reboot_router();
  w.run_for(60s);
  EXPECT_EQ(kinds(w), (std::vector{event_kind::mapped, event_kind::lost, event_kind::mapped,
                                   event_kind::lost, event_kind::mapped}));
  EXPECT_EQ(w.counters().reboots_seen, 2U);
  EXPECT_TRUE(router_holds(w, 8080));
}

// Another box at the same address, that has been running for longer, knows nothing of us.
TEST_F(restart, is_seen_where_the_epoch_runs_ahead) {
  scene what;
  what.router.announcements = 0;
  world& w = begin_mapped(what);
  w.run_for(100s);
  w.router().forget_all();
  w.router().behaviour().epoch_start = 100'000;
  w.run_for(310s);
  EXPECT_EQ(kinds(w), (std::vector{event_kind::mapped, event_kind::lost, event_kind::mapped}));
  EXPECT_EQ(w.counters().reboots_seen, 1U);
  EXPECT_TRUE(router_holds(w, 8080));
}

TEST_F(restart, is_not_imagined_in_a_healthy_week) {
  for (const bool pcp : {true, false}) {
    scene what;
    what.router.speaks_pcp = pcp;
    world& w = begin_mapped(what);
    w.run_for(24h * 7);
    EXPECT_EQ(kinds(w), std::vector{event_kind::mapped});
    EXPECT_EQ(w.counters().reboots_seen, 0U);
  }
}

TEST_F(restart, that_the_epoch_hides_is_mended_where_the_router_was_missed) {
  // It had counted a second, and has done so again: within the tolerance of both RFCs.
  for (const bool pcp : {true, false}) {
    scene what;
    what.router.speaks_pcp = pcp;
    what.router.announcements = 0;
    what.uptime = 0s;
    what.client.recheck_period = 1s;
    world& w = begin_mapped(what);
    w.run_for(1500ms);
    w.reboot_router();
    w.set_serving(false);
    w.run_for(1s);
    EXPECT_FALSE(router_holds(w, 8080));
    w.set_serving(true);
    w.run_for(2s);
    EXPECT_EQ(kinds(w), (std::vector{event_kind::mapped, event_kind::mapped}));
    EXPECT_TRUE(w.events().back().event.regained);
    EXPECT_TRUE(router_holds(w, 8080));
    EXPECT_EQ(w.counters().reboots_seen, 0U);
  }
}

TEST_F(restart, is_not_imagined_right_after_the_router_started) {
  // The first epoch heard is 0, and 0 minus 1 is not four thousand million.
  for (const bool pcp : {true, false}) {
    scene what;
    what.router.speaks_pcp = pcp;
    what.uptime = 0s;
    what.client.recheck_period = 1s;
    world& w = begin_mapped(what);
    w.run_for(10min);
    EXPECT_EQ(kinds(w), std::vector{event_kind::mapped});
    EXPECT_EQ(w.counters().reboots_seen, 0U);
  }
}

TEST_F(restart, is_not_imagined_where_the_epoch_is_large) {
  scene what;
  what.router.epoch_start = 0xffff0000;
  what.uptime = 0s;
  world& w = begin_mapped(what);
  w.run_for(12h);
  EXPECT_EQ(kinds(w), std::vector{event_kind::mapped});
}

TEST_F(restart, is_not_imagined_on_a_slow_or_late_link) {
  scene what;
  what.client.recheck_period = 10s;
  world& w = begin_mapped(what);
  random_source dice{std::array<std::uint64_t, 4>{1, 2, 3, 4}};
  w.courier = [&](const packet_record&) -> std::optional<nanoseconds> {
    return dice.uniform_duration(1ms, 400ms);
  };
  w.run_for(12h);
  EXPECT_EQ(kinds(w), std::vector{event_kind::mapped});
  EXPECT_EQ(w.counters().reboots_seen, 0U);
}

TEST_F(restart, is_not_imagined_after_the_host_has_slept) {
  world& w = begin_mapped();
  for (int i = 0; i < 20; ++i) {
    w.suspend(30min);
    w.run_for(7min);
  }
  EXPECT_EQ(kinds(w), std::vector{event_kind::mapped});
  EXPECT_EQ(w.counters().reboots_seen, 0U);
}

TEST_F(restart, of_the_epoch_with_a_new_address_brings_the_new_address) {
  world& w = begin_mapped();
  w.run_for(100s);
  constexpr ip_address fresh = v4(203, 0, 113, 9);
  w.set_public_address(fresh);
  w.run_for(20s);
  const auto& last = w.events().back().event;
  EXPECT_EQ(last.info.external, (endpoint{fresh, 8080}));
  EXPECT_TRUE(last.kind == event_kind::changed || last.kind == event_kind::mapped);
}

TEST_F(restart, a_new_address_without_one_is_a_change) {
  for (const bool pcp : {true, false}) {
    scene what;
    what.router.speaks_pcp = pcp;
    what.router.address_change_resets_epoch = false;
    world& w = begin_mapped(what);
    w.run_for(100s);
    constexpr ip_address fresh = v4(203, 0, 113, 9);
    w.set_public_address(fresh);
    // NAT-PMP says it in the announcement; PCP in the next renewal.
    w.run_for(pcp ? nanoseconds{4510s} : nanoseconds{20s});
    ASSERT_EQ(kinds(w), (std::vector{event_kind::mapped, event_kind::changed}));
    EXPECT_EQ(w.events()[1].event.info.external, (endpoint{fresh, 8080}));
    EXPECT_EQ(w.counters().reboots_seen, 0U);
  }
}

TEST_F(restart, a_new_nat_pmp_address_without_a_word_is_found_by_the_recheck) {
  profile router = nat_pmp_only_router();
  router.address_change_resets_epoch = false;
  router.announcements = 0;
  world& w = begin_mapped(with(router));
  w.run_for(100s);
  w.set_public_address(v4(203, 0, 113, 9));
  w.run_for(301s);
  ASSERT_EQ(kinds(w), (std::vector{event_kind::mapped, event_kind::changed}));
}

}  // namespace
}  // namespace damson::sim
