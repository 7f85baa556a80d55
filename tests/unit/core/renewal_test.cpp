#include "core/renewal.hpp"

#include <array>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using damson::random_source;
using damson::time_point;
using damson::core::renewal;
using damson::core::scheduled_lifetime;

constexpr std::array<std::uint64_t, 4> seed{1, 2, 3, 4};
constexpr time_point start{1000s};

TEST(renewal, first_points_are_spread_between_a_half_and_five_eighths) {
  random_source random(seed);
  time_point earliest = time_point::max();
  time_point latest = time_point::min();
  for (int i = 0; i < 1000; ++i) {
    const auto at = renewal(start, 7200s).next(start, random);
    ASSERT_TRUE(at);
    earliest = std::min(earliest, *at);
    latest = std::max(latest, *at);
  }
  EXPECT_GE(earliest, start + 3600s);
  EXPECT_LT(earliest, start + 3620s);
  EXPECT_LE(latest, start + 4500s);
  EXPECT_GT(latest, start + 4480s);
}

TEST(renewal, later_points_halve_what_is_left) {
  random_source random(seed);
  renewal lease(start, 7200s);
  const auto first = lease.next(start, random);
  const auto second = lease.next(*first, random);
  const auto third = lease.next(*second, random);
  EXPECT_GE(*second, start + 5400s);
  EXPECT_LE(*second, start + 5850s);
  EXPECT_GE(*third, start + 6300s);
  EXPECT_LE(*third, start + 6525s);
}

TEST(renewal, points_end_before_they_crowd) {
  random_source random(seed);
  renewal lease(start, 7200s);
  time_point last = start;
  int points = 0;
  while (const auto at = lease.next(last, random)) {
    EXPECT_GE(*at - last, 4s);
    EXPECT_LT(*at, lease.lease_end());
    last = *at;
    ++points;
  }
  EXPECT_GE(points, 8);
  EXPECT_LE(points, 12);
}

TEST(renewal, passes_over_points_that_are_gone) {
  random_source random(seed);
  renewal lease(start, 7200s);
  const auto at = lease.next(start + 6000s, random);
  ASSERT_TRUE(at);
  EXPECT_GE(*at, start + 6300s);
  EXPECT_LE(*at, start + 6525s);
  EXPECT_FALSE(lease.next(start + 7199s, random));
}

TEST(renewal, of_a_minute_comes_in_its_second_half) {
  random_source random(seed);
  const auto at = renewal(start, 60s).next(start, random);
  EXPECT_GE(*at, start + 30s);
  EXPECT_LE(*at, start + 38s);
}

TEST(renewal, of_the_shortest_leases_still_comes) {
  for (const auto lifetime : {1s, 2s, 3s, 4s, 5s, 6s}) {
    random_source random(seed);
    renewal lease(start, lifetime);
    const auto at = lease.next(start, random);
    ASSERT_TRUE(at) << lifetime.count();
    EXPECT_GT(*at, start);
    EXPECT_LT(*at, lease.lease_end());
  }
}

TEST(renewal, believes_grants_up_to_a_day) {
  EXPECT_EQ(scheduled_lifetime(7200s), 7200s);
  EXPECT_EQ(scheduled_lifetime(86'400s), 86'400s);
  EXPECT_EQ(scheduled_lifetime(0xffff'ffffs), 86'400s);
  EXPECT_EQ(scheduled_lifetime(0s), 1s);
}

}  // namespace
