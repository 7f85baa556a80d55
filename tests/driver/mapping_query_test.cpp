// Which mappings there are and where they stand, for whoever asks from outside.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_future.hpp>

#include "client_fixture.hpp"

namespace damson {
namespace {

namespace asio = boost::asio;

using mapping_query_test = client_fixture;

TEST_F(mapping_query_test, tells_of_nothing_before_there_is_something) {
  const test_router router;
  const client client{*io_, router.options()};
  EXPECT_EQ(client.active_count(), 0U);
  EXPECT_FALSE(client.has(mapping_id::none));
  EXPECT_FALSE(client.has(mapping_id{1'000'000}));
  const mapping empty;
  EXPECT_EQ(empty.id(), mapping_id::none);
  EXPECT_EQ(empty.status(), mapping_status::failed);
}

TEST_F(mapping_query_test, gives_every_mapping_of_every_client_a_name_of_its_own) {
  const test_router router;
  std::set<mapping_id> ids;
  for (int round = 0; round < 3; ++round) {
    client first{*io_, router.options()};
    client second{*io_, router.options()};
    for (auto* each : {&first, &second}) {
      const auto handle = each->keep_open(pcp_for(8080));
      EXPECT_NE(handle.id(), mapping_id::none);
      EXPECT_TRUE(ids.insert(handle.id()).second);
      EXPECT_EQ(handle.info().id, handle.id());
      EXPECT_FALSE((each == &first ? second : first).has(handle.id()));
    }
  }
}

TEST_F(mapping_query_test, is_exact_from_the_call_on) {
  test_router router;
  client client{*io_, router.options()};
  std::optional<mapping> handle{client.keep_open(pcp_for(8080))};
  const auto id = handle->id();
  EXPECT_EQ(client.query(id), mapping_status::pending);
  EXPECT_EQ(client.active_count(), 1U);
  EXPECT_EQ(next_event(*handle).event.kind, event_kind::mapped);
  EXPECT_EQ(client.query(id), mapping_status::open);
  EXPECT_EQ(handle->status(), mapping_status::open);
  handle.reset();
  EXPECT_FALSE(client.has(id));
  EXPECT_EQ(client.active_count(), 1U) << "until it is removed";
  ASSERT_TRUE(run_out());
  EXPECT_EQ(client.active_count(), 0U);
}

TEST_F(mapping_query_test, knows_all_ways_to_the_end_at_once) {
  const test_router router;
  client client{*io_, router.options()};
  auto detached = client.keep_open(pcp_for(1000));
  auto released = client.keep_open(pcp_for(1001));
  auto assigned = client.keep_open(pcp_for(1002));
  const auto detached_id = detached.id();
  const auto released_id = released.id();
  const auto assigned_id = assigned.id();
  detached.detach();
  EXPECT_FALSE(client.has(detached_id));
  std::move(released).async_release([](error_code, removal) {});
  EXPECT_FALSE(client.has(released_id));
  assigned = mapping{};
  EXPECT_FALSE(client.has(assigned_id));
  ASSERT_TRUE(run_out());
  EXPECT_EQ(client.active_count(), 0U);
}

TEST_F(mapping_query_test, has_nothing_from_the_moment_that_it_is_closed) {
  const test_router router;
  client client{*io_, router.options()};
  auto open = client.keep_open(pcp_for(1000));
  EXPECT_EQ(next_event(open).event.kind, event_kind::mapped);
  const auto waiting = client.keep_open(pcp_for(1001));
  std::optional<std::size_t> left;
  client.async_close([&](error_code) { left = client.active_count(); });
  EXPECT_FALSE(client.has(open.id()));
  EXPECT_FALSE(client.has(waiting.id()));
  EXPECT_EQ(client.active_count(), 2U);
  const auto late = client.keep_open(pcp_for(1002));
  EXPECT_FALSE(client.has(late.id()));
  ASSERT_TRUE(run_out());
  EXPECT_EQ(left, 0U);
  EXPECT_EQ(open.status(), mapping_status::failed);
}

TEST_F(mapping_query_test, counts_requests_from_the_call_on) {
  const test_router router;
  client client{*io_, router.options()};
  asio::cancellation_signal signal;
  client.async_map(pcp_for(1000),
                   asio::bind_cancellation_slot(signal.slot(), [](error_code, const mapping&) {}));
  EXPECT_EQ(client.active_count(), 1U);
  signal.emit(asio::cancellation_type::total);
  ASSERT_TRUE(run_out());
  EXPECT_EQ(client.active_count(), 0U);

  const auto [error, handle] = map(client);
  EXPECT_FALSE(error);
  EXPECT_EQ(client.active_count(), 1U);
  EXPECT_EQ(client.query(handle.id()), mapping_status::open);
  EXPECT_EQ(handle.id(), handle.info().id);

  const auto [failed, none] = map(client, {.internal_port = 0});
  EXPECT_TRUE(failed == errc::invalid_argument);
  EXPECT_EQ(none.id(), mapping_id::none);
  EXPECT_EQ(none.status(), mapping_status::failed);
  ASSERT_TRUE(run_until([&] { return client.active_count() == 1; }));
}

TEST_F(mapping_query_test, follows_what_happens_to_a_mapping) {
  test_router router{closed_router()};
  auto opts = router.options();
  opts.recheck_period = std::chrono::seconds{1};
  client client{*io_, opts};
  auto handle = client.keep_open(pcp_for(8080));
  EXPECT_EQ(next_event(handle).event.kind, event_kind::failed);
  EXPECT_EQ(client.query(handle.id()), mapping_status::failed);
  router.change([](sim::gateway& model, time_point) { model.behaviour().speaks_pcp = true; });
  ASSERT_TRUE(run_until([&] { return handle.status() == mapping_status::open; }));
  EXPECT_EQ(client.query(handle.id()), mapping_status::open);
}

TEST_F(mapping_query_test, has_nothing_after_the_context) {
  const test_router router;
  client client{*io_, router.options()};
  const auto handle = client.keep_open(pcp_for(8080));
  io_.reset();
  EXPECT_FALSE(client.has(handle.id()));
  EXPECT_EQ(client.active_count(), 0U);
}

TEST_F(mapping_query_test, may_be_asked_from_any_thread) {
  constexpr int rounds = 50;
  const test_router router;
  asio::thread_pool pool{2};
  client client{pool, router.options()};
  std::atomic<bool> done{false};
  std::vector<std::thread> threads;
  for (std::uint16_t caller = 0; caller < 2; ++caller) {
    threads.emplace_back([&, caller] {
      for (int round = 0; round < rounds; ++round) {
        auto handle = client.keep_open(pcp_for(static_cast<std::uint16_t>(1'000 + caller)));
        const auto id = handle.id();
        EXPECT_TRUE(client.has(id));
        EXPECT_GE(client.active_count(), 1U);
        if (round % 2 == 0) std::move(handle).async_release(asio::use_future).get();
        handle = {};
        EXPECT_FALSE(client.has(id));
      }
    });
  }
  std::thread asker{[&] {
    for (std::uint64_t id = 1; !done; ++id) static_cast<void>(client.query(mapping_id{id}));
  }};
  for (auto& each : threads) each.join();
  done = true;
  asker.join();
  client.async_close(asio::use_future).get();
  EXPECT_EQ(client.active_count(), 0U);
  pool.join();
}

}  // namespace
}  // namespace damson
