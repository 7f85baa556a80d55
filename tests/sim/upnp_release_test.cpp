// From the call to the mapping, and giving back what UPnP has made, at any moment of its life.

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "upnp_scenario.hpp"

namespace damson::sim {
namespace {

using outcome = http_treatment::outcome;

class upnp_release : public upnp_scenario {
 protected:
  static std::vector<packet_record> asked_of_5351(const world& w) {
    return w.sent([](auto bytes) { return is_pcp(bytes) || is_nat_pmp(bytes); });
  }

  /// Every mapping has ended, once, and the router holds nothing.
  static void expect_nothing_left(world& w, std::size_t mappings) {
    EXPECT_EQ(w.count_events(event_kind::removed), mappings);
    EXPECT_EQ(w.mapping_count(), 0U);
    EXPECT_TRUE(w.router().rules().empty());
    EXPECT_EQ(w.open_channels(), 0U);
  }
};

// ---------------------------------------------------------------------------------------------
// Times

TEST_F(upnp_release, comes_after_a_few_round_trips_where_5351_refuses) {
  for (const auto& [version, round_trips] :
       {std::pair{std::uint8_t{1}, 11}, std::pair{std::uint8_t{2}, 9}}) {
    upnp_profile how;
    how.version = version;
    world& w = begin_request(upnp_only(how));
    expect_mapped(w, 100ms);
    // One for the search; two for each of description, address, look (version 1), add, read back.
    EXPECT_EQ(w.events()[0].at, round_trips * 2ms);
    EXPECT_EQ(w.events()[0].event.info.elapsed, w.events()[0].at);
    EXPECT_TRUE(w.events()[0].event.info.verified);
    EXPECT_EQ(w.events()[0].event.info.external, (endpoint{wan_side, 8080}));
  }
}

TEST_F(upnp_release, comes_after_the_head_start_where_5351_is_silent) {
  scene what = upnp_only();
  what.router.closed_port_refuses = false;
  what.link.latency = 500us;
  world& w = begin_request(what);
  expect_mapped(w, 100ms);
  // The router was seen to be near, and to be a device, after 5 ms.
  ASSERT_FALSE(requests_for(w, "AddPortMapping").empty());
  EXPECT_EQ(requests_for(w, "GetSpecificPortMappingEntry").front().at, 10ms);
  EXPECT_LE(w.events()[0].at, 10ms + 3 * 2ms);
}

TEST_F(upnp_release, comes_when_the_device_is_known_where_that_takes_longer_than_the_head_start) {
  for (const nanoseconds latency : {2ms, 20ms, 50ms}) {
    scene what = upnp_only();
    what.router.closed_port_refuses = false;
    what.link.latency = latency;
    world& w = begin_request(what);
    expect_mapped(w, 3s);
    EXPECT_LE(w.events()[0].at, 11 * 2 * latency + 1ns) << "as where the port refuses";
  }
}

TEST_F(upnp_release, waits_a_quarter_of_a_second_for_pcp_at_the_longest) {
  scene what = upnp_only();
  what.router.closed_port_refuses = false;
  what.link.latency = 1ms;
  world& w = begin(what);
  // Every answer comes late, so the router seems to be far away.
  w.http_courier = [](const http_record&) { return http_treatment{.processing = 200ms}; };
  w.create(request());
  w.run_for(3s);
  ASSERT_FALSE(requests_for(w, "GetSpecificPortMappingEntry").empty());
  EXPECT_EQ(requests_for(w, "GetSpecificPortMappingEntry").front().at, 410ms)
      << "search, description and address";
}

TEST_F(upnp_release, is_accounted_for) {
  world& w = begin_request(upnp_only());
  expect_mapped(w, 100ms);
  const auto& report = w.events()[0].event.report;
  ASSERT_EQ(report.size(), 3U);
  for (const std::size_t i : {std::size_t{0}, std::size_t{1}}) {
    EXPECT_EQ(report[i].standing, protocol_standing::failed);
    ASSERT_TRUE(report[i].why);
    EXPECT_EQ(report[i].why->reason, errc::port_closed);
    EXPECT_EQ(report[i].answered_after, 2ms);
  }
  EXPECT_EQ(report[2].protocol, protocol::upnp);
  EXPECT_EQ(report[2].standing, protocol_standing::taken);
}

TEST_F(upnp_release, leaves_a_port_that_refuses_alone) {
  world& w = begin_request(upnp_only());
  expect_mapped(w, 100ms);
  w.run_for(24h);
  EXPECT_EQ(asked_of_5351(w).size(), 2U) << "one packet for each protocol";
}

// ---------------------------------------------------------------------------------------------
// Giving back

TEST_F(upnp_release, takes_two_round_trips) {
  world& w = begin_request(upnp_only());
  expect_mapped(w, 100ms);
  const nanoseconds at = w.now();
  w.release(id_);
  w.run_for(1s);
  EXPECT_EQ(w.last_event(id_)->at - at, 4ms);
  EXPECT_EQ(w.last_event(id_)->event.how, removal::deleted);
  expect_nothing_left(w, 1);
}

TEST_F(upnp_release, says_what_became_of_the_entry) {
  for (const auto& [prepare, how] : {
           std::pair<void (*)(world&), removal>{[](world&) {}, removal::deleted},
           {[](world& w) { w.router().forget_all(); }, removal::already_gone},
           {[](world& w) { w.router().behaviour().upnp.refuses_deletes_with = 501; },
            removal::left_to_expire},
           {[](world& w) { w.set_plugged(false); }, removal::left_to_expire},
       }) {
    world& w = begin_request(upnp_only());
    expect_mapped(w, 100ms);
    prepare(w);
    const nanoseconds at = w.now();
    w.release(id_);
    w.run_for(10s);
    EXPECT_EQ(w.last_event(id_)->event.how, how);
    EXPECT_LE(w.last_event(id_)->at - at, 2s);
  }
}

TEST_F(upnp_release, finds_a_device_that_has_moved) {
  world& w = begin_request(upnp_only());
  expect_mapped(w, 100ms);
  w.reboot_router(true);
  w.release(id_);
  w.run_for(2s);
  EXPECT_EQ(w.last_event(id_)->event.how, removal::deleted);
  expect_nothing_left(w, 1);
}

/// Two routers on one link, the second of which knows nothing of the mapping.
scene with_a_second_device() {
  scene out = upnp_only();
  out.devices.push_back({upnp_only_router(), neighbour, wan_side});
  return out;
}

TEST_F(upnp_release, does_not_take_another_devices_word_for_it) {
  world& w = begin_request(with_a_second_device());
  expect_mapped(w, 100ms);
  w.set_http_serving(false);
  w.release(id_);
  w.run_for(2s);
  EXPECT_EQ(w.last_event(id_)->event.how, removal::left_to_expire);
  EXPECT_TRUE(w.device_at(neighbour)->rules().empty());
}

TEST_F(upnp_release, of_what_another_device_has_taken_over_is_done_there) {
  world& w = begin_request(with_a_second_device());
  expect_mapped(w, 100ms);
  w.set_http_serving(false);
  w.run_for(3h);
  const mapping_info& info = w.last_event(id_)->event.info;
  EXPECT_EQ(w.last_event(id_)->event.kind, event_kind::mapped);
  EXPECT_EQ(info.gateway, neighbour);
  EXPECT_NE(w.device_at(neighbour)->table().at_external(info.transport, info.external.port),
            nullptr);
  w.release(id_);
  w.run_for(2s);
  EXPECT_EQ(w.last_event(id_)->event.how, removal::deleted);
  EXPECT_TRUE(w.device_at(neighbour)->rules().empty());
}

TEST_F(upnp_release, tells_what_a_device_may_keep_that_another_one_stands_in_for) {
  world& w = begin(with_a_second_device());
  // The first one does what it is asked to do, and is not heard of again.
  bool has_added = false;
  w.http_courier = [&](const http_record& record) {
    const bool is_first_one = record.remote.address == world::router_address;
    const bool adds = is_first_one && asked_for(record) == "AddPortMapping";
    const bool is_gone = is_first_one && has_added;
    has_added = has_added || adds;
    return http_treatment{.end = is_gone ? outcome::refused
                                 : adds  ? outcome::breaks_after
                                         : outcome::answered};
  };
  map_request wanted = request();
  wanted.allow_permanent = false;
  const mapping_id id = w.create(wanted);
  ASSERT_TRUE(w.run_until([&] { return w.count_events(event_kind::mapped) == 1; }, 1min));
  EXPECT_EQ(w.last_event(id)->event.info.gateway, neighbour);
  ASSERT_TRUE(router_holds(w, 8080));
  w.release(id);
  w.run_for(2s);
  EXPECT_EQ(w.last_event(id)->event.how, removal::left_to_expire);
  EXPECT_TRUE(w.device_at(neighbour)->rules().empty());
}

TEST_F(upnp_release, waits_for_pcp_that_has_granted_what_cannot_be_used) {
  scene what;
  what.router.answers_external_port = std::uint16_t{0};
  what.devices.push_back({upnp_only_router(), neighbour, wan_side});
  world& w = begin_request(what);
  ASSERT_TRUE(w.run_until([&] { return w.count_events(event_kind::mapped) == 1; }, 1min));
  EXPECT_EQ(w.last_event(id_)->event.info.protocol, protocol::upnp);
  ASSERT_EQ(w.router().rules().size(), 1U);
  std::size_t deletes = 0;
  w.courier = [&](const packet_record& record) -> std::optional<nanoseconds> {
    const auto map = read_pcp_map(record.datagram.bytes);
    const bool is_delete = record.way == direction::to_router && map && map->lifetime == 0;
    if (is_delete && ++deletes == 1) return std::nullopt;
    return 1ms;
  };
  w.release(id_);
  w.run_for(2s);
  EXPECT_EQ(w.last_event(id_)->event.how, removal::deleted);
  expect_nothing_left(w, 1);
}

TEST_F(upnp_release, goes_to_the_first_device_again_when_that_is_back) {
  world& w = begin_request(with_a_second_device());
  expect_mapped(w, 100ms);
  w.set_http_serving(false);
  const auto is_held_by = [&](const ip_address& who) {
    return w.last_event(id_)->event.kind == event_kind::mapped &&
           w.last_event(id_)->event.info.gateway == who;
  };
  ASSERT_TRUE(w.run_until([&] { return is_held_by(neighbour); }, 1h));
  w.set_http_serving(true);
  w.http_courier = [](const http_record& record) {
    const bool is_gone = record.remote.address == neighbour;
    return http_treatment{.end = is_gone ? outcome::refused : outcome::answered};
  };
  // What it had is still there.
  EXPECT_TRUE(w.run_until([&] { return is_held_by(world::router_address); }, 1h));
  w.release(id_);
  w.run_for(2s);
  // The second one keeps its entry until its lease ends.
  EXPECT_EQ(w.last_event(id_)->event.how, removal::left_to_expire);
  EXPECT_TRUE(w.router().rules().empty());
}

TEST_F(upnp_release, may_leave_the_lease) {
  world& w = begin_request(upnp_only());
  expect_mapped(w, 100ms);
  w.release(id_, true);
  w.run_for(1s);
  EXPECT_EQ(w.last_event(id_)->event.how, removal::left_to_expire);
  EXPECT_TRUE(router_holds(w, 8080));
}

TEST_F(upnp_release, tells_of_the_lease_that_an_unheard_renewal_made) {
  for (const bool network_goes : {true, false}) {
    world& w = begin(upnp_only());
    map_request wanted = request();
    wanted.lifetime = 900s;
    wanted.allow_permanent = false;
    id_ = w.create(wanted);
    expect_mapped(w, 100ms);
    w.http_courier = [](const http_record& record) {
      const bool is_add = soap_action_of(record.request) == "AddPortMapping";
      return http_treatment{.end = is_add ? outcome::hangs : outcome::answered};
    };
    // It was asked for, and read back later; until when it is there nobody has said.
    w.run_for(650s);
    EXPECT_EQ(kinds(w).back(), event_kind::mapped);
    EXPECT_TRUE(w.events().back().event.regained);
    if (network_goes) {
      w.set_network({});
    } else {
      w.set_http_serving(false);
    }
    w.run_for(300s);
    ASSERT_TRUE(router_holds(w, 8080)) << "for longer than the lease that was heard";
    w.release(id_);
    w.run_for(2s);
    EXPECT_EQ(w.last_event(id_)->event.how, removal::left_to_expire);
  }
}

TEST_F(upnp_release, tells_of_what_pcp_made_before_when_its_delete_is_not_answered) {
  scene what;
  what.router.speaks_nat_pmp = false;
  what.router.speaks_upnp = true;
  world& w = begin(what);
  w.router().occupy(transport::tcp, 8080, {other_host, 8080});  // so each takes another port
  bool pcp_is_heard = false;
  w.courier = [&](const packet_record& record) -> std::optional<nanoseconds> {
    const bool is_answer = record.way == direction::to_host && is_pcp(record.datagram.bytes);
    if (is_answer && !pcp_is_heard) return std::nullopt;
    return 1ms;
  };
  id_ = w.create(request());
  w.run_for(10s);
  ASSERT_EQ(w.last_event(id_)->event.info.protocol, protocol::upnp);
  ASSERT_EQ(w.router().rules().size(), 3U);
  pcp_is_heard = true;  // it speaks PCP after all
  const mapping_id other = w.create(request(9000));
  w.run_for(10s);
  ASSERT_EQ(w.last_event(other)->event.info.protocol, protocol::pcp);
  w.courier = [](const packet_record& record) -> std::optional<nanoseconds> {
    if (is_pcp(record.datagram.bytes)) return std::nullopt;
    return 1ms;
  };
  w.release(id_);
  w.run_for(2s);
  EXPECT_EQ(w.last_event(id_)->event.how, removal::left_to_expire);
  EXPECT_TRUE(router_holds(w, 8080));
}

TEST_F(upnp_release, leaves_what_others_made) {
  world& w = begin_request(upnp_only());
  expect_mapped(w, 100ms);
  w.router().occupy(transport::tcp, 9000, {other_host, 9000});
  w.router().occupy(transport::udp, 8080, {other_host, 8080});
  w.release(id_);
  w.run_for(5s);
  EXPECT_EQ(w.router().rules().size(), 2U);
}

struct kind_of_router {
  std::uint8_t version = 1;
  lease_policy leases = lease_policy::as_asked;
  bool refuses_5351 = true;
};

class upnp_release_at_any_time : public upnp_release,
                                 public testing::WithParamInterface<kind_of_router> {
 protected:
  static scene router() {
    upnp_profile how;
    how.version = GetParam().version;
    how.leases = GetParam().leases;
    how.processing = 2ms;
    scene out = upnp_only(how);
    out.router.closed_port_refuses = GetParam().refuses_5351;
    return out;
  }

  /// From before the first packet to some time after the mapping is there.
  static std::vector<nanoseconds> moments() {
    std::vector<nanoseconds> out;
    for (nanoseconds at{0}; at <= 60ms; at += 500us) out.push_back(at);
    return out;
  }
};

TEST_P(upnp_release_at_any_time, leaves_nothing) {
  std::set<std::size_t> steps;
  for (const nanoseconds at : moments()) {
    SCOPED_TRACE(std::to_string(at.count()) + " ns");
    world& w = begin_request(router());
    w.run_for(at);
    steps.insert(w.requests().size());
    w.release(id_);
    w.run_for(10s);
    expect_nothing_left(w, 1);
    EXPECT_LE(w.events().size(), 2U);
  }
  EXPECT_GE(steps.size(), 3U) << "each step was interrupted";
}

TEST_P(upnp_release_at_any_time, leaves_nothing_when_all_is_closed) {
  for (const nanoseconds at : moments()) {
    SCOPED_TRACE(std::to_string(at.count()) + " ns");
    world& w = begin_request(router());
    w.run_for(at);
    w.close();
    w.run_for(2100ms);
    EXPECT_TRUE(w.closed());
    expect_nothing_left(w, 1);
  }
}

TEST_P(upnp_release_at_any_time, leaves_nothing_when_it_is_wanted_again) {
  for (const nanoseconds at : moments()) {
    SCOPED_TRACE(std::to_string(at.count()) + " ns");
    world& w = begin_request(router());
    w.run_for(at);
    w.release(id_);
    const mapping_id again = w.create(request());
    w.run_for(20s);
    ASSERT_NE(w.last_event(again), nullptr);
    EXPECT_EQ(w.last_event(again)->event.kind, event_kind::mapped);
    EXPECT_EQ(w.router().rules().size(), 1U);
    w.release(again);
    w.run_for(10s);
    expect_nothing_left(w, 2);
  }
}

INSTANTIATE_TEST_SUITE_P(routers, upnp_release_at_any_time,
                         testing::Values(kind_of_router{}, kind_of_router{.version = 2},
                                         kind_of_router{.leases = lease_policy::only_permanent_725},
                                         kind_of_router{.version = 2, .refuses_5351 = false}));

TEST_F(upnp_release, of_thirty_at_once_takes_less_than_two_seconds) {
  upnp_profile how;
  how.processing = 20ms;
  world& w = begin(upnp_only(how));
  for (std::uint16_t port = 8000; port < 8030; ++port) w.create(request(port));
  w.run_for(30s);
  ASSERT_EQ(w.count_events(event_kind::mapped), 30U);
  const nanoseconds at = w.now();
  w.close();
  w.run_for(5s);
  EXPECT_TRUE(w.closed());
  expect_nothing_left(w, 30);
  for (const auto& one : w.events()) {
    if (one.event.kind != event_kind::removed) continue;
    EXPECT_EQ(one.event.how, removal::deleted);
    EXPECT_LE(one.at - at, 2s);
  }
}

TEST_F(upnp_release, a_thousand_times) {
  world& w = begin(upnp_only());
  for (std::size_t i = 0; i < 1'000; ++i) {
    const mapping_id id = w.create(request());
    // Some are not waited for, and go at different steps.
    if (i % 2 == 0) {
      w.run_until([&] { return w.last_event(id) != nullptr; }, 5s);
      ASSERT_EQ(w.last_event(id)->event.kind, event_kind::mapped) << i;
    } else {
      w.run_for((i % 60) * 500us);
    }
    w.release(id);
    w.run_until([&] { return w.mapping_count() == 0; }, 3s);
    ASSERT_EQ(w.mapping_count(), 0U) << i;
  }
  w.run_for(10s);
  expect_nothing_left(w, 1'000);
}

TEST_F(upnp_release, of_a_thousand_that_were_wanted_at_once) {
  world& w = begin(upnp_only());
  std::vector<mapping_id> all;
  all.reserve(1'000);
  for (std::uint16_t i = 0; i < 1'000; ++i) {
    all.push_back(w.create(request(static_cast<std::uint16_t>(8000 + i))));
  }
  w.run_for(5s);  // some are mapped, others wait
  for (const mapping_id id : all) w.release(id);
  w.run_for(10s);
  EXPECT_EQ(w.count_events(event_kind::removed), 1'000U);
  EXPECT_EQ(w.mapping_count(), 0U);
}

/// The program is told within the release bound, and what comes after is deleted all the same.
TEST_F(upnp_release, of_what_a_slow_router_grants_later_leaves_nothing) {
  world& w = begin(upnp_only());
  w.http_courier = [](const http_record& record) {
    http_treatment slow;
    if (asked_for(record).starts_with("Add")) slow.processing = 4s;
    return slow;
  };
  const mapping_id id = w.create(request());
  ASSERT_TRUE(w.run_until([&] { return !requests_for(w, "AddPortMapping").empty(); }, 60s));
  w.run_for(1s);
  w.release(id);
  w.run_for(2s);
  ASSERT_EQ(w.last_event(id)->event.kind, event_kind::removed);
  EXPECT_EQ(w.mapping_count(), 0U);
  w.run_for(60s);
  EXPECT_EQ(w.router().rules().size(), 0U);
  EXPECT_EQ(requests_for(w, "DeletePortMapping").size(), 1U);
  EXPECT_EQ(w.open_channels(), 0U);
  EXPECT_EQ(w.engine_deadline(), std::nullopt);
}

TEST_F(upnp_release, of_a_lease_that_was_extended_unheard_leaves_it_to_expire) {
  world& w = begin(upnp_only());
  map_request wanted = request();
  wanted.lifetime = 300s;
  const mapping_id id = w.create(wanted);
  w.run_for(10s);
  ASSERT_EQ(w.last_event(id)->event.kind, event_kind::mapped);
  // The look before the renewal is answered; from the renewal on nothing is.
  bool is_renewed = false;
  w.http_courier = [&](const http_record& record) {
    is_renewed = is_renewed || asked_for(record).starts_with("Add");
    http_treatment unheard;
    if (is_renewed) unheard.end = outcome::breaks_after;
    return unheard;
  };
  ASSERT_TRUE(w.run_until([&] { return w.count_events(event_kind::lost) == 1; }, 10min));
  // Now another protocol makes it, and gives it back.
  profile both = w.router().behaviour();
  both.speaks_pcp = true;
  w.router().behaviour() = both;
  ASSERT_TRUE(w.run_until([&] { return w.count_events(event_kind::mapped) == 2; }, 4min));
  ASSERT_EQ(w.last_event(id)->event.info.protocol, protocol::pcp);
  w.release(id);
  w.run_for(2s);
  ASSERT_FALSE(w.router().rules().empty());
  EXPECT_EQ(w.last_event(id)->event.how, removal::left_to_expire);
}

TEST_F(upnp_release, to_a_dead_router_is_let_go_after_a_while) {
  world& w = begin(upnp_only());
  const mapping_id id = w.create(request());
  ASSERT_TRUE(w.run_until([&] { return !requests_for(w, "AddPortMapping").empty(); }, 60s));
  w.set_plugged(false);
  w.release(id);
  w.run_for(2s);
  EXPECT_EQ(w.last_event(id)->event.how, removal::left_to_expire);
  w.run_for(60s);
  EXPECT_EQ(w.open_channels(), 0U);
  EXPECT_EQ(w.engine_deadline(), std::nullopt);
}

TEST_F(upnp_release, by_closing_does_not_wait_for_a_slow_router) {
  world& w = begin(upnp_only());
  w.http_courier = [](const http_record& record) {
    http_treatment slow;
    if (asked_for(record).starts_with("Add")) slow.processing = 4s;
    return slow;
  };
  w.create(request());
  ASSERT_TRUE(w.run_until([&] { return !requests_for(w, "AddPortMapping").empty(); }, 60s));
  w.close();
  w.run_for(2s);
  EXPECT_TRUE(w.closed());
  EXPECT_EQ(w.open_channels(), 0U);
}

}  // namespace
}  // namespace damson::sim
