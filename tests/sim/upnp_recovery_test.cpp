// What becomes of mappings made through UPnP when the router restarts, forgets, moves or is away.

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "upnp_scenario.hpp"

namespace damson::sim {
namespace {

using outcome = http_treatment::outcome;

class upnp_recovery : public upnp_scenario {
 protected:
  static constexpr auto recheck = 300s;

  world& begin_upnp(const scene& what = upnp_only()) {
    world& w = begin_request(what);
    expect_mapped(w, 2s);
    return w;
  }

  /// The mapping went and came back as it was.
  static void expect_regained(world& w, errc why, nanoseconds lost_by, nanoseconds back_within) {
    ASSERT_EQ(kinds(w), (std::vector{event_kind::mapped, event_kind::lost, event_kind::mapped}));
    const auto& lost = w.events()[1];
    const auto& back = w.events()[2];
    EXPECT_LE(lost.at, lost_by);
    EXPECT_EQ(lost.event.why.reason, why);
    EXPECT_TRUE(back.event.regained);
    EXPECT_LE(back.at - lost.at, back_within);
    EXPECT_EQ(back.event.info.external, w.events()[0].event.info.external);
    EXPECT_EQ(back.event.info.protocol, protocol::upnp);
    EXPECT_TRUE(router_holds(w, 8080));
    EXPECT_EQ(w.router().rules().size(), 1U);
  }

  /// It was confirmed, once, and nothing else was told.
  static void expect_confirmed(const world& w, nanoseconds by) {
    ASSERT_EQ(kinds(w), (std::vector{event_kind::mapped, event_kind::mapped}));
    EXPECT_TRUE(w.events()[1].event.regained);
    EXPECT_EQ(w.events()[1].event.info, w.events()[0].event.info);
    EXPECT_LE(w.events()[1].at, by);
  }
};

TEST_F(upnp_recovery, from_a_restart_on_another_port) {
  for (const bool random_paths : {false, true}) {
    upnp_profile how;
    how.random_paths = random_paths;
    world& w = begin_upnp(upnp_only(how));
    w.run_for(100s);
    w.reboot_router();
    ASSERT_TRUE(w.router().rules().empty());
    w.run_for(300s);
    expect_regained(w, errc::mapping_gone, recheck + 1s, 1s);
    w.run_for(1h);
    EXPECT_EQ(w.events().size(), 3U);
  }
}

TEST_F(upnp_recovery, from_a_restart_on_the_same_port) {
  upnp_profile how;
  how.http_port_moves = false;
  world& w = begin_upnp(upnp_only(how));
  w.run_for(400s);
  w.reboot_router();
  w.run_for(300s);
  expect_regained(w, errc::mapping_gone, 2 * recheck + 2s, 1s);
}

TEST_F(upnp_recovery, from_a_restart_that_kept_its_table_is_told) {
  for (const bool moves : {true, false}) {
    upnp_profile how;
    how.http_port_moves = moves;
    world& w = begin_upnp(upnp_only(how));
    w.run_for(400s);
    w.reboot_router(true);
    w.run_for(1h);
    expect_confirmed(w, 2 * recheck + 1s);
  }
}

TEST_F(upnp_recovery, of_many_after_a_restart_does_not_wait_for_their_turn) {
  upnp_profile how;
  how.http_port_moves = false;
  world& w = begin(upnp_only(how));
  for (std::uint16_t port = 8000; port < 8040; ++port) w.create(request(port));
  w.run_for(400s);
  ASSERT_EQ(w.count_events(event_kind::mapped), 40U);
  w.reboot_router();
  w.run_for(202s);
  EXPECT_EQ(w.count_events(event_kind::lost), 40U);
  EXPECT_EQ(w.count_events(event_kind::mapped), 80U);
  EXPECT_EQ(w.router().rules().size(), 40U);
}

TEST_F(upnp_recovery, of_an_entry_that_was_deleted) {
  world& w = begin_upnp();
  w.run_for(100s);
  w.router().forget(transport::tcp, {world::host_address, 8080});
  w.run_for(300s);
  expect_regained(w, errc::mapping_gone, recheck + 2s, 1s);
}

TEST_F(upnp_recovery, of_an_entry_that_somebody_else_took) {
  world& w = begin_upnp();
  w.run_for(100s);
  w.router().forget_all();
  w.router().occupy(transport::tcp, 8080, {other_host, 8080});
  w.run_for(300s);
  ASSERT_EQ(kinds(w), (std::vector{event_kind::mapped, event_kind::lost, event_kind::mapped}));
  EXPECT_EQ(w.events()[1].event.why.reason, errc::mapping_gone);
  const auto& info = w.events()[2].event.info;
  EXPECT_NE(info.external.port, 8080);
  EXPECT_EQ(w.router().table().at_external(transport::tcp, 8080)->internal.address, other_host);
  EXPECT_EQ(w.router().table().at_external(transport::tcp, info.external.port)->internal,
            (endpoint{world::host_address, 8080}));
}

/// Each round of looking ends at the third exchange, and nobody answers the search that follows.
TEST_F(upnp_recovery, of_any_entry_does_not_wait_for_a_round_without_trouble) {
  world& w = begin(upnp_only());
  for (std::uint16_t port = 8000; port < 8008; ++port) w.create(request(port));
  w.run_for(recheck - 10s);
  ASSERT_EQ(w.count_events(event_kind::mapped), 8U);
  unsigned looks = 0;
  w.courier = [&](const packet_record&) {
    return looks < 3 ? std::optional<nanoseconds>{1ms} : std::nullopt;
  };
  w.http_courier = [&](const http_record& record) {
    if (asked_for(record) == "GetSpecificPortMappingEntry") ++looks;
    return http_treatment{.end = looks < 3 ? outcome::answered : outcome::refused};
  };
  w.router().forget(transport::tcp, {world::host_address, 8007});
  for (int round = 0; round < 4; ++round) {
    looks = 0;
    w.run_for(recheck);
  }
  EXPECT_EQ(w.count_events(event_kind::lost), 1U);
}

TEST_F(upnp_recovery, by_another_device_begins_as_soon_as_that_is_found) {
  scene what = upnp_only();
  what.devices.push_back({upnp_only_router(), second_address, wan_side});
  world& w = begin_upnp(what);
  const mapping_id other = w.create(request(8081));
  w.run_for(1s);
  ASSERT_EQ(w.last_event(other)->event.kind, event_kind::mapped);
  w.set_plugged(false);
  w.release(other);  // the delete is not answered, nor waited for
  w.run_for(10s);
  EXPECT_EQ(w.last_event(id_)->event.kind, event_kind::mapped);
  EXPECT_EQ(w.last_event(id_)->event.info.gateway, second_address);
}

/// The router was away, another device served in its place, and the router's entry is there still:
/// with the end of its own lease, not of the one that the other device gave later.
TEST_F(upnp_recovery, by_the_device_before_renews_the_lease_that_it_still_has) {
  for (const bool shows_zero : {true, false}) {
    upnp_profile how;
    how.shows_lease_as_zero = shows_zero;
    scene what = upnp_only(how);
    what.devices.push_back({upnp_only_router(how), second_address, wan_side});
    world& w = begin_upnp(what);
    w.http_courier = [&w](const http_record& record) {
      const bool is_away = w.now() > 3'500s && w.now() < 6'500s;
      const auto& absent = is_away ? world::router_address : second_address;
      return http_treatment{.end = record.remote.address == absent ? outcome::refused
                                                                   : outcome::answered};
    };
    w.run_for(6'400s);
    ASSERT_EQ(w.events().back().event.info.gateway, second_address);
    w.run_for(500s);
    EXPECT_EQ(w.events().back().event.info.gateway, world::router_address);
    w.run_for(2h);
    EXPECT_EQ(w.count_events(event_kind::lost), 1U) << "by the change to the other device";
  }
}

TEST_F(upnp_recovery, tells_another_external_address) {
  world& w = begin_upnp();
  w.run_for(100s);
  const ip_address other = v4(198, 51, 100, 9);
  w.set_public_address(other);
  w.run_for(1h);
  ASSERT_EQ(kinds(w), (std::vector{event_kind::mapped, event_kind::changed}));
  EXPECT_LE(w.events()[1].at, recheck + 1s);
  EXPECT_EQ(w.events()[1].event.info.external, (endpoint{other, 8080}));
}

TEST_F(upnp_recovery, is_not_confused_by_an_uplink_that_comes_and_goes) {
  for (const bool zero : {false, true}) {
    upnp_profile how;
    how.unknown_address_is_zero = zero;
    world& w = begin_upnp(upnp_only(how));
    w.run_for(100s);
    w.set_public_address(std::nullopt);
    w.run_for(600s);
    w.set_public_address(wan_side);
    w.run_for(1h);
    EXPECT_EQ(kinds(w), std::vector{event_kind::mapped});
  }
}

TEST_F(upnp_recovery, is_told_when_the_router_was_away) {
  struct absence {
    const char* name;
    void (*begin)(world&);
    void (*end)(world&);
  };
  for (const auto& [name, begin_of_it, end_of_it] : {
           absence{"unplugged", [](world& w) { w.set_plugged(false); },
                   [](world& w) { w.set_plugged(true); }},
           absence{"without a web server", [](world& w) { w.set_http_serving(false); },
                   [](world& w) { w.set_http_serving(true); }},
           absence{"without any server", [](world& w) { w.set_serving(false); },
                   [](world& w) { w.set_serving(true); }},
       }) {
    SCOPED_TRACE(name);
    world& w = begin_upnp();
    w.run_for(100s);
    begin_of_it(w);
    w.run_for(300s);
    end_of_it(w);
    w.run_for(2h);
    expect_confirmed(w, 100s + 300s + recheck + 1s);
  }
}

TEST_F(upnp_recovery, says_nothing_of_an_absence_that_nobody_noticed) {
  world& w = begin_upnp();
  w.run_for(100s);
  w.set_plugged(false);
  w.run_for(100s);
  w.set_plugged(true);
  w.run_for(2h);
  EXPECT_EQ(kinds(w), std::vector{event_kind::mapped});
}

TEST_F(upnp_recovery, from_an_absence_longer_than_the_lease) {
  world& w = begin(upnp_only());
  map_request wanted = request();
  wanted.lifetime = 600s;
  id_ = w.create(wanted);
  expect_mapped(w, 1s);
  w.run_for(10s);
  w.set_plugged(false);
  w.run_for(5h);
  ASSERT_EQ(kinds(w), (std::vector{event_kind::mapped, event_kind::lost}));
  EXPECT_EQ(w.events()[1].event.why.reason, errc::lease_expired);
  EXPECT_LE(w.events()[1].at, 601s);
  w.set_plugged(true);
  w.run_for(recheck + 10s);  // no pause is longer than that
  expect_regained(w, errc::lease_expired, 601s, 6h);
}

TEST_F(upnp_recovery, from_a_router_that_speaks_pcp_in_place_of_upnp) {
  world& w = begin(upnp_only());
  map_request wanted = request();
  wanted.lifetime = 600s;
  id_ = w.create(wanted);
  expect_mapped(w, 1s);
  w.run_for(10s);
  w.router().behaviour() = profile{};
  w.reboot_router();
  w.run_for(5h);
  ASSERT_EQ(kinds(w), (std::vector{event_kind::mapped, event_kind::lost, event_kind::mapped}));
  EXPECT_EQ(w.events()[1].event.why.reason, errc::lease_expired);
  EXPECT_LE(w.events()[1].at, 601s);
  EXPECT_EQ(w.events()[2].event.info.protocol, protocol::pcp);
  EXPECT_LE(w.events()[2].at - w.events()[1].at, recheck + 10s);
  EXPECT_EQ(w.router().rules().size(), 1U);
}

TEST_F(upnp_recovery, from_a_router_that_was_away_from_the_beginning) {
  world& w = begin(upnp_only());
  w.set_plugged(false);
  w.create(request());
  w.run_for(3h);
  ASSERT_EQ(kinds(w), std::vector{event_kind::failed});
  w.set_plugged(true);
  w.run_for(recheck + 10s);
  ASSERT_EQ(kinds(w), (std::vector{event_kind::failed, event_kind::mapped}));
  EXPECT_EQ(w.events()[1].event.info.protocol, protocol::upnp);
}

TEST_F(upnp_recovery, from_one_broken_exchange_of_any_kind) {
  for (const outcome end : {outcome::refused, outcome::unanswered, outcome::breaks_before,
                            outcome::breaks_after, outcome::hangs}) {
    for (const std::string action : {"GetExternalIPAddress", "GetStatusInfo",
                                     "GetSpecificPortMappingEntry", "AddPortMapping"}) {
      SCOPED_TRACE(action + " " + std::to_string(static_cast<int>(end)));
      world& w = begin_upnp();
      bool done = false;
      w.http_courier = [&](const http_record& record) {
        const bool now = !done && asked_for(record) == action;
        done = done || now;
        return http_treatment{.end = now ? end : outcome::answered};
      };
      w.run_for(3h);
      EXPECT_TRUE(done);
      for (const auto& one : w.events()) EXPECT_EQ(one.event.kind, event_kind::mapped);
      EXPECT_LE(w.events().size(), 2U) << "at most a confirmation";
      EXPECT_EQ(w.router().rules().size(), 1U);
      EXPECT_TRUE(router_holds(w, 8080));
    }
  }
}

TEST_F(upnp_recovery, after_the_host_has_slept) {
  world& w = begin_upnp();
  w.run_for(100s);
  w.suspend(12h);
  w.run_for(60s);
  EXPECT_TRUE(router_holds(w, 8080));
  EXPECT_EQ(w.events().back().event.kind, event_kind::mapped);
  EXPECT_LE(w.events().size(), 3U);
}

// ---------------------------------------------------------------------------------------------
// Idle traffic

TEST_F(upnp_recovery, costs_little_for_a_day) {
  world& w = begin_upnp();
  const std::size_t searched = searches(w).size();
  w.run_for(24h);
  EXPECT_EQ(kinds(w), std::vector{event_kind::mapped});
  constexpr std::size_t rechecks = 24h / recheck;
  EXPECT_GE(requests_for(w, "GetStatusInfo").size(), rechecks - 1);
  // A check is two questions, and each entry is read back once in the time between two checks.
  EXPECT_LE(w.requests().size(), 3 * rechecks + 120);
  EXPECT_EQ(searches(w).size(), searched);
  EXPECT_EQ(w.sent([](auto bytes) { return is_pcp(bytes) || is_nat_pmp(bytes); }).size(), 2U);
}

TEST_F(upnp_recovery, reads_back_one_entry_a_second_at_most) {
  world& w = begin(upnp_only());
  map_request wanted = request();
  wanted.lifetime = 24h;
  for (std::uint16_t port = 8000; port < 8050; ++port) {
    wanted.internal_port = port;
    w.create(wanted);
  }
  w.run_for(100s);
  ASSERT_EQ(w.count_events(event_kind::mapped), 50U);
  const std::size_t before = w.requests().size();
  w.run_for(1h);
  std::map<std::string, unsigned> seen;
  std::optional<nanoseconds> last;
  for (std::size_t i = before; i < w.requests().size(); ++i) {
    const auto& one = w.requests()[i];
    if (asked_for(one) != "GetSpecificPortMappingEntry") continue;
    EXPECT_GE(one.at - last.value_or(-1s), 990ms);  // a question may have waited for another
    last = one.at;
    ++seen[element_of(one.request, "NewExternalPort")];
  }
  EXPECT_EQ(seen.size(), 50U);
  for (const auto& [port, times] : seen) {
    EXPECT_GE(times, 1h / recheck - 1) << port;
    EXPECT_LE(times, 1h / recheck + 1) << port;
  }
}

/// The live one of two connections does not answer while they are compared, so the dead one is
/// taken: looked at again at the next try.
TEST_F(upnp_recovery, from_having_taken_the_dead_one_of_two_connections) {
  for (const bool tells_its_address : {true, false}) {
    SCOPED_TRACE(tells_its_address);
    upnp_profile how;
    wan_connection dead;
    dead.kind = wan_service::ppp;
    dead.up = false;
    how.connections.insert(how.connections.begin(), dead);
    world& w = begin(upnp_only(how));
    w.http_courier = [&w, tells_its_address](const http_record& record) {
      const bool is_broken =
          record.request.contains("/ctl/WANIPConn2") ||
          (record.request.contains("GetExternalIPAddress") && !tells_its_address);
      return http_treatment{.end = w.now() < 60s && is_broken
                                       ? http_treatment::outcome::breaks_before
                                       : http_treatment::outcome::answered};
    };
    const mapping_id id = w.create(request());
    w.run_for(50s);
    ASSERT_NE(w.last_event(id), nullptr);
    const auto* const why = reason_for(w.last_event(id)->event.why, protocol::upnp);
    ASSERT_NE(why, nullptr);
    ASSERT_EQ(why->reason, tells_its_address ? errc::network_failure : errc::unusable_answer);
    w.run_for(300s);
    EXPECT_EQ(w.last_event(id)->event.kind, event_kind::mapped);
  }
}

/// The same while the router holds what was made before, which both connections show.
TEST_F(upnp_recovery, from_having_taken_the_dead_connection_later) {
  upnp_profile how;
  wan_connection dead;
  dead.kind = wan_service::ppp;
  dead.up = false;
  how.connections.insert(how.connections.begin(), dead);
  scene what = upnp_only(how);
  what.client.recheck_period = recheck;
  world& w = begin(what);
  const mapping_id first = w.create(request());
  w.run_for(10s);
  ASSERT_EQ(w.last_event(first)->event.kind, event_kind::mapped);
  // From the recheck on the live one is silent, so the device is looked for again.
  w.http_courier = [&w](const http_record& record) {
    const bool is_broken = w.now() < recheck + 60s && path_of(record).ends_with("/WANIPConn2");
    return http_treatment{.end = is_broken ? http_treatment::outcome::breaks_before
                                           : http_treatment::outcome::answered};
  };
  w.run_for(recheck + 30s);
  const mapping_id second = w.create(request(8081));
  w.run_for(20s);
  ASSERT_EQ(w.last_event(second)->event.kind, event_kind::failed);
  w.run_for(recheck);
  EXPECT_EQ(w.last_event(second)->event.kind, event_kind::mapped);
  EXPECT_EQ(w.last_event(first)->event.kind, event_kind::mapped);
}

}  // namespace
}  // namespace damson::sim
