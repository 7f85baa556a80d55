#include "driver/mapping_registry.hpp"

#include <utility>

#include "driver/mapping_state.hpp"

namespace damson::detail {

bool mapping_registry::add(const std::shared_ptr<mapping_state>& which) {
  const std::lock_guard lock{mutex_};
  return !closed_ && mappings_.emplace(which->id(), which).second;
}

std::shared_ptr<mapping_state> mapping_registry::find(mapping_id which) const {
  const std::lock_guard lock{mutex_};
  const auto found = mappings_.find(which);
  return found == mappings_.end() ? nullptr : found->second;
}

std::shared_ptr<mapping_state> mapping_registry::take(mapping_id which) {
  const std::lock_guard lock{mutex_};
  const auto taken = mappings_.extract(which);
  return taken ? std::move(taken.mapped()) : nullptr;
}

std::vector<std::shared_ptr<mapping_state>> mapping_registry::all() const {
  std::vector<std::shared_ptr<mapping_state>> out;
  const std::lock_guard lock{mutex_};
  out.reserve(mappings_.size());
  for (const auto& [id, each] : mappings_) out.push_back(each);
  return out;
}

std::vector<std::shared_ptr<mapping_state>> mapping_registry::take_all() {
  auto out = all();
  const std::lock_guard lock{mutex_};
  mappings_.clear();
  return out;
}

void mapping_registry::close() noexcept {
  const std::lock_guard lock{mutex_};
  closed_ = true;
}

std::optional<mapping_status> mapping_registry::query(mapping_id which) const {
  const std::lock_guard lock{mutex_};
  const auto found = mappings_.find(which);
  if (closed_ || found == mappings_.end() || found->second->fate() != handle_fate::held)
    return std::nullopt;
  return found->second->status();
}

std::size_t mapping_registry::size() const {
  const std::lock_guard lock{mutex_};
  return mappings_.size();
}

}  // namespace damson::detail
