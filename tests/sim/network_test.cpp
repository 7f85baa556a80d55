// The network under the host becomes another one.

#include <optional>
#include <utility>

#include "upnp_scenario.hpp"

namespace damson::sim {
namespace {

class network : public scenario {};

constexpr ip_address second_router = v4(192, 168, 1, 254);
constexpr ip_address second_wan = v4(203, 0, 113, 80);

TEST_F(network, another_gateway_takes_the_mapping_over) {
  world& w = begin_mapped();
  const gateway& other = w.add_router(profile{}, second_router, second_wan);
  w.run_for(100s - w.now());
  w.set_network(world::one_route(second_router, world::host_address));
  w.run_for(10s);
  ASSERT_EQ(kinds(w), (std::vector{event_kind::mapped, event_kind::lost, event_kind::mapped}));
  EXPECT_EQ(w.events()[1].at, 100s);
  EXPECT_EQ(w.events()[1].event.why.reason, errc::network_changed);
  const auto& back = w.events()[2];
  EXPECT_LE(back.at, 106s);
  EXPECT_TRUE(back.event.regained);
  EXPECT_EQ(back.event.info.gateway, second_router);
  EXPECT_EQ(back.event.info.external, (endpoint{second_wan, 8080}));
  EXPECT_EQ(other.rules().size(), 1U);
}

TEST_F(network, another_address_of_the_host_is_mapped_anew) {
  world& w = begin_mapped();
  w.run_for(100s - w.now());
  w.set_network(world::one_route(world::router_address, v4(192, 168, 1, 200)));
  w.run_for(10s);
  ASSERT_EQ(kinds(w), (std::vector{event_kind::mapped, event_kind::lost, event_kind::mapped}));
  EXPECT_EQ(w.events()[1].event.why.reason, errc::network_changed);
  EXPECT_EQ(w.events()[2].event.info.internal, (endpoint{v4(192, 168, 1, 200), 8080}));
  EXPECT_NE(w.router().table().at_internal(transport::tcp, {v4(192, 168, 1, 200), 8080}), nullptr);
}

TEST_F(network, the_same_network_again_changes_nothing) {
  world& w = begin_mapped();
  const std::size_t before = w.sent_count();
  network_facts facts = w.network();
  w.set_network(facts);
  // Another interface comes up, away from the default route.
  facts.addresses.push_back({v4(10, 0, 0, 2), 8, 7, "other0", false, false});
  w.set_network(facts);
  w.run_for(1min);
  EXPECT_EQ(kinds(w), std::vector{event_kind::mapped});
  EXPECT_EQ(w.sent_count(), before);
}

TEST_F(network, a_channel_that_breaks_for_good_is_lost_at_once_and_opened_anew) {
  world& w = begin_mapped();
  w.run_for(100s - w.now());
  w.tell(channel_failed{channel_id{1}, channel_error::cannot_open});
  w.run_for(10s);
  ASSERT_EQ(kinds(w), (std::vector{event_kind::mapped, event_kind::lost, event_kind::mapped}));
  EXPECT_EQ(w.events()[1].at, 100s);
  EXPECT_EQ(w.events()[1].event.why.reason, errc::network_down);
  EXPECT_LE(w.events()[2].at, 106s);
  EXPECT_TRUE(router_holds(w, 8080));
  w.run_for(24h);
  EXPECT_TRUE(router_holds(w, 8080));
}

TEST_F(network, a_channel_that_breaks_during_a_release_ends_it) {
  world& w = begin_mapped();
  w.set_plugged(false);
  w.release(id_);
  w.tell(channel_failed{channel_id{1}, channel_error::cannot_open});
  w.run_for(1s);
  ASSERT_EQ(w.count_events(event_kind::removed), 1U);
  EXPECT_EQ(w.events().back().event.how, removal::left_to_expire);
}

TEST_F(network, that_goes_away_and_comes_back_brings_the_mapping_back) {
  world& w = begin_mapped();
  const network_facts facts = w.network();
  w.run_for(100s - w.now());
  w.set_network({});
  w.run_for(10min);
  ASSERT_EQ(kinds(w).back() == event_kind::lost || kinds(w).back() == event_kind::failed, true);
  EXPECT_EQ(w.events()[1].event.kind, event_kind::lost);
  EXPECT_EQ(w.events()[1].event.why.reason, errc::network_changed);
  const auto back = w.now();
  w.set_network(facts);
  w.run_for(10s);
  EXPECT_EQ(w.events().back().event.kind, event_kind::mapped);
  EXPECT_TRUE(w.events().back().event.regained);
  EXPECT_LE(w.events().back().at - back, 6s);
  EXPECT_TRUE(router_holds(w, 8080));
}

/// Whoever is behind the link by the time that it is back knows nothing of the mapping, and until
/// then nobody hears.
TEST_F(network, that_goes_is_left_without_a_word) {
  for (const scene& what : {scene{}, with(nat_pmp_only_router()), upnp_only()}) {
    for (const bool is_mapped : {true, false}) {
      world& w = begin(what);
      const mapping_id id = w.create(request());
      const auto is_so = [&] {
        return is_mapped ? w.count_events(event_kind::mapped) == 1 : w.sent_count() > 0;
      };
      ASSERT_TRUE(w.run_until(is_so, 5s));
      const std::size_t packets = w.sent_count();
      const std::size_t exchanges = w.requests().size();
      w.set_network({});
      w.run_for(0s);
      ASSERT_NE(w.last_event(id), nullptr);
      EXPECT_EQ(w.last_event(id)->event.kind, is_mapped ? event_kind::lost : event_kind::failed);
      w.run_for(3h);
      w.release(id);
      w.run_for(1min);
      EXPECT_EQ(w.sent_count(), packets);
      EXPECT_EQ(w.requests().size(), exchanges);
      EXPECT_EQ(w.last_event(id)->event.kind, event_kind::removed);
    }
  }
}

TEST_F(network, that_appears_ends_the_wait_at_once) {
  world& w = begin();
  const network_facts facts = w.network();
  w.set_network({});
  const mapping_id id = w.create(request());
  w.run_for(100s);
  EXPECT_EQ(w.last_event(id)->event.kind, event_kind::failed);
  w.set_network(facts);
  w.run_for(6s);
  EXPECT_EQ(w.last_event(id)->event.kind, event_kind::mapped);
}

TEST_F(network, news_resets_the_wait_after_a_refusal) {
  scene what;
  what.router.refuses_maps_with = pcp_result::not_authorized;
  world& w = begin(what);
  w.add_router(profile{}, second_router, second_wan);
  const mapping_id id = w.create(request());
  w.run_for(10s);
  ASSERT_EQ(w.last_event(id)->event.kind, event_kind::failed);
  w.set_network(world::one_route(second_router, world::host_address));
  w.run_for(6s);
  EXPECT_EQ(w.last_event(id)->event.kind, event_kind::mapped);  // not after half an hour
}

TEST_F(network, while_a_request_is_on_its_way_may_change) {
  scene what;
  what.link.latency = 100ms;
  world& w = begin(what);
  w.add_router(profile{}, second_router, second_wan);
  const mapping_id id = w.create(request());
  w.run_for(50ms);
  w.set_network(world::one_route(second_router, world::host_address));
  w.run_for(20s);
  ASSERT_NE(w.last_event(id), nullptr);
  EXPECT_EQ(w.last_event(id)->event.kind, event_kind::mapped);
  EXPECT_EQ(w.last_event(id)->event.info.gateway, second_router);
}

TEST_F(network, that_goes_while_a_request_is_on_its_way_leaves_to_expire_what_it_asked_for) {
  for (const bool pcp : {true, false}) {
    for (const auto& [later, how] : {std::pair{nanoseconds{1min}, removal::left_to_expire},
                                     std::pair{nanoseconds{3h}, removal::already_gone}}) {
      scene what;
      what.router.speaks_pcp = pcp;
      world& w = begin(what);
      const mapping_id id = w.create(request());
      ASSERT_TRUE(w.run_until([&] { return router_holds(w, 8080); }, 5s));
      w.set_network({});
      w.run_for(later);
      EXPECT_EQ(w.count_events(event_kind::mapped), 0U);
      w.release(id);
      w.run_for(2s);
      EXPECT_EQ(w.last_event(id)->event.how, how);
    }
  }
}

TEST_F(network, that_changed_leaves_to_expire_what_the_one_before_may_keep) {
  for (const auto& [goes_back, how] :
       {std::pair{false, removal::left_to_expire}, std::pair{true, removal::deleted}}) {
    world& w = begin_mapped();
    w.add_router(profile{}, second_router, second_wan);
    const network_facts before = w.network();
    w.set_network(world::one_route(second_router, world::host_address));
    w.run_for(10s);
    EXPECT_EQ(w.last_event(id_)->event.info.gateway, second_router);
    if (goes_back) {
      w.run_for(3h);
      w.set_network(before);
      w.run_for(10s);
      EXPECT_EQ(w.last_event(id_)->event.info.gateway, world::router_address);
      w.run_for(3h);
    }
    w.release(id_);
    w.run_for(2s);
    EXPECT_EQ(w.last_event(id_)->event.how, how);
    EXPECT_EQ(router_holds(w, 8080), !goes_back);
  }
}

TEST_F(network, that_goes_after_an_unheard_renewal_leaves_to_expire_what_that_made) {
  world& w = begin_mapped();
  w.courier = [](const packet_record& record) -> std::optional<nanoseconds> {
    if (record.way == direction::to_host) return std::nullopt;
    return 1ms;
  };
  w.run_for(115min);
  w.set_network({});
  w.run_for(30min);
  // That is later than the end of the only grant that was heard, which was for two hours.
  ASSERT_TRUE(router_holds(w, 8080));
  w.release(id_);
  w.run_for(2s);
  EXPECT_EQ(w.last_event(id_)->event.how, removal::left_to_expire);
}

TEST_F(network,
       that_changed_leaves_to_expire_what_was_asked_of_a_router_that_another_device_stood_in_for) {
  scene what;
  what.router.speaks_pcp = what.router.speaks_nat_pmp = false;
  what.router.speaks_upnp = true;
  world& w = begin(what);
  const gateway& silent = w.add_router(profile{}, second_router, second_wan);
  w.set_network(world::one_route(second_router, world::host_address));
  w.courier = [](const packet_record& record) -> std::optional<nanoseconds> {
    if (record.datagram.from.address == second_router) return std::nullopt;
    return 1ms;
  };
  const mapping_id id = w.create(request());
  w.run_for(10s);
  ASSERT_EQ(w.last_event(id)->event.info.gateway, world::router_address);
  w.set_network(world::one_route(world::router_address, world::host_address));
  w.run_for(10s);
  ASSERT_EQ(w.last_event(id)->event.kind, event_kind::mapped);
  w.release(id);
  w.run_for(2s);
  EXPECT_EQ(silent.rules().size(), 1U);
  EXPECT_EQ(w.last_event(id)->event.how, removal::left_to_expire);
}

TEST_F(network, whose_router_went_unheard_while_another_device_served_leaves_that_to_expire) {
  scene what;
  what.router.speaks_pcp = what.router.speaks_nat_pmp = false;
  what.router.speaks_upnp = true;
  world& w = begin(what);
  const gateway& silent = w.add_router(profile{}, second_router, second_wan);
  w.set_network(world::one_route(second_router, world::host_address));
  bool is_cut_off = false;
  w.courier = [&](const packet_record& record) -> std::optional<nanoseconds> {
    const bool is_to_silent = record.datagram.to.address == second_router;
    if (record.datagram.from.address == second_router || (is_to_silent && is_cut_off)) {
      return std::nullopt;
    }
    return 1ms;
  };
  const mapping_id id = w.create(request());
  w.run_for(10s);
  ASSERT_EQ(w.last_event(id)->event.info.gateway, world::router_address);
  is_cut_off = true;
  w.release(id);
  w.run_for(3s);
  EXPECT_EQ(silent.rules().size(), 1U);
  EXPECT_EQ(w.last_event(id)->event.how, removal::left_to_expire);
}

TEST_F(network, that_comes_back_leaves_nothing_to_expire) {
  world& w = begin_mapped();
  const network_facts facts = w.network();
  w.set_network({});
  w.run_for(1min);
  w.set_network(facts);
  w.run_for(1min);
  ASSERT_EQ(w.last_event(id_)->event.kind, event_kind::mapped);
  w.release(id_);
  w.run_for(2s);
  EXPECT_EQ(w.last_event(id_)->event.how, removal::deleted);
  EXPECT_TRUE(w.router().rules().empty());
}

TEST_F(network, that_changes_during_a_renewal_leaves_no_timer) {
  world& w = begin_mapped();
  w.add_router(profile{}, second_router, second_wan);
  const std::size_t before = pcp_maps(w).size();
  ASSERT_TRUE(w.run_until([&] { return pcp_maps(w).size() > before; }, 2h));
  w.set_network(world::one_route(second_router, world::host_address));
  w.run_for(1s);
  w.close();
  w.run_for(2s);
  EXPECT_TRUE(w.closed());
  EXPECT_FALSE(w.engine_deadline());
}

TEST_F(network, the_route_with_the_lowest_metric_is_taken) {
  world& w = begin();
  w.add_router(profile{}, second_router, second_wan);
  network_facts facts = w.network();
  facts.routes.push_back({second_router, 2, 50, std::nullopt});
  w.set_network(facts);
  w.create(request());
  w.run_for(1s);
  ASSERT_EQ(kinds(w), std::vector{event_kind::mapped});
  EXPECT_EQ(w.events()[0].event.info.gateway, second_router);
}

TEST_F(network, to_a_public_one_turns_a_mapping_into_direct) {
  world& w = begin_mapped();
  w.run_for(100s - w.now());
  constexpr ip_address own = v4(93, 184, 216, 34);
  w.set_network(world::one_route(v4(93, 184, 216, 1), own));
  w.run_for(10s);
  const auto& last = w.events().back().event;
  EXPECT_TRUE(last.kind == event_kind::mapped || last.kind == event_kind::changed);
  EXPECT_EQ(last.info.protocol, protocol::direct);
  EXPECT_EQ(last.info.external, (endpoint{own, 8080}));
}

TEST_F(network, a_router_that_learns_pcp_is_spoken_to_in_pcp_some_day) {
  // A firmware update: NAT-PMP only before, PCP as well after.
  world& w = begin_mapped(with(nat_pmp_only_router()));
  EXPECT_EQ(w.events()[0].event.info.protocol, protocol::nat_pmp);
  w.run_for(10min);
  w.router().behaviour().speaks_pcp = true;
  w.reboot_router();
  w.run_for(24h);
  EXPECT_EQ(w.events().back().event.kind, event_kind::mapped);
  EXPECT_EQ(w.router().rules().size(), 1U);
  EXPECT_TRUE(router_holds(w, 8080));
}

TEST_F(network, a_router_swapped_for_one_without_pcp_keeps_the_port_open) {
  world& w = begin_mapped();
  w.run_for(10min);
  w.router().behaviour().speaks_pcp = false;
  w.reboot_router();
  w.run_for(3h);
  EXPECT_EQ(w.events().back().event.kind, event_kind::mapped);
  EXPECT_EQ(w.events().back().event.info.protocol, protocol::nat_pmp);
  EXPECT_TRUE(router_holds(w, 8080));
}

}  // namespace
}  // namespace damson::sim
