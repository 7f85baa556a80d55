#include "driver/client_registry.hpp"

#include <utility>

#include "driver/client_state.hpp"

namespace damson::driver {

client_registry::client_registry(boost::asio::execution_context& context) : service(context) {}

void client_registry::add(const std::shared_ptr<detail::client_state>& client) {
  const std::lock_guard lock{mutex_};
  clients_.emplace(client.get(), client);
}

void client_registry::remove(const detail::client_state* client) noexcept {
  const std::lock_guard lock{mutex_};
  clients_.erase(client);
}

void client_registry::shutdown() {
  decltype(clients_) clients;
  {
    const std::lock_guard lock{mutex_};
    clients.swap(clients_);
  }
  for (const auto& [address, entry] : clients) {
    if (const auto client = entry.lock()) client->lose_context();
  }
}

}  // namespace damson::driver
