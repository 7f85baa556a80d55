// Requests for one port: one mapping on the router, which goes with the last of them.

#include <stdexcept>
#include <vector>

#include "upnp_scenario.hpp"

namespace {

using namespace damson;
using namespace damson::sim;

class sharing : public scenario {
 protected:
  /// It speaks all three.
  static profile versatile_router() {
    profile out;
    out.speaks_upnp = true;
    return out;
  }

  static const mapping_event& last(const world& w, mapping_id id) {
    const event_record* found = w.last_event(id);
    if (found == nullptr) throw std::runtime_error("no event yet");
    return found->event;
  }

  static std::vector<event_kind> told(const world& w, mapping_id id) {
    std::vector<event_kind> out;
    for (const auto& seen : w.events()) {
      if (seen.event.info.id == id) out.push_back(seen.event.kind);
    }
    return out;
  }
};

TEST_F(sharing, a_second_request_for_an_open_port_is_served_at_once_and_sends_nothing) {
  world& w = begin_mapped();
  w.run_for(10s);
  const auto sent = w.sent_count();
  const auto before = w.now();
  const mapping_id second = w.create(request());
  ASSERT_EQ(told(w, second), std::vector{event_kind::mapped});
  EXPECT_EQ(w.events().back().at, before);
  EXPECT_EQ(w.sent_count(), sent);
  const mapping_info& info = last(w, second).info;
  EXPECT_EQ(info.external, last(w, id_).info.external);
  EXPECT_EQ(info.lifetime, last(w, id_).info.lifetime);
  EXPECT_EQ(info.elapsed, 0ns) << "counted from its own beginning";
  EXPECT_FALSE(last(w, second).regained);
  EXPECT_EQ(last(w, second).report.size(), 3U) << "how the mapping came about";
  EXPECT_EQ(w.mapping_count(), 2U);
}

TEST_F(sharing, requests_made_together_are_served_by_one_packet) {
  world& w = begin();
  std::vector<mapping_id> all;
  for (int i = 0; i < 5; ++i) all.push_back(w.create(request()));
  w.run_for(1s);
  for (const mapping_id each : all) EXPECT_EQ(told(w, each), std::vector{event_kind::mapped});
  EXPECT_EQ(pcp_maps(w).size(), 1U);
}

TEST_F(sharing, only_the_last_one_closes_the_port) {
  world& w = begin_mapped();
  const mapping_id second = w.create(request());
  const mapping_id third = w.create(request());
  const auto sent = w.sent_count();
  w.release(id_);
  EXPECT_EQ(last(w, id_).kind, event_kind::removed);
  EXPECT_EQ(last(w, id_).how, removal::still_shared);
  w.release(third);
  EXPECT_EQ(last(w, third).how, removal::still_shared);
  w.run_for(10s);
  EXPECT_EQ(w.sent_count(), sent);
  EXPECT_TRUE(router_holds(w, 8080));
  EXPECT_EQ(last(w, second).kind, event_kind::mapped);

  w.release(second);
  w.run_for(1s);
  EXPECT_EQ(last(w, second).kind, event_kind::removed);
  EXPECT_EQ(last(w, second).how, removal::deleted);
  EXPECT_FALSE(router_holds(w, 8080));
  EXPECT_EQ(w.mapping_count(), 0U);
}

TEST_F(sharing, a_lease_that_one_leaves_behind_is_not_deleted_with_the_other) {
  world& w = begin_mapped();
  const mapping_id second = w.create(request());
  w.release(id_, true);
  w.release(second);
  EXPECT_EQ(last(w, second).how, removal::left_to_expire);
  w.run_for(10s);
  EXPECT_TRUE(router_holds(w, 8080));
}

TEST_F(sharing, a_lease_that_one_leaves_behind_is_kept_by_the_other) {
  world& w = begin_mapped();
  const mapping_id second = w.create(request());
  w.release(id_, true);
  EXPECT_EQ(last(w, id_).how, removal::still_shared);
  w.run_for(7'200s);
  EXPECT_TRUE(router_holds(w, 8080)) << "renewed for the second";
  EXPECT_EQ(last(w, second).kind, event_kind::mapped);
}

TEST_F(sharing, everyone_is_told_of_loss_and_recovery_in_his_own_words) {
  world& w = begin_mapped();
  const mapping_id second = w.create(request());
  w.reboot_router();
  ASSERT_TRUE(w.run_until([&] { return w.count_events(event_kind::lost) == 2; }, 600s));
  // One that comes now was never told of anything.
  const mapping_id third = w.create(request());
  w.run_for(10s);
  const std::vector full{event_kind::mapped, event_kind::lost, event_kind::mapped};
  EXPECT_EQ(told(w, id_), full);
  EXPECT_EQ(told(w, second), full);
  EXPECT_EQ(told(w, third), std::vector{event_kind::mapped});
  EXPECT_TRUE(last(w, id_).regained);
  EXPECT_TRUE(last(w, second).regained);
  EXPECT_FALSE(last(w, third).regained);
}

TEST_F(sharing, one_that_comes_while_the_other_pauses_after_a_failure_does_not_wait_for_it) {
  scene what;
  world& w = begin(what);
  w.set_plugged(false);
  const mapping_id first = w.create(request());
  w.run_for(300s);
  ASSERT_EQ(last(w, first).kind, event_kind::failed);
  w.set_plugged(true);
  const auto before = w.now();
  const mapping_id second = w.create(request());
  w.run_for(1s);
  ASSERT_EQ(told(w, second), std::vector{event_kind::mapped});
  EXPECT_LE(w.events().back().at - before, 10ms);
  EXPECT_EQ(last(w, first).kind, event_kind::mapped) << "and serves the first as well";
}

TEST_F(sharing, a_failure_is_told_to_each_once) {
  world& w = begin();
  w.set_plugged(false);
  const mapping_id first = w.create(request());
  w.run_for(60s);
  const mapping_id second = w.create(request());
  w.run_for(60s);
  EXPECT_EQ(told(w, first), std::vector{event_kind::failed});
  EXPECT_EQ(told(w, second), std::vector{event_kind::failed});
  EXPECT_EQ(last(w, second).why.reason, errc::no_answer);
}

TEST_F(sharing, each_request_has_its_own_time_out) {
  world& w = begin();
  w.set_plugged(false);
  map_request hasty = request();
  hasty.timeout = 100ms;
  const mapping_id first = w.create(request());
  const mapping_id second = w.create(hasty);
  w.run_for(200ms);
  EXPECT_EQ(told(w, first), std::vector<event_kind>{});
  ASSERT_EQ(told(w, second), std::vector{event_kind::failed});
  EXPECT_EQ(last(w, second).why.reason, errc::timed_out);
  EXPECT_EQ(last(w, second).why.protocols.size(), 3U);
}

TEST_F(sharing, a_request_that_comes_during_the_delete_waits_for_it) {
  world& w = begin_mapped();
  w.link().latency = 50ms;
  w.release(id_);
  w.run_for(10ms);
  const mapping_id second = w.create(request());
  const mapping_id third = w.create(request());
  w.run_for(1s);
  EXPECT_EQ(last(w, id_).how, removal::deleted);
  EXPECT_EQ(told(w, second), std::vector{event_kind::mapped});
  EXPECT_EQ(told(w, third), std::vector{event_kind::mapped});
  EXPECT_TRUE(router_holds(w, 8080));
  // 1 to create, 1 to delete, 1 to create again.
  EXPECT_EQ(pcp_maps(w).size(), 3U);
}

TEST_F(sharing, one_that_comes_during_the_delete_and_goes_again_leaves_nothing) {
  world& w = begin_mapped();
  w.link().latency = 50ms;
  w.release(id_);
  const mapping_id second = w.create(request());
  w.release(second);
  EXPECT_EQ(last(w, second).how, removal::already_gone);
  w.run_for(1s);
  EXPECT_EQ(last(w, id_).how, removal::deleted);
  EXPECT_FALSE(router_holds(w, 8080));
  EXPECT_EQ(w.open_channels(), 0U);
}

TEST_F(sharing, what_a_request_forbids_is_not_shared_with_it) {
  world& w = begin_mapped(with(versatile_router()));
  const mapping_id narrow = w.create(request(protocol_filter::upnp));
  ASSERT_EQ(told(w, narrow), std::vector{event_kind::failed});
  EXPECT_EQ(last(w, narrow).why.reason, errc::already_mapped);
  map_request no_permanent = request();
  no_permanent.allow_permanent = false;
  const mapping_id strict = w.create(no_permanent);
  EXPECT_EQ(last(w, strict).kind, event_kind::mapped) << "it has a lease";
  w.release(id_);
  EXPECT_EQ(last(w, id_).how, removal::still_shared);
  w.run_for(5s);
  EXPECT_EQ(told(w, narrow), std::vector{event_kind::failed});

  w.release(strict);
  w.run_for(5s);
  EXPECT_EQ(last(w, strict).how, removal::deleted);
  EXPECT_EQ(last(w, narrow).kind, event_kind::mapped) << "its turn";
  EXPECT_EQ(last(w, narrow).info.protocol, protocol::upnp);
  w.release(narrow);
  w.run_for(5s);
  EXPECT_EQ(w.mapping_count(), 0U);
  EXPECT_EQ(w.router().table().size(), 0U);
}

TEST_F(sharing, requests_of_which_neither_allows_what_the_other_does_take_turns) {
  world& w = begin(with(versatile_router()));
  const mapping_id first = w.create(request(protocol_filter::pcp_only));
  const mapping_id second = w.create(request(protocol_filter::upnp));
  w.run_for(5s);
  EXPECT_EQ(last(w, first).kind, event_kind::mapped);
  EXPECT_EQ(last(w, second).why.reason, errc::already_mapped);
  w.release(first);
  w.run_for(5s);
  EXPECT_EQ(last(w, second).info.protocol, protocol::upnp);
}

TEST_F(sharing, a_wider_request_is_not_held_up_by_a_narrow_one_that_fails) {
  world& w = begin(upnp_only());
  const mapping_id narrow = w.create(request(protocol_filter::pcp_only));
  w.run_for(10s);
  ASSERT_EQ(last(w, narrow).why.reason, errc::port_closed);
  const mapping_id wide = w.create(request());
  w.run_for(1s);
  EXPECT_EQ(last(w, wide).kind, event_kind::mapped);
  EXPECT_EQ(last(w, narrow).why.reason, errc::already_mapped);
  w.release(wide);
  w.run_for(1s);
  EXPECT_EQ(last(w, wide).how, removal::deleted);
  w.run_for(60s);
  EXPECT_EQ(last(w, narrow).why.reason, errc::port_closed) << "asked for again, in its own way";
  EXPECT_EQ(w.router().table().size(), 0U);
}

TEST_F(sharing, what_one_allowed_who_has_left_is_not_asked_for_any_more) {
  world& w = begin(with(versatile_router()));
  const mapping_id narrow = w.create(request(protocol_filter::pcp_only));
  const mapping_id wide = w.create(request());
  w.run_for(1s);
  w.release(wide);
  ASSERT_EQ(last(w, narrow).kind, event_kind::mapped);
  w.set_plugged(false);
  w.run_for(3h);
  w.set_plugged(true);
  w.router().behaviour().speaks_pcp = w.router().behaviour().speaks_nat_pmp = false;
  w.run_for(1h);
  EXPECT_EQ(last(w, narrow).kind, event_kind::lost);
  EXPECT_EQ(w.router().table().size(), 0U) << "nobody has asked for UPnP";
}

TEST_F(sharing, one_that_a_new_way_does_not_suit_has_lost_it) {
  world& w = begin(with(versatile_router()));
  const mapping_id narrow = w.create(request(protocol_filter::pcp_only));
  const mapping_id wide = w.create(request());
  w.run_for(1s);
  ASSERT_EQ(last(w, narrow).kind, event_kind::mapped);
  // Another firmware.
  w.router().behaviour().speaks_pcp = w.router().behaviour().speaks_nat_pmp = false;
  w.reboot_router();
  w.run_for(3h);
  EXPECT_EQ(last(w, wide).kind, event_kind::mapped);
  EXPECT_EQ(last(w, wide).info.protocol, protocol::upnp);
  EXPECT_EQ(last(w, narrow).kind, event_kind::lost);
}

TEST_F(sharing, a_wider_request_shares_a_narrow_one) {
  world& w = begin();
  const mapping_id narrow = w.create(request(protocol_filter::pcp_only));
  w.run_for(1s);
  const mapping_id wide = w.create(request());
  EXPECT_EQ(told(w, wide), std::vector{event_kind::mapped});
  EXPECT_EQ(last(w, wide).info.external, last(w, narrow).info.external);
}

TEST_F(sharing, one_that_waits_for_its_turn_can_go) {
  world& w = begin_mapped();
  const mapping_id narrow = w.create(request(protocol_filter::upnp));
  w.release(narrow);
  EXPECT_EQ(last(w, narrow).kind, event_kind::removed);
  EXPECT_EQ(last(w, narrow).how, removal::still_shared);
  w.release(id_);
  w.run_for(5s);
  EXPECT_EQ(last(w, id_).how, removal::deleted);
  EXPECT_EQ(w.mapping_count(), 0U);
}

TEST_F(sharing, closing_tells_all_who_share_and_all_who_wait) {
  world& w = begin_mapped();
  const mapping_id second = w.create(request());
  const mapping_id narrow = w.create(request(protocol_filter::upnp));
  const mapping_id nonsense = w.create(request(0));
  w.close();
  w.run_for(1s);
  EXPECT_EQ(last(w, id_).how, removal::deleted);
  EXPECT_EQ(last(w, second).how, removal::deleted);
  EXPECT_EQ(last(w, narrow).how, removal::deleted);
  EXPECT_EQ(last(w, nonsense).how, removal::already_gone);
  EXPECT_TRUE(w.closed());
  EXPECT_FALSE(router_holds(w, 8080));
}

TEST_F(sharing, one_that_goes_while_all_are_being_closed_hears_how_it_really_ended) {
  world& w = begin_mapped();
  const mapping_id second = w.create(request());
  w.close();
  w.release(second);
  w.run_for(1s);
  EXPECT_EQ(told(w, second), (std::vector{event_kind::mapped, event_kind::removed}));
  EXPECT_EQ(last(w, second).how, removal::deleted);
  EXPECT_EQ(last(w, id_).how, removal::deleted);
}

TEST_F(sharing, the_transports_of_one_port_are_two_mappings) {
  world& w = begin_mapped();
  const mapping_id udp = w.create(request(8080, transport::udp));
  w.run_for(1s);
  EXPECT_EQ(last(w, udp).kind, event_kind::mapped);
  EXPECT_EQ(pcp_maps(w).size(), 2U);
  w.release(udp);
  w.run_for(1s);
  EXPECT_EQ(last(w, udp).how, removal::deleted);
  EXPECT_TRUE(router_holds(w, 8080));
}

TEST_F(sharing, a_thousand_come_and_go_over_one_mapping) {
  world& w = begin_mapped();
  const auto sent = w.sent_count();
  for (int i = 0; i < 1'000; ++i) w.release(w.create(request()));
  EXPECT_EQ(w.sent_count(), sent);
  EXPECT_EQ(w.mapping_count(), 1U);
  EXPECT_EQ(w.count_events(event_kind::removed), 1'000U);
}

// The client's own filter, beside the request's.

TEST_F(sharing, a_client_that_allows_one_protocol_only_holds_for_all_its_requests) {
  scene what = with(versatile_router());
  what.client.protocols = protocol_filter::upnp;
  world& w = begin(what);
  const mapping_id any = w.create(request());
  const mapping_id none = w.create(request(protocol_filter::pcp, 8081));
  w.run_for(5s);
  EXPECT_EQ(last(w, any).kind, event_kind::mapped);
  EXPECT_EQ(last(w, any).info.protocol, protocol::upnp);
  EXPECT_EQ(last(w, any).report.size(), 1U);
  EXPECT_EQ(last(w, none).kind, event_kind::failed);
  EXPECT_EQ(last(w, none).why.reason, errc::protocol_excluded);
  EXPECT_TRUE(pcp_maps(w).empty());
  EXPECT_TRUE(nat_pmp_maps(w).empty());
}

}  // namespace
