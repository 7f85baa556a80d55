#include <damson/mapping.hpp>

#include <utility>

#include <boost/asio/system_executor.hpp>

#include "driver/client_state.hpp"
#include "driver/mapping_state.hpp"

namespace damson {

namespace {

/// For a handle without a client behind it, and so without the client's executor.
template <class Signature, class Handler, class Result>
void complete_closed(Handler handler, Result result) {
  driver::pending_operation<Signature> operation{std::move(handler),
                                                 boost::asio::system_executor{}};
  std::move(operation).complete(make_error_code(errc::closed), std::move(result));
}

}  // namespace

std::string_view to_string(mapping_status value) noexcept {
  switch (value) {
    case mapping_status::pending:
      return "pending";
    case mapping_status::open:
      return "open";
    case mapping_status::failed:
      return "failed";
    case mapping_status::lost:
      return "lost";
  }
  return "unknown status";
}

mapping& mapping::operator=(mapping&& other) noexcept {
  if (this != &other) {
    give_back(false);
    state_ = std::move(other.state_);
    failed_ = other.failed_;
  }
  return *this;
}

mapping::~mapping() { give_back(false); }

void mapping::detach() noexcept { give_back(true); }

void mapping::give_back(bool keep_lease) noexcept {
  if (*this) state_->client()->release(state_, keep_lease);
  state_.reset();
}

mapping_id mapping::id() const noexcept { return *this ? state_->id() : mapping_id::none; }

mapping_status mapping::status() const { return *this ? state_->status() : mapping_status::failed; }

mapping_info mapping::info() const { return *this ? state_->info() : mapping_info{}; }

failure mapping::why() const { return state_ ? state_->why() : failure{}; }

std::vector<protocol_report> mapping::report() const {
  return *this ? state_->report() : std::vector<protocol_report>{};
}

std::vector<mapping_part> mapping::parts() const {
  return state_ ? state_->parts() : std::vector<mapping_part>{};
}

void mapping::start_next_event(const std::shared_ptr<detail::mapping_state>& state,
                               event_handler handler) {
  if (state == nullptr)
    complete_closed<detail::mapping_state::event_signature>(std::move(handler), mapping_event{});
  else
    state->client()->next_event(state, std::move(handler));
}

void mapping::start_release(mapping released, release_handler handler) {
  if (released.state_ == nullptr) {
    complete_closed<detail::mapping_state::release_signature>(std::move(handler), removal{});
    return;
  }
  released.state_->client()->release(released.state_, std::move(handler));
  released.state_.reset();
}

}  // namespace damson
