#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/udp.hpp>

#include <damson/types.hpp>

#include "sim/gateway.hpp"
#include "sim/socket_gateway.hpp"

namespace damson::cli {

/// Another loopback address at each call, for this process alone as far as chance allows.
ip_address fresh_loopback_address();

/// A simulated router on a loopback address of its own, in a thread of its own.
class test_router {
 public:
  explicit test_router(const sim::profile& how = {});
  test_router(const test_router&) = delete;
  test_router& operator=(const test_router&) = delete;
  ~test_router();

  std::string address() const { return to_string(address_); }
  std::vector<sim::nat_rule> rules();
  void change(const std::function<void(sim::gateway&, time_point now)>& what);

 private:
  void run_inside(const std::function<void()>& what);

  boost::asio::io_context context_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{
      context_.get_executor()};
  ip_address address_;
  std::unique_ptr<sim::socket_gateway> gateway_;
  std::thread thread_;
};

/// A router that takes every datagram and never answers.
class silent_router {
 public:
  silent_router();
  std::string address() const { return to_string(address_); }

 private:
  boost::asio::io_context context_{1};
  ip_address address_ = fresh_loopback_address();
  boost::asio::ip::udp::socket socket_;
};

}  // namespace damson::cli
