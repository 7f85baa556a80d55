#pragma once

#include <compare>
#include <cstddef>
#include <iosfwd>
#include <string>
#include <vector>

#include "source_tree.hpp"

namespace damson::structure {

/// One line of the tree that breaks a rule.
struct violation {
  std::string path;
  std::size_t line = 0;
  std::string what;

  auto operator<=>(const violation&) const = default;
};

std::ostream& operator<<(std::ostream& out, const violation& v);

/// Includes against the one allowed direction, and names that resolve to nothing in the tree.
std::vector<violation> check_includes(const source_tree& tree);

/// Clocks, threads, randomness, environment and printing in the engine, in what it stands on, and
/// in the gateway models.
std::vector<violation> check_banned_calls(const source_tree& tree);

/// What the gateway models reach through headers: never our codec, our machines or our byte reader
/// and writer, however many headers lie between.
std::vector<violation> check_simulator_reach(const source_tree& tree);

/// Paths that exist on one person's machine only.
std::vector<violation> check_machine_paths(const source_tree& tree);

/// Quirk numbers that docs/quirks.md does not explain.
std::vector<violation> check_quirk_numbers(const source_tree& tree);

}  // namespace damson::structure
