// The asynchronous operations with every kind of completion token, executor and allocator.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <new>
#include <optional>
#include <thread>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_allocator.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>
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

class completion_token_test : public testing::Test {
 protected:
  /// Runs a coroutine to its end; its exceptions come out here.
  void run(asio::awaitable<void> coroutine) {
    std::exception_ptr thrown;
    bool ended = false;
    asio::co_spawn(io_, std::move(coroutine), [&](std::exception_ptr error) {
      thrown = std::move(error);
      ended = true;
    });
    EXPECT_TRUE(run_until(io_, [&] { return ended; }));
    if (thrown) std::rethrow_exception(thrown);
  }

  asio::awaitable<void> await_everything();
  asio::awaitable<void> await_events_and_discoveries();
  asio::awaitable<void> await_errors();
  asio::awaitable<void> await_tuples();
  asio::awaitable<void> await_deferred();

  /// A thread that runs the io_context, for callers who block.
  struct runner {
    explicit runner(asio::io_context& io)
        : work(asio::make_work_guard(io)), thread([&io] { io.run(); }) {}
    runner(const runner&) = delete;
    runner& operator=(const runner&) = delete;
    ~runner() {
      work.reset();
      thread.join();
    }

    asio::executor_work_guard<asio::io_context::executor_type> work;
    std::thread thread;
  };

  test_router router_;
  asio::io_context io_;
};

TEST_F(completion_token_test, callbacks) {
  client client{io_, router_.options()};
  int done = 0;
  mapping handle;
  client.async_map(request_for_8080, [&](error_code error, mapping opened) {
    EXPECT_FALSE(error);
    handle = std::move(opened);
    ++done;
  });
  EXPECT_EQ(done, 0) << "never from within";
  ASSERT_TRUE(run_until(io_, [&] { return done == 1; }));
  handle.async_next_event([&](error_code error, const mapping_event& event) {
    EXPECT_FALSE(error);
    EXPECT_EQ(event.kind, event_kind::removed);
    ++done;
  });
  std::move(handle).async_release([&](error_code error, removal how) {
    EXPECT_FALSE(error);
    EXPECT_EQ(how, removal::deleted);
    ++done;
  });
  EXPECT_EQ(done, 1);
  ASSERT_TRUE(run_until(io_, [&] { return done == 3; }));
  client.async_close([&](error_code error) {
    EXPECT_FALSE(error);
    ++done;
  });
  EXPECT_EQ(done, 3);
  ASSERT_TRUE(run_until(io_, [&] { return done == 4; }));
}

TEST_F(completion_token_test, callbacks_for_events_and_discoveries) {
  client client{io_, router_.options()};
  int done = 0;
  client.async_next_event([&](error_code error, const mapping_event& event) {
    EXPECT_FALSE(error);
    EXPECT_EQ(event.kind, event_kind::mapped);
    ++done;
  });
  const auto handle = client.keep_open(request_for_8080);
  EXPECT_EQ(done, 0) << "never from within";
  ASSERT_TRUE(run_until(io_, [&] { return done == 1; }));
  client.async_discover(protocol_filter::pcp, [&](error_code error, const discovery& found) {
    EXPECT_FALSE(error);
    EXPECT_EQ(found.gateway, router_.address());
    ++done;
  });
  EXPECT_EQ(done, 1);
  ASSERT_TRUE(run_until(io_, [&] { return done == 2; }));
}

TEST_F(completion_token_test, futures) {
  const runner running{io_};
  client client{io_, router_.options()};
  mapping handle = client.async_map(request_for_8080, asio::use_future).get();
  EXPECT_TRUE(handle);
  auto event = handle.async_next_event(asio::use_future);
  EXPECT_EQ(std::move(handle).async_release(asio::use_future).get(), removal::deleted);
  EXPECT_EQ(event.get().kind, event_kind::removed);
  client.async_close(asio::use_future).get();
  try {
    client.async_map(request_for_8080, asio::use_future).get();
    ADD_FAILURE() << "mapped on a closed client";
  } catch (const boost::system::system_error& error) {
    EXPECT_TRUE(error.code() == errc::closed);
    EXPECT_TRUE(error.code() == next_step_of(errc::closed));
  }
}

TEST_F(completion_token_test, futures_for_events_and_discoveries) {
  const runner running{io_};
  client client{io_, router_.options()};
  auto event = client.async_next_event(asio::use_future);
  auto handle = client.keep_open(request_for_8080);
  EXPECT_EQ(event.get().kind, event_kind::mapped);
  const auto found = client.async_discover(protocol_filter::pcp, asio::use_future).get();
  EXPECT_EQ(found.gateway, router_.address());
  handle = mapping{};
  EXPECT_EQ(client.async_next_event(asio::use_future).get().kind, event_kind::removed);
  client.async_close(asio::use_future).get();
  const auto is_closed = [](auto future) {
    try {
      future.get();
      ADD_FAILURE() << "the client is closed";
    } catch (const boost::system::system_error& error) {
      EXPECT_TRUE(error.code() == errc::closed);
      EXPECT_TRUE(error.code() == next_step_of(errc::closed));
    }
  };
  is_closed(client.async_next_event(asio::use_future));
  is_closed(client.async_discover(protocol_filter::pcp, asio::use_future));
}

asio::awaitable<void> completion_token_test::await_events_and_discoveries() {
  client client{co_await asio::this_coro::executor, router_.options()};
  auto handle = client.keep_open(request_for_8080);
  const mapping_event event = co_await client.async_next_event(asio::use_awaitable);
  EXPECT_EQ(event.kind, event_kind::mapped);
  const discovery found = co_await client.async_discover(protocol_filter::pcp, asio::use_awaitable);
  EXPECT_EQ(found.gateway, router_.address());

  constexpr auto token = asio::as_tuple(asio::use_awaitable);
  const auto [again_error, again] = co_await client.async_discover(protocol_filter::pcp, token);
  EXPECT_FALSE(again_error);
  EXPECT_EQ(again.gateway, router_.address());
  auto next = client.async_next_event(asio::deferred);
  auto search = client.async_discover(protocol_filter::pcp, asio::deferred);
  handle = mapping{};
  const mapping_event end = co_await std::move(next)(asio::use_awaitable);
  EXPECT_EQ(end.kind, event_kind::removed);
  EXPECT_EQ((co_await std::move(search)(asio::use_awaitable)).gateway, router_.address());

  co_await client.async_close(asio::use_awaitable);
  const auto [closed_error, nothing] = co_await client.async_next_event(token);
  EXPECT_TRUE(closed_error == errc::closed);
  const auto [search_error, nobody] = co_await client.async_discover(protocol_filter::any, token);
  EXPECT_TRUE(search_error == errc::closed);
  try {
    co_await client.async_next_event(asio::use_awaitable);
    ADD_FAILURE() << "an event of a closed client";
  } catch (const boost::system::system_error& error) {
    EXPECT_TRUE(error.code() == errc::closed);
    EXPECT_TRUE(error.code() == next_step_of(errc::closed));
  }
  try {
    co_await client.async_discover(protocol_filter::any, asio::use_awaitable);
    ADD_FAILURE() << "a closed client asked";
  } catch (const boost::system::system_error& error) {
    EXPECT_TRUE(error.code() == errc::closed);
  }
}

TEST_F(completion_token_test, awaitables_for_events_and_discoveries) {
  run(await_events_and_discoveries());
}

/// The errors of the other operations, thrown.
asio::awaitable<void> completion_token_test::await_errors() {
  mapping empty;
  try {
    co_await empty.async_next_event(asio::use_awaitable);
    ADD_FAILURE() << "an event of nothing";
  } catch (const boost::system::system_error& error) {
    EXPECT_TRUE(error.code() == errc::closed);
    EXPECT_TRUE(error.code() == next_step_of(errc::closed));
  }
  try {
    co_await std::move(empty).async_release(asio::use_awaitable);
    ADD_FAILURE() << "released nothing";
  } catch (const boost::system::system_error& error) {
    EXPECT_TRUE(error.code() == errc::closed);
  }
  client client{co_await asio::this_coro::executor, router_.options()};
  try {
    co_await client.async_map({.internal_port = 0}, asio::use_awaitable);
    ADD_FAILURE() << "mapped nothing";
  } catch (const boost::system::system_error& error) {
    EXPECT_TRUE(error.code() == errc::invalid_argument);
    EXPECT_TRUE(error.code() == next_step::fix_call);
  }
}

TEST_F(completion_token_test, awaitables_throw) { run(await_errors()); }

asio::awaitable<void> completion_token_test::await_everything() {
  client client{co_await asio::this_coro::executor, router_.options()};
  mapping handle = co_await client.async_map(request_for_8080, asio::use_awaitable);
  EXPECT_TRUE(handle);
  EXPECT_THAT(router_.rules(), SizeIs(1));
  const removal how = co_await std::move(handle).async_release(asio::use_awaitable);
  EXPECT_EQ(how, removal::deleted);

  handle = co_await client.async_map(request_for_8080, asio::use_awaitable);
  co_await client.async_close(asio::use_awaitable);
  const mapping_event event = co_await handle.async_next_event(asio::use_awaitable);
  EXPECT_EQ(event.kind, event_kind::removed);
  try {
    co_await client.async_map(request_for_8080, asio::use_awaitable);
    ADD_FAILURE() << "mapped on a closed client";
  } catch (const boost::system::system_error& error) {
    EXPECT_TRUE(error.code() == errc::closed);
  }
}

TEST_F(completion_token_test, awaitables) { run(await_everything()); }

asio::awaitable<void> completion_token_test::await_tuples() {
  constexpr auto token = asio::as_tuple(asio::use_awaitable);
  client client{co_await asio::this_coro::executor, router_.options()};
  auto [error, handle] = co_await client.async_map(request_for_8080, token);
  EXPECT_FALSE(error);
  EXPECT_TRUE(handle);
  auto [release_error, how] = co_await std::move(handle).async_release(token);
  EXPECT_FALSE(release_error);
  EXPECT_EQ(how, removal::deleted);

  auto [map_error, nothing] = co_await client.async_map({.internal_port = 0}, token);
  EXPECT_TRUE(map_error == errc::invalid_argument);
  EXPECT_EQ(nothing.why().reason, errc::invalid_argument);
  auto [event_error, event] = co_await nothing.async_next_event(token);
  EXPECT_TRUE(event_error == errc::closed);
  const auto [close_error] = co_await client.async_close(token);
  EXPECT_FALSE(close_error);
}

TEST_F(completion_token_test, tuples) { run(await_tuples()); }

asio::awaitable<void> completion_token_test::await_deferred() {
  client client{co_await asio::this_coro::executor, router_.options()};
  auto map = client.async_map(request_for_8080, asio::deferred);
  EXPECT_THAT(router_.rules(), IsEmpty()) << "not begun yet";
  mapping handle = co_await std::move(map)(asio::use_awaitable);
  EXPECT_TRUE(handle);
  auto event = handle.async_next_event(asio::deferred);
  auto release = std::move(handle).async_release(asio::deferred);
  EXPECT_THAT(router_.rules(), SizeIs(1)) << "not begun yet";
  EXPECT_EQ(co_await std::move(release)(asio::use_awaitable), removal::deleted);
  EXPECT_EQ((co_await std::move(event)(asio::use_awaitable)).kind, event_kind::removed);
  auto close = client.async_close(asio::deferred);
  co_await std::move(close)(asio::use_awaitable);
}

TEST_F(completion_token_test, deferred) { run(await_deferred()); }

TEST_F(completion_token_test, a_deferred_release_that_never_begins_still_gives_back) {
  client client{io_, router_.options()};
  std::optional<mapping> handle;
  client.async_map(request_for_8080,
                   [&](error_code, mapping opened) { handle.emplace(std::move(opened)); });
  ASSERT_TRUE(run_until(io_, [&] { return handle.has_value(); }));
  {
    auto release = std::move(*handle).async_release(asio::deferred);
    EXPECT_FALSE(*handle);
  }
  io_.restart();
  io_.run();
  EXPECT_THAT(router_.rules(), IsEmpty());
}

TEST_F(completion_token_test, handlers_run_on_their_own_executor) {
  asio::io_context other;
  const auto other_executor = other.get_executor();
  client client{io_, router_.options()};
  int done = 0;
  mapping handle;
  client.async_map(request_for_8080,
                   asio::bind_executor(other_executor, [&](error_code error, mapping opened) {
                     EXPECT_FALSE(error);
                     EXPECT_TRUE(other_executor.running_in_this_thread());
                     handle = std::move(opened);
                     ++done;
                   }));
  other.poll();
  EXPECT_FALSE(other.stopped()) << "the operation is work of the handler's executor";
  const runner running{io_};
  ASSERT_TRUE(run_until(other, [&] { return done == 1; }));

  handle.async_next_event(
      asio::bind_executor(other_executor, [&](error_code, const mapping_event&) {
        EXPECT_TRUE(other_executor.running_in_this_thread());
        ++done;
      }));
  std::move(handle).async_release(asio::bind_executor(other_executor, [&](error_code, removal) {
    EXPECT_TRUE(other_executor.running_in_this_thread());
    ++done;
  }));
  ASSERT_TRUE(run_until(other, [&] { return done == 3; }));
  client.async_close(asio::bind_executor(other_executor, [&](error_code) {
    EXPECT_TRUE(other_executor.running_in_this_thread());
    ++done;
  }));
  ASSERT_TRUE(run_until(other, [&] { return done == 4; }));
}

TEST_F(completion_token_test, handlers_of_events_and_discoveries_run_on_their_own_executor) {
  asio::io_context other;
  const auto other_executor = other.get_executor();
  client client{io_, router_.options()};
  int done = 0;
  const auto note = [&](auto&&...) {
    EXPECT_TRUE(other_executor.running_in_this_thread());
    ++done;
  };
  client.async_next_event(asio::bind_executor(other_executor, note));
  other.poll();
  EXPECT_FALSE(other.stopped()) << "the operation is work of the handler's executor";
  const runner running{io_};
  const auto handle = client.keep_open(request_for_8080);
  ASSERT_TRUE(run_until(other, [&] { return done == 1; }));
  client.async_discover(protocol_filter::pcp, asio::bind_executor(other_executor, note));
  ASSERT_TRUE(run_until(other, [&] { return done == 2; }));
}

TEST_F(completion_token_test, the_client_may_live_on_a_strand) {
  const auto strand = asio::make_strand(io_);
  client client{strand, router_.options()};
  EXPECT_EQ(client.get_executor(), asio::any_io_executor{strand});
  bool done = false;
  client.async_map(request_for_8080, [&](error_code error, const mapping& handle) {
    EXPECT_FALSE(error);
    EXPECT_TRUE(handle);
    EXPECT_TRUE(strand.running_in_this_thread());
    done = true;
  });
  ASSERT_TRUE(run_until(io_, [&] { return done; }));
}

/// Counts what it gives.
template <class T>
struct counting_allocator {
  using value_type = T;

  explicit counting_allocator(std::shared_ptr<std::size_t> counter) : given(std::move(counter)) {}
  template <class U>
  explicit(false) counting_allocator(const counting_allocator<U>& other) : given(other.given) {}

  T* allocate(std::size_t count) {
    ++*given;
    return static_cast<T*>(::operator new(count * sizeof(T)));
  }
  void deallocate(T* memory, std::size_t /*count*/) { ::operator delete(memory); }

  template <class U>
  bool operator==(const counting_allocator<U>& other) const {
    return given == other.given;
  }

  std::shared_ptr<std::size_t> given;
};

TEST_F(completion_token_test, handlers_bring_their_own_allocator) {
  client client{io_, router_.options()};
  mapping handle;
  int done = 0;
  int started = 0;
  const auto begins = [&](auto start) {
    const auto given = std::make_shared<std::size_t>(0);
    start([&, given](auto handler) {
      return asio::bind_allocator(counting_allocator<void*>{given}, std::move(handler));
    });
    EXPECT_GT(*given, 0U) << started;
    ++started;
  };
  const auto count = [&](auto&&...) { ++done; };
  begins([&](auto with) {
    client.async_map(request_for_8080, with([&](error_code, mapping opened) {
                       handle = std::move(opened);
                       ++done;
                     }));
  });
  ASSERT_TRUE(run_until(io_, [&] { return done == 1; }));
  begins([&](auto with) { handle.async_next_event(with(count)); });
  begins([&](auto with) { client.async_next_event(with(count)); });
  begins([&](auto with) { std::move(handle).async_release(with(count)); });
  begins([&](auto with) { client.async_discover(protocol_filter::pcp, with(count)); });
  begins([&](auto with) { client.async_close(with(count)); });
  ASSERT_TRUE(run_until(io_, [&] { return done == 6; }));
}

TEST_F(completion_token_test, handlers_may_be_move_only) {
  client client{io_, router_.options()};
  bool done = false;
  client.async_map(request_for_8080, [&done, own = std::make_unique<int>(3)](
                                         error_code, const mapping&) mutable { done = *own == 3; });
  ASSERT_TRUE(run_until(io_, [&] { return done; }));
}

}  // namespace
}  // namespace damson
