// The rows of the library's contract that speak of times, as far as no other scenario measures
// them. The others are in:
//
// start: discovering.ends_at_the_discovery_time_out_at_the_latest,
//        first_contact.a_pcp_server_that_is_there_is_waited_for_as_long_as_the_program_wants,
//        restart.is_found_at_the_period_that_the_program_chose,
//        upnp_recovery.is_told_when_the_router_was_away
// stop: release.closing_releases_all_and_is_the_end, release.closing_takes_two_seconds_at_most,
//        sharing.closing_tells_all_who_share_and_all_who_wait
// create: first_contact.silence_everywhere_is_an_answer_after_4_s,
//        first_contact.a_closed_port_fails_at_once
// time-out, cancel: first_contact.the_callers_own_timeout_decides_when_it_is_shorter,
//        sharing.each_request_has_its_own_time_out,
//        release.while_the_grant_is_on_its_way_leaves_nothing_behind,
//        race.leaves_nothing_when_it_is_called_off, upnp_release_at_any_time.leaves_nothing
// state changes: restart, renewal, network, upnp_recovery
// DESTROYED: release.into_silence_is_tried_three_times_and_ends_within_two_seconds,
//        upnp_release.says_what_became_of_the_entry
// same port twice: sharing, upnp_release_at_any_time.leaves_nothing_when_it_is_wanted_again

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "upnp_scenario.hpp"

namespace damson::sim {
namespace {

/// How long giving back may take. The contract allows the program 3 s.
constexpr nanoseconds release_bound = 2s;

class contract : public upnp_scenario, public testing::WithParamInterface<protocol> {
 protected:
  /// It speaks one protocol.
  static profile router() {
    profile out = upnp_only_router();
    out.speaks_upnp = GetParam() == protocol::upnp;
    out.speaks_pcp = GetParam() == protocol::pcp;
    out.speaks_nat_pmp = GetParam() == protocol::nat_pmp;
    return out;
  }
  static protocol_filter only() {
    if (GetParam() == protocol::upnp) return protocol_filter::upnp;
    return GetParam() == protocol::pcp ? protocol_filter::pcp_only : protocol_filter::nat_pmp_only;
  }

  /// From now on the router obeys, but what it says about mappings never arrives.
  static void lose_grants(world& w) {
    w.courier = [](const packet_record& record) -> std::optional<nanoseconds> {
      const auto& content = record.datagram.bytes;
      const bool of_pcp = content.size() == 60 && content[1] == std::byte{0x81};
      const bool of_nat_pmp = content.size() == 16 && content[0] == std::byte{0};
      if (record.way == direction::to_host && (of_pcp || of_nat_pmp)) return std::nullopt;
      return 1ms;
    };
    w.http_courier = [](const http_record& record) {
      const bool adds = asked_for(record).find("PortMapping") != std::string::npos;
      return http_treatment{.end = adds ? http_treatment::outcome::hangs
                                        : http_treatment::outcome::answered};
    };
  }

  static void expect_all_ended(const world& w, std::size_t mappings) {
    EXPECT_EQ(w.count_events(event_kind::removed), mappings);
    EXPECT_EQ(w.mapping_count(), 0U);
  }

  static nanoseconds ended_at(const world& w, mapping_id id) {
    const event_record* last = w.last_event(id);
    if (last == nullptr || last->event.kind != event_kind::removed) return nanoseconds::max();
    return last->at;
  }
};

INSTANTIATE_TEST_SUITE_P(all, contract,
                         testing::Values(protocol::pcp, protocol::nat_pmp, protocol::upnp),
                         [](const auto& tested) -> std::string {
                           if (tested.param == protocol::nat_pmp) return "nat_pmp";
                           return std::string{to_string(tested.param)};
                         });

TEST_P(contract, start_the_discovery_time_out_bounds_the_first_answer) {
  scene what = with(router());
  what.client.discovery_timeout = 500ms;
  for (const auto filter : {only(), protocol_filter::any}) {
    world& w = begin(what);
    w.set_plugged(false);
    w.create(request(filter));
    w.run_for(1s);
    ASSERT_EQ(kinds(w), std::vector{event_kind::failed});
    EXPECT_EQ(w.events()[0].at, 500ms);
  }
}

TEST_P(contract, start_the_mapping_time_out_bounds_the_wait_for_a_router_that_is_there) {
  for (const auto patience : {4'500ms, 6'000ms, 15'000ms}) {
    SCOPED_TRACE(patience.count());
    scene what = with(router());
    what.client.mapping_timeout = patience;
    world& w = begin(what);
    lose_grants(w);
    // PCP's server says that it is there in its answer to another protocol.
    w.create(request(GetParam() == protocol::pcp ? protocol_filter::pcp : only()));
    w.run_for(30s);
    ASSERT_FALSE(w.events().empty());
    EXPECT_EQ(w.events()[0].event.kind, event_kind::failed);
    if (GetParam() != protocol::upnp) {
      EXPECT_LE(w.events()[0].at - patience, 10ms);
      EXPECT_GE(w.events()[0].at, patience);
    }
    std::size_t unanswered = 0;
    for (const auto& each : w.requests()) {
      if (each.error != http_error::timed_out) continue;
      ++unanswered;
      EXPECT_EQ(*each.ended_at - each.at, std::min<nanoseconds>(patience, 5s));
    }
    EXPECT_EQ(unanswered > 0, GetParam() == protocol::upnp);
  }
}

TEST_P(contract, create_fails_after_30_s_whatever_is_going_on) {
  scene what = with(router());
  what.client.discovery_timeout = what.client.mapping_timeout = 1h;
  // A UPnP router is slow, and has another excuse for each port.
  what.router.upnp.refuses_adds_with = 718;
  world& w = begin(what);
  lose_grants(w);
  w.http_courier = [](const http_record& record) {
    return http_treatment{.processing = asked_for(record) == "GET" ? 0ms : 4'900ms};
  };
  const mapping_id id =
      w.create(request(GetParam() == protocol::pcp ? protocol_filter::pcp : only()));
  w.run_for(40s);
  ASSERT_FALSE(w.events().empty());
  EXPECT_EQ(w.events()[0].event.kind, event_kind::failed);
  EXPECT_EQ(w.events()[0].at, 30s);
  EXPECT_EQ(w.events()[0].event.why.reason, errc::timed_out);
  EXPECT_NE(reason_for(w.events()[0].event.why, GetParam()), nullptr);
  const nanoseconds at = w.now();
  w.release(id);
  w.run_for(10s);
  EXPECT_LE(ended_at(w, id) - at, release_bound);
}

// What a program is told of the time-out, it answers by letting go.
TEST_P(contract, time_out_gives_back_what_was_granted_late) {
  scene what = with(router());
  what.link.latency = 20ms;
  for (auto patience = 1ms; patience <= 400ms; patience += 7ms) {
    SCOPED_TRACE(patience.count());
    world& w = begin(what);
    map_request hasty = request();
    hasty.timeout = patience;
    const mapping_id id = w.create(hasty);
    w.run_until([&] { return !w.events().empty(); }, 5s);
    ASSERT_FALSE(w.events().empty());
    if (w.events()[0].event.kind == event_kind::failed) {
      EXPECT_EQ(w.events()[0].at, patience);
      EXPECT_EQ(w.events()[0].event.why.reason, errc::timed_out);
    } else {
      EXPECT_LE(w.events()[0].at, patience);
    }
    const nanoseconds at = w.now();
    w.release(id);
    w.run_for(10s);
    EXPECT_LE(ended_at(w, id) - at, release_bound);
    expect_all_ended(w, 1);
    EXPECT_TRUE(w.router().rules().empty());
  }
}

/// Each way to be dead.
constexpr std::array deaths{
    +[](world& w) { w.set_plugged(false); },
    +[](world& w) { w.set_serving(false); },
    +[](world& w) {
      w.http_courier = [](const http_record&) {
        return http_treatment{.end = http_treatment::outcome::hangs};
      };
      w.courier = [](const packet_record& record) -> std::optional<nanoseconds> {
        if (record.way == direction::to_host) return std::nullopt;
        return 1ms;
      };
    },
};

/// When the router dies, and how long after that the mapping does: from before the first packet to
/// after the lease.
std::vector<std::pair<nanoseconds, nanoseconds>> lives() {
  std::vector<std::pair<nanoseconds, nanoseconds>> out;
  for (const nanoseconds died : {0ms, 1ms, 3ms, 5ms, 9ms, 13ms, 17ms, 21ms, 1'000ms, 299'999ms}) {
    for (const nanoseconds later : {0ms, 2ms, 300ms, 1'000ms, 5'000ms}) {
      out.emplace_back(died, later);
    }
  }
  for (const nanoseconds died : {0s, 1s, 3'700s}) {
    for (const nanoseconds later : {301s, 10'800s}) out.emplace_back(died, later);
  }
  return out;
}

TEST_P(contract, destroyed_comes_in_time_from_a_dead_router) {
  for (const auto death : deaths) {
    for (const auto& [died, later] : lives()) {
      SCOPED_TRACE(std::to_string(died.count()) + " + " + std::to_string(later.count()) + " ns");
      world& w = begin(with(router()));
      const mapping_id id = w.create(request());
      w.run_for(died);
      death(w);
      w.run_for(later);
      const nanoseconds at = w.now();
      w.release(id);
      w.run_for(10s);
      EXPECT_LE(ended_at(w, id) - at, release_bound);
      expect_all_ended(w, 1);
    }
  }
}

TEST_P(contract, stop_ends_in_time_with_a_dead_router) {
  for (const auto death : deaths) {
    for (const auto& [died, later] : lives()) {
      SCOPED_TRACE(std::to_string(died.count()) + " + " + std::to_string(later.count()) + " ns");
      world& w = begin(with(router()));
      w.create(request());
      w.create(request());
      w.create(request(8080, transport::udp));
      w.run_for(died);
      death(w);
      w.run_for(later);
      w.create(request(8081));
      w.close();
      w.run_for(release_bound);
      EXPECT_TRUE(w.closed());
      expect_all_ended(w, 4);
    }
  }
}

TEST_P(contract, stop_while_a_create_is_pending_is_prompt) {
  for (const bool refuses : {false, true}) {
    for (nanoseconds moment = 0ms; moment <= 60ms; moment += 500us) {
      SCOPED_TRACE(std::to_string(moment.count()) + (refuses ? " ns, refusing" : " ns"));
      scene what = with(router());
      if (refuses) {
        what.router.refuses_maps_with = pcp_result::not_authorized;
        what.router.refuses_nat_pmp_maps_with = nat_pmp_result::not_authorized;
        what.router.upnp.refuses_adds_with = 606;
      }
      world& w = begin(what);
      w.create(request());
      w.run_for(moment);
      const nanoseconds at = w.now();
      w.close();
      ASSERT_TRUE(w.run_until([&] { return w.closed(); }, release_bound));
      // Before a first answer is in, what may have been granted is waited for.
      EXPECT_LE(w.now() - at, moment < 2ms ? release_bound : 100ms);
      w.run_for(10s);
      expect_all_ended(w, 1);
      EXPECT_TRUE(w.router().rules().empty());
    }
  }
}

}  // namespace
}  // namespace damson::sim
