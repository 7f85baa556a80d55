// Whose entry is it: what a mapping may delete, what it may take over, and what it may wait for.

#include <string>

#include "upnp_requests.hpp"
#include "upnp_scenario.hpp"

namespace damson::sim {
namespace {

using outcome = http_treatment::outcome;

class upnp_ownership : public upnp_scenario {
 protected:
  /// Another host takes the port, on a router that lets anybody delete anything.
  static void taken_by_another(world& w, gateway& router, const std::string& lease = "3600") {
    const wanted_mapping what{
        .external = "8080", .internal = "80", .client = "192.168.1.101", .lease = lease};
    const http_answer answer = router.handle_http(
        w.clock(), {other_host, 50'000},
        post(ip_control, ip_v1, "AddPortMapping", envelope(ip_v1, "AddPortMapping", what.all())));
    ASSERT_EQ(answer.status, 200) << answer.text();
  }

  static void run_until_it_looks(world& w) {
    const std::size_t before = requests_for(w, "GetSpecificPortMappingEntry").size();
    ASSERT_TRUE(w.run_until(
        [&] { return requests_for(w, "GetSpecificPortMappingEntry").size() > before; }, 10s));
    w.run_for(10ms);
  }

  static void expect_with_another(const world& w) {
    const nat_rule* const rule = w.router().table().at_external(transport::tcp, 8080);
    ASSERT_NE(rule, nullptr);
    EXPECT_EQ(rule->internal.address, other_host);
  }

  static upnp_profile open_to_all() {
    upnp_profile how;
    how.secure_mode = false;
    how.processing = 50ms;
    return how;
  }
};

TEST_F(upnp_ownership, of_a_port_that_another_host_takes_in_between_is_respected) {
  upnp_profile how;
  how.secure_mode = false;  // it would let itself be deleted
  world& w = begin_request(upnp_only(how));
  ASSERT_TRUE(w.run_until([&] { return !requests_for(w, "AddPortMapping").empty(); }, 1s));
  w.router().occupy(transport::tcp, 8080, {other_host, 8080});
  w.run_for(10s);
  ASSERT_EQ(kinds(w), std::vector{event_kind::mapped});
  EXPECT_NE(w.events()[0].event.info.external.port, 8080);
  EXPECT_TRUE(requests_for(w, "DeletePortMapping").empty());
}

TEST_F(upnp_ownership, ends_where_the_entry_was_replaced_by_anothers) {
  world& w = begin_request(upnp_only(open_to_all()));
  expect_mapped(w, 2s);
  w.router().forget_all();
  taken_by_another(w, w.router());
  ASSERT_TRUE(w.run_until([&] { return w.count_events(event_kind::lost) == 1; }, 1h));
  run_until_it_looks(w);
  w.release(id_);
  w.run_for(10s);
  EXPECT_NE(w.router().table().at_external(transport::tcp, 8080), nullptr);
  EXPECT_TRUE(requests_for(w, "DeletePortMapping").empty());
}

TEST_F(upnp_ownership, of_a_port_is_not_taken_from_another_host) {
  upnp_profile how = open_to_all();
  how.overwrites_anybody = true;
  world& w = begin(upnp_only(how));
  taken_by_another(w, w.router());
  id_ = w.create(request());
  expect_mapped(w, 2s);
  EXPECT_NE(w.events()[0].event.info.external.port, 8080);
  expect_with_another(w);
}

TEST_F(upnp_ownership, that_a_renewal_finds_with_another_host_stays_there) {
  for (const bool overwrites : {false, true}) {
    SCOPED_TRACE(overwrites);
    upnp_profile how = open_to_all();
    how.overwrites_anybody = overwrites;
    scene what = upnp_only(how);
    what.client.recheck_period = 12h;  // so that nothing looks before the renewal
    world& w = begin_request(what);
    expect_mapped(w, 2s);
    w.router().forget_all();
    taken_by_another(w, w.router(), "86400");
    w.run_for(2h);
    expect_with_another(w);
    EXPECT_NE(w.last_event(id_)->event.info.external.port, 8080);
    EXPECT_TRUE(requests_for(w, "DeletePortMapping").empty());
  }
}

TEST_F(upnp_ownership, that_another_host_got_before_a_second_try_stays_there) {
  upnp_profile how = open_to_all();
  how.overwrites_anybody = true;
  world& w = begin_request(upnp_only(how));
  w.http_courier = [](const http_record& record) {
    const bool adds = asked_for(record) == "AddPortMapping";
    return http_treatment{.end = adds ? outcome::breaks_before : outcome::answered};
  };
  ASSERT_TRUE(w.run_until([&] { return !requests_for(w, "AddPortMapping").empty(); }, 2s));
  taken_by_another(w, w.router());
  w.http_courier = nullptr;
  expect_mapped(w, 5s);
  expect_with_another(w);
}

TEST_F(upnp_ownership, does_not_follow_to_another_router) {
  scene what = upnp_only();
  what.devices.push_back({upnp_only_router(open_to_all()), second_address, wan_side});
  world& w = begin_request(what);
  expect_mapped(w, 2s);
  taken_by_another(w, *w.device_at(second_address));
  w.set_network(world::one_route(second_address, world::host_address));
  run_until_it_looks(w);
  w.release(id_);
  w.run_for(10s);
  EXPECT_NE(w.device_at(second_address)->table().at_external(transport::tcp, 8080), nullptr);
}

TEST_F(upnp_ownership, ends_with_the_lease) {
  world& w = begin_request(upnp_only(open_to_all()));
  expect_mapped(w, 2s);
  w.set_plugged(false);
  w.run_for(3h);
  w.set_plugged(true);
  taken_by_another(w, w.router());
  w.release(id_);
  w.run_for(10s);
  EXPECT_NE(w.router().table().at_external(transport::tcp, 8080), nullptr);
}

TEST_F(upnp_ownership, of_one_port_is_not_fought_over_by_two_mappings) {
  for (const bool at_once : {false, true}) {
    world& w = begin(upnp_only());
    const mapping_id first = w.create(request());
    if (!at_once) w.run_for(1s);
    map_request rival = request(9090);
    rival.external_port = 8080;
    const mapping_id second = w.create(rival);
    w.run_for(1h);
    EXPECT_EQ(w.count_events(event_kind::lost), 0U);
    EXPECT_EQ(w.last_event(first)->event.info.external.port, 8080);
    EXPECT_NE(w.last_event(second)->event.info.external.port, 8080);
    w.release(first);
    w.run_for(5s);
    ASSERT_EQ(w.router().rules().size(), 1U);
    EXPECT_EQ(w.router().rules()[0].internal, (endpoint{world::host_address, 9090}));
  }
}

TEST_F(upnp_ownership, of_a_port_is_not_given_up_because_another_mapping_wanted_it) {
  upnp_profile how;
  how.version = 2;
  how.any_port_moves = true;
  world& w = begin(upnp_only(how));
  w.router().occupy(transport::tcp, 8080, {other_host, 8080});
  const mapping_id first = w.create(request(8080));
  const mapping_id second = w.create(request(8081));
  w.run_for(1s);
  ASSERT_EQ(w.last_event(first)->event.info.external.port, 8081);
  ASSERT_NE(w.last_event(second)->event.info.external.port, 8081);
  w.run_for(3h);  // renewals
  EXPECT_EQ(w.count_events(event_kind::changed), 0U);
  EXPECT_EQ(w.router().rules().size(), 3U);
}

TEST_F(upnp_ownership, of_a_port_that_the_router_chose_is_not_taken_by_the_next) {
  upnp_profile how;
  how.version = 2;
  world& w = begin(upnp_only(how));
  w.router().occupy(transport::tcp, 8080, {other_host, 8080});
  const mapping_id first = w.create(request(8080));
  const mapping_id second = w.create(request(8081));
  w.run_for(1h);
  EXPECT_EQ(w.count_events(event_kind::lost), 0U);
  EXPECT_EQ(w.last_event(first)->event.info.external.port, 8081);
  EXPECT_NE(w.last_event(second)->event.info.external.port, 8081);
  EXPECT_TRUE(router_holds(w, 8080));
  EXPECT_TRUE(router_holds(w, 8081));
}

TEST_F(upnp_ownership, is_told_even_if_the_address_cannot_be_had) {
  world& w = begin(upnp_only());
  w.http_courier = [](const http_record& record) {
    const bool hangs = asked_for(record) == "GetExternalIPAddress";
    return http_treatment{.end = hangs ? outcome::hangs : outcome::answered};
  };
  w.create(request());
  w.run_for(120s);
  ASSERT_EQ(w.count_events(event_kind::mapped), 1U);
  EXPECT_TRUE(w.last_event(mapping_id{1})->event.info.external.address.is_unspecified());
  EXPECT_EQ(requests_for(w, "AddPortMapping").size(), 1U);
}

TEST_F(upnp_ownership, of_the_search_is_not_with_those_who_do_not_answer) {
  scene what = with(mute_router());
  what.devices.push_back({upnp_only_router(), second_address, wan_side});
  for (std::uint8_t last = 70; last < 74; ++last) {
    what.devices.push_back({upnp_only_router(), v4(192, 168, 1, last), wan_side});
  }
  world& w = begin(what);
  w.http_courier = [](const http_record& record) {
    const bool answers = record.remote.address == second_address;
    return http_treatment{.end = answers ? outcome::answered : outcome::unanswered};
  };
  w.create(request());
  w.run_for(30min);
  ASSERT_EQ(w.count_events(event_kind::mapped), 1U);
  EXPECT_EQ(w.count_events(event_kind::failed), 0U);
}

TEST_F(upnp_ownership, of_the_result_is_not_lost_when_the_host_is_late) {
  world& w = begin(with(mute_router()));
  const mapping_id waits = w.create(request(protocol_filter::upnp));
  const mapping_id leaves = w.create(request(protocol_filter::upnp, 9090));
  w.run_for(3'900ms);
  // The search ends while the host sleeps, and the first thing it hears is something else.
  w.suspend(600ms);
  w.release(leaves);
  w.run_for(30s);
  EXPECT_LE(w.events()[0].at, 5s);
  EXPECT_EQ(w.last_event(waits)->event.kind, event_kind::failed);
}

TEST_F(upnp_ownership, of_a_failed_set_up_is_cleaned_up_before_the_end) {
  upnp_profile how;
  how.processing = 50ms;
  how.success_without_entry = true;
  world& w = begin_request(upnp_only(how));
  ASSERT_TRUE(w.run_until([&] { return w.count_events(event_kind::failed) == 1; }, 10s));
  w.release(id_);
  w.run_for(5s);
  const auto deletes = requests_for(w, "DeletePortMapping");
  ASSERT_EQ(deletes.size(), 1U);
  EXPECT_FALSE(deletes[0].cancelled);
  EXPECT_EQ(w.last_event(id_)->event.kind, event_kind::removed);
}

TEST_F(upnp_ownership, of_the_host_over_its_multicast_is_not_needed) {
  world& w = begin(upnp_only());
  w.create(request(protocol_filter::upnp));
  ASSERT_TRUE(w.run_until([&] { return w.search_endpoint().has_value(); }, 1s));
  w.run_for(100us);
  w.tell(channel_failed{channel_id{3}, channel_error::unreachable});
  w.run_for(3s);
  EXPECT_EQ(w.count_events(event_kind::mapped), 1U);
}

TEST_F(upnp_ownership, of_a_port_that_pcp_has_for_another_mapping_is_respected) {
  profile router;
  router.speaks_upnp = true;
  router.upnp.one_rule_for_all_protocols = true;
  world& w = begin(with(router));
  map_request first = request(protocol_filter::pcp_only, 8002);
  first.external_port = 8004;
  const mapping_id pcp = w.create(first);
  w.run_for(5s);
  ASSERT_EQ(w.last_event(pcp)->event.info.external.port, 8004);
  const mapping_id upnp = w.create(request(protocol_filter::upnp, 8004));
  w.run_for(30s);
  ASSERT_EQ(w.last_event(upnp)->event.kind, event_kind::mapped);
  EXPECT_NE(w.last_event(upnp)->event.info.external.port, 8004);
  EXPECT_TRUE(router_holds(w, 8002));
  EXPECT_TRUE(router_holds(w, 8004));
  EXPECT_EQ(w.count_events(event_kind::lost), 0U);
}

}  // namespace
}  // namespace damson::sim
