#pragma once

#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/udp.hpp>

#include <damson/types.hpp>

#include "interop/lab/net_namespace.hpp"
#include "sim/socket_gateway.hpp"

/// What the network of a test looks like.
struct lan_options {
  damson::sim::profile router{};
  /// The host's own address, in a /24 with the router's.
  std::string host_address = "192.168.77.10";
  std::string router_address = "192.168.77.1";
  bool default_route = true;
};

/// A host and its router, each in a network namespace of its own, the router being a gateway model.
/// The thread that makes it is on the host from then on, for good, and so are those that it starts.
class lan {
 public:
  explicit lan(const lan_options& options = {});
  lan(const lan&) = delete;
  lan& operator=(const lan&) = delete;
  ~lan();

  const lab::net_namespace& host() const { return host_; }

  /// Lets something happen to the router.
  void change(const std::function<void(damson::sim::gateway&, damson::time_point now)>& what);
  std::vector<damson::sim::nat_rule> rules();

  /// From now on the router takes everything and says nothing.
  void kill_router();
  /// It is a new one, which knows nothing of what was before.
  void replace_router();

  void add_default_route();

 private:
  void on_router(const std::function<void()>& what);
  damson::sim::gateway model() const;

  lan_options options_;
  lab::net_namespace host_{"the host"};
  lab::net_namespace router_{"the router"};
  boost::asio::io_context io_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{
      io_.get_executor()};
  std::optional<damson::sim::socket_gateway> gateway_;
  std::optional<boost::asio::ip::udp::socket> silence_;
  std::jthread thread_;
};

/// Where the model says that it is on the internet.
inline constexpr const char* public_address = "1.2.3.4";
