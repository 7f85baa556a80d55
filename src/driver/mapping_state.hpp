#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include <damson/engine.hpp>
#include <damson/error.hpp>
#include <damson/mapping.hpp>

#include "driver/pending_operation.hpp"

namespace damson::detail {

/// A wait of a handle's user, and the ticket to cancel it with.
template <class Signature>
struct wait {
  driver::wait_ticket ticket{};
  driver::pending_operation<Signature> operation;
};

/// One mapping between its handle and the client: what was granted, what happened that nobody was
/// told yet, and who waits.
///
/// `id`, `client`, `info`, `why` and `report` may be called from any thread, the rest from the
/// client's strand.
class mapping_state {
 public:
  using map_signature = void(error_code, mapping);
  using event_signature = void(error_code, mapping_event);
  using release_signature = void(error_code, removal);

  mapping_state(std::shared_ptr<client_state> client, mapping_id id);
  /// For a handle that its user has before the first result.
  mapping_state(std::shared_ptr<client_state> client, mapping_id id, const map_request& request);

  mapping_id id() const noexcept { return id_; }
  const std::shared_ptr<client_state>& client() const noexcept { return client_; }

  mapping_info info() const;
  failure why() const;
  std::vector<protocol_report> report() const;

  /// Takes from an event what the handle tells of it.
  void note(const mapping_event& event);
  /// The user's handle is an empty one, whatever comes.
  void give_up() noexcept { empty_ = true; }

  /// `async_map` waits for the first result, and whoever has it takes the wait.
  void wait_for_grant(wait<map_signature> waiter);
  std::optional<wait<map_signature>> take_map_wait();

  /// Tells the waiter, or keeps the event for the next: the latest only, since that is what is
  /// true. With `removed` everybody who waits is told.
  void tell(mapping_event event);

  /// Starts a wait, or completes it at once where there is something to tell.
  void wait_for_event(wait<event_signature> waiter);
  void wait_for_removal(wait<release_signature> waiter);

  /// Completes the wait with this ticket with operation_aborted. False: not found.
  bool cancel(driver::wait_ticket ticket);

  /// Destroys all waits without completing them.
  void drop_waits();

 private:
  const mapping_id id_;
  const std::shared_ptr<client_state> client_;

  mutable std::mutex mutex_;
  mapping_info info_;
  failure why_;
  std::vector<protocol_report> report_;

  std::optional<wait<map_signature>> map_wait_;
  std::optional<wait<event_signature>> event_wait_;
  std::optional<wait<release_signature>> release_wait_;
  std::optional<mapping_event> untold_;
  std::optional<removal> removed_;
  bool removal_told_ = false;
  bool empty_ = false;
};

}  // namespace damson::detail
