// Ports that are kept open with a callback for where they are outside.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <optional>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_future.hpp>

#include "client_fixture.hpp"
#include "driver/endpoint_watch.hpp"
#include "new_network.hpp"

namespace damson {
namespace {

namespace asio = boost::asio;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

const endpoint home{router_public_address, 8080};
constexpr endpoint nowhere{};

class endpoint_watch_test : public testing::Test {
 protected:
  void note(const endpoint& external) { watch_->note(external, io_.get_executor()); }
  void run() {
    io_.restart();
    io_.poll();
  }

  asio::io_context io_;
  std::vector<endpoint> told_;
  std::shared_ptr<detail::endpoint_watch> watch_ = std::make_shared<detail::endpoint_watch>(
      [this](const endpoint& external) { told_.push_back(external); });
};

TEST_F(endpoint_watch_test, tells_what_differs_from_what_was_told_last) {
  note(nowhere);
  run();
  EXPECT_THAT(told_, IsEmpty()) << "there was none before";
  note(home);
  EXPECT_THAT(told_, IsEmpty()) << "never from within";
  run();
  note(home);
  run();
  note({router_public_address, 9090});
  run();
  note(nowhere);
  run();
  note(nowhere);
  note(nowhere);
  run();
  EXPECT_THAT(told_, ElementsAre(home, endpoint{router_public_address, 9090}, nowhere));
}

TEST_F(endpoint_watch_test, tells_what_is_true_in_the_end) {
  note(home);
  note(nowhere);
  note({router_public_address, 9090});
  run();
  EXPECT_THAT(told_, ElementsAre(endpoint{router_public_address, 9090}));
  note(nowhere);
  note({router_public_address, 9090});
  run();
  EXPECT_THAT(told_, SizeIs(1)) << "a loss that was over before it could be told";
}

TEST_F(endpoint_watch_test, begins_no_call_after_the_end) {
  note(home);
  watch_->end();
  run();
  note(nowhere);
  run();
  EXPECT_THAT(told_, IsEmpty());
}

TEST_F(endpoint_watch_test, goes_on_after_an_exception) {
  bool throws = true;
  watch_ = std::make_shared<detail::endpoint_watch>([&](const endpoint& external) {
    told_.push_back(external);
    if (std::exchange(throws, false)) {
      note(nowhere);
      throw std::runtime_error{"not today"};
    }
  });
  note(home);
  EXPECT_THROW(run(), std::runtime_error);
  run();
  EXPECT_THAT(told_, ElementsAre(home, nowhere));
}

TEST_F(endpoint_watch_test, makes_one_call_at_a_time) {
  constexpr std::uint16_t changes = 2'000;
  asio::thread_pool pool{3};
  std::atomic<int> under_way{0};
  std::atomic<int> overlaps{0};
  std::atomic<std::uint16_t> last{0};
  const auto watch = std::make_shared<detail::endpoint_watch>([&](const endpoint& external) {
    if (++under_way > 1) ++overlaps;
    last = external.port;
    --under_way;
  });
  for (std::uint16_t port = 1; port <= changes; ++port) {
    watch->note(endpoint{router_public_address, port}, pool.get_executor());
  }
  EXPECT_TRUE(wait_until([&] { return last == changes; }));
  pool.join();
  EXPECT_EQ(overlaps, 0);
}

class endpoint_handler_test : public client_fixture {
 protected:
  endpoint_handler collect() {
    return [this](const endpoint& external) { told_.push_back(external); };
  }

  std::vector<endpoint> told_;
};

TEST_F(endpoint_handler_test, is_called_when_the_port_is_open_and_when_it_is_lost) {
  const test_router router;
  client client{*io_, router.options()};
  const auto handle = client.keep_open(request_for_8080, collect());
  EXPECT_TRUE(handle);
  ASSERT_TRUE(run_until([&] { return !told_.empty(); }));
  EXPECT_THAT(told_, ElementsAre(home));
  EXPECT_EQ(handle.info().external, home);
  client.async_close([](error_code) {});
  ASSERT_TRUE(run_out());
  EXPECT_THAT(told_, ElementsAre(home, nowhere));
}

TEST_F(endpoint_handler_test, hears_of_another_address) {
  // In a network of its own, since announcements go to all programs of a host.
  DAMSON_RUN_IN_NEW_NETWORK([this] {
    sim::profile how;
    how.epoch_start = 1'000;  // so that it is seen to fall
    test_router router{how};
    client client{*io_, router.options()};
    const auto handle = client.keep_open(request_for_8080, collect());
    ASSERT_TRUE(run_until([&] { return !told_.empty(); }));
    const ip_address other{ip_address::v4_bytes{1, 2, 3, 5}};
    router.change([&](sim::gateway& model, time_point now) {
      model.behaviour().epoch_start = 0;
      model.set_public_address(now, other);
    });
    const endpoint moved{other, 8080};
    ASSERT_TRUE(run_until([&] { return told_.back() == moved; }));
    EXPECT_EQ(told_.front(), home);
  });
}

TEST_F(endpoint_handler_test, is_not_called_after_the_handle_is_gone) {
  test_router router;
  client client{*io_, router.options()};
  const std::vector<void (*)(mapping&)> ways{
      [](mapping& handle) { handle = mapping{}; },
      [](mapping& handle) { handle.detach(); },
      [](mapping& handle) { std::move(handle).async_release([](error_code, removal) {}); },
  };
  std::uint16_t port = 1000;
  for (const auto end : ways) {
    told_.clear();
    auto handle = client.keep_open(pcp_for(port++), collect());
    ASSERT_TRUE(run_until([&] { return !told_.empty(); }));
    end(handle);
    ASSERT_TRUE(run_out());
    EXPECT_THAT(told_, SizeIs(1));
  }
  // What is on its way to be called is not called either.
  told_.clear();
  auto handle = client.keep_open(pcp_for(port), collect());
  ASSERT_TRUE(run_until([&] { return handle.status() == mapping_status::open; }));
  handle = mapping{};
  ASSERT_TRUE(run_out());
  EXPECT_THAT(told_, IsEmpty());
}

TEST_F(endpoint_handler_test, may_end_its_own_handle) {
  test_router router;
  client client{*io_, router.options()};
  mapping handle;
  handle = client.keep_open(pcp_for(8080), [&](const endpoint& external) {
    told_.push_back(external);
    handle = mapping{};
  });
  ASSERT_TRUE(run_out());
  EXPECT_THAT(told_, ElementsAre(home));
  EXPECT_THAT(router.rules(), IsEmpty());
}

TEST_F(endpoint_handler_test, has_the_events_for_itself) {
  const test_router router;
  client client{*io_, router.options()};
  std::vector<event_kind> others;
  client.async_next_event(
      [&](error_code, const mapping_event& event) { others.push_back(event.kind); });
  auto handle = client.keep_open(pcp_for(8080), collect());
  const auto own = next_event(handle);
  EXPECT_TRUE(own.error == errc::busy);
  ASSERT_TRUE(run_until([&] { return !told_.empty(); }));
  EXPECT_THAT(others, IsEmpty());
  handle = mapping{};
  ASSERT_TRUE(run_until([&] { return !others.empty(); }));
  EXPECT_THAT(others, ElementsAre(event_kind::removed)) << "but the end is told";
}

TEST_F(endpoint_handler_test, runs_on_the_executor_of_the_client) {
  const test_router router;
  const auto strand = asio::make_strand(*io_);
  client client{strand, router.options()};
  bool called = false;
  const auto handle = client.keep_open(pcp_for(8080), [&](const endpoint&) {
    EXPECT_TRUE(strand.running_in_this_thread());
    called = true;
  });
  ASSERT_TRUE(run_until([&] { return called; }));
}

TEST_F(endpoint_handler_test, may_throw_out_of_run) {
  const test_router router;
  client client{*io_, router.options()};
  const auto handle = client.keep_open(
      pcp_for(8080), [](const endpoint&) { throw std::runtime_error{"not today"}; });
  EXPECT_THROW(run_until([] { return false; }), std::runtime_error);
  EXPECT_EQ(handle.status(), mapping_status::open);
}

TEST_F(endpoint_handler_test, is_called_on_a_thread_of_the_client) {
  const test_router router;
  client client{router.options()};
  std::promise<endpoint> told;
  auto handle =
      client.keep_open(pcp_for(8080), [&](const endpoint& external) { told.set_value(external); });
  EXPECT_EQ(told.get_future().get(), home);
  std::move(handle).async_release(asio::use_future).get();
}

}  // namespace
}  // namespace damson
