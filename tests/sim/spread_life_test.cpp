// How a request for several addresses begins and ends, and what bounds it.

#include <array>
#include <variant>

#include "base/random.hpp"
#include "spread_scenario.hpp"

namespace damson::sim {
namespace {

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
