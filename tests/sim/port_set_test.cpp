// Ports in a row, which a PCP server maps as one where it knows PORT_SET (RFC 7753).

#include <utility>
#include <vector>

#include "ports_scenario.hpp"
#include "upnp_scenario.hpp"

namespace damson::sim {
namespace {

struct sent_set {
  std::uint16_t first = 0;
  std::uint16_t size = 1;  ///< 1: without the option
  std::uint32_t lifetime = 0;

  friend bool operator==(const sent_set&, const sent_set&) = default;
};

/// What each MAP request asked for.
std::vector<sent_set> sets_sent(const world& w) {
  std::vector<sent_set> out;
  for (const auto& record : w.packets()) {
    const auto map = read_pcp_map(record.datagram.bytes);
    if (record.way != direction::to_router || !map) continue;
    sent_set& one = out.emplace_back(sent_set{map->internal_port, 1, map->lifetime});
    reader in{record.datagram.bytes};
    in.take(60);
    while (in.remaining() > 0) {
      const auto code = in.u8();
      in.u8();
      const auto length = in.u16();
      reader data{in.take((std::size_t{length} + 3) / 4 * 4)};
      if (code != 130) continue;
      one.size = data.u16();
      EXPECT_EQ(data.u16(), map->internal_port);
    }
  }
  return out;
}

scene with_sets(std::uint16_t largest = 8) {
  scene what;
  what.router.largest_port_set = largest;
  return what;
}

class port_set : public ports {
 protected:
  static void expect_in_a_row(const world& w, std::uint16_t parts) {
    for (std::uint16_t part = 1; part <= parts; ++part) {
      ASSERT_TRUE(is_up(w, part)) << part;
      EXPECT_EQ(last_of(w, part)->info.internal.port, 8079 + part);
      EXPECT_EQ(outside(w, part), outside(w, 1) + part - 1);
    }
  }
};

TEST_F(port_set, is_asked_for_in_one_request) {
  world& w = begin(with_sets());
  const mapping_id id = w.create(row_of_ports(8, false));
  w.run_for(1s);
  expect_in_a_row(w, 8);
  EXPECT_EQ(sets_sent(w), (std::vector<sent_set>{{8080, 8, 7200}}));
  EXPECT_EQ(w.events().back().at, 2ms) << "one round trip for all";
  EXPECT_EQ(w.events().back().event.awaited, 0U);
  EXPECT_EQ(rules_of_host(w), 8U);
  w.release(id);
  w.run_for(1s);
  EXPECT_EQ(sets_sent(w).back(), (sent_set{8080, 8, 0}));
  EXPECT_EQ(sets_sent(w).size(), 2U) << "and given back in one";
  EXPECT_EQ(w.last_event(id)->event.how, removal::deleted);
  EXPECT_EQ(rules_of_host(w), 0U);
  EXPECT_FALSE(w.engine_deadline());
}

TEST_F(port_set, is_renewed_as_one_for_a_day) {
  for (const unsigned loss : losses) {
    scene what = with_sets();
    what.link.loss_percent = loss;
    world& w = begin(what);
    const mapping_id id = w.create(row_of_ports(8));
    w.run_for(24h);
    expect_in_a_row(w, 8);
    EXPECT_EQ(rules_of_host(w), 8U) << loss;
    for (const auto& each : sets_sent(w)) EXPECT_EQ(each, (sent_set{8080, 8, 7200}));
    EXPECT_EQ(w.count_events(event_kind::lost), 0U) << loss;
    w.release(id);
    w.run_for(3s);
    EXPECT_EQ(w.count_events(event_kind::removed), 1U);
    EXPECT_TRUE(rules_of_host(w) == 0 || loss != 0);
  }
}

TEST_F(port_set, that_is_smaller_is_followed_by_the_next) {
  world& w = begin(with_sets(3));
  const mapping_id id = w.create(row_of_ports(8));
  w.run_for(1s);
  expect_in_a_row(w, 8);
  EXPECT_EQ(sets_sent(w),
            (std::vector<sent_set>{{8080, 8, 7200}, {8083, 5, 7200}, {8086, 2, 7200}}));
  w.run_for(3h);
  for (const auto& each : sets_sent(w)) {
    if (each == sent_set{8080, 8, 7200} || each == sent_set{8083, 5, 7200}) continue;
    EXPECT_EQ(each.size, each.first == 8086 ? 2 : 3) << "renewed as it was granted";
  }
  w.release(id);
  w.run_for(1s);
  EXPECT_EQ(w.last_event(id)->event.how, removal::deleted);
  EXPECT_EQ(rules_of_host(w), 0U);
}

TEST_F(port_set, that_is_not_known_is_done_without) {
  world& w = begin();
  const mapping_id id = w.create(row_of_ports(4));
  w.run_for(1s);
  expect_in_a_row(w, 4);
  EXPECT_EQ(sets_sent(w), (std::vector<sent_set>{
                              {8080, 4, 7200}, {8081, 1, 7200}, {8082, 1, 7200}, {8083, 1, 7200}}));
  EXPECT_EQ(w.events().back().at, 4ms);
  map_request more = row_of_ports(2);
  more.internal_port = 9000;
  w.create(more);
  w.run_for(1s);
  EXPECT_EQ(sets_sent(w)[4], (sent_set{9000, 1, 7200})) << "nor asked for again";
  w.release(id);
  w.run_for(1s);
  EXPECT_EQ(w.last_event(id)->event.how, removal::deleted);
  EXPECT_EQ(rules_of_host(w), 2U);
}

TEST_F(port_set, that_is_refused_as_an_option_is_done_without) {
  world& w = begin(with_sets());
  w.courier = [](const packet_record& record) -> std::optional<std::chrono::nanoseconds> {
    if (record.way == direction::to_router && record.datagram.bytes.size() == 72) return {};
    return 1ms;
  };
  w.create(row_of_ports(3));
  w.run_for(5ms);
  // As of a server that takes the option for a mandatory one.
  const auto asked =
      w.sent([](std::span<const std::byte> sent) { return read_pcp_map(sent).has_value(); });
  ASSERT_EQ(asked.size(), 1U);
  datagram refusal{asked[0].datagram.to, asked[0].datagram.from, asked[0].datagram.bytes};
  refusal.bytes[1] = std::byte{0x81};
  refusal.bytes[3] = std::byte{5};
  refusal.bytes[10] = std::byte{0x0e};  // epoch 3600
  refusal.bytes[11] = std::byte{0x10};
  ASSERT_TRUE(w.inject(refusal));
  w.run_for(1s);
  expect_in_a_row(w, 3);
  EXPECT_EQ(sets_sent(w)[1].size, 1U);
}

TEST_F(port_set, leaves_alone_what_has_a_mapping_already) {
  world& w = begin(with_sets());
  const mapping_id alone = w.create(request(8083));
  w.run_for(1s);
  const mapping_id row = w.create(row_of_ports(6));
  w.run_for(1s);
  expect_in_a_row(w, 6);
  EXPECT_EQ(sets_sent(w),
            (std::vector<sent_set>{{8083, 1, 7200}, {8080, 3, 7200}, {8084, 2, 7200}}));
  w.release(row);
  w.run_for(1s);
  EXPECT_EQ(w.last_event(row)->event.how, removal::still_shared);
  EXPECT_EQ(rules_of_host(w), 1U);
  EXPECT_EQ(w.last_event(alone)->event.kind, event_kind::mapped);
}

TEST_F(port_set, that_ends_leaves_a_port_to_who_wants_it_yet) {
  world& w = begin(with_sets());
  const mapping_id row = w.create(row_of_ports(4));
  w.run_for(1s);
  const mapping_id alone = w.create(request(8082));
  w.run_for(1s);
  ASSERT_NE(w.last_event(alone), nullptr);
  EXPECT_EQ(w.last_event(alone)->event.kind, event_kind::mapped);
  EXPECT_EQ(sets_sent(w).size(), 1U) << "the set has it";
  w.release(row);
  w.run_for(1s);
  EXPECT_EQ(rules_of_host(w), 1U) << "made anew alone";
  EXPECT_TRUE(router_holds(w, 8082));
  EXPECT_EQ(w.last_event(alone)->event.kind, event_kind::mapped);
  EXPECT_TRUE(w.last_event(alone)->event.regained);
  w.release(alone);
  w.run_for(1s);
  EXPECT_EQ(w.last_event(alone)->event.how, removal::deleted);
  EXPECT_EQ(rules_of_host(w), 0U);
}

TEST_F(port_set, one_of_which_is_shared_ends_without_it) {
  world& w = begin(with_sets());
  const mapping_id row = w.create(row_of_ports(4));
  w.run_for(1s);
  const mapping_id first = w.create(request(8080));
  w.run_for(1s);
  w.release(row);
  w.run_for(3h);
  EXPECT_EQ(w.last_event(row)->event.how, removal::still_shared);
  EXPECT_EQ(w.last_event(first)->event.kind, event_kind::mapped);
  w.release(first);
  w.run_for(1s);
  EXPECT_EQ(w.last_event(first)->event.how, removal::deleted);
  EXPECT_EQ(rules_of_host(w), 0U) << "it was one mapping until then";
}

TEST_F(port_set, is_made_again_after_a_restart) {
  for (const bool kept : {false, true}) {
    for (const unsigned loss : losses) {
      world& w = begin(with_sets());
      w.create(row_of_ports(8));
      w.run_for(1min);
      const auto before = sets_sent(w).size();
      w.link().loss_percent = loss;
      w.reboot_router(kept);
      ASSERT_TRUE(w.run_until([&] { return w.count_events(event_kind::lost) == 8; }, 10min));
      ASSERT_TRUE(w.run_until([&] { return are_up(w, 8); }, 10min)) << loss;
      expect_in_a_row(w, 8);
      EXPECT_EQ(outside(w, 1), 8080);
      EXPECT_EQ(rules_of_host(w), 8U);
      const auto sent = sets_sent(w);
      for (std::size_t i = before; i < sent.size(); ++i) EXPECT_EQ(sent[i].size, 8);
    }
  }
}

TEST_F(port_set, that_comes_back_smaller_is_followed_by_the_next) {
  world& w = begin(with_sets());
  w.create(row_of_ports(6));
  w.run_for(1min);
  w.router().behaviour().largest_port_set = 4;
  w.reboot_router();
  w.run_for(10min);
  expect_in_a_row(w, 6);
  EXPECT_EQ(rules_of_host(w), 6U);
}

TEST_F(port_set, that_ends_with_its_lease_is_lost_as_a_whole) {
  world& w = begin(with_sets());
  w.create(row_of_ports(4));
  w.run_for(1min);
  w.set_plugged(false);
  w.run_for(3h);
  for (std::uint32_t part = 1; part <= 4; ++part) {
    EXPECT_EQ(last_of(w, part)->kind, event_kind::lost);
    EXPECT_EQ(last_of(w, part)->why.reason, errc::lease_expired);
  }
  w.set_plugged(true);
  w.run_for(30min);
  expect_in_a_row(w, 4);
  EXPECT_EQ(rules_of_host(w), 4U);
}

TEST_F(port_set, goes_elsewhere_as_one_where_all_are_wanted) {
  for (const unsigned loss : losses) {
    scene what = with_sets(2);
    what.link.loss_percent = loss;
    world& w = begin(what);
    occupy(w, 8083, transport::tcp);
    const mapping_id id = w.create(row_of_ports(4));
    ASSERT_TRUE(w.run_until([&] { return are_up(w, 4); }, 1min)) << loss;
    expect_in_a_row(w, 4);
    EXPECT_EQ(rules_of_host(w), 4U);
    w.release(id);
    w.run_for(3s);
    EXPECT_TRUE(rules_of_host(w) == 0 || loss != 0);
  }
}

TEST_F(port_set, of_a_silent_router_is_waited_for_as_one) {
  for (const bool all : {false, true}) {
    world& w = begin(with_sets());
    w.set_plugged(false);
    const mapping_id id = w.create(row_of_ports(4, all));
    w.run_for(10min);
    EXPECT_EQ(w.event_count(), 4U) << all;
    for (std::uint32_t part = 1; part <= 4; ++part) {
      EXPECT_EQ(last_of(w, part)->why.reason, errc::no_answer);
    }
    for (const auto& each : sets_sent(w)) EXPECT_EQ(each, (sent_set{8080, 4, 7200}));
    w.set_plugged(true);
    w.run_for(10min);
    expect_in_a_row(w, 4);
    EXPECT_EQ(rules_of_host(w), 4U);
    w.set_plugged(false);
    w.release(id);
    w.run_for(3s);
    EXPECT_EQ(w.last_event(id)->event.how, removal::left_to_expire);
    EXPECT_FALSE(w.engine_deadline());
  }
}

TEST_F(port_set, of_both_transports_are_two) {
  world& w = begin(with_sets());
  map_request wanted = row_of_ports(4);
  wanted.both_transports = true;
  const mapping_id id = w.create(wanted);
  w.run_for(1s);
  ASSERT_TRUE(are_up(w, 8));
  EXPECT_EQ(sets_sent(w), (std::vector<sent_set>{{8080, 4, 7200}, {8080, 4, 7200}}));
  for (std::uint32_t part = 1; part <= 4; ++part) EXPECT_EQ(outside(w, part), outside(w, part + 4));
  w.release(id);
  w.run_for(1s);
  EXPECT_EQ(rules_of_host(w), 0U);
}

TEST_F(port_set, that_is_released_meanwhile_leaves_nothing) {
  for (int step = 0; step < 40; ++step) {
    for (const bool keep : {false, true}) {
      world& w = begin(with_sets(3));
      occupy(w, 8084, transport::tcp);
      const mapping_id id = w.create(row_of_ports(7));
      w.run_for(step * 500us);
      const bool had_rules = rules_of_host(w) != 0;
      w.release(id, keep);
      const auto sent = w.sent_count();
      w.run_for(5s);
      EXPECT_EQ(w.count_events(event_kind::removed), 1U) << step;
      EXPECT_TRUE(keep || rules_of_host(w) == 0) << step;
      EXPECT_TRUE(!keep || !had_rules || w.sent_count() == sent) << step << ": nothing is sent";
      EXPECT_FALSE(w.engine_deadline()) << step;
    }
  }
}

TEST_F(port_set, ends_with_the_client) {
  for (const bool at_once : {false, true}) {
    world& w = begin(with_sets());
    w.create(row_of_ports(8));
    w.run_for(1s);
    w.close(at_once);
    w.run_for(5s);
    EXPECT_TRUE(w.closed());
    EXPECT_EQ(w.count_events(event_kind::removed), 1U);
    EXPECT_EQ(rules_of_host(w), 0U);
    EXPECT_EQ(sets_sent(w).size(), 2U) << "one delete";
  }
}

TEST_F(port_set, is_not_asked_for_where_the_network_is_another_one) {
  world& w = begin(with_sets());
  w.create(row_of_ports(4));
  w.run_for(1s);
  const ip_address next_router = v4(192, 168, 7, 1);
  profile next;
  next.largest_port_set = 8;
  gateway& other = w.add_router(next, next_router, v4(203, 0, 113, 80));
  w.set_network(world::one_route(next_router, v4(192, 168, 7, 100)));
  w.run_for(1min);
  EXPECT_EQ(count(w, event_kind::lost, 4), 1U);
  expect_in_a_row(w, 4);
  EXPECT_EQ(other.rules().size(), 4U);
}

TEST_F(port_set, beyond_a_second_router_is_asked_for_port_by_port) {
  scene what = with_sets();
  what.public_address = v4(100, 64, 0, 5);
  upstream_settings beyond;
  beyond.how.largest_port_set = 8;
  beyond.lan = v4(100, 64, 0, 1);
  beyond.wan = v4(203, 0, 113, 80);
  what.upstream = beyond;
  what.client.upstream = beyond.lan;
  world& w = begin(what);
  const mapping_id id = w.create(row_of_ports(3));
  ASSERT_TRUE(w.run_until([&] { return are_up(w, 3); }, 30s));
  expect_in_a_row(w, 3);
  EXPECT_EQ(last_of(w, 3)->info.hops.size(), 2U);
  EXPECT_EQ(w.upstream().rules().size(), 3U);
  w.release(id);
  w.run_for(3s);
  EXPECT_EQ(w.upstream().rules().size(), 0U);
  EXPECT_EQ(rules_of_host(w), 0U);
}

}  // namespace
}  // namespace damson::sim
