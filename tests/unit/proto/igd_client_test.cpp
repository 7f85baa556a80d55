#include "proto/igd_client.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "proto/igd_talk.hpp"

namespace damson::test::talk {
namespace {

class igd_client_test : public igd_talk {};

TEST_F(igd_client_test, finds_a_device_and_opens_a_port) {
  client().find();
  EXPECT_TRUE(client().wants_search());
  be_found();
  EXPECT_EQ(asked(), "GET /rootDesc.xml");
  obey();
  EXPECT_EQ(asked(), "GetExternalIPAddress");
  obey();
  ASSERT_EQ(all<igd_event::found>().size(), 1U);
  EXPECT_FALSE(all<igd_event::found>()[0].moved);
  EXPECT_FALSE(client().is_searching());
  client().ask_map(first, map_purpose::create, request());
  pump();
  for (const char* const step : {"GetSpecificPortMappingEntry 8080", "AddPortMapping 8080",
                                 "GetSpecificPortMappingEntry 8080"}) {
    EXPECT_EQ(asked(), step);
    EXPECT_EQ(open().local, own);
    EXPECT_EQ(open().remote, (endpoint{box, 5000}));
    obey();
  }
  EXPECT_EQ(asked(), "");
  ASSERT_EQ(all<igd_event::granted>().size(), 1U);
  const igd_event::granted got = all<igd_event::granted>()[0];
  EXPECT_EQ(got.mapping, first);
  EXPECT_EQ(got.grant.external_port, 8080);
  EXPECT_TRUE(got.grant.verified);
  EXPECT_EQ(to_string(got.external), outside);
  EXPECT_FALSE(client().is_mapping(first));
}

TEST_F(igd_client_test, searches_by_itself_for_what_is_to_be_done) {
  client().ask_map(first, map_purpose::create, request());
  pump();
  EXPECT_TRUE(client().wants_search());
  be_found();
  obey_all();
  EXPECT_EQ(all<igd_event::granted>().size(), 1U);
}

TEST_F(igd_client_test, has_one_exchange_open_at_a_time) {
  become_known();
  for (std::uint64_t id = 1; id <= 5; ++id) {
    client().ask_map(mapping_id{id}, map_purpose::create,
                     request(static_cast<std::uint16_t>(8000 + id)));
    client().ask_verify(mapping_id{id + 10}, {9000, transport::udp}, {own, 9000});
    pump();  // which tells of two at once
  }
  client().ask_check();
  obey_all();
  EXPECT_EQ(all<igd_event::granted>().size(), 5U);
  EXPECT_EQ(all<igd_event::verified>().size(), 5U);
  EXPECT_EQ(all<igd_event::checked>().size(), 1U);
  EXPECT_EQ(device().entries.size(), 5U);
}

TEST_F(igd_client_test, deletes_before_all_else_but_what_is_under_way) {
  become_known();
  client().ask_map(first, map_purpose::create, request(8001));
  pump();
  client().ask_verify(second, {9000, transport::tcp}, {own, 9000});
  client().ask_map(mapping_id{3}, map_purpose::create, request(8003));
  client().ask_remove(mapping_id{4}, {8004, transport::tcp});
  client().ask_remove(mapping_id{5}, {8005, transport::tcp});
  client().ask_remove(mapping_id{5}, {8005, transport::tcp});
  std::vector<std::string> order;
  pump();
  while (!asked().empty()) {
    order.push_back(asked());
    obey();
  }
  EXPECT_EQ(order,
            (std::vector<std::string>{"GetSpecificPortMappingEntry 8001", "AddPortMapping 8001",
                                      "GetSpecificPortMappingEntry 8001", "DeletePortMapping 8004",
                                      "DeletePortMapping 8005", "GetSpecificPortMappingEntry 9000",
                                      "GetSpecificPortMappingEntry 8003", "AddPortMapping 8003",
                                      "GetSpecificPortMappingEntry 8003"}));
  ASSERT_EQ(all<igd_event::removed>().size(), 2U);
  EXPECT_EQ(all<igd_event::removed>()[0].how, igd_removal::already_gone);
}

// ---------------------------------------------------------------------------------------------
// Calling it off

class igd_client_called_off : public igd_talk, public testing::WithParamInterface<int> {
 protected:
  /// How many exchanges a request to map takes.
  static constexpr int most_steps = 3;

  void map_until(int step) {
    client().ask_map(first, map_purpose::create, request());
    pump();
    for (int i = 0; i < step && client().is_mapping(first); ++i) obey();
  }
};

TEST_P(igd_client_called_off, leaves_nothing_at_any_step) {
  for (int step = 0; step < most_steps; ++step) {
    SCOPED_TRACE(step);
    become_known(GetParam());
    map_until(step);
    if (!client().is_mapping(first)) continue;
    const bool something = client().withdraw(first, 0);
    EXPECT_FALSE(client().is_mapping(first));
    pump();
    obey_all();
    EXPECT_TRUE(device().entries.empty());
    EXPECT_TRUE(all<igd_event::granted>().empty());
    EXPECT_EQ(all<igd_event::removed>().size(), something ? 1U : 0U);
    EXPECT_FALSE(client().withdraw(first, 0)) << "twice";
    client().forget_device();
  }
}

TEST_P(igd_client_called_off, keeps_the_port_that_is_another_protocols) {
  for (int step = 0; step < most_steps; ++step) {
    SCOPED_TRACE(step);
    become_known(GetParam());
    map_until(step);
    if (!client().is_mapping(first)) continue;
    const bool something = client().withdraw(first, 8080);
    pump();
    obey_all();
    EXPECT_EQ(device().entries.size(), something ? 1U : 0U);
    EXPECT_EQ(event_count(), 0U);
    client().forget_device();
  }
}

TEST_P(igd_client_called_off, without_a_word_where_it_is_forgotten) {
  for (int step = 0; step < most_steps; ++step) {
    SCOPED_TRACE(step);
    become_known(GetParam());
    map_until(step);
    if (!client().is_mapping(first)) continue;
    client().forget(first);
    pump();
    obey_all();
    EXPECT_TRUE(device().entries.empty());
    EXPECT_EQ(event_count(), 0U);
    client().forget_device();
  }
}

/// What was kept for another protocol's sake is not kept when that is of no interest either.
TEST_P(igd_client_called_off, twice_with_another_port_to_keep) {
  become_known(GetParam());
  client().ask_map(first, map_purpose::create, request());
  pump();
  while (!asked().starts_with("Add")) obey();
  EXPECT_TRUE(client().withdraw(first, 8080));
  client().forget(first);
  pump();
  obey_all();
  EXPECT_TRUE(device().entries.empty());
  EXPECT_EQ(event_count(), 0U);
}

INSTANTIATE_TEST_SUITE_P(versions, igd_client_called_off, testing::Values(1, 2));

TEST_F(igd_client_test, does_not_wait_for_answers_that_change_nothing) {
  become_known();
  client().ask_map(first, map_purpose::create, request());
  pump();
  obey();
  obey();
  ASSERT_EQ(asked(), "GetSpecificPortMappingEntry 8080");
  EXPECT_TRUE(client().withdraw(first, 0));
  pump();
  EXPECT_EQ(cancelled(), 1U);
  EXPECT_EQ(asked(), "DeletePortMapping 8080");
}

TEST_F(igd_client_test, gives_back_a_renewal_that_is_called_off) {
  become_known();
  client().ask_map(first, map_purpose::create, request());
  pump();
  obey_all();
  client().ask_map(first, map_purpose::renew, request());
  pump();
  obey();  // which only looks
  EXPECT_EQ(asked(), "AddPortMapping 8080");
  EXPECT_TRUE(client().withdraw(first, 0));
  obey_all();
  EXPECT_TRUE(device().entries.empty());
  EXPECT_EQ(all<igd_event::removed>().size(), 1U);
}

TEST_F(igd_client_test, forgets_a_renewal_and_leaves_what_it_extends) {
  for (const bool obeyed : {false, true}) {
    become_known();
    client().ask_map(first, map_purpose::create, request());
    client().ask_map(first, map_purpose::renew, request());
    pump();
    obey_all();
    client().ask_map(first, map_purpose::renew, request());
    client().ask_check();
    pump();
    if (obeyed) obey();
    const std::size_t before = event_count();
    client().forget(first, 8080);
    client().forget(first);
    pump();
    obey_all();
    EXPECT_EQ(device().entries.size(), 1U);
    EXPECT_EQ(event_count(), before + 1) << "of the check";
    client().forget_device();
  }
}

TEST_F(igd_client_test, forgets_what_waits_for_its_turn) {
  become_known();
  client().ask_map(first, map_purpose::create, request());
  client().ask_map(second, map_purpose::create, request(8081));
  client().ask_verify(second, {8081, transport::tcp}, {own, 8081});
  pump();
  client().forget(second);
  obey_all();
  EXPECT_EQ(event_count(), 1U);
  EXPECT_EQ(device().entries.size(), 1U);
}

// ---------------------------------------------------------------------------------------------
// Answers that get lost

TEST_F(igd_client_test, never_takes_a_second_port_for_a_lost_answer) {
  for (const http_error how : {http_error::broken, http_error::timed_out, http_error::malformed}) {
    SCOPED_TRACE(static_cast<int>(how));
    become_known(2);
    client().ask_map(first, map_purpose::create, request());
    pump();
    ASSERT_EQ(asked(), "AddAnyPortMapping 8080");
    fail(how, true);
    if (client().wants_search()) {
      be_found();
      obey();
      obey();
    } else {
      EXPECT_EQ(asked(), "") << "not at once (Q-110)";
      wait(milliseconds{1'000});
    }
    EXPECT_EQ(asked(), "AddPortMapping 8080");
    obey_all();
    ASSERT_EQ(all<igd_event::granted>().size(), 1U);
    EXPECT_EQ(all<igd_event::granted>()[0].grant.external_port, 8080);
    EXPECT_EQ(device().entries.size(), 1U);
    client().forget_device();
  }
}

TEST_F(igd_client_test, does_the_same_again_on_a_device_that_moved) {
  for (const http_error how : {http_error::refused, http_error::unreachable}) {
    become_known();
    client().ask_verify(second, {9000, transport::tcp}, {own, 9000});
    client().ask_map(first, map_purpose::create, request());
    pump();
    obey();
    obey();
    ASSERT_EQ(asked(), "AddPortMapping 8080");
    fail(how);
    ASSERT_TRUE(client().wants_search());
    EXPECT_EQ(asked(), "");
    be_found("http://192.168.1.1:6000/other.xml");
    EXPECT_EQ(asked(), "GET /other.xml");
    obey();
    obey();
    ASSERT_EQ(all<igd_event::found>().size(), 1U);
    EXPECT_TRUE(all<igd_event::found>()[0].moved);
    EXPECT_EQ(open().remote, (endpoint{box, 6000}));
    obey_all();
    EXPECT_EQ(all<igd_event::granted>().size(), 1U);
    EXPECT_EQ(device().entries.size(), 1U);
    client().forget_device();
  }
}

TEST_F(igd_client_test, takes_404_for_a_page_that_has_moved) {
  become_known();
  client().ask_check();
  pump();
  answer({404, {}});
  EXPECT_TRUE(client().wants_search());
  be_found();
  obey_all();
  EXPECT_EQ(all<igd_event::checked>().size(), 1U);
}

TEST_F(igd_client_test, searches_once_for_one_job) {
  become_known();
  client().ask_map(first, map_purpose::create, request());
  pump();
  fail(http_error::refused);
  be_found();
  obey();
  obey();
  fail(http_error::refused);
  EXPECT_FALSE(client().wants_search());
  ASSERT_EQ(all<igd_event::unanswered>().size(), 1U);
  EXPECT_EQ(all<igd_event::unanswered>()[0].reason, errc::port_closed);
  EXPECT_EQ(asked(), "");
}

TEST_F(igd_client_test, tells_everybody_that_nobody_is_there) {
  client().ask_map(first, map_purpose::create, request());
  client().ask_remove(second, {8081, transport::tcp});
  client().ask_check();
  pump();
  client().begin_search(now());
  for (int i = 0; i < 45; ++i) wait(milliseconds{100});
  EXPECT_EQ(all<igd_event::unanswered>().size(), 2U);
  EXPECT_EQ(all<igd_event::check_failed>().size(), 1U);
  EXPECT_EQ(all<igd_event::not_found>().size(), 1U);
  EXPECT_FALSE(client().is_searching());
}

TEST_F(igd_client_test, asks_for_an_address_again_that_was_not_there) {
  device() = obedient_device{};
  client().find();
  be_found();
  obey();
  answer(soap("GetExternalIPAddress", "<NewExternalIPAddress></NewExternalIPAddress>"));
  wait(milliseconds{1'000});  // a live one may answer yet
  ASSERT_TRUE(client().device().has_value());
  client().ask_map(first, map_purpose::create, request());
  pump();
  obey_all();
  ASSERT_EQ(all<igd_event::granted>().size(), 1U);
  EXPECT_EQ(to_string(all<igd_event::granted>()[0].external), outside);
}

TEST_F(igd_client_test, sees_a_restart_by_the_uptime) {
  become_known();
  for (const auto& [uptime, restarted] :
       {std::pair{1'000U, false}, {1'300U, false}, {1'290U, false}, {5U, true}, {300U, false}}) {
    device().uptime = uptime;
    client().ask_check();
    pump();
    obey_all();
    ASSERT_FALSE(all<igd_event::checked>().empty());
    EXPECT_EQ(all<igd_event::checked>().back().restarted, restarted) << uptime;
  }
}

// ---------------------------------------------------------------------------------------------
// Whom it believes

TEST_F(igd_client_test, follows_redirects_within_the_device) {
  become_known();
  client().ask_remove(first, {8080, transport::tcp});
  pump();
  answer({307, {}}, "/elsewhere");
  EXPECT_EQ(asked(), "DeletePortMapping 8080");
  EXPECT_TRUE(open().head_and_body.starts_with("POST /elsewhere "));
  answer({302, {}}, "http://192.168.1.1:7000/third");
  EXPECT_EQ(open().remote, (endpoint{box, 7000}));
  obey();
  EXPECT_EQ(all<igd_event::removed>().size(), 1U);
}

TEST_F(igd_client_test, follows_no_redirect_to_somebody_else) {
  for (const char* const where :
       {"http://192.168.1.66:5000/ctl", "http://127.0.0.1/ctl", "http://192.168.1.10:80/",
        "https://192.168.1.1/ctl", "http://example.org/ctl"}) {
    SCOPED_TRACE(where);
    become_known();
    client().ask_remove(first, {8080, transport::tcp});
    pump();
    answer({307, {}}, where);
    EXPECT_TRUE(!client().is_searching());
    EXPECT_EQ(asked(), "");
    EXPECT_EQ(all<igd_event::removed>().size(), 0U);
    EXPECT_EQ(all<igd_event::refused>().size(), 1U);
    client().forget_device();
  }
}

TEST_F(igd_client_test, follows_three_redirects) {
  become_known();
  client().ask_remove(first, {8080, transport::tcp});
  pump();
  for (int i = 0; i < 3; ++i) {
    answer({307, {}}, "/again");
    ASSERT_EQ(asked(), "DeletePortMapping 8080");
  }
  answer({307, {}}, "/again");
  EXPECT_EQ(asked(), "");
}

TEST_F(igd_client_test, knows_its_own_exchanges_only) {
  become_known();
  client().ask_check();
  pump();
  const http_id id{static_cast<std::uint64_t>(open().id) + 1};
  EXPECT_FALSE(client().on_response({.id = id,
                                     .status = 200,
                                     .local = {own, 1},
                                     .peer = open().remote,
                                     .location = {},
                                     .content_type = {},
                                     .body = {}},
                                    now(), random()));
  EXPECT_FALSE(client().on_failed({id, http_error::refused}, now()));
  pump();
  EXPECT_EQ(asked(), "GetExternalIPAddress");
  EXPECT_EQ(event_count(), 0U);
}

TEST_F(igd_client_test, prefers_the_gateway_to_who_answered_first) {
  client().find();
  be_found("http://192.168.1.66:80/x.xml", stranger);
  EXPECT_EQ(open().remote.address, stranger);
  be_found();
  EXPECT_EQ(cancelled(), 1U);
  EXPECT_EQ(open().remote.address, box);
  obey();
  obey();
  ASSERT_TRUE(client().device().has_value());
  EXPECT_TRUE(client().device()->is_gateway);
}

}  // namespace
}  // namespace damson::test::talk
