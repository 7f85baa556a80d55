// Keeping a mapping alive.

#include <algorithm>
#include <set>

#include "scenario.hpp"

namespace damson::sim {
namespace {

class renewal : public scenario {};

//
TEST_F(renewal, comes_between_a_half_and_five_eighths_with_the_same_nonce_and_what_was_assigned) {
  scene what;
  what.router.external_port = port_policy::own_choice;
  world& w = begin_mapped(what);
  w.run_for(24h);
  EXPECT_EQ(kinds(w), std::vector{event_kind::mapped});
  const auto maps = pcp_maps(w);
  ASSERT_GE(maps.size(), 19U);  // 24 h by 4500 s
  ASSERT_LE(maps.size(), 25U);  // 24 h by 3600 s, and the first
  for (std::size_t i = 1; i < maps.size(); ++i) {
    const auto pause = maps[i].at - maps[i - 1].at;
    EXPECT_GE(pause, 3600s);
    EXPECT_LE(pause, 4501s);
    EXPECT_EQ(maps[i].map.nonce, maps[0].map.nonce);
    EXPECT_EQ(maps[i].map.external_port, 40'000);
    EXPECT_EQ(maps[i].map.external_address, wan_side);
    EXPECT_EQ(maps[i].map.lifetime, 7200U);
  }
}

TEST_F(renewal, of_nat_pmp_suggests_the_assigned_port) {
  profile router = nat_pmp_only_router();
  router.external_port = port_policy::own_choice;
  world& w = begin_mapped(with(router));
  w.run_for(24h);
  EXPECT_EQ(kinds(w), std::vector{event_kind::mapped});
  const auto maps = nat_pmp_maps(w);
  ASSERT_GE(maps.size(), 19U);
  ASSERT_LE(maps.size(), 25U);
  for (std::size_t i = 1; i < maps.size(); ++i) {
    EXPECT_GE(maps[i].at - maps[i - 1].at, 3600s);
    EXPECT_LE(maps[i].at - maps[i - 1].at, 4501s);
    EXPECT_EQ(maps[i].map.external_port, 40'000);
    EXPECT_NE(maps[i].map.internal_port, 0) << "Q-50, Q-56";
  }
}

TEST_F(renewal, tells_that_a_silent_router_is_back_however_often_it_was_looked_for) {
  for (const auto recheck : {1s, 5s, 10s, 13s, 60s}) {
    for (const profile& router : {profile{}, nat_pmp_only_router()}) {
      SCOPED_TRACE(recheck.count());
      scene what = with(router);
      what.client.recheck_period = recheck;
      world& w = begin_mapped(what);
      w.run_for(100s);
      w.set_plugged(false);
      w.run_for(2 * recheck + 45s);
      w.set_plugged(true);
      w.run_for(2 * recheck + 15s);
      EXPECT_EQ(kinds(w), (std::vector{event_kind::mapped, event_kind::mapped}));
      EXPECT_TRUE(w.events().back().event.regained);
    }
  }
}

TEST_F(renewal, follows_the_granted_lifetime_not_the_asked_one) {
  scene what;
  what.router.max_lifetime = 600s;
  world& w = begin_mapped(what);
  EXPECT_EQ(w.events()[0].event.info.lifetime, 600s);
  w.run_for(380s);
  const auto maps = pcp_maps(w);
  ASSERT_EQ(maps.size(), 2U);
  EXPECT_GE(maps[1].at, 300s);
  EXPECT_LE(maps[1].at, 376s);
  EXPECT_EQ(maps[1].map.lifetime, 7200U);
}

TEST_F(renewal, is_not_in_lockstep) {
  world& w = begin();
  for (std::uint16_t port = 8000; port < 8020; ++port) w.create(request(port));
  w.run_for(4501s);
  std::set<nanoseconds> times;
  for (const auto& map : pcp_maps(w)) {
    if (map.at > 1s) times.insert(map.at);
  }
  ASSERT_GE(times.size(), 15U);
  EXPECT_GE(*times.rbegin() - *times.begin(), 300s);
}

TEST_F(renewal, that_is_lost_is_tried_again_at_three_quarters_and_seven_eighths) {
  world& w = begin_mapped();
  w.run_for(1h - 1s);
  w.set_plugged(false);
  w.run_for(1h + 10s);
  const auto maps = pcp_maps(w);
  const auto tried_within = [&](nanoseconds from, nanoseconds to) {
    return std::ranges::count_if(maps, [&](const auto& m) { return m.at >= from && m.at <= to; });
  };
  EXPECT_GE(tried_within(3600s, 4501s), 1);
  EXPECT_GE(tried_within(5400s, 5851s), 1);
  EXPECT_GE(tried_within(6300s, 6526s), 1);
  // The port is open for as long as the lease runs, and not reported otherwise.
  ASSERT_EQ(kinds(w), (std::vector{event_kind::mapped, event_kind::lost}));
  EXPECT_GE(w.events()[1].at, 7199s);
  EXPECT_LE(w.events()[1].at, 7201s);
  EXPECT_EQ(w.events()[1].event.why.reason, errc::lease_expired);
}

TEST_F(renewal, that_succeeds_at_the_second_attempt_is_told_as_a_confirmation) {
  world& w = begin_mapped();
  w.run_for(1h - 1s);
  w.set_plugged(false);
  w.run_for(1'700s);
  w.set_plugged(true);
  w.run_for(24h);
  // Nothing has changed, but the router was out of reach.
  ASSERT_EQ(kinds(w), (std::vector{event_kind::mapped, event_kind::mapped}));
  EXPECT_TRUE(w.events()[1].event.regained);
  EXPECT_EQ(w.events()[1].event.info.external, w.events()[0].event.info.external);
  EXPECT_EQ(w.counters().reboots_seen, 0U);
}

TEST_F(renewal, an_icmp_refusal_of_an_established_mapping_changes_nothing_before_the_lease_ends) {
  world& w = begin_mapped();
  w.run_for(1h - 1s);
  w.set_serving(false);
  w.run_for(1'700s);
  EXPECT_EQ(kinds(w), std::vector{event_kind::mapped});
  w.set_serving(true);
  w.run_for(24h);
  EXPECT_EQ(kinds(w), (std::vector{event_kind::mapped, event_kind::mapped}));
  EXPECT_TRUE(w.events()[1].event.regained);
}

TEST_F(renewal, keeps_sixty_second_leases_alive) {
  for (const bool pcp : {true, false}) {
    scene what;
    what.router.speaks_pcp = pcp;
    what.router.forced_grant = 60;
    world& w = begin_mapped(what);
    EXPECT_EQ(w.events()[0].event.info.lifetime, 60s);
    for (int i = 0; i < 600; ++i) {
      w.run_for(1s);
      ASSERT_TRUE(router_holds(w, 8080)) << "after " << i << " s";
    }
    EXPECT_EQ(kinds(w), std::vector{event_kind::mapped});
  }
}

TEST_F(renewal, keeps_the_shortest_leases_as_well_as_they_can_be_kept) {
  scene what;
  what.router.forced_grant = 5;
  world& w = begin_mapped(what);
  w.run_for(10min);
  // RFC 6887 section 11.2.1: not closer than 4 s. 600 s of 4 s each, and the first.
  EXPECT_LE(pcp_maps(w).size(), 151U);
  EXPECT_GE(pcp_maps(w).size(), 100U);
}

TEST_F(renewal, of_an_absurd_grant_is_planned_for_a_day) {
  scene what;
  what.router.forced_grant = 0xffffffff;
  world& w = begin_mapped(what);
  w.run_for(16h);
  const auto maps = pcp_maps(w);
  ASSERT_EQ(maps.size(), 2U);
  EXPECT_GE(maps[1].at, 12h);
  EXPECT_LE(maps[1].at, 15h + 1s);
  EXPECT_EQ(kinds(w), std::vector{event_kind::mapped});
}

TEST_F(renewal, follows_another_lifetime_without_a_word) {
  // Nobody outside is concerned by how long the next lease is.
  world& w = begin_mapped();
  w.router().behaviour().max_lifetime = 600s;
  w.run_for(4h);
  EXPECT_EQ(kinds(w), std::vector{event_kind::mapped});
  EXPECT_TRUE(router_holds(w, 8080));
}

TEST_F(renewal, tells_of_another_port) {
  // The router forgets the mapping in silence, and somebody else takes the port.
  world& w = begin_mapped();
  w.router().forget_all();
  w.router().occupy(transport::tcp, 8080, {other_host, 80});
  w.run_for(2h);
  ASSERT_EQ(kinds(w), (std::vector{event_kind::mapped, event_kind::changed}));
  EXPECT_EQ(w.events()[1].event.info.external, (endpoint{wan_side, 8081}));
}

TEST_F(renewal, refused_for_lack_of_resources_becomes_a_delete_and_a_create) {
  scene what;
  what.router.refused_renewals = 1;
  world& w = begin_mapped(what);
  w.run_for(4510s);
  const auto maps = pcp_maps(w);
  ASSERT_EQ(maps.size(), 4U);
  EXPECT_EQ(maps[1].map.lifetime, 7200U);  // the renewal
  EXPECT_EQ(maps[2].map.lifetime, 0U);     // the delete
  EXPECT_EQ(maps[3].map.lifetime, 7200U);  // made again
  for (const auto& map : maps) EXPECT_EQ(map.map.nonce, maps[0].map.nonce);
  // There was a gap, and the program is told.
  ASSERT_EQ(kinds(w), (std::vector{event_kind::mapped, event_kind::lost, event_kind::mapped}));
  EXPECT_TRUE(w.events()[2].event.regained);
  EXPECT_LE(w.events()[2].at - maps[1].at, 1s);
  EXPECT_TRUE(router_holds(w, 8080));
}

TEST_F(renewal, a_lost_lease_comes_back_with_the_router) {
  world& w = begin_mapped();
  w.run_for(1h - 1s);
  w.set_plugged(false);
  w.run_for(3h);
  ASSERT_EQ(kinds(w).size(), 2U);
  EXPECT_EQ(kinds(w)[1], event_kind::lost);
  w.set_plugged(true);
  const auto back = w.now();
  w.run_for(301s);
  ASSERT_EQ(w.events().back().event.kind, event_kind::mapped);
  EXPECT_TRUE(w.events().back().event.regained);
  EXPECT_LE(w.events().back().at - back, 300s + 10s);
  const auto maps = pcp_maps(w);
  EXPECT_EQ(maps.back().map.nonce, maps.front().map.nonce);
  EXPECT_EQ(maps.back().map.external_port, 8080);
}

TEST_F(renewal, goes_on_after_the_host_has_slept) {
  world& w = begin_mapped();
  w.run_for(10min);
  w.suspend(90min);  // past the renewal, not past the lease
  w.run_for(10s);
  EXPECT_EQ(kinds(w), std::vector{event_kind::mapped});
  EXPECT_EQ(pcp_maps(w).size(), 2U);
  w.suspend(3h);  // past the lease, and past every renewal
  w.run_for(100ms);
  EXPECT_EQ(pcp_maps(w).size(), 3U) << "an ended lease is not renewed and made anew at once";
  w.run_for(10s);
  EXPECT_EQ(w.events().back().event.kind, event_kind::mapped);
  EXPECT_TRUE(router_holds(w, 8080));
  EXPECT_EQ(w.counters().reboots_seen, 0U);
}

/// NAT-PMP has one request in flight, and each that is lost holds up all others for seconds.
TEST_F(renewal, of_a_lease_that_is_about_to_end_goes_before_what_can_wait) {
  world& w = begin(with(nat_pmp_only_router()));
  map_request shortest = request();
  shortest.lifetime = 60s;
  w.create(shortest);
  w.run_for(28s);
  ASSERT_EQ(nat_pmp_maps(w).size(), 1U);
  w.set_plugged(false);
  for (std::uint16_t port = 8000; port < 8010; ++port) {
    w.create(request(protocol_filter::nat_pmp_only, port));
  }
  w.run_for(20s);
  const auto asked = nat_pmp_maps(w);
  EXPECT_TRUE(std::ranges::any_of(
      asked, [](const auto& each) { return each.at > 28s && each.map.internal_port == 8080; }));
}

TEST_F(renewal, a_healthy_day_costs_little) {
  for (const bool pcp : {true, false}) {
    scene what;
    what.router.speaks_pcp = pcp;
    world& w = begin_mapped(what);
    w.run_for(24h);
    EXPECT_EQ(kinds(w), std::vector{event_kind::mapped});
    EXPECT_EQ(w.counters().reboots_seen, 0U);
    // 24 renewals at most, and one question in each of 288 recheck periods.
    EXPECT_LE(w.sent_count(), 24U + 288U + 5U);
  }
}

TEST_F(renewal, survives_a_day_of_heavy_loss) {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    scene what;
    what.seed = seed;
    what.router.speaks_pcp = seed % 2 == 0;
    what.link.loss_percent = 30;
    what.link.duplicate_percent = 10;
    world& w = begin(what);
    const mapping_id id = w.create(request());
    ASSERT_TRUE(w.run_until([&] { return w.count_events(event_kind::mapped) > 0; }, 10min));
    std::size_t minutes_down = 0;
    for (int minute = 0; minute < 24 * 60; ++minute) {
      w.run_for(1min);
      const bool up = w.last_event(id)->event.kind == event_kind::mapped;
      EXPECT_TRUE(!up || router_holds(w, 8080)) << "reported up while it is not";
      if (!up) ++minutes_down;
    }
    EXPECT_EQ(minutes_down, 0U);
    EXPECT_EQ(w.count_events(event_kind::lost), 0U);
    EXPECT_EQ(w.counters().reboots_seen, 0U);
  }
}

}  // namespace
}  // namespace damson::sim
