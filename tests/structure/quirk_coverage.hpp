#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "source_tree.hpp"

namespace damson::structure {

/// A router that the simulator knows, and the quirks that it has: "Q-34 Q-35".
struct profile_quirks {
  std::string_view name;
  std::string_view quirks;
};

/// One row of docs/quirks.md, and who deals with it.
struct quirk_line {
  std::string number;  ///< "Q-34"
  std::string who;     ///< "router", "socket", "host" or "others"
  std::string what;
  std::string reason;  ///< "not applicable: …" or "not yet: …"; else empty
  std::vector<std::string> profiles;
  std::vector<std::string> tests;  ///< "suite.name", in the order of files and lines
};

/// All rows, in their order. A number in a test belongs to that test, and one between two tests to
/// the second, or, after the last one, to that.
std::vector<quirk_line> quirk_coverage(const source_tree& tree,
                                       std::span<const profile_quirks> profiles);

/// What is missing, in words: a row without a test and a reason, a router's without a profile, a
/// profile's number without a row.
std::vector<std::string> quirk_gaps(std::span<const quirk_line> lines,
                                    std::span<const profile_quirks> profiles);

/// "Q-34" and the like, wherever they stand in a text.
std::vector<std::string_view> quirk_numbers(std::string_view text);

/// For people.
std::string to_table(std::span<const quirk_line> lines);

}  // namespace damson::structure
