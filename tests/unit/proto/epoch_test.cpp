#include <array>
#include <chrono>
#include <cstdint>
#include <limits>
#include <string_view>

#include <gtest/gtest.h>

#include "proto/epoch.hpp"

namespace damson {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

constexpr time_point start = time_point{} + 1'000s;
constexpr std::uint32_t last_second = std::numeric_limits<std::uint32_t>::max();

struct epoch_case {
  std::string_view what;
  std::uint32_t before;
  milliseconds elapsed;
  std::uint32_t after;
  epoch_verdict expected;
};

constexpr auto valid = epoch_verdict::valid;
constexpr auto restarted = epoch_verdict::restarted;

/// Whether a restart at any moment is seen, where so much time is between the answer with this
/// epoch and the next one. Seconds are whole ones, so the new count may be one more than that.
template <class Epoch>
bool sees_a_restart(std::uint32_t before, std::chrono::seconds elapsed) {
  for (std::uint32_t after = 0; after <= elapsed.count() + 1; ++after) {
    Epoch epoch;
    epoch.observe(before, start);
    if (epoch.observe(after, start + elapsed) != epoch_verdict::restarted) return false;
  }
  return true;
}

template <class Epoch>
void expect_verdict(const epoch_case& c) {
  Epoch epoch;
  EXPECT_EQ(epoch.observe(c.before, start), epoch_verdict::first) << c.what;
  EXPECT_EQ(epoch.observe(c.after, start + c.elapsed), c.expected)
      << c.what << ": " << c.before << " s, after " << c.elapsed.count() << " ms " << c.after
      << " s";
}

// PCP: RFC 6887 section 8.5
// ----------------------------------------------------------------------------------------

constexpr std::array pcp_cases{
    epoch_case{"in step", 100, 0s, 100, valid},
    epoch_case{"in step", 100, 10s, 110, valid},
    epoch_case{"in step for a day", 100, 86'400s, 86'500, valid},

    // going back
    epoch_case{"a fall of 1 s is reordering", 100, 0s, 99, valid},
    epoch_case{"a fall of 2 s is not", 100, 0s, 98, restarted},
    epoch_case{"back to zero", 100, 10s, 0, restarted},
    epoch_case{"a fall of 1 s within a second", 100, 999ms, 99, valid},
    epoch_case{"a fall of 1 s within 1 s is within the tolerance", 100, 1s, 99, valid},
    epoch_case{"a fall of 1 s within 2 s is a clock that stands still", 100, 2s, 99, restarted},

    // previous 0
    epoch_case{"0 and again 0", 0, 0s, 0, valid},
    epoch_case{"0 and then on", 0, 5s, 5, valid},
    epoch_case{"1 and then 0", 1, 0s, 0, valid},
    epoch_case{"2 and then 0", 2, 0s, 0, restarted},

    // the server's clock ahead: client + 2 < server - server / 16
    epoch_case{"2 s ahead", 100, 10s, 112, valid},
    // 13 - 0 = 13 > 12
    epoch_case{"3 s ahead", 100, 10s, 113, restarted},
    // 160 - 10 = 150 = 148 + 2
    epoch_case{"a fifteenth ahead", 1'000, 148s, 1'160, valid},
    // 161 - 10 = 151 > 150
    epoch_case{"more than a fifteenth ahead", 1'000, 148s, 1'161, restarted},
    // 240 - 15 = 225 > 222 + 2
    epoch_case{"just more than a fifteenth ahead", 1'000, 222s, 1'240, restarted},
    epoch_case{"a jump from nothing", 0, 0s, last_second, restarted},

    // the server's clock behind: server + 2 < client - client / 16
    epoch_case{"2 s behind", 100, 10s, 108, valid},
    // 7 + 2 = 9 < 10
    epoch_case{"3 s behind", 100, 10s, 107, restarted},
    // 160 - 10 = 150 = 148 + 2
    epoch_case{"a sixteenth behind", 1'000, 160s, 1'148, valid},
    // 160 - 10 = 150 > 147 + 2
    epoch_case{"more than a sixteenth behind", 1'000, 160s, 1'147, restarted},
    epoch_case{"a reboot that ends up higher", 50, 3'600s, 300, restarted},

    // our seconds are whole ones
    epoch_case{"9.999 s count as 9", 100, 9'999ms, 106, restarted},
    epoch_case{"9.999 s count as 9", 100, 9'999ms, 107, valid},
    epoch_case{"half a year asleep, in step", 7, 15'768'000s, 15'768'007, valid},
    epoch_case{"the highest numbers", last_second - 10, 10s, last_second, valid},
    epoch_case{"past the highest number", last_second, 10s, 9, restarted},
};

TEST(pcp_epoch, rule_of_rfc_6887_section_8_5) {
  for (const epoch_case& c : pcp_cases) expect_verdict<pcp_epoch>(c);
}

TEST(pcp_epoch, compares_with_the_last_answer_whatever_it_was) {
  pcp_epoch epoch;
  EXPECT_EQ(epoch.observe(100, start), epoch_verdict::first);
  EXPECT_EQ(epoch.observe(0, start + 10s), restarted);
  // The restart is told once; from then on the new count is the right one.
  EXPECT_EQ(epoch.observe(5, start + 15s), valid);
  // So is one that was only just tolerated: falling by 1 s each time is never more than that.
  EXPECT_EQ(epoch.observe(4, start + 15s), valid);
  EXPECT_EQ(epoch.observe(3, start + 15s), valid);
  EXPECT_EQ(epoch.observe(1, start + 15s), restarted);
}

TEST(pcp_epoch, shows_any_restart_of_a_server_that_had_counted_to_five) {
  for (auto elapsed = 0s; elapsed <= 31s; ++elapsed) {
    EXPECT_TRUE(sees_a_restart<pcp_epoch>(5, elapsed)) << elapsed.count();
  }
  EXPECT_FALSE(sees_a_restart<pcp_epoch>(5, 32s));
  EXPECT_FALSE(sees_a_restart<pcp_epoch>(3, 1s));
}

TEST(pcp_epoch, two_clocks_that_differ_by_little_never_fall_out) {
  pcp_epoch epoch;
  // A server that loses 5 % asked every 300 s for a day, and one that gains as much.
  for (std::uint32_t i = 0; i < 288; ++i) {
    EXPECT_NE(epoch.observe(i * 285, start + i * 300s), restarted) << i;
  }
  epoch.forget();
  for (std::uint32_t i = 0; i < 288; ++i) {
    EXPECT_NE(epoch.observe(i * 315, start + (1'000 + i) * 300s), restarted) << i;
  }
}

TEST(pcp_epoch, has_nothing_to_compare_with_after_forgetting) {
  pcp_epoch epoch;
  EXPECT_EQ(epoch.observe(1'000, start), epoch_verdict::first);
  epoch.forget();
  EXPECT_EQ(epoch.observe(1, start + 1s), epoch_verdict::first);
  EXPECT_EQ(epoch.observe(2, start + 2s), valid);
}

// NAT-PMP: RFC 6886 section 3.6
// ----------------------------------------------------------------------------------------

constexpr std::array natpmp_cases{
    epoch_case{"in step", 100, 0s, 100, valid},
    epoch_case{"in step", 100, 10s, 110, valid},
    epoch_case{"long silence, in step (Q-59)", 100, 3'600s, 3'700, valid},

    // expected: 100 + 7/8 * 80 = 170
    epoch_case{"an eighth slow", 100, 80s, 170, valid},
    epoch_case{"an eighth slow and 2 s", 100, 80s, 168, valid},
    epoch_case{"an eighth slow and 3 s", 100, 80s, 167, restarted},

    epoch_case{"a fall of 2 s is tolerated", 100, 0s, 98, valid},
    epoch_case{"a fall of 3 s is not", 100, 0s, 97, restarted},
    epoch_case{"back to zero", 100, 10s, 0, restarted},
    epoch_case{"0 and again 0", 0, 0s, 0, valid},
    // expected: 0 + 7/8 * 3 = 2.6, counted as 2
    epoch_case{"0 and still 0", 0, 3s, 0, valid},
    // expected: 0 + 7/8 * 4 = 3.5, counted as 3
    epoch_case{"0 and standing still", 0, 4s, 0, restarted},
    // counted as 3 s
    epoch_case{"our seconds are whole ones", 0, 3'999ms, 0, valid},

    epoch_case{"too fast is no restart", 100, 10s, 5'000, valid},
    epoch_case{"the highest numbers", last_second, 0s, last_second, valid},
    epoch_case{"past the highest number", last_second, 10s, 9, restarted},
    epoch_case{"a reboot that ends up higher", 50, 3'600s, 300, restarted},
};

TEST(natpmp_epoch, rule_of_rfc_6886_section_3_6) {
  for (const epoch_case& c : natpmp_cases) expect_verdict<natpmp_epoch>(c);
}

TEST(natpmp_epoch, compares_with_the_last_answer_whatever_it_was) {
  natpmp_epoch epoch;
  EXPECT_EQ(epoch.observe(100, start), epoch_verdict::first);
  EXPECT_EQ(epoch.observe(0, start + 10s), restarted);
  EXPECT_EQ(epoch.observe(8, start + 18s), valid);
  EXPECT_EQ(epoch.observe(6, start + 18s), valid);
  EXPECT_EQ(epoch.observe(4, start + 18s), valid);
  EXPECT_EQ(epoch.observe(1, start + 18s), restarted);
}

TEST(natpmp_epoch, shows_any_restart_of_a_server_that_had_counted_to_five) {
  for (auto elapsed = 0s; elapsed <= 8s; ++elapsed) {
    EXPECT_TRUE(sees_a_restart<natpmp_epoch>(5, elapsed)) << elapsed.count();
  }
  EXPECT_FALSE(sees_a_restart<natpmp_epoch>(5, 9s));
  EXPECT_FALSE(sees_a_restart<natpmp_epoch>(4, 1s));
}

TEST(natpmp_epoch, has_nothing_to_compare_with_after_forgetting) {
  natpmp_epoch epoch;
  EXPECT_EQ(epoch.observe(1'000, start), epoch_verdict::first);
  epoch.forget();
  EXPECT_EQ(epoch.observe(1, start + 1s), epoch_verdict::first);
}

}  // namespace
}  // namespace damson
