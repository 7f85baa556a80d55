#pragma once

/// A gateway model on real sockets, for demonstrations and for tests of the driver.

#include <functional>
#include <memory>

#include <boost/asio/any_io_executor.hpp>

#include <damson/types.hpp>

#include "sim/gateway.hpp"

namespace damson::sim {

/// Serves, at the model's LAN address, for instance one in 127.0.0.0/8: UDP port 5351, unless the
/// profile has it closed from the beginning; and where the profile speaks UPnP UDP port 1900, also
/// for the group if it can be joined on that interface, and the model's web server. Sends the
/// announcements from there to the hosts of that link.
///
/// Everything happens on the executor, which must run one handler at a time; all calls come from
/// there, or while nobody runs it. Its pending operations keep an io_context running until it is
/// destroyed.
class socket_gateway {
 public:
  /// Throws boost::system::system_error when a port cannot be opened. Where it is the web server's,
  /// and taken, the model starts again on the next one, if its profile lets that move.
  socket_gateway(const boost::asio::any_io_executor& executor, gateway model);
  socket_gateway(const socket_gateway&) = delete;
  socket_gateway& operator=(const socket_gateway&) = delete;
  ~socket_gateway();

  /// The model's time: a steady clock of the system.
  static time_point now();

  const gateway& model() const noexcept;

  /// Lets something happen to the router, and sends what it has to say about it. A restart cuts
  /// the web server's connections. Throws as the constructor does.
  void change(const std::function<void(gateway&, time_point now)>& what);

 private:
  class server;
  std::shared_ptr<server> server_;
};

}  // namespace damson::sim
