#pragma once

/// Whether a router still is the one that made our mappings, told from the seconds that it counts
/// in each answer: two clocks that disagree mean that it has restarted, or lost its state.
///
/// One object for each server. All arithmetic is in signed 64-bit seconds.

#include <cstdint>
#include <optional>

#include <damson/types.hpp>

namespace damson {

enum class epoch_verdict : std::uint8_t {
  first,      ///< nothing to compare with: taken as it is
  valid,      ///< in step with our clock
  restarted,  ///< the server has lost its state
};

/// The last answer's epoch, and when it came.
struct epoch_sample {
  std::int64_t server = 0;
  time_point at{};
};

/// RFC 6887 section 8.5: restarted if the epoch fell by more than 1 s (less may be reordering on
/// the way), or if either clock ran slower than 15/16 of the other, with 2 s for rounding.
class pcp_epoch {
 public:
  /// `now` never decreases. Each sample replaces the one before, whatever the verdict, so a restart
  /// is reported once, and the next answer is compared with this one.
  epoch_verdict observe(std::uint32_t server_epoch, time_point now) noexcept;

  /// As if never asked; for another server at the same address.
  void forget() noexcept { last_.reset(); }

 private:
  std::optional<epoch_sample> last_;
};

/// RFC 6886 section 3.6: restarted if the epoch is more than 2 s below the last one plus 7/8 of the
/// time since. A server that counts too fast is no concern of that RFC.
class natpmp_epoch {
 public:
  /// As `pcp_epoch::observe`.
  epoch_verdict observe(std::uint32_t server_epoch, time_point now) noexcept;

  void forget() noexcept { last_.reset(); }

 private:
  std::optional<epoch_sample> last_;
};

}  // namespace damson
