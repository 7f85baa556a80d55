#pragma once

#include <future>
#include <memory>
#include <thread>
#include <vector>

#include <boost/asio/io_context.hpp>

#include <damson/types.hpp>

#include "sim/socket_gateway.hpp"

/// A simulated router in a network namespace of its own, at the other end of a cable that the
/// default route of this one leads to. For programs that take no router's address. To be made in a
/// new network
/// (`in_new_network`).
class routed_network {
 public:
  routed_network();
  routed_network(const routed_network&) = delete;
  routed_network& operator=(const routed_network&) = delete;
  ~routed_network();

  std::vector<damson::sim::nat_rule> rules();

 private:
  void serve(std::promise<int> is_apart, std::future<void> has_cable, std::promise<void> is_ready);

  boost::asio::io_context io_;
  std::unique_ptr<damson::sim::socket_gateway> gateway_;  ///< the thread's own
  std::thread thread_;
};
