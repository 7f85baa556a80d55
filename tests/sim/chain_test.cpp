// Two NATs in a row: what the first router grants is private, so the second one is asked as well.

#include <algorithm>
#include <array>

#include "upnp_scenario.hpp"

namespace damson::sim {
namespace {

constexpr ip_address inner_wan = v4(192, 168, 0, 2);
constexpr ip_address outer_lan = v4(192, 168, 0, 1);
constexpr ip_address outer_wan = v4(93, 184, 216, 34);
constexpr ip_address anycast = v4(192, 0, 0, 9);
constexpr endpoint peer{v4(8, 8, 8, 8), 5'000};

profile outer_router(protocol which) {
  if (which == protocol::upnp) return upnp_only_router();
  profile out;
  out.speaks_pcp = which == protocol::pcp;
  out.speaks_nat_pmp = which == protocol::nat_pmp;
  return out;
}

scene two_routers(const profile& outer = outer_router(protocol::pcp)) {
  scene out;
  out.public_address = inner_wan;
  out.upstream = upstream_settings{.how = outer, .lan = outer_lan, .wan = outer_wan};
  out.client.upstream = outer_lan;
  return out;
}

/// The provider's server, which nobody has named.
scene behind_carrier() {
  scene out;
  out.public_address = v4(100, 64, 0, 7);
  out.upstream =
      upstream_settings{.how = outer_router(protocol::pcp), .lan = anycast, .wan = outer_wan};
  return out;
}

constexpr std::array each_protocol{protocol::pcp, protocol::nat_pmp, protocol::upnp};

class chain : public scenario {
 protected:
  static std::optional<endpoint> way_in(world& w, const endpoint& external,
                                        transport what = transport::tcp) {
    const auto between = w.upstream().pass_in(w.clock(), what, peer, external);
    if (!between) return std::nullopt;
    return w.router().pass_in(w.clock(), what, peer, *between);
  }

  /// Whether somebody outside gets in by what was told last, through both.
  static bool leads_in(world& w, mapping_id id) {
    const mapping_info& told = w.last_event(id)->event.info;
    return told.hops.size() == 2 && told.external.address == outer_wan &&
           way_in(w, told.external, told.transport) ==
               endpoint{world::host_address, told.internal.port};
  }

  static bool is_told(world& w, mapping_id id, event_kind what) {
    return w.last_event(id) != nullptr && w.last_event(id)->event.kind == what;
  }

  static void expect_no_complaints(world& w) {
    for (const auto& one : w.upstream().complaints()) ADD_FAILURE() << one.what;
  }

  world& begin_chain(const scene& what = two_routers()) {
    world& w = begin(what);
    id_ = w.create(request());
    EXPECT_TRUE(w.run_until([&] { return is_told(w, id_, event_kind::mapped); }, 10s));
    return w;
  }

  static std::size_t sent_to(const world& w, const ip_address& whom) {
    return static_cast<std::size_t>(std::ranges::count_if(w.packets(), [&](const auto& each) {
      return each.way == direction::to_router && each.datagram.to.address == whom;
    }));
  }
};

TEST_F(chain, leads_through_both_routers_in_each_protocol) {
  for (const protocol inner : each_protocol) {
    for (const protocol outer : each_protocol) {
      SCOPED_TRACE(std::string{to_string(inner)} + ", " + std::string{to_string(outer)});
      scene what = two_routers(outer_router(outer));
      what.router = outer_router(inner);
      world& w = begin_chain(what);
      ASSERT_EQ(kinds(w), std::vector{event_kind::mapped});
      const mapping_event& told = w.events()[0].event;
      EXPECT_EQ(told.info.internal, (endpoint{world::host_address, 8080}));
      EXPECT_EQ(told.info.external, (endpoint{outer_wan, 8080}));
      EXPECT_EQ(told.info.external_class(), address_class::public_address);
      EXPECT_EQ(told.info.gateway, world::router_address);
      EXPECT_EQ(told.info.protocol, inner);
      EXPECT_EQ(told.why, failure{});
      ASSERT_EQ(told.info.hops.size(), 2U);
      const mapping_hop& first = told.info.hops.begin()[0];
      const mapping_hop& second = told.info.hops.begin()[1];
      EXPECT_EQ(first,
                (mapping_hop{
                    inner, world::router_address, {world::host_address, 8080}, {inner_wan, 8080}}));
      EXPECT_EQ(second, (mapping_hop{outer, outer_lan, {inner_wan, 8080}, {outer_wan, 8080}}));
      EXPECT_TRUE(leads_in(w, id_));
      w.release(id_);
      w.run_for(3s);
      ASSERT_TRUE(is_told(w, id_, event_kind::removed));
      EXPECT_EQ(w.last_event(id_)->event.how, removal::deleted);
      EXPECT_EQ(w.last_event(id_)->event.info.external, (endpoint{outer_wan, 8080}));
      EXPECT_TRUE(w.router().rules().empty());
      EXPECT_TRUE(w.upstream().rules().empty());
      EXPECT_EQ(w.open_channels(), 0U);
      expect_no_complaints(w);
    }
  }
}

// RFC 6887 section 8.1 has the client write its own address there, which is what a NAT makes wrong.
TEST_F(chain, writes_the_first_routers_address_for_the_second_one) {
  world& w = begin_chain();
  const auto maps = pcp_maps(w);
  ASSERT_EQ(maps.size(), 2U);
  EXPECT_EQ(maps[0].map.client, world::host_address);
  EXPECT_EQ(maps[1].map.client, inner_wan);
  EXPECT_NE(maps[0].map.nonce, maps[1].map.nonce);
}

TEST_F(chain, is_one_router_long_where_that_has_a_public_address) {
  scene what = two_routers();
  what.public_address = v4(93, 184, 216, 99);
  world& w = begin_chain(what);
  w.run_for(1h);
  EXPECT_EQ(w.last_event(id_)->event.info.hops.size(), 1U);
  EXPECT_EQ(sent_to(w, outer_lan), 0U);
}

TEST_F(chain, searches_no_group_beyond_the_first_router) {
  scene what = two_routers(outer_router(protocol::upnp));
  world& w = begin(what);
  w.create(request(protocol_filter::pcp));
  w.run_for(10s);
  w.create(request(protocol_filter::any, 9090));
  w.run_for(10s);
  const auto sent = searches(w);
  const auto to = [&](const ip_address& whom) {
    return std::ranges::count_if(sent, [&](const auto& each) { return each.to.address == whom; });
  };
  EXPECT_GT(to(outer_lan), 0);
  EXPECT_EQ(to(v4(239, 255, 255, 250)), to(world::router_address));
}

TEST_F(chain, renews_both_for_a_day) {
  for (const protocol outer : each_protocol) {
    world& w = begin_chain(two_routers(outer_router(outer)));
    w.run_for(24h);
    EXPECT_EQ(w.events().size(), 1U) << outer;
    EXPECT_TRUE(leads_in(w, id_)) << outer;
    expect_no_complaints(w);
  }
}

TEST_F(chain, of_several_ports_and_requests) {
  world& w = begin(two_routers());
  std::vector<mapping_id> all;
  for (std::uint16_t port = 8000; port < 8020; ++port) {
    all.push_back(w.create(request(port)));
    all.push_back(w.create(request(port, transport::udp)));
  }
  w.run_for(1s);
  for (const mapping_id id : all) EXPECT_TRUE(leads_in(w, id));
  const mapping_id late = w.create(request(8000));
  ASSERT_TRUE(is_told(w, late, event_kind::mapped));
  EXPECT_TRUE(leads_in(w, late));
  w.release(late);
  EXPECT_EQ(w.last_event(late)->event.how, removal::still_shared);
  EXPECT_EQ(w.last_event(late)->event.info.hops.size(), 2U);
  w.close();
  w.run_for(3s);
  EXPECT_TRUE(w.closed());
  EXPECT_TRUE(w.router().rules().empty());
  EXPECT_TRUE(w.upstream().rules().empty());
}

TEST_F(chain, is_given_back_at_once_where_the_client_ends) {
  world& w = begin_chain();
  w.close(true);
  EXPECT_TRUE(w.closed());
  EXPECT_EQ(w.last_event(id_)->event.kind, event_kind::removed);
  w.run_for(1s);
  EXPECT_TRUE(w.router().rules().empty());
  EXPECT_TRUE(w.upstream().rules().empty());
}

TEST_F(chain, gives_the_outer_back_first) {
  world& w = begin_chain();
  const std::size_t before = w.packets().size();
  w.release(id_);
  std::vector<ip_address> asked;
  for (std::size_t i = before; i < w.packets().size(); ++i) {
    asked.push_back(w.packets()[i].datagram.to.address);
  }
  EXPECT_EQ(asked, (std::vector{outer_lan, world::router_address}));
}

TEST_F(chain, leaves_both_to_their_leases_where_that_is_wanted) {
  world& w = begin_chain();
  w.release(id_, true);
  EXPECT_EQ(w.last_event(id_)->event.how, removal::left_to_expire);
  w.run_for(1min);
  EXPECT_TRUE(leads_in(w, id_));
}

// -------------------------------------------------------------------------------------------------
// Where the second one does not serve

TEST_F(chain, that_is_refused_is_told_with_the_first_address) {
  profile outer;
  outer.refuses_maps_with = pcp_result::not_authorized;
  world& w = begin_chain(two_routers(outer));
  const mapping_event told = w.last_event(id_)->event;
  EXPECT_EQ(told.info.external, (endpoint{inner_wan, 8080}));
  EXPECT_EQ(told.info.external_class(), address_class::private_address);
  EXPECT_EQ(told.info.hops.size(), 1U);
  EXPECT_EQ(told.why.reason, errc::not_authorized);
  ASSERT_NE(reason_for(told.why, protocol::pcp), nullptr);
  EXPECT_EQ(reason_for(told.why, protocol::pcp)->server.address, outer_lan);
  EXPECT_EQ(told.why.external, outer_wan) << "double NAT with both addresses";
  w.upstream().behaviour().refuses_maps_with.reset();
  ASSERT_TRUE(w.run_until([&] { return is_told(w, id_, event_kind::changed); }, 1h));
  EXPECT_TRUE(leads_in(w, id_));
  EXPECT_EQ(w.last_event(id_)->event.why, failure{});
}

TEST_F(chain, that_is_silent_is_told_after_the_usual_patience) {
  world& w = begin(two_routers());
  w.set_upstream_plugged(false);
  id_ = w.create(request());
  w.run_for(3900ms);
  EXPECT_TRUE(w.events().empty());
  w.run_for(1s);
  ASSERT_EQ(kinds(w), std::vector{event_kind::mapped});
  EXPECT_EQ(w.events()[0].event.info.external, (endpoint{inner_wan, 8080}));
  EXPECT_EQ(w.events()[0].event.why.reason, errc::no_answer);
  w.run_for(1h);
  EXPECT_EQ(w.events().size(), 1U);
  w.set_upstream_plugged(true);
  w.run_for(6min);
  ASSERT_EQ(kinds(w), (std::vector{event_kind::mapped, event_kind::changed}));
  EXPECT_TRUE(leads_in(w, id_));
}

TEST_F(chain, that_is_silent_is_told_when_the_requests_time_is_over) {
  world& w = begin(two_routers());
  w.set_upstream_plugged(false);
  map_request wanted = request();
  wanted.timeout = 1s;
  id_ = w.create(wanted);
  w.run_for(1s);
  ASSERT_EQ(kinds(w), std::vector{event_kind::mapped});
  EXPECT_EQ(w.events()[0].at, 1s);
  EXPECT_EQ(w.events()[0].event.why.reason, errc::no_answer);
  w.release(id_);
  w.run_for(3s);
  EXPECT_EQ(w.last_event(id_)->event.how, removal::left_to_expire) << "who knows what it has made";
}

TEST_F(chain, with_a_third_nat_in_between_says_so) {
  scene what = two_routers();
  what.upstream->how.speaks_nat_pmp = false;
  what.upstream->nat_between = v4(192, 168, 0, 77);
  world& w = begin_chain(what);
  const mapping_event& told = w.last_event(id_)->event;
  EXPECT_EQ(told.why.reason, errc::address_mismatch);
  EXPECT_EQ(told.info.external, (endpoint{inner_wan, 8080}));
  EXPECT_TRUE(w.upstream().rules().empty());
}

TEST_F(chain, that_is_given_back_to_nobody_is_told_as_left) {
  world& w = begin_chain();
  w.set_upstream_plugged(false);
  const auto began = w.now();
  w.release(id_);
  ASSERT_TRUE(w.run_until([&] { return is_told(w, id_, event_kind::removed); }, 5s));
  EXPECT_LE(w.now() - began, 2s);
  EXPECT_EQ(w.last_event(id_)->event.how, removal::left_to_expire);
  EXPECT_TRUE(w.router().rules().empty());
}

// -------------------------------------------------------------------------------------------------
// Restarts and moves

TEST_F(chain, is_whole_again_after_a_restart_of_the_first_router) {
  for (const protocol outer : each_protocol) {
    world& w = begin_chain(two_routers(outer_router(outer)));
    w.run_for(1min);
    w.reboot_router(false);
    w.run_for(10s);  // the announcement, and the random wait after a restart
    ASSERT_EQ(kinds(w), (std::vector{event_kind::mapped, event_kind::lost, event_kind::mapped}));
    EXPECT_EQ(w.events()[1].event.why.reason, errc::gateway_restarted);
    EXPECT_EQ(w.events()[1].event.info.external, (endpoint{outer_wan, 8080}));
    EXPECT_TRUE(leads_in(w, id_)) << outer;
    EXPECT_EQ(w.upstream().rules().size(), 1U);
    expect_no_complaints(w);
  }
}

TEST_F(chain, is_given_back_where_the_first_router_stays_away) {
  world& w = begin_chain();
  w.run_for(1min);
  w.router().behaviour().refuses_maps_with = pcp_result::not_authorized;
  w.router().behaviour().refuses_nat_pmp_maps_with = nat_pmp_result::not_authorized;
  w.reboot_router(false);
  w.run_for(10s);
  EXPECT_EQ(w.upstream().rules().size(), 1U);
  w.run_for(5min);
  EXPECT_TRUE(w.upstream().rules().empty());
  w.router().behaviour().refuses_maps_with.reset();
  ASSERT_TRUE(w.run_until([&] { return is_told(w, id_, event_kind::mapped); }, 2h));
  EXPECT_TRUE(leads_in(w, id_));
}

TEST_F(chain, is_whole_again_after_a_restart_of_the_second_router) {
  for (const protocol outer : each_protocol) {
    world& w = begin_chain(two_routers(outer_router(outer)));
    w.run_for(1min);
    w.upstream().reboot(w.clock());
    EXPECT_FALSE(leads_in(w, id_));
    w.run_for(15min);  // no announcement comes through a NAT: the recheck
    EXPECT_TRUE(leads_in(w, id_)) << outer;
    ASSERT_EQ(kinds(w), (std::vector{event_kind::mapped, event_kind::changed, event_kind::changed}))
        << outer;
    EXPECT_EQ(w.events()[1].event.info.external, (endpoint{inner_wan, 8080}));
    EXPECT_NE(w.events()[1].event.why, failure{});
    EXPECT_EQ(w.events()[2].event.why, failure{});
    expect_no_complaints(w);
  }
}

TEST_F(chain, follows_another_port_of_the_first_router) {
  for (const protocol outer : each_protocol) {
    world& w = begin_chain(two_routers(outer_router(outer)));
    w.router().forget(transport::tcp, {world::host_address, 8080});
    w.router().occupy(transport::tcp, 8080, {v4(192, 168, 1, 7), 80});
    ASSERT_TRUE(w.run_until([&] { return w.events().size() > 1 && leads_in(w, id_); }, 2h))
        << outer;
    w.run_for(3s);
    EXPECT_TRUE(leads_in(w, id_)) << outer;
    ASSERT_EQ(w.upstream().rules().size(), 1U) << outer;
    EXPECT_NE(w.upstream().rules()[0].internal.port, 8080);
    w.release(id_);
    w.run_for(3s);
    EXPECT_EQ(w.last_event(id_)->event.how, removal::deleted) << outer;
    EXPECT_TRUE(w.upstream().rules().empty());
  }
}

TEST_F(chain, follows_another_address_of_the_first_router) {
  for (const protocol outer : each_protocol) {
    world& w = begin_chain(two_routers(outer_router(outer)));
    w.set_public_address(v4(192, 168, 0, 3));
    w.run_for(2h);
    EXPECT_TRUE(leads_in(w, id_)) << outer;
    w.release(id_);
    w.run_for(3s);
    ASSERT_TRUE(is_told(w, id_, event_kind::removed));
    // What led to the old address cannot be deleted from the new one.
    const bool is_left = !w.upstream().rules().empty();
    EXPECT_TRUE(!is_left || w.last_event(id_)->event.how == removal::left_to_expire) << outer;
  }
}

TEST_F(chain, ends_where_the_first_router_gets_a_public_address) {
  world& w = begin_chain();
  w.set_public_address(v4(93, 184, 216, 99));
  w.run_for(10min);
  EXPECT_EQ(w.last_event(id_)->event.info.external, (endpoint{v4(93, 184, 216, 99), 8080}));
  EXPECT_EQ(w.last_event(id_)->event.info.hops.size(), 1U);
  EXPECT_EQ(w.last_event(id_)->event.why, failure{});
}

TEST_F(chain, is_lost_with_the_network_and_comes_back_with_it) {
  world& w = begin_chain();
  w.set_network({});
  EXPECT_TRUE(is_told(w, id_, event_kind::lost));
  w.run_for(1min);
  w.set_network(world::one_route(world::router_address, world::host_address));
  w.run_for(10s);
  EXPECT_TRUE(leads_in(w, id_));
  EXPECT_EQ(w.upstream().rules().size(), 1U);
}

TEST_F(chain, has_one_owner_for_a_port_of_the_first_router) {
  scene what = two_routers();
  what.router.answers_external_port = 9000;  // whatever was granted
  world& w = begin(what);
  const mapping_id one = w.create(request(8080));
  w.run_for(1s);
  const mapping_id other = w.create(request(8081));
  w.run_for(1min);
  EXPECT_EQ(w.last_event(other)->event.info.hops.size(), 2U);
  EXPECT_EQ(w.last_event(one)->event.kind, event_kind::changed);
  EXPECT_EQ(w.last_event(one)->event.info.hops.size(), 1U);
  EXPECT_EQ(w.upstream().rules().size(), 1U);
  EXPECT_LT(w.sent_count(), 20U);
}

TEST_F(chain, keeps_to_the_one_port_that_will_do_at_both) {
  scene what = two_routers();
  world& w = begin(what);
  w.upstream().occupy(transport::tcp, 8080, {v4(192, 168, 0, 7), 80});
  map_request wanted = request();
  wanted.external_port = 8080;
  wanted.prefer_failure = true;
  id_ = w.create(wanted);
  w.run_for(10s);
  ASSERT_TRUE(is_told(w, id_, event_kind::mapped));
  EXPECT_EQ(w.last_event(id_)->event.info.hops.size(), 1U);
  EXPECT_EQ(w.last_event(id_)->event.why.reason, errc::external_not_available);
}

// -------------------------------------------------------------------------------------------------
// Loss

TEST_F(chain, stands_through_loss) {
  for (const protocol outer : each_protocol) {
    for (std::uint64_t seed = 1; seed <= 15; ++seed) {
      SCOPED_TRACE(std::string{to_string(outer)} + ", seed " + std::to_string(seed));
      scene what = two_routers(outer_router(outer));
      what.seed = seed;
      what.link.loss_percent = 20;
      world& w = begin(what);
      id_ = w.create(request());
      ASSERT_TRUE(
          w.run_until([&] { return w.last_event(id_) != nullptr && leads_in(w, id_); }, 1h));
      w.run_for(24h);
      EXPECT_TRUE(leads_in(w, id_));
      w.reboot_router(false);
      w.run_for(20min);
      EXPECT_TRUE(leads_in(w, id_));
      w.upstream().reboot(w.clock());
      w.run_for(30min);
      EXPECT_TRUE(leads_in(w, id_));
      w.release(id_);
      w.run_for(5s);
      ASSERT_TRUE(is_told(w, id_, event_kind::removed));
      const bool is_left = !w.upstream().rules().empty() || !w.router().rules().empty();
      EXPECT_TRUE(!is_left || w.last_event(id_)->event.how == removal::left_to_expire);
      expect_no_complaints(w);
    }
  }
}

// -------------------------------------------------------------------------------------------------
// Anycast

TEST_F(chain, asks_the_provider_without_being_told) {
  world& w = begin_chain(behind_carrier());
  EXPECT_EQ(w.events()[0].at, 2ms) << "what is there is told without waiting";
  EXPECT_EQ(w.events()[0].event.info.external_class(), address_class::carrier_nat);
  w.run_for(1s);
  ASSERT_EQ(kinds(w), (std::vector{event_kind::mapped, event_kind::changed}));
  EXPECT_TRUE(leads_in(w, id_));
  EXPECT_EQ(w.last_event(id_)->event.info.hops.begin()[1].gateway, anycast);
  w.run_for(24h);
  EXPECT_EQ(w.events().size(), 2U);
  EXPECT_TRUE(leads_in(w, id_));
  w.release(id_);
  w.run_for(3s);
  EXPECT_EQ(w.last_event(id_)->event.how, removal::deleted);
  EXPECT_TRUE(w.upstream().rules().empty());
  expect_no_complaints(w);
}

TEST_F(chain, asks_the_provider_in_ipv6_at_another_address) {
  scene what;
  what.has_ipv6 = true;
  world& w = begin(what);
  map_request wanted = request();
  wanted.families = ip_families::v6;
  w.create(wanted);
  w.run_for(1min);
  // A pinhole translates nothing, so there is nothing beyond it.
  EXPECT_EQ(sent_to(w, ip_address::parse("2001:1::1").value()), 0U);
}

TEST_F(chain, costs_nothing_where_the_provider_is_silent) {
  world& w = begin_chain(behind_carrier());
  w.set_upstream_plugged(false);
  world& silent = begin(behind_carrier());
  silent.set_upstream_plugged(false);
  std::vector<mapping_id> all;
  for (std::uint16_t port = 8000; port < 8100; ++port) all.push_back(silent.create(request(port)));
  silent.run_for(1h);
  EXPECT_EQ(silent.count_events(event_kind::mapped), 100U);
  EXPECT_EQ(silent.events().size(), 100U);
  // One asks for all: five times in each of the tries that come 5, 10, 20, ... 300 s apart.
  EXPECT_LE(sent_to(silent, anycast), 5U * (6 + 12 + 2));
  EXPECT_GE(sent_to(silent, anycast), 5U * 10);
  silent.set_upstream_plugged(true);
  silent.run_for(6min);
  for (const mapping_id id : all) EXPECT_TRUE(leads_in(silent, id));
}

TEST_F(chain, waits_for_no_silent_provider_at_the_end) {
  for (const nanoseconds age : {nanoseconds{1s}, nanoseconds{1min}}) {
    scene what = behind_carrier();
    world& w = begin(what);
    w.set_upstream_plugged(false);
    id_ = w.create(request());
    w.run_for(age);
    const auto began = w.now();
    w.release(id_);
    ASSERT_TRUE(w.run_until([&] { return is_told(w, id_, event_kind::removed); }, 5s));
    EXPECT_EQ(w.now() - began, 2ms);
    EXPECT_EQ(w.last_event(id_)->event.how, removal::deleted);
  }
}

TEST_F(chain, asks_the_provider_only_where_that_makes_sense) {
  struct one {
    std::optional<ip_address> outside;
    protocol_filter filter{};
    bool asks = true;
    bool expected = false;
  };
  const std::array all{
      one{v4(100, 64, 0, 7), protocol_filter::any, true, true},
      one{v4(10, 0, 0, 7), protocol_filter::pcp, true, true},
      one{v4(172, 16, 0, 7), protocol_filter::pcp_only, true, true},
      one{v4(10, 0, 0, 7), protocol_filter::any, false, false},
      one{v4(10, 0, 0, 7), protocol_filter::nat_pmp_only, true, false},
      one{v4(10, 0, 0, 7), protocol_filter::upnp, true, false},
      one{v4(93, 184, 216, 99), protocol_filter::any, true, false},
      one{v4(198, 51, 100, 7), protocol_filter::any, true, false},
      one{ip_address::any_v4(), protocol_filter::any, true, false},
  };
  for (const one& each : all) {
    scene what;
    what.router.speaks_upnp = true;
    what.public_address = each.outside;
    what.client.asks_anycast = each.asks;
    world& w = begin(what);
    w.create(request(each.filter));
    w.run_for(1min);
    EXPECT_EQ(w.count_events(event_kind::mapped), 1U);
    EXPECT_EQ(sent_to(w, anycast) > 0, each.expected) << *each.outside;
  }
}

TEST_F(chain, asks_the_provider_through_loss) {
  for (std::uint64_t seed = 1; seed <= 15; ++seed) {
    SCOPED_TRACE(seed);
    scene what = behind_carrier();
    what.seed = seed;
    what.link.loss_percent = 20;
    world& w = begin(what);
    id_ = w.create(request());
    ASSERT_TRUE(w.run_until([&] { return w.last_event(id_) != nullptr && leads_in(w, id_); }, 1h));
    w.run_for(24h);
    EXPECT_TRUE(leads_in(w, id_));
    w.upstream().reboot(w.clock());
    w.run_for(30min);
    EXPECT_TRUE(leads_in(w, id_));
    w.release(id_);
    w.run_for(5s);
    ASSERT_TRUE(is_told(w, id_, event_kind::removed));
    const bool is_left = !w.upstream().rules().empty() || !w.router().rules().empty();
    EXPECT_TRUE(!is_left || w.last_event(id_)->event.how == removal::left_to_expire);
  }
}

}  // namespace
}  // namespace damson::sim
