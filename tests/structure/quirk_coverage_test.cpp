#include "quirk_coverage.hpp"

#include <gmock/gmock.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "sim/profiles.hpp"
#include "source_tree.hpp"

namespace damson::structure {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// Put together, so that this file names none.
const std::string q = std::string{"Q"} + "-";

source_tree planted() {
  return {{"docs/quirks.md",
           "# Quirks\n\n| | who | | where |\n|---|---|---|---|\n"
           "| " +
               q +
               "1 | router | one | `a.cpp` |\n"
               "| " +
               q +
               "2 | host | two | `a.cpp` |\n"
               "| " +
               q + "3 | others | three | not yet: never |\n"},
          {"tests/sim/a_test.cpp",
           "#include \"scenario.hpp\"\n// " + q +
               "1\nTEST_F(a,\n       first) {  // x\n}\n\nTEST(a, second) {\n  f();  // " + q +
               "2, " + q + "1\n}\n"},
          {"tests/sim/model_test.cpp", "TEST(model, x) {  // " + q + "3\n}\n"},
          {"tests/sim/help.hpp", "// " + q + "3\nTEST(b, c) {\n}\n"}};
}

constexpr std::array nobody{profile_quirks{"strict", ""}};

TEST(quirk_coverage, finds_profiles_tests_and_reasons) {
  const std::string both = q + "1 " + q + "9";
  const std::array profiles{profile_quirks{"strict", ""}, profile_quirks{"odd", both}};
  const auto lines = quirk_coverage(planted(), profiles);
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[0].who, "router");
  EXPECT_THAT(lines[0].profiles, ElementsAre("odd"));
  EXPECT_THAT(lines[0].tests, ElementsAre("a.first", "a.second"));
  EXPECT_THAT(lines[1].tests, ElementsAre("a.second"));
  EXPECT_THAT(lines[2].tests, IsEmpty());
  EXPECT_EQ(lines[2].reason, "not yet: never");
  EXPECT_THAT(quirk_gaps(lines, profiles), ElementsAre("odd has " + q + "9, which has no row"));
  EXPECT_NE(to_table(lines).find("a.first, a.second"), std::string::npos);
}

TEST(quirk_coverage, names_what_is_missing) {
  source_tree tree = planted();
  EXPECT_THAT(quirk_gaps(quirk_coverage(tree, nobody), nobody),
              ElementsAre(q + "1 is a router's, and no profile has it"));
  tree["docs/quirks.md"] += "| " + q + "4 | others | four | `b.cpp` |\n| " + q +
                            "5 | someone | five | not applicable: no |\n| " + q +
                            "3 | others | three | not yet: never |\n| " + q +
                            "6 | router | six | not yet: never |\n";
  EXPECT_THAT(quirk_gaps(quirk_coverage(tree, nobody), nobody),
              ElementsAre(q + "1 is a router's, and no profile has it",
                          q + "4 has no test and no reason", q + "5 does not say who does it",
                          q + "3 has two rows", q + "6 is a router's, and no profile has it"));
}

class this_trees_quirks : public testing::Test {
 protected:
  static std::vector<profile_quirks> profiles() {
    std::vector<profile_quirks> out;
    for (const auto& each : sim::profiles()) out.push_back({each.name, each.quirks});
    return out;
  }
  const std::vector<quirk_line> lines_ =
      quirk_coverage(read_source_tree(DAMSON_SOURCE_TREE), profiles());
};

TEST_F(this_trees_quirks, have_profiles_and_tests_or_reasons) {
  EXPECT_GT(lines_.size(), 150U);
  EXPECT_THAT(quirk_gaps(lines_, profiles()), IsEmpty());
}

// Entries of the longer list begin with "### " and the number.
TEST_F(this_trees_quirks, are_those_of_the_longer_list) {
  const char* const path = std::getenv("DAMSON_QUIRK_LIST");
  if (path == nullptr) GTEST_SKIP() << "DAMSON_QUIRK_LIST names no list to compare with";
  std::ifstream file{path};
  ASSERT_TRUE(file) << path;
  std::set<std::string> theirs;
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("### ")) continue;
    for (const auto number : quirk_numbers(line)) theirs.emplace(number);
  }
  std::set<std::string> ours;
  for (const quirk_line& each : lines_) ours.insert(each.number);
  EXPECT_EQ(ours, theirs);
}

}  // namespace
}  // namespace damson::structure
