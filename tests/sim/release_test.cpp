// Giving ports back.

#include <algorithm>
#include <string>
#include <utility>

#include "scenario.hpp"
#include "sim/profiles.hpp"

namespace damson::sim {
namespace {

class release : public scenario {
 protected:
  static std::vector<nanoseconds> deletes(const world& w) {
    std::vector<nanoseconds> out;
    for (const auto& map : pcp_maps(w)) {
      if (map.map.lifetime == 0) out.push_back(map.at);
    }
    for (const auto& map : nat_pmp_maps(w)) {
      if (map.map.lifetime == 0) out.push_back(map.at);
    }
    return out;
  }
};

TEST_F(release, takes_one_round_trip) {
  for (const bool pcp : {true, false}) {
    scene what;
    what.router.speaks_pcp = pcp;
    world& w = begin_mapped(what);
    w.run_for(10s - w.now());
    w.release(id_);
    w.run_for(10s);
    ASSERT_EQ(kinds(w), (std::vector{event_kind::mapped, event_kind::removed}));
    EXPECT_EQ(w.events()[1].at, 10s + 2ms);
    EXPECT_EQ(w.events()[1].event.how, removal::deleted);
    EXPECT_EQ(deletes(w), std::vector<nanoseconds>{10s});
    EXPECT_TRUE(w.router().rules().empty());
    EXPECT_EQ(w.mapping_count(), 0U);
  }
}

TEST_F(release, uses_the_nonce_of_the_mapping) {
  world& w = begin_mapped();
  w.release(id_);
  w.run_for(1s);
  const auto maps = pcp_maps(w);
  ASSERT_EQ(maps.size(), 2U);
  EXPECT_EQ(maps[1].map.nonce, maps[0].map.nonce);
  EXPECT_EQ(maps[1].map.internal_port, 8080);
  EXPECT_EQ(maps[1].map.protocol, 6);
}

TEST_F(release, into_silence_is_tried_three_times_and_ends_within_two_seconds) {
  for (const bool pcp : {true, false}) {
    scene what;
    what.router.speaks_pcp = pcp;
    world& w = begin_mapped(what);
    w.run_for(10s - w.now());
    w.set_plugged(false);
    w.release(id_);
    w.run_for(10s);
    ASSERT_EQ(kinds(w), (std::vector{event_kind::mapped, event_kind::removed}));
    EXPECT_GT(w.events()[1].at, 10s + 750ms);
    EXPECT_LE(w.events()[1].at, 12s);
    EXPECT_EQ(w.events()[1].event.how, removal::left_to_expire);
    EXPECT_EQ(deletes(w), (std::vector<nanoseconds>{10s, 10s + 250ms, 10s + 750ms}));
    w.run_for(24h);
    EXPECT_EQ(deletes(w).size(), 3U);
    EXPECT_EQ(w.mapping_count(), 0U);
  }
}

TEST_F(release, is_confirmed_by_the_answer_to_a_later_try) {
  world& w = begin_mapped();
  w.run_for(10s - w.now());
  w.courier = [&w](const packet_record& record) -> std::optional<nanoseconds> {
    if (record.way == direction::to_host && w.now() < 10s + 500ms) return std::nullopt;
    return 1ms;
  };
  w.release(id_);
  w.run_for(10s);
  EXPECT_EQ(w.last_event(id_)->event.how, removal::deleted);
  EXPECT_EQ(w.last_event(id_)->at, 10s + 752ms);
}

TEST_F(release, to_a_closed_port_ends_within_two_seconds) {
  world& w = begin_mapped();
  w.run_for(10s - w.now());
  w.set_serving(false);
  w.release(id_);
  w.run_for(10s);
  ASSERT_EQ(kinds(w).back(), event_kind::removed);
  EXPECT_LE(w.events().back().at, 12s);
  EXPECT_EQ(w.events().back().event.how, removal::left_to_expire);
}

TEST_F(release, of_what_the_router_has_forgotten_is_already_gone) {
  scene what;
  what.router.delete_of_nothing_fails = true;
  world& w = begin_mapped(what);
  w.run_for(10s - w.now());
  w.router().forget_all();
  w.release(id_);
  w.run_for(10s);
  ASSERT_EQ(kinds(w), (std::vector{event_kind::mapped, event_kind::removed}));
  EXPECT_EQ(w.events()[1].at, 10s + 2ms);
  EXPECT_EQ(w.events()[1].event.how, removal::already_gone);
  EXPECT_EQ(deletes(w).size(), 1U);
}

TEST_F(release, of_what_somebody_else_made_meanwhile_is_final_too) {
  world& w = begin_mapped();
  w.run_for(10s - w.now());
  w.router().forget_all();
  w.router().occupy(transport::tcp, 8080, {world::host_address, 8080});
  w.release(id_);
  w.run_for(10s);
  ASSERT_EQ(kinds(w), (std::vector{event_kind::mapped, event_kind::removed}));
  EXPECT_EQ(w.events()[1].at, 10s + 2ms);
  EXPECT_NE(w.events()[1].event.how, removal::deleted);
  EXPECT_EQ(deletes(w).size(), 1U);
  EXPECT_EQ(w.router().rules().size(), 1U);
}

TEST_F(release, of_a_mapping_that_never_was_needs_nothing) {
  world& w = begin();
  w.set_network({});
  const mapping_id id = w.create(request());
  w.run_for(1s);
  w.release(id);
  w.run_for(3s);
  ASSERT_EQ(kinds(w), (std::vector{event_kind::failed, event_kind::removed}));
  EXPECT_EQ(w.events()[1].at, 1s);
  EXPECT_EQ(w.events()[1].event.how, removal::already_gone);
}

TEST_F(release, of_a_mapping_whose_lease_has_ended_needs_nothing) {
  world& w = begin_mapped();
  w.set_plugged(false);
  w.run_for(3h - w.now());
  ASSERT_EQ(kinds(w).back(), event_kind::lost);
  w.release(id_);
  w.run_for(3s);
  ASSERT_EQ(kinds(w).back(), event_kind::removed);
  EXPECT_LE(w.events().back().at, 3h + 2s);
  EXPECT_NE(w.events().back().event.how, removal::deleted);
}

TEST_F(release, of_a_mapping_in_a_network_that_is_gone_leaves_it_to_expire) {
  world& w = begin_mapped();
  w.run_for(10s - w.now());
  w.set_network({});
  w.run_for(10s);
  w.release(id_);
  w.run_for(3s);
  ASSERT_EQ(kinds(w).back(), event_kind::removed);
  ASSERT_TRUE(router_holds(w, 8080));
  EXPECT_EQ(w.events().back().event.how, removal::left_to_expire);
}

TEST_F(release, of_what_may_have_been_granted_unheard_leaves_it_to_expire) {
  for (const bool pcp : {true, false}) {
    SCOPED_TRACE(pcp ? "pcp" : "nat-pmp");
    scene what;
    what.router.speaks_pcp = pcp;
    world& w = begin(what);
    // The router grants, and its answers are lost; then its server stops.
    w.courier = [](const packet_record& record) -> std::optional<nanoseconds> {
      const bool is_address = is_nat_pmp_address(record.datagram.bytes);
      if (record.way == direction::to_host && !is_address) return std::nullopt;
      return 1ms;
    };
    const mapping_id id =
        w.create(request(pcp ? protocol_filter::pcp_only : protocol_filter::nat_pmp_only));
    ASSERT_TRUE(w.run_until([&] { return w.count_events(event_kind::failed) == 1; }, 20s));
    w.set_serving(false);
    ASSERT_TRUE(w.run_until([&] { return w.count_events(event_kind::failed) == 2; }, 1min));
    w.release(id);
    w.run_for(3s);
    // First it is silent, then it refuses.
    ASSERT_EQ(kinds(w).back(), event_kind::removed);
    ASSERT_TRUE(router_holds(w, 8080));
    EXPECT_EQ(w.events().back().event.how, removal::left_to_expire);
  }
}

TEST_F(release, can_leave_the_mapping_to_its_lease) {
  world& w = begin_mapped();
  w.release(id_, true);
  w.run_for(1h);
  ASSERT_EQ(kinds(w), (std::vector{event_kind::mapped, event_kind::removed}));
  EXPECT_EQ(w.events()[1].at, 2ms);
  EXPECT_EQ(w.events()[1].event.how, removal::left_to_expire);
  EXPECT_TRUE(deletes(w).empty());
  EXPECT_TRUE(router_holds(w, 8080));
  w.run_for(1h);
  EXPECT_FALSE(router_holds(w, 8080));
}

TEST_F(release, while_the_grant_is_on_its_way_leaves_nothing_behind) {
  for (const bool pcp : {true, false}) {
    SCOPED_TRACE(pcp ? "pcp" : "nat-pmp");
    scene what;
    what.router.speaks_pcp = pcp;
    world& w = begin(what);
    // Answers take half a second.
    w.courier = [](const packet_record& record) -> std::optional<nanoseconds> {
      return record.way == direction::to_host ? 500ms : 1ms;
    };
    const mapping_id id =
        w.create(request(pcp ? protocol_filter::pcp_only : protocol_filter::nat_pmp_only));
    w.run_for(100ms);
    ASSERT_TRUE(router_holds(w, 8080) || !pcp);
    w.release(id);
    w.run_for(5s);
    ASSERT_EQ(w.count_events(event_kind::removed), 1U);
    EXPECT_LE(w.events().back().at, 2'100ms);
    EXPECT_EQ(w.count_events(event_kind::mapped), 0U);
    EXPECT_TRUE(w.router().rules().empty());
  }
}

TEST_F(release, while_the_request_is_on_its_way_leaves_nothing_behind) {
  world& w = begin();
  // The first request overtakes nobody: it arrives after the delete that follows it.
  w.courier = [&w](const packet_record& record) -> std::optional<nanoseconds> {
    return record.way == direction::to_router && w.sent_count() <= 1 ? 400ms : 1ms;
  };
  const mapping_id id = w.create(request());
  w.run_for(100ms);
  w.release(id);
  w.run_for(5s);
  ASSERT_EQ(w.count_events(event_kind::removed), 1U);
  EXPECT_LE(w.events().back().at, 2'100ms);
  EXPECT_TRUE(w.router().rules().empty());
}

/// The next request to make something arrives late, and its answers are lost.
void hold_up_next_request(world& w, nanoseconds travel) {
  w.courier = [is_held = false,
               travel](const packet_record& record) mutable -> std::optional<nanoseconds> {
    const auto pcp = read_pcp_map(record.datagram.bytes);
    const auto nat_pmp = read_nat_pmp_map(record.datagram.bytes);
    const bool makes = (pcp && pcp->lifetime > 0) || (nat_pmp && nat_pmp->lifetime > 0);
    if (!makes) return 1ms;
    if (record.way == direction::to_host) return std::nullopt;
    return std::exchange(is_held, true) ? 1ms : travel;
  };
}

std::size_t map_count(const world& w) { return pcp_maps(w).size() + nat_pmp_maps(w).size(); }

TEST_F(release, that_overtakes_a_request_ends_with_a_delete_after_it) {
  for (const bool pcp : {true, false}) {
    for (const bool is_renewal : {true, false}) {
      SCOPED_TRACE(std::string{pcp ? "pcp" : "nat-pmp"} + (is_renewal ? ", renewal" : ", create"));
      scene what;
      what.router.speaks_pcp = pcp;
      world& w = is_renewal ? begin_mapped(what) : begin(what);
      const std::size_t before = map_count(w);
      hold_up_next_request(w, 200ms);
      if (!is_renewal) {
        id_ = w.create(request(pcp ? protocol_filter::pcp_only : protocol_filter::nat_pmp_only));
      }
      ASSERT_TRUE(w.run_until([&] { return map_count(w) > before; }, 2h));
      const nanoseconds released_at = w.now();
      w.release(id_);
      w.run_for(5s);
      ASSERT_EQ(w.last_event(id_)->event.kind, event_kind::removed);
      EXPECT_EQ(w.last_event(id_)->event.how, removal::deleted);
      EXPECT_LE(w.last_event(id_)->at, released_at + 2s);
      EXPECT_EQ(deletes(w).size(), 2U);
      EXPECT_TRUE(w.router().rules().empty());
    }
  }
}

TEST_F(release, that_may_have_overtaken_a_request_leaves_it_to_expire_if_the_last_delete_is_lost) {
  world& w = begin_mapped();
  const std::size_t before = map_count(w);
  hold_up_next_request(w, 200ms);
  ASSERT_TRUE(w.run_until([&] { return map_count(w) > before; }, 2h));
  w.release(id_);
  w.run_for(1s);
  w.set_plugged(false);
  w.run_for(1s);
  EXPECT_EQ(w.last_event(id_)->event.how, removal::left_to_expire);
  EXPECT_TRUE(router_holds(w, 8080));
}

TEST_F(release, that_may_have_overtaken_a_request_ends_when_the_host_wakes_up) {
  world& w = begin_mapped();
  const std::size_t before = map_count(w);
  hold_up_next_request(w, 200ms);
  ASSERT_TRUE(w.run_until([&] { return map_count(w) > before; }, 2h));
  w.release(id_);
  w.run_for(1s);
  w.suspend(1h);
  w.run_for(10ms);
  EXPECT_EQ(w.last_event(id_)->event.how, removal::left_to_expire);
}

/// The delete came first, and its answer last: in the order in which they are heard the answers say
/// that nothing is left.
TEST_F(release, whose_answer_the_grant_has_overtaken_is_deleted_once_more) {
  world& w = begin();
  w.courier = [](const packet_record& record) -> std::optional<nanoseconds> {
    const auto map = read_pcp_map(record.datagram.bytes);
    const bool is_of_delete = map && map->lifetime == 0;
    const bool is_request = record.way == direction::to_router;
    return is_request == is_of_delete ? 1ms : 50ms;
  };
  id_ = w.create(request(protocol_filter::pcp_only));
  w.run_for(1ms);
  w.release(id_);
  w.run_for(5s);
  EXPECT_EQ(w.last_event(id_)->event.how, removal::deleted);
  EXPECT_LE(w.last_event(id_)->at, 200ms);
  EXPECT_EQ(deletes(w).size(), 2U);
  EXPECT_TRUE(w.router().rules().empty());
}

/// A repeated request has as many answers as it was sent: the last of them is waited for.
TEST_F(release, soon_after_a_repeated_request_waits_for_its_second_answer) {
  for (const bool pcp : {true, false}) {
    SCOPED_TRACE(pcp ? "pcp" : "nat-pmp");
    scene what;
    what.router.speaks_pcp = pcp;
    world& w = begin(what);
    w.courier = [](const packet_record& record) -> std::optional<nanoseconds> {
      return record.way == direction::to_host ? 300ms : 1ms;
    };
    id_ = w.create(request(pcp ? protocol_filter::pcp_only : protocol_filter::nat_pmp_only));
    ASSERT_TRUE(w.run_until([&] { return w.count_events(event_kind::mapped) == 1; }, 5s));
    w.run_for(1s);
    const nanoseconds released_at = w.now();
    w.release(id_);
    w.run_for(5s);
    EXPECT_EQ(w.last_event(id_)->event.how, removal::deleted);
    EXPECT_EQ(w.last_event(id_)->at, released_at + 301ms) << "all is answered, so nothing is late";
  }
}

/// What PCP granted could not be used, but it is there.
TEST_F(release, of_what_a_closed_port_keeps_from_being_deleted_leaves_it_to_expire) {
  scene what;
  what.router = find_profile("port-0")->how;
  what.router.speaks_nat_pmp = false;
  world& w = begin(what);
  profile igd;
  igd.speaks_pcp = igd.speaks_nat_pmp = false;
  igd.speaks_upnp = true;
  w.add_router(igd, ip_address{ip_address::v4_bytes{192, 168, 1, 50}},
               ip_address{ip_address::v4_bytes{203, 0, 113, 50}});
  id_ = w.create(request());
  ASSERT_TRUE(w.run_until([&] { return w.count_events(event_kind::mapped) == 1; }, 1min));
  ASSERT_EQ(w.last_event(id_)->event.info.protocol, protocol::upnp);
  w.set_serving(false);
  w.release(id_);
  w.run_for(5s);
  ASSERT_TRUE(router_holds(w, 8080));
  EXPECT_EQ(w.last_event(id_)->event.how, removal::left_to_expire);
}

TEST_F(release, twice_or_of_nobody_is_ignored) {
  world& w = begin_mapped();
  const auto ignored = w.counters().inputs_ignored;
  w.release(id_);
  w.release(id_);
  w.release(mapping_id{77});
  w.run_for(1s);
  w.release(id_);
  w.run_for(3s);
  EXPECT_EQ(kinds(w), (std::vector{event_kind::mapped, event_kind::removed}));
  EXPECT_EQ(w.counters().inputs_ignored, ignored + 3);
}

TEST_F(release, makes_room_for_the_same_port) {
  for (const bool pcp : {true, false}) {
    SCOPED_TRACE(pcp ? "pcp" : "nat-pmp");
    scene what;
    what.router.speaks_pcp = pcp;
    world& w = begin_mapped(what);
    w.run_for(10s - w.now());
    w.release(id_);
    const mapping_id second = w.create(request());
    w.run_for(10s);
    ASSERT_NE(w.last_event(second), nullptr);
    EXPECT_EQ(w.last_event(second)->event.kind, event_kind::mapped);
    EXPECT_TRUE(router_holds(w, 8080));
  }
}

TEST_F(release, a_late_answer_to_a_delete_is_no_grant) {
  for (const bool pcp : {true, false}) {
    SCOPED_TRACE(pcp ? "pcp" : "nat-pmp");
    scene what;
    what.router.speaks_pcp = pcp;
    world& w = begin_mapped(what);
    w.run_for(10s - w.now());
    // The first answer after 10 s, to the delete, is late; all others are lost for two seconds.
    bool first = true;
    w.courier = [&](const packet_record& record) -> std::optional<nanoseconds> {
      if (record.way == direction::to_router) return 1ms;
      if (first) {
        first = false;
        return 900ms;
      }
      if (w.now() < 12s) return std::nullopt;
      return 1ms;
    };
    w.release(id_);
    w.run_for(20ms);
    const mapping_id second = w.create(request());
    w.run_for(60s);
    const auto* last = w.last_event(second);
    ASSERT_NE(last, nullptr);
    EXPECT_EQ(last->event.kind, event_kind::mapped);
    EXPECT_EQ(last->event.info.lifetime, 7200s);
    EXPECT_TRUE(router_holds(w, 8080));
    for (const auto& seen : w.events()) {
      if (seen.event.kind != event_kind::mapped) continue;
      EXPECT_NE(seen.event.info.external.port, 0);
      EXPECT_NE(seen.event.info.lifetime, 0s);
    }
  }
}

TEST_F(release, of_many_at_once_is_parallel) {
  world& w = begin();
  std::vector<mapping_id> ids;
  for (std::uint16_t port = 8000; port < 8100; ++port) ids.push_back(w.create(request(port)));
  w.run_for(10s);
  for (const mapping_id id : ids) w.release(id);
  w.run_for(10s);
  EXPECT_EQ(w.count_events(event_kind::removed), 100U);
  EXPECT_LE(w.events().back().at, 10s + 100ms);
  EXPECT_TRUE(w.router().rules().empty());
}

TEST_F(release, closing_releases_all_and_is_the_end) {
  world& w = begin();
  for (std::uint16_t port = 8000; port < 8010; ++port) w.create(request(port));
  w.run_for(10s);
  EXPECT_FALSE(w.closed());
  w.close();
  w.run_for(10ms);
  EXPECT_TRUE(w.closed());
  EXPECT_EQ(w.count_events(event_kind::removed), 10U);
  EXPECT_TRUE(w.router().rules().empty());
  EXPECT_EQ(w.open_channels(), 0U);
  EXPECT_EQ(w.engine_deadline(), std::nullopt);
}

TEST_F(release, closing_takes_two_seconds_at_most) {
  for (const bool mapped : {true, false}) {
    world& w = begin();
    w.set_plugged(mapped);
    w.create(request());
    w.run_for(10s);
    w.set_plugged(false);
    w.close();
    w.run_for(2s);
    EXPECT_TRUE(w.closed());
    EXPECT_EQ(w.count_events(event_kind::removed), 1U);
    EXPECT_EQ(w.open_channels(), 0U);
  }
}

TEST_F(release, closing_an_idle_engine_is_immediate) {
  world& w = begin();
  w.close();
  EXPECT_TRUE(w.closed());
}

TEST_F(release, after_closing_inputs_are_ignored) {
  world& w = begin_mapped();
  w.close();
  w.run_for(3s);
  ASSERT_TRUE(w.closed());
  w.close();
  w.release(id_);
  w.set_network({});
  w.inject({{lan_side, 5351}, {world::host_address, 40'000}, packet({"00 80 0001 00000e10"})});
  w.run_for(1h);
  EXPECT_EQ(kinds(w), (std::vector{event_kind::mapped, event_kind::removed}));
}

TEST_F(release, a_request_while_closing_is_refused) {
  world& w = begin_mapped();
  w.set_plugged(false);
  w.close();
  const mapping_id late = w.create(request(9000));
  w.run_for(3s);
  EXPECT_TRUE(w.closed());
  std::vector<event_kind> of_late;
  for (const auto& seen : w.events()) {
    if (seen.event.info.id != late) continue;
    of_late.push_back(seen.event.kind);
    if (seen.event.kind == event_kind::failed) {
      EXPECT_EQ(seen.event.why.reason, errc::closed);
    }
  }
  EXPECT_EQ(of_late, (std::vector{event_kind::failed, event_kind::removed}));
}

TEST_F(release, of_a_mapping_that_another_protocol_lost_waits_for_the_request_under_way) {
  profile upnp;
  upnp.speaks_pcp = upnp.speaks_nat_pmp = false;
  upnp.speaks_upnp = true;
  world& w = begin(with(upnp));
  const mapping_id id = w.create(request());
  w.run_for(10s);
  ASSERT_EQ(w.last_event(id)->event.info.protocol, protocol::upnp);
  w.set_plugged(false);
  w.run_for(3h);
  ASSERT_EQ(w.last_event(id)->event.kind, event_kind::lost);
  w.router().behaviour() = profile{};
  w.set_plugged(true);
  const std::size_t before = pcp_maps(w).size();
  ASSERT_TRUE(w.run_until([&] { return pcp_maps(w).size() > before; }, 10min));
  bool is_lost = false;
  w.courier = [&](const packet_record& record) -> std::optional<nanoseconds> {
    const auto map = read_pcp_map(record.datagram.bytes);
    if (record.way == direction::to_router && map && map->lifetime == 0 &&
        !std::exchange(is_lost, true)) {
      return std::nullopt;
    }
    return 1ms;
  };
  w.release(id);
  w.run_for(4s);
  EXPECT_TRUE(is_lost);
  EXPECT_EQ(w.last_event(id)->event.kind, event_kind::removed);
  EXPECT_TRUE(w.router().rules().empty());
}

}  // namespace
/// A router that has said no, in whatever way, is not waited for.
TEST_F(release, before_the_first_answer_ends_with_it_where_that_is_a_refusal) {
  profile refusing;
  refusing.refuses_maps_with = pcp_result::not_authorized;
  refusing.speaks_nat_pmp = false;
  profile closed;
  closed.speaks_pcp = closed.speaks_nat_pmp = false;
  for (const profile& router : {nat_pmp_only_router(), refusing, closed}) {
    for (const auto after : {0ms, 1ms, 2ms, 3ms}) {
      SCOPED_TRACE(after.count());
      world& w = begin(with(router));
      const mapping_id id = w.create(request(protocol_filter::pcp_only));
      w.run_for(after);
      w.release(id);
      w.run_for(10ms);
      ASSERT_NE(w.last_event(id), nullptr);
      EXPECT_EQ(w.last_event(id)->event.kind, event_kind::removed);
      EXPECT_EQ(w.router().table().size(), 0U);
    }
  }
}

// The process is about to end, or its loop has: nothing will be heard any more.

TEST_F(release, at_once_sends_one_delete_for_each_pcp_mapping) {
  world& w = begin();
  for (std::uint16_t port = 8000; port < 8010; ++port) w.create(request(port));
  w.run_for(1s);
  ASSERT_EQ(w.router().table().size(), 10U);
  const auto before = pcp_maps(w).size();
  w.close(true);
  EXPECT_TRUE(w.closed()) << "in the same drain";
  EXPECT_EQ(w.engine_deadline(), std::nullopt);
  EXPECT_EQ(pcp_maps(w).size(), before + 10);
  for (const auto& seen : w.events()) {
    if (seen.event.kind != event_kind::removed) continue;
    EXPECT_EQ(seen.event.how, removal::left_to_expire);
  }
  EXPECT_EQ(w.count_events(event_kind::removed), 10U);
  w.run_for(1s);
  EXPECT_EQ(w.router().table().size(), 0U);
}

TEST_F(release, at_once_does_not_wait_for_the_one_request_in_flight) {
  world& w = begin(with(nat_pmp_only_router()));
  for (std::uint16_t port = 8000; port < 8010; ++port) w.create(request(port));
  w.run_for(1s);
  ASSERT_EQ(w.router().table().size(), 10U);
  w.close(true);
  EXPECT_TRUE(w.closed());
  w.run_for(1s);
  EXPECT_EQ(w.router().table().size(), 0U);
}

TEST_F(release, at_once_ends_what_was_not_made_yet) {
  world& w = begin();
  w.create(request());
  w.discover();
  w.close(true);
  EXPECT_TRUE(w.closed());
  EXPECT_EQ(w.count_events(event_kind::removed), 1U);
  EXPECT_EQ(w.events().back().event.how, removal::already_gone);
  w.run_for(10s);
  EXPECT_TRUE(w.discoveries().empty());
  EXPECT_EQ(w.open_channels(), 0U);
}

}  // namespace damson::sim
