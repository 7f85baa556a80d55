// What is sent when nobody will run the client any more.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_future.hpp>

#include <damson/damson.hpp>

#include "client_fixture.hpp"

namespace damson {
namespace {

namespace asio = boost::asio;
using testing::IsEmpty;
using testing::SizeIs;

sim::profile nat_pmp_router() {
  sim::profile how;
  how.speaks_pcp = false;
  return how;
}

class last_words_test : public client_fixture {
 protected:
  void make_router(const sim::profile& how) { router_.emplace(how); }
  void make_client() { client_.emplace(*io_, router_->options()); }

  /// So many ports that are open.
  void open(int count) {
    for (int each = 0; each < count; ++each) {
      auto [error, handle] = map(*client_, pcp_for(static_cast<std::uint16_t>(1000 + each)));
      ASSERT_FALSE(error) << error.message();
      handles_.push_back(std::move(handle));
    }
    ASSERT_THAT(router_->rules(), SizeIs(count));
  }

  /// The router takes its time, in a thread of its own.
  bool is_given_back(std::size_t left = 0) {
    return wait_until([&] { return router_->rules().size() == left; });
  }

  /// What the router gets in between is already taken when this returns.
  std::size_t rules_after_another_mapping() {
    asio::io_context io;
    client other{io, router_->options()};
    std::optional<mapping> handle;
    other.async_map(pcp_for(5000), [&](error_code, mapping opened) { handle = std::move(opened); });
    EXPECT_TRUE(::run_until(io, [&] { return handle.has_value(); }));
    const auto count = router_->rules().size();
    handle->detach();
    return count - 1;
  }

  std::optional<test_router> router_{std::in_place};
  std::optional<client> client_;
  std::vector<mapping> handles_;
};

TEST_F(last_words_test, are_said_for_every_pcp_mapping_at_the_end_of_the_context) {
  make_client();
  open(5);
  io_.reset();
  EXPECT_TRUE(is_given_back());
  EXPECT_THAT(router_->complaints(), IsEmpty());
  client_.reset();
}

TEST_F(last_words_test, are_said_for_every_nat_pmp_mapping_at_the_end_of_the_context) {
  make_router(nat_pmp_router());
  make_client();
  open(3);
  io_.reset();
  EXPECT_TRUE(is_given_back());
}

TEST_F(last_words_test, are_said_for_what_was_released_and_never_run) {
  make_client();
  open(2);
  handles_.pop_back();
  client_.reset();
  io_.reset();
  EXPECT_TRUE(is_given_back());
}

TEST_F(last_words_test, leave_to_its_lease_what_was_detached) {
  make_client();
  open(2);
  handles_[0].detach();
  io_.reset();
  EXPECT_TRUE(is_given_back(1));
  EXPECT_EQ(rules_after_another_mapping(), 1U);
  EXPECT_EQ(router_->rules()[0].internal.port, 1000);
}

TEST_F(last_words_test, are_said_at_the_end_of_a_thread_pool) {
  auto pool = std::make_unique<asio::thread_pool>(2);
  client client{*pool, router_->options()};
  const auto handle = client.async_map(request_for_8080, asio::use_future).get();
  ASSERT_THAT(router_->rules(), SizeIs(1));
  pool->stop();
  pool->join();
  pool.reset();
  EXPECT_TRUE(is_given_back());
}

// A context that is stopped

TEST_F(last_words_test, are_said_by_the_client_on_a_stopped_context) {
  make_client();
  open(5);
  io_->stop();
  client_.reset();
  EXPECT_TRUE(is_given_back());
}

TEST_F(last_words_test, are_said_by_the_client_on_a_stopped_context_for_nat_pmp) {
  make_router(nat_pmp_router());
  make_client();
  open(3);
  io_->stop();
  client_.reset();
  EXPECT_TRUE(is_given_back());
}

TEST_F(last_words_test, are_said_by_the_handle_on_a_stopped_context) {
  make_client();
  open(3);
  io_->stop();
  handles_.pop_back();
  EXPECT_TRUE(is_given_back(2));
  handles_[0].detach();
  std::optional<std::pair<error_code, removal>> told;
  std::move(handles_[1]).async_release([&](error_code error, removal how) {
    told.emplace(error, how);
  });
  EXPECT_TRUE(is_given_back(1));
  EXPECT_FALSE(told) << "never from within";
  ASSERT_TRUE(run_out());
  ASSERT_TRUE(told);
  EXPECT_FALSE(told->first) << told->first.message();
  EXPECT_EQ(told->second, removal::deleted);
  EXPECT_THAT(router_->rules(), SizeIs(1));
}

TEST_F(last_words_test, are_said_on_a_stopped_context_behind_strands) {
  const std::vector<std::function<asio::any_io_executor()>> executors{
      [&] { return asio::any_io_executor{asio::make_strand(*io_)}; },
      [&] {
        return asio::any_io_executor{asio::make_strand(asio::any_io_executor{io_->get_executor()})};
      }};
  for (const auto& executor : executors) {
    client_.emplace(executor(), router_->options());
    open(1);
    io_->stop();
    client_.reset();
    EXPECT_TRUE(is_given_back());
    handles_.clear();
    io_->restart();
  }
}

TEST_F(last_words_test, leave_a_closed_client_to_a_context_that_runs_again) {
  make_client();
  open(2);
  std::vector<event_kind> told;
  const auto note = [&](error_code error, const mapping_event& event) {
    EXPECT_FALSE(error) << error.message();
    told.push_back(event.kind);
  };
  handles_[0].async_next_event(note);
  io_->poll();
  io_->stop();
  const auto kept = client_->keep_open(pcp_for(2000));
  std::optional<error_code> late;
  client_->async_map(pcp_for(2001), [&](error_code error, const mapping&) { late = error; });
  handles_[1].async_next_event(note);
  client_.reset();
  EXPECT_TRUE(is_given_back());
  EXPECT_THAT(told, IsEmpty()) << "never from within";
  ASSERT_TRUE(run_out());
  EXPECT_THAT(told, testing::ElementsAre(event_kind::removed, event_kind::removed));
  ASSERT_TRUE(late);
  EXPECT_TRUE(*late == errc::closed);
  EXPECT_EQ(kept.status(), mapping_status::failed);
  EXPECT_THAT(router_->rules(), IsEmpty());
}

TEST_F(last_words_test, of_a_handle_may_overtake_its_beginning) {
  make_client();
  io_->stop();
  {
    const auto gone = client_->keep_open(pcp_for(1000));
  }
  ASSERT_TRUE(run_out());
  EXPECT_EQ(client_->active_count(), 0U);
  EXPECT_THAT(router_->rules(), IsEmpty());
}

TEST_F(last_words_test, may_be_said_within_a_handler) {
  make_client();
  open(2);
  asio::post(*io_, [&] {
    io_->stop();
    client_.reset();
  });
  io_->run();
  EXPECT_TRUE(is_given_back());
}

TEST_F(last_words_test, wait_for_a_handler_that_is_under_way) {
  for (int round = 0; round < 30; ++round) {
    io_ = std::make_unique<asio::io_context>();
    make_client();
    auto work = asio::make_work_guard(*io_);
    std::vector<std::thread> threads;
    for (int each = 0; each < 2; ++each) threads.emplace_back([&] { io_->run(); });
    auto handle = client_->async_map(pcp_for(1000), asio::use_future).get();
    auto other = client_->async_map(pcp_for(1001), asio::use_future).get();
    for (int each = 0; each < 20; ++each) client_->network_changed();
    for (std::uint16_t port = 2000; port < 2010; ++port) {
      client_->keep_open(pcp_for(port)).detach();
    }
    io_->stop();
    handle = mapping{};
    client_.reset();
    for (auto& each : threads) each.join();
    work.reset();
    io_.reset();
    EXPECT_TRUE(wait_until([&] {
      for (const auto& rule : router_->rules()) {
        if (rule.internal.port < 2000) return false;
      }
      return true;
    })) << round;
    router_->change([](sim::gateway& model, time_point) { model.forget_all(); });
  }
}

}  // namespace
}  // namespace damson
