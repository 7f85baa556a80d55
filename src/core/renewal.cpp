#include "core/renewal.hpp"

#include <algorithm>

namespace damson::core {
namespace {

constexpr std::chrono::seconds longest_lifetime = std::chrono::hours{24};
constexpr std::chrono::seconds shortest_gap{4};

}  // namespace

std::chrono::seconds scheduled_lifetime(std::chrono::seconds granted) noexcept {
  return std::clamp(granted, std::chrono::seconds{1}, longest_lifetime);
}

std::chrono::seconds upnp_lease(std::chrono::seconds wanted, ip_family family) noexcept {
  const std::chrono::hours longest{family == ip_family::v4 ? 24 * 7 : 24};
  return std::clamp<std::chrono::seconds>(wanted, std::chrono::minutes{5}, longest);
}

renewal::renewal(time_point granted_at, std::chrono::seconds lifetime) noexcept
    : granted_at_(granted_at), lifetime_(scheduled_lifetime(lifetime)) {}

std::optional<time_point> renewal::next(time_point now, random_source& random) {
  while (true) {
    // What is left of the lease at this point: 1/2, 1/4, 1/8, … of the whole.
    const std::chrono::nanoseconds left =
        std::chrono::nanoseconds(lifetime_) / (std::int64_t{2} << std::min(points_taken_, 60U));
    const bool first = points_taken_ == 0;
    // A lease too short for the gap still gets its first point, or it would never be renewed.
    if (!first && left < shortest_gap) return std::nullopt;
    ++points_taken_;
    time_point at = lease_end() - left + random.uniform_duration({}, left / 4);
    if (first && lifetime_ > shortest_gap) at = std::max(at, granted_at_ + shortest_gap);
    if (at > now && (first || at - now >= shortest_gap)) return at;
  }
}

}  // namespace damson::core
