#pragma once

#include <functional>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/udp.hpp>

#include <damson/types.hpp>

#include "sim/socket_router.hpp"

namespace damson::cli {

/// Another loopback address at each call, for this process alone as far as chance allows.
ip_address fresh_loopback_address();

/// A simulated router on a loopback address of its own.
class test_router {
 public:
  explicit test_router(const sim::profile& how = {})
      : router_(how, {.public_address = ip_address{ip_address::v4_bytes{1, 2, 3, 4}}}) {}

  std::string address() const { return to_string(router_.address()); }
  std::vector<sim::nat_rule> rules() { return router_.rules(); }
  void change(const std::function<void(sim::gateway&, time_point now)>& what) {
    router_.change(what);
  }

 private:
  sim::socket_router router_;
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
