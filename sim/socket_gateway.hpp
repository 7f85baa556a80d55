#pragma once

/// A gateway model on real sockets, for demonstrations and for tests of the driver.

#include <functional>
#include <memory>

#include <boost/asio/any_io_executor.hpp>

#include <damson/types.hpp>

#include "sim/gateway.hpp"

namespace damson::sim {

/// Serves UDP port 5351 of the model's LAN address, for instance one in 127.0.0.0/8, and sends its
/// announcements from there to the hosts of that link.
///
/// Everything happens on the executor, which must run one handler at a time; all calls come from
/// there, or while nobody runs it. Its pending operations keep an io_context running until it is
/// destroyed.
class socket_gateway {
 public:
  /// Throws boost::system::system_error when the port cannot be opened.
  socket_gateway(const boost::asio::any_io_executor& executor, gateway model);
  socket_gateway(const socket_gateway&) = delete;
  socket_gateway& operator=(const socket_gateway&) = delete;
  ~socket_gateway();

  /// The model's time: a steady clock of the system.
  static time_point now();

  const gateway& model() const noexcept;

  /// Lets something happen to the router, and sends what it has to say about it.
  void change(const std::function<void(gateway&, time_point now)>& what);

 private:
  class server;
  std::shared_ptr<server> server_;
};

}  // namespace damson::sim
