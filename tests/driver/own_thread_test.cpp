// Clients with a thread of their own.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): pthread_sigmask is in no other

#include <atomic>
#include <chrono>
#include <future>
#include <iostream>
#include <memory>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <boost/asio/execution/context.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/query.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_future.hpp>

#include <damson/damson.hpp>

#include "client_fixture.hpp"

namespace damson {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using testing::IsEmpty;
using testing::SizeIs;

class own_thread_test : public testing::Test {
 protected:
  void make_client() { client_ = std::make_unique<client>(router_.options()); }

  mapping map(const map_request& request = request_for_8080) {
    return client_->async_map(request, asio::use_future).get();
  }

  /// How long the destructor takes.
  std::chrono::nanoseconds end_client() {
    const auto begin = std::chrono::steady_clock::now();
    client_.reset();
    return std::chrono::steady_clock::now() - begin;
  }

  test_router router_;
  std::unique_ptr<client> client_ = std::make_unique<client>(router_.options());
};

TEST_F(own_thread_test, opens_a_port_and_has_given_it_back_when_it_is_gone) {
  const auto handle = map();
  EXPECT_EQ(handle.info().external, (endpoint{router_public_address, 8080}));
  EXPECT_THAT(router_.rules(), SizeIs(1));
  end_client();
  EXPECT_THAT(router_.rules(), IsEmpty());
  EXPECT_THAT(router_.complaints(), IsEmpty());
}

TEST_F(own_thread_test, ends_without_having_been_used) { EXPECT_LT(end_client(), 1s); }

TEST_F(own_thread_test, runs_handlers_on_its_thread) {
  const auto thread_of = [&](auto start) {
    std::promise<std::thread::id> id;
    start([&](auto&&...) { id.set_value(std::this_thread::get_id()); });
    return id.get_future().get();
  };
  const auto own =
      thread_of([&](auto handler) { asio::post(client_->get_executor(), std::move(handler)); });
  EXPECT_NE(own, std::this_thread::get_id());
  EXPECT_EQ(
      own, thread_of([&](auto handler) { client_->async_map(pcp_for(8080), std::move(handler)); }));
  EXPECT_EQ(own, thread_of([&](auto handler) { client_->async_close(std::move(handler)); }));
}

TEST_F(own_thread_test, leaves_signals_to_other_threads) {
  std::promise<sigset_t> blocked;
  asio::post(client_->get_executor(), [&] {
    sigset_t set;
    ::pthread_sigmask(SIG_SETMASK, nullptr, &set);
    blocked.set_value(set);
  });
  const auto there = blocked.get_future().get();
  EXPECT_TRUE(::sigismember(&there, SIGINT));
  EXPECT_TRUE(::sigismember(&there, SIGTERM));
  sigset_t here;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &here);
  EXPECT_FALSE(::sigismember(&here, SIGINT));
}

TEST_F(own_thread_test, completes_everything_before_it_is_gone) {
  auto handle = map();
  std::atomic<int> completed{0};
  const auto count = [&](auto&&...) { ++completed; };
  handle.async_next_event([&](error_code error, const mapping_event& event) {
    EXPECT_FALSE(error);
    EXPECT_EQ(event.kind, event_kind::removed);
    ++completed;
  });
  fall_silent(router_);
  client_->async_map(pcp_for(9090), [&](error_code error, const mapping& none) {
    EXPECT_TRUE(error == errc::closed) << error.message();
    EXPECT_FALSE(none);
    ++completed;
  });
  client_->async_discover(protocol_filter::pcp, [&](error_code error, const discovery&) {
    EXPECT_TRUE(error == errc::closed) << error.message();
    ++completed;
  });
  client_->async_next_event(count);
  client_->async_close(count);
  EXPECT_LT(end_client(), 3s);
  EXPECT_EQ(completed, 5);
}

TEST_F(own_thread_test, lets_run_what_a_last_handler_starts) {
  auto handle = map();
  std::vector<error_code> told;
  handle.async_next_event([&](error_code first, const mapping_event&) {
    told.push_back(first);
    handle.async_next_event(
        [&](error_code second, const mapping_event&) { told.push_back(second); });
  });
  end_client();
  ASSERT_THAT(told, SizeIs(2));
  EXPECT_FALSE(told[0]);
  EXPECT_TRUE(told[1] == errc::closed);
}

TEST_F(own_thread_test, is_gone_within_the_release_bound_when_the_router_is_silent) {
  const auto handle = map();
  fall_silent(router_);
  const auto took = end_client();
  EXPECT_GE(took, 1s) << "it tries";
  EXPECT_LT(took, 3s);
}

TEST_F(own_thread_test, does_not_wait_for_what_else_the_program_does_there) {
  auto timer = std::make_shared<asio::steady_timer>(client_->get_executor(), 1h);
  timer->async_wait([timer](const boost::system::error_code&) { ADD_FAILURE(); });
  timer.reset();
  const auto handle = map();
  EXPECT_LT(end_client(), 2s);
  EXPECT_THAT(router_.rules(), IsEmpty());
}

TEST_F(own_thread_test, waits_for_a_handler) {
  std::promise<void> begun;
  std::promise<void> go_on;
  bool ended = false;
  asio::post(client_->get_executor(), [&] {
    begun.set_value();
    go_on.get_future().wait();
    ended = true;
  });
  begun.get_future().wait();
  auto gone = std::async(std::launch::async, [&] { client_.reset(); });
  go_on.set_value();
  gone.get();
  EXPECT_TRUE(ended);
}

TEST_F(own_thread_test, goes_on_when_the_program_stops_its_context) {
  auto& context = asio::query(client_->get_executor(), asio::execution::context);
  static_cast<asio::io_context&>(context).stop();
  const auto handle = map();
  EXPECT_TRUE(handle);
  end_client();
  EXPECT_THAT(router_.rules(), IsEmpty());
}

TEST_F(own_thread_test, handles_may_outlive_it) {
  auto handle = map();
  auto other = map({.transport = transport::udp, .internal_port = 9090});
  auto third = map({.transport = transport::udp, .internal_port = 9091});
  end_client();
  EXPECT_TRUE(handle);
  EXPECT_EQ(handle.info().external.port, 8080);
  EXPECT_EQ(handle.status(), mapping_status::failed);
  EXPECT_EQ(handle.async_next_event(asio::use_future).get().kind, event_kind::removed);
  try {
    handle.async_next_event(asio::use_future).get();
    ADD_FAILURE() << "something happened";
  } catch (const boost::system::system_error& error) {
    EXPECT_TRUE(error.code() == errc::closed);
  }
  std::promise<std::thread::id> where;
  std::move(other).async_release([&](error_code error, removal how) {
    EXPECT_FALSE(error);
    EXPECT_EQ(how, removal::deleted);
    where.set_value(std::this_thread::get_id());
  });
  EXPECT_NE(where.get_future().get(), std::this_thread::get_id()) << "never from within";
  third.detach();
  EXPECT_FALSE(third);
}

TEST_F(own_thread_test, handles_may_be_used_while_it_ends) {
  for (int round = 0; round < 20; ++round) {
    if (!client_) make_client();
    auto handle = map();
    auto other = map({.transport = transport::udp, .internal_port = 9090});
    std::promise<void> begin;
    const auto begun = begin.get_future().share();
    std::thread waiter{[&] {
      begun.wait();
      // Each is told `removed`, then that there is nothing more.
      for (int event = 0; event < 3; ++event) {
        auto told = handle.async_next_event(asio::use_future);
        try {
          EXPECT_EQ(told.get().kind, event_kind::removed);
          EXPECT_EQ(event, 0);
        } catch (const boost::system::system_error& error) {
          EXPECT_TRUE(error.code() == errc::closed) << error.what();
        }
      }
    }};
    std::thread releaser{[&] {
      begun.wait();
      EXPECT_EQ(std::move(other).async_release(asio::use_future).get(), removal::deleted);
    }};
    begin.set_value();
    end_client();
    waiter.join();
    releaser.join();
    EXPECT_THAT(router_.rules(), IsEmpty());
  }
}

TEST_F(own_thread_test, there_may_be_several) {
  std::vector<std::unique_ptr<client>> clients;
  std::vector<mapping> handles;
  for (std::uint16_t port = 9000; port < 9008; ++port) {
    clients.push_back(std::make_unique<client>(router_.options()));
    handles.push_back(clients.back()->async_map(pcp_for(port), asio::use_future).get());
  }
  EXPECT_THAT(router_.rules(), SizeIs(8));
  clients.clear();
  EXPECT_THAT(router_.rules(), IsEmpty());
}

using own_thread_death_test = own_thread_test;

void destroy_a_client_on_its_thread() {
  options opts;
  opts.level = log_level::error;
  opts.log = [](log_level level, std::string_view line) {
    std::cerr << to_string(level) << ": " << line << '\n';
  };
  auto owner = std::make_unique<client>(opts);
  std::promise<void> never;
  const auto executor = owner->get_executor();
  asio::post(executor, [&owner] { owner.reset(); });
  never.get_future().wait();
}

TEST_F(own_thread_death_test, is_not_destroyed_on_its_thread) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(destroy_a_client_on_its_thread(), "error: .*thread of its own");
}

}  // namespace
}  // namespace damson
