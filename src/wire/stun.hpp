#pragma once

/// The messages of STUN (RFC 8489) that ask a server from where it sees us, as values.
///
/// No state: whether an answer was asked for is its reader's business.

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <vector>

#include <damson/types.hpp>

#include "wire/decode_error.hpp"

namespace damson {

inline constexpr std::size_t stun_header_bytes = 20;     ///< RFC 8489 section 5
inline constexpr std::size_t stun_message_bytes = 1100;  ///< our own limit, as of PCP

/// What an answer is known by (RFC 8489 section 5): never twice the same, and not to be guessed.
struct stun_transaction {
  std::array<std::byte, 12> bytes{};

  friend bool operator==(const stun_transaction&, const stun_transaction&) = default;
};

/// A Binding request without attributes: twenty bytes.
std::vector<std::byte> encode_stun_request(const stun_transaction& of);

/// A Binding success or error response.
struct stun_response {
  stun_transaction of{};
  /// The sender of the request as the server saw it; empty in an error.
  std::optional<endpoint> seen{};

  friend bool operator==(const stun_response&, const stun_response&) = default;
};

/// Reads a response to Binding, of 20..1100 bytes, a multiple of four (RFC 8489 sections 5 and 14).
///
/// XOR-MAPPED-ADDRESS counts before MAPPED-ADDRESS, which is all that servers of RFC 3489 send and
/// some routers rewrite; of two of one kind the first one does (section 14). Attributes that are
/// not marked optional and not known condemn the message (section 6.3.4), as does a success that
/// says no address. FINGERPRINT and MESSAGE-INTEGRITY are passed over: nothing but STUN is expected
/// there, and there is no secret.
std::expected<stun_response, decode_error> decode_stun_response(
    std::span<const std::byte> datagram);

}  // namespace damson
