#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>

#include <damson/mapping.hpp>

#include "driver/mapping_state.hpp"
#include "driver/pending_operation.hpp"

namespace damson::detail {

/// Who is told an event: the waiter of the mapping's own handle, else the client's, else whoever of
/// the two asks first. All calls come from the client's strand.
class client_events {
 public:
  using signature = mapping_state::event_signature;

  void tell(const std::shared_ptr<mapping_state>& of, mapping_event event);

  /// Waits on the mapping's own handle.
  void wait_for(const std::shared_ptr<mapping_state>& of, wait<signature> waiter);

  /// Waits for any mapping.
  void wait_for_any(wait<signature> waiter);

  /// Completes the client's wait with this ticket with operation_aborted, if it is there.
  void cancel(driver::wait_ticket ticket);

  /// The user has no handle any more. Nothing is kept for it until somebody has shown, by waiting
  /// for any mapping, that it will be asked for.
  void on_handle_gone(mapping_state& of);

  /// Nobody can wait for any mapping any more.
  void stop_keeping();

  /// The same, and whoever calls destroys what was kept.
  [[nodiscard]] std::map<std::uint64_t, std::shared_ptr<mapping_state>> take_kept();

  /// There will be no more mappings.
  void close();

  /// Takes out the wait for any mapping, without completing it.
  std::optional<wait<signature>> take_wait();

  std::size_t kept() const noexcept { return untold_.size(); }

 private:
  void keep(const std::shared_ptr<mapping_state>& of);
  void forget(mapping_state& of);

  std::optional<wait<signature>> waiter_;
  /// The mappings with an event that nobody was told, in the order in which that came about.
  std::map<std::uint64_t, std::shared_ptr<mapping_state>> untold_;
  std::uint64_t last_place_ = 0;
  bool keeps_for_all_ = false;  ///< also where the handle is gone
  bool keeps_none_ = false;
  bool closed_ = false;
};

}  // namespace damson::detail
