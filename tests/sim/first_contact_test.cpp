// From the call to the first answer.

#include <algorithm>
#include <set>

#include "scenario.hpp"

namespace damson::sim {
namespace {

class first_contact : public scenario {};

TEST_F(first_contact, pcp_takes_one_round_trip_and_one_packet) {
  world& w = begin();
  const mapping_id id = w.create(request());
  w.run_for(1s);
  ASSERT_EQ(kinds(w), std::vector{event_kind::mapped});
  EXPECT_EQ(w.events()[0].at, 2ms);
  const mapping_event& event = w.events()[0].event;
  EXPECT_FALSE(event.regained);
  EXPECT_EQ(event.info.id, id);
  EXPECT_EQ(event.info.transport, transport::tcp);
  EXPECT_EQ(event.info.protocol, protocol::pcp);
  EXPECT_EQ(event.info.internal, (endpoint{world::host_address, 8080}));
  EXPECT_EQ(event.info.external, (endpoint{wan_side, 8080}));
  EXPECT_EQ(event.info.lifetime, 7200s);
  EXPECT_EQ(event.info.gateway, world::router_address);
  EXPECT_EQ(event.info.elapsed, 2ms);
  EXPECT_EQ(w.sent(is_pcp).size(), 1U);
  // NAT-PMP may be asked a question meanwhile, but nothing that makes a mapping.
  EXPECT_TRUE(nat_pmp_maps(w).empty());
  EXPECT_LE(w.sent(is_nat_pmp_address).size(), 1U);
  EXPECT_EQ(w.router().rules().size(), 1U);
  EXPECT_TRUE(router_holds(w, 8080));
}

TEST_F(first_contact, pcp_asks_for_what_the_program_wants) {
  world& w = begin();
  map_request wanted = request(5000, transport::udp);
  wanted.external_port = 6000;
  wanted.external_address = wan_side;
  wanted.lifetime = 3600s;
  w.create(wanted);
  w.run_for(1s);
  const auto maps = pcp_maps(w);
  ASSERT_EQ(maps.size(), 1U);
  EXPECT_EQ(maps[0].map.client, world::host_address);
  EXPECT_EQ(maps[0].map.protocol, 17);
  EXPECT_EQ(maps[0].map.internal_port, 5000);
  EXPECT_EQ(maps[0].map.external_port, 6000);
  EXPECT_EQ(maps[0].map.external_address, wan_side);
  EXPECT_EQ(maps[0].map.lifetime, 3600U);
}

TEST_F(first_contact, without_a_wish_the_internal_port_is_suggested) {
  world& w = begin();
  w.create(request(8080));
  w.run_for(1s);
  ASSERT_EQ(pcp_maps(w).size(), 1U);
  EXPECT_EQ(pcp_maps(w)[0].map.external_port, 8080);
}

TEST_F(first_contact, the_port_that_the_router_chose_is_the_truth) {
  scene what;
  what.router.external_port = port_policy::own_choice;
  const world& w = begin_mapped(what);
  EXPECT_EQ(w.events()[0].event.info.external, (endpoint{wan_side, 40'000}));
}

TEST_F(first_contact, nat_pmp_after_a_version_refusal_takes_two_round_trips) {
  world& w = begin(with(nat_pmp_only_router()));
  w.create(request());
  w.run_for(1s);
  ASSERT_EQ(kinds(w), std::vector{event_kind::mapped});
  EXPECT_EQ(w.events()[0].at, 4ms);
  EXPECT_EQ(w.events()[0].event.info.protocol, protocol::nat_pmp);
  EXPECT_EQ(w.events()[0].event.info.external, (endpoint{wan_side, 8080}));
  EXPECT_EQ(w.events()[0].event.info.lifetime, 7200s);
  EXPECT_EQ(w.sent(is_pcp).size(), 1U);
  EXPECT_EQ(nat_pmp_maps(w).size(), 1U);
}

TEST_F(first_contact, nat_pmp_after_pcp_silence) {
  profile router = nat_pmp_only_router();
  router.answers_version_refusal = false;
  world& w = begin(with(router));
  w.create(request());
  w.run_for(4'100ms);
  ASSERT_EQ(kinds(w), std::vector{event_kind::mapped});
  EXPECT_EQ(w.events()[0].event.info.protocol, protocol::nat_pmp);
  EXPECT_EQ(w.events()[0].event.info.external, (endpoint{wan_side, 8080}));
  EXPECT_EQ(w.packets()[0].at, 0ms);
  EXPECT_TRUE(is_pcp(w.packets()[0].datagram.bytes));
  // What can make a mapping starts when the preferred protocol has been given up: never both.
  const auto first_map = nat_pmp_maps(w).at(0).at;
  EXPECT_TRUE(std::ranges::all_of(pcp_maps(w), [&](const auto& m) { return m.at <= first_map; }));
  EXPECT_EQ(w.router().rules().size(), 1U);
}

TEST_F(first_contact, silence_everywhere_is_an_answer_after_4_s) {
  world& w = begin();
  w.set_plugged(false);
  w.create(request());
  w.run_for(4s);
  ASSERT_EQ(kinds(w), std::vector{event_kind::failed});
  EXPECT_EQ(w.events()[0].at, 4s);
  const failure& why = w.events()[0].event.why;
  EXPECT_EQ(why.reason, errc::no_answer);
  for (const protocol which : {protocol::pcp, protocol::nat_pmp}) {
    const auto* reason = reason_for(why, which);
    ASSERT_NE(reason, nullptr) << to_string(which);
    EXPECT_EQ(reason->reason, errc::no_answer);
    EXPECT_EQ(reason->server, (endpoint{world::router_address, 5351}));
  }
  std::vector<nanoseconds> tries;
  for (const auto& map : pcp_maps(w)) tries.push_back(map.at);
  EXPECT_EQ(tries, (std::vector<nanoseconds>{0ms, 250ms, 750ms, 1750ms, 3750ms}));
}

TEST_F(first_contact, a_reply_to_the_last_try_is_taken) {
  world& w = begin();
  w.courier = [&w](const packet_record& record) -> std::optional<nanoseconds> {
    if (record.way == direction::to_router && w.now() < 3750ms) return std::nullopt;
    return 1ms;
  };
  w.create(request(protocol_filter::pcp_only));
  w.run_for(4s);
  ASSERT_EQ(kinds(w), std::vector{event_kind::mapped});
  EXPECT_EQ(w.events()[0].at, 3752ms);
}

TEST_F(first_contact, a_closed_port_fails_at_once) {
  world& w = begin();
  w.set_serving(false);
  w.create(request(protocol_filter::pcp));
  w.run_for(1s);
  ASSERT_EQ(kinds(w), std::vector{event_kind::failed});
  EXPECT_LE(w.events()[0].at, 4ms);
  const failure& why = w.events()[0].event.why;
  EXPECT_EQ(why.reason, errc::port_closed);
  ASSERT_NE(reason_for(why, protocol::pcp), nullptr);
  EXPECT_EQ(reason_for(why, protocol::pcp)->reason, errc::port_closed);
  ASSERT_NE(reason_for(why, protocol::nat_pmp), nullptr);
  EXPECT_EQ(reason_for(why, protocol::nat_pmp)->reason, errc::port_closed);
}

TEST_F(first_contact, no_route_fails_at_once_without_a_packet) {
  world& w = begin();
  w.set_network({});
  w.create(request());
  w.run_for(1s);
  ASSERT_EQ(kinds(w), std::vector{event_kind::failed});
  EXPECT_EQ(w.events()[0].at, 0ms);
  EXPECT_EQ(w.events()[0].event.why.reason, errc::no_gateway);
  EXPECT_EQ(w.sent_count(), 0U);
}

TEST_F(first_contact, no_socket_fails_at_once) {
  world& w = begin();
  w.sockets_work = false;
  w.create(request());
  w.run_for(1s);
  ASSERT_EQ(kinds(w), std::vector{event_kind::failed});
  EXPECT_EQ(w.events()[0].at, 0ms);
  EXPECT_EQ(w.events()[0].event.why.reason, errc::network_down);
  EXPECT_EQ(w.sent_count(), 0U);
}

TEST_F(first_contact, an_unreachable_gateway_fails_at_once) {
  scene what;
  what.client.gateway = v4(10, 99, 99, 1);
  world& w = begin(what);
  network_facts no_routes = w.network();
  no_routes.routes.clear();
  w.set_network(no_routes);
  w.create(request());
  w.run_for(1s);
  ASSERT_EQ(kinds(w), std::vector{event_kind::failed});
  EXPECT_EQ(w.events()[0].at, 0ms);
  EXPECT_EQ(w.events()[0].event.why.reason, errc::network_down);
}

TEST_F(first_contact, a_public_address_is_direct_and_needs_no_packet) {
  constexpr ip_address own = v4(93, 184, 216, 34);
  world& w = begin();
  w.set_network(world::one_route(v4(93, 184, 216, 1), own));
  w.create(request());
  w.run_for(1h);
  ASSERT_EQ(kinds(w), std::vector{event_kind::mapped});
  EXPECT_EQ(w.events()[0].at, 0ms);
  const mapping_info& info = w.events()[0].event.info;
  EXPECT_EQ(info.protocol, protocol::direct);
  EXPECT_EQ(info.internal, (endpoint{own, 8080}));
  EXPECT_EQ(info.external, (endpoint{own, 8080}));
  EXPECT_EQ(info.lifetime, 0s);
  EXPECT_TRUE(info.gateway.is_unspecified());
  EXPECT_EQ(w.sent_count(), 0U);
}

TEST_F(first_contact, a_direct_mapping_is_removed_at_once) {
  world& w = begin();
  w.set_network(world::one_route(v4(93, 184, 216, 1), v4(93, 184, 216, 34)));
  const mapping_id id = w.create(request());
  w.run_for(1s);
  w.release(id);
  w.run_for(1s);
  ASSERT_EQ(kinds(w), (std::vector{event_kind::mapped, event_kind::removed}));
  EXPECT_EQ(w.events()[1].at, 1s);
  EXPECT_EQ(w.sent_count(), 0U);
}

TEST_F(first_contact, direct_is_not_taken_when_pcp_is_asked_for) {
  world& w = begin();
  w.set_network(world::one_route(v4(93, 184, 216, 1), v4(93, 184, 216, 34)));
  w.create(request(protocol_filter::pcp));
  w.run_for(10s);
  EXPECT_EQ(kinds(w), std::vector{event_kind::failed});
  EXPECT_GT(w.sent(is_pcp).size(), 0U);
}

TEST_F(first_contact, carrier_nat_addresses_are_not_direct) {
  world& w = begin();
  w.set_network(world::one_route(v4(100, 64, 0, 1), v4(100, 64, 0, 2)));
  w.create(request());
  w.run_for(10s);
  EXPECT_EQ(kinds(w), std::vector{event_kind::failed});
}

TEST_F(first_contact, pcp_only_never_speaks_nat_pmp) {
  world& w = begin(with(nat_pmp_only_router()));
  w.create(request(protocol_filter::pcp_only));
  w.run_for(10min);
  ASSERT_FALSE(w.events().empty());
  EXPECT_EQ(w.events()[0].event.kind, event_kind::failed);
  EXPECT_EQ(w.events()[0].at, 2ms);
  EXPECT_EQ(w.events()[0].event.why.reason, errc::version_refused);
  EXPECT_TRUE(w.sent(is_nat_pmp).empty());
}

TEST_F(first_contact, nat_pmp_only_never_speaks_pcp) {
  world& w = begin();
  w.create(request(protocol_filter::nat_pmp_only));
  w.run_for(3h);
  EXPECT_EQ(kinds(w), std::vector{event_kind::mapped});
  EXPECT_EQ(w.events()[0].event.info.protocol, protocol::nat_pmp);
  EXPECT_TRUE(w.sent(is_pcp).empty());
}

TEST_F(first_contact, upnp_alone_leaves_the_port_of_the_others_alone) {
  world& w = begin();
  w.create(request(protocol_filter::upnp));
  w.run_for(1h);
  ASSERT_FALSE(w.events().empty());
  EXPECT_EQ(w.events()[0].event.kind, event_kind::failed);
  EXPECT_EQ(w.events()[0].at, 4s);
  EXPECT_EQ(w.events()[0].event.why.reason, errc::no_answer);
  EXPECT_TRUE(w.sent(is_pcp).empty());
  EXPECT_TRUE(w.sent(is_nat_pmp_address).empty());
  EXPECT_TRUE(w.router().rules().empty());
}

TEST_F(first_contact, a_clipped_answer_to_nat_pmp_proves_pcp) {
  profile router;
  router.speaks_nat_pmp = false;
  router.clips_answers_to_nat_pmp = true;
  world& w = begin(with(router));
  // PCP requests get lost for as long as NAT-PMP has not been tried.
  w.courier = [&w](const packet_record& record) -> std::optional<nanoseconds> {
    if (is_pcp(record.datagram.bytes) && record.way == direction::to_router &&
        w.sent(is_nat_pmp).empty()) {
      return std::nullopt;
    }
    return 1ms;
  };
  w.create(request());
  w.run_for(10s);
  ASSERT_GE(w.sent(is_nat_pmp).size(), 1U);
  const auto last = w.events().back();
  EXPECT_EQ(last.event.kind, event_kind::mapped);
  EXPECT_EQ(last.event.info.protocol, protocol::pcp);
  // Once it is known that PCP is there, NAT-PMP is spoken no more.
  const auto answered = w.sent(is_nat_pmp).front().at + 2ms;
  EXPECT_TRUE(std::ranges::all_of(w.sent(is_nat_pmp),
                                  [&](const packet_record& r) { return r.at <= answered; }));
}

TEST_F(first_contact, a_clipped_answer_is_no_success_where_only_nat_pmp_is_allowed) {
  profile router;
  router.speaks_nat_pmp = false;
  router.clips_answers_to_nat_pmp = true;
  world& w = begin(with(router));
  w.create(request(protocol_filter::nat_pmp_only));
  w.run_for(10s);
  ASSERT_EQ(kinds(w), std::vector{event_kind::failed});
  EXPECT_EQ(w.events()[0].at, 2ms);
  EXPECT_EQ(w.events()[0].event.why.reason, errc::version_refused);
  EXPECT_TRUE(w.sent(is_pcp).empty());
}

TEST_F(first_contact, the_callers_own_timeout_decides_when_it_is_shorter) {
  world& w = begin();
  w.set_plugged(false);
  map_request hasty = request();
  hasty.timeout = 1s;
  w.create(hasty);
  w.run_for(2s);
  ASSERT_EQ(kinds(w), std::vector{event_kind::failed});
  EXPECT_EQ(w.events()[0].at, 1s);
  EXPECT_EQ(w.events()[0].event.why.reason, errc::timed_out);
}

TEST_F(first_contact, requests_that_make_no_sense_are_refused_without_a_packet) {
  world& w = begin();
  map_request no_lifetime = request(8081);
  no_lifetime.lifetime = 0s;
  map_request long_lifetime = request(8082);
  long_lifetime.lifetime = std::chrono::seconds{1LL << 32};
  map_request no_timeout = request(8083);
  no_timeout.timeout = 0ms;
  map_request long_timeout = request(8084);
  long_timeout.timeout = 24h + 1ms;
  for (const auto& what : {request(0), no_lifetime, long_lifetime, no_timeout, long_timeout}) {
    w.create(what);
  }
  w.run_for(1h);
  ASSERT_EQ(w.events().size(), 5U);
  for (const auto& seen : w.events()) {
    EXPECT_EQ(seen.at, 0ms);
    EXPECT_EQ(seen.event.kind, event_kind::failed);
    EXPECT_EQ(seen.event.why.reason, errc::invalid_argument);
  }
  EXPECT_EQ(w.sent_count(), 0U);
}

TEST_F(first_contact, each_mapping_has_a_nonce_of_its_own) {
  world& w = begin();
  w.create(request(8080));
  w.create(request(8080, transport::udp));
  w.run_for(1s);
  const auto maps = pcp_maps(w);
  ASSERT_EQ(maps.size(), 2U);
  EXPECT_NE(maps[0].map.nonce, maps[1].map.nonce);
}

TEST_F(first_contact, an_explicit_gateway_needs_no_default_route) {
  scene what;
  what.client.gateway = world::router_address;
  world& w = begin(what);
  network_facts facts = w.network();
  facts.routes.clear();
  w.set_network(facts);
  w.create(request());
  w.run_for(1s);
  EXPECT_EQ(kinds(w), std::vector{event_kind::mapped});
}

TEST_F(first_contact, works_without_the_announcement_port) {
  scene what;
  what.multicast_works = false;
  world& w = begin_mapped(what);
  EXPECT_EQ(w.events()[0].at, 2ms);
  w.run_for(24h);
  EXPECT_EQ(kinds(w), std::vector{event_kind::mapped});
}

TEST_F(first_contact, nothing_is_sent_before_the_first_request) {
  world& w = begin();
  w.run_for(24h);
  EXPECT_EQ(w.sent_count(), 0U);
  EXPECT_EQ(w.open_channels(), 0U);
}

}  // namespace
/// It answers, in PCP, that it does not speak NAT-PMP; its answers about mappings are lost.
TEST_F(first_contact, a_pcp_server_that_is_there_is_waited_for_as_long_as_the_program_wants) {
  for (const auto patience : {6'000ms, 10'000ms, 15'000ms}) {
    SCOPED_TRACE(patience.count());
    scene what;
    what.router.speaks_nat_pmp = false;
    what.client.mapping_timeout = patience;
    world& w = begin(what);
    w.courier = [](const packet_record& record) -> std::optional<nanoseconds> {
      const auto& packet = record.datagram.bytes;
      const bool is_map = packet.size() == 60 && packet[1] == std::byte{0x81};
      if (record.way == direction::to_host && is_map) return std::nullopt;
      return 1ms;
    };
    w.create(request(protocol_filter::pcp));
    w.run_for(20s);
    ASSERT_FALSE(w.events().empty());
    EXPECT_EQ(w.events()[0].event.kind, event_kind::failed);
    EXPECT_EQ(w.events()[0].at, patience + 2ms);
    EXPECT_EQ(reason_for(w.events()[0].event.why, protocol::pcp)->reason, errc::no_answer);
  }
}

// After its schedule the RFC's (RFC 6887 section 8.1.1): 3 s after the last try, but not for all
// hosts at once.
TEST_F(first_contact, resends_after_its_schedule_are_not_in_lockstep) {
  std::set<nanoseconds> gaps;
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    scene what;
    what.seed = seed;
    what.router.speaks_nat_pmp = false;
    what.router.clips_answers_to_nat_pmp = true;
    what.client.mapping_timeout = 10s;
    world& w = begin(what);
    w.courier = [](const packet_record& record) -> std::optional<nanoseconds> {
      if (record.way == direction::to_host && record.datagram.bytes.size() == 60) {
        return std::nullopt;
      }
      return 1ms;
    };
    w.create(request(protocol_filter::pcp));
    w.run_for(9s);
    const auto maps = pcp_maps(w);
    ASSERT_GE(maps.size(), 6U);
    EXPECT_EQ(maps[4].at, 3'750ms);
    const nanoseconds gap = maps[5].at - maps[4].at;
    EXPECT_GE(gap, 2'700ms);
    EXPECT_LE(gap, 3'300ms);
    gaps.insert(gap);
  }
  EXPECT_GT(gaps.size(), 4U);
}

TEST_F(first_contact, a_host_that_was_late_does_not_send_the_missed_tries_at_once) {
  world& w = begin();
  w.set_plugged(false);
  w.create(request(protocol_filter::pcp_only));
  w.run_for(100ms);
  w.suspend(2s);  // past the tries at 250, 750 and 1750 ms
  w.run_for(400ms);
  const auto maps = pcp_maps(w);
  ASSERT_EQ(maps.size(), 2U);
  EXPECT_EQ(maps[1].at, 2'100ms);
}

}  // namespace damson::sim
