#pragma once

/// One UDP port of a gateway model.

#include <cstdint>
#include <functional>
#include <memory>

#include <boost/asio/any_io_executor.hpp>
#include <boost/system/error_code.hpp>

#include <damson/types.hpp>

#include "sim/gateway_state.hpp"

namespace damson::sim {

/// Receives until it is destroyed. Everything happens on the executor, which must run one handler
/// at a time; all calls come from there, or while nobody runs it.
class socket_datagrams {
 public:
  using receiver = std::function<void(const datagram& in)>;
  using error_code = boost::system::error_code;

  /// A port of the router's own, 0 for any that is free; what it sends to groups leaves on the
  /// interface with that address. `shared` where other programs of the host may have the same port
  /// of all addresses. Null, with an error, where it is not to be had.
  static std::unique_ptr<socket_datagrams> open(const boost::asio::any_io_executor& executor,
                                                const endpoint& here, bool shared, receiver receive,
                                                error_code& error);

  /// What is sent to a group on the interface with the address `lan`.
  static std::unique_ptr<socket_datagrams> join(const boost::asio::any_io_executor& executor,
                                                const endpoint& group, const ip_address& lan,
                                                receiver receive, error_code& error);

  ~socket_datagrams();
  socket_datagrams(const socket_datagrams&) = delete;
  socket_datagrams& operator=(const socket_datagrams&) = delete;

  /// The port that it has.
  std::uint16_t number() const noexcept;

  /// What does not go out is lost, as on any network.
  void send(const datagram& what);

 private:
  class port;
  explicit socket_datagrams(std::shared_ptr<port> made);

  std::shared_ptr<port> port_;
};

}  // namespace damson::sim
