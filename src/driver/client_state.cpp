#include "driver/client_state.hpp"

#include <algorithm>
#include <utility>

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/query.hpp>
#include <boost/asio/system_executor.hpp>

#include "driver/client_registry.hpp"
#include "driver/os_random.hpp"

namespace damson::detail {

namespace asio = boost::asio;
using driver::pending_operation;
using driver::wait_ticket;

namespace {

mapping_id next_mapping_id() {
  static std::atomic<std::uint64_t> last{0};
  return mapping_id{++last};
}

discovery_id next_discovery_id() {
  static std::atomic<std::uint64_t> last{0};
  return discovery_id{++last};
}

router_question_id next_question_id() {
  static std::atomic<std::uint64_t> last{0};
  return router_question_id{++last};
}

/// Null where the executor is none of an io_context, or an unknown wrapper around one.
asio::io_context* io_context_of(const asio::any_io_executor& executor) {
  using plain = asio::io_context::executor_type;
  if (const auto* own = executor.target<plain>())
    return &asio::query(*own, asio::execution::context);
  if (const auto* strand = executor.target<asio::strand<plain>>())
    return &asio::query(strand->get_inner_executor(), asio::execution::context);
  if (const auto* strand = executor.target<asio::strand<asio::any_io_executor>>())
    return io_context_of(strand->get_inner_executor());
  return nullptr;
}

}  // namespace

// ---------------------------------------------------------------------------------------------
// Life

client_state::context_part::context_part(const asio::any_io_executor& own_executor,
                                         const options& opts, std::shared_ptr<driver::gate> gate)
    : executor(own_executor),
      strand(driver::locking_executor{own_executor, std::move(gate)}),
      pump(strand, opts, driver::random_seed()) {}

client_state::client_state(const asio::any_io_executor& executor, const options& opts)
    : log_(opts.level, opts.log), context_(std::make_unique<context_part>(executor, opts, gate_)) {}

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
  const std::lock_guard lock{context_mutex_};
  return context_ ? context_->executor : asio::any_io_executor{};
}

bool client_state::abandon() noexcept {
  mappings_.close();
  try {
    on_strand(
        [](client_state& self) {
          self.events_.stop_keeping();
          self.begin_close();
        },
        urgency::now_if_stopped);
    return true;
  } catch (...) {
    // Without memory, mappings are released at the context's end, or left to their leases.
    return false;
  }
}

void client_state::wait_until_closed() noexcept {
  over_.wait(false);
  const std::lock_guard lock{context_mutex_};
  context_is_ending_ = true;
}

void client_state::lose_context() {
  std::unique_ptr<context_part> context;
  std::vector<std::shared_ptr<mapping_state>> mappings;
  decltype(discoveries_) discoveries;
  decltype(questions_) questions;
  decltype(close_waits_) close_waits;
  {
    const std::lock_guard gate{*gate_};
    mappings_.close();
    mappings = mappings_.take_all();
    std::vector<mapping_id> to_keep;
    for (const auto& each : mappings) {
      if (each->fate() == handle_fate::detached) to_keep.push_back(each->id());
    }
    if (context_) context_->pump.say_last_words(to_keep);
    const std::lock_guard lock{context_mutex_};
    context = std::move(context_);
    discoveries = std::exchange(discoveries_, {});
    questions = std::exchange(questions_, {});
    close_waits = std::exchange(close_waits_, {});
    registry_ = nullptr;
  }
  const auto event_wait = [&] {
    const std::lock_guard gate{*gate_};
    return events_.take_wait();
  }();
  // What nobody was told keeps mappings alive, and they this.
  const auto untold = [&] {
    const std::lock_guard gate{*gate_};
    return events_.take_kept();
  }();
  // Destroyed last to first. The handlers among it may own clients and mappings of their own, whose
  // destructors find the context gone already.
  for (const auto& each : mappings) each->drop_waits();
}

// ---------------------------------------------------------------------------------------------
// Getting to the strand

bool client_state::is_stopped() const {
  const auto* context = io_context_of(context_->executor);
  // Within the strand, somebody does run it.
  return context != nullptr && context->stopped() && !context_->strand.running_in_this_thread();
}

template <class Function>
void client_state::on_strand(Function function, urgency when) {
  {
    const std::lock_guard lock{context_mutex_};
    if (!context_ && !context_is_ending_) return;
    if (!context_is_ending_ && !(when == urgency::now_if_stopped && is_stopped())) {
      asio::post(context_->strand, [self = shared_from_this(),
                                    function = std::move(function)]() mutable { function(*self); });
      return;
    }
  }
  const std::lock_guard lock{*gate_};
  function(*this);
}

/// The same for a function that takes up a wait.
template <class Signature, class Function>
void client_state::start(wait_ticket ticket, handler_of<Signature> handler, Function function,
                         urgency when) {
  std::unique_lock lock{context_mutex_};
  if (!context_ && !context_is_ending_) return;
  const bool here = context_is_ending_ || (when == urgency::now_if_stopped && is_stopped());
  wait<Signature> waiter{
      ticket,
      {std::move(handler),
       context_is_ending_ ? asio::any_io_executor{asio::system_executor{}} : context_->executor}};
  if (here) {
    lock.unlock();
    const std::lock_guard gate{*gate_};
    function(*this, std::move(waiter));
  } else {
    asio::post(context_->strand,
               [self = shared_from_this(), function = std::move(function),
                waiter = std::move(waiter)]() mutable { function(*self, std::move(waiter)); });
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

wait_ticket client_state::next_ticket() {
  static std::atomic<std::uint64_t> last{0};
  return wait_ticket{++last};
}

void client_state::put(input what) {
  if (context_) context_->pump.put(std::move(what));
}

// ---------------------------------------------------------------------------------------------
// Asking for ports

void client_state::map(const map_request& request,
                       handler_of<mapping_state::map_signature> handler) {
  const auto state =
      std::make_shared<mapping_state>(shared_from_this(), next_mapping_id(), request);
  on_cancel(handler, [id = state->id()](client_state& self) { self.cancel_map(id); });
  mappings_.add(state);
  try {
    start<mapping_state::map_signature>(
        next_ticket(), std::move(handler),
        [state, request](client_state& self, wait<mapping_state::map_signature> waiter) {
          self.begin_map(state, request, std::move(waiter));
        });
  } catch (...) {
    mappings_.take(state->id());
    throw;
  }
}

void client_state::begin_map(const std::shared_ptr<mapping_state>& state,
                             const map_request& request,
                             wait<mapping_state::map_signature> waiter) {
  if (closing_ || !mappings_.find(state->id())) {
    mappings_.take(state->id());
    std::move(waiter.operation).complete(make_error_code(errc::closed), {});
    return;
  }
  state->wait_for_grant(std::move(waiter));
  put(create_mapping{state->id(), request});
}

mapping client_state::keep_open(const map_request& request, endpoint_handler on_change) {
  const auto state = std::make_shared<mapping_state>(shared_from_this(), next_mapping_id(), request,
                                                     std::move(on_change));
  mappings_.add(state);
  try {
    on_strand([state, request](client_state& self) { self.begin_keeping(state, request); });
  } catch (...) {
    mappings_.take(state->id());
    throw;
  }
  return mapping{state, false};
}

/// The client may have been closed meanwhile, and on a stopped context the handle's end have
/// overtaken its beginning.
void client_state::begin_keeping(const std::shared_ptr<mapping_state>& state,
                                 const map_request& request) {
  if (closing_ || state->fate() != handle_fate::held || !mappings_.find(state->id())) {
    mappings_.take(state->id());
    mapping_event over;
    over.kind = event_kind::removed;
    over.info = state->info();
    over.how = removal::already_gone;
    state->note(over);
    tell(state, std::move(over));
    return;
  }
  put(create_mapping{state->id(), request});
}

void client_state::cancel_map(mapping_id id) {
  const auto state = mappings_.find(id);
  if (!state) return;
  if (auto waiter = state->take_map_wait()) {
    state->give_up();
    std::move(waiter->operation).complete(asio::error::operation_aborted, {});
    put(release_mapping{id});
  }
}

void client_state::release(const std::shared_ptr<mapping_state>& what,
                           handler_of<mapping_state::release_signature> handler) {
  what->end_handle(handle_fate::released);
  const auto ticket = next_ticket();
  on_cancel(handler, [weak = std::weak_ptr{what}, ticket](client_state&) {
    if (const auto state = weak.lock()) state->cancel(ticket);
  });
  start<mapping_state::release_signature>(
      ticket, std::move(handler),
      [what](client_state& self, wait<mapping_state::release_signature> waiter) {
        what->wait_for_removal(std::move(waiter));
        self.let_go(*what, false);
      },
      urgency::now_if_stopped);
}

/// Without the memory to post, a mapping stays until its client closes, and then until its lease
/// ends.
void client_state::release(const std::shared_ptr<mapping_state>& what, bool keep_lease) noexcept {
  what->end_handle(keep_lease ? handle_fate::detached : handle_fate::released);
  try {
    on_strand([what, keep_lease](client_state& self) { self.let_go(*what, keep_lease); },
              urgency::now_if_stopped);
  } catch (...) {
    return;
  }
}

void client_state::let_go(mapping_state& what, bool keep_lease) {
  events_.on_handle_gone(what);
  put(release_mapping{what.id(), keep_lease});
}

// ---------------------------------------------------------------------------------------------
// What happens

void client_state::on_event(mapping_event event) {
  const auto id = event.info.id;
  const auto state = event.kind == event_kind::removed ? mappings_.take(id) : mappings_.find(id);
  if (!state) return;
  state->note(event);
  if (!state->is_waited_for()) return tell(state, std::move(event));
  // The other parts have to have their say.
  if (event.awaited != 0 && event.kind != event_kind::removed) return;
  first_result(state, std::move(*state->take_map_wait()), event.kind);
}

void client_state::first_result(const std::shared_ptr<mapping_state>& state,
                                wait<mapping_state::map_signature> waiter, event_kind kind) {
  if (kind == event_kind::removed) {
    std::move(waiter.operation).complete(make_error_code(errc::closed), {});
  } else if (state->status() == mapping_status::open) {
    std::move(waiter.operation).complete({}, mapping{state, false});
  } else {
    const auto reason = make_error_code(state->why().reason);
    state->give_up();
    std::move(waiter.operation).complete(reason, mapping{state, true});
    // The engine would try for ever; the handle is empty.
    put(release_mapping{state->id()});
  }
}

void client_state::tell(const std::shared_ptr<mapping_state>& of, mapping_event event) {
  if (auto* watch = of->watch()) {
    if (context_) watch->note(of->external(), context_->executor);
    if (event.kind != event_kind::removed) return;
  }
  events_.tell(of, std::move(event));
}

void client_state::next_event(handler_of<mapping_state::event_signature> handler) {
  const auto ticket = next_ticket();
  on_cancel(handler, [ticket](client_state& self) { self.events_.cancel(ticket); });
  start<mapping_state::event_signature>(
      ticket, std::move(handler),
      [](client_state& self, wait<mapping_state::event_signature> waiter) {
        self.events_.wait_for_any(std::move(waiter));
      });
}

void client_state::next_event(const std::shared_ptr<mapping_state>& of,
                              handler_of<mapping_state::event_signature> handler) {
  const auto ticket = next_ticket();
  on_cancel(handler, [weak = std::weak_ptr{of}, ticket](client_state&) {
    if (const auto state = weak.lock()) state->cancel(ticket);
  });
  start<mapping_state::event_signature>(
      ticket, std::move(handler),
      [of](client_state& self, wait<mapping_state::event_signature> waiter) {
        self.events_.wait_for(of, std::move(waiter));
      });
}

void client_state::network_changed() {
  on_strand([](client_state& self) {
    if (self.context_) self.context_->pump.look();
  });
}

// ---------------------------------------------------------------------------------------------
// Who is there

void client_state::discover(protocol_filter protocols, handler_of<discover_signature> handler) {
  const auto id = next_discovery_id();
  on_cancel(handler, [id](client_state& self) { self.cancel_discovery(id); });
  start<discover_signature>(next_ticket(), std::move(handler),
                            [id, protocols](client_state& self, wait<discover_signature> waiter) {
                              self.begin_discovery(id, protocols, std::move(waiter));
                            });
}

void client_state::begin_discovery(discovery_id id, protocol_filter protocols,
                                   wait<discover_signature> waiter) {
  if (closing_) {
    std::move(waiter.operation).complete(make_error_code(errc::closed), {});
    return;
  }
  discoveries_.emplace(id, std::move(waiter));
  put(damson::discover{id, protocols});
}

void client_state::on_discovered(discovered result) {
  auto waiter = take_discovery(result.id);
  if (!waiter) return;
  error_code error;
  if (result.found.gateway.is_unspecified()) error = make_error_code(errc::no_gateway);
  std::move(waiter->operation).complete(error, std::move(result.found));
}

void client_state::cancel_discovery(discovery_id id) {
  if (auto waiter = take_discovery(id)) {
    std::move(waiter->operation).complete(asio::error::operation_aborted, {});
    put(damson::cancel_discovery{id});
  }
}

std::optional<wait<client_state::discover_signature>> client_state::take_discovery(
    discovery_id id) {
  std::optional<wait<discover_signature>> taken;
  if (const auto found = discoveries_.find(id); found != discoveries_.end()) {
    taken.emplace(std::move(found->second));
    discoveries_.erase(found);
  }
  return taken;
}

// ---------------------------------------------------------------------------------------------
// Questions after the router; what becomes of them stands in client_questions.cpp

template <class Signature>
void client_state::ask(const router_question& what, handler_of<Signature> handler) {
  const auto id = next_question_id();
  on_cancel(handler, [id](client_state& self) { self.cancel_question(id); });
  start<Signature>(next_ticket(), std::move(handler),
                   [id, what](client_state& self, wait<Signature> waiter) {
                     self.begin_question(id, what, std::move(waiter));
                   });
}

template void client_state::ask<client_state::answer_signature>(const router_question&,
                                                                handler_of<answer_signature>);
template void client_state::ask<client_state::entries_signature>(const router_question&,
                                                                 handler_of<entries_signature>);
template void client_state::ask<client_state::entry_signature>(const router_question&,
                                                               handler_of<entry_signature>);
template void client_state::ask<client_state::status_signature>(const router_question&,
                                                                handler_of<status_signature>);

// ---------------------------------------------------------------------------------------------
// The end

void client_state::close(handler_of<close_signature> handler) {
  mappings_.close();
  const auto ticket = next_ticket();
  on_cancel(handler, [ticket](client_state& self) { self.cancel_close(ticket); });
  start<close_signature>(
      ticket, std::move(handler), [](client_state& self, wait<close_signature> waiter) {
        if (self.over_) {
          std::move(waiter.operation).complete({});
          return;
        }
        self.close_waits_.push_back(std::make_unique<wait<close_signature>>(std::move(waiter)));
        self.begin_close();
      });
}

void client_state::begin_close() {
  const bool at_once = context_ && is_stopped();
  if (closing_) {
    if (at_once) put(close_engine{.at_once = true});
    return;
  }
  closing_ = true;
  for (const auto& each : mappings_.all()) {
    if (auto waiter = each->take_map_wait()) {
      each->give_up();
      std::move(waiter->operation).complete(make_error_code(errc::closed), {});
    }
    // Its own function may come later, when the context was stopped.
    if (each->fate() == handle_fate::detached) put(release_mapping{each->id(), true});
  }
  for (auto& [id, waiter] : std::exchange(discoveries_, {})) {
    std::move(waiter.operation).complete(make_error_code(errc::closed), {});
    put(damson::cancel_discovery{id});
  }
  for (auto& [id, waiter] : std::exchange(questions_, {})) {
    complete(std::move(waiter), make_error_code(errc::closed), {});
    put(cancel_router_question{id});
  }
  put(close_engine{.at_once = at_once});
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
  // What was asked for and has not begun finds the client closed.
  mappings_.take_all();
  for (const auto& waiter : std::exchange(close_waits_, {}))
    std::move(waiter->operation).complete({});
  events_.close();
  over_ = true;
  over_.notify_all();
}

}  // namespace damson::detail
