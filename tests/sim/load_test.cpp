// Many mappings at once.

#include <algorithm>
#include <set>

#include "scenario.hpp"

namespace damson::sim {
namespace {

class load : public scenario {};

TEST_F(load, a_thousand_mappings_on_a_20_ms_path_take_well_under_a_second) {
  scene what;
  what.link.latency = 10ms;
  world& w = begin(what);
  for (std::uint16_t i = 0; i < 1'000; ++i) w.create(request(static_cast<std::uint16_t>(8000 + i)));
  w.run_for(500ms);
  EXPECT_EQ(w.count_events(event_kind::mapped), 1'000U);
  EXPECT_EQ(w.router().rules().size(), 1'000U);
  std::set<nonce_bytes> nonces;
  for (const auto& map : pcp_maps(w)) nonces.insert(map.map.nonce);
  EXPECT_EQ(nonces.size(), 1'000U);
  EXPECT_LE(w.events().back().at, 220ms) << "nine windows of 64, and of 128 soon";
  EXPECT_EQ(w.sent(is_pcp).size(), 1'000U);
  EXPECT_LE(w.sent_count(), 1'005U);  // and a question in NAT-PMP, and a search of two targets
}

TEST_F(load, no_more_requests_are_under_way_than_answers_have_room) {
  scene what;
  what.link.latency = 10ms;
  world& w = begin(what);
  for (std::uint16_t i = 0; i < 5'000; ++i) w.create(request(static_cast<std::uint16_t>(8000 + i)));
  std::size_t most = 0;
  w.run_until(
      [&] {
        most = std::max(most, pcp_maps(w).size() - w.router().rules().size());
        return w.count_events(event_kind::mapped) == 5'000;
      },
      10s);
  EXPECT_EQ(w.count_events(event_kind::mapped), 5'000U);
  EXPECT_LE(most, 128U);
  EXPECT_LE(w.events().back().at, 1s);
}

TEST_F(load, a_pcp_server_that_is_busy_is_waited_for) {
  scene what;
  what.router.speaks_upnp = true;
  world& w = begin(what);
  bool is_first = true;
  w.courier = [&](const packet_record& record) -> std::optional<nanoseconds> {
    const bool is_late = record.way == direction::to_host && is_pcp(record.datagram.bytes) &&
                         !std::exchange(is_first, false);
    return is_late ? 120ms : 1ms;
  };
  for (std::uint16_t i = 0; i < 10; ++i) w.create(request(static_cast<std::uint16_t>(8000 + i)));
  w.run_for(5s);
  EXPECT_EQ(w.count_events(event_kind::mapped), 10U);
  for (const auto& each : w.events()) EXPECT_EQ(each.event.info.protocol, protocol::pcp);
  EXPECT_TRUE(nat_pmp_maps(w).empty());
  EXPECT_EQ(w.router().rules().size(), 10U);
}

TEST_F(load, what_a_lossy_link_loses_is_sent_again) {
  scene what;
  what.link.latency = 10ms;
  what.link.loss_percent = 30;
  world& w = begin(what);
  for (std::uint16_t i = 0; i < 1'000; ++i) w.create(request(static_cast<std::uint16_t>(8000 + i)));
  w.run_for(1min);
  EXPECT_EQ(w.count_events(event_kind::mapped), 1'000U);
  EXPECT_EQ(w.router().rules().size(), 1'000U);
}

TEST_F(load, of_a_silent_router_no_more_than_a_window_is_asked) {
  scene what;
  what.router.speaks_pcp = what.router.speaks_nat_pmp = false;
  what.router.closed_port_refuses = false;
  world& w = begin(what);
  for (std::uint16_t i = 0; i < 1'000; ++i) w.create(request(static_cast<std::uint16_t>(8000 + i)));
  w.run_for(4'500ms);
  EXPECT_EQ(w.count_events(event_kind::failed), 1'000U) << "who waited is told with the others";
  EXPECT_LE(pcp_maps(w).size(), 64U * 5U + 15 * 8U * 5U);
}

TEST_F(load, a_thousand_are_released_as_fast_as_they_were_made) {
  scene what;
  what.link.latency = 10ms;
  world& w = begin(what);
  for (std::uint16_t i = 0; i < 1'000; ++i) w.create(request(static_cast<std::uint16_t>(8000 + i)));
  w.run_for(1s);
  ASSERT_EQ(w.count_events(event_kind::mapped), 1'000U);
  const nanoseconds at = w.now();
  w.close();
  w.run_for(3s);
  EXPECT_EQ(w.count_events(event_kind::removed), 1'000U);
  EXPECT_TRUE(w.router().rules().empty());
  EXPECT_LE(w.events().back().at - at, 180ms);
}

TEST_F(load, what_waits_for_its_turn_is_released_without_a_word) {
  scene what;
  what.link.latency = 10ms;
  world& w = begin(what);
  std::vector<mapping_id> ids;
  for (std::uint16_t i = 0; i < 1'000; ++i) {
    ids.push_back(w.create(request(static_cast<std::uint16_t>(8000 + i))));
  }
  w.run_for(5ms);
  for (const mapping_id each : ids) w.release(each);
  w.run_for(5s);
  EXPECT_EQ(w.count_events(event_kind::removed), 1'000U);
  EXPECT_TRUE(w.router().rules().empty());
  std::set<nonce_bytes> nonces;
  for (const auto& map : pcp_maps(w)) nonces.insert(map.map.nonce);
  EXPECT_EQ(nonces.size(), 64U) << "the others were never asked for";
}

TEST_F(load, nat_pmp_mappings_wait_their_turn_longer_than_a_router_may_be_silent) {
  scene what = with(nat_pmp_only_router());
  what.link.latency = 10ms;
  world& w = begin(what);
  for (std::uint16_t i = 0; i < 700; ++i) w.create(request(static_cast<std::uint16_t>(8000 + i)));
  w.run_for(20s);
  EXPECT_EQ(w.count_events(event_kind::mapped), 700U);
  EXPECT_EQ(w.count_events(event_kind::failed), 0U);
}

TEST_F(load, of_nat_pmp_deletes_one_is_in_flight_to_the_end) {
  scene what = with(nat_pmp_only_router());
  what.link.latency = 10ms;
  world& w = begin(what);
  for (std::uint16_t i = 0; i < 300; ++i) w.create(request(static_cast<std::uint16_t>(8000 + i)));
  w.run_for(20s);
  ASSERT_EQ(w.count_events(event_kind::mapped), 300U);
  const std::size_t before = w.sent_count();
  w.close();
  w.run_for(5s);
  EXPECT_EQ(w.count_events(event_kind::removed), 300U);
  EXPECT_LE(w.sent_count() - before, 102U);  // 2 s, 20 ms each
  EXPECT_TRUE(w.closed());
}

TEST_F(load, a_thousand_mappings_live_a_day) {
  world& w = begin();
  for (std::uint16_t i = 0; i < 1'000; ++i) w.create(request(static_cast<std::uint16_t>(8000 + i)));
  w.run_for(24h);
  EXPECT_EQ(w.events().size(), 1'000U);
  EXPECT_EQ(w.count_events(event_kind::mapped), 1'000U);
  EXPECT_EQ(w.router().rules().size(), 1'000U);
}

TEST_F(load, the_first_of_many_finds_out_for_all) {
  // NAT-PMP only: one PCP request is refused, and nobody has to ask again.
  world& w = begin(with(nat_pmp_only_router()));
  for (std::uint16_t port = 8000; port < 8050; ++port) w.create(request(port));
  w.run_for(5s);
  EXPECT_EQ(w.count_events(event_kind::mapped), 50U);
  EXPECT_LE(w.sent(is_pcp).size(), 50U);
  w.create(request(9000));
  const std::size_t asked = w.sent(is_pcp).size();
  w.run_for(5s);
  EXPECT_EQ(w.count_events(event_kind::mapped), 51U);
  EXPECT_EQ(w.sent(is_pcp).size(), asked);
}

TEST_F(load, refusals_of_many_pcp_requests_are_no_answers_to_nat_pmp) {
  // The refusal of a PCP MAP and the answer to a NAT-PMP request for UDP bear the same opcode.
  scene what;
  what.router = nat_pmp_only_router();
  what.link.latency = 10ms;
  world& w = begin(what);
  for (std::uint16_t port = 8000; port < 8020; ++port) w.create(request(port, transport::udp));
  w.run_for(1s);
  EXPECT_EQ(w.count_events(event_kind::mapped), 20U);
  EXPECT_EQ(w.count_events(event_kind::failed), 0U);
  EXPECT_EQ(nat_pmp_maps(w).size(), 20U);
}

TEST_F(load, nat_pmp_has_one_request_in_flight) {
  scene what;
  what.router = nat_pmp_only_router();
  what.link.latency = 10ms;
  world& w = begin(what);
  for (std::uint16_t port = 8000; port < 8020; ++port) w.create(request(port));
  w.run_for(2s);
  EXPECT_EQ(w.count_events(event_kind::mapped), 20U);
  nanoseconds free_at{0};
  for (const auto& record : w.packets()) {
    if (!is_nat_pmp(record.datagram.bytes)) continue;
    if (record.way == direction::to_host) {
      free_at = record.at + 10ms;
    } else if (record.datagram.bytes.size() == 2 || record.datagram.bytes.size() == 12) {
      EXPECT_GE(record.at, free_at);
      free_at = nanoseconds::max();
    }
  }
}

/// The ports that were asked for in NAT-PMP within that time.
std::set<std::uint16_t> asked_in_nat_pmp(const world& w, nanoseconds from, nanoseconds until) {
  std::set<std::uint16_t> out;
  for (const auto& each : nat_pmp_maps(w)) {
    if (each.at >= from && each.at < until) out.insert(each.map.internal_port);
  }
  return out;
}

TEST_F(load, a_short_lease_in_nat_pmp_goes_before_what_was_wished_for_with_it) {
  world& w = begin(with(nat_pmp_only_router()));
  for (std::uint16_t port = 8000; port < 8020; ++port) {
    map_request wanted = request(port);
    wanted.lifetime = 60s;
    w.create(wanted);
  }
  w.run_until([&] { return w.count_events(event_kind::mapped) == 1; }, 5s);
  w.set_plugged(false);  // the others have four seconds of silence each
  w.run_for(60s);
  EXPECT_TRUE(asked_in_nat_pmp(w, 30s, 45s).contains(8000));
}

TEST_F(load, who_was_not_answered_in_nat_pmp_lets_the_others_go_first) {
  world& w = begin(with(nat_pmp_only_router()));
  for (std::uint16_t port = 8000; port < 8006; ++port) {
    map_request wanted = request(port);
    wanted.lifetime = 60s;
    w.create(wanted);
  }
  w.run_for(29s);
  ASSERT_EQ(w.count_events(event_kind::mapped), 6U);
  w.set_plugged(false);
  w.run_for(31s);
  EXPECT_EQ(asked_in_nat_pmp(w, 29s, 60s).size(), 6U);
}

TEST_F(load, a_silent_router_does_not_cost_each_mapping_its_own_four_seconds) {
  world& w = begin();
  w.set_plugged(false);
  for (std::uint16_t port = 8000; port < 8050; ++port) w.create(request(port));
  w.run_for(4s);
  EXPECT_EQ(w.count_events(event_kind::failed), 50U);
}

TEST_F(load, every_mapping_ends_when_closed_in_any_state) {
  scene what;
  what.link.latency = 100ms;
  world& w = begin(what);
  std::vector<mapping_id> ids;
  for (std::uint16_t port = 8000; port < 8030; ++port) ids.push_back(w.create(request(port)));
  w.run_for(1s);
  for (std::uint16_t port = 9000; port < 9010; ++port) w.create(request(port));  // under way
  for (std::size_t i = 0; i < 10; ++i) w.release(ids[i]);                        // being released
  w.create(request(0));                                                          // refused
  w.run_for(50ms);
  w.close();
  w.run_for(2s);
  EXPECT_TRUE(w.closed());
  EXPECT_EQ(w.count_events(event_kind::removed), 41U);
  w.run_for(1s);
  EXPECT_TRUE(w.router().rules().empty());
}

}  // namespace
}  // namespace damson::sim
