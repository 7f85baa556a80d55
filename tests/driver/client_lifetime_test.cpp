// Clients, handles and contexts that end in every order.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>

#include <damson/damson.hpp>

#include "test_router.hpp"
#include "waiting.hpp"

namespace damson {
namespace {

namespace asio = boost::asio;
using testing::IsEmpty;
using testing::SizeIs;

class client_lifetime_test : public testing::Test {
 protected:
  client_lifetime_test() { make_client(io_->get_executor()); }

  void make_client(const asio::any_io_executor& executor) {
    client_ = std::make_unique<client>(executor, router_.options());
  }

  mapping map(const map_request& request = request_for_8080) {
    std::optional<mapping> result;
    client_->async_map(request, [&](error_code error, mapping handle) {
      EXPECT_FALSE(error) << error.message() << ": " << to_string(handle.why());
      result.emplace(std::move(handle));
    });
    EXPECT_TRUE(run_until(*io_, [&] { return result.has_value(); }));
    return result ? std::move(*result) : mapping{};
  }

  bool run_out() {
    io_->restart();
    io_->run_for(patience);
    return io_->stopped();
  }

  asio::awaitable<void> wait_for_ever();

  bool waits_ = false;
  test_router router_;
  std::unique_ptr<asio::io_context> io_ = std::make_unique<asio::io_context>();
  std::unique_ptr<client> client_;
};

TEST_F(client_lifetime_test, the_client_ends_first) {
  auto handle = map();
  client_.reset();
  EXPECT_THAT(router_.rules(), SizeIs(1)) << "the destructor does not wait";
  ASSERT_TRUE(run_out());
  EXPECT_THAT(router_.rules(), IsEmpty());

  EXPECT_TRUE(handle);
  EXPECT_EQ(handle.info().external.port, 8080);
  std::optional<mapping_event> told;
  handle.async_next_event([&](error_code error, mapping_event event) {
    EXPECT_FALSE(error);
    told = std::move(event);
  });
  ASSERT_TRUE(run_out());
  ASSERT_TRUE(told.has_value());
  EXPECT_EQ(told->kind, event_kind::removed);

  std::optional<removal> how;
  std::move(handle).async_release([&](error_code error, removal ended) {
    EXPECT_FALSE(error);
    how = ended;
  });
  ASSERT_TRUE(run_out());
  EXPECT_EQ(how, removal::deleted);
}

/// An event that nobody has waited for keeps its mapping, and that the client's state.
TEST_F(client_lifetime_test, nothing_is_left_when_the_context_ends_with_an_untold_event) {
  const auto held = std::make_shared<int>();
  options opts = router_.options();
  opts.log = [held](log_level, std::string_view) {};
  {
    std::optional<asio::io_context> context{std::in_place};
    client client{*context, opts};
    map_request nonsense;
    nonsense.internal_port = 0;
    const mapping handle = client.keep_open(nonsense);
    EXPECT_TRUE(run_until(*context, [&] { return handle.status() == mapping_status::failed; }));
    context.reset();
  }
  EXPECT_EQ(held.use_count(), 2) << "here and in the options";
}

TEST_F(client_lifetime_test, a_waiter_is_told_when_the_client_ends) {
  auto handle = map();
  std::optional<mapping_event> told;
  handle.async_next_event([&](error_code error, mapping_event event) {
    EXPECT_FALSE(error);
    told = std::move(event);
  });
  client_.reset();
  ASSERT_TRUE(run_out());
  ASSERT_TRUE(told.has_value());
  EXPECT_EQ(told->kind, event_kind::removed);
}

TEST_F(client_lifetime_test, the_handle_ends_first) {
  {
    const auto handle = map();
  }
  EXPECT_THAT(router_.rules(), SizeIs(1)) << "the destructor does not wait";
  ASSERT_TRUE(run_out());
  EXPECT_THAT(router_.rules(), IsEmpty());
}

TEST_F(client_lifetime_test, a_waiter_is_told_when_the_handle_ends) {
  std::optional<event_kind> told;
  {
    auto handle = map();
    handle.async_next_event([&](error_code, const mapping_event& event) { told = event.kind; });
  }
  ASSERT_TRUE(run_out());
  EXPECT_EQ(told, event_kind::removed);
}

TEST_F(client_lifetime_test, both_end_before_anything_runs) {
  {
    const auto handle = map();
    client_.reset();
  }
  ASSERT_TRUE(run_out());
  EXPECT_THAT(router_.rules(), IsEmpty());
}

TEST_F(client_lifetime_test, the_context_ends_first) {
  auto handle = map();
  auto other = map({.transport = transport::udp, .internal_port = 9090});
  io_.reset();
  EXPECT_EQ(handle.info().external.port, 8080);
  EXPECT_EQ(client_->get_executor(), asio::any_io_executor{});
  // What is begun now can never run; it must not crash, and its handler must go.
  auto life = std::make_shared<int>();
  const std::weak_ptr<int> watch = life;
  handle.async_next_event([life](error_code, const mapping_event&) { ADD_FAILURE(); });
  client_->async_map(request_for_8080, [life](error_code, const mapping&) { ADD_FAILURE(); });
  std::move(other).async_release([life](error_code, removal) { ADD_FAILURE(); });
  client_->async_close([life](error_code) { ADD_FAILURE(); });
  life.reset();
  EXPECT_TRUE(watch.expired());
  client_.reset();
}

TEST_F(client_lifetime_test, the_context_ends_with_operations_pending) {
  auto life = std::make_shared<int>();
  const std::weak_ptr<int> watch = life;
  asio::cancellation_signal signal;
  auto handle = map();
  auto other = map({.transport = transport::udp, .internal_port = 9090});
  handle.async_next_event([life](error_code, const mapping_event&) { ADD_FAILURE(); });
  io_->restart();
  io_->poll();
  std::move(other).async_release([life](error_code, removal) { ADD_FAILURE(); });
  client_->async_map({.internal_port = 7070},
                     asio::bind_cancellation_slot(
                         signal.slot(), [life](error_code, const mapping&) { ADD_FAILURE(); }));
  client_->async_close([life](error_code) { ADD_FAILURE(); });
  life.reset();
  EXPECT_FALSE(watch.expired());
  io_.reset();
  EXPECT_TRUE(watch.expired());
  signal.emit(asio::cancellation_type::total);
}

TEST_F(client_lifetime_test, the_context_ends_before_it_ever_ran) {
  auto life = std::make_shared<int>();
  const std::weak_ptr<int> watch = life;
  client_->async_map(request_for_8080, [life](error_code, const mapping&) { ADD_FAILURE(); });
  client_.reset();
  life.reset();
  EXPECT_FALSE(watch.expired());
  io_.reset();
  EXPECT_TRUE(watch.expired());
}

asio::awaitable<void> client_lifetime_test::wait_for_ever() {
  client client{co_await asio::this_coro::executor, router_.options()};
  auto handle = co_await client.async_map(request_for_8080, asio::use_awaitable);
  waits_ = true;
  co_await handle.async_next_event(asio::use_awaitable);
  ADD_FAILURE() << "nothing happened";
}

TEST_F(client_lifetime_test, the_context_ends_while_it_holds_client_and_handle) {
  // The frame of the coroutine, with all in it, is destroyed with the context.
  asio::co_spawn(*io_, wait_for_ever(), asio::detached);
  ASSERT_TRUE(run_until(*io_, [&] { return waits_; }));
  io_->poll();
  io_.reset();
}

TEST_F(client_lifetime_test, a_result_that_nobody_takes_is_given_back) {
  // The handler's executor never runs, so the handle waits in its queue, and goes with it.
  auto never_run = std::make_unique<asio::io_context>();
  client_->async_map(
      request_for_8080,
      asio::bind_executor(*never_run, [](error_code, const mapping&) { ADD_FAILURE(); }));
  ASSERT_TRUE(run_until(*io_, [&] { return !router_.rules().empty(); }));
  io_->poll();
  never_run.reset();
  ASSERT_TRUE(run_out());
  EXPECT_THAT(router_.rules(), IsEmpty());
}

TEST_F(client_lifetime_test, the_context_of_a_strand_ends_first) {
  make_client(asio::make_strand(*io_));
  const auto handle = map();
  ASSERT_TRUE(handle);
  io_.reset();
}

TEST_F(client_lifetime_test, a_thread_pool_ends_first) {
  auto pool = std::make_unique<asio::thread_pool>(2);
  make_client(pool->get_executor());
  const auto handle = client_->async_map(request_for_8080, asio::use_future).get();
  EXPECT_TRUE(handle);
  pool->stop();
  pool->join();
  pool.reset();
  EXPECT_EQ(handle.info().external.port, 8080);
}

TEST_F(client_lifetime_test, several_clients_share_a_context) {
  client second{*io_, router_.options()};
  const auto handle = map();
  std::optional<mapping> other;
  second.async_map({.transport = transport::udp, .internal_port = 9090},
                   [&](error_code, mapping opened) { other.emplace(std::move(opened)); });
  ASSERT_TRUE(run_until(*io_, [&] { return other.has_value(); }));
  client_.reset();
  ASSERT_TRUE(run_until(*io_, [&] { return router_.rules().size() == 1; }));
  EXPECT_EQ(router_.rules()[0].internal.port, 9090);
  other.reset();
  ASSERT_TRUE(run_out());
  EXPECT_THAT(router_.rules(), IsEmpty());
}

}  // namespace
}  // namespace damson
