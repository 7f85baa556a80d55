#include "proto/pcp_client.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include <gtest/gtest.h>

namespace damson {
namespace {

using namespace std::chrono_literals;

constexpr std::array<std::uint64_t, 4> seed{1, 2, 3, 4};
constexpr time_point start{1000s};
constexpr mapping_id first{1};
constexpr mapping_id second{2};

pcp_nonce nonce(std::uint8_t last) {
  pcp_nonce made;
  made.bytes.back() = std::byte{last};
  return made;
}

pcp_map_request request(std::uint8_t key, std::uint16_t internal_port = 8080) {
  return {.client = ip_address{ip_address::v4_bytes{192, 168, 1, 20}},
          .lifetime = 7200s,
          .nonce = nonce(key),
          .transport = transport::tcp,
          .internal_port = internal_port,
          .suggested_external = {}};
}

pcp_response answer_to(const pcp_map_request& asked) {
  return {.opcode = pcp_opcode::map,
          .result = pcp_result::success,
          .lifetime = 3600s,
          .epoch = 17,
          .map = pcp_map_answer{.nonce = asked.nonce,
                                .protocol_number = 6,
                                .internal_port = asked.internal_port,
                                .external = {ip_address{ip_address::v4_bytes{1, 2, 3, 4}}, 8080}}};
}

class pcp_client_test : public testing::Test {
 protected:
  void ask(mapping_id id, map_purpose why, const pcp_map_request& what) {
    client_.ask(id, why, what, schedules::first_contact);
    EXPECT_EQ(client_.admit(start), id);
    EXPECT_FALSE(client_.due(id, start, random_).send.empty());
  }

  random_source random_{seed};
  pcp_client client_;
};

TEST_F(pcp_client_test, what_was_not_answered_may_arrive_after_a_delete) {
  EXPECT_FALSE(client_.may_be_overtaken(first, start));
  ask(first, map_purpose::create, request(1));
  EXPECT_FALSE(client_.due(first, start + 250ms, random_).send.empty());
  EXPECT_TRUE(client_.match(answer_to(request(1))));
  EXPECT_TRUE(client_.may_be_overtaken(first, start + 4s)) << "sent twice, answered once";
  EXPECT_FALSE(client_.may_be_overtaken(first, start + 5s)) << "lost";
  ask(first, map_purpose::remove, request(1));
  EXPECT_TRUE(client_.may_be_overtaken(first, start + 1s));
  EXPECT_TRUE(client_.match(answer_to(request(1)))->late);
  EXPECT_FALSE(client_.may_be_overtaken(first, start + 1s));
}

TEST_F(pcp_client_test, a_request_without_options_is_not_refused_for_those_of_the_one_before) {
  pcp_map_request with_option = request(1);
  with_option.suggested_external.port = 9000;
  with_option.prefer_failure = true;
  pcp_map_request without = with_option;
  without.prefer_failure = false;
  pcp_response refusal = answer_to(without);
  refusal.result = pcp_result::unsupp_option;
  refusal.map->external = without.suggested_external;

  ask(first, map_purpose::create, with_option);
  ASSERT_TRUE(client_.match(refusal));
  ask(first, map_purpose::create, without);
  EXPECT_FALSE(client_.match(refusal)) << "the second copy";
  EXPECT_TRUE(client_.is_open(first));
  ask(first, map_purpose::create, without);
  EXPECT_TRUE(client_.match(refusal)) << "neither had any: this is meant";
}

TEST_F(pcp_client_test, matches_an_answer_by_nonce_transport_and_internal_port) {
  ask(first, map_purpose::create, request(1));
  ask(second, map_purpose::create, request(2));

  struct row {
    const char* what;
    void (*spoil)(pcp_response&);
  };
  const std::array rows{
      row{"another nonce", [](pcp_response& r) { r.map->nonce = nonce(3); }},
      row{"the nonce of the other mapping, but not its port",
          [](pcp_response& r) { r.map->internal_port = 9; }},
      row{"another transport", [](pcp_response& r) { r.map->protocol_number = 17; }},
      row{"no MAP payload", [](pcp_response& r) { r.map.reset(); }},
      row{"another opcode", [](pcp_response& r) { r.opcode = pcp_opcode::peer; }},
      row{"an answer to ANNOUNCE", [](pcp_response& r) { r.opcode = pcp_opcode::announce; }},
  };
  for (const row& each : rows) {
    pcp_response spoilt = answer_to(request(1));
    each.spoil(spoilt);
    EXPECT_FALSE(client_.match(spoilt)) << each.what;
    EXPECT_TRUE(client_.is_open(first)) << each.what;
    EXPECT_TRUE(client_.is_open(second)) << each.what;
  }

  const auto found = client_.match(answer_to(request(1)));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->mapping, first);
  EXPECT_FALSE(found->late);
  EXPECT_EQ(found->lifetime, 3600s);
  EXPECT_FALSE(client_.is_open(first));
  EXPECT_TRUE(client_.is_open(second));
}

// RFC 6887 section 12.4.
TEST_F(pcp_client_test, matches_the_answer_about_a_flow_by_its_other_end) {
  const endpoint peer{ip_address{ip_address::v4_bytes{203, 0, 113, 9}}, 443};
  pcp_map_request flow = request(1);
  flow.remote_peer = peer;
  ask(first, map_purpose::create, flow);
  pcp_response answer = answer_to(flow);
  EXPECT_FALSE(client_.match(answer)) << "to a MAP";
  answer.opcode = pcp_opcode::peer;
  answer.map->remote_peer = endpoint{peer.address, 444};
  EXPECT_FALSE(client_.match(answer)) << "about another flow";
  answer.map->remote_peer = peer;
  EXPECT_TRUE(client_.match(answer));

  ask(second, map_purpose::create, request(2));
  answer = answer_to(request(2));
  answer.map->remote_peer = peer;
  EXPECT_FALSE(client_.match(answer)) << "to a PEER";
}

TEST_F(pcp_client_test, takes_no_more_ports_than_were_asked_for) {  // RFC 7753 section 4.2
  for (const std::uint16_t asked : {std::uint16_t{1}, std::uint16_t{4}, std::uint16_t{16}}) {
    pcp_map_request several = request(1);
    several.port_count = asked;
    ask(first, map_purpose::create, several);
    pcp_response granted = answer_to(several);
    granted.map->port_count = 8;
    const auto found = client_.match(granted);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->port_count, std::min<std::uint16_t>(asked, 8));
  }
}

TEST_F(pcp_client_test, knows_an_answer_after_its_request_was_given_up) {
  ask(first, map_purpose::create, request(1));
  client_.give_up(first);
  EXPECT_FALSE(client_.any_open());
  EXPECT_FALSE(client_.next_due(first));
  const auto found = client_.match(answer_to(request(1)));
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->late);

  client_.forget(first);
  EXPECT_FALSE(client_.match(answer_to(request(1))));
}

TEST_F(pcp_client_test, a_late_grant_is_no_answer_to_a_delete) {
  ask(first, map_purpose::remove, request(1));
  const auto grant = client_.match(answer_to(request(1)));
  ASSERT_TRUE(grant);
  EXPECT_TRUE(grant->late);
  EXPECT_TRUE(client_.is_open(first)) << "the delete goes on";

  auto gone = answer_to(request(1));
  gone.lifetime = 0s;
  const auto deleted = client_.match(gone);
  ASSERT_TRUE(deleted);
  EXPECT_FALSE(deleted->late);
  EXPECT_FALSE(client_.is_open(first));
}

TEST_F(pcp_client_test, a_late_answer_to_a_delete_is_no_grant) {
  ask(first, map_purpose::create, request(1));
  auto gone = answer_to(request(1));
  gone.lifetime = 0s;
  const auto deleted = client_.match(gone);
  ASSERT_TRUE(deleted);
  EXPECT_TRUE(deleted->late);
  EXPECT_TRUE(client_.is_open(first));
}

TEST_F(pcp_client_test, repeats_until_the_schedule_ends) {
  ask(first, map_purpose::create, request(1));
  int sent = 1;
  bool silent = false;
  while (const auto at = client_.next_due(first)) {
    const auto todo = client_.due(first, *at, random_);
    if (!todo.send.empty()) ++sent;
    silent = silent || todo.silent;
    EXPECT_LE(*at, start + 4s);
  }
  EXPECT_EQ(sent, 5);
  EXPECT_TRUE(silent);
}

TEST_F(pcp_client_test, one_request_of_a_mapping_is_open_at_a_time) {
  ask(first, map_purpose::create, request(1));
  ask(first, map_purpose::renew, request(1));
  const auto found = client_.match(answer_to(request(1)));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->asked, map_purpose::renew);
  EXPECT_FALSE(client_.any_open());
}

TEST_F(pcp_client_test, the_check_is_one_announce_request_until_it_is_answered) {
  EXPECT_FALSE(client_.check_next_due());
  client_.check(ip_address{ip_address::v4_bytes{192, 168, 1, 20}}, schedules::release, start);
  EXPECT_EQ(client_.check_due(start, random_).send.size(), pcp_header_bytes);
  EXPECT_TRUE(client_.check_due(start, random_).send.empty());
  EXPECT_TRUE(client_.any_open());
  client_.stop_check();
  EXPECT_FALSE(client_.check_next_due());
}

}  // namespace
class pcp_window_test : public pcp_client_test {
 protected:
  static constexpr std::size_t many = 1'000;

  static mapping_id id_of(std::size_t number) { return mapping_id{number + 1}; }
  static pcp_map_request request_of(std::size_t number) {
    pcp_map_request out = request(0);
    out.nonce.bytes[0] = static_cast<std::byte>(number >> 8);
    out.nonce.bytes[1] = static_cast<std::byte>(number & 0xff);
    out.nonce.bytes[2] = std::byte{1};
    return out;
  }
  void put_in_line(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      client_.ask(id_of(i), map_purpose::create, request_of(i), schedules::first_contact);
    }
  }
  /// Who may send now, and does.
  std::vector<mapping_id> send_all(time_point now) {
    std::vector<mapping_id> out;
    while (const auto next = client_.admit(now)) {
      EXPECT_FALSE(client_.due(*next, now, random_).send.empty());
      out.push_back(*next);
    }
    return out;
  }
};

TEST_F(pcp_window_test, sends_so_many_at_once_and_one_or_two_more_for_each_answer) {
  put_in_line(many);
  EXPECT_EQ(send_all(start).size(), send_window::initial);
  EXPECT_TRUE(client_.is_waiting(id_of(64)));
  EXPECT_EQ(client_.tries(id_of(64)), 0U);
  EXPECT_TRUE(client_.match(answer_to(request_of(0))));
  EXPECT_EQ(send_all(start + 20ms), (std::vector{id_of(64), id_of(65)}));
}

TEST_F(pcp_window_test, never_sends_more_than_a_socket_can_hold_answers_of) {
  put_in_line(many);
  std::size_t sent = send_all(start).size();
  for (std::size_t answered = 0; answered < many; ++answered) {
    ASSERT_TRUE(client_.match(answer_to(request_of(answered))));
    sent += send_all(start).size();
    ASSERT_LE(sent - answered - 1, send_window::most);
  }
  EXPECT_EQ(sent, many);
}

TEST_F(pcp_window_test, is_halved_by_what_has_to_be_repeated_and_goes_on) {
  put_in_line(many);
  EXPECT_EQ(send_all(start).size(), 64U);
  for (std::size_t i = 0; i < 64; ++i) {
    EXPECT_FALSE(client_.due(id_of(i), start + 250ms, random_).send.empty());
  }
  EXPECT_EQ(send_all(start + 250ms).size(), send_window::least)
      << "what was lost counts no more, and there is room for a few";
}

TEST_F(pcp_window_test, has_room_again_for_what_is_withdrawn) {
  put_in_line(65);
  EXPECT_EQ(send_all(start).size(), 64U);
  client_.forget(id_of(0));
  client_.give_up(id_of(1));
  EXPECT_EQ(send_all(start), std::vector{id_of(64)});
  EXPECT_FALSE(client_.any_waiting());
}

TEST_F(pcp_window_test, passes_over_those_that_were_forgotten_in_the_line) {
  put_in_line(66);
  send_all(start);
  client_.forget(id_of(64));
  client_.forget(id_of(0));
  EXPECT_EQ(send_all(start), std::vector{id_of(65)});
}

TEST_F(pcp_window_test, lets_deletes_go_first) {
  put_in_line(70);
  send_all(start);
  client_.ask(id_of(3), map_purpose::remove, request_of(3), schedules::release);
  client_.ask(id_of(1), map_purpose::remove, request_of(1), schedules::release);
  EXPECT_EQ(send_all(start), (std::vector{id_of(3), id_of(1)})) << "in the place of what they end";
}

TEST_F(pcp_window_test, gives_up_all_that_wait) {
  put_in_line(66);
  send_all(start);
  EXPECT_EQ(client_.give_up_waiting(), (std::vector{id_of(64), id_of(65)}));
  EXPECT_FALSE(client_.is_open(id_of(64)));
  EXPECT_TRUE(client_.is_open(id_of(0)));
}

TEST_F(pcp_window_test, takes_an_answer_to_what_waits_for_a_late_one) {
  ask(mapping_id{5'000}, map_purpose::create, request(1));
  client_.give_up(mapping_id{5'000});
  put_in_line(64);
  send_all(start);
  client_.ask(mapping_id{5'000}, map_purpose::create, request(1), schedules::first_contact);
  EXPECT_EQ(client_.admit(start), std::nullopt);
  const auto answer = client_.match(answer_to(request(1)));
  ASSERT_TRUE(answer);
  EXPECT_TRUE(answer->late);
  EXPECT_TRUE(client_.is_waiting(mapping_id{5'000}));
}

}  // namespace damson
