#include "core/mapping_table.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace damson::core {

bool will_do(const map_request& wanted, const endpoint& external) noexcept {
  if (!wanted.prefer_failure) return true;
  return external.port == wanted.external_port &&
         (wanted.external_address.is_unspecified() || external.address == wanted.external_address);
}

bool is_same_rule(const mapping_info& one, const mapping_info& other) noexcept {
  return one.protocol == other.protocol && one.gateway == other.gateway &&
         one.internal == other.internal &&
         (one.protocol != protocol::upnp || one.external.port == other.external.port);
}

mapping_table::port_key mapping_table::key_of(const map_request& request) noexcept {
  return static_cast<port_key>(request.internal_port) << 8 |
         static_cast<port_key>(request.transport);
}

mapping& mapping_table::add(mapping_id id, const map_request& request) {
  const auto [entry, is_new] = by_id_.try_emplace(id);
  DAMSON_ASSERT(is_new);
  mapping& made = entry->second;
  made.id = id;
  made.request = request;
  ++counts_[static_cast<std::size_t>(made.phase)];
  by_port_.emplace(key_of(request), id);
  return made;
}

void mapping_table::move_to(mapping& what, phase next) noexcept {
  --counts_[static_cast<std::size_t>(what.phase)];
  what.phase = next;
  ++counts_[static_cast<std::size_t>(next)];
}

void mapping_table::erase(mapping_id id) {
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return;
  const auto [first, last] = by_port_.equal_range(key_of(found->second.request));
  for (auto each = first; each != last; ++each) {
    if (each->second != id) continue;
    by_port_.erase(each);
    break;
  }
  --counts_[static_cast<std::size_t>(found->second.phase)];
  by_id_.erase(found);
}

mapping* mapping_table::find(mapping_id id) {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : &found->second;
}

const mapping* mapping_table::find(mapping_id id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : &found->second;
}

mapping* mapping_table::find_other(const mapping& than) {
  const auto [first, last] = by_port_.equal_range(key_of(than.request));
  const auto other = std::find_if(first, last, [&](const auto& each) {
    const map_request& its = by_id_.at(each.second).request;
    return each.second != than.id && its.third_party == than.request.third_party &&
           its.remote_peer == than.request.remote_peer;
  });
  return other == last ? nullptr : find(other->second);
}

mapping* mapping_table::find_after(const mapping& from, std::uint16_t ports) {
  map_request at = from.request;
  at.internal_port = static_cast<std::uint16_t>(at.internal_port + ports);
  if (at.internal_port < ports) return nullptr;
  mapping* found = nullptr;
  const auto [first, last] = by_port_.equal_range(key_of(at));
  for (auto each = first; each != last; ++each) {
    mapping& one = by_id_.at(each->second);
    const bool is_alike =
        one.request.third_party == at.third_party && one.request.remote_peer == at.remote_peer;
    if (!is_alike) continue;
    if (found == nullptr || found->phase == phase::releasing) found = &one;
  }
  return found;
}

std::vector<mapping_id> mapping_table::ids() const {
  std::vector<mapping_id> all;
  all.reserve(by_id_.size());
  for (const auto& [id, entry] : by_id_) all.push_back(id);
  std::ranges::sort(all);
  return all;
}

}  // namespace damson::core
