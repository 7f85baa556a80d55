// What clients that people use got wrong, alive, in versions that were shipped: one scenario each.
// A list of them with the tests that look closer stands in docs/testing.md.

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "upnp_scenario.hpp"

namespace damson::sim {
namespace {

class regression : public upnp_scenario {
 protected:
  /// What was asked for in one protocol or the other.
  struct asked_map {
    std::uint32_t lifetime = 0;
    std::uint16_t external_port = 0;
  };
  static std::vector<asked_map> maps(const world& w, bool pcp) {
    std::vector<asked_map> out;
    for (const auto& each : pcp_maps(w)) {
      if (pcp) out.push_back({each.map.lifetime, each.map.external_port});
    }
    for (const auto& each : nat_pmp_maps(w)) {
      if (!pcp) out.push_back({each.map.lifetime, each.map.external_port});
    }
    return out;
  }
};

constexpr std::array both_protocols{true, false};

// The check was there and never fired: it looked for an epoch below the last one only, or at the
// wrong field. Here the epoch has even grown: the router ran for ten minutes, and after the restart
// longer than that before anybody asked it.
TEST_F(regression, reboot_missed) {
  for (const bool pcp : both_protocols) {
    scene what;
    what.router.speaks_pcp = pcp;
    what.router.announcements = 0;
    what.uptime = 10s;
    world& w = begin_mapped(what);
    w.run_for(400s);
    w.reboot_router();
    ASSERT_FALSE(router_holds(w, 8080));
    w.suspend(30min);
    w.run_for(10min);
    EXPECT_EQ(w.counters().reboots_seen, 1U);
    EXPECT_EQ(kinds(w), (std::vector{event_kind::mapped, event_kind::lost, event_kind::mapped}));
    EXPECT_TRUE(router_holds(w, 8080));
  }
}

// And fired where nothing had happened, because seconds are rounded, packets are late and clocks
// drift.
TEST_F(regression, reboot_imagined_on_a_healthy_router) {
  for (const bool pcp : both_protocols) {
    scene what;
    what.router.speaks_pcp = pcp;
    what.link.latency = 700ms;
    what.client.recheck_period = 7s;
    world& w = begin_mapped(what);
    random_source dice{std::array<std::uint64_t, 4>{1, 2, 3, 4}};
    w.courier = [&](const packet_record&) -> std::optional<nanoseconds> {
      return dice.uniform_duration(1ms, 900ms);
    };
    w.run_for(3h);
    EXPECT_EQ(w.counters().reboots_seen, 0U);
    EXPECT_EQ(w.count_events(event_kind::lost), 0U);
  }
}

// 7200 s as 0x201c0000 s are seventeen years; routers that cap lifetimes hid it.
TEST_F(regression, lifetime_in_the_wrong_byte_order) {
  for (const bool pcp : both_protocols) {
    scene what;
    what.router.speaks_pcp = pcp;
    what.router.max_lifetime = std::chrono::hours{24 * 365 * 40};
    world& w = begin_mapped(what);
    ASSERT_EQ(maps(w, pcp).size(), 1U);
    EXPECT_EQ(maps(w, pcp)[0].lifetime, 7'200U);
    EXPECT_EQ(w.events()[0].event.info.lifetime, 7'200s);
    EXPECT_EQ(w.router().rules().at(0).expires, w.clock() - w.now() + w.events()[0].at - 1ms + 2h);
  }
}

// One lost answer, and anything else that arrives: the client stopped resending and waited for
// ever.
TEST_F(regression, resend_cancelled_by_any_datagram) {
  for (const bool pcp : both_protocols) {
    scene what;
    what.router.speaks_pcp = pcp;
    if (!pcp) what.client.protocols = protocol_filter::nat_pmp_only;
    world& w = begin(what);
    w.courier = [&](const packet_record& record) -> std::optional<nanoseconds> {
      if (record.way == direction::to_host && w.now() < 500ms) return std::nullopt;
      return 1ms;
    };
    w.create(request());
    w.run_for(100ms);
    const auto port = w.client_port();
    ASSERT_TRUE(port);
    const endpoint to{world::host_address, *port};
    bytes stray(60, std::byte{0});
    stray[0] = std::byte{pcp ? std::uint8_t{2} : std::uint8_t{0}};
    stray[1] = std::byte{0x81};
    w.inject({{world::router_address, 5351}, to, stray});
    w.inject({{neighbour, 5351}, to, bytes(16, std::byte{0})});
    w.inject({{world::router_address, 5351}, to, bytes(3, std::byte{0xff})});
    w.run_for(2s);
    EXPECT_EQ(w.count_events(event_kind::mapped), 1U);
  }
}

// The router refuses who does not know the nonce, so the mapping ended with its first lease.
TEST_F(regression, fresh_nonce_on_renewal) {
  world& w = begin_mapped();
  w.run_for(24h);
  w.release(id_);
  w.run_for(2s);
  std::set<nonce_bytes> nonces;
  for (const auto& each : pcp_maps(w)) nonces.insert(each.map.nonce);
  EXPECT_EQ(nonces.size(), 1U);
  EXPECT_GT(pcp_maps(w).size(), 12U);
  EXPECT_EQ(kinds(w), (std::vector{event_kind::mapped, event_kind::removed}));
  EXPECT_EQ(w.events().back().event.how, removal::deleted);
}

// 0 minus 1 without a sign: restarts without end, right after the router had started.
TEST_F(regression, epoch_underflow_at_0) {
  scene what;
  what.uptime = 0s;
  what.client.recheck_period = 1s;
  world& w = begin_mapped(what);
  w.run_for(1min);
  EXPECT_EQ(w.counters().reboots_seen, 0U);
  EXPECT_EQ(kinds(w), std::vector{event_kind::mapped});
}

// The time that has passed was added to the epoch just heard instead of the one before, so that
// each answer after more than a few seconds was a restart.
TEST_F(regression, epoch_estimated_from_the_wrong_base) {
  world& w = begin_mapped(with(nat_pmp_only_router()));
  w.run_for(24h);
  EXPECT_EQ(w.counters().reboots_seen, 0U);
  EXPECT_EQ(kinds(w), std::vector{event_kind::mapped});
}

// "Mapped" to port 0, in all three protocols.
TEST_F(regression, external_port_0_taken_as_success) {
  for (const bool pcp : both_protocols) {
    scene what;
    what.router.speaks_pcp = pcp;
    what.client.protocols = pcp ? protocol_filter::pcp_only : protocol_filter::nat_pmp_only;
    what.router.answers_external_port = std::uint16_t{0};
    world& w = begin(what);
    w.create(request());
    w.run_for(1min);
    EXPECT_EQ(w.count_events(event_kind::mapped), 0U);
    ASSERT_GE(w.count_events(event_kind::failed), 1U);
    EXPECT_EQ(w.events()[0].event.why.reason, errc::unusable_answer);
  }
}

// Ten times the same request, whose lease the router had refused ten times.
TEST_F(regression, only_permanent_leases_and_never_asked_for_one) {
  upnp_profile how;
  how.leases = lease_policy::only_permanent_725;
  world& w = begin_request(upnp_only(how));
  expect_mapped(w, 5s);
  EXPECT_TRUE(w.events()[0].event.info.permanent);
  const auto adds = requests_for(w, "AddPortMapping");
  ASSERT_EQ(adds.size(), 2U);
  EXPECT_NE(adds[0].request.find("<NewLeaseDuration>7200<"), std::string::npos);
  EXPECT_NE(adds[1].request.find("<NewLeaseDuration>0<"), std::string::npos);
}

// The delete was sent twice and its port wanted again: the second answer to it, with a lifetime and
// a port of 0, came when the new request was open, and was taken for a grant.
TEST_F(regression, late_answer_to_a_delete_taken_for_a_success) {
  for (const bool pcp : both_protocols) {
    scene what;
    what.router.speaks_pcp = pcp;
    world& w = begin_mapped(what);
    w.run_for(10s - w.now());
    int answers = 0;
    w.courier = [&](const packet_record& record) -> std::optional<nanoseconds> {
      if (record.way == direction::to_router) return 1ms;
      ++answers;
      // Of the delete at 0 ms, and of the same at 250 ms; the first one to the request is lost.
      if (answers <= 2) return answers == 1 ? 300ms : 150ms;
      return answers == 3 ? std::nullopt : std::optional<nanoseconds>{1ms};
    };
    w.release(id_);
    w.run_for(1ms);
    const mapping_id second = w.create(request());
    w.run_for(1min);
    const auto is_of_second = [&](const event_record& each) {
      return each.event.info.id == second;
    };
    ASSERT_EQ(std::ranges::count_if(w.events(), is_of_second), 1) << "mapped, and nothing else";
    const auto& info = std::ranges::find_if(w.events(), is_of_second)->event.info;
    EXPECT_EQ(w.last_event(second)->event.kind, event_kind::mapped);
    EXPECT_EQ(w.last_event(second)->at, 10'553ms);
    EXPECT_EQ(info.external.port, 8080);
    EXPECT_EQ(info.lifetime, 7'200s);
    EXPECT_TRUE(router_holds(w, 8080));
  }
}

// A program that crashed has another nonce when it comes back, and the router keeps the port for
// the old one. That is told as it is, and the port taken when the old lease ends.
TEST_F(regression, new_nonce_after_a_crash_refused_until_the_old_lease_ends) {
  const world& before = begin_mapped();
  const auto asked = before.sent([](auto packet) { return is_pcp(packet); });
  ASSERT_EQ(asked.size(), 1U);

  scene what;
  what.seed = 2;
  world& w = begin(what);
  w.router().handle(w.clock(), asked[0].datagram);
  ASSERT_TRUE(router_holds(w, 8080));
  const mapping_id id = w.create(request(protocol_filter::pcp_only));
  w.run_for(2h - 1s);
  EXPECT_EQ(w.count_events(event_kind::mapped), 0U);
  ASSERT_GE(w.count_events(event_kind::failed), 1U);
  EXPECT_EQ(w.events()[0].event.why.reason, errc::not_authorized);
  EXPECT_LE(pcp_maps(w).size(), 5U) << "one in half an hour";
  w.run_for(1h);
  EXPECT_EQ(w.last_event(id)->event.kind, event_kind::mapped);
  EXPECT_TRUE(router_holds(w, 8080));
}

}  // namespace
}  // namespace damson::sim
