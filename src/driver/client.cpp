#include <damson/client.hpp>

#include <chrono>
#include <exception>
#include <utility>

#include "base/log.hpp"
#include "driver/client_state.hpp"
#include "driver/own_thread.hpp"

namespace damson {

namespace {

/// What handlers start after the client has closed is waited for so long.
constexpr std::chrono::milliseconds grace{100};

}  // namespace

client::client(const options& opts)
    : thread_(std::make_unique<detail::own_thread>()),
      state_(detail::client_state::make(thread_->executor(), opts)) {}

client::client(const boost::asio::any_io_executor& executor, const options& opts)
    : state_(detail::client_state::make(executor, opts)) {}

client::~client() {
  if (thread_ && thread_->is_current()) {
    state_->log().log(log_level::error,
                      "a client is destroyed on the thread of its own that it has to wait for");
    std::terminate();
  }
  const bool closing = state_->abandon();
  if (!thread_) return;
  if (closing) {
    state_->wait_until_closed();
    thread_->finish(grace);
  }
  thread_.reset();
}

boost::asio::any_io_executor client::get_executor() const noexcept { return state_->executor(); }

mapping client::keep_open(const map_request& request) { return state_->keep_open(request, {}); }

mapping client::keep_open(const map_request& request, endpoint_handler on_change) {
  return state_->keep_open(request, std::move(on_change));
}

std::optional<mapping_status> client::query(mapping_id which) const { return state_->query(which); }

std::size_t client::active_count() const { return state_->active_count(); }

void client::network_changed() { state_->network_changed(); }

void client::start_map(const std::shared_ptr<detail::client_state>& state,
                       const map_request& request, map_handler handler) {
  state->map(request, std::move(handler));
}

void client::start_next_event(const std::shared_ptr<detail::client_state>& state,
                              event_handler handler) {
  state->next_event(std::move(handler));
}

void client::start_discover(const std::shared_ptr<detail::client_state>& state,
                            protocol_filter protocols, discover_handler handler) {
  state->discover(protocols, std::move(handler));
}

void client::start_question(const std::shared_ptr<detail::client_state>& state,
                            const router_question& what, answer_handler handler) {
  state->ask<detail::client_state::answer_signature>(what, std::move(handler));
}

void client::start_question(const std::shared_ptr<detail::client_state>& state,
                            const router_question& what, entries_handler handler) {
  state->ask<detail::client_state::entries_signature>(what, std::move(handler));
}

void client::start_question(const std::shared_ptr<detail::client_state>& state,
                            const router_question& what, entry_handler handler) {
  state->ask<detail::client_state::entry_signature>(what, std::move(handler));
}

void client::start_question(const std::shared_ptr<detail::client_state>& state,
                            const router_question& what, status_handler handler) {
  state->ask<detail::client_state::status_signature>(what, std::move(handler));
}

void client::start_close(const std::shared_ptr<detail::client_state>& state,
                         close_handler handler) {
  state->close(std::move(handler));
}

}  // namespace damson
