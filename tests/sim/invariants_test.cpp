// Each of the invariants can be broken: the world lives as it should, and its witness is told, or
// finds, something else.

#include <chrono>
#include <functional>
#include <optional>
#include <string_view>

#include "sim/inspect.hpp"
#include "sim/invariants.hpp"
#include "sim/runner/live_bytes.hpp"
#include "sim/soak_neighbours.hpp"
#include "upnp_scenario.hpp"

namespace damson::sim {
namespace {

class an_invariant : public upnp_scenario {
 protected:
  /// Something that is watched, and holds TCP 8080.
  world& watch(const scene& what = {}) {
    world& w = begin(what);
    holds_.emplace(w);
    holds_->on_created(mapping_id{1}, request());
    id_ = w.create(request());
    holds_->pass(10s);
    EXPECT_EQ(w.count_events(event_kind::mapped), 1U);
    EXPECT_FALSE(holds_->missing());
    return w;
  }

  void TearDown() override {
    holds_.reset();
    upnp_scenario::TearDown();
  }

  void expect_broken(std::string_view how) {
    const auto& what = holds_->check();
    ASSERT_TRUE(what);
    EXPECT_TRUE(what->contains(how)) << *what;
  }

  void expect_failure(const std::function<void()>& what, std::string_view how) {
    try {
      what();
      ADD_FAILURE() << "nothing broke";
    } catch (const invariant_broken& seen) {
      EXPECT_TRUE(std::string_view{seen.what()}.contains(how)) << seen.what();
    }
  }

  /// The first MAP that the host sent for the port.
  static packet_record map_of(const world& w, std::uint16_t port) {
    for (const auto& each : w.packets()) {
      const auto map = read_pcp_map(each.datagram.bytes);
      if (each.way == direction::to_router && map && map->internal_port == port) return each;
    }
    ADD_FAILURE() << "no MAP";
    return {};
  }
  static packet_record first_map(const world& w) { return map_of(w, 8080); }

  static http_record request_to(const ip_address& whom) {
    http_record out;
    out.remote = {whom, 80};
    out.request = "GET / HTTP/1.1\r\n\r\n";
    return out;
  }

  /// The first event, as another one.
  static event_record first_event_as(const world& w, event_kind kind) {
    event_record out = w.events().at(0);
    out.at = w.now();
    out.event.kind = kind;
    return out;
  }

  /// The router gets one more port of this host, of which the engine knows nothing.
  static void add_port(world& w, std::uint16_t port) {
    neighbours_wish wish;
    wish.protocol = protocol::pcp;
    wish.transport = transport::tcp;
    wish.external_port = port;
    wish.internal = {world::host_address, port};
    ask_as_neighbour(w.router(), w.clock(), wish);
    ASSERT_TRUE(router_holds(w, port));
  }

  /// A router that gives anybody's port, asked for TCP 8080.
  world& watch_overwriting() {
    upnp_profile how;
    how.overwrites_anybody = true;
    world& w = begin(upnp_only(how));
    holds_.emplace(w);
    holds_->on_created(mapping_id{1}, request());
    w.create(request());
    return w;
  }

  static http_record last_request(const world& w, std::string_view action) {
    const auto all = requests_for(w, action);
    return all.empty() ? http_record{} : all.back();
  }

  void another_takes_the_port(world& w) {
    neighbours_wish wish;
    wish.protocol = protocol::upnp;
    wish.transport = transport::tcp;
    wish.external_port = 8080;
    wish.internal = {other_host, 8080};
    ask_as_neighbour(w.router(), w.clock(), wish);
    holds_->on_others_changed();
  }

  static constexpr std::size_t nonce_at = 24;
  static constexpr std::size_t internal_port_at = 40;

  std::optional<invariants> holds_;
};

TEST_F(an_invariant, holds_for_a_quiet_day) {
  watch();
  holds_->pass(24h);
  EXPECT_FALSE(holds_->check());
}

TEST_F(an_invariant, nothing_is_sent_to_nobody) {
  packet_record astray = first_map(watch());
  astray.datagram.to.address = v4(192, 168, 1, 77);
  holds_->on_packet(astray);
  expect_broken("a packet to 192.168.1.77:5351, which is nobody");
}

TEST_F(an_invariant, nothing_is_asked_by_http_of_nobody) {
  watch();
  holds_->on_request(request_to(v4(192, 168, 1, 77)));
  expect_broken("an HTTP request to 192.168.1.77:80, which is nobody");
}

TEST_F(an_invariant, who_has_answered_a_search_may_be_asked) {
  watch();
  holds_->on_seen(v4(192, 168, 1, 77));
  holds_->on_request(request_to(v4(192, 168, 1, 77)));
  EXPECT_FALSE(holds_->check());
}

TEST_F(an_invariant, a_mapping_keeps_its_nonce) {
  packet_record other = first_map(watch());
  other.datagram.bytes.at(nonce_at) ^= std::byte{1};
  holds_->on_packet(other);
  expect_broken("a second nonce for one mapping of port 8080");
}

TEST_F(an_invariant, requests_that_share_a_mapping_share_its_nonce) {
  packet_record other = first_map(watch());
  holds_->on_created(mapping_id{2}, request());
  holds_->on_packet(other);
  EXPECT_FALSE(holds_->check());
  other.datagram.bytes.at(nonce_at) ^= std::byte{1};
  holds_->on_packet(other);
  expect_broken("a second nonce for one mapping of port 8080");
}

TEST_F(an_invariant, a_later_mapping_has_another_nonce) {
  for (const bool is_new : {true, false}) {
    packet_record later = first_map(watch());
    holds_->on_released(id_);
    holds_->on_created(mapping_id{2}, request());
    if (is_new) later.datagram.bytes.at(nonce_at) ^= std::byte{1};
    holds_->on_packet(later);
    EXPECT_EQ(holds_->check().has_value(), !is_new);
    if (!is_new) expect_broken("a nonce of an earlier mapping of port 8080");
    holds_.reset();
  }
}

TEST_F(an_invariant, the_next_in_the_queue_has_a_nonce_of_its_own) {
  for (const bool waits : {true, false}) {
    const world& w = watch();
    holds_->on_created(mapping_id{2}, request());
    if (waits) {
      event_record told = first_event_as(w, event_kind::failed);
      told.event.info.id = mapping_id{2};
      told.event.why.reason = errc::already_mapped;
      holds_->on_event(told);
    }
    holds_->on_released(id_);
    holds_->on_event(first_event_as(w, event_kind::removed));
    packet_record later = first_map(w);
    later.datagram.bytes.at(nonce_at) ^= std::byte{1};
    holds_->on_packet(later);
    EXPECT_EQ(holds_->check().has_value(), !waits);
    holds_.reset();
  }
}

TEST_F(an_invariant, a_second_router_is_looked_for_behind_a_private_address) {
  for (const bool is_private : {true, false}) {
    scene what;
    if (is_private) what.public_address = v4(10, 0, 0, 7);
    world& w = watch(what);
    packet_record further = first_map(w);
    further.datagram.to.address = v4(192, 0, 0, 9);
    further.datagram.bytes.at(nonce_at) ^= std::byte{1};
    holds_->on_packet(further);
    EXPECT_EQ(holds_->check().has_value(), !is_private);
    if (!is_private) expect_broken("a packet to 192.0.0.9:5351, which is nobody");
    holds_.reset();
  }
}

TEST_F(an_invariant, a_second_router_is_looked_for_behind_a_device_that_came_later) {
  world& w = watch();
  w.add_router(upnp_only_router(), second_address, v4(10, 0, 0, 7));
  holds_->on_event(first_event_as(w, event_kind::changed));
  packet_record further = first_map(w);
  further.datagram.to.address = v4(192, 0, 0, 9);
  further.datagram.bytes.at(nonce_at) ^= std::byte{1};
  holds_->on_packet(further);
  EXPECT_FALSE(holds_->check());
}

TEST_F(an_invariant, a_lease_that_damage_shortened_may_stay) {
  for (const bool is_damaged : {true, false}) {
    world& w = watch();
    if (is_damaged) {
      packet_record answer = first_map(w);
      answer.way = direction::to_host;
      answer.damaged = true;
      holds_->on_packet(answer);
    }
    w.close();
    holds_->pass(2s);
    add_port(w, 8082);
    if (is_damaged) {
      holds_->demand_closed();
    } else {
      expect_failure([&] { holds_->demand_closed(); }, "left behind at 192.168.1.1: tcp 8082");
    }
    holds_.reset();
  }
}

TEST_F(an_invariant, of_healing_waits_for_the_longest_lease_that_was_asked_for) {
  upnp_profile how;
  how.same_ports_required = true;
  scene what = upnp_only(how);
  what.client.recheck_period = 1h;
  world& w = begin(what);
  holds_.emplace(w);
  for (const auto lifetime : {1h, 72h, 2h}) {
    map_request wanted = request(static_cast<std::uint16_t>(8000 + lifetime.count()));
    wanted.lifetime = lifetime;
    wanted.allow_permanent = false;
    holds_->on_created(w.create(wanted), wanted);
  }
  EXPECT_EQ(holds_->longest_lifetime(), 72h);
  holds_->pass(1h);
  ASSERT_FALSE(holds_->missing());
  // What the host leaves at its address takes the only port that will do from it at the other.
  holds_->on_network_changes();
  w.set_network(world::one_route(world::router_address, other_own_address));
  holds_->on_world_changed();
  holds_->pass(24h);
  EXPECT_TRUE(holds_->missing());
  holds_->pass(holds_->longest_lifetime() - 24h + 3h);
  EXPECT_FALSE(holds_->missing()) << *holds_->missing();
}

TEST_F(an_invariant, two_mappings_have_two_nonces) {
  packet_record other = first_map(watch());
  other.datagram.bytes.at(internal_port_at) ^= std::byte{1};
  holds_->on_packet(other);
  expect_broken("one nonce for two ports");
}

TEST_F(an_invariant, little_is_sent_in_ten_seconds) {
  const world& w = watch();
  packet_record again = first_map(w);
  again.at = w.now();
  for (int i = 0; i < 1'000 && !holds_->check(); ++i) holds_->on_packet(again);
  expect_broken("sent in ten seconds for 1 mappings");
}

TEST_F(an_invariant, what_is_told_as_open_the_router_holds) {
  const world& w = watch();
  // One that the engine knows nothing of.
  holds_->on_created(mapping_id{2}, request(8082));
  event_record told = first_event_as(w, event_kind::mapped);
  told.event.info.id = mapping_id{2};
  told.event.info.protocol = protocol::upnp;
  told.event.info.internal.port = told.event.info.external.port = 8082;
  holds_->on_event(told);
  holds_->pass(told.event.info.lifetime);
  expect_failure([&] { holds_->pass(told.event.info.lifetime); },
                 "mapping 2 is told as open, and the router does not hold it since");
}

TEST_F(an_invariant, a_lease_is_no_longer_than_it_was_given) {
  world& w = watch();
  // Told as granted for a minute, and asked for an hour later.
  event_record told = first_event_as(w, event_kind::mapped);
  told.event.info.lifetime = 60s;
  holds_->on_event(told);
  expect_failure([&] { holds_->pass(10min); }, "with a lease of 60 s was last asked for at 0 s");
}

TEST_F(an_invariant, a_lease_ends_only_after_it_was_to_be_renewed) {
  world& w = watch();
  holds_->pass(50min);
  event_record told = first_event_as(w, event_kind::lost);
  told.event.info.lifetime = 3'000s;
  told.event.why.reason = errc::lease_expired;
  holds_->on_event(told);
  expect_broken("port 8080 with a lease of 3000 s was not renewed");
}

TEST_F(an_invariant, a_lease_of_a_second_may_end_half_a_second_after_it_was_asked_for) {
  for (const bool is_soon : {true, false}) {
    world& w = watch();
    holds_->pass(10min);
    packet_record asked = first_map(w);
    asked.at = w.now();
    holds_->on_packet(asked);
    holds_->pass(is_soon ? 500ms : 800ms);
    event_record told = first_event_as(w, event_kind::lost);
    told.event.info.lifetime = 1s;
    told.event.why.reason = errc::lease_expired;
    holds_->on_event(told);
    EXPECT_EQ(holds_->check().has_value(), !is_soon);
  }
}

TEST_F(an_invariant, a_lease_through_upnp_may_end_soon_after_the_trouble) {
  for (const bool is_soon : {true, false}) {
    world& w = watch(upnp_only());
    holds_->pass(10min);
    holds_->on_healed();
    holds_->pass(is_soon ? 1min : 40min);
    event_record told = first_event_as(w, event_kind::lost);
    told.event.info.lifetime = 600s;
    told.event.why.reason = errc::lease_expired;
    holds_->on_event(told);
    EXPECT_EQ(holds_->check().has_value(), !is_soon);
  }
}

TEST_F(an_invariant, a_lease_through_upnp_may_be_too_short_for_its_turn) {
  for (const bool is_short : {true, false}) {
    world& w = watch(upnp_only());
    holds_->pass(10min);
    event_record told = first_event_as(w, event_kind::lost);
    told.event.info.lifetime = is_short ? 2s : 20s;
    told.event.why.reason = errc::lease_expired;
    holds_->on_event(told);
    EXPECT_EQ(holds_->check().has_value(), !is_short);
  }
}

/// Six mappings, all asked for at one moment, and again when half of their leases is over.
class a_lockstep : public an_invariant {
 protected:
  void happen(bool is_asleep_between);
};

void a_lockstep::happen(bool is_asleep_between) {
  scene what;
  what.client.recheck_period = 60s;
  world& w = watch(what);
  for (std::uint16_t i = 1; i < 6; ++i) {
    const map_request wanted = request(static_cast<std::uint16_t>(8080 + i));
    holds_->on_created(mapping_id{1U + i}, wanted);
    w.create(wanted);
  }
  holds_->pass(10min);
  EXPECT_EQ(w.count_events(event_kind::mapped), 6U);
  for (const auto at : {w.now(), w.now() + 3'650s}) {
    for (std::uint16_t i = 0; i < 6; ++i) {
      EXPECT_FALSE(holds_->check()) << i;
      packet_record asked = map_of(w, static_cast<std::uint16_t>(8080 + i));
      asked.at = at + std::chrono::milliseconds{i};
      holds_->on_packet(asked);
    }
    if (is_asleep_between) holds_->on_network_changes();
  }
}

TEST_F(a_lockstep, of_renewals_is_seen) {
  happen(false);
  expect_broken("6 mappings were renewed in lockstep");
}

TEST_F(a_lockstep, after_a_sleep_is_none) {
  happen(true);
  EXPECT_FALSE(holds_->check()) << *holds_->check();
}

TEST_F(an_invariant, memory_is_bounded) {
  watch();
  holds_->watch_memory(live_bytes);
  holds_->pass(1h);
  const std::string much(2 << 20, ' ');
  expect_failure([&] { holds_->pass(1h); }, "bytes are held");
}

TEST_F(an_invariant, what_answers_nothing_changes_nothing) {
  world& w = watch();
  holds_->demand_no_effect([&] { w.inject({{other_host, 1}, {world::host_address, 1}, {}}); },
                           "a stranger's packet");
  expect_failure([&] { holds_->demand_no_effect([&] { w.create(request(8083)); }, "a wish"); },
                 "a wish changed something");
}

TEST_F(an_invariant, nothing_is_sent_after_the_end) {
  watch();
  expect_failure([&] { holds_->demand_silence(1h); }, "something was sent after the end");
}

TEST_F(an_invariant, a_question_that_is_repeated_is_one) {
  world& w = watch();
  const std::size_t before = holds_->check_count();
  packet_record asked = first_map(w);
  asked.datagram.bytes = packet({
      "02",                                   // version
      "00",                                   // ANNOUNCE
      "0000",                                 // reserved
      "00000000",                             // lifetime
      "00000000 00000000 0000ffff c0a80164",  // client address
  });
  for (const auto after : {0ms, 250ms, 750ms}) {
    asked.at = w.now() + after;
    holds_->on_packet(asked);
  }
  EXPECT_EQ(holds_->check_count(), before + 1);
  for (const auto after : {1s, 2s, 3s}) {
    asked.at = w.now() + after;
    holds_->on_packet(asked);
  }
  EXPECT_EQ(holds_->check_count(), before + 4) << "a storm of them is not";
}

TEST_F(an_invariant, what_others_have_is_left_alone) {
  world& w = begin();
  w.router().occupy(transport::tcp, 8080, {other_host, 8080});
  invariants& holds = holds_.emplace(w);
  holds.on_others_changed();
  holds.pass(1s);
  w.router().forget(transport::tcp, std::uint16_t{8080});
  expect_broken("somebody else's rule was touched: tcp 8080 to 192.168.1.101:8080");
}

TEST_F(an_invariant, what_others_take_before_it_is_seen_may_be_overwritten) {
  world& w = watch_overwriting();
  holds_->pass_until(
      [&] { return last_request(w, "GetSpecificPortMappingEntry").served_at.has_value(); }, 5s);
  another_takes_the_port(w);
  holds_->pass(1s);
  EXPECT_TRUE(router_holds(w, 8080));
}

TEST_F(an_invariant, what_others_have_is_looked_at_before_it_is_overwritten) {
  world& w = watch_overwriting();
  holds_->pass(10s);
  w.router().forget_all();
  another_takes_the_port(w);
  http_record adding = last_request(w, "AddPortMapping");
  adding.at = w.now();
  holds_->on_request(adding);
  w.router().handle_http(w.clock(), adding.local, adding.request);
  expect_broken("somebody else's rule was touched: tcp 8080 to 192.168.1.101:8080");
}

TEST_F(an_invariant, all_that_is_wanted_is_up_in_the_end) {
  world& w = watch();
  event_record told = first_event_as(w, event_kind::failed);
  told.event.why.reason = errc::no_answer;
  holds_->on_event(told);
  ASSERT_TRUE(holds_->missing());
  EXPECT_TRUE(holds_->missing()->contains("mapping 1 is not up")) << *holds_->missing();
  holds_->on_event(first_event_as(w, event_kind::mapped));
  EXPECT_FALSE(holds_->missing());
  w.router().forget(transport::tcp, {world::host_address, 8080});
  ASSERT_TRUE(holds_->missing());
  EXPECT_TRUE(holds_->missing()->contains("and the router does not hold it"));
}

TEST_F(an_invariant, the_engine_closes) {
  watch();
  expect_failure([&] { holds_->demand_closed(); }, "has not closed");
}

TEST_F(an_invariant, every_mapping_ends_in_an_event) {
  world& w = watch();
  const event_record again = first_event_as(w, event_kind::mapped);
  w.close();
  holds_->pass(2s);
  holds_->on_event(again);
  expect_failure([&] { holds_->demand_closed(); }, "mapping 1 was never told as removed");
}

TEST_F(an_invariant, nothing_is_left_behind) {
  world& w = watch();
  w.close();
  holds_->pass(2s);
  holds_->demand_closed();
  w.router().occupy(transport::tcp, 8081, {world::host_address, 8081});
  holds_->demand_closed();  // the household's own
  add_port(w, 8082);
  expect_failure([&] { holds_->demand_closed(); }, "left behind at 192.168.1.1: tcp 8082");
}

TEST_F(an_invariant, what_is_told_as_left_to_expire_may_stay) {
  world& w = watch();
  event_record told = first_event_as(w, event_kind::removed);
  told.event.how = removal::left_to_expire;
  told.event.info.id = mapping_id{2};
  told.event.info.internal.port = 8082;
  holds_->on_created(told.event.info.id, request(8082));
  w.close();
  holds_->pass(2s);
  add_port(w, 8082);
  holds_->on_event(told);
  holds_->demand_closed();
}

TEST_F(an_invariant, what_was_on_its_way_when_the_host_fell_asleep_comes_later) {
  for (const bool sleeps : {true, false}) {
    world& w = watch();
    map_request wanted = request(8082);
    wanted.lifetime = 2h;
    wanted.allow_permanent = false;
    holds_->on_created(mapping_id{2}, wanted);
    http_record asked = request_to(world::router_address);
    asked.at = w.now();
    asked.request =
        "POST / HTTP/1.1\r\nSOAPAction: "
        "\"urn:schemas-upnp-org:service:WANIPConnection:1#AddPortMapping\"\r\n\r\n"
        "<NewInternalPort>8082</NewInternalPort><NewProtocol>TCP</NewProtocol>";
    holds_->on_request(asked);
    event_record told = first_event_as(w, event_kind::removed);
    told.event.how = removal::left_to_expire;
    told.event.info.id = mapping_id{2};
    told.event.info.internal.port = 8082;
    holds_->on_event(told);
    w.release(id_);
    w.close();
    holds_->pass(1h);
    if (sleeps) holds_->on_slept(1h);
    add_port(w, 8082);
    if (sleeps) {
      holds_->demand_closed();
    } else {
      expect_failure([&] { holds_->demand_closed(); }, "left behind at 192.168.1.1: tcp 8082");
    }
    holds_.reset();
  }
}

TEST_F(an_invariant, what_was_chosen_while_the_host_slept_is_known_to_nobody) {
  for (const bool sleeps : {true, false}) {
    upnp_profile how;
    how.version = 2;
    world& w = begin(upnp_only(how));
    holds_.emplace(w);
    holds_->on_created(mapping_id{1}, request());
    const mapping_id id = w.create(request());
    ASSERT_TRUE(w.run_until([&] { return !requests_for(w, "AddAnyPortMapping").empty(); }, 1min));
    if (sleeps) {
      holds_->on_network_changes();
      w.suspend(1h);
      holds_->on_slept(1h);
    }
    neighbours_wish chosen;
    chosen.protocol = protocol::upnp;
    chosen.transport = transport::tcp;
    chosen.external_port = 9'999;
    chosen.internal = {world::host_address, 8080};
    chosen.lifetime = 3'600;
    ask_as_neighbour(w.router(), w.clock(), chosen);
    holds_->pass(10min);
    EXPECT_EQ(w.count_events(event_kind::mapped), 1U);
    w.release(id);
    w.close();
    holds_->pass(1min);
    EXPECT_EQ(w.last_event(id)->event.how, removal::deleted);
    if (sleeps) {
      holds_->demand_closed();
    } else {
      expect_failure([&] { holds_->demand_closed(); }, "left behind at 192.168.1.1: tcp 9999");
    }
    holds_.reset();
  }
}

TEST_F(an_invariant, broken_from_outside_stays_broken) {
  watch();
  expect_failure([&] { holds_->fail("this"); }, "this");
  expect_failure([&] { holds_->pass(1s); }, "this");
}

}  // namespace
}  // namespace damson::sim
