// Only some peers may come in (RFC 6887 section 13.3, Q-31).

#include <vector>

#include "upnp_scenario.hpp"

namespace damson::sim {
namespace {

constexpr ip_address friendly = v4(203, 0, 113, 5);
constexpr ip_address stranger = v4(203, 0, 114, 5);

/// TCP 8080 for 203.0.113.0/24, and for one port of one host.
map_request for_friends(protocol_filter protocols = protocol_filter::any) {
  map_request out = request(protocols);
  out.peers = {{.address = v4(203, 0, 113, 0), .prefix_length = 24, .port = 0},
               {.address = stranger, .prefix_length = 32, .port = 443}};
  return out;
}

class filter : public scenario {
 protected:
  static const nat_rule& rule_of(world& w) {
    const nat_rule* const found =
        w.router().table().at_internal(transport::tcp, {world::host_address, 8080});
    static const nat_rule none;
    EXPECT_NE(found, nullptr);
    return found == nullptr ? none : *found;
  }

  static void expect_open_to_all(world& w) {
    ASSERT_EQ(kinds(w), std::vector{event_kind::mapped});
    EXPECT_FALSE(w.events()[0].event.info.filtered);
    EXPECT_TRUE(rule_of(w).filters.empty());
  }
};

TEST_F(filter, lets_in_those_who_are_named) {
  world& w = begin();
  w.create(for_friends());
  w.run_for(1s);
  ASSERT_EQ(kinds(w), std::vector{event_kind::mapped});
  EXPECT_EQ(w.events()[0].at, 2ms);
  EXPECT_TRUE(w.events()[0].event.info.filtered);
  EXPECT_TRUE(rule_of(w).lets_in({friendly, 40'000}));
  EXPECT_TRUE(rule_of(w).lets_in({stranger, 443}));
  EXPECT_FALSE(rule_of(w).lets_in({stranger, 444}));
  EXPECT_FALSE(rule_of(w).lets_in({v4(203, 0, 112, 5), 443}));
}

TEST_F(filter, is_the_same_after_renewals_and_a_restart) {
  world& w = begin();
  w.create(for_friends());
  w.run_for(6h);
  EXPECT_EQ(rule_of(w).filters.size(), 2U);
  w.reboot_router();
  w.run_for(1h);
  EXPECT_EQ(w.events().back().event.kind, event_kind::mapped);
  EXPECT_TRUE(w.events().back().event.info.filtered);
  EXPECT_EQ(rule_of(w).filters.size(), 2U);
}

TEST_F(filter, that_the_router_does_not_know_is_done_without) {
  scene what;
  what.router.serves_map_options = false;
  world& w = begin(what);
  w.create(for_friends());
  w.run_for(1s);
  expect_open_to_all(w);
  EXPECT_EQ(w.events()[0].at, 4ms);
}

TEST_F(filter, that_is_too_long_for_the_router_is_done_without) {
  scene what;
  what.router.max_filters = 1;
  world& w = begin(what);
  w.create(for_friends());
  w.run_for(1s);
  expect_open_to_all(w);
}

TEST_F(filter, that_nat_pmp_and_upnp_cannot_carry_is_done_without) {
  world& by_nat_pmp = begin(with(nat_pmp_only_router()));
  by_nat_pmp.create(for_friends());
  by_nat_pmp.run_for(1s);
  expect_open_to_all(by_nat_pmp);
  world& by_upnp = begin(upnp_only());
  by_upnp.create(for_friends());
  by_upnp.run_for(10s);
  expect_open_to_all(by_upnp);
}

TEST_F(filter, that_the_router_takes_and_ignores_is_told_as_taken) {
  scene what;
  what.router.ignores_filters = true;
  world& w = begin(what);
  w.create(for_friends());
  w.run_for(1s);
  ASSERT_EQ(kinds(w), std::vector{event_kind::mapped});
  EXPECT_TRUE(w.events()[0].event.info.filtered) << "acceptance is no proof";
  EXPECT_TRUE(rule_of(w).lets_in({v4(203, 0, 112, 5), 443})) << "so a program checks who comes";
}

TEST_F(filter, that_is_refused_twice_is_refused_once) {
  scene what;
  what.router.serves_map_options = false;
  what.link.latency = 150ms;  // so the request goes out twice, and is refused twice
  what.link.duplicate_percent = 50;
  world& w = begin(what);
  w.create(for_friends());
  w.run_for(10s);
  expect_open_to_all(w);
}

TEST_F(filter, holds_where_packets_are_lost) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    scene what;
    what.seed = seed;
    what.link.loss_percent = 30;
    what.router.serves_map_options = seed % 2 == 0;
    world& w = begin(what);
    w.create(for_friends(protocol_filter::pcp_only));
    w.run_for(10min);
    ASSERT_EQ(w.count_events(event_kind::mapped), 1U) << seed;
    EXPECT_EQ(w.events().back().event.info.filtered, what.router.serves_map_options) << seed;
    EXPECT_EQ(rule_of(w).filters.size(), what.router.serves_map_options ? 2U : 0U) << seed;
  }
}

TEST_F(filter, is_shared_only_by_those_who_want_the_same) {
  world& w = begin();
  const mapping_id first = w.create(for_friends());
  w.run_for(1s);
  const mapping_id same = w.create(for_friends());
  EXPECT_EQ(w.last_event(same)->event.kind, event_kind::mapped);
  const mapping_id open = w.create(request());
  EXPECT_EQ(w.last_event(open)->event.why.reason, errc::already_mapped);
  w.release(first);
  w.release(same);
  w.run_for(1s);
  EXPECT_EQ(w.last_event(open)->event.kind, event_kind::mapped) << "when the others are gone";
  EXPECT_FALSE(w.last_event(open)->event.info.filtered);
  EXPECT_TRUE(rule_of(w).filters.empty());
}

TEST_F(filter, of_more_peers_or_bits_than_there_can_be_makes_no_sense) {
  map_request too_long = request();
  too_long.peers = {{.address = friendly, .prefix_length = 33}};
  map_request all_of_ipv6 = request();  // in PCP this takes all filters back
  all_of_ipv6.peers = {{.address = ip_address::any_v6(), .prefix_length = 0}};
  for (const map_request& each : {too_long, all_of_ipv6}) {
    world& w = begin();
    w.create(each);
    ASSERT_EQ(kinds(w), std::vector{event_kind::failed});
    EXPECT_EQ(w.events()[0].event.why.reason, errc::invalid_argument);
  }
  map_request as_many = request();
  for (std::size_t i = 0; i < peer_list::capacity; ++i) {
    as_many.peers.push_back({.address = friendly, .prefix_length = 32});
  }
  EXPECT_THROW(as_many.peers.push_back({.address = friendly}), std::length_error);
  world& w = begin();
  w.create(as_many);
  w.run_for(1s);
  EXPECT_EQ(w.events()[0].event.kind, event_kind::mapped);
}

}  // namespace
}  // namespace damson::sim
