#pragma once

/// When a lease is to be renewed: pure arithmetic (RFC 6887 section 11.2.1, Q-36, Q-51, Q-194).

#include <chrono>
#include <optional>

#include <damson/types.hpp>

#include "base/random.hpp"

namespace damson::core {

/// Grants are believed up to a day; what the router said stays in `mapping_info::lifetime`.
std::chrono::seconds scheduled_lifetime(std::chrono::seconds granted) noexcept;

/// What a UPnP router is asked for: below five minutes leases are a burden to it, and more
/// than a week is refused by some; in IPv6, more than a day by all.
std::chrono::seconds upnp_lease(std::chrono::seconds wanted, ip_family family) noexcept;

/// The renewal points of one grant: the first at random between 1/2 and 5/8 of the lifetime, then
/// about 3/4, 7/8, 15/16 and so on, each at random within the first quarter of what is left after
/// it, until they would be closer than 4 s together or past the end. No point is closer than 4 s to
/// the grant, unless the lease is no longer than that.
class renewal {
 public:
  renewal() = default;
  renewal(time_point granted_at, std::chrono::seconds lifetime) noexcept;

  time_point lease_end() const noexcept { return granted_at_ + lifetime_; }

  /// The next point after `now`; empty when only the end of the lease is left.
  std::optional<time_point> next(time_point now, random_source& random);

 private:
  time_point granted_at_;
  std::chrono::seconds lifetime_{};
  unsigned points_taken_ = 0;
};

}  // namespace damson::core
