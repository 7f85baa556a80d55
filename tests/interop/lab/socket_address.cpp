#include "lab/socket_address.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <array>

namespace lab {

socket_address encode(const endpoint& where) {
  socket_address result;
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(where.port);
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(where.port);
  if (::inet_pton(AF_INET, where.address.c_str(), &v4.sin_addr) == 1)
    result.put(v4);
  else if (::inet_pton(AF_INET6, where.address.c_str(), &v6.sin6_addr) == 1)
    result.put(v6);
  else
    throw error("not an address: " + where.address);
  return result;
}

endpoint decode(const socket_address& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address.storage.ss_family == AF_INET6) {
    const auto v6 = address.get<sockaddr_in6>();
    ::inet_ntop(AF_INET6, &v6.sin6_addr, text.data(), text.size());
    return {text.data(), ntohs(v6.sin6_port)};
  }
  const auto v4 = address.get<sockaddr_in>();
  ::inet_ntop(AF_INET, &v4.sin_addr, text.data(), text.size());
  return {text.data(), ntohs(v4.sin_port)};
}

unique_fd open_socket(const net_namespace& where, int family, transport which) {
  const int type =
      (which == transport::tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK;
  return in(where, [&] { return unique_fd(checked(::socket(family, type, 0), "socket")); });
}

unique_fd open_server(const net_namespace& where, transport which, const endpoint& wanted) {
  socket_address local = encode(wanted);
  unique_fd socket = open_socket(where, local.storage.ss_family, which);
  const int on = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  checked(::bind(socket.get(), local.pointer(), local.length), "bind " + to_string(wanted));
  if (which == transport::tcp) checked(::listen(socket.get(), SOMAXCONN), "listen");
  return socket;
}

endpoint bound_to(const unique_fd& socket) {
  socket_address local;
  checked(::getsockname(socket.get(), local.pointer(), &local.length), "getsockname");
  return decode(local);
}

}  // namespace lab
