#pragma once

#include <functional>
#include <future>
#include <optional>
#include <thread>
#include <vector>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/udp.hpp>

#include <damson/options.hpp>
#include <damson/types.hpp>

#include "sim/socket_gateway.hpp"

/// A loopback address that no other test program uses at the same time, and that this one was not
/// given before.
damson::ip_address unused_loopback_address();

/// Options of a client of the router with this address. DAMSON_VERBOSE=1 in the environment shows
/// the client's log.
damson::options options_for(const damson::ip_address& router);

/// A strict gateway model on a loopback address of its own, run by a thread of its own, so that
/// tests may run their io_context to its end.
class test_router {
 public:
  explicit test_router(const damson::sim::profile& how = {});
  test_router(const test_router&) = delete;
  test_router& operator=(const test_router&) = delete;
  ~test_router();

  const damson::ip_address& address() const noexcept { return address_; }
  damson::options options() const { return options_for(address_); }

  std::vector<damson::sim::nat_rule> rules();
  std::vector<damson::sim::complaint> complaints();

  /// Lets something happen to the router.
  void change(const std::function<void(damson::sim::gateway&, damson::time_point now)>& what);

 private:
  damson::ip_address address_;
  boost::asio::io_context io_;
  /// A router without an open port has nothing to wait for, and still has to take changes.
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{
      io_.get_executor()};
  std::optional<damson::sim::socket_gateway> gateway_;
  std::thread thread_;
};

/// Takes everything and says nothing.
class silent_router {
 public:
  silent_router();

  damson::options options() const { return options_for(address_); }
  bool was_asked() const { return socket_.available() > 0; }

 private:
  damson::ip_address address_;
  boost::asio::io_context io_;
  boost::asio::ip::udp::socket socket_;
};

/// Where the model says that it is on the internet.
extern const damson::ip_address router_public_address;

/// The mapping that most tests ask for.
inline constexpr damson::map_request request_for_8080{.transport = damson::transport::tcp,
                                                      .internal_port = 8080};
