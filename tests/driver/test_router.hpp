#pragma once

#include <functional>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/udp.hpp>

#include <damson/options.hpp>
#include <damson/types.hpp>

#include "sim/socket_router.hpp"

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

  const damson::ip_address& address() const noexcept { return router_.address(); }
  damson::options options() const { return options_for(address()); }

  std::vector<damson::sim::nat_rule> rules() { return router_.rules(); }
  std::vector<damson::sim::complaint> complaints() { return router_.complaints(); }

  /// Lets something happen to the router.
  void change(const std::function<void(damson::sim::gateway&, damson::time_point now)>& what) {
    router_.change(what);
  }

 private:
  damson::sim::socket_router router_;
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
