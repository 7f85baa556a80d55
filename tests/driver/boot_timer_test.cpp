#include "driver/boot_timer.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>

#include <damson/network.hpp>

#include "waiting.hpp"

namespace damson::driver {
namespace {

using namespace std::chrono_literals;
using boost::system::error_code;

class boot_timer_test : public testing::Test {
 protected:
  /// The result of a wait, and when it came.
  struct outcome {
    std::optional<error_code> result;
    time_point at;
  };

  void wait(outcome& into) {
    timer_.async_wait(
        [&into](const error_code& result) { into = {.result = result, .at = boot_time_now()}; });
  }

  bool run_until_told(const outcome& which) {
    return run_until(io_, [&] { return which.result.has_value(); });
  }

  boost::asio::io_context io_;
  boot_timer timer_{io_.get_executor()};
};

TEST_F(boot_timer_test, comes_at_its_time_and_not_before) {
  outcome told;
  for (const auto pause : {50ms, 1ms, 20ms}) {
    const auto when = boot_time_now() + pause;
    told = {};
    timer_.expires_at(when);
    wait(told);
    ASSERT_TRUE(run_until_told(told));
    EXPECT_FALSE(*told.result);
    EXPECT_GE(told.at, when);
  }
}

TEST_F(boot_timer_test, comes_at_once_where_the_time_is_past) {
  for (const auto when : {time_point{}, boot_time_now() - 1h, boot_time_now()}) {
    outcome told;
    timer_.expires_at(when);
    wait(told);
    ASSERT_TRUE(run_until_told(told));
    EXPECT_FALSE(*told.result);
  }
}

TEST_F(boot_timer_test, is_moved_and_cancelled) {
  outcome first;
  outcome second;
  outcome third;
  timer_.expires_at(boot_time_now() + 24h * 365);
  wait(first);
  timer_.expires_at(boot_time_now() + 1ms);
  wait(second);
  ASSERT_TRUE(run_until_told(second));
  EXPECT_FALSE(*second.result);
  EXPECT_EQ(first.result, boost::asio::error::operation_aborted);

  timer_.expires_at(boot_time_now() + 1h);
  wait(third);
  timer_.cancel();
  ASSERT_TRUE(run_until_told(third));
  EXPECT_EQ(third.result, boost::asio::error::operation_aborted);
  io_.restart();
  EXPECT_EQ(io_.poll(), 0U);
  EXPECT_TRUE(io_.stopped());
}

/// A test cannot suspend the host. That the kernel keeps the timer by the clock that counts on
/// meanwhile can be read.
TEST_F(boot_timer_test, runs_on_the_clock_that_counts_while_the_host_sleeps) {
  bool found = false;
  for (const auto& each : std::filesystem::directory_iterator{"/proc/self/fdinfo"}) {
    std::ifstream file{each.path()};
    for (std::string line; std::getline(file, line);)
      found = found || line == "clockid: 7";  // CLOCK_BOOTTIME; Asio's own have 1
  }
  EXPECT_TRUE(found);
}

}  // namespace
}  // namespace damson::driver
