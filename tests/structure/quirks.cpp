// damson_quirks TREE: for each router quirk the profiles that have it and the tests that meet it.
// Fails when something is missing.

#include <algorithm>
#include <exception>
#include <iostream>
#include <vector>

#include "quirk_coverage.hpp"
#include "sim/profiles.hpp"

namespace {

using damson::structure::profile_quirks;
using damson::structure::quirk_line;

int run(const char* tree) {
  std::vector<profile_quirks> profiles;
  for (const auto& each : damson::sim::profiles()) profiles.push_back({each.name, each.quirks});
  const std::vector<quirk_line> lines =
      damson::structure::quirk_coverage(damson::structure::read_source_tree(tree), profiles);
  std::cout << damson::structure::to_table(lines);
  const auto with_profile =
      std::ranges::count_if(lines, [](const quirk_line& each) { return !each.profiles.empty(); });
  const auto with_test =
      std::ranges::count_if(lines, [](const quirk_line& each) { return !each.tests.empty(); });
  const auto with_reason =
      std::ranges::count_if(lines, [](const quirk_line& each) { return !each.reason.empty(); });
  const auto gaps = damson::structure::quirk_gaps(lines, profiles);
  std::cout << lines.size() << " entries: " << with_profile << " in " << profiles.size()
            << " profiles, " << with_test << " with tests, " << with_reason
            << " not applicable or not yet, " << gaps.size() << " gaps\n";
  for (const auto& each : gaps) std::cout << "gap: " << each << '\n';
  return lines.empty() || !gaps.empty() ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc == 2) return run(argv[1]);
    std::cerr << "usage: damson_quirks TREE\n";
  } catch (const std::exception& error) {
    std::cerr << "damson_quirks: " << error.what() << '\n';
  }
  return 2;
}
