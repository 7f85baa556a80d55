#include "sim/pinhole_table.hpp"

#include <algorithm>
#include <limits>
#include <ranges>

namespace damson::sim {

bool pinhole::lets_in(const endpoint& from) const {
  if (!remote.address.is_unspecified() && remote.address.to_v6() != from.address.to_v6()) {
    return false;
  }
  if (remote.port != 0 && remote.port != from.port) return false;
  return filters.empty() || std::ranges::any_of(filters, [&](const peer_filter& filter) {
           return filter.lets_in(from);
         });
}

const pinhole* pinhole_table::find(std::uint16_t id) const {
  const auto found = holes_.find(id);
  return found == holes_.end() ? nullptr : &found->second;
}

const pinhole* pinhole_table::find(rule_owner owner, transport what, const endpoint& internal,
                                   const endpoint& remote) const {
  for (const pinhole& one : std::views::values(holes_)) {
    if (one.owner == owner && one.transport == what && one.internal == internal &&
        one.remote == remote) {
      return &one;
    }
  }
  return nullptr;
}

std::uint16_t pinhole_table::put(pinhole hole) {
  if (hole.id == 0) {
    if (holes_.size() == std::numeric_limits<std::uint16_t>::max()) return 0;
    do {
      ++last_id_;
    } while (last_id_ == 0 || holes_.contains(last_id_));
    hole.id = last_id_;
  }
  const std::uint16_t id = hole.id;
  holes_.insert_or_assign(id, std::move(hole));
  return id;
}

bool pinhole_table::remove(std::uint16_t id) { return holes_.erase(id) != 0; }

void pinhole_table::remove_expired(time_point now) {
  std::erase_if(holes_, [now](const auto& entry) { return entry.second.expires <= now; });
}

std::optional<time_point> pinhole_table::next_expiry() const {
  std::optional<time_point> first;
  for (const pinhole& one : std::views::values(holes_)) {
    if (!first || one.expires < *first) first = one.expires;
  }
  return first;
}

bool pinhole_table::pass(transport what, const endpoint& from, const endpoint& to) {
  for (pinhole& one : std::views::values(holes_)) {
    if (one.transport != what || one.internal != to || !one.lets_in(from)) continue;
    ++one.packets;
    return true;
  }
  return false;
}

std::size_t pinhole_table::count_of(const ip_address& host) const {
  return static_cast<std::size_t>(
      std::ranges::count_if(std::views::values(holes_),
                            [&](const pinhole& one) { return one.internal.address == host; }));
}

std::vector<pinhole> pinhole_table::holes() const {
  const auto all = std::views::values(holes_);
  return {all.begin(), all.end()};
}

}  // namespace damson::sim
