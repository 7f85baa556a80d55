// One request for several addresses: each way out is a part of one mapping.

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "spread_scenario.hpp"

namespace damson::sim {
namespace {

// -------------------------------------------------------------------------------------------------
// Families

TEST_F(spread, over_both_families_is_one_mapping_with_two_parts) {
  world& w = begin(in_both_families());
  const mapping_id id = w.create(in_both());
  w.run_for(1s);
  ASSERT_EQ(kinds(w), (std::vector{event_kind::mapped, event_kind::mapped}));
  EXPECT_EQ(w.events()[0].event.awaited, 1U);
  EXPECT_EQ(w.events()[1].event.awaited, 0U);
  for (const auto& seen : w.events()) EXPECT_EQ(seen.event.info.id, id);
  EXPECT_EQ(last_of(w, 1)->info.internal, (endpoint{world::host_address, 8080}));
  EXPECT_EQ(last_of(w, 2)->info.internal, (endpoint{world::host_address_v6, 8080}));
  EXPECT_EQ(last_of(w, 2)->info.interface_name, "lan0");
  EXPECT_TRUE(router_holds(w, 8080));
  EXPECT_TRUE(lets_in(w, world::host_address_v6, 8080));
  EXPECT_EQ(w.mapping_count(), 1U);
  w.release(id);
  w.run_for(1s);
  EXPECT_EQ(w.count_events(event_kind::removed), 1U);
  EXPECT_EQ(w.last_event(id)->event.how, removal::deleted);
  EXPECT_EQ(w.last_event(id)->event.info.part, 0U);
  EXPECT_FALSE(router_holds(w, 8080));
  EXPECT_FALSE(lets_in(w, world::host_address_v6, 8080));
  EXPECT_FALSE(w.engine_deadline()) << "nothing is left to do";
}

TEST_F(spread, over_both_families_tells_what_the_one_lacks) {
  for (const bool every : {false, true}) {
    world& w = begin();
    map_request wanted = in_both();
    wanted.every_uplink = every;
    w.create(wanted);
    w.run_for(1s);
    ASSERT_TRUE(is_up(w, 1)) << every;
    ASSERT_NE(last_of(w, 2), nullptr) << every;
    EXPECT_EQ(last_of(w, 2)->kind, event_kind::failed);
    EXPECT_EQ(last_of(w, 2)->why.reason, errc::no_gateway);
    EXPECT_TRUE(last_of(w, 2)->info.internal.address.is_v6()) << "which is what it is about";
    w.router().set_lan_v6({world::router_address_v6});
    w.set_network(world::both_families());
    w.run_for(10s);
    EXPECT_TRUE(is_up(w, 2)) << every << ": what is there takes the place of what was not";
    EXPECT_EQ(w.events().back().event.awaited, 0U);
  }
}

TEST_F(spread, over_both_families_shares_with_requests_for_one) {
  world& w = begin(in_both_families());
  const mapping_id both = w.create(in_both());
  const mapping_id v6 = w.create(in_ipv6());
  w.run_for(1s);
  EXPECT_EQ(w.count_events(event_kind::mapped), 3U);
  w.release(both);
  w.run_for(1s);
  EXPECT_EQ(w.last_event(both)->event.how, removal::still_shared) << "rather than deleted";
  EXPECT_TRUE(lets_in(w, world::host_address_v6, 8080));
  EXPECT_EQ(w.last_event(v6)->event.kind, event_kind::mapped);
}

TEST_F(spread, has_a_part_for_each_stable_address_in_ipv6) {
  world& w = begin(in_both_families());
  const ip_address other = ip_address::parse("2001:db8:9::100").value();
  network_facts facts = world::both_families();
  facts.addresses.push_back({other, 64, 2, "lan0", false, false});
  facts.addresses.push_back(
      {ip_address::parse("2001:db8:1::dead").value(), 64, 2, "lan0", true, false});
  facts.addresses.push_back({ip_address::parse("fd00::100").value(), 64, 2, "lan0", false, false});
  w.set_network(facts);
  w.create(by_all(ip_families::v6));
  w.run_for(1s);
  ASSERT_EQ(kinds(w), (std::vector{event_kind::mapped, event_kind::mapped}));
  EXPECT_EQ(last_of(w, 1)->info.internal.address, world::host_address_v6);
  EXPECT_EQ(last_of(w, 2)->info.internal.address, other);
  EXPECT_TRUE(lets_in(w, other, 8080));

  // A prefix that is no more to be used: the router still hears, so it is given back.
  std::ranges::find(facts.addresses, other, &interface_address::address)->deprecated = true;
  w.set_network(facts);
  EXPECT_EQ(last_of(w, 2)->kind, event_kind::lost);
  EXPECT_TRUE(last_of(w, 2)->gone);
  w.run_for(1s);
  EXPECT_FALSE(lets_in(w, other, 8080));
  EXPECT_TRUE(lets_in(w, world::host_address_v6, 8080));
}

// -------------------------------------------------------------------------------------------------
// Uplinks

TEST_F(spread, over_every_uplink_opens_the_port_on_each) {
  for (const unsigned loss : losses) {
    world& w = begin_up(loss);
    const mapping_info& first = last_of(w, 1)->info;
    const mapping_info& second = last_of(w, 2)->info;
    EXPECT_EQ(first.internal, (endpoint{world::host_address, 8080}));
    EXPECT_EQ(first.interface_name, "lan0");
    EXPECT_EQ(first.gateway, world::router_address);
    EXPECT_EQ(second.internal, (endpoint{second_own, 8080}));
    EXPECT_EQ(second.external, (endpoint{second_wan, 8080}));
    EXPECT_EQ(second.interface_name, "lan1");
    EXPECT_EQ(second.gateway, second_router);
    w.run_for(24h);
    EXPECT_TRUE(is_up(w, 1) && is_up(w, 2)) << loss;
    w.close();
    w.run_for(3s);
    EXPECT_TRUE(w.closed());
    const bool is_sure = w.last_event(id_)->event.how == removal::deleted;
    EXPECT_TRUE(is_sure || loss != 0);
    EXPECT_TRUE(!is_sure || (second_->rules().empty() && !router_holds(w, 8080)));
  }
}

TEST_F(spread, over_one_uplink_that_is_cut_and_comes_back_asks_for_the_same_mapping) {
  for (const unsigned loss : losses) {
    world& w = begin_up(loss);
    const auto told = w.event_count();
    const auto sent = packets_to(w, second_router);
    w.set_network(only_the_first());
    ASSERT_EQ(w.event_count(), told + 1);
    EXPECT_EQ(last_of(w, 2)->kind, event_kind::lost);
    EXPECT_EQ(last_of(w, 2)->why.reason, errc::network_changed);
    EXPECT_TRUE(last_of(w, 2)->gone);
    EXPECT_EQ(last_of(w, 2)->info.interface_name, "lan1");
    w.run_for(10min);
    EXPECT_EQ(packets_to(w, second_router), sent) << "nobody would hear";
    EXPECT_TRUE(is_up(w, 1));
    w.set_network(two_routes());
    ASSERT_TRUE(w.run_until([&] { return is_up(w, 2); }, 10min)) << loss;
    EXPECT_TRUE(last_of(w, 2)->regained);
    EXPECT_TRUE(is_up(w, 1));
    EXPECT_EQ(second_->rules().size(), 1U);
    std::set<nonce_bytes> nonces;
    for (const auto& each : pcp_maps(w)) nonces.insert(each.map.nonce);
    EXPECT_EQ(nonces.size(), 2U) << "one for each part";
  }
}

TEST_F(spread, over_one_uplink_that_stays_away_has_another_part_when_it_is_back) {
  for (const unsigned loss : losses) {
    world& w = begin_up(loss);
    w.set_network(only_the_first());
    w.run_for(3h);  // longer than the lease
    w.set_network(two_routes());
    ASSERT_TRUE(w.run_until([&] { return is_up(w, 3); }, 10min)) << loss;
    EXPECT_EQ(last_of(w, 2)->kind, event_kind::lost);
    EXPECT_EQ(last_of(w, 3)->info.gateway, second_router);
    EXPECT_TRUE(is_up(w, 1));
  }
}

TEST_F(spread, over_the_only_uplink_that_stays_away_is_ready_for_the_next) {
  world& w = begin();
  w.create(by_all());
  w.run_for(1s);
  w.set_network({});
  w.run_for(3h);
  const auto next_look = w.engine_deadline();
  ASSERT_TRUE(next_look) << "it looks whether there is one";
  EXPECT_LE(*next_look - w.clock(), w.recheck_period());
  EXPECT_EQ(kinds(w), (std::vector{event_kind::mapped, event_kind::lost}));
  w.set_network(only_the_first());
  w.run_for(1s);
  EXPECT_TRUE(is_up(w, 2));
}

TEST_F(spread, that_ends_while_an_uplink_is_away_leaves_its_mapping_to_the_lease) {
  world& w = begin_up();
  w.set_network(only_the_first());
  w.run_for(1min);
  w.release(id_);
  w.run_for(1s);
  EXPECT_EQ(w.last_event(id_)->event.how, removal::left_to_expire);
  EXPECT_FALSE(router_holds(w, 8080));
  EXPECT_EQ(second_->rules().size(), 1U);

  world& later = begin_up();
  later.set_network(only_the_first());
  later.run_for(3h);
  later.release(id_);
  later.run_for(1s);
  EXPECT_EQ(later.last_event(id_)->event.how, removal::deleted) << "the lease is long over";
}

TEST_F(spread, does_not_mind_where_the_default_route_goes) {
  for (const unsigned loss : losses) {
    world& w = begin_up(loss);
    const auto told = w.event_count();
    network_facts facts = two_routes();
    facts.routes[0].metric = 300;
    w.set_network(facts);
    w.run_for(10min);
    EXPECT_EQ(w.event_count(), told);
    EXPECT_TRUE(is_up(w, 1) && is_up(w, 2));
  }
}

TEST_F(spread, over_both_families_follows_the_default_route) {
  for (const unsigned loss : losses) {
    world& w = begin_with_two();
    w.link().loss_percent = loss;
    w.create(in_both());
    ASSERT_TRUE(w.run_until([&] { return is_up(w, 1); }, 10min));
    network_facts facts = two_routes();
    facts.routes[0].metric = 300;
    w.set_network(facts);
    EXPECT_EQ(last_of(w, 1)->kind, event_kind::lost);
    EXPECT_FALSE(last_of(w, 1)->gone);
    ASSERT_TRUE(w.run_until([&] { return is_up(w, 1); }, 10min));
    EXPECT_EQ(last_of(w, 1)->info.gateway, second_router);
  }
}

TEST_F(spread, has_another_part_for_another_address) {
  for (const unsigned loss : losses) {
    world& w = begin_up(loss);
    constexpr ip_address renewed = v4(192, 168, 2, 200);
    network_facts facts = two_routes();
    facts.addresses[1].address = renewed;
    w.set_network(facts);
    EXPECT_TRUE(last_of(w, 2)->gone);
    ASSERT_TRUE(w.run_until([&] { return is_up(w, 3); }, 10min)) << loss;
    EXPECT_EQ(last_of(w, 3)->info.internal, (endpoint{renewed, 8080}));
    EXPECT_TRUE(is_up(w, 1));
    EXPECT_NE(second_->table().at_internal(transport::tcp, {renewed, 8080}), nullptr);
  }
}

TEST_F(spread, has_a_new_part_for_a_new_uplink) {
  for (const unsigned loss : losses) {
    world& w = begin();
    w.link().loss_percent = loss;
    w.create(by_all());
    ASSERT_TRUE(w.run_until([&] { return is_up(w, 1); }, 10min));
    w.add_router(profile{}, second_router, second_wan);
    w.set_network(two_routes());
    ASSERT_TRUE(w.run_until([&] { return is_up(w, 2); }, 10min)) << loss;
    EXPECT_EQ(last_of(w, 2)->info.gateway, second_router);
    EXPECT_EQ(w.count_events(event_kind::lost), 0U);
  }
}

TEST_F(spread, is_open_where_one_router_refuses) {
  for (const unsigned loss : losses) {
    world& w = begin();
    w.link().loss_percent = loss;
    profile strict;
    strict.refuses_maps_with = pcp_result::not_authorized;
    w.add_router(strict, second_router, second_wan);
    w.set_network(two_routes());
    w.create(by_all());
    ASSERT_TRUE(w.run_until([&] { return is_up(w, 1) && last_of(w, 2) != nullptr; }, 10min));
    EXPECT_EQ(last_of(w, 2)->kind, event_kind::failed);
    EXPECT_EQ(last_of(w, 2)->why.reason, errc::not_authorized);
    EXPECT_EQ(last_of(w, 2)->info.gateway, second_router);
    EXPECT_EQ(last_of(w, 2)->info.interface_name, "lan1");
    w.run_for(1h);
    EXPECT_TRUE(is_up(w, 1));
  }
}

TEST_F(spread, tells_why_each_link_that_is_no_way_out_is_none) {
  world& w = begin();
  network_facts facts = w.network();
  // A tunnel without a next hop, a container bridge that refuses, a VPN peer that says nothing, a
  // router behind another, and a network without a default route.
  facts.routes.push_back({ip_address::any_v4(), 3, 10, std::nullopt});
  facts.addresses.push_back({v4(10, 8, 0, 2), 24, 3, "wg0", false, false});
  facts.routes.push_back({v4(172, 17, 0, 1), 4, 20, std::nullopt});
  facts.addresses.push_back({v4(172, 17, 0, 5), 16, 4, "docker0", false, false});
  facts.routes.push_back({v4(10, 9, 0, 1), 5, 30, std::nullopt});
  facts.addresses.push_back({v4(10, 9, 0, 2), 24, 5, "tun0", false, false});
  facts.routes.push_back({second_router, 6, 40, std::nullopt});
  facts.addresses.push_back({second_own, 24, 6, "lan1", false, false});
  facts.addresses.push_back({v4(192, 168, 9, 2), 24, 7, "lan2", false, false});
  profile silent_host;
  silent_host.speaks_pcp = silent_host.speaks_nat_pmp = false;
  w.add_router(silent_host, v4(172, 17, 0, 1), std::nullopt);
  w.add_router(profile{}, second_router, v4(10, 0, 0, 7));
  w.set_network(facts);
  w.create(by_all());
  w.run_for(10s);

  struct expected {
    const char* interface;
    errc reason;
    nanoseconds told_after;
  };
  std::map<std::string, event_record> told;
  for (const auto& seen : w.events()) {
    told.emplace(seen.event.info.interface_name.text(), seen);
  }
  EXPECT_EQ(told.size(), 5U) << "no default route, no uplink";
  ASSERT_TRUE(told.contains("lan0"));
  EXPECT_EQ(told["lan0"].event.kind, event_kind::mapped);
  for (const expected& each : {
           expected{"wg0", errc::no_gateway, 0ms},
           expected{"docker0", errc::port_closed, 4s},
           expected{"tun0", errc::no_answer, 4s},
       }) {
    ASSERT_TRUE(told.contains(each.interface)) << each.interface;
    const auto& [at, event] = told[each.interface];
    EXPECT_EQ(event.kind, event_kind::failed) << each.interface;
    EXPECT_EQ(event.why.reason, each.reason) << each.interface;
    EXPECT_LE(at, each.told_after) << each.interface;
    EXPECT_FALSE(event.info.internal.address.is_unspecified()) << each.interface;
  }
  EXPECT_EQ(told["docker0"].event.info.gateway, v4(172, 17, 0, 1));
  EXPECT_EQ(told["lan1"].event.kind, event_kind::mapped);
  EXPECT_EQ(told["lan1"].event.info.external_class(), address_class::private_address);
}

TEST_F(spread, searches_on_each_uplink_from_its_own_address) {
  profile in_upnp;
  in_upnp.speaks_pcp = in_upnp.speaks_nat_pmp = false;
  in_upnp.speaks_upnp = true;
  world& w = begin(with(in_upnp));
  w.add_router(in_upnp, second_router, second_wan);
  w.set_network(two_routes());
  w.create(by_all());
  ASSERT_TRUE(w.run_until([&] { return is_up(w, 1) && is_up(w, 2); }, 1min));
  EXPECT_EQ(last_of(w, 2)->info.protocol, protocol::upnp);
  EXPECT_EQ(last_of(w, 2)->info.internal.address, second_own);
  std::set<ip_address> asked_from;
  for (const auto& each : w.packets()) {
    const bool is_search = each.way == direction::to_router && each.datagram.to.port == 1900 &&
                           each.datagram.to.address.is_multicast();
    if (is_search) asked_from.insert(each.datagram.from.address);
  }
  EXPECT_EQ(asked_from, (std::set{world::host_address, second_own}));
}

}  // namespace
}  // namespace damson::sim
