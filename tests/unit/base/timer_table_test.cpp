#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.hpp"
#include "base/timer_table.hpp"

namespace damson {
namespace {

using namespace std::chrono_literals;

constexpr time_point start{};

TEST(timer_table, is_empty_at_first) {
  timer_table<int> timers;
  EXPECT_EQ(timers.size(), 0U);
  EXPECT_EQ(timers.next(), std::nullopt);
  EXPECT_EQ(timers.take_due(start + 100h), std::nullopt);
  EXPECT_FALSE(timers.is_set(1));
  EXPECT_EQ(timers.at(1), std::nullopt);
  timers.cancel(1);
  EXPECT_EQ(timers.size(), 0U);
}

TEST(timer_table, gives_what_is_due_oldest_first) {
  timer_table<std::string> timers;
  timers.set("late", start + 3s);
  timers.set("early", start + 1s);
  timers.set("middle", start + 2s);
  EXPECT_EQ(timers.next(), start + 1s);
  EXPECT_EQ(timers.take_due(start + 999ms), std::nullopt);
  EXPECT_EQ(timers.take_due(start + 2s), "early");
  EXPECT_EQ(timers.take_due(start + 2s), "middle");
  EXPECT_EQ(timers.take_due(start + 2s), std::nullopt);
  EXPECT_EQ(timers.next(), start + 3s);
}

TEST(timer_table, of_equal_times_the_least_key_is_first) {
  timer_table<int> timers;
  for (const int key : {3, 1, 2}) timers.set(key, start);
  EXPECT_EQ(timers.take_due(start), 1);
  EXPECT_EQ(timers.take_due(start), 2);
  EXPECT_EQ(timers.take_due(start), 3);
}

TEST(timer_table, a_timer_has_one_time_only) {
  timer_table<int> timers;
  timers.set(1, start + 5s);
  timers.set(1, start + 9s);
  EXPECT_EQ(timers.size(), 1U);
  EXPECT_EQ(timers.at(1), start + 9s);
  EXPECT_EQ(timers.take_due(start + 5s), std::nullopt);
  timers.set(1, start + 2s);
  EXPECT_EQ(timers.next(), start + 2s);
  EXPECT_EQ(timers.take_due(start + 2s), 1);
  EXPECT_FALSE(timers.is_set(1));
}

TEST(timer_table, a_cancelled_timer_never_comes) {
  timer_table<int> timers;
  timers.set(1, start);
  timers.set(2, start + 1s);
  timers.cancel(1);
  EXPECT_FALSE(timers.is_set(1));
  EXPECT_EQ(timers.next(), start + 1s);
  EXPECT_EQ(timers.take_due(start + 1s), 2);
  EXPECT_EQ(timers.size(), 0U);
}

/// The same in the plainest way.
class naive_table {
 public:
  void set(int key, time_point at) {
    cancel(key);
    timers_.push_back({at, key});
  }
  void cancel(int key) {
    std::erase_if(timers_, [&](const entry& e) { return e.key == key; });
  }
  std::optional<time_point> next() const {
    if (timers_.empty()) return std::nullopt;
    return std::ranges::min(timers_).at;
  }
  std::optional<int> take_due(time_point now) {
    if (timers_.empty() || std::ranges::min(timers_).at > now) return std::nullopt;
    const int key = std::ranges::min(timers_).key;
    cancel(key);
    return key;
  }
  std::optional<time_point> at(int key) const {
    const auto found = std::ranges::find(timers_, key, &entry::key);
    if (found == timers_.end()) return std::nullopt;
    return found->at;
  }
  std::size_t size() const { return timers_.size(); }

 private:
  struct entry {
    time_point at;
    int key;
    auto operator<=>(const entry&) const = default;
  };
  std::vector<entry> timers_;
};

TEST(timer_table, does_what_a_plain_list_does) {
  random_source random{std::array<std::uint64_t, 4>{7}};
  timer_table<int> timers;
  naive_table model;
  time_point now = start;
  for (int step = 0; step < 50'000; ++step) {
    const int key = static_cast<int>(random.next() % 40);
    switch (random.next() % 4) {
      case 0:
      case 1: {
        const time_point at = now + std::chrono::milliseconds(random.next() % 200);
        timers.set(key, at);
        model.set(key, at);
        break;
      }
      case 2:
        timers.cancel(key);
        model.cancel(key);
        break;
      default:
        now += std::chrono::milliseconds(random.next() % 20);
        EXPECT_EQ(timers.take_due(now), model.take_due(now));
        break;
    }
    ASSERT_EQ(timers.next(), model.next());
    ASSERT_EQ(timers.size(), model.size());
    ASSERT_EQ(timers.at(key), model.at(key));
    ASSERT_EQ(timers.is_set(key), model.at(key).has_value());
  }
}

}  // namespace
}  // namespace damson
