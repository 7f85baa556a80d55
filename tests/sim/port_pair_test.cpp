// TCP and UDP of one port in one request, with the same external port.

#include <variant>
#include <vector>

#include "ports_scenario.hpp"
#include "upnp_scenario.hpp"

namespace damson::sim {
namespace {

TEST_F(ports, of_both_transports_are_two_parts_of_one_mapping) {
  world& w = begin();
  const mapping_id id = w.create(pair_of_ports(false));
  w.run_for(1s);
  ASSERT_EQ(kinds(w), (std::vector{event_kind::mapped, event_kind::mapped}));
  EXPECT_EQ(w.events()[0].event.info.transport, transport::tcp);
  EXPECT_EQ(w.events()[1].event.info.transport, transport::udp);
  EXPECT_EQ(w.events()[0].event.info.part, 1U);
  EXPECT_EQ(w.events()[1].event.info.part, 2U);
  EXPECT_EQ(w.events()[0].event.awaited, 1U);
  EXPECT_EQ(w.events()[1].event.awaited, 0U);
  EXPECT_EQ(w.events()[1].at, 4ms) << "one round trip after the other";
  EXPECT_EQ(w.mapping_count(), 1U);
  EXPECT_TRUE(router_holds(w, 8080) && router_holds(w, 8080, transport::udp));
  w.release(id);
  w.run_for(1s);
  EXPECT_EQ(w.count_events(event_kind::removed), 1U);
  EXPECT_EQ(w.last_event(id)->event.how, removal::deleted);
  EXPECT_EQ(rules_of_host(w), 0U);
  EXPECT_EQ(w.mapping_count(), 0U);
  EXPECT_FALSE(w.engine_deadline()) << "nothing is left to do";
}

TEST_F(ports, of_both_transports_follow_the_one_that_leads) {
  world& w = begin();
  occupy(w, 8080, transport::tcp);
  w.create(pair_of_ports(false));
  w.run_for(1s);
  ASSERT_TRUE(are_up(w, 2));
  EXPECT_EQ(outside(w, 1), 8081);
  EXPECT_EQ(outside(w, 2), 8081) << "though 8080 is free in UDP";
}

TEST_F(ports, that_cannot_be_the_same_differ_where_that_will_do) {
  world& w = begin();
  occupy(w, 8080);
  w.create(pair_of_ports(false));
  w.run_for(1s);
  ASSERT_TRUE(are_up(w, 2));
  EXPECT_EQ(outside(w, 1), 8080);
  EXPECT_EQ(outside(w, 2), 8081);
}

TEST_F(ports, that_cannot_be_the_same_are_the_same_elsewhere_where_all_are_wanted) {
  for (const unsigned loss : losses) {
    scene what;
    what.link.loss_percent = loss;
    world& w = begin(what);
    occupy(w, 8080);
    const mapping_id id = w.create(pair_of_ports());
    ASSERT_TRUE(w.run_until([&] { return are_up(w, 2); }, 1min)) << loss;
    EXPECT_EQ(outside(w, 1), outside(w, 2));
    EXPECT_GE(outside(w, 1), 1024);
    EXPECT_NE(outside(w, 1), 8080);
    EXPECT_EQ(kinds(w), (std::vector{event_kind::mapped, event_kind::mapped}))
        << "what was tried before is nobody's business";
    EXPECT_EQ(rules_of_host(w), 2U) << "and was given back";
    w.release(id);
    w.run_for(3s);
    EXPECT_EQ(w.count_events(event_kind::removed), 1U);
    EXPECT_TRUE(rules_of_host(w) == 0 || loss != 0);
  }
}

TEST_F(ports, are_told_when_all_of_them_are_there) {
  world& w = begin();
  w.create(pair_of_ports());
  w.run_for(1s);
  ASSERT_EQ(kinds(w), (std::vector{event_kind::mapped, event_kind::mapped}));
  EXPECT_EQ(w.events()[0].at, 4ms);
  EXPECT_EQ(w.events()[0].event.info.elapsed, 4ms);
  EXPECT_FALSE(w.events()[0].event.regained);
  EXPECT_FALSE(w.events()[0].event.report.empty());
  EXPECT_EQ(w.events()[1].at, 4ms);
}

TEST_F(ports, that_are_refused_everywhere_fail_with_the_reason_of_one) {
  scene what;
  what.router.rules_per_host = 1;
  world& w = begin(what);
  const mapping_id id = w.create(pair_of_ports());
  w.run_for(10s);
  ASSERT_EQ(kinds(w), (std::vector{event_kind::failed, event_kind::failed}));
  for (const auto& seen : w.events()) {
    EXPECT_EQ(seen.event.why.reason, errc::quota_exceeded);
    EXPECT_EQ(seen.event.info.id, id);
    EXPECT_EQ(seen.event.info.internal.port, 8080);
    EXPECT_EQ(seen.event.info.gateway, world::router_address);
  }
  EXPECT_EQ(w.events()[1].event.info.transport, transport::udp);
  EXPECT_EQ(rules_of_host(w), 0U) << "the one that could be had was given back";
  w.release(id);
  EXPECT_EQ(w.count_events(event_kind::removed), 1U) << "at once";
  EXPECT_FALSE(w.engine_deadline());
}

TEST_F(ports, that_were_refused_are_tried_for_again) {
  world& w = begin();
  map_request wanted = pair_of_ports();
  wanted.external_port = 9000;
  wanted.prefer_failure = true;
  occupy(w, 9000);
  w.create(wanted);
  w.run_for(1min);
  ASSERT_EQ(kinds(w), (std::vector{event_kind::failed, event_kind::failed}));
  EXPECT_EQ(w.events()[0].event.why.reason, errc::external_not_available);
  EXPECT_EQ(rules_of_host(w), 0U);
  EXPECT_EQ(pcp_maps(w).size(), 3U) << "TCP, UDP, and the delete: no other port will do";
  w.router().forget(transport::udp, 9000);
  w.run_for(1h);
  ASSERT_TRUE(are_up(w, 2));
  EXPECT_EQ(outside(w, 1), 9000);
  EXPECT_EQ(outside(w, 2), 9000);
  EXPECT_EQ(w.event_count(), 4U);
}

TEST_F(ports, are_asked_for_elsewhere_a_few_times_only) {
  scene what;
  what.router.external_port = port_policy::own_choice;
  world& w = begin(what);
  w.create(pair_of_ports());
  w.run_for(1min);
  ASSERT_EQ(kinds(w), (std::vector{event_kind::failed, event_kind::failed}));
  EXPECT_EQ(w.events()[0].event.why.reason, errc::external_not_available);
  EXPECT_EQ(rules_of_host(w), 0U);
  std::set<std::uint16_t> wished;
  for (const auto& each : pcp_maps(w)) {
    if (each.map.protocol == 6 && each.map.lifetime != 0) wished.insert(each.map.external_port);
  }
  EXPECT_EQ(wished.size(), 5U) << "8080 and four others";
  const auto sent = w.sent_count();
  w.run_for(4min);
  EXPECT_EQ(w.sent_count(), sent) << "then there is a pause";
}

TEST_F(ports, that_are_given_back_when_the_time_is_over_fail_then) {
  scene what;
  what.router.external_port = port_policy::own_choice;
  what.link.latency = 100ms;
  world& w = begin(what);
  map_request wanted = pair_of_ports();
  wanted.timeout = 900ms;
  w.create(wanted);
  w.run_for(1h);
  ASSERT_GE(w.event_count(), 2U);
  EXPECT_EQ(w.events()[0].at, 900ms);
  EXPECT_EQ(w.events()[0].event.why.reason, errc::timed_out);
  EXPECT_EQ(w.events()[1].at, 900ms);
  EXPECT_EQ(rules_of_host(w), 0U);
}

TEST_F(ports, of_a_silent_router_fail_as_one) {
  for (const bool all : {false, true}) {
    world& w = begin();
    w.set_plugged(false);
    w.create(pair_of_ports(all));
    w.run_for(30s);
    ASSERT_EQ(kinds(w), (std::vector{event_kind::failed, event_kind::failed})) << all;
    EXPECT_EQ(w.events()[0].event.why.reason, errc::no_answer);
    EXPECT_EQ(w.events()[1].at, w.events()[0].at) << "nobody waits for each by itself";
    w.set_plugged(true);
    w.run_for(1min);
    EXPECT_TRUE(are_up(w, 2)) << all;
  }
}

TEST_F(ports, are_back_together_after_a_restart) {
  for (const unsigned loss : losses) {
    world& w = begin();
    w.create(pair_of_ports());
    w.run_for(1min);
    ASSERT_TRUE(are_up(w, 2));
    w.link().loss_percent = loss;
    w.reboot_router();
    EXPECT_TRUE(w.run_until([&] { return w.count_events(event_kind::lost) == 2; }, 10min)) << loss;
    ASSERT_TRUE(w.run_until([&] { return are_up(w, 2); }, 10min)) << loss;
    EXPECT_EQ(outside(w, 1), 8080);
    EXPECT_EQ(outside(w, 2), 8080);
    EXPECT_TRUE(last_of(w, 1)->regained && last_of(w, 2)->regained);
    EXPECT_EQ(rules_of_host(w), 2U);
  }
}

TEST_F(ports, of_which_one_has_to_move_move_together) {
  for (const transport what : {transport::tcp, transport::udp}) {
    for (const unsigned loss : losses) {
      world& w = begin();
      w.create(pair_of_ports());
      w.run_for(1min);
      ASSERT_TRUE(are_up(w, 2));
      w.link().loss_percent = loss;
      w.reboot_router();
      occupy(w, 8080, what);
      const bool are_apart = !w.run_until(
          [&] {
            return w.count_events(event_kind::lost) >= 2 && are_up(w, 2) && outside(w, 1) != 8080;
          },
          30min);
      EXPECT_FALSE(are_apart) << loss;
      EXPECT_EQ(outside(w, 1), outside(w, 2)) << loss;
      EXPECT_EQ(w.count_events(event_kind::failed), 0U);
      w.run_for(3h);
      EXPECT_TRUE(are_up(w, 2));
      EXPECT_TRUE(rules_of_host(w) == 2 || loss != 0);
    }
  }
}

TEST_F(ports, of_which_one_is_lost_are_all_lost_where_all_are_wanted) {
  scene what;
  what.router = upnp_only_router();
  world& w = begin(what);
  w.create(pair_of_ports());
  w.run_for(1min);
  ASSERT_TRUE(are_up(w, 2));
  w.router().forget(transport::udp, 8080);
  occupy(w, 8080);
  w.run_for(30min);
  EXPECT_EQ(count(w, event_kind::lost, 1), 1U);
  EXPECT_EQ(count(w, event_kind::lost, 2), 1U);
  ASSERT_TRUE(are_up(w, 2));
  EXPECT_EQ(outside(w, 1), outside(w, 2));
  EXPECT_NE(outside(w, 1), 8080);
  EXPECT_EQ(rules_of_host(w), 2U);
}

TEST_F(ports, that_are_released_meanwhile_leave_nothing) {
  // At each point of the way, also while the first ones are being given back.
  for (int step = 0; step < 60; ++step) {
    world& w = begin();
    occupy(w, 8080);
    const mapping_id id = w.create(pair_of_ports());
    w.run_for(step * 500us);
    w.release(id);
    w.run_for(5s);
    EXPECT_EQ(w.count_events(event_kind::removed), 1U) << step;
    EXPECT_EQ(w.events().back().event.kind, event_kind::removed) << step;
    EXPECT_EQ(rules_of_host(w), 0U) << step;
    EXPECT_FALSE(w.engine_deadline()) << step;
  }
}

TEST_F(ports, end_with_the_client) {
  for (const bool at_once : {false, true}) {
    for (int step = 0; step < 30; ++step) {
      world& w = begin();
      occupy(w, 8080);
      w.create(pair_of_ports());
      w.run_for(step * 1ms);
      w.close(at_once);
      w.run_for(5s);
      EXPECT_TRUE(w.closed()) << step;
      EXPECT_EQ(w.count_events(event_kind::removed), 1U) << step;
      EXPECT_EQ(rules_of_host(w), 0U) << step;
    }
  }
}

TEST_F(ports, over_both_families_are_four_parts) {
  world& w = begin(in_both_families());
  map_request wanted = pair_of_ports();
  wanted.families = ip_families::both;
  const mapping_id id = w.create(wanted);
  w.run_for(1s);
  ASSERT_TRUE(are_up(w, 4));
  EXPECT_EQ(w.events().front().event.awaited, 3U);
  EXPECT_EQ(w.events().back().event.awaited, 0U);
  EXPECT_EQ(last_of(w, 1)->info.internal, (endpoint{world::host_address, 8080}));
  EXPECT_EQ(last_of(w, 2)->info.transport, transport::udp);
  EXPECT_EQ(last_of(w, 3)->info.internal, (endpoint{world::host_address_v6, 8080}));
  EXPECT_EQ(last_of(w, 4)->info.transport, transport::udp);
  w.release(id);
  w.run_for(1s);
  EXPECT_EQ(w.last_event(id)->event.how, removal::deleted);
}

TEST_F(ports, over_a_family_that_is_not_there_fail_there) {
  world& w = begin();
  map_request wanted = pair_of_ports();
  wanted.families = ip_families::both;
  wanted.every_uplink = true;
  w.create(wanted);
  w.run_for(1s);
  EXPECT_TRUE(are_up(w, 2));
  for (const std::uint32_t part : {3U, 4U}) {
    ASSERT_NE(last_of(w, part), nullptr);
    EXPECT_EQ(last_of(w, part)->why.reason, errc::no_gateway);
  }
  EXPECT_EQ(last_of(w, 4)->info.transport, transport::udp);
  EXPECT_EQ(w.events().back().event.awaited, 0U);
}

TEST_F(ports, by_every_uplink_go_away_and_come_back_together) {
  world& w = begin_with_two();
  map_request wanted = pair_of_ports();
  wanted.every_uplink = true;
  w.create(wanted);
  w.run_for(1s);
  ASSERT_TRUE(are_up(w, 4));
  w.set_network(only_the_first());
  EXPECT_TRUE(last_of(w, 3)->gone && last_of(w, 4)->gone);
  EXPECT_TRUE(are_up(w, 2));
  w.set_network(two_routes());
  w.run_for(1min);
  EXPECT_TRUE(are_up(w, 4));
  EXPECT_EQ(second_->rules().size(), 2U);
}

TEST_F(ports, are_shared_with_requests_for_one_of_them) {
  world& w = begin();
  const mapping_id alone = w.create(request(8080, transport::udp));
  w.run_for(1s);
  const mapping_id both = w.create(pair_of_ports(false));
  w.run_for(1s);
  EXPECT_TRUE(are_up(w, 2));
  EXPECT_EQ(rules_of_host(w), 2U);
  w.release(both);
  w.run_for(1s);
  EXPECT_EQ(w.last_event(both)->event.how, removal::still_shared);
  EXPECT_EQ(rules_of_host(w), 1U);
  EXPECT_EQ(w.last_event(alone)->event.kind, event_kind::mapped);
}

TEST_F(ports, are_pairs_in_nat_pmp_and_upnp_as_well) {
  for (const bool is_upnp : {false, true}) {
    scene what;
    what.router = is_upnp ? upnp_only_router() : nat_pmp_only_router();
    world& w = begin(what);
    occupy(w, 8080);
    const mapping_id id = w.create(pair_of_ports());
    ASSERT_TRUE(w.run_until([&] { return are_up(w, 2); }, 30s)) << is_upnp;
    EXPECT_EQ(outside(w, 1), outside(w, 2));
    w.release(id);
    w.run_for(3s);
    EXPECT_EQ(rules_of_host(w), 0U) << is_upnp;
  }
}

TEST_F(ports, that_make_no_sense_are_not_asked_for) {
  const auto fails = [&](auto&& change) {
    world& w = begin();
    map_request wanted = request();
    change(wanted);
    w.create(wanted);
    w.run_for(1s);
    return w.event_count() == 1 && w.events()[0].event.kind == event_kind::failed &&
           w.events()[0].event.why.reason == errc::invalid_argument && w.sent_count() == 0;
  };
  EXPECT_TRUE(fails([](map_request& one) { one.port_count = 0; }));
  EXPECT_TRUE(fails([](map_request& one) { one.port_count = 65; }));
  EXPECT_FALSE(fails([](map_request& one) { one.port_count = 64; }));
  EXPECT_TRUE(fails([](map_request& one) {
    one.port_count = 33;
    one.both_transports = true;
  }));
  EXPECT_TRUE(fails([](map_request& one) {
    one.port_count = 17;
    one.both_transports = true;
    one.families = ip_families::both;
  }));
  EXPECT_TRUE(fails([](map_request& one) {
    one.internal_port = 65'530;
    one.port_count = 7;
  }));
  EXPECT_FALSE(fails([](map_request& one) {
    one.internal_port = 65'530;
    one.port_count = 6;
  }));
  EXPECT_TRUE(fails([](map_request& one) {
    one.external_port = 65'535;
    one.port_count = 2;
  }));
}

}  // namespace
}  // namespace damson::sim
