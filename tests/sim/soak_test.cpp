// Lives made of seeds: whatever the router and the network do, what must hold holds.

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <future>
#include <set>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "sim/profiles.hpp"
#include "sim/runner/live_bytes.hpp"
#include "sim/soak.hpp"

namespace damson::sim {
namespace {

class soak : public testing::TestWithParam<std::uint64_t> {};

constexpr std::uint64_t seeds_a_test = 100;
/// Of trouble: without this some would live for a year, which takes long in unoptimised builds.
constexpr std::chrono::minutes trouble{30};

TEST_P(soak, holds) {
  const std::uint64_t first = GetParam() * seeds_a_test + 1;
  for (std::uint64_t seed = first; seed < first + seeds_a_test; ++seed) {
    const soak_outcome life = live({.seed = seed, .trouble = trouble, .live_bytes = live_bytes});
    ASSERT_FALSE(life.broken) << "seed " << seed << " (" << life.router << "): " << *life.broken
                              << '\n'
                              << life.last_lines;
  }
}

INSTANTIATE_TEST_SUITE_P(hundreds, soak, testing::Range(std::uint64_t{0}, std::uint64_t{20}));

TEST(soak_trace, is_the_same_for_the_same_seed_and_another_for_another) {
  std::set<std::uint64_t> hashes;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const soak_outcome life = live({.seed = seed, .trouble = trouble});
    EXPECT_EQ(life.trace_hash, live({.seed = seed, .trouble = trouble}).trace_hash) << seed;
    hashes.insert(life.trace_hash);
  }
  EXPECT_EQ(hashes.size(), 20U);
}

TEST(soak_trace, is_the_same_while_others_live_beside) {
  constexpr std::size_t lives = 20;
  const auto live_all = [] {
    std::array<std::uint64_t, lives> hashes{};
    for (std::size_t i = 0; i < lives; ++i) {
      hashes.at(i) = live({.seed = i + 1, .trouble = std::chrono::minutes{10}}).trace_hash;
    }
    return hashes;
  };
  auto beside = std::async(std::launch::async, live_all);
  const auto here = live_all();
  EXPECT_EQ(here, beside.get());
}

TEST(soak_year, holds) {
  const soak_outcome life =
      live({.seed = 1, .trouble = std::chrono::hours{8'766}, .live_bytes = live_bytes});
  EXPECT_FALSE(life.broken) << *life.broken << '\n' << life.last_lines;
  EXPECT_GT(life.simulated, std::chrono::hours{8'766});
}

TEST(soak_trace, ends_in_what_is_shown_of_a_broken_life) {
  const soak_outcome life = live({.seed = 4, .trouble = trouble, .breaks = true});
  ASSERT_TRUE(life.broken);
  EXPECT_EQ(*life.broken, "it was to break");
  EXPECT_FALSE(life.router.empty());
  EXPECT_TRUE(life.transcript.empty()) << "nobody asked for it";
  EXPECT_EQ(std::ranges::count(life.last_lines, '\n'), 50);
  EXPECT_EQ(life.last_lines.find("UNHEARD"), std::string::npos);

  const soak_outcome again =
      live({.seed = 4, .trouble = trouble, .keeps_transcript = true, .breaks = true});
  EXPECT_EQ(again.trace_hash, life.trace_hash);
  EXPECT_EQ(again.last_lines, life.last_lines);
  const std::string last =
      life.last_lines.substr(life.last_lines.rfind('\n', life.last_lines.size() - 2) + 1);
  const auto at = again.transcript.rfind(last);
  ASSERT_NE(at, std::string::npos);
  for (std::size_t line = at + last.size(); line < again.transcript.size();) {
    const std::size_t end = again.transcript.find('\n', line);
    EXPECT_TRUE(again.transcript.substr(0, end).ends_with(" UNHEARD"));
    line = end + 1;
  }
  EXPECT_NE(again.transcript.find("UNHEARD"), std::string::npos) << "another seed is needed here";
}

TEST(soak_trace, of_an_unbroken_life_shows_nothing_unasked) {
  const soak_outcome life = live({.seed = 4, .trouble = trouble});
  EXPECT_FALSE(life.broken);
  EXPECT_GT(life.happenings, 100U);
  EXPECT_TRUE(life.transcript.empty());
  EXPECT_TRUE(life.last_lines.empty());
}

TEST(named_profiles, have_names_of_their_own_and_something_to_say) {
  std::set<std::string_view> names;
  for (const named_profile& each : profiles()) {
    EXPECT_TRUE(names.insert(each.name).second) << each.name;
    EXPECT_FALSE(each.says.empty()) << each.name;
    EXPECT_EQ(find_profile(each.name), &each);
  }
  EXPECT_EQ(find_profile("no such router"), nullptr);
  EXPECT_EQ(profiles().front().name, "strict");
}

/// Every one of them is lived with.
class profile_soak : public testing::TestWithParam<std::string> {};

TEST_P(profile_soak, holds) {
  const named_profile* router = find_profile(GetParam());
  ASSERT_NE(router, nullptr);
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    const soak_outcome life = live({.seed = seed, .trouble = trouble, .router = router});
    ASSERT_FALSE(life.broken) << "seed " << seed << ": " << *life.broken << '\n' << life.last_lines;
  }
}

std::vector<std::string> names_of_profiles() {
  std::vector<std::string> out;
  for (const named_profile& each : profiles()) out.emplace_back(each.name);
  return out;
}

INSTANTIATE_TEST_SUITE_P(each, profile_soak, testing::ValuesIn(names_of_profiles()),
                         [](const testing::TestParamInfo<std::string>& tested) {
                           std::string name = tested.param;
                           for (char& letter : name) letter = letter == '-' ? '_' : letter;
                           return name;
                         });

}  // namespace
}  // namespace damson::sim
