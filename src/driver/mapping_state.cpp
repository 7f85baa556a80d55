#include "driver/mapping_state.hpp"

#include <utility>

#include <boost/asio/error.hpp>

namespace damson::detail {

namespace {

/// Takes out what is there, so that completing it cannot meet it again.
template <class Signature>
std::optional<wait<Signature>> take(std::optional<wait<Signature>>& from) {
  std::optional<wait<Signature>> taken;
  if (from) {
    taken.emplace(std::move(*from));
    from.reset();
  }
  return taken;
}

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
                             const map_request& request)
    : mapping_state(std::move(client), id) {
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

void mapping_state::note(const mapping_event& event) {
  const std::lock_guard lock{mutex_};
  switch (event.kind) {
    case event_kind::mapped:
      why_ = {};
      if (!event.report.empty()) report_ = event.report;
      info_ = event.info;
      break;
    case event_kind::changed:
      info_ = event.info;
      break;
    case event_kind::failed:
      why_ = event.why;
      break;
    case event_kind::lost:
    case event_kind::removed:
      break;
  }
}

void mapping_state::wait_for_grant(wait<map_signature> waiter) {
  map_wait_.emplace(std::move(waiter));
}

std::optional<wait<mapping_state::map_signature>> mapping_state::take_map_wait() {
  return take(map_wait_);
}

void mapping_state::tell(mapping_event event) {
  if (event.kind == event_kind::removed) {
    removed_ = event.how;
    if (auto waiter = take(release_wait_)) std::move(waiter->operation).complete({}, event.how);
  }
  if (auto waiter = take(event_wait_)) {
    removal_told_ = event.kind == event_kind::removed;
    std::move(waiter->operation).complete({}, std::move(event));
  } else {
    untold_ = untold_ ? merged(*untold_, std::move(event)) : std::move(event);
  }
}

void mapping_state::wait_for_event(wait<event_signature> waiter) {
  if (empty_ || removal_told_) {
    std::move(waiter.operation).complete(make_error_code(errc::closed), {});
  } else if (event_wait_) {
    std::move(waiter.operation).complete(make_error_code(errc::busy), {});
  } else if (untold_) {
    removal_told_ = untold_->kind == event_kind::removed;
    std::move(waiter.operation).complete({}, *std::exchange(untold_, std::nullopt));
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
    std::move(take(event_wait_)->operation).complete(aborted, {});
    return true;
  }
  if (release_wait_ && release_wait_->ticket == ticket) {
    std::move(take(release_wait_)->operation).complete(aborted, {});
    return true;
  }
  return false;
}

void mapping_state::drop_waits() {
  // A handler's destructor may destroy the handle, and what that holds.
  const auto map = take(map_wait_);
  const auto event = take(event_wait_);
  const auto release = take(release_wait_);
}

}  // namespace damson::detail
