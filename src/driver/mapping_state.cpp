#include "driver/mapping_state.hpp"

#include <utility>

#include <boost/asio/error.hpp>

namespace damson::detail {

namespace {

/// Two events that nobody was told as one: what is true after both.
mapping_event merged(const mapping_event& before, mapping_event after) {
  // A waiter that was told of the loss has to hear that it is over, and one that was told nothing
  // yet, how it began.
  const bool is_open = after.kind == event_kind::changed || after.kind == event_kind::mapped;
  if (before.kind == event_kind::mapped && is_open) {
    after.kind = event_kind::mapped;
    after.regained = before.regained;
    if (after.report.empty()) after.report = before.report;
  }
  return after;
}

}  // namespace

mapping_state::mapping_state(std::shared_ptr<client_state> client, mapping_id id)
    : id_(id), client_(std::move(client)) {}

mapping_state::mapping_state(std::shared_ptr<client_state> client, mapping_id id,
                             const map_request& request, endpoint_handler on_change)
    : id_(id),
      client_(std::move(client)),
      watch_(on_change ? std::make_shared<endpoint_watch>(std::move(on_change)) : nullptr) {
  info_.id = id;
  info_.transport = request.transport;
  info_.internal.port = request.internal_port;
}

mapping_info mapping_state::info() const {
  const std::lock_guard lock{mutex_};
  return info_;
}

failure mapping_state::why() const {
  const std::lock_guard lock{mutex_};
  return why_;
}

std::vector<protocol_report> mapping_state::report() const {
  const std::lock_guard lock{mutex_};
  return report_;
}

mapping_status mapping_state::status() const {
  const std::lock_guard lock{mutex_};
  return status_;
}

bool mapping_state::end_handle(handle_fate how) noexcept {
  if (watch_) watch_->end();
  auto held = handle_fate::held;
  return fate_.compare_exchange_strong(held, how);
}

void mapping_state::note(const mapping_event& event) {
  const std::lock_guard lock{mutex_};
  switch (event.kind) {
    case event_kind::mapped:
      why_ = event.why;
      if (!event.report.empty()) report_ = event.report;
      info_ = event.info;
      status_ = mapping_status::open;
      break;
    case event_kind::changed:
      why_ = event.why;
      info_ = event.info;
      break;
    case event_kind::failed:
      why_ = event.why;
      status_ = mapping_status::failed;
      break;
    case event_kind::lost:
      status_ = mapping_status::lost;
      break;
    case event_kind::removed:
      status_ = mapping_status::failed;
      break;
  }
}

void mapping_state::give_up() noexcept {
  empty_ = true;
  end_handle(handle_fate::released);
}

void mapping_state::wait_for_grant(wait<map_signature> waiter) {
  map_wait_.emplace(std::move(waiter));
}

std::optional<wait<mapping_state::map_signature>> mapping_state::take_map_wait() {
  return take_out(map_wait_);
}

void mapping_state::tell(mapping_event event) {
  if (empty_) return;
  if (event.kind == event_kind::removed) {
    removed_ = event.how;
    if (auto waiter = take_out(release_wait_)) std::move(waiter->operation).complete({}, event.how);
  }
  if (auto waiter = take_out(event_wait_)) {
    removal_told_ = event.kind == event_kind::removed;
    std::move(waiter->operation).complete({}, std::move(event));
  } else {
    untold_ = untold_ ? merged(*untold_, std::move(event)) : std::move(event);
  }
}

mapping_event mapping_state::take_untold() {
  auto taken = *std::exchange(untold_, std::nullopt);
  removal_told_ = taken.kind == event_kind::removed;
  return taken;
}

void mapping_state::wait_for_event(wait<event_signature> waiter) {
  if (empty_ || removal_told_) {
    std::move(waiter.operation).complete(make_error_code(errc::closed), {});
  } else if (event_wait_ || watch_) {
    std::move(waiter.operation).complete(make_error_code(errc::busy), {});
  } else if (untold_) {
    std::move(waiter.operation).complete({}, take_untold());
  } else {
    event_wait_.emplace(std::move(waiter));
  }
}

void mapping_state::wait_for_removal(wait<release_signature> waiter) {
  if (empty_)
    std::move(waiter.operation).complete(make_error_code(errc::closed), {});
  else if (removed_)
    std::move(waiter.operation).complete({}, *removed_);
  else
    release_wait_.emplace(std::move(waiter));
}

bool mapping_state::cancel(driver::wait_ticket ticket) {
  const auto aborted = boost::asio::error::operation_aborted;
  if (event_wait_ && event_wait_->ticket == ticket) {
    std::move(take_out(event_wait_)->operation).complete(aborted, {});
    return true;
  }
  if (release_wait_ && release_wait_->ticket == ticket) {
    std::move(take_out(release_wait_)->operation).complete(aborted, {});
    return true;
  }
  return false;
}

void mapping_state::drop_waits() {
  // A handler's destructor may destroy the handle, and what that holds.
  const auto map = take_out(map_wait_);
  const auto event = take_out(event_wait_);
  const auto release = take_out(release_wait_);
}

}  // namespace damson::detail
