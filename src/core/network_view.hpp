#pragma once

/// What is known of the host's network, and when to look at it again.

#include <chrono>
#include <optional>
#include <utility>

#include <damson/engine.hpp>

#include "core/context.hpp"

namespace damson::core {

struct network_view {
  network_facts facts{};
  std::optional<time_point> at{};  ///< when it was last looked at
  bool is_looking = false;

  /// Whether it was looked at so lately that nobody needs to look again.
  bool is_fresh(const context& ctx) const noexcept {
    constexpr std::chrono::seconds longest{1};
    return at && ctx.now - *at < longest && !is_looking;
  }

  /// Asks for a look, unless one is under way.
  void look(context& ctx) {
    if (std::exchange(is_looking, true)) return;
    ctx.outputs.emplace_back(look_at_network{});
  }
};

}  // namespace damson::core
