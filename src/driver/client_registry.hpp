#pragma once

#include <map>
#include <memory>
#include <mutex>

#include <boost/asio/execution_context.hpp>

namespace damson::detail {
class client_state;
}

namespace damson::driver {

/// Knows the clients of one execution context, and takes the context away from them before it ends:
/// clients and mappings may then be destroyed after it.
class client_registry : public boost::asio::execution_context::service {
 public:
  /// By this Asio tells services apart.
  using key_type = client_registry;

  explicit client_registry(boost::asio::execution_context& context);

  void add(const std::shared_ptr<detail::client_state>& client);
  void remove(const detail::client_state* client) noexcept;

 private:
  void shutdown() override;

  std::mutex mutex_;
  std::map<const detail::client_state*, std::weak_ptr<detail::client_state>> clients_;
};

}  // namespace damson::driver
