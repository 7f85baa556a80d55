#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include <boost/asio/io_context.hpp>

#include <damson/client.hpp>

#include "test_router.hpp"
#include "waiting.hpp"

struct map_result {
  damson::error_code error;
  damson::mapping mapping;
};

struct event_result {
  damson::error_code error;
  damson::mapping_event event;
};

/// Without a search, which takes 4 s to find nothing and, on the loopback interface that all test
/// programs share, may find a router of another one.
inline constexpr damson::map_request pcp_for(std::uint16_t port) {
  return {.internal_port = port, .protocols = damson::protocol_filter::pcp};
}

/// A router with nothing behind its port, for now.
inline damson::sim::profile closed_router() {
  damson::sim::profile how;
  how.speaks_pcp = how.speaks_nat_pmp = false;
  return how;
}

/// Has a router that answered so far say nothing any more.
inline void fall_silent(test_router& router) {
  router.change([](damson::sim::gateway& model, damson::time_point) {
    auto& how = model.behaviour();
    how.speaks_pcp = how.speaks_nat_pmp = how.closed_port_refuses = false;
  });
}

/// Waits for what happens in another thread.
template <class Condition>
bool wait_until(Condition holds) {
  const auto end = std::chrono::steady_clock::now() + patience;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

/// Clients on an io_context that the test runs.
class client_fixture : public testing::Test {
 protected:
  template <class Condition>
  bool run_until(Condition holds) {
    return ::run_until(*io_, std::move(holds));
  }

  /// Waits for the first result of a request.
  map_result map(damson::client& by, const damson::map_request& request = request_for_8080) {
    std::optional<map_result> result;
    by.async_map(request, [&](damson::error_code error, damson::mapping handle) {
      result.emplace(error, std::move(handle));
    });
    EXPECT_TRUE(run_until([&] { return result.has_value(); }));
    return result ? std::move(*result) : map_result{nothing_came(), {}};
  }

  /// Waits for the next event of a mapping or of any mapping of a client.
  template <class Source>
  event_result next_event(Source& of) {
    std::optional<event_result> result;
    of.async_next_event([&](damson::error_code error, damson::mapping_event event) {
      result.emplace(error, std::move(event));
    });
    EXPECT_TRUE(run_until([&] { return result.has_value(); }));
    return result.value_or(event_result{nothing_came(), {}});
  }

  static damson::error_code nothing_came() { return make_error_code(damson::errc::no_answer); }

  /// Whether anything keeps the io_context running.
  bool has_work() {
    io_->restart();
    io_->poll();
    return !io_->stopped();
  }

  /// Runs until nothing keeps the io_context running. False: it never came to an end.
  bool run_out() {
    io_->restart();
    io_->run_for(patience);
    return io_->stopped();
  }

  std::unique_ptr<boost::asio::io_context> io_ = std::make_unique<boost::asio::io_context>();
};
