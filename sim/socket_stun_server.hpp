#pragma once

/// A STUN server on a real port with a thread of its own.

#include <memory>
#include <thread>

#include <boost/asio/io_context.hpp>

#include <damson/types.hpp>

#include "sim/socket_datagrams.hpp"
#include "sim/stun_server.hpp"

namespace damson::sim {

class socket_stun_server {
 public:
  /// A port of 0 means any that is free. Throws boost::system::system_error where it is not to be
  /// had.
  explicit socket_stun_server(const endpoint& at, const stun_habits& how = {});
  socket_stun_server(const socket_stun_server&) = delete;
  socket_stun_server& operator=(const socket_stun_server&) = delete;
  ~socket_stun_server();

  const endpoint& at() const noexcept { return at_; }

 private:
  boost::asio::io_context io_{1};
  endpoint at_;
  stun_habits how_;
  std::unique_ptr<socket_datagrams> port_;  ///< the thread's own
  std::thread thread_;
};

}  // namespace damson::sim
