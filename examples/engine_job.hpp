#pragma once

// What the examples that drive the engine themselves have in common beside the engine: sockets of
// POSIX, the facts of the system, and when the job is done.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <optional>
#include <random>
#include <system_error>
#include <variant>

#include <damson/engine.hpp>
#include <damson/network.hpp>
#include <damson/types.hpp>

#include "job.hpp"

/// The only mapping there is.
inline constexpr damson::mapping_id the_port{1};

/// The longest datagram that the engine takes, and a byte by which a longer one is seen.
using datagram_buffer = std::array<std::byte, damson::engine_limits::search_answer_bytes + 1>;

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

/// A socket that does not block; -1 where there is none to be had. Neither are there any for
/// searches, nor for announcements of the router, which only save time.
inline int open_socket(const damson::open_channel& order) {
  const auto* wanted = std::get_if<damson::connected_channel>(&order.what);
  if (wanted == nullptr) return -1;
  const auto local = to_socket({.address = wanted->local, .port = 0});
  const auto remote = to_socket(wanted->remote);
  const int out = ::socket(remote.storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (out < 0) return -1;
  const bool is_bound =
      wanted->local.is_unspecified() || ::bind(out, local.get(), local.length) == 0;
  if (is_bound && ::connect(out, remote.get(), remote.length) == 0) return out;
  ::close(out);
  return -1;
}

inline damson::endpoint local_endpoint(int socket) {
  socket_address out;
  ::getsockname(socket, out.get(), &out.length);
  return from_socket(out.get());
}

/// What an `errno` of a connected socket means.
inline damson::channel_error channel_error_of(int error) {
  return error == ECONNREFUSED ? damson::channel_error::refused
                               : damson::channel_error::unreachable;
}

inline std::array<std::uint64_t, 4> random_seed() {
  std::random_device source;
  std::array<std::uint64_t, 4> out{};
  for (auto& word : out) word = std::uint64_t{source()} << 32U | source();
  return out;
}

/// How long to wait, in milliseconds: rounded up, so that nobody wakes just before; -1: for ever.
inline int wait_for(const std::optional<damson::time_point>& deadline) {
  if (!deadline) return -1;
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(*deadline - damson::boot_time_now());
  return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 3'600'000));
}

/// Answers the orders of the engine that have nothing to do with the loop, and says what becomes of
/// the port.
class engine_job {
 public:
  explicit engine_job(const job& work) : once_(work.once) {}

  static std::optional<damson::input> answer(damson::look_at_network /*order*/) {
    std::error_code error;
    damson::network_changed out{damson::read_network_facts(error)};
    if (error) std::cerr << "cannot read routes and addresses: " << error.message() << '\n';
    return out;
  }

  static std::optional<damson::input> answer(const damson::send_http& order) {
    return damson::http_failed{order.id, damson::http_error::unreachable};
  }

  /// The engine has nothing more to do when the port is open and that was all, or when it cannot be
  /// opened; by itself it would go on trying.
  std::optional<damson::input> answer(const damson::mapping_event& event) {
    if (event.kind != damson::event_kind::removed || opened_) tell(event);
    if (event.kind == damson::event_kind::mapped) opened_ = true;
    const bool is_over = opened_ ? once_ : event.kind == damson::event_kind::failed;
    return is_over ? std::optional<damson::input>{damson::close_engine{}} : std::nullopt;
  }

  /// The end of exchanges and discoveries, which never began.
  static std::optional<damson::input> answer(const auto& /*order*/) { return std::nullopt; }

  int exit_status() const { return opened_ ? EXIT_SUCCESS : EXIT_FAILURE; }

 private:
  bool once_;
  bool opened_ = false;
};
