#include "proto/natpmp_client.hpp"

#include <array>

#include <gtest/gtest.h>

namespace damson {
namespace {

using namespace std::chrono_literals;

constexpr std::array<std::uint64_t, 4> seed{1, 2, 3, 4};
constexpr time_point start{1000s};

natpmp_client::request map_of(std::uint64_t id, std::uint16_t internal_port,
                              map_purpose why = map_purpose::create,
                              transport which = transport::udp) {
  return {.mapping = mapping_id{id},
          .why = why,
          .map = {.transport = which,
                  .internal_port = internal_port,
                  .suggested_external_port = internal_port,
                  .lifetime = why == map_purpose::remove ? 0s : 7200s}};
}

natpmp_response granted(std::uint16_t internal_port, std::chrono::seconds lifetime = 3600s,
                        natpmp_opcode opcode = natpmp_opcode::map_udp) {
  return {
      .opcode = opcode,
      .result = natpmp_result::success,
      .epoch = 17,
      .external_address = {},
      .grant = natpmp_grant{
          .internal_port = internal_port, .external_port = internal_port, .lifetime = lifetime}};
}

class natpmp_client_test : public testing::Test {
 protected:
  void ask(const natpmp_client::request& what) {
    client_.ask(what, schedules::first_contact, start, start);
  }
  std::size_t bytes_due(time_point now) { return client_.due(now, random_).send.size(); }

  random_source random_{seed};
  natpmp_client client_;
};

TEST_F(natpmp_client_test, sends_one_request_and_waits_for_its_answer) {  // RFC 6886 section 3.1
  ask({});
  ask(map_of(1, 8080));
  ask(map_of(2, 8081));
  EXPECT_EQ(bytes_due(start), 2U);
  EXPECT_EQ(client_.in_flight(), mapping_id::none);
  EXPECT_EQ(bytes_due(start), 0U);
  EXPECT_FALSE(client_.match(granted(8080), start)) << "not in flight yet";

  const auto address = client_.match({.opcode = natpmp_opcode::address,
                                      .result = natpmp_result::success,
                                      .epoch = 17,
                                      .external_address = ip_address{},
                                      .grant = {}},
                                     start + 1ms);
  ASSERT_TRUE(address);
  EXPECT_TRUE(address->asked.is_address_question());
  EXPECT_EQ(bytes_due(start + 1ms), 12U);
  EXPECT_EQ(client_.in_flight(), mapping_id{1});
  ASSERT_TRUE(client_.match(granted(8080), start + 2ms));
  EXPECT_EQ(bytes_due(start + 2ms), 12U);
  EXPECT_EQ(client_.in_flight(), mapping_id{2});
}

TEST_F(natpmp_client_test, what_is_needed_earlier_goes_earlier) {
  client_.ask(map_of(1, 8081), schedules::first_contact, start + 60s, start);
  EXPECT_EQ(bytes_due(start), 12U);
  client_.ask(map_of(2, 8082), schedules::first_contact, start + 60s, start);
  client_.ask(map_of(3, 8083), schedules::first_contact, start + 60s, start);
  client_.ask(map_of(4, 8084, map_purpose::renew), schedules::first_contact, start + 30s, start);
  client_.ask(map_of(5, 8085, map_purpose::renew), schedules::first_contact, start + 1h, start);
  for (const std::uint64_t id : {1, 4, 2, 3, 5}) {
    EXPECT_EQ(client_.in_flight(), mapping_id{id});
    EXPECT_TRUE(client_.match(granted(static_cast<std::uint16_t>(8080 + id)), start));
    bytes_due(start);
  }
}

TEST_F(natpmp_client_test, what_was_not_answered_may_arrive_after_a_delete) {
  const auto may_be_overtaken = [&](time_point now) {
    return client_.may_be_overtaken(transport::udp, 8080, now);
  };
  EXPECT_FALSE(may_be_overtaken(start));
  ask(map_of(1, 8080));
  EXPECT_FALSE(may_be_overtaken(start)) << "not sent yet";
  bytes_due(start);
  bytes_due(start + 250ms);
  EXPECT_TRUE(client_.match(granted(8080), start + 300ms));
  EXPECT_TRUE(may_be_overtaken(start + 4s)) << "sent twice, answered once";
  EXPECT_FALSE(may_be_overtaken(start + 5s)) << "lost";
  EXPECT_FALSE(client_.match(granted(8080), start + 550ms));
  EXPECT_FALSE(may_be_overtaken(start + 600ms));
  ask(map_of(1, 8080, map_purpose::remove));
  bytes_due(start + 1s);
  EXPECT_FALSE(may_be_overtaken(start + 1s)) << "a delete makes nothing";
}

TEST_F(natpmp_client_test, matches_opcode_internal_port_and_kind_of_grant) {
  ask(map_of(7, 8079));
  EXPECT_EQ(bytes_due(start), 12U);
  EXPECT_TRUE(client_.match(granted(8079), start));
  ask(map_of(1, 8080));
  EXPECT_EQ(bytes_due(start), 12U);
  EXPECT_FALSE(client_.match(granted(8079), start)) << "an earlier request's second answer";
  EXPECT_FALSE(client_.match(granted(8080, 3600s, natpmp_opcode::map_tcp), start)) << "TCP (Q-60)";
  EXPECT_FALSE(client_.match(granted(8080, 0s), start)) << "a delete's";
  EXPECT_TRUE(client_.is_open(mapping_id{1}));
  EXPECT_TRUE(client_.match(granted(8080), start));
  EXPECT_FALSE(client_.any_open());
}

TEST_F(natpmp_client_test,
       takes_an_answer_with_an_internal_port_that_was_never_asked_for) {
  ask(map_of(1, 8080));
  EXPECT_EQ(bytes_due(start), 12U);
  const auto found = client_.match(granted(0), start);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->asked.mapping, mapping_id{1});
}

TEST_F(natpmp_client_test, a_copy_of_an_answer_that_names_no_port_is_not_for_the_next) {
  ask(map_of(1, 8080));
  ask(map_of(2, 8081));
  EXPECT_EQ(bytes_due(start), 12U);
  EXPECT_TRUE(client_.match(granted(9), start + 10ms));
  EXPECT_EQ(bytes_due(start + 10ms), 12U);
  EXPECT_FALSE(client_.match(granted(9), start + 11ms)) << "the network's copy";
  EXPECT_FALSE(client_.match(granted(9), start + 12ms)) << "of the request as well";
  // Or it was the answer, which looks the same: then it comes once more.
  EXPECT_EQ(bytes_due(start + 260ms), 12U);
  const auto found = client_.match(granted(9), start + 260ms);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->asked.mapping, mapping_id{2});
}

TEST_F(natpmp_client_test, the_second_answer_that_names_no_port_is_not_for_the_next) {
  ask(map_of(1, 8080));
  ask(map_of(2, 8081));
  EXPECT_EQ(bytes_due(start), 12U);
  EXPECT_EQ(bytes_due(start + 250ms), 12U) << "sent again";
  EXPECT_TRUE(client_.match(granted(9), start + 300ms));
  EXPECT_EQ(bytes_due(start + 300ms), 12U);
  natpmp_response second = granted(9);
  second.epoch += 1;
  EXPECT_FALSE(client_.match(second, start + 310ms)) << "of the first request";
  EXPECT_TRUE(client_.match(second, start + 320ms));
}

TEST_F(natpmp_client_test, a_late_grant_is_no_answer_to_a_delete) {
  ask(map_of(1, 8080, map_purpose::remove));
  EXPECT_EQ(bytes_due(start), 12U);
  EXPECT_FALSE(client_.match(granted(8080), start));
  EXPECT_TRUE(client_.match(granted(8080, 0s), start));
}

TEST_F(natpmp_client_test, a_refusal_needs_no_grant) {
  ask(map_of(1, 8080));
  EXPECT_EQ(bytes_due(start), 12U);
  const auto found = client_.match({.opcode = natpmp_opcode::map_udp,
                                    .result = natpmp_result::not_authorized,
                                    .epoch = 17,
                                    .external_address = {},
                                    .grant = {}},
                                   start);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->asked.mapping, mapping_id{1});
}

natpmp_response refused() {
  return {.opcode = natpmp_opcode::map_udp,
          .result = natpmp_result::not_authorized,
          .epoch = 17,
          .external_address = {},
          .grant = {}};
}

TEST_F(natpmp_client_test, the_second_refusal_of_one_request_is_not_for_the_next) {
  ask(map_of(1, 8080));
  ask(map_of(2, 8081));
  EXPECT_EQ(bytes_due(start), 12U);
  EXPECT_EQ(bytes_due(start + 250ms), 12U) << "sent again";
  ASSERT_TRUE(client_.match(refused(), start + 300ms));
  EXPECT_EQ(bytes_due(start + 300ms), 12U);
  EXPECT_EQ(client_.in_flight(), mapping_id{2});
  EXPECT_FALSE(client_.match(refused(), start + 550ms)) << "of the first request";
  EXPECT_TRUE(client_.match(granted(8081), start + 600ms));
}

TEST_F(natpmp_client_test, the_address_question_goes_before_what_is_not_sent) {
  ask(map_of(1, 8080));
  ask(map_of(2, 8081));
  ask({});
  EXPECT_EQ(bytes_due(start), 2U) << "nothing was sent yet";
  ask(map_of(3, 8082));
  EXPECT_EQ(client_.in_flight(), mapping_id::none);

  natpmp_client another;
  another.ask(map_of(1, 8080), schedules::first_contact, start, start);
  EXPECT_EQ(another.due(start, random_).send.size(), 12U);
  another.ask(map_of(2, 8081), schedules::first_contact, start, start);
  another.ask({}, schedules::first_contact, start, start);
  ASSERT_TRUE(another.match(granted(8080), start));
  EXPECT_EQ(another.due(start, random_).send.size(), 2U);
}

TEST_F(natpmp_client_test, nothing_matches_before_it_is_sent) {
  ask(map_of(1, 8080));
  EXPECT_FALSE(client_.in_flight());
  EXPECT_FALSE(client_.match(granted(8080), start));
}

TEST_F(natpmp_client_test, silence_makes_way_for_the_next) {
  ask(map_of(1, 8080));
  ask(map_of(2, 8081));
  int sent = 0;
  std::optional<natpmp_client::request> silent;
  while (!silent) {
    const auto at = client_.next_due();
    ASSERT_TRUE(at);
    auto todo = client_.due(*at, random_);
    if (!todo.send.empty()) ++sent;
    silent = todo.silent;
  }
  EXPECT_EQ(sent, 5);
  EXPECT_EQ(silent->mapping, mapping_id{1});
  EXPECT_EQ(bytes_due(start + 4s), 12U);
  EXPECT_EQ(client_.in_flight(), mapping_id{2});
}

TEST_F(natpmp_client_test, a_mapping_has_one_request_at_a_time) {
  ask(map_of(1, 8080));
  EXPECT_EQ(bytes_due(start), 12U);
  ask(map_of(1, 8080, map_purpose::remove));
  EXPECT_EQ(bytes_due(start), 12U);
  EXPECT_TRUE(client_.match(granted(8080, 0s), start));
  EXPECT_FALSE(client_.any_open());
}

TEST_F(natpmp_client_test, what_is_forgotten_is_neither_sent_nor_matched) {
  ask(map_of(1, 8080));
  ask(map_of(2, 8081));
  EXPECT_EQ(bytes_due(start), 12U);
  EXPECT_TRUE(client_.forget(mapping_id{1}));
  EXPECT_FALSE(client_.forget(mapping_id{1}));
  EXPECT_EQ(bytes_due(start), 12U);
  EXPECT_FALSE(client_.match(granted(8080), start));
  EXPECT_TRUE(client_.match(granted(8081), start));
}

TEST_F(natpmp_client_test, a_server_that_answers_in_pcp_ends_the_request_in_flight) {
  ask({});
  EXPECT_FALSE(client_.take_in_flight(natpmp_opcode::address, start)) << "not sent yet";
  EXPECT_EQ(bytes_due(start), 2U);
  const auto taken = client_.take_in_flight(natpmp_opcode::address, start);
  ASSERT_TRUE(taken);
  EXPECT_TRUE(taken->is_address_question());
  EXPECT_FALSE(client_.any_open());
}

}  // namespace
}  // namespace damson
