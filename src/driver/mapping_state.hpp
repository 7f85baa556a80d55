#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include <damson/engine.hpp>
#include <damson/error.hpp>
#include <damson/mapping.hpp>

#include "driver/endpoint_watch.hpp"
#include "driver/pending_operation.hpp"

namespace damson::detail {

/// A wait of a handle's user, and the ticket to cancel it with.
template <class Signature>
struct wait {
  driver::wait_ticket ticket{};
  driver::pending_operation<Signature> operation;
};

/// Takes out what is there, so that completing it cannot meet it again.
template <class Signature>
std::optional<wait<Signature>> take_out(std::optional<wait<Signature>>& from) {
  std::optional<wait<Signature>> taken;
  if (from) {
    taken.emplace(std::move(*from));
    from.reset();
  }
  return taken;
}

/// What became of the handle.
enum class handle_fate : std::uint8_t { held, released, detached };

/// One mapping between its handle and the client: what was granted, what happened that nobody was
/// told yet, and who waits.
///
/// Everything down to `end_handle` may be called from any thread, the rest from the client's
/// strand.
class mapping_state {
 public:
  using map_signature = void(error_code, mapping);
  using event_signature = void(error_code, mapping_event);
  using release_signature = void(error_code, removal);

  mapping_state(std::shared_ptr<client_state> client, mapping_id id, const map_request& request,
                endpoint_handler on_change = {});

  mapping_id id() const noexcept { return id_; }
  const std::shared_ptr<client_state>& client() const noexcept { return client_; }

  mapping_info info() const;
  failure why() const;
  std::vector<protocol_report> report() const;
  std::vector<mapping_part> parts() const;
  /// Where `info` is reached from outside; port 0 where it is not.
  endpoint external() const;
  mapping_status status() const;

  handle_fate fate() const noexcept { return fate_; }
  /// The first word on it counts; false: it was spoken already.
  bool end_handle(handle_fate how) noexcept;

  /// Null where events are told to waiters.
  endpoint_watch* watch() const noexcept { return watch_.get(); }

  /// Takes from an event what the handle tells of it.
  void note(const mapping_event& event);
  /// The user's handle is an empty one, whatever comes: nothing is told or kept any more.
  void give_up() noexcept;

  /// `async_map` waits for the first result, and whoever has it takes the wait.
  void wait_for_grant(wait<map_signature> waiter);
  bool is_waited_for() const noexcept { return map_wait_.has_value(); }
  std::optional<wait<map_signature>> take_map_wait();

  /// Tells the waiter, or keeps the event for the next: the latest of each part only, since that is
  /// what is true. With `removed` everybody who waits is told.
  void tell(mapping_event event);

  /// What was told to nobody yet.
  bool has_untold() const noexcept { return !untold_.empty(); }
  /// What came first. Precondition: there is some.
  mapping_event take_untold();
  /// Where the mapping stands among those of its client that have something untold; 0: nowhere.
  std::uint64_t place() const noexcept { return place_; }
  void set_place(std::uint64_t place) noexcept { place_ = place; }

  /// Starts a wait, or completes it at once where there is something to tell.
  void wait_for_event(wait<event_signature> waiter);
  void wait_for_removal(wait<release_signature> waiter);

  /// Completes the wait with this ticket with operation_aborted. False: not found.
  bool cancel(driver::wait_ticket ticket);

  /// Destroys all waits without completing them.
  void drop_waits();

 private:
  const mapping_part& first() const;
  mapping_part& part_of(const mapping_info& info);
  void drop(mapping_part& gone, const failure& why);
  void keep(mapping_event event);

  const mapping_id id_;
  const std::shared_ptr<client_state> client_;
  const std::shared_ptr<endpoint_watch> watch_;
  std::atomic<handle_fate> fate_{handle_fate::held};

  mutable std::mutex mutex_;
  /// By their numbers; never empty.
  std::vector<mapping_part> parts_;

  std::optional<wait<map_signature>> map_wait_;
  std::optional<wait<event_signature>> event_wait_;
  std::optional<wait<release_signature>> release_wait_;
  std::vector<mapping_event> untold_;
  std::optional<removal> removed_;
  std::uint64_t place_ = 0;
  bool removal_told_ = false;
  bool empty_ = false;
};

}  // namespace damson::detail
