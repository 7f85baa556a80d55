// Only the wanted external port will do (RFC 6887 section 13.2, Q-30).

#include <algorithm>
#include <vector>

#include "upnp_scenario.hpp"

namespace damson::sim {
namespace {

constexpr std::uint16_t wanted_port = 9000;
constexpr ip_address neighbour_host = v4(192, 168, 1, 101);

map_request exactly(protocol_filter protocols = protocol_filter::any) {
  map_request out = request(protocols);
  out.external_port = wanted_port;
  out.prefer_failure = true;
  return out;
}

/// The codes of the options of each MAP request.
std::vector<std::vector<unsigned>> options_sent(const world& w) {
  std::vector<std::vector<unsigned>> out;
  for (const auto& record : w.packets()) {
    if (record.way != direction::to_router || !read_pcp_map(record.datagram.bytes)) continue;
    const auto& bytes = record.datagram.bytes;
    auto& codes = out.emplace_back();
    for (std::size_t at = 60; at < bytes.size();
         at += 4 + std::to_integer<std::size_t>(bytes[at + 3])) {
      codes.push_back(std::to_integer<unsigned>(bytes[at]));
    }
  }
  return out;
}

class prefer_failure : public scenario {
 protected:
  static void occupy(world& w) {
    w.router().occupy(transport::tcp, wanted_port, {neighbour_host, 80});
  }

  /// It has failed for that reason, and the router has nothing but what the neighbour has.
  static void expect_refused(world& w, protocol by) {
    ASSERT_EQ(kinds(w), std::vector{event_kind::failed});
    const failure& why = w.events()[0].event.why;
    EXPECT_EQ(why.reason, errc::external_not_available);
    const auto* const of = reason_for(why, by);
    ASSERT_NE(of, nullptr);
    EXPECT_EQ(of->reason, errc::external_not_available);
    EXPECT_TRUE(of->retry_after);
    EXPECT_EQ(w.events()[0].event.info.external, endpoint{});
    EXPECT_EQ(w.router().rules().size(), 1U);
    EXPECT_FALSE(router_holds(w, 8080));
  }
};

TEST_F(prefer_failure, maps_the_port_where_it_is_free) {
  world& w = begin();
  const mapping_id id = w.create(exactly());
  w.run_for(2h);
  ASSERT_EQ(kinds(w), std::vector{event_kind::mapped});
  EXPECT_EQ(w.events()[0].at, 2ms);
  EXPECT_EQ(w.events()[0].event.info.external.port, wanted_port);
  const auto sent = options_sent(w);
  ASSERT_GE(sent.size(), 2U) << "renewed";
  for (const auto& each : sent) EXPECT_EQ(each, std::vector{2U});
  w.release(id);
  w.run_for(1s);
  EXPECT_EQ(w.last_event(id)->event.how, removal::deleted);
  EXPECT_EQ(options_sent(w).back(), std::vector<unsigned>{});
}

TEST_F(prefer_failure, is_sent_only_by_who_wants_it) {
  world& w = begin_mapped();
  for (const auto& each : options_sent(w)) EXPECT_TRUE(each.empty());
}

TEST_F(prefer_failure, is_told_of_a_taken_port_at_once) {
  world& w = begin();
  occupy(w);
  w.create(exactly());
  w.run_for(10s);
  expect_refused(w, protocol::pcp);
  EXPECT_EQ(w.events()[0].event.why.protocols[0].result_code, 11);
  EXPECT_EQ(options_sent(w).size(), 1U) << "no other port is asked for";
}

TEST_F(prefer_failure, maps_the_port_when_it_is_free_again) {
  world& w = begin();
  occupy(w);
  w.create(exactly());
  w.run_for(10s);
  w.router().forget(transport::tcp, wanted_port);
  w.run_for(2h);
  ASSERT_EQ(kinds(w), (std::vector{event_kind::failed, event_kind::mapped}));
  EXPECT_EQ(w.events()[1].event.info.external.port, wanted_port);
}

TEST_F(prefer_failure, that_is_not_heeded_gives_the_other_port_back) {
  scene what;
  what.router.ignores_prefer_failure = true;
  world& w = begin(what);
  occupy(w);
  w.create(exactly(protocol_filter::pcp));
  w.run_for(10s);
  expect_refused(w, protocol::pcp);
  EXPECT_EQ(w.events()[0].at, 4ms) << "asked, and deleted";
}

TEST_F(prefer_failure, that_is_not_known_is_done_without) {
  scene what;
  what.router.serves_map_options = false;
  world& w = begin(what);
  w.create(exactly());
  w.run_for(2h);
  ASSERT_EQ(kinds(w), std::vector{event_kind::mapped});
  EXPECT_EQ(w.events()[0].event.info.external.port, wanted_port);
  const auto sent = options_sent(w);
  EXPECT_EQ(sent[0], std::vector{2U});
  EXPECT_EQ(std::ranges::count(sent, std::vector<unsigned>{}),
            static_cast<std::ptrdiff_t>(sent.size() - 1));
}

TEST_F(prefer_failure, that_is_not_known_gives_the_other_port_back) {
  scene what;
  what.router.serves_map_options = false;
  what.link.duplicate_percent = 100;
  world& w = begin(what);
  occupy(w);
  w.create(exactly());
  w.run_for(10s);
  expect_refused(w, protocol::pcp);
}

TEST_F(prefer_failure, in_nat_pmp_gives_the_other_port_back) {
  world& w = begin(with(nat_pmp_only_router()));
  occupy(w);
  w.create(exactly());
  w.run_for(10s);
  expect_refused(w, protocol::nat_pmp);
  w.router().forget(transport::tcp, wanted_port);
  w.run_for(1h);
  ASSERT_EQ(w.count_events(event_kind::mapped), 1U);
  EXPECT_EQ(w.events().back().event.info.external, (endpoint{wan_side, wanted_port}));
}

TEST_F(prefer_failure, for_an_address_gives_back_what_leads_out_elsewhere) {
  for (const bool speaks_pcp : {true, false}) {
    scene what;
    what.router.speaks_pcp = speaks_pcp;
    world& w = begin(what);
    map_request wanted = exactly();
    wanted.external_address = v4(198, 51, 100, 8);
    w.create(wanted);
    w.run_for(10s);
    ASSERT_EQ(kinds(w), std::vector{event_kind::failed});
    EXPECT_EQ(w.events()[0].event.why.reason, errc::external_not_available);
    EXPECT_TRUE(w.router().rules().empty());
  }
}

TEST_F(prefer_failure, loses_a_mapping_that_is_another_after_a_renewal) {
  for (const bool speaks_pcp : {true, false}) {
    scene what;
    what.router.speaks_pcp = speaks_pcp;
    world& w = begin(what);
    const mapping_id id = w.create(exactly());
    w.run_for(10s);
    ASSERT_EQ(kinds(w), std::vector{event_kind::mapped});
    // The rule is lost without a restart, and the port is somebody's now.
    w.router().forget(transport::tcp, wanted_port);
    occupy(w);
    w.router().behaviour().ignores_prefer_failure = true;
    ASSERT_TRUE(w.run_until([&] { return w.last_event(id)->event.kind == event_kind::lost; }, 2h));
    EXPECT_EQ(w.last_event(id)->event.why.reason, errc::external_not_available);
    w.run_for(1min);
    EXPECT_FALSE(router_holds(w, 8080)) << "given back";
    w.router().forget(transport::tcp, wanted_port);
    w.run_for(2h);
    EXPECT_EQ(kinds(w), (std::vector{event_kind::mapped, event_kind::lost, event_kind::mapped}));
    EXPECT_EQ(w.last_event(id)->event.info.external.port, wanted_port);
  }
}

TEST_F(prefer_failure, loses_a_mapping_whose_renewal_is_refused_for_the_port) {
  world& w = begin();
  const mapping_id id = w.create(exactly());
  w.run_for(10s);
  w.router().forget(transport::tcp, wanted_port);
  occupy(w);
  ASSERT_TRUE(w.run_until([&] { return w.last_event(id)->event.kind == event_kind::lost; }, 2h));
  EXPECT_LT(w.now(), 7'000s) << "not only when its lease ends";
  EXPECT_EQ(w.last_event(id)->event.why.reason, errc::external_not_available);
}

TEST_F(prefer_failure, is_content_with_another_address_where_none_was_named) {
  world& w = begin();
  const mapping_id id = w.create(exactly());
  w.run_for(10s);
  w.set_public_address(v4(198, 51, 100, 9));
  w.run_for(2h);
  EXPECT_EQ(w.last_event(id)->event.info.external, (endpoint{v4(198, 51, 100, 9), wanted_port}));
  EXPECT_TRUE(router_holds(w, 8080));
}

TEST_F(prefer_failure, leaves_nothing_behind_where_packets_are_lost) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    scene what;
    what.seed = seed;
    what.link.loss_percent = 30;
    what.router.speaks_pcp = seed % 2 == 0;
    what.router.ignores_prefer_failure = true;
    world& w = begin(what);
    occupy(w);
    const mapping_id id = w.create(exactly());
    w.run_for(1min);
    EXPECT_EQ(w.count_events(event_kind::mapped), 0U) << seed;
    w.release(id);
    w.run_for(10s);
    const mapping_event& over = w.last_event(id)->event;
    ASSERT_EQ(over.kind, event_kind::removed) << seed;
    EXPECT_TRUE(over.how == removal::left_to_expire || w.router().rules().size() == 1) << seed;
  }
}

TEST_F(prefer_failure, gets_the_port_where_packets_are_lost) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    scene what;
    what.seed = seed;
    what.link.loss_percent = 30;
    what.router.speaks_pcp = seed % 2 == 0;
    what.router.serves_map_options = seed % 4 == 0;
    world& w = begin(what);
    w.create(exactly());
    w.run_for(10min);
    ASSERT_EQ(w.count_events(event_kind::mapped), 1U) << seed;
    EXPECT_EQ(w.events().back().event.info.external.port, wanted_port) << seed;
  }
}

TEST_F(prefer_failure, without_a_port_makes_no_sense) {
  world& w = begin();
  map_request wanted = exactly();
  wanted.external_port = 0;
  w.create(wanted);
  ASSERT_EQ(kinds(w), std::vector{event_kind::failed});
  EXPECT_EQ(w.events()[0].event.why.reason, errc::invalid_argument);
}

TEST_F(prefer_failure, shares_a_mapping_only_with_the_wanted_port) {
  world& w = begin_mapped();
  const mapping_id other = w.create(exactly());
  w.run_for(1s);
  EXPECT_EQ(w.last_event(other)->event.why.reason, errc::already_mapped);
  map_request same = exactly();
  same.external_port = 8080;
  const mapping_id fitting = w.create(same);
  EXPECT_EQ(w.last_event(fitting)->event.kind, event_kind::mapped);
}

TEST_F(prefer_failure, is_passed_by_where_the_host_itself_is_public) {
  world& w = begin();
  w.set_network(world::one_route(v4(93, 184, 216, 1), v4(93, 184, 216, 34)));
  const mapping_id other = w.create(exactly());
  w.run_for(1s);
  EXPECT_EQ(w.last_event(other)->event.why.reason, errc::external_not_available);
}

class prefer_failure_in_upnp : public upnp_scenario, public testing::WithParamInterface<int> {
 protected:
  static scene upnp_of_version(int version) {
    upnp_profile how;
    how.version = static_cast<std::uint8_t>(version);
    return upnp_only(how);
  }
};

INSTANTIATE_TEST_SUITE_P(versions, prefer_failure_in_upnp, testing::Values(1, 2));

TEST_P(prefer_failure_in_upnp, maps_the_port_where_it_is_free) {
  world& w = begin(upnp_of_version(GetParam()));
  w.create(exactly());
  w.run_for(2h);
  ASSERT_EQ(kinds(w), std::vector{event_kind::mapped});
  EXPECT_EQ(w.events()[0].event.info.external.port, wanted_port);
  EXPECT_TRUE(requests_for(w, "AddAnyPortMapping").empty());
}

TEST_P(prefer_failure_in_upnp, climbs_to_no_other_port) {
  world& w = begin(upnp_of_version(GetParam()));
  w.router().occupy(transport::tcp, wanted_port, {neighbour_host, 80});
  w.create(exactly());
  EXPECT_EQ(upnp_failure(w, 30s), errc::external_not_available);
  EXPECT_EQ(w.router().rules().size(), 1U);
}

TEST_P(prefer_failure_in_upnp, does_not_take_over_what_this_host_has_there) {
  world& w = begin(upnp_of_version(GetParam()));
  map_request first = request();
  first.external_port = wanted_port;
  const mapping_id owner = w.create(first);
  w.run_for(5s);
  map_request second = exactly();
  second.internal_port = 8081;
  const mapping_id later = w.create(second);
  w.run_for(5s);
  EXPECT_EQ(w.last_event(owner)->event.kind, event_kind::mapped);
  EXPECT_EQ(w.last_event(later)->event.kind, event_kind::failed);
  EXPECT_EQ(w.last_event(later)->event.why.reason, errc::external_not_available);
  EXPECT_TRUE(router_holds(w, 8080));
}

TEST_P(prefer_failure_in_upnp, of_two_that_want_the_same_port_the_first_gets_it) {
  world& w = begin(upnp_of_version(GetParam()));
  const mapping_id first = w.create(exactly());
  map_request other = exactly();
  other.internal_port = 8081;
  const mapping_id second = w.create(other);
  w.run_for(5s);
  EXPECT_EQ(w.last_event(first)->event.kind, event_kind::mapped);
  EXPECT_EQ(w.last_event(second)->event.why.reason, errc::external_not_available);
}

TEST_P(prefer_failure_in_upnp, gives_back_what_leads_out_elsewhere) {
  world& w = begin(upnp_of_version(GetParam()));
  map_request wanted = exactly();
  wanted.external_address = v4(198, 51, 100, 8);
  w.create(wanted);
  EXPECT_EQ(upnp_failure(w, 30s), errc::external_not_available);
  EXPECT_TRUE(w.router().rules().empty());
}

}  // namespace
}  // namespace damson::sim
