#pragma once

#include <sys/socket.h>

#include <cstring>

#include "lab/net_namespace.hpp"
#include "lab/probe.hpp"
#include "lab/support.hpp"

namespace lab {

/// An address as the socket calls want it, of either family.
struct socket_address {
  template <class Address>
  void put(const Address& address) {
    std::memcpy(&storage, &address, sizeof address);
    length = sizeof address;
  }
  template <class Address>
  Address get() const {
    Address address{};
    std::memcpy(&address, &storage, sizeof address);
    return address;
  }
  // What the socket calls want.
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast)
  sockaddr* pointer() { return reinterpret_cast<sockaddr*>(&storage); }

  sockaddr_storage storage{};
  socklen_t length = sizeof(sockaddr_storage);
};

/// Throws when the address of `where` is none.
socket_address encode(const endpoint& where);
endpoint decode(const socket_address& address);

/// A socket of that host, which does not block.
unique_fd open_socket(const net_namespace& where, int family, transport which);

/// Bound to `wanted` and, for TCP, listening. Port 0 takes a free one.
unique_fd open_server(const net_namespace& where, transport which, const endpoint& wanted);

/// Where a socket is bound.
endpoint bound_to(const unique_fd& socket);

}  // namespace lab
