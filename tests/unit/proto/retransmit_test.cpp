#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.hpp"
#include "proto/retransmit.hpp"

namespace damson {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

constexpr time_point start = time_point{} + 50s;

random_source make_random(std::uint64_t seed = 1) {
  return random_source{std::array<std::uint64_t, 4>{seed, 0, 0, 0}};
}

/// Makes every try in time and says when they were, from the start.
std::vector<milliseconds> all_tries(retransmit& tries, random_source& random) {
  std::vector<milliseconds> out;
  while (const auto at = tries.next_try()) {
    out.push_back(std::chrono::duration_cast<milliseconds>(*at - start));
    tries.tried(*at, random);
  }
  return out;
}

TEST(retransmit, first_contact_is_dense_and_gives_up_after_4_s) {
  auto random = make_random();
  retransmit tries{schedules::first_contact, start};
  EXPECT_EQ(tries.gives_up_at(), start + 4s);
  EXPECT_EQ(tries.tries(), 0U);
  EXPECT_FALSE(tries.exhausted());
  EXPECT_EQ(all_tries(tries, random),
            (std::vector<milliseconds>{0ms, 250ms, 750ms, 1750ms, 3750ms}));
  EXPECT_EQ(tries.tries(), 5U);
  EXPECT_TRUE(tries.exhausted());
  EXPECT_EQ(tries.gives_up_at(), start + 4s);
}

TEST(retransmit, release_keeps_to_its_bound) {
  auto random = make_random();
  retransmit tries{schedules::release, start};
  EXPECT_EQ(all_tries(tries, random), (std::vector<milliseconds>{0ms, 250ms, 750ms}));
  EXPECT_EQ(tries.gives_up_at(), start + 2s);
}

TEST(retransmit, renewal_takes_its_time) {
  auto random = make_random();
  retransmit tries{schedules::renewal, start};
  EXPECT_EQ(all_tries(tries, random), (std::vector<milliseconds>{0s, 3s, 9s}));
  EXPECT_EQ(tries.gives_up_at(), start + 12s);
}

TEST(retransmit, waits_for_a_try_to_be_made) {
  const retransmit tries{schedules::first_contact, start};
  EXPECT_EQ(tries.next_try(), start);
  EXPECT_EQ(tries.next_try(), start);
  EXPECT_EQ(tries.tries(), 0U);
}

TEST(retransmit, a_late_try_moves_the_next_ones_instead_of_making_a_burst) {
  auto random = make_random();
  retransmit tries{schedules::first_contact, start};
  tries.tried(start + 5ms, random);
  EXPECT_EQ(tries.next_try(), start + 255ms);
  tries.tried(start + 1'000ms, random);
  EXPECT_EQ(tries.next_try(), start + 1'500ms);
  tries.tried(start + 1'500ms, random);
  EXPECT_EQ(tries.next_try(), start + 2'500ms);
  tries.tried(start + 2'500ms, random);
  // It would be at 4.5 s, when nobody waits any more.
  EXPECT_EQ(tries.next_try(), std::nullopt);
  EXPECT_TRUE(tries.exhausted());
  EXPECT_EQ(tries.gives_up_at(), start + 4s);
}

TEST(retransmit, no_try_is_made_at_the_end_itself) {
  auto random = make_random();
  retransmit tries{schedules::first_contact, start};
  for (const milliseconds at : {0ms, 250ms, 750ms, 1'999ms}) tries.tried(start + at, random);
  EXPECT_EQ(tries.next_try(), start + 3'999ms);

  retransmit late{schedules::first_contact, start};
  for (const milliseconds at : {0ms, 250ms, 750ms, 2'000ms}) late.tried(start + at, random);
  EXPECT_EQ(late.next_try(), std::nullopt);
}

TEST(retransmit, a_host_that_slept_makes_no_try_after_the_end) {
  auto random = make_random();
  retransmit tries{schedules::first_contact, start};
  tries.tried(start, random);
  tries.tried(start + 1h, random);
  EXPECT_EQ(tries.next_try(), std::nullopt);
}

TEST(retransmit, an_extension_goes_on_with_the_schedule_of_the_rfc) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    auto random = make_random(seed);
    retransmit tries{schedules::first_contact, start};
    tries.extend(start + 10'000s);
    const std::vector<milliseconds> at = all_tries(tries, random);
    ASSERT_GT(at.size(), 16U);
    EXPECT_EQ((std::vector(at.begin(), at.begin() + 5)),
              (std::vector<milliseconds>{0ms, 250ms, 750ms, 1750ms, 3750ms}));
    // IRT = 3 s after the last of them, a tenth to either side.
    std::chrono::duration<double> gap = at[5] - at[4];
    EXPECT_GE(gap, 2.699s);
    EXPECT_LE(gap, 3.301s);
    for (std::size_t i = 6; i < at.size(); ++i) {
      // Twice the gap before, to MRT = 1024 s; the milliseconds are rounded.
      const std::chrono::duration<double> middle =
          std::min<std::chrono::duration<double>>(2 * gap, 1024s);
      gap = at[i] - at[i - 1];
      EXPECT_GE(gap, 0.9 * middle - 3ms) << i;
      EXPECT_LE(gap, 1.1 * middle + 3ms) << i;
    }
  }
}

TEST(retransmit, gaps_of_the_rfc_are_random_within_a_tenth) {
  std::chrono::duration<double> least = 1h;
  std::chrono::duration<double> most = 0s;
  for (std::uint64_t seed = 1; seed <= 500; ++seed) {
    auto random = make_random(seed);
    retransmit tries{schedules::release, start};
    tries.extend(start + 60s);
    const std::vector<milliseconds> at = all_tries(tries, random);
    ASSERT_GT(at.size(), 3U);
    least = std::min<std::chrono::duration<double>>(least, at[3] - at[2]);
    most = std::max<std::chrono::duration<double>>(most, at[3] - at[2]);
  }
  EXPECT_GE(least, 2.699s);
  EXPECT_LT(least, 2.71s);
  EXPECT_LE(most, 3.301s);
  EXPECT_GT(most, 3.29s);
}

TEST(retransmit, an_extension_may_come_after_the_last_try) {
  auto random = make_random();
  retransmit tries{schedules::first_contact, start};
  EXPECT_EQ(all_tries(tries, random).size(), 5U);
  EXPECT_TRUE(tries.exhausted());
  tries.extend(start + 10s);
  ASSERT_TRUE(tries.next_try());
  EXPECT_GE(*tries.next_try(), start + 3'750ms + 2'700ms);
  EXPECT_LE(*tries.next_try(), start + 3'750ms + 3'300ms);
  EXPECT_EQ(tries.gives_up_at(), start + 10s);
  // The one after it would be 5.4 s later or more.
  EXPECT_EQ(all_tries(tries, random).size(), 1U);
}

TEST(retransmit, an_extension_never_shortens_the_wait) {
  auto random = make_random();
  retransmit tries{schedules::first_contact, start};
  tries.extend(start + 3s);
  EXPECT_EQ(tries.gives_up_at(), start + 4s);
  tries.extend(start + 4s);
  EXPECT_EQ(all_tries(tries, random).size(), 5U);
  EXPECT_EQ(tries.gives_up_at(), start + 4s);
}

}  // namespace
}  // namespace damson
