// Packets that are not what they seem.
//
// Two worlds of the same scene are run, one of them attacked: packets and events must be the same
// to the last byte and nanosecond, while the counters tell of the attack.

#include <array>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "scenario.hpp"

namespace damson::sim {
namespace {

constexpr endpoint server{lan_side, 5351};
constexpr endpoint group{v4(224, 0, 0, 1), 5350};

class forgery : public scenario {
 protected:
  /// Runs `what` twice with a mapping asked for at 0 s, and `attack` on the second at `when`. Tells
  /// whether the runs look alike after an hour and a half.
  void expect_no_effect(const scene& what, nanoseconds when,
                        const std::function<void(world&)>& attack) {
    world& calm = begin(what);
    world& attacked = begin(what);
    for (world* w : {&calm, &attacked}) {
      w->create(request());
      w->run_for(when);
    }
    const engine_counters before = attacked.counters();
    attack(attacked);
    EXPECT_NE(attacked.counters(), before) << "the attack never reached the engine";
    EXPECT_EQ(attacked.engine_deadline(), calm.engine_deadline());
    for (world* w : {&calm, &attacked}) w->run_for(90min);
    EXPECT_EQ(attacked.transcript(), calm.transcript());
    EXPECT_GE(calm.count_events(event_kind::mapped), 1U);
  }

  static void send(world& w, const endpoint& from, bytes data) {
    const endpoint to{world::host_address, w.client_port().value()};
    w.inject({from, to, std::move(data)});
  }

  /// An answer that would be right, for the last MAP that was sent.
  static bytes right_answer(const world& w) {
    const pcp_map_view asked = pcp_maps(w).back().map;
    writer out;
    out.u8(2).u8(0x81).u8(0).u8(0).u32(7200).u32(3600).zeros(12);
    out.raw(asked.nonce).u8(asked.protocol).zeros(3);
    out.u16(asked.internal_port).u16(9999).address(v4(203, 0, 113, 66));
    return out.take();
  }

  /// Version 2, the opcode of a NAT-PMP mapping for TCP, and zeros.
  static bytes pcp_like(std::size_t length) {
    bytes out(length, std::byte{0});
    out[0] = std::byte{2};
    out[1] = std::byte{0x82};
    return out;
  }

  static bytes right_nat_pmp_answer(const world& w) {
    const nat_pmp_map_view asked = nat_pmp_maps(w).back().map;
    writer out;
    out.u8(0).u8(asked.transport == transport::tcp ? 0x82 : 0x81).u16(0).u32(3600);
    out.u16(asked.internal_port).u16(9999).u32(7200);
    return out.take();
  }

  static bytes changed(bytes data, std::size_t at, std::uint8_t value) {
    data.at(at) = std::byte{value};
    return data;
  }

  static bytes cut(bytes data, std::size_t size) {
    data.resize(size);
    return data;
  }
};

/// A link on which a MAP is under way for 200 ms.
scene slow_link() {
  scene what;
  what.link.latency = 100ms;
  return what;
}

TEST_F(forgery, the_answer_that_the_others_differ_from_would_be_taken) {
  world& w = begin(slow_link());
  w.create(request());
  w.run_for(50ms);
  send(w, server, right_answer(w));
  ASSERT_EQ(kinds(w), std::vector{event_kind::mapped});
  EXPECT_EQ(w.events()[0].event.info.external, (endpoint{v4(203, 0, 113, 66), 9999}));
}

TEST_F(forgery, answers_that_match_nothing_asked_change_nothing) {
  const std::vector<std::pair<std::string, std::function<bytes(const bytes&)>>> damages = {
      {"nonce",
       [](const bytes& r) { return changed(r, 24, std::to_integer<std::uint8_t>(~r[24])); }},
      {"end of nonce",
       [](const bytes& r) { return changed(r, 35, std::to_integer<std::uint8_t>(~r[35])); }},
      {"protocol", [](const bytes& r) { return changed(r, 36, 17); }},
      {"internal port", [](const bytes& r) { return changed(r, 41, 0x91); }},
      {"opcode PEER", [](const bytes& r) { return changed(r, 1, 0x82); }},
      {"request instead of response", [](const bytes& r) { return changed(r, 1, 0x01); }},
      {"version 1 with success", [](const bytes& r) { return changed(r, 0, 1); }},
      {"version 3 with success", [](const bytes& r) { return changed(r, 0, 3); }},
      {"version 255 with success", [](const bytes& r) { return changed(r, 0, 255); }},
      {"1 byte", [](const bytes& r) { return cut(r, 1); }},
      {"cut in the nonce", [](const bytes& r) { return cut(r, 32); }},
      {"cut by a word", [](const bytes& r) { return cut(r, 56); }},
      {"cut by a byte", [](const bytes& r) { return cut(r, 59); }},
      {"a byte too many", [](const bytes& r) { return cut(r, 61); }},
      {"too long", [](const bytes& r) { return cut(r, 1'104); }},
      {"empty", [](const bytes& r) { return cut(r, 0); }},
  };
  for (const auto& [name, damage] : damages) {
    SCOPED_TRACE(name);
    expect_no_effect(slow_link(), 50ms,
                     [&](world& w) { send(w, server, damage(right_answer(w))); });
  }
}

TEST_F(forgery, refusals_that_match_nothing_asked_change_nothing) {
  for (const auto result : std::to_array<std::uint8_t>({2, 3, 8, 12})) {
    SCOPED_TRACE(static_cast<int>(result));
    expect_no_effect(slow_link(), 50ms, [&](world& w) {
      bytes refusal = changed(right_answer(w), 3, result);
      send(w, server, changed(refusal, 24, std::to_integer<std::uint8_t>(~refusal[24])));
    });
  }
}

TEST_F(forgery, answers_from_strangers_change_nothing) {
  const std::array<endpoint, 4> strangers{{
      {other_host, 5351},           // another host, the server's port
      {lan_side, 5350},             // the router, another port
      {lan_side, 5352},             //
      {world::host_address, 5351},  // ourselves
  }};
  for (const endpoint& stranger : strangers) {
    SCOPED_TRACE(to_string(stranger));
    expect_no_effect(slow_link(), 50ms, [&](world& w) { send(w, stranger, right_answer(w)); });
  }
}

TEST_F(forgery, answers_that_nobody_waits_for_change_nothing) {
  expect_no_effect(scene{}, 10min, [](world& w) {
    send(w, server, right_answer(w));                 // the mapping has been granted already
    send(w, server, changed(right_answer(w), 3, 2));  // refused, would it be
    send(w, server, packet({"00 82 0000 00000e10 1f90 270f 00001c20"}));  // NAT-PMP
    send(w, server, packet({"00 80 0001 00000e10"}));                     // a version refusal
    send(w, server, packet({"00 80 0000 00000000 cb007142"}));            // another public address
  });
}

TEST_F(forgery, an_epoch_in_an_answer_that_nobody_waits_for_is_no_restart) {
  expect_no_effect(scene{}, 10min, [](world& w) {
    bytes young = right_answer(w);
    for (std::size_t i = 8; i < 12; ++i) young[i] = std::byte{0};
    send(w, server, young);
  });
}

TEST_F(forgery, nat_pmp_answers_that_match_nothing_asked_change_nothing) {
  scene what = slow_link();
  what.router = nat_pmp_only_router();
  const std::vector<std::pair<std::string, std::function<bytes(const bytes&)>>> damages = {
      {"other transport", [](const bytes& r) { return changed(r, 1, 0x81); }},
      {"opcode", [](const bytes& r) { return changed(r, 1, 0x83); }},
      {"request instead of response", [](const bytes& r) { return changed(r, 1, 0x02); }},
      {"version", [](const bytes& r) { return changed(r, 0, 1); }},
      {"cut by a byte", [](const bytes& r) { return cut(r, 15); }},
      {"cut in the epoch", [](const bytes& r) { return cut(r, 6); }},
      {"1 byte", [](const bytes& r) { return cut(r, 1); }},
      // What a PCP server cuts its answer to is the length of the request, here 12.
      {"clipped like another request", [](const bytes&) { return packet({"02 82"}); }},
      {"a byte more than clipped", [](const bytes&) { return pcp_like(13); }},
      {"61 bytes in version 2", [](const bytes&) { return pcp_like(61); }},
      {"1001 bytes in version 2", [](const bytes&) { return pcp_like(1'001); }},
  };
  for (const auto& [name, damage] : damages) {
    SCOPED_TRACE(name);
    // 200 ms for the refusal of PCP; the NAT-PMP request is under way then, whichever comes first.
    expect_no_effect(what, 250ms, [&](world& w) {
      ASSERT_FALSE(w.sent(is_nat_pmp).empty());
      const bytes right = nat_pmp_maps(w).empty()
                              ? packet({"00 82 0000 00000e10 1f90 270f 00001c20"})
                              : right_nat_pmp_answer(w);
      send(w, server, damage(right));
    });
  }
}

// Eight bytes that refuse version 2 have nothing in them that could be guessed wrong; who has
// answered PCP is believed more.
TEST_F(forgery, of_a_version_refusal_is_not_believed_of_a_pcp_router) {
  world& w = begin(slow_link());
  w.create(request(8081));
  ASSERT_TRUE(w.run_until([&] { return w.count_events(event_kind::mapped) == 1; }, 5s));
  // While its requests are lost, NAT-PMP would do.
  w.courier = [&](const packet_record& record) -> std::optional<nanoseconds> {
    const bool is_pcp_map = record.datagram.bytes.size() == 60;
    if (is_pcp_map && w.now() < 2s) return std::nullopt;
    return 100ms;
  };
  const mapping_id second = w.create(request(8082));
  w.run_for(50ms);
  send(w, server, packet({"00 80 0001 00000e10"}));
  w.run_for(5s);
  ASSERT_EQ(w.last_event(second)->event.kind, event_kind::mapped);
  EXPECT_EQ(w.last_event(second)->event.info.protocol, protocol::pcp);
}

// NAT-PMP's answers say what they are about by the internal port alone (RFC 6886 section 3.3).
TEST_F(forgery, a_second_nat_pmp_answer_is_not_for_the_next_request) {
  scene what = slow_link();
  what.router = nat_pmp_only_router();
  world& w = begin(what);
  w.create(request(protocol_filter::nat_pmp_only, 8081));
  const mapping_id second = w.create(request(protocol_filter::nat_pmp_only, 8082));
  ASSERT_TRUE(w.run_until([&] { return w.count_events(event_kind::mapped) == 1; }, 5s));
  ASSERT_EQ(nat_pmp_maps(w).back().map.internal_port, 8082);
  send(w, server, packet({"00 82 0000 00000e10 1f91 1f91 00001c20"}));
  w.run_for(1s);
  ASSERT_EQ(w.count_events(event_kind::mapped), 2U);
  EXPECT_EQ(w.last_event(second)->event.info.external.port, 8082);
}

TEST_F(forgery, nat_pmp_answers_from_strangers_change_nothing) {
  scene what = slow_link();
  what.router = nat_pmp_only_router();
  expect_no_effect(what, 250ms, [&](world& w) {
    send(w, {other_host, 5351}, packet({"00 82 0000 00000e10 1f90 270f 00001c20"}));
    send(w, {other_host, 5351}, packet({"00 80 0000 00000e10 cb007142"}));
  });
}

TEST_F(forgery, announcements_from_strangers_change_nothing) {
  expect_no_effect(scene{}, 10min, [](world& w) {
    for (const auto& from : {endpoint{other_host, 5351}, endpoint{v4(203, 0, 113, 1), 5351}}) {
      w.inject({from, group, packet({"02 80 00 00 00000000 00000000 000000000000000000000000"})});
      w.inject({from, group, packet({"00 80 0000 00000000 cb007142"})});
    }
  });
}

TEST_F(forgery, announcements_that_are_none_change_nothing) {
  expect_no_effect(scene{}, 10min, [](world& w) {
    w.inject({server, group, packet({"02"})});
    w.inject({server, group, packet({"02 00 0000 00000000 00000000 00000000 0000ffff c0a80164"})});
    w.inject({server, group, packet({"02 80 00 00 00000000"})});
    w.inject({server, group, packet({"00 00"})});
    w.inject({server, group, packet({"07 80 0000 00000000 cb007142"})});
  });
}

//
TEST_F(forgery, of_the_routers_announcements_costs_one_question_in_ten_seconds_and_nothing_else) {
  for (const bool pcp : {true, false}) {
    scene what;
    what.router.speaks_pcp = pcp;
    world& w = begin_mapped(what);
    w.run_for(10s);
    const std::size_t before = w.sent_count();
    for (int i = 0; i < 1'000; ++i) {
      w.inject({server, group, packet({"02 80 00 00 00000000 00000000 000000000000000000000000"})});
      w.inject({server, group, packet({"00 80 0000 00000000 cb007142"})});
      w.run_for(100ms);
    }
    // 100 s: at 0 s, 10 s, ... 90 s, and perhaps one more at the end.
    EXPECT_LE(w.sent_count() - before, 11U);
    EXPECT_GE(w.sent_count() - before, 1U);
    EXPECT_GT(w.counters().announcements, 0U);
    std::vector<nanoseconds> questions;
    for (const auto& record : w.packets()) {
      if (record.way == direction::to_router && record.at >= 10s) questions.push_back(record.at);
    }
    for (std::size_t i = 1; i < questions.size(); ++i) {
      EXPECT_GE(questions[i] - questions[i - 1], 10s);
    }
    w.run_for(20s);
    EXPECT_EQ(kinds(w), std::vector{event_kind::mapped});
    EXPECT_EQ(w.counters().reboots_seen, 0U);
    EXPECT_EQ(w.events()[0].event.info.external, (endpoint{wan_side, 8080}));
  }
}

TEST_F(forgery, of_announcements_does_not_hide_a_true_restart) {
  world& w = begin_mapped();
  w.run_for(10s);
  for (int i = 0; i < 100; ++i) {
    w.inject({server, group, packet({"02 80 00 00 00000000 00000000 000000000000000000000000"})});
    w.run_for(100ms);
  }
  w.reboot_router();
  w.run_for(20s);
  EXPECT_EQ(kinds(w), (std::vector{event_kind::mapped, event_kind::lost, event_kind::mapped}));
  EXPECT_TRUE(router_holds(w, 8080));
}

TEST_F(forgery, of_granted_nonsense_is_an_unusable_answer) {
  // These match what was asked and come from the router: the answer itself cannot be used.
  const std::vector<std::pair<std::string, std::function<void(bytes&)>>> nonsense = {
      {"port 0", [](bytes& r) { r[42] = r[43] = std::byte{0}; }},
      {"lifetime 0", [](bytes& r) { r[6] = r[7] = std::byte{0}; }},
      {"external address 127.0.0.1",
       [](bytes& r) {
         r[56] = std::byte{127};
         r[57] = r[58] = std::byte{0};
         r[59] = std::byte{1};
       }},
      {"external address 224.0.0.1",
       [](bytes& r) {
         r[56] = std::byte{224};
         r[57] = r[58] = std::byte{0};
         r[59] = std::byte{1};
       }},
  };
  for (const auto& [name, spoil] : nonsense) {
    SCOPED_TRACE(name);
    world& w = begin(slow_link());
    w.courier = [](const packet_record& record) -> std::optional<nanoseconds> {
      if (record.way == direction::to_host) return std::nullopt;
      return 100ms;
    };
    w.create(request());
    w.run_for(50ms);
    bytes answer = right_answer(w);
    spoil(answer);
    send(w, server, answer);
    w.run_for(15s);
    ASSERT_FALSE(w.events().empty());
    EXPECT_EQ(w.events()[0].event.kind, event_kind::failed);
    const auto* reason = reason_for(w.events()[0].event.why, protocol::pcp);
    ASSERT_NE(reason, nullptr);
    EXPECT_EQ(reason->reason, errc::unusable_answer);
  }
}

TEST_F(forgery, of_random_bytes_changes_nothing) {
  expect_no_effect(scene{}, 10min, [](world& w) {
    random_source dice{std::array<std::uint64_t, 4>{4, 3, 2, 1}};
    for (int i = 0; i < 20'000; ++i) {
      bytes data(dice.uniform(0, 80));
      dice.fill(data);
      // Half of them at least look like one of the protocols.
      if (data.size() >= 2 && dice.uniform(0, 1) == 0) {
        data[0] = dice.uniform(0, 1) == 0 ? std::byte{0} : std::byte{2};
        data[1] = std::byte{0x80} | static_cast<std::byte>(dice.uniform(0, 3));
      }
      send(w, dice.uniform(0, 3) == 0 ? endpoint{other_host, 5351} : server, std::move(data));
    }
  });
}

TEST_F(forgery, of_random_bytes_never_breaks_the_contract_while_requests_are_open) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    scene what = slow_link();
    what.seed = seed;
    what.router.speaks_pcp = seed % 2 == 0;
    world& w = begin(what);
    random_source dice{std::array<std::uint64_t, 4>{seed, 3, 2, 1}};
    for (std::uint16_t port = 8000; port < 8010; ++port) w.create(request(port));
    for (int i = 0; i < 500; ++i) {
      w.run_for(10ms);
      if (!w.client_port()) continue;
      // A right answer with a few bytes wrong.
      bytes data = pcp_maps(w).empty() || dice.uniform(0, 1) == 0
                       ? packet({"00 82 0000 00000e10 1f90 270f 00001c20"})
                       : right_answer(w);
      for (std::uint64_t n = dice.uniform(0, 3); n > 0; --n) {
        data[dice.uniform(0, data.size() - 1)] = static_cast<std::byte>(dice.uniform(0, 255));
      }
      data.resize(dice.uniform(0, 9) == 0 ? dice.uniform(0, 70) : data.size());
      send(w, server, std::move(data));
      w.inject({server, group, packet({"02 80 00 00 00000000 00000000 000000000000000000000000"})});
    }
    w.close();
    w.run_for(3s);
    EXPECT_TRUE(w.closed());
  }
}

TEST_F(forgery, inputs_for_channels_that_are_not_there_are_ignored) {
  world& w = begin_mapped();
  const auto ignored = w.counters().inputs_ignored;
  const auto sent = w.sent_count();
  const auto due = w.engine_deadline();
  const bytes data = packet({"02 80 00 00 00000000 00000000 000000000000000000000000"});
  w.tell(channel_opened{channel_id{4711}, {world::host_address, 1}});
  w.tell(channel_failed{channel_id{4711}, channel_error::refused});
  w.tell(datagram_received{channel_id{4711}, server, data});
  EXPECT_EQ(w.counters().inputs_ignored, ignored + 3);
  EXPECT_EQ(w.sent_count(), sent);
  EXPECT_EQ(w.engine_deadline(), due);
  EXPECT_EQ(kinds(w), std::vector{event_kind::mapped});
}

TEST_F(forgery, facts_without_end_are_bounded) {
  world& w = begin();
  network_facts facts = w.network();
  for (std::uint32_t i = 0; i < 100'000; ++i) {
    facts.routes.push_back({v4(10, 0, 0, 1), i + 10, 1'000 + i, std::nullopt});
    facts.addresses.push_back({v4(10, 0, 0, 2), 24, i + 10, "many", false, false});
  }
  w.set_network(facts);
  w.create(request());
  w.run_for(1s);
  ASSERT_EQ(kinds(w), std::vector{event_kind::mapped});
  EXPECT_EQ(w.events()[0].event.info.gateway, world::router_address);
}

}  // namespace
}  // namespace damson::sim
