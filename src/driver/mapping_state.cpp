#include "driver/mapping_state.hpp"

#include <algorithm>
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

mapping_state::mapping_state(std::shared_ptr<client_state> client, mapping_id id,
                             const map_request& request, endpoint_handler on_change)
    : id_(id),
      client_(std::move(client)),
      watch_(on_change ? std::make_shared<endpoint_watch>(std::move(on_change)) : nullptr),
      parts_(1) {
  parts_.front().info.id = id;
  parts_.front().info.transport = request.transport;
  parts_.front().info.internal.port = request.internal_port;
}

// ---------------------------------------------------------------------------------------------
// Where it stands

/// Of the parts the one that stands for all.
const mapping_part& mapping_state::first() const {
  const auto open = [](const mapping_part& each) { return each.status == mapping_status::open; };
  const auto open_in_v4 = [&](const mapping_part& each) {
    return open(each) && each.info.internal.address.is_v4();
  };
  auto found = std::ranges::find_if(parts_, open_in_v4);
  if (found == parts_.end()) found = std::ranges::find_if(parts_, open);
  return found == parts_.end() ? parts_.front() : *found;
}

mapping_info mapping_state::info() const {
  const std::lock_guard lock{mutex_};
  return first().info;
}

failure mapping_state::why() const {
  const std::lock_guard lock{mutex_};
  const auto has_failed = [](const mapping_part& each) { return each.why.reason != errc{}; };
  const auto has_router = [&](const mapping_part& each) {
    return has_failed(each) && each.why.reason != errc::no_gateway;
  };
  auto found = std::ranges::find_if(parts_, has_router);
  if (found == parts_.end()) found = std::ranges::find_if(parts_, has_failed);
  return found == parts_.end() ? failure{} : found->why;
}

std::vector<protocol_report> mapping_state::report() const {
  const std::lock_guard lock{mutex_};
  return first().report;
}

std::vector<mapping_part> mapping_state::parts() const {
  const std::lock_guard lock{mutex_};
  return parts_;
}

mapping_status mapping_state::status() const {
  const std::lock_guard lock{mutex_};
  for (const auto each : {mapping_status::open, mapping_status::pending, mapping_status::lost}) {
    if (std::ranges::count(parts_, each, &mapping_part::status) != 0) return each;
  }
  return mapping_status::failed;
}

/// A port without an address is nowhere to be reached.
endpoint mapping_state::external() const {
  const std::lock_guard lock{mutex_};
  const mapping_part& told = first();
  const bool is_known =
      told.status == mapping_status::open && !told.info.external.address.is_unspecified();
  return is_known ? told.info.external : endpoint{};
}

bool mapping_state::end_handle(handle_fate how) noexcept {
  if (watch_) watch_->end();
  auto held = handle_fate::held;
  return fate_.compare_exchange_strong(held, how);
}

void mapping_state::note(const mapping_event& event) {
  const std::lock_guard lock{mutex_};
  if (event.kind == event_kind::removed) {
    for (mapping_part& each : parts_) each.status = mapping_status::failed;
    return;
  }
  mapping_part& about = part_of(event.info);
  switch (event.kind) {
    case event_kind::mapped:
      about.why = event.why;
      if (!event.report.empty()) about.report = event.report;
      about.info = event.info;
      about.status = mapping_status::open;
      break;
    case event_kind::changed:
      about.why = event.why;
      about.info = event.info;
      break;
    case event_kind::failed:
      about.info = event.info;
      about.why = event.why;
      about.status = mapping_status::failed;
      break;
    case event_kind::lost:
      about.status = mapping_status::lost;
      if (event.gone) drop(about, event.why);
      break;
    case event_kind::removed:
      break;
  }
}

/// There is one for the mapping as a whole until there are others.
mapping_part& mapping_state::part_of(const mapping_info& info) {
  if (info.part == 0) return parts_.front();
  if (parts_.front().info.part == 0) parts_.clear();
  const auto number = [](const mapping_part& each) { return each.info.part; };
  auto found = std::ranges::lower_bound(parts_, info.part, {}, number);
  if (found == parts_.end() || found->info.part != info.part) {
    found = parts_.insert(found, mapping_part{});
    found->info = info;
  }
  return *found;
}

/// Without any part the mapping is one that has none yet.
void mapping_state::drop(mapping_part& gone, const failure& why) {
  if (parts_.size() == 1) {
    gone.info.part = 0;
    gone.info.internal.address = {};
    gone.info.external = {};
    gone.info.gateway = {};
    gone.info.interface_name = {};
    gone.why = why;
    return;
  }
  parts_.erase(parts_.begin() + (&gone - parts_.data()));
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
    untold_.clear();
    if (auto waiter = take_out(release_wait_)) std::move(waiter->operation).complete({}, event.how);
  }
  if (auto waiter = take_out(event_wait_)) {
    removal_told_ = event.kind == event_kind::removed;
    std::move(waiter->operation).complete({}, std::move(event));
  } else {
    keep(std::move(event));
  }
}

void mapping_state::keep(mapping_event event) {
  const auto before = std::ranges::find_if(
      untold_, [&](const mapping_event& each) { return each.info.part == event.info.part; });
  if (before == untold_.end()) {
    untold_.push_back(std::move(event));
  } else {
    *before = merged(*before, std::move(event));
  }
}

mapping_event mapping_state::take_untold() {
  auto taken = std::move(untold_.front());
  untold_.erase(untold_.begin());
  removal_told_ = taken.kind == event_kind::removed;
  return taken;
}

void mapping_state::wait_for_event(wait<event_signature> waiter) {
  if (empty_ || removal_told_) {
    std::move(waiter.operation).complete(make_error_code(errc::closed), {});
  } else if (event_wait_ || watch_) {
    std::move(waiter.operation).complete(make_error_code(errc::busy), {});
  } else if (has_untold()) {
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
