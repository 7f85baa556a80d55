#include "driver/client_state.hpp"

#include <algorithm>
#include <utility>

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/query.hpp>

#include "driver/client_registry.hpp"
#include "driver/os_random.hpp"

namespace damson::detail {

namespace asio = boost::asio;
using driver::pending_operation;
using driver::wait_ticket;

client_state::context_part::context_part(const asio::any_io_executor& own_executor,
                                         const options& opts)
    : executor(own_executor),
      strand(asio::make_strand(own_executor)),
      pump(strand, opts, driver::random_seed()) {}

client_state::client_state(const asio::any_io_executor& executor, const options& opts)
    : context_(std::make_unique<context_part>(executor, opts)) {}

std::shared_ptr<client_state> client_state::make(const asio::any_io_executor& executor,
                                                 const options& opts) {
  auto& context = asio::query(executor, asio::execution::context);
  auto& registry = asio::use_service<driver::client_registry>(context);
  std::shared_ptr<client_state> state{new client_state{executor, opts}};
  state->context_->pump.attach(state);
  registry.add(state);
  state->registry_ = &registry;
  return state;
}

client_state::~client_state() {
  if (registry_ != nullptr) registry_->remove(this);
}

asio::any_io_executor client_state::executor() const noexcept {
  return context_ ? context_->executor : asio::any_io_executor{};
}

template <class Function>
void client_state::on_strand(Function function) {
  if (!context_) return;
  asio::post(context_->strand, [self = shared_from_this(),
                                function = std::move(function)]() mutable { function(*self); });
}

/// For destructors. Without the memory to post, a mapping stays until its client closes, and then
/// until its lease ends.
template <class Function>
void client_state::on_strand_if_possible(Function function) noexcept {
  try {
    on_strand(std::move(function));
  } catch (...) {
    return;
  }
}

/// The slot keeps its function beyond the operation, so it must hold nothing alive and has to find
/// nothing left to cancel.
template <class Handler, class Function>
void client_state::on_cancel(const Handler& handler, const Function& function) {
  auto slot = asio::get_associated_cancellation_slot(handler);
  if (!slot.is_connected()) return;
  slot.assign([weak = weak_from_this(), function](asio::cancellation_type type) {
    if (type == asio::cancellation_type::none) return;
    if (const auto self = weak.lock()) self->on_strand(function);
  });
}

wait_ticket client_state::next_ticket() { return wait_ticket{++last_ticket_}; }

void client_state::map(const map_request& request,
                       pending_operation<mapping_state::map_signature>::handler_type handler) {
  if (!context_) return;
  const mapping_id id{++last_mapping_};
  on_cancel(handler, [id](client_state& self) { self.cancel_map(id); });
  on_strand([id, request,
             waiter = wait<mapping_state::map_signature>{
                 next_ticket(), {std::move(handler), executor()}}](client_state& self) mutable {
    self.begin_map(id, request, std::move(waiter));
  });
}

void client_state::begin_map(mapping_id id, const map_request& request,
                             wait<mapping_state::map_signature> waiter) {
  if (closing_) {
    std::move(waiter.operation).complete(make_error_code(errc::closed), {});
    return;
  }
  const auto state = std::make_shared<mapping_state>(shared_from_this(), id);
  state->wait_for_grant(std::move(waiter));
  mappings_.emplace(id, state);
  context_->pump.put(create_mapping{id, request});
}

mapping client_state::keep_open(const map_request& request) {
  const mapping_id id{++last_mapping_};
  const auto state = std::make_shared<mapping_state>(shared_from_this(), id, request);
  on_strand([state, request](client_state& self) { self.begin_keeping(state, request); });
  return mapping{state, false};
}

void client_state::begin_keeping(const std::shared_ptr<mapping_state>& state,
                                 const map_request& request) {
  if (closing_) {
    mapping_event over;
    over.kind = event_kind::removed;
    over.info = state->info();
    over.how = removal::already_gone;
    state->tell(std::move(over));
    return;
  }
  mappings_.emplace(state->id(), state);
  context_->pump.put(create_mapping{state->id(), request});
}

void client_state::cancel_map(mapping_id id) {
  const auto found = mappings_.find(id);
  if (found == mappings_.end()) return;
  if (auto waiter = found->second->take_map_wait()) {
    std::move(waiter->operation).complete(asio::error::operation_aborted, {});
    context_->pump.put(release_mapping{id});
  }
}

void client_state::on_event(mapping_event event) {
  const auto found = mappings_.find(event.info.id);
  if (found == mappings_.end()) return;
  const auto state = found->second;
  if (event.kind == event_kind::removed) mappings_.erase(found);
  state->note(event);
  if (auto waiter = state->take_map_wait())
    first_result(state, std::move(*waiter), event);
  else
    state->tell(std::move(event));
}

void client_state::first_result(const std::shared_ptr<mapping_state>& state,
                                wait<mapping_state::map_signature> waiter,
                                const mapping_event& event) {
  switch (event.kind) {
    case event_kind::mapped:
      std::move(waiter.operation).complete({}, mapping{state, false});
      break;
    case event_kind::failed: {
      const auto reason = make_error_code(event.why.reason);
      state->give_up();
      std::move(waiter.operation).complete(reason, mapping{state, true});
      // The engine would try for ever; the handle is empty.
      context_->pump.put(release_mapping{state->id()});
      break;
    }
    case event_kind::removed:
      std::move(waiter.operation).complete(make_error_code(errc::closed), {});
      break;
    case event_kind::changed:
    case event_kind::lost:
      state->wait_for_grant(std::move(waiter));
      break;
  }
}

void client_state::next_event(
    const std::shared_ptr<mapping_state>& of,
    pending_operation<mapping_state::event_signature>::handler_type handler) {
  if (!context_) return;
  const auto ticket = next_ticket();
  on_cancel(handler, [weak = std::weak_ptr{of}, ticket](client_state&) {
    if (const auto state = weak.lock()) state->cancel(ticket);
  });
  on_strand(
      [of, waiter = wait<mapping_state::event_signature>{ticket, {std::move(handler), executor()}}](
          client_state&) mutable { of->wait_for_event(std::move(waiter)); });
}

void client_state::release(
    const std::shared_ptr<mapping_state>& what,
    pending_operation<mapping_state::release_signature>::handler_type handler) {
  if (!context_) return;
  const auto ticket = next_ticket();
  on_cancel(handler, [weak = std::weak_ptr{what}, ticket](client_state&) {
    if (const auto state = weak.lock()) state->cancel(ticket);
  });
  on_strand([what, waiter = wait<mapping_state::release_signature>{
                       ticket, {std::move(handler), executor()}}](client_state& self) mutable {
    what->wait_for_removal(std::move(waiter));
    self.context_->pump.put(release_mapping{what->id()});
  });
}

void client_state::release(mapping_id what, bool keep_lease) noexcept {
  on_strand_if_possible([what, keep_lease](client_state& self) {
    self.context_->pump.put(release_mapping{what, keep_lease});
  });
}

void client_state::close(pending_operation<close_signature>::handler_type handler) {
  if (!context_) return;
  const auto ticket = next_ticket();
  on_cancel(handler, [ticket](client_state& self) { self.cancel_close(ticket); });
  on_strand([waiter = std::make_unique<wait<close_signature>>(
                 ticket, pending_operation<close_signature>{std::move(handler), executor()})](
                client_state& self) mutable {
    if (self.closed_) {
      std::move(waiter->operation).complete({});
      return;
    }
    self.close_waits_.push_back(std::move(waiter));
    self.begin_close();
  });
}

void client_state::abandon() noexcept {
  on_strand_if_possible([](client_state& self) { self.begin_close(); });
}

void client_state::begin_close() {
  if (closing_) return;
  closing_ = true;
  for (const auto& [id, state] : mappings_) {
    if (auto waiter = state->take_map_wait())
      std::move(waiter->operation).complete(make_error_code(errc::closed), {});
  }
  context_->pump.put(close_engine{});
}

void client_state::cancel_close(wait_ticket ticket) {
  const auto found = std::ranges::find_if(
      close_waits_, [ticket](const auto& waiter) { return waiter->ticket == ticket; });
  if (found == close_waits_.end()) return;
  const auto waiter = std::move(*found);
  close_waits_.erase(found);
  std::move(waiter->operation).complete(asio::error::operation_aborted);
}

void client_state::on_engine_closed() {
  closed_ = true;
  for (const auto& waiter : std::exchange(close_waits_, {}))
    std::move(waiter->operation).complete({});
}

void client_state::lose_context() {
  // Destroyed last to first. The handlers among it may own clients and mappings of their own, whose
  // destructors find the context gone already.
  const auto context = std::move(context_);
  const auto mappings = std::exchange(mappings_, {});
  const auto close_waits = std::exchange(close_waits_, {});
  registry_ = nullptr;
  for (const auto& [id, state] : mappings) state->drop_waits();
}

}  // namespace damson::detail
