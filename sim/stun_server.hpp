#pragma once

/// A STUN server (RFC 8489) as a value: a question in, the answer out. It reads and writes messages
/// by itself, as the routers do.

#include <optional>

#include <damson/types.hpp>

#include "sim/bytes.hpp"
#include "sim/gateway_state.hpp"

namespace damson::sim {

/// Where STUN servers listen (RFC 8489 section 18.6).
inline constexpr std::uint16_t stun_port = 3478;

struct stun_habits {
  bool answers = true;
  /// Answers with 500 instead.
  bool refuses = false;
  /// One of RFC 3489, which says the address as it is, and what else such servers said.
  bool is_old = false;
};

/// The answer to whoever sent `in`, as the server sees the sender. Empty for what is no Binding
/// request, and where it keeps silent.
std::optional<bytes> answer_stun(const stun_habits& how, const datagram& in);

/// Whether it is a Binding request.
bool is_stun_request(std::span<const std::byte> packet);

}  // namespace damson::sim
