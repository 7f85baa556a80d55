// As whom a server on the internet sees the host, beside what the router says of itself.

#include <algorithm>

#include "upnp_scenario.hpp"

namespace damson::sim {
namespace {

constexpr ip_address carrier = v4(203, 0, 113, 77);
constexpr ip_address inner_wan = v4(192, 168, 0, 2);
constexpr ip_address outer_lan = v4(192, 168, 0, 1);
constexpr ip_address outer_wan = v4(93, 184, 216, 34);

scene with_stun() {
  scene out;
  out.stun.emplace();
  out.client.stun_server = out.stun->at;
  return out;
}

class seen_address : public upnp_scenario {
 protected:
  static std::vector<packet_record> questions(const world& w) { return w.sent(is_stun_request); }

  static const mapping_info& told(world& w, mapping_id id) { return w.last_event(id)->event.info; }

  /// What the server would have said, with another address in it.
  static bytes forged(const packet_record& question, const ip_address& seen) {
    const datagram asked{{seen, 1}, {}, question.datagram.bytes};
    return answer_stun({}, asked).value();
  }
};

TEST_F(seen_address, follows_the_first_word_where_it_is_the_routers_own) {
  world& w = begin(with_stun());
  const mapping_id id = w.create(request());
  w.run_for(2min);
  ASSERT_EQ(kinds(w), (std::vector{event_kind::mapped, event_kind::changed}));
  EXPECT_TRUE(w.events()[0].event.info.seen_address.is_unspecified());
  EXPECT_EQ(w.events()[0].at, 2ms);  // nobody waited
  EXPECT_EQ(w.events()[1].at, 4ms);
  EXPECT_EQ(told(w, id).seen_address, wan_side);
  EXPECT_EQ(told(w, id).external.address, wan_side);
  EXPECT_EQ(questions(w).size(), 1U);
  EXPECT_EQ(w.open_channels(), 2U);  // the router's, and that for announcements
}

TEST_F(seen_address, tells_of_a_carrier_that_nobody_can_ask) {
  for (const ip_address& outside : {v4(100, 64, 0, 7), wan_side}) {
    scene what = with_stun();
    what.public_address = outside;
    what.stun->carrier = carrier;
    world& w = begin(what);
    const mapping_id id = w.create(request());
    w.run_for(1min);
    EXPECT_EQ(told(w, id).external.address, outside);
    EXPECT_EQ(told(w, id).seen_address, carrier);
  }
}

TEST_F(seen_address, is_that_of_the_outermost_of_two_routers) {
  scene what = with_stun();
  what.public_address = inner_wan;
  what.upstream = upstream_settings{.how = {}, .lan = outer_lan, .wan = outer_wan};
  what.client.upstream = outer_lan;
  world& w = begin(what);
  const mapping_id id = w.create(request());
  w.run_for(1min);
  EXPECT_EQ(told(w, id).hops.size(), 2U);
  EXPECT_EQ(told(w, id).external.address, outer_wan);
  EXPECT_EQ(told(w, id).seen_address, outer_wan);
  EXPECT_EQ(questions(w).size(), 1U);
}

TEST_F(seen_address, is_asked_for_in_each_protocol_and_where_no_router_is) {
  for (const protocol_filter filter :
       {protocol_filter::pcp_only, protocol_filter::nat_pmp_only, protocol_filter::upnp}) {
    scene what = with_stun();
    what.router.speaks_upnp = true;
    world& w = begin(what);
    const mapping_id id = w.create(request(filter));
    w.run_for(10s);
    EXPECT_EQ(told(w, id).seen_address, wan_side);
  }
  world& w = begin(with_stun());
  w.set_network(world::one_route(lan_side, v4(93, 184, 216, 99)));
  const mapping_id id = w.create(request());
  w.run_for(10s);
  EXPECT_EQ(told(w, id).protocol, protocol::direct);
  EXPECT_EQ(told(w, id).seen_address, wan_side);
}

TEST_F(seen_address, is_not_asked_for_without_a_server_or_of_the_other_family) {
  scene what = with_stun();
  what.client.stun_server.reset();
  world& without = begin_mapped(what);
  without.run_for(1h);
  EXPECT_TRUE(questions(without).empty());
  EXPECT_TRUE(told(without, id_).seen_address.is_unspecified());

  what = with_stun();
  what.has_ipv6 = true;
  world& w = begin(what);
  map_request wanted = request();
  wanted.families = ip_families::v6;
  w.create(wanted);
  w.run_for(1h);
  EXPECT_EQ(w.count_events(event_kind::mapped), 1U);
  EXPECT_TRUE(questions(w).empty());
}

TEST_F(seen_address, is_one_question_for_many_mappings) {
  world& w = begin(with_stun());
  for (std::uint16_t port = 8000; port < 8100; ++port) w.create(request(port));
  w.run_for(1min);
  EXPECT_EQ(questions(w).size(), 1U);
  EXPECT_EQ(w.count_events(event_kind::changed), 100U);
  const mapping_id late = w.create(request(9000));
  w.run_for(1min);
  // The newcomer is told at once what is known.
  EXPECT_EQ(w.last_event(late)->event.kind, event_kind::mapped);
  EXPECT_EQ(told(w, late).seen_address, wan_side);
  EXPECT_EQ(questions(w).size(), 1U);
}

TEST_F(seen_address, is_asked_for_again_at_each_recheck_and_told_if_it_is_another) {
  world& w = begin(with_stun());
  const mapping_id id = w.create(request());
  w.run_for(299s);
  EXPECT_EQ(questions(w).size(), 1U);
  w.run_for(2s);
  EXPECT_EQ(questions(w).size(), 2U);
  EXPECT_EQ(w.count_events(event_kind::changed), 1U);  // the same is no news
  w.stun().carrier = carrier;
  w.run_for(300s);
  EXPECT_EQ(w.count_events(event_kind::changed), 2U);
  EXPECT_EQ(told(w, id).seen_address, carrier);
}

TEST_F(seen_address, is_asked_for_again_when_the_router_has_another_address) {
  scene what = with_stun();
  what.client.recheck_period = 1h;
  world& w = begin(what);
  const mapping_id id = w.create(request());
  w.run_for(1min);
  w.set_public_address(v4(198, 51, 100, 8));  // the profile tells of it, as RFC 6887 wants
  w.run_for(1min);
  EXPECT_EQ(told(w, id).external.address, v4(198, 51, 100, 8));
  EXPECT_EQ(told(w, id).seen_address, v4(198, 51, 100, 8));
  EXPECT_EQ(questions(w).size(), 2U);
  // What was seen before the change is not told beside the new address.
  for (const auto& each : w.events()) {
    if (each.event.kind == event_kind::lost) continue;
    const mapping_info& info = each.event.info;
    EXPECT_TRUE(info.seen_address.is_unspecified() || info.seen_address == info.external.address);
  }
}

TEST_F(seen_address, is_asked_for_every_ten_seconds_at_most) {
  scene what = with_stun();
  what.client.recheck_period = 1s;
  world& w = begin(what);
  w.create(request());
  w.run_for(100s);
  const auto asked = questions(w);
  ASSERT_GE(asked.size(), 9U);
  EXPECT_LE(asked.size(), 11U);
  for (std::size_t i = 1; i < asked.size(); ++i) {
    EXPECT_GE(asked[i].at - asked[i - 1].at, 10s);
  }
}

TEST_F(seen_address, is_asked_for_by_the_rfcs_schedule_where_nobody_answers) {
  scene what = with_stun();
  what.stun->how.answers = false;
  world& w = begin(what);
  const mapping_id id = w.create(request());
  w.run_for(60s);
  // RFC 8489 section 6.2.1: 500 ms, doubling, seven times.
  std::vector<nanoseconds> at;
  for (const auto& each : questions(w)) at.push_back(each.at - 2ms);
  EXPECT_EQ(at, (std::vector<nanoseconds>{0ms, 500ms, 1500ms, 3500ms, 7500ms, 15500ms, 31500ms}));
  EXPECT_EQ(kinds(w), std::vector{event_kind::mapped});
  EXPECT_TRUE(told(w, id).seen_address.is_unspecified());
  EXPECT_EQ(w.open_channels(), 2U);  // given up
}

TEST_F(seen_address, is_done_without_where_the_server_refuses_or_is_not_there) {
  for (const bool is_there : {true, false}) {
    scene what = with_stun();
    what.stun->is_there = is_there;
    what.stun->how.refuses = true;
    world& w = begin(what);
    w.create(request());
    w.run_for(1min);
    EXPECT_EQ(questions(w).size(), 1U);
    EXPECT_EQ(kinds(w), std::vector{event_kind::mapped});
    EXPECT_EQ(w.open_channels(), 2U);
  }
}

TEST_F(seen_address, comes_from_servers_of_the_older_kind_too) {
  scene what = with_stun();
  what.stun->how.is_old = true;
  world& w = begin(what);
  const mapping_id id = w.create(request());
  w.run_for(1min);
  EXPECT_EQ(told(w, id).seen_address, wan_side);
}

TEST_F(seen_address, cannot_be_forged_without_the_transaction) {
  scene what = with_stun();
  what.stun->how.answers = false;
  world& w = begin(what);
  const mapping_id id = w.create(request());
  w.run_for(1s);
  const packet_record question = questions(w).at(0);
  const endpoint& asker = question.datagram.from;
  packet_record other = question;
  other.datagram.bytes[19] ^= std::byte{1};
  const auto before = w.counters();
  // Another transaction; another sender; a request; too short; an impossible address; the right
  // one.
  EXPECT_TRUE(w.inject({w.stun().at, asker, forged(other, carrier)}));
  EXPECT_TRUE(w.inject({{carrier, stun_port}, asker, forged(question, carrier)}));
  EXPECT_TRUE(w.inject({w.stun().at, asker, question.datagram.bytes}));
  EXPECT_TRUE(w.inject({w.stun().at, asker, {std::byte{1}, std::byte{1}}}));
  EXPECT_TRUE(w.inject({w.stun().at, asker, forged(question, v4(224, 0, 0, 1))}));
  EXPECT_EQ(w.counters().datagrams_unmatched, before.datagrams_unmatched + 1);
  EXPECT_EQ(w.counters().datagrams_stranger, before.datagrams_stranger + 1);
  EXPECT_EQ(w.counters().datagrams_malformed, before.datagrams_malformed + 3);
  EXPECT_EQ(kinds(w), std::vector{event_kind::mapped});
  EXPECT_TRUE(w.inject({w.stun().at, asker, forged(question, carrier)}));
  EXPECT_EQ(told(w, id).seen_address, carrier);
  EXPECT_FALSE(w.inject({w.stun().at, asker, forged(question, wan_side)}));  // it is over
}

TEST_F(seen_address, is_found_through_loss) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    scene what = with_stun();
    what.seed = seed;
    what.link.loss_percent = 30;
    what.link.duplicate_percent = 20;
    world& w = begin(what);
    const mapping_id id = w.create(request());
    ASSERT_TRUE(w.run_until(
        [&] {
          const auto* last = w.last_event(id);
          return last != nullptr && last->event.info.seen_address == wan_side;
        },
        10min))
        << seed;
  }
}

TEST_F(seen_address, ends_with_the_last_mapping_and_with_the_way_out) {
  scene what = with_stun();
  what.stun->how.answers = false;
  world& w = begin_mapped(what);
  w.release(id_);
  w.run_for(3s);
  EXPECT_EQ(w.open_channels(), 0U);
  EXPECT_EQ(w.engine_deadline(), std::nullopt);

  world& moved = begin_mapped(with_stun());
  moved.run_for(1s);
  EXPECT_EQ(told(moved, id_).seen_address, wan_side);
  network_facts facts = world::one_route(lan_side, v4(192, 168, 1, 120));
  moved.set_network(facts);
  moved.run_for(10s);
  EXPECT_EQ(questions(moved).size(), 2U);
  EXPECT_EQ(told(moved, id_).seen_address, wan_side);
}

TEST_F(seen_address, is_part_of_a_discovery) {
  scene what = with_stun();
  what.stun->carrier = carrier;
  world& w = begin(what);
  w.discover(protocol_filter::pcp_only);
  w.run_for(10s);
  ASSERT_EQ(w.discoveries().size(), 1U);
  EXPECT_EQ(w.discoveries()[0].what.found.seen, carrier);
  EXPECT_EQ(w.discoveries()[0].at, 2ms);
  // Also where there is no router to ask.
  w.set_network(world::one_route(ip_address::any_v4(), v4(93, 184, 216, 99)));
  w.discover();
  w.run_for(10s);
  ASSERT_EQ(w.discoveries().size(), 2U);
  EXPECT_TRUE(w.discoveries()[1].what.found.gateway.is_unspecified());
  EXPECT_EQ(w.discoveries()[1].what.found.seen, carrier);
  // And nothing is waited for longer than for a router.
  w.stun().how.answers = false;
  w.discover();
  w.run_for(10s);
  ASSERT_EQ(w.discoveries().size(), 3U);
  EXPECT_TRUE(w.discoveries()[2].what.found.seen.is_unspecified());
  EXPECT_EQ(w.discoveries()[2].at, 24s);
  EXPECT_EQ(w.open_channels(), 0U);
  EXPECT_EQ(w.engine_deadline(), std::nullopt);
}

TEST_F(seen_address, is_left_alone_where_the_discovery_is_called_off) {
  for (int i = 0; i < 10; ++i) {
    world& w = begin(with_stun());
    const discovery_id id = w.discover();
    w.run_for(i * 500us);
    w.cancel(id);
    EXPECT_EQ(w.open_channels(), 0U);
    EXPECT_EQ(w.engine_deadline(), std::nullopt);
  }
}

}  // namespace
}  // namespace damson::sim
