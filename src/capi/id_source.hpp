#pragma once

#include <atomic>
#include <limits>
#include <optional>

namespace damson::capi {

/// Ids that ascend from 1 and never come again. May be called from any thread.
class id_source {
 public:
  explicit id_source(int last = 0) : last_(last) {}

  /// Nothing when they are used up.
  std::optional<int> next() noexcept {
    int last = last_;
    do {
      if (last == std::numeric_limits<int>::max()) return std::nullopt;
    } while (!last_.compare_exchange_weak(last, last + 1));
    return last + 1;
  }

 private:
  std::atomic<int> last_;
};

}  // namespace damson::capi
