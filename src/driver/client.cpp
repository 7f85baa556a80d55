#include <damson/client.hpp>

#include <utility>

#include "driver/client_state.hpp"

namespace damson {

client::client(const boost::asio::any_io_executor& executor, const options& opts)
    : state_(detail::client_state::make(executor, opts)) {}

client::~client() { state_->abandon(); }

boost::asio::any_io_executor client::get_executor() const noexcept { return state_->executor(); }

mapping client::keep_open(const map_request& request) { return state_->keep_open(request); }

void client::start_map(const std::shared_ptr<detail::client_state>& state,
                       const map_request& request, map_handler handler) {
  state->map(request, std::move(handler));
}

void client::start_close(const std::shared_ptr<detail::client_state>& state,
                         close_handler handler) {
  state->close(std::move(handler));
}

}  // namespace damson
