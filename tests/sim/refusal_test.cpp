// Routers that say no.

#include <algorithm>

#include "scenario.hpp"

namespace damson::sim {
namespace {

class refusal : public scenario {};

TEST_F(refusal, for_a_taken_port_is_followed_by_a_request_for_any_port) {
  scene what;
  what.router.taken_port_is_no_resources = true;
  world& w = begin(what);
  w.router().occupy(transport::tcp, 8080, {other_host, 80});
  w.create(request());
  w.run_for(1s);
  ASSERT_EQ(kinds(w), std::vector{event_kind::mapped});
  EXPECT_EQ(w.events()[0].at, 4ms);
  EXPECT_EQ(w.events()[0].event.info.external, (endpoint{wan_side, 8081}));
  const auto maps = pcp_maps(w);
  ASSERT_EQ(maps.size(), 2U);
  EXPECT_EQ(maps[0].map.external_port, 8080);
  EXPECT_EQ(maps[1].map.external_port, 0);
  EXPECT_EQ(maps[1].map.nonce, maps[0].map.nonce);
}

TEST_F(refusal, of_more_than_its_table_holds_leaves_what_it_holds_alone) {
  for (const bool is_quota : {true, false}) {
    SCOPED_TRACE(is_quota);
    scene what;
    if (is_quota) {
      what.router.rules_per_host = 4;
    } else {
      what.router.max_rules = 4;
    }
    world& w = begin(what);
    const mapping_id first = w.create(request(8000));
    for (std::uint16_t port = 8001; port < 8004; ++port) w.create(request(port));
    w.run_for(1s);
    const mapping_id last = w.create(request(8004));
    w.run_for(12h);
    EXPECT_EQ(w.count_events(event_kind::mapped), 4U);
    EXPECT_EQ(w.count_events(event_kind::lost), 0U);
    EXPECT_EQ(w.last_event(last)->event.why.reason,
              is_quota ? errc::quota_exceeded : errc::no_resources);
    EXPECT_EQ(w.router().rules().size(), 4U) << "no port was left behind by one of the tries";
    w.release(first);
    w.run_for(1h);
    EXPECT_EQ(w.last_event(last)->event.kind, event_kind::mapped) << "when there is room";
    EXPECT_EQ(w.router().rules().size(), 4U);
  }
}

TEST_F(refusal, for_a_taken_port_that_arrives_twice_refuses_one_request_only) {
  scene what;
  what.router.taken_port_is_no_resources = true;
  what.link.duplicate_percent = 100;
  world& w = begin(what);
  w.router().occupy(transport::tcp, 8080, {other_host, 80});
  w.create(request());
  w.run_for(1min);
  // The second copy of the refusal repeats the port that was suggested in the first request only.
  EXPECT_EQ(kinds(w), std::vector{event_kind::mapped});
  EXPECT_EQ(w.router().rules().size(), 2U);
}

TEST_F(refusal, in_nat_pmp_that_arrives_twice_is_not_for_the_next_request) {
  scene what = with(nat_pmp_only_router());
  what.link.latency = 150ms;  // so the request goes out twice, and is refused twice
  what.router.refuses_nat_pmp_maps_with = nat_pmp_result::not_authorized;
  world& w = begin(what);
  const mapping_id refused = w.create(request(protocol_filter::pcp, 8081));
  const mapping_id granted = w.create(request(protocol_filter::pcp, 8082));
  // 300 ms: the first request is sent, and again at 550 ms; 600 ms: its refusal is here.
  w.run_for(720ms);
  ASSERT_EQ(w.count_events(event_kind::failed), 1U);
  w.router().behaviour().refuses_nat_pmp_maps_with.reset();
  w.run_for(5s);
  EXPECT_EQ(w.last_event(refused)->event.kind, event_kind::failed);
  EXPECT_EQ(w.last_event(granted)->event.kind, event_kind::mapped);
}

TEST_F(refusal, in_nat_pmp_that_the_network_copies_leaves_nothing_behind) {
  scene what = with(nat_pmp_only_router());
  what.router.refuses_nat_pmp_maps_with = nat_pmp_result::out_of_resources;
  what.link.duplicate_percent = 100;
  world& w = begin(what);
  w.create(request(protocol_filter::nat_pmp_only, 8080));
  w.create(request(protocol_filter::nat_pmp_only, 8081));
  // The copy of the first one's refusal meets the second one's request, which is granted.
  ASSERT_TRUE(w.run_until([&] { return nat_pmp_maps(w).size() == 2; }, 1s));
  w.router().behaviour().refuses_nat_pmp_maps_with.reset();
  ASSERT_TRUE(w.run_until([&] { return !w.router().rules().empty(); }, 1s));
  w.run_for(1s);
  EXPECT_EQ(w.count_events(event_kind::mapped), 2U) << "the first one with another port";
  w.close();
  w.run_for(10s);
  EXPECT_TRUE(w.router().rules().empty());
}

TEST_F(refusal, that_arrives_after_the_grant_does_not_lose_the_mapping) {
  scene what;
  what.router.taken_port_is_no_resources = true;
  world& w = begin(what);
  w.router().occupy(transport::tcp, 8080, {other_host, 80});
  std::optional<datagram> first_answer;
  w.courier = [&](const packet_record& record) -> std::optional<nanoseconds> {
    if (!first_answer && record.way == direction::to_host && is_pcp(record.datagram.bytes)) {
      first_answer = record.datagram;
    }
    return 1ms;
  };
  w.create(request());
  w.run_for(100ms);
  ASSERT_EQ(kinds(w), std::vector{event_kind::mapped});
  ASSERT_TRUE(first_answer.has_value());
  const std::size_t before = w.sent_count();
  w.inject(*first_answer);
  w.run_for(1min);
  EXPECT_EQ(kinds(w), std::vector{event_kind::mapped});
  EXPECT_EQ(w.sent_count(), before);
}

TEST_F(refusal, for_lack_of_resources_is_reported_after_both_tries) {
  scene what;
  what.router.refuses_maps_with = pcp_result::no_resources;
  world& w = begin(what);
  w.create(request(protocol_filter::pcp));
  w.run_for(20s);
  ASSERT_EQ(kinds(w), std::vector{event_kind::failed});
  EXPECT_EQ(w.events()[0].at, 4ms);
  const failure& why = w.events()[0].event.why;
  EXPECT_EQ(why.reason, errc::no_resources);
  const auto* reason = reason_for(why, protocol::pcp);
  ASSERT_NE(reason, nullptr);
  EXPECT_EQ(reason->result_code, 8);
  EXPECT_EQ(reason->server, (endpoint{world::router_address, 5351}));
  ASSERT_TRUE(reason->retry_after.has_value());
  EXPECT_GE(*reason->retry_after, 30s);
  EXPECT_EQ(pcp_maps(w).size(), 2U);
}

TEST_F(refusal, by_policy_is_reported_and_not_argued_with) {
  scene what;
  what.router.refuses_maps_with = pcp_result::not_authorized;
  world& w = begin(what);
  w.create(request(protocol_filter::pcp));
  w.run_for(30min - 1s);
  ASSERT_EQ(kinds(w), std::vector{event_kind::failed});
  EXPECT_EQ(w.events()[0].at, 2ms);
  const failure& why = w.events()[0].event.why;
  EXPECT_EQ(why.reason, errc::not_authorized);
  const auto* reason = reason_for(why, protocol::pcp);
  ASSERT_NE(reason, nullptr);
  EXPECT_EQ(reason->reason, errc::not_authorized);
  EXPECT_EQ(reason->result_code, 2);
  EXPECT_GE(reason->retry_after.value_or(0s), 30min);
  EXPECT_EQ(pcp_maps(w).size(), 1U);
}

TEST_F(refusal, in_pcp_is_not_taken_round_through_nat_pmp) {
  scene what;
  what.router.refuses_maps_with = pcp_result::not_authorized;
  world& w = begin(what);
  w.create(request());
  w.run_for(24h);
  EXPECT_EQ(w.count_events(event_kind::mapped), 0U);
  EXPECT_TRUE(nat_pmp_maps(w).empty());
  // A server that has answered PCP is not asked in NAT-PMP at all.
  for (const auto& question : w.sent(is_nat_pmp)) EXPECT_EQ(question.at, 0ms);
}

TEST_F(refusal, by_policy_is_tried_again_as_the_owner_may_change_it) {
  scene what;
  what.router.refuses_maps_with = pcp_result::not_authorized;
  world& w = begin(what);
  w.create(request());
  w.run_for(1min);
  w.router().behaviour().refuses_maps_with.reset();
  w.run_for(45min);
  ASSERT_EQ(kinds(w).back(), event_kind::mapped);
  EXPECT_FALSE(w.events().back().event.regained);
  EXPECT_TRUE(router_holds(w, 8080));
}

TEST_F(refusal, with_a_lifetime_of_0_does_not_make_us_hammer) {
  for (const auto result :
       {pcp_result::no_resources, pcp_result::network_failure, pcp_result::user_exceeded_quota}) {
    scene what;
    what.router.refuses_maps_with = result;
    what.router.error_lifetime = 0;
    world& w = begin(what);
    w.create(request());
    w.run_for(1h);
    const auto maps = pcp_maps(w);
    ASSERT_GE(maps.size(), 3U);
    for (std::size_t i = 1; i < maps.size(); ++i) {
      // The second try without a suggestion belongs to the first.
      if (maps[i].map.external_port == 0 && maps[i - 1].map.external_port != 0) continue;
      EXPECT_GE(maps[i].at - maps[i - 1].at, 30s);
    }
    // 30 s, 60 s, 120 s, 240 s and then every recheck period of 300 s: 16 rounds of two at most.
    EXPECT_LE(maps.size(), 34U);
  }
}

TEST_F(refusal, for_lack_of_resources_is_tried_again_once_a_recheck_period) {
  // `options::recheck_period` is the longest pause, where the router did not ask for a longer one.
  scene what;
  what.router.refuses_maps_with = pcp_result::no_resources;
  world& w = begin(what);
  const mapping_id id = w.create(request());
  w.run_for(6h);
  w.router().behaviour().refuses_maps_with.reset();
  w.run_for(300s + 5s);
  EXPECT_EQ(w.last_event(id)->event.kind, event_kind::mapped);
}

TEST_F(refusal, is_not_made_longer_by_failures_before_it) {
  // Silence is no refusal: the first refusal after a day of it waits as long as any first one.
  for (const auto& [result, pause] : {std::pair{pcp_result::no_resources, nanoseconds{30s}},
                                      std::pair{pcp_result::not_authorized, nanoseconds{30min}}}) {
    SCOPED_TRACE(static_cast<int>(result));
    scene what;
    what.router.refuses_maps_with = result;
    world& w = begin(what);
    w.set_plugged(false);
    const mapping_id id = w.create(request());
    w.run_for(24h);
    w.set_plugged(true);
    const std::size_t unanswered = pcp_maps(w).size();
    ASSERT_TRUE(w.run_until([&] { return pcp_maps(w).size() > unanswered; }, 10min));
    w.run_for(1s);
    w.router().behaviour().refuses_maps_with.reset();
    w.run_for(pause + pause / 4);
    EXPECT_EQ(w.last_event(id)->event.kind, event_kind::mapped);
  }
}

TEST_F(refusal, of_the_long_kind_with_a_lifetime_of_0_waits_half_an_hour) {
  for (const auto result : {pcp_result::not_authorized, pcp_result::malformed_request,
                            pcp_result::unsupported_opcode, pcp_result::unsupported_protocol,
                            pcp_result::cannot_provide_external, pcp_result::address_mismatch}) {
    SCOPED_TRACE(static_cast<int>(result));
    scene what;
    what.router.refuses_maps_with = result;
    what.router.error_lifetime = 0;
    world& w = begin(what);
    w.create(request(protocol_filter::pcp_only));
    w.run_for(30min - 1s);
    for (const auto& map : pcp_maps(w)) EXPECT_LE(map.at, 1s);
    EXPECT_EQ(w.events().at(0).event.kind, event_kind::failed);
  }
}

TEST_F(refusal, reasons_are_told_apart) {
  const std::vector<std::pair<pcp_result, errc>> table = {
      {pcp_result::not_authorized, errc::not_authorized},
      {pcp_result::malformed_request, errc::malformed_request},
      {pcp_result::unsupported_opcode, errc::not_supported},
      {pcp_result::unsupported_option, errc::not_supported},
      {pcp_result::network_failure, errc::network_failure},
      {pcp_result::no_resources, errc::no_resources},
      {pcp_result::unsupported_protocol, errc::not_supported},
      {pcp_result::user_exceeded_quota, errc::quota_exceeded},
      {pcp_result::cannot_provide_external, errc::external_not_available},
      {pcp_result::address_mismatch, errc::address_mismatch},
  };
  for (const auto& [result, reason] : table) {
    SCOPED_TRACE(static_cast<int>(result));
    scene what;
    what.router.refuses_maps_with = result;
    world& w = begin(what);
    w.create(request(protocol_filter::pcp_only));
    w.run_for(10s);
    ASSERT_FALSE(w.events().empty());
    EXPECT_EQ(w.events()[0].event.kind, event_kind::failed);
    EXPECT_EQ(w.events()[0].event.why.reason, reason);
    ASSERT_NE(reason_for(w.events()[0].event.why, protocol::pcp), nullptr);
    EXPECT_EQ(reason_for(w.events()[0].event.why, protocol::pcp)->result_code,
              static_cast<std::uint16_t>(result));
  }
}

TEST_F(refusal, nat_pmp_reasons_are_told_apart) {
  const std::vector<std::pair<nat_pmp_result, errc>> table = {
      {nat_pmp_result::not_authorized, errc::not_authorized},
      {nat_pmp_result::network_failure, errc::network_failure},
      {nat_pmp_result::out_of_resources, errc::no_resources},
      {nat_pmp_result::unsupported_opcode, errc::not_supported},
  };
  for (const auto& [result, reason] : table) {
    SCOPED_TRACE(static_cast<int>(result));
    scene what;
    what.router = nat_pmp_only_router();
    what.router.refuses_nat_pmp_maps_with = result;
    world& w = begin(what);
    w.create(request());
    w.run_for(10s);
    ASSERT_FALSE(w.events().empty());
    EXPECT_EQ(w.events()[0].event.kind, event_kind::failed);
    const auto* entry = reason_for(w.events()[0].event.why, protocol::nat_pmp);
    ASSERT_NE(entry, nullptr);
    EXPECT_EQ(entry->reason, reason);
    EXPECT_EQ(entry->result_code, static_cast<std::uint16_t>(result));
    ASSERT_NE(reason_for(w.events()[0].event.why, protocol::pcp), nullptr);
    EXPECT_EQ(reason_for(w.events()[0].event.why, protocol::pcp)->reason, errc::version_refused);
  }
}

TEST_F(refusal, that_repeats_port_and_lifetime_is_no_success) {
  for (const bool cut_short : {false, true}) {
    scene what;
    what.router = nat_pmp_only_router();
    what.router.refuses_nat_pmp_maps_with = nat_pmp_result::not_authorized;
    what.router.nat_pmp_errors_echo_request = true;
    what.router.nat_pmp_errors_are_short = cut_short;
    world& w = begin(what);
    w.create(request(protocol_filter::pcp));
    w.run_for(1min);
    ASSERT_EQ(kinds(w), std::vector{event_kind::failed});
    EXPECT_LE(w.events()[0].at, 6ms);
    EXPECT_EQ(w.events()[0].event.why.reason, errc::not_authorized);
  }
}

TEST_F(refusal, by_nat_pmp_is_not_argued_with) {
  scene what;
  what.router = nat_pmp_only_router();
  what.router.refuses_nat_pmp_maps_with = nat_pmp_result::not_authorized;
  world& w = begin(what);
  w.create(request());
  w.run_for(30min - 1s);
  EXPECT_EQ(nat_pmp_maps(w).size(), 1U);
}

TEST_F(refusal, a_success_with_another_internal_port_is_taken_when_one_request_is_open) {
  scene what;
  what.router = nat_pmp_only_router();
  what.router.nat_pmp_answers_internal_port = 0;
  world& w = begin(what);
  w.create(request());
  w.run_for(1s);
  ASSERT_EQ(kinds(w), std::vector{event_kind::mapped});
  EXPECT_EQ(w.events()[0].event.info.internal.port, 8080);
  EXPECT_EQ(w.events()[0].event.info.external.port, 8080);
}

TEST_F(refusal, a_copied_success_with_another_internal_port_is_for_one_request) {
  scene what;
  what.router = nat_pmp_only_router();
  what.router.nat_pmp_answers_internal_port = 9;
  what.link.duplicate_percent = 100;
  world& w = begin(what);
  const mapping_id first = w.create(request(8005));
  const mapping_id second = w.create(request(8007));
  w.run_for(3s);
  ASSERT_EQ(w.count_events(event_kind::mapped), 2U);
  EXPECT_EQ(w.last_event(first)->event.info.external.port, 8005);
  EXPECT_EQ(w.last_event(second)->event.info.external.port, 8007);
}

TEST_F(refusal, does_not_say_that_another_copy_of_the_request_was_refused_as_well) {
  for (const bool pcp : {true, false}) {
    SCOPED_TRACE(pcp ? "PCP" : "NAT-PMP");
    scene what;
    what.router.speaks_pcp = pcp;
    what.router.refuses_maps_with = pcp_result::not_authorized;
    what.router.refuses_nat_pmp_maps_with = nat_pmp_result::not_authorized;
    what.link.latency = 300ms;
    world& w = begin(what);
    const mapping_id id =
        w.create(request(pcp ? protocol_filter::pcp_only : protocol_filter::nat_pmp_only));
    // The first copy has not arrived yet; the second one is on its way.
    ASSERT_TRUE(
        w.run_until([&] { return (pcp ? pcp_maps(w).size() : nat_pmp_maps(w).size()) == 2; }, 10s));
    w.run_for(100ms);
    w.router().behaviour().refuses_maps_with.reset();
    w.router().behaviour().refuses_nat_pmp_maps_with.reset();
    w.run_for(5s);
    ASSERT_EQ(w.last_event(id)->event.kind, event_kind::failed);
    EXPECT_TRUE(router_holds(w, 8080));
    w.release(id);
    w.run_for(5s);
    EXPECT_EQ(w.last_event(id)->event.how, removal::deleted);
    EXPECT_FALSE(router_holds(w, 8080));
  }
}

TEST_F(refusal, a_router_without_uplink_serves_when_it_has_one) {
  for (const bool pcp : {true, false}) {
    scene what;
    what.router.speaks_pcp = pcp;
    what.public_address.reset();
    world& w = begin(what);
    const mapping_id id = w.create(request());
    w.run_for(10s);
    ASSERT_NE(w.last_event(id), nullptr);
    EXPECT_EQ(w.last_event(id)->event.kind, event_kind::failed);
    EXPECT_EQ(w.last_event(id)->event.why.reason, errc::network_failure);
    w.set_public_address(wan_side);
    w.run_for(10min);
    EXPECT_EQ(w.last_event(id)->event.kind, event_kind::mapped);
    EXPECT_EQ(w.last_event(id)->event.info.external, (endpoint{wan_side, 8080}));
  }
}

TEST_F(refusal, an_unknown_public_address_is_asked_for_again) {
  scene what;
  what.router = nat_pmp_only_router();
  what.router.external_address_unknown = true;
  world& w = begin_mapped(what);
  EXPECT_TRUE(w.events()[0].event.info.external.address.is_unspecified());
  EXPECT_EQ(w.events()[0].event.info.external.port, 8080);
  w.run_for(10min);
  EXPECT_EQ(kinds(w), std::vector{event_kind::mapped});
  w.router().behaviour().external_address_unknown = false;
  w.run_for(301s);
  ASSERT_EQ(kinds(w), (std::vector{event_kind::mapped, event_kind::changed}));
  EXPECT_EQ(w.events()[1].event.info.external, (endpoint{wan_side, 8080}));
  // Asked for with back-off, not all the time.
  EXPECT_LE(w.sent(is_nat_pmp_address).size(), 25U);
}

TEST_F(refusal, a_public_address_that_comes_soon_is_told_soon) {
  scene what;
  what.router = nat_pmp_only_router();
  what.router.external_address_unknown = true;
  world& w = begin_mapped(what);
  w.run_for(5s);
  w.router().behaviour().external_address_unknown = false;
  w.run_for(6s);
  ASSERT_EQ(kinds(w), (std::vector{event_kind::mapped, event_kind::changed}));
  EXPECT_EQ(w.events()[1].event.info.external, (endpoint{wan_side, 8080}));
}

TEST_F(refusal, a_dead_router_is_not_hammered) {
  for (const bool plugged : {false, true}) {
    world& w = begin();
    w.set_plugged(plugged);
    w.set_serving(false);
    w.create(request());
    w.run_for(24h);
    // 288 recheck periods with a few tries each, and a short search.
    EXPECT_LE(w.sent_count(), 288U * 24U);
    EXPECT_EQ(w.count_events(event_kind::mapped), 0U);
    EXPECT_GE(w.count_events(event_kind::failed), 1U);
  }
}

TEST_F(refusal, a_router_that_comes_up_later_is_found_within_a_recheck_period) {
  for (const bool plugged : {false, true}) {
    world& w = begin();
    w.set_plugged(plugged);
    w.set_serving(false);
    const mapping_id id = w.create(request());
    w.run_for(1h);
    w.set_plugged(true);
    w.set_serving(true);
    w.run_for(300s + 5s);
    EXPECT_EQ(w.last_event(id)->event.kind, event_kind::mapped);
    EXPECT_FALSE(w.last_event(id)->event.regained);
  }
}

/// Refusals name no request, so those after a silence could each be a late answer to an earlier
/// try; but not for ever.
TEST_F(refusal, after_silence_is_heard) {
  scene what = with(nat_pmp_only_router());
  what.public_address.reset();
  world& w = begin(what);
  w.set_plugged(false);
  const mapping_id id = w.create(request(protocol_filter::nat_pmp_only));
  w.run_for(4s);
  ASSERT_EQ(w.last_event(id)->event.why.reason, errc::no_answer);
  w.set_plugged(true);
  w.run_for(10s);
  const failure& why = w.last_event(id)->event.why;
  EXPECT_EQ(why.reason, errc::network_failure) << to_string(why);
}

}  // namespace
}  // namespace damson::sim
