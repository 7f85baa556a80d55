// Start and stop.

#include <gmock/gmock.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <climits>
#include <future>
#include <thread>
#include <vector>

#include "any_number.h"
#include "capi_test.hpp"

namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;
using testing::IsEmpty;
using testing::SizeIs;

class capi_start : public testing::Test {
 protected:
  void TearDown() override { plum_cleanup(); }
};

class capi_stop : public capi_network {};

TEST_F(capi_start, needs_a_configuration) {
  EXPECT_EQ(plum_init(nullptr), PLUM_ERR_INVALID);
  EXPECT_EQ(plum_cleanup(), PLUM_ERR_FAILED);
}

TEST_F(capi_start, fails_the_second_time_until_stopped) {
  const plum_config_t config = quiet_config();
  EXPECT_EQ(plum_init(&config), PLUM_ERR_SUCCESS);
  EXPECT_EQ(plum_init(&config), PLUM_ERR_FAILED);
  EXPECT_EQ(plum_cleanup(), PLUM_ERR_SUCCESS);
  EXPECT_EQ(plum_cleanup(), PLUM_ERR_FAILED);
  EXPECT_EQ(plum_init(&config), PLUM_ERR_SUCCESS);
}

TEST_F(capi_start, has_to_come_first) {
  plum_mapping_t wanted{};
  wanted.internal_port = 8080;
  std::array<char, PLUM_MAX_HOST_LEN> buffer{};
  EXPECT_EQ(plum_create_mapping(&wanted, nullptr), PLUM_ERR_FAILED);
  EXPECT_EQ(plum_query_mapping(1, nullptr, nullptr), PLUM_ERR_FAILED);
  EXPECT_EQ(plum_destroy_mapping(1), PLUM_ERR_FAILED);
  EXPECT_EQ(plum_cleanup(), PLUM_ERR_FAILED);
  EXPECT_EQ(plum_get_dummytls_host("192.0.2.1", buffer.data(), buffer.size()), PLUM_ERR_FAILED);
  EXPECT_EQ(plum_get_dummytls_certificate(PLUM_DUMMYTLS_PEM_CERT, buffer.data(), buffer.size()),
            PLUM_ERR_FAILED);
}

TEST_F(capi_start, takes_no_nonsense) {
  const auto result_of = [](const auto& spoil) {
    plum_config_t config = quiet_config();
    spoil(config);
    return plum_init(&config);
  };
  EXPECT_EQ(result_of([](auto& c) { c.discover_timeout = -1; }), PLUM_ERR_INVALID);
  EXPECT_EQ(result_of([](auto& c) { c.mapping_timeout = -1; }), PLUM_ERR_INVALID);
  EXPECT_EQ(result_of([](auto& c) { c.recheck_period = INT_MIN; }), PLUM_ERR_INVALID);
  for (const int number : {-1, 7, INT_MAX, INT_MIN})
    EXPECT_EQ(init_with_log_level(number), PLUM_ERR_INVALID) << number;
  for (const int number : {-1, 3, INT_MAX, INT_MIN})
    EXPECT_EQ(init_with_protocol(number), PLUM_ERR_INVALID) << number;
  EXPECT_EQ(result_of([](auto& c) { c.dummytls_domain = "example.org\r\nX: y"; }),
            PLUM_ERR_INVALID);
  EXPECT_EQ(plum_cleanup(), PLUM_ERR_FAILED);
}

TEST_F(capi_start, takes_times_out_of_range_for_the_nearest_and_an_empty_domain_for_none) {
  plum_config_t config = quiet_config();
  config.discover_timeout = INT_MAX;
  config.mapping_timeout = INT_MAX;
  config.recheck_period = 1;
  config.dummytls_domain = "";
  EXPECT_EQ(plum_init(&config), PLUM_ERR_SUCCESS);
}

TEST_F(capi_stop, gives_every_port_back_and_tells_destroyed_before_it_returns) {
  lan net;
  start();
  plum_listener listener;
  for (std::uint16_t port = 8080; port < 8083; ++port) ASSERT_GT(listener.create(port), 0);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(listener.next().state, PLUM_STATE_SUCCESS);
  EXPECT_THAT(net.rules(), SizeIs(3));
  EXPECT_EQ(plum_cleanup(), PLUM_ERR_SUCCESS);
  EXPECT_EQ(listener.count(PLUM_STATE_DESTROYED), 3U);
  EXPECT_THAT(net.rules(), IsEmpty());
}

TEST_F(capi_stop, returns_within_the_release_bound_from_a_dead_router) {
  lan net;
  start();
  plum_listener listener;
  for (std::uint16_t port = 8000; port < 8020; ++port) ASSERT_GT(listener.create(port), 0);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(listener.next().state, PLUM_STATE_SUCCESS);
  net.kill_router();
  const auto begin = steady_clock::now();
  EXPECT_EQ(plum_cleanup(), PLUM_ERR_SUCCESS);
  EXPECT_LT(steady_clock::now() - begin, 3s);
  EXPECT_EQ(listener.count(PLUM_STATE_DESTROYED), 20U);
}

TEST_F(capi_stop, ends_what_is_pending_at_once) {
  lan net;
  net.kill_router();
  start();
  plum_listener listener;
  ASSERT_GT(listener.create(8080), 0);
  const auto begin = steady_clock::now();
  EXPECT_EQ(plum_cleanup(), PLUM_ERR_SUCCESS);
  EXPECT_LT(steady_clock::now() - begin, 3s);
  ASSERT_THAT(listener.calls(), SizeIs(1));
  EXPECT_EQ(listener.calls().front().state, PLUM_STATE_DESTROYED);
  EXPECT_EQ(listener.calls().front().mapping.user_ptr, &listener);
}

TEST_F(capi_stop, fails_in_a_callback) {
  const lan net;
  start();
  std::atomic<int> result{1};
  plum_listener listener{[&](const plum_call&) { result = plum_cleanup(); }};
  ASSERT_GT(listener.create(8080), 0);
  EXPECT_EQ(listener.next().state, PLUM_STATE_SUCCESS);
  EXPECT_EQ(result, PLUM_ERR_FAILED);
  EXPECT_EQ(plum_cleanup(), PLUM_ERR_SUCCESS);
}

TEST_F(capi_stop, lets_nothing_be_created_or_started_meanwhile_but_the_rest_goes_on) {
  const lan net;
  start();
  plum_listener late;
  std::atomic<int> created{1};
  std::atomic<int> started{1};
  std::atomic<int> other_state{-1};
  std::atomic<int> other{0};
  plum_listener listener{[&](const plum_call& call) {
    if (call.state != PLUM_STATE_DESTROYED) return;
    created = late.create(9090);
    const plum_config_t config = quiet_config();
    started = plum_init(&config);
    if (const auto state = state_of(other)) other_state = *state;
  }};
  plum_listener other_listener;
  ASSERT_GT(listener.create(8080), 0);
  EXPECT_EQ(listener.next().state, PLUM_STATE_SUCCESS);
  other = other_listener.create(8081);
  EXPECT_EQ(other_listener.next().state, PLUM_STATE_SUCCESS);
  EXPECT_EQ(plum_cleanup(), PLUM_ERR_SUCCESS);
  EXPECT_EQ(created, PLUM_ERR_FAILED);
  EXPECT_EQ(started, PLUM_ERR_FAILED);
  // Unless it was the other's DESTROYED that came first.
  EXPECT_THAT(other_state.load(), testing::AnyOf(-1, PLUM_STATE_DESTROYING));
  EXPECT_THAT(late.calls(), IsEmpty());
}

TEST_F(capi_stop, succeeds_for_one_of_several_threads) {
  const lan net;
  for (int round = 0; round < 5; ++round) {
    start();
    plum_listener listener;
    ASSERT_GT(listener.create(8080), 0);
    EXPECT_EQ(listener.next().state, PLUM_STATE_SUCCESS);
    std::vector<std::future<int>> results;
    results.reserve(4);
    for (int i = 0; i < 4; ++i) results.push_back(std::async(std::launch::async, plum_cleanup));
    int successes = 0;
    for (auto& result : results) {
      const int code = result.get();
      successes += code == PLUM_ERR_SUCCESS ? 1 : 0;
      EXPECT_TRUE(code == PLUM_ERR_SUCCESS || code == PLUM_ERR_FAILED) << code;
    }
    EXPECT_EQ(successes, 1);
    EXPECT_EQ(listener.count(PLUM_STATE_DESTROYED), 1U);
  }
}

TEST_F(capi_stop, may_be_followed_by_a_start_any_number_of_times_and_ids_go_on) {
  lan net;
  int last = 0;
  for (int round = 0; round < 10; ++round) {
    start();
    plum_listener listener;
    const int id = listener.create(8080);
    EXPECT_GT(id, last);
    last = id;
    EXPECT_EQ(listener.next().state, PLUM_STATE_SUCCESS);
    EXPECT_EQ(plum_cleanup(), PLUM_ERR_SUCCESS);
    EXPECT_THAT(net.rules(), IsEmpty());
    EXPECT_THAT(listener.calls(), SizeIs(2));
  }
}

}  // namespace
