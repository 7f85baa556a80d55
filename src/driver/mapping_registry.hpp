#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include <damson/mapping.hpp>

namespace damson::detail {

/// The mappings of one client that were asked for and have not ended. May be called from any
/// thread.
class mapping_registry {
 public:
  /// False: the client was closed, and takes up none any more.
  bool add(const std::shared_ptr<mapping_state>& which);

  /// Null when there is none of that name.
  std::shared_ptr<mapping_state> find(mapping_id which) const;

  /// The same, and takes it out.
  std::shared_ptr<mapping_state> take(mapping_id which);

  std::vector<std::shared_ptr<mapping_state>> all() const;
  std::vector<std::shared_ptr<mapping_state>> take_all();

  /// All of them are being removed from now on, as `query` sees it.
  void close() noexcept;

  std::optional<mapping_status> query(mapping_id which) const;
  std::size_t size() const;

 private:
  mutable std::mutex mutex_;
  std::unordered_map<mapping_id, std::shared_ptr<mapping_state>> mappings_;
  bool closed_ = false;
};

}  // namespace damson::detail
