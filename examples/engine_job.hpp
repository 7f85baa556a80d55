#pragma once

// Endpoints as the socket calls of POSIX want them, for the examples without Asio.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstring>

#include <damson/types.hpp>

/// Room for an address of either family; `length` is what the calls want to know of it.
struct socket_address {
  sockaddr_storage storage{};
  socklen_t length = sizeof(sockaddr_storage);

  sockaddr* get() {
    void* begin = &storage;
    return static_cast<sockaddr*>(begin);
  }
  const sockaddr* get() const {
    const void* begin = &storage;
    return static_cast<const sockaddr*>(begin);
  }
};

inline socket_address to_socket(const damson::endpoint& from) {
  socket_address out;
  if (from.address.is_v4()) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(from.port);
    const auto bytes = from.address.to_v4();
    std::memcpy(&v4.sin_addr, bytes.data(), bytes.size());
    std::memcpy(&out.storage, &v4, out.length = sizeof v4);
  } else {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(from.port);
    v6.sin6_scope_id = from.address.scope();
    const auto& bytes = from.address.to_v6();
    std::memcpy(&v6.sin6_addr, bytes.data(), bytes.size());
    std::memcpy(&out.storage, &v6, out.length = sizeof v6);
  }
  return out;
}

inline damson::endpoint from_socket(const sockaddr* from) {
  if (from->sa_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, from, sizeof v4);
    damson::ip_address::v4_bytes bytes{};
    std::memcpy(bytes.data(), &v4.sin_addr, bytes.size());
    return {.address = damson::ip_address{bytes}, .port = ntohs(v4.sin_port)};
  }
  sockaddr_in6 v6{};
  std::memcpy(&v6, from, sizeof v6);
  damson::ip_address::v6_bytes bytes{};
  std::memcpy(bytes.data(), &v6.sin6_addr, bytes.size());
  return {.address = damson::ip_address{bytes, v6.sin6_scope_id}, .port = ntohs(v6.sin6_port)};
}
