#pragma once

/// A gateway model on real sockets with a thread of its own.

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <damson/types.hpp>

#include "sim/gateway.hpp"
#include "sim/socket_gateway.hpp"

namespace damson::sim {

struct router_settings {
  /// Unset: one in 127.0.0.0/8 on which nobody has such a router.
  std::optional<ip_address> address{};
  /// Unset: no uplink.
  std::optional<ip_address> public_address{};
  std::uint16_t mapping_port = server_port;  ///< 0: any that is free
  /// Whether it hears searches that are sent to the group. On loopback those of everybody are.
  bool joins_group = false;
  /// How long it has been running; one that has just started cannot be seen to start again.
  std::chrono::seconds uptime{0};
  /// Called on the router's thread after anything has happened to it.
  std::function<void()> on_event{};
};

/// All calls are safe from any thread but its own.
class socket_router {
 public:
  using clock = std::chrono::steady_clock;

  /// A web server's port of 0 in the profile means any that is free. Throws
  /// std::system_error when a port cannot be opened.
  explicit socket_router(const profile& how = {}, const router_settings& settings = {});
  socket_router(const socket_router&) = delete;
  socket_router& operator=(const socket_router&) = delete;
  ~socket_router();

  const ip_address& address() const noexcept { return address_; }

  std::vector<nat_rule> rules();
  std::vector<complaint> complaints();

  /// Lets something happen to the router, as `socket_gateway::change`.
  void change(const std::function<void(gateway&, time_point now)>& what);

  /// Calls the function on the router's thread and waits for its end; what it throws comes back.
  void run(const std::function<void(socket_gateway&)>& what);

  /// Waits until the condition holds, which is looked at, on the caller's thread, at once and after
  /// whatever happens to the router. False when it still does not at the end of the time.
  bool wait_until(clock::time_point deadline, const std::function<bool()>& condition);

 private:
  void start(profile how, const router_settings& settings);

  boost::asio::io_context io_{1};
  /// A router without an open port has nothing to wait for, and still has to take changes.
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{
      io_.get_executor()};
  ip_address address_;
  std::unique_ptr<socket_gateway> gateway_;  ///< the thread's own
  std::mutex mutex_;
  std::condition_variable happened_;
  std::uint64_t events_ = 0;  ///< behind the mutex
  std::thread thread_;
};

}  // namespace damson::sim
