#pragma once

/// Routers by name: the strict one, and one for each way in which real ones differ.

#include <span>
#include <string_view>
#include <vector>

#include "sim/profile.hpp"

namespace damson::sim {

struct named_profile {
  std::string_view name;    ///< "nat-pmp-only"
  std::string_view quirks;  ///< the entries of the router quirk list: "Q-20", "Q-34 Q-35"; or empty
  std::string_view says;    ///< what it does, in a few words
  profile how;
};

/// All of them, the strict one first.
std::span<const named_profile> profiles();

/// Null when there is none of that name.
const named_profile* find_profile(std::string_view name);

/// The three names nearest to one that is none, the nearest first.
std::vector<std::string_view> similar_profiles(std::string_view name);

}  // namespace damson::sim
