#include "quirk_coverage.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <map>
#include <set>

namespace damson::structure {

namespace {

constexpr std::string_view explanations = "docs/quirks.md";
constexpr std::array<std::string_view, 4> culprits{"router", "socket", "host", "others"};

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    out.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

/// Of a row: "| a | b |".
std::vector<std::string_view> cells(std::string_view row) {
  std::vector<std::string_view> out;
  row.remove_prefix(1);
  while (!row.empty()) {
    const std::size_t end = std::min(row.find(" |"), row.size());
    out.push_back(trimmed(row.substr(0, end)));
    row.remove_prefix(std::min(end + 2, row.size()));
  }
  return out;
}

std::vector<quirk_line> rows_of(std::string_view text) {
  std::vector<quirk_line> out;
  for (const std::string_view line : lines_of(text)) {
    if (!line.starts_with("| Q-")) continue;
    const auto row = cells(line);
    quirk_line& made = out.emplace_back();
    made.number = row[0];
    if (row.size() != 4) continue;
    made.who = row[1];
    made.what = row[2];
    if (row[3].starts_with("not applicable: ") || row[3].starts_with("not yet: ")) {
      made.reason = row[3];
    }
  }
  return out;
}

bool begins_test(std::string_view line) {
  return line.starts_with("TEST(") || line.starts_with("TEST_F(") || line.starts_with("TEST_P(");
}

/// "suite.name"; the macro may go over two lines.
std::string name_of_test(std::string_view text) {
  const std::size_t open = text.find('(');
  const std::size_t comma = text.find(',', open);
  const std::size_t close = text.find(')', comma);
  if (close == std::string_view::npos) return {};
  std::string_view name = text.substr(comma + 1, close - comma - 1);
  while (name.starts_with(' ') || name.starts_with('\n')) name.remove_prefix(1);
  return std::string{text.substr(open + 1, comma - open - 1)} + "." + std::string{name};
}

/// Of the simulator's tests those count that let the engine live: the others are about its routers.
bool tests_damson(std::string_view path, std::string_view text) {
  if (!path.starts_with("tests/") || !path.ends_with("_test.cpp")) return false;
  return !path.starts_with("tests/sim/") ||
         text.find("scenario.hpp\"\n") != std::string_view::npos ||
         text.find("race.hpp\"\n") != std::string_view::npos;
}

using tests_by_quirk = std::map<std::string, std::vector<std::string>, std::less<>>;

void note_tests(std::string_view text, tests_by_quirk& into) {
  const auto note = [&](const std::vector<std::string_view>& numbers, const std::string& test) {
    for (const std::string_view number : numbers) {
      auto& tests = into[std::string{number}];
      if (std::ranges::find(tests, test) == tests.end()) tests.push_back(test);
    }
  };
  std::string test;
  std::vector<std::string_view> between;
  bool inside = false;
  for (const std::string_view line : lines_of(text)) {
    if (begins_test(line)) {
      inside = true;
      test = name_of_test(text.substr(static_cast<std::size_t>(line.data() - text.data())));
      note(between, test);
      between.clear();
    }
    const auto numbers = quirk_numbers(line);
    if (inside) {
      note(numbers, test);
    } else {
      between.insert(between.end(), numbers.begin(), numbers.end());
    }
    if (line.starts_with("}")) inside = false;
  }
  if (!test.empty()) note(between, test);
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& each : words) out += (out.empty() ? "" : ", ") + each;
  return out;
}

}  // namespace

std::vector<std::string_view> quirk_numbers(std::string_view text) {
  std::vector<std::string_view> out;
  for (std::size_t at = text.find("Q-"); at != std::string_view::npos;
       at = text.find("Q-", at + 2)) {
    std::size_t end = at + 2;
    while (end < text.size() && text[end] >= '0' && text[end] <= '9') ++end;
    if (end > at + 2) out.push_back(text.substr(at, end - at));
  }
  return out;
}

std::vector<quirk_line> quirk_coverage(const source_tree& tree,
                                       std::span<const profile_quirks> profiles) {
  const auto rows = tree.find(std::string{explanations});
  if (rows == tree.end()) return {};
  tests_by_quirk tests;
  for (const auto& [path, text] : tree) {
    if (tests_damson(path, text)) note_tests(text, tests);
  }
  std::vector<quirk_line> out = rows_of(rows->second);
  for (quirk_line& each : out) {
    for (const profile_quirks& profile : profiles) {
      const auto numbers = quirk_numbers(profile.quirks);
      if (std::ranges::find(numbers, each.number) != numbers.end()) {
        each.profiles.emplace_back(profile.name);
      }
    }
    if (const auto found = tests.find(each.number); found != tests.end()) {
      each.tests = found->second;
    }
  }
  return out;
}

std::vector<std::string> quirk_gaps(std::span<const quirk_line> lines,
                                    std::span<const profile_quirks> profiles) {
  std::vector<std::string> out;
  std::set<std::string_view> known;
  for (const quirk_line& each : lines) {
    if (!known.insert(each.number).second) out.push_back(each.number + " has two rows");
    if (std::ranges::find(culprits, each.who) == culprits.end()) {
      out.push_back(each.number + " does not say who does it");
    }
    if (each.reason.empty() && each.tests.empty())
      out.push_back(each.number + " has no test and no reason");
    if (each.who == "router" && each.profiles.empty()) {
      out.push_back(each.number + " is a router's, and no profile has it");
    }
  }
  for (const profile_quirks& profile : profiles) {
    for (const std::string_view number : quirk_numbers(profile.quirks)) {
      if (known.contains(number)) continue;
      out.push_back(std::string{profile.name} + " has " + std::string{number} +
                    ", which has no row");
    }
  }
  return out;
}

std::string to_table(std::span<const quirk_line> lines) {
  std::string out;
  for (const quirk_line& each : lines) {
    out += each.number + "  " + each.what + " (" + each.who + ")\n";
    if (!each.profiles.empty()) out += "       profiles  " + joined(each.profiles) + '\n';
    if (!each.tests.empty()) out += "       tests     " + joined(each.tests) + '\n';
    if (!each.reason.empty()) out += "       " + each.reason + '\n';
  }
  return out;
}

}  // namespace damson::structure
