// One request for several addresses: each way out is a part of one mapping.

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "base/random.hpp"
#include "uplinks_scenario.hpp"

namespace damson::sim {
namespace {

map_request by_all(ip_families families = ip_families::v4) {
  map_request wanted = request();
  wanted.families = families;
  wanted.every_uplink = true;
  return wanted;
}

map_request in_both() {
  map_request wanted = request();
  wanted.families = ip_families::both;
  return wanted;
}

class spread : public uplinks {
 protected:
  /// The last event of a part; null when it has had none.
  static const mapping_event* last_of(const world& w, std::uint32_t part) {
    const auto seen = std::ranges::find_if(w.events().rbegin(), w.events().rend(), [&](auto& each) {
      return each.event.info.part == part;
    });
    return seen == w.events().rend() ? nullptr : &seen->event;
  }
  static bool is_up(const world& w, std::uint32_t part) {
    const mapping_event* last = last_of(w, part);
    return last != nullptr &&
           (last->kind == event_kind::mapped || last->kind == event_kind::changed);
  }
  /// Two uplinks, with both parts up under this loss.
  world& begin_up(unsigned loss = 0) {
    world& w = begin_with_two();
    w.link().loss_percent = loss;
    id_ = w.create(by_all());
    EXPECT_TRUE(w.run_until([&] { return is_up(w, 1) && is_up(w, 2); }, 10min)) << loss;
    return w;
  }
  static network_facts only_the_first() {
    return world::one_route(world::router_address, world::host_address);
  }
  static std::size_t packets_to(const world& w, const ip_address& router) {
    return static_cast<std::size_t>(std::ranges::count_if(w.packets(), [&](const auto& each) {
      return each.way == direction::to_router && each.datagram.to.address == router;
    }));
  }
  static constexpr std::array losses{0U, 20U};
};

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
  facts.addresses[2].deprecated = true;
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

// -------------------------------------------------------------------------------------------------
// Its own life

TEST_F(spread, without_any_uplink_fails_and_waits_for_one) {
  world& w = begin();
  w.set_network({});
  const mapping_id id = w.create(by_all());
  w.run_for(1s);
  ASSERT_EQ(kinds(w), std::vector{event_kind::failed});
  EXPECT_EQ(w.events()[0].event.why.reason, errc::no_gateway);
  EXPECT_EQ(w.events()[0].event.awaited, 0U);
  EXPECT_EQ(w.sent_count(), 0U);
  w.run_for(1h);
  EXPECT_EQ(w.event_count(), 1U);
  w.set_network(only_the_first());
  w.run_for(1s);
  EXPECT_TRUE(is_up(w, 1));
  w.release(id);
  w.run_for(1s);
  EXPECT_EQ(w.last_event(id)->event.how, removal::deleted);
}

TEST(spread_engine, looks_for_an_uplink_at_each_recheck_where_nothing_tells_of_one) {
  engine tested{{}, std::array<std::uint64_t, 4>{1, 2, 3, 4}};
  const auto asks_for_a_look = [&] {
    bool asked = false;
    while (const auto out = tested.poll()) asked |= std::holds_alternative<look_at_network>(*out);
    return asked;
  };
  time_point now{1'000h};
  tested.handle(now, create_mapping{mapping_id{1}, by_all()});
  EXPECT_TRUE(asks_for_a_look());
  for (int i = 0; i < 3; ++i) {
    tested.handle(now, network_changed{});
    EXPECT_FALSE(asks_for_a_look());
    ASSERT_EQ(tested.deadline(), now + options{}.recheck_period);
    now = *tested.deadline();
    tested.handle(now, time_passed{});
    EXPECT_TRUE(asks_for_a_look());
  }
}

TEST(spread_engine, fails_where_nobody_tells_of_the_network) {
  engine tested{{}, std::array<std::uint64_t, 4>{1, 2, 3, 4}};
  time_point now{1'000h};
  tested.handle(now, create_mapping{mapping_id{1}, by_all()});
  while (tested.poll()) {
  }
  ASSERT_EQ(tested.deadline(), now + by_all().timeout);
  tested.handle(*tested.deadline(), time_passed{});
  const auto out = tested.poll();
  ASSERT_TRUE(out && std::holds_alternative<mapping_event>(*out));
  EXPECT_EQ(std::get<mapping_event>(*out).why.reason, errc::timed_out);
  EXPECT_FALSE(tested.deadline());
}

TEST(spread_engine, keeps_the_ids_of_parts_to_itself) {
  engine tested{{}, std::array<std::uint64_t, 4>{1, 2, 3, 4}};
  const mapping_id of_a_part{(std::uint64_t{1} << 63) + 1};
  const time_point now{1'000h};
  tested.handle(now, create_mapping{of_a_part, by_all()});
  EXPECT_FALSE(tested.poll());
  tested.handle(now, create_mapping{mapping_id{1}, in_both()});
  while (tested.poll()) {
  }
  tested.handle(now, release_mapping{of_a_part});
  EXPECT_FALSE(tested.poll());
  tested.handle(now, create_mapping{mapping_id{1}, request()});
  EXPECT_FALSE(tested.poll());
  EXPECT_EQ(tested.counters().inputs_ignored, 3U);
  EXPECT_EQ(tested.mapping_count(), 1U);
}

TEST_F(spread, ends_at_once_where_it_has_not_begun) {
  for (const bool closes : {false, true}) {
    world& w = begin();
    const mapping_id id = w.create(by_all());
    closes ? w.close() : w.release(id);
    EXPECT_EQ(kinds(w), std::vector{event_kind::removed});
    EXPECT_EQ(w.last_event(id)->event.how, removal::already_gone);
    w.run_for(1s);
    EXPECT_EQ(w.sent_count(), 0U);
    EXPECT_FALSE(w.engine_deadline());
  }
}

TEST_F(spread, that_makes_no_sense_is_told_so_once) {
  world& w = begin();
  map_request wanted = by_all(ip_families::both);
  wanted.internal_port = 0;
  const mapping_id id = w.create(wanted);
  ASSERT_EQ(kinds(w), std::vector{event_kind::failed});
  EXPECT_EQ(w.events()[0].event.why.reason, errc::invalid_argument);
  w.release(id);
  EXPECT_EQ(kinds(w), (std::vector{event_kind::failed, event_kind::removed}));
}

TEST_F(spread, with_a_router_named_goes_to_that_one_only) {
  world& w = begin_with_two();
  map_request wanted = by_all();
  wanted.gateway = second_router;
  w.create(wanted);
  w.run_for(1s);
  ASSERT_EQ(kinds(w), std::vector{event_kind::mapped});
  EXPECT_EQ(last_of(w, 1)->info.gateway, second_router);
}

TEST_F(spread, with_an_interface_named_goes_out_by_that_one_only) {
  world& w = begin_with_two();
  map_request wanted = by_all();
  wanted.interface_name = "lan1";
  w.create(wanted);
  w.run_for(1s);
  ASSERT_EQ(kinds(w), std::vector{event_kind::mapped});
  EXPECT_EQ(last_of(w, 1)->info.gateway, second_router);
}

TEST_F(spread, has_no_more_parts_than_allowed) {
  world& w = begin(in_both_families());
  network_facts facts = world::both_families();
  for (std::uint8_t i = 0; i < 200; ++i) {
    ip_address::v6_bytes bytes = world::host_address_v6.to_v6();
    bytes[13] = i;
    facts.addresses.push_back({ip_address{bytes}, 64, 2, "lan0", false, false});
  }
  w.set_network(facts);
  const mapping_id id = w.create(by_all(ip_families::v6));
  w.run_for(1min);
  EXPECT_EQ(w.count_events(event_kind::mapped), engine_limits::parts);
  w.release(id);
  w.run_for(3s);
  EXPECT_EQ(w.count_events(event_kind::removed), 1U);
}

/// Ways out come, go and change their addresses; then all is well, and each has what it should.
TEST_F(spread, survives_what_networks_do) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    world& w = begin_with_two();
    w.link().loss_percent = 20;
    random_source dice{std::array<std::uint64_t, 4>{seed, 2, 3, 4}};
    const mapping_id id = w.create(by_all());
    for (int i = 0; i < 30; ++i) {
      network_facts facts = two_routes();
      const auto roll = [&](std::uint64_t below) { return dice.uniform(0, below - 1); };
      facts.addresses[1].address = v4(192, 168, 2, static_cast<std::uint8_t>(100 + roll(3)));
      if (roll(3) == 0) facts.routes.erase(facts.routes.begin() + static_cast<int>(roll(2)));
      if (roll(8) == 0) facts = {};
      w.set_network(facts);
      w.run_for(dice.uniform_duration(0s, 20min));
    }
    w.set_network(two_routes());
    w.link().loss_percent = 0;
    const auto is_told_open = [&](const ip_address& own) {
      const auto last = std::ranges::find_if(
          w.events().rbegin(), w.events().rend(),
          [&](const auto& each) { return each.event.info.internal.address == own; });
      return last != w.events().rend() &&
             (last->event.kind == event_kind::mapped || last->event.kind == event_kind::changed);
    };
    const auto all_up = [&] {
      return is_told_open(world::host_address) && is_told_open(second_own);
    };
    ASSERT_TRUE(w.run_until(all_up, 5h)) << seed;
    EXPECT_TRUE(router_holds(w, 8080)) << seed;
    EXPECT_NE(second_->table().at_internal(transport::tcp, {second_own, 8080}), nullptr) << seed;
    w.close();
    w.run_for(3s);
    ASSERT_TRUE(w.closed()) << seed;
    EXPECT_EQ(w.count_events(event_kind::removed), 1U) << seed;
    EXPECT_EQ(w.last_event(id)->event.kind, event_kind::removed);
    EXPECT_FALSE(router_holds(w, 8080)) << seed;
    EXPECT_EQ(second_->table().at_internal(transport::tcp, {second_own, 8080}), nullptr) << seed;
  }
}

}  // namespace
}  // namespace damson::sim
