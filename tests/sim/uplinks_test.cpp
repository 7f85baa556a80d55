// Several ways out of the host: families, interfaces, own addresses, routers.

#include <array>
#include <string>

#include "uplinks_scenario.hpp"

namespace damson::sim {
namespace {

// -------------------------------------------------------------------------------------------------
// IPv6

TEST_F(uplinks, in_ipv6_are_opened_by_pcp) {  // RFC 6887 section 11, for a firewall
  world& w = begin(in_both_families());
  EXPECT_FALSE(lets_in(w, world::host_address_v6, 8080));
  const mapping_id id = w.create(in_ipv6());
  w.run_for(10ms);
  ASSERT_EQ(kinds(w), std::vector{event_kind::mapped});
  const mapping_info& info = w.events()[0].event.info;
  EXPECT_EQ(info.protocol, protocol::pcp);
  EXPECT_EQ(info.internal, (endpoint{world::host_address_v6, 8080}));
  EXPECT_EQ(info.external, info.internal) << "there is no NAT";
  EXPECT_EQ(info.gateway, world::router_address_v6);
  EXPECT_EQ(info.elapsed, 2ms) << "a round trip: no probe before the MAP";
  EXPECT_TRUE(lets_in(w, world::host_address_v6, 8080));
  w.run_for(24h);  // renewals
  EXPECT_TRUE(lets_in(w, world::host_address_v6, 8080));
  EXPECT_EQ(w.count_events(event_kind::lost), 0U);
  w.release(id);
  w.run_for(1s);
  EXPECT_EQ(w.last_event(id)->event.how, removal::deleted);
  EXPECT_FALSE(lets_in(w, world::host_address_v6, 8080));
  EXPECT_TRUE(w.router().complaints().empty());
}

TEST_F(uplinks, of_both_families_open_one_port_each_on_its_own) {
  world& w = begin(in_both_families());
  const mapping_id v4_id = w.create(request());
  const mapping_id v6_id = w.create(in_ipv6());
  w.run_for(1s);
  ASSERT_EQ(w.count_events(event_kind::mapped), 2U);
  EXPECT_TRUE(router_holds(w, 8080));
  EXPECT_TRUE(lets_in(w, world::host_address_v6, 8080));
  w.release(v4_id);
  w.run_for(1s);
  EXPECT_EQ(w.last_event(v4_id)->event.how, removal::deleted);
  EXPECT_FALSE(router_holds(w, 8080));
  EXPECT_TRUE(lets_in(w, world::host_address_v6, 8080)) << "the other family's stays";
  EXPECT_EQ(w.last_event(v6_id)->event.kind, event_kind::mapped);
  w.close();
  w.run_for(2s);
  EXPECT_EQ(w.last_event(v6_id)->event.how, removal::deleted);
  EXPECT_TRUE(w.closed());
}

TEST_F(uplinks, in_ipv6_granted_with_port_0_are_open_at_the_internal_one) {
  scene what = in_both_families();
  what.router.answers_external_port = std::uint16_t{0};
  world& w = begin(what);
  w.create(in_ipv6());
  w.run_for(24h);
  ASSERT_EQ(kinds(w), std::vector{event_kind::mapped});
  EXPECT_EQ(w.events()[0].event.info.external, (endpoint{world::host_address_v6, 8080}));
  EXPECT_TRUE(lets_in(w, world::host_address_v6, 8080));
}

TEST_F(uplinks, in_ipv6_are_renewed_with_the_port_that_was_assigned) {
  scene what = in_both_families();
  what.router.renewed_pinhole_echoes_port = true;
  world& w = begin(what);
  w.create(in_ipv6());
  w.run_for(24h);
  EXPECT_EQ(kinds(w), std::vector{event_kind::mapped}) << "no renewal has changed it";
  const auto maps = pcp_maps(w);
  EXPECT_GT(maps.size(), 10U);
  for (const auto& each : maps) EXPECT_EQ(each.map.external_port, 8080);
}

TEST_F(uplinks, in_ipv6_are_opened_under_loss) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    scene what = in_both_families();
    what.seed = seed;
    what.link.loss_percent = 30;
    world& w = begin(what);
    const mapping_id id = w.create(in_ipv6());
    ASSERT_TRUE(w.run_until([&] { return w.count_events(event_kind::mapped) == 1; }, 10min))
        << seed;
    w.run_for(24h);
    EXPECT_TRUE(lets_in(w, world::host_address_v6, 8080)) << seed;
    w.release(id);
    w.run_for(2s);
    const removal how = w.last_event(id)->event.how;
    EXPECT_TRUE(how == removal::left_to_expire || !lets_in(w, world::host_address_v6, 8080))
        << seed;
  }
}

TEST_F(uplinks, in_ipv6_are_opened_again_after_a_restart) {
  world& w = begin(in_both_families());
  w.create(in_ipv6());
  w.run_for(1min);
  w.reboot_router(false);
  EXPECT_FALSE(lets_in(w, world::host_address_v6, 8080));
  w.run_for(10s);  // the announcement, and the random wait after a restart
  EXPECT_TRUE(lets_in(w, world::host_address_v6, 8080));
}

TEST_F(uplinks, in_ipv6_follow_the_prefix) {
  world& w = begin(in_both_families());
  const mapping_id id = w.create(in_ipv6());
  w.run_for(1min);
  const ip_address renumbered = ip_address::parse("2001:db8:9::100").value();
  network_facts facts = world::both_families();
  facts.addresses[1].deprecated = true;
  facts.addresses.push_back({renumbered, 64, 2, "lan0", false, false});
  w.set_network(facts);
  w.run_for(10s);
  ASSERT_EQ(kinds(w), (std::vector{event_kind::mapped, event_kind::lost, event_kind::mapped}));
  EXPECT_EQ(w.events()[1].event.why.reason, errc::network_changed);
  EXPECT_EQ(w.last_event(id)->event.info.internal, (endpoint{renumbered, 8080}));
  EXPECT_TRUE(lets_in(w, renumbered, 8080));
}

TEST_F(uplinks, in_ipv6_are_not_asked_for_where_there_is_no_route) {
  world& w = begin();
  const mapping_id id = w.create(in_ipv6());
  w.run_for(10ms);
  ASSERT_EQ(w.last_event(id)->event.kind, event_kind::failed);
  EXPECT_EQ(w.last_event(id)->event.why.reason, errc::no_gateway);
  EXPECT_EQ(w.sent_count(), 0U);
}

TEST_F(uplinks, in_ipv6_are_nothing_that_nat_pmp_knows) {
  world& w = begin(in_both_families());
  map_request wanted = in_ipv6();
  wanted.protocols = protocol_filter::nat_pmp_only;
  const mapping_id id = w.create(wanted);
  EXPECT_EQ(w.last_event(id)->event.why.reason, errc::protocol_excluded);
  EXPECT_EQ(w.sent_count(), 0U);
}

TEST_F(uplinks, named_in_another_family_are_refused) {
  world& w = begin(in_both_families());
  map_request wanted = in_ipv6();
  wanted.gateway = world::router_address;
  EXPECT_EQ(w.last_event(w.create(wanted))->event.why.reason, errc::invalid_argument);
  wanted = request();
  wanted.local_address = world::host_address_v6;
  EXPECT_EQ(w.last_event(w.create(wanted))->event.why.reason, errc::invalid_argument);
}

// -------------------------------------------------------------------------------------------------
// Interfaces

TEST_F(uplinks, are_the_default_route_unless_an_interface_is_named) {
  world& w = begin_with_two();
  const mapping_id usual = w.create(request());
  const mapping_id second = w.create(by("lan1"));
  w.run_for(1s);
  ASSERT_EQ(w.count_events(event_kind::mapped), 2U);
  EXPECT_EQ(w.last_event(usual)->event.info.gateway, world::router_address);
  EXPECT_EQ(w.last_event(usual)->event.info.internal, (endpoint{world::host_address, 8080}));
  EXPECT_EQ(w.last_event(second)->event.info.gateway, second_router);
  EXPECT_EQ(w.last_event(second)->event.info.internal, (endpoint{second_own, 8080}));
  EXPECT_EQ(w.last_event(second)->event.info.external, (endpoint{second_wan, 8080}));
  EXPECT_EQ(second_->rules().size(), 1U);
  w.release(second);
  w.run_for(1s);
  EXPECT_TRUE(second_->rules().empty());
  EXPECT_TRUE(router_holds(w, 8080));
}

TEST_F(uplinks, come_and_go_without_the_other) {
  for (const unsigned loss : {0U, 30U}) {
    world& w = begin_with_two();
    w.link().loss_percent = loss;
    const mapping_id first = w.create(by("lan0"));
    const mapping_id second = w.create(by("lan1"));
    const auto is_up = [&](mapping_id id) {
      return w.last_event(id) != nullptr && w.last_event(id)->event.kind == event_kind::mapped;
    };
    ASSERT_TRUE(w.run_until([&] { return is_up(first) && is_up(second); }, 10min));
    w.set_network(world::one_route(world::router_address, world::host_address));
    EXPECT_EQ(w.last_event(second)->event.kind, event_kind::lost);
    EXPECT_EQ(w.last_event(second)->event.why.reason, errc::network_changed);
    EXPECT_TRUE(is_up(first)) << "the other uplink is another matter";
    w.run_for(10min);
    EXPECT_TRUE(is_up(first));
    w.set_network(two_routes());
    ASSERT_TRUE(w.run_until([&] { return is_up(second); }, 10min));
    EXPECT_TRUE(is_up(first));
    EXPECT_EQ(second_->rules().size(), 1U);
  }
}

TEST_F(uplinks, follow_the_default_route_where_none_is_named) {
  world& w = begin_with_two();
  const mapping_id id = w.create(request());
  w.run_for(1s);
  network_facts facts = two_routes();
  facts.routes[0].metric = 300;
  w.set_network(facts);
  w.run_for(1s);
  ASSERT_EQ(kinds(w), (std::vector{event_kind::mapped, event_kind::lost, event_kind::mapped}));
  EXPECT_EQ(w.last_event(id)->event.info.gateway, second_router);
}

TEST_F(uplinks, that_are_not_there_are_waited_for) {
  world& w = begin();
  const mapping_id id = w.create(by("lan1"));
  w.run_for(1s);
  ASSERT_EQ(w.last_event(id)->event.kind, event_kind::failed);
  EXPECT_EQ(w.last_event(id)->event.why.reason, errc::no_gateway);
  w.add_router(profile{}, second_router, second_wan);
  w.set_network(two_routes());
  w.run_for(10s);
  EXPECT_EQ(w.last_event(id)->event.kind, event_kind::mapped);
}

}  // namespace
}  // namespace damson::sim
