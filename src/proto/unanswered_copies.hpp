#pragma once

/// Copies of requests that were sent and not answered.

#include <chrono>
#include <cstddef>

#include <damson/types.hpp>

namespace damson {

/// What was not answered for so long was lost.
inline constexpr std::chrono::seconds longest_delay{4};

/// Of the requests that make one mapping. Each copy may be under way still, and be obeyed after a
/// delete that was sent later.
class unanswered_copies {
 public:
  void sent(time_point now) noexcept {
    if (now > until_) count_ = 0;
    ++count_;
    until_ = now + longest_delay;
  }
  void answered() noexcept {
    if (count_ > 0) --count_;
  }
  bool any(time_point now) const noexcept { return count_ > 0 && now <= until_; }

 private:
  std::size_t count_ = 0;
  time_point until_;  ///< the last may arrive until then
};

}  // namespace damson
