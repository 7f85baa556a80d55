#pragma once

/// The messages of the NAT Port Mapping Protocol (RFC 6886), as values.
///
/// No state: whether an answer was asked for is its reader's business.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <damson/error.hpp>
#include <damson/types.hpp>

#include "wire/decode_error.hpp"

namespace damson {

inline constexpr std::uint8_t natpmp_version = 0;
inline constexpr std::uint16_t natpmp_server_port = 5351;  ///< RFC 6886 section 3.1
inline constexpr std::uint16_t natpmp_client_port = 5350;  ///< where address changes are announced

// RFC 6886 sections 3.2 and 3.3
inline constexpr std::size_t natpmp_address_request_bytes = 2;
inline constexpr std::size_t natpmp_map_request_bytes = 12;

/// RFC 6886 sections 3.2 and 3.3; other numbers are kept as they came.
enum class natpmp_opcode : std::uint8_t { address = 0, map_udp = 1, map_tcp = 2 };

/// RFC 6886 section 3.5; other numbers are kept as they came.
enum class natpmp_result : std::uint16_t {
  success = 0,
  unsupported_version = 1,
  not_authorized = 2,  ///< refused: mapping is there but switched off
  network_failure = 3,
  out_of_resources = 4,
  unsupported_opcode = 5,
};

/// "NOT_AUTHORIZED (2)"; "result 77" for numbers without a name.
std::string to_string(natpmp_result);

/// Our word for an error result. Precondition: not `success`.
errc to_errc(natpmp_result) noexcept;

natpmp_opcode map_opcode(transport) noexcept;

/// Asks for the external address; also the cheap question whether a server is there. Two bytes.
std::vector<std::byte> encode_natpmp_address_request();

/// Asks for a mapping, renews it, or deletes it (`lifetime` 0).
struct natpmp_map_request {
  damson::transport transport{};
  /// Never 0, which would delete all.
  std::uint16_t internal_port = 0;
  /// 0 where there is no wish. Sent as 0 in a delete, whatever it is (RFC 6886 section 3.4).
  std::uint16_t suggested_external_port = 0;
  /// 0..2^32-1 s.
  std::chrono::seconds lifetime{};

  friend bool operator==(const natpmp_map_request&, const natpmp_map_request&) = default;
};

/// Twelve bytes.
std::vector<std::byte> encode(const natpmp_map_request&);

/// What a successful answer to a map request says.
struct natpmp_grant {
  std::uint16_t internal_port = 0;
  std::uint16_t external_port = 0;  ///< 0 in the answer to a delete
  std::chrono::seconds lifetime{};  ///< 0 in the answer to a delete

  friend bool operator==(const natpmp_grant&, const natpmp_grant&) = default;
};

/// Any answer of a NAT-PMP server, and its announcements, which are address answers that nobody
/// asked for.
struct natpmp_response {
  natpmp_opcode opcode{};  ///< of the request, without the response bit
  natpmp_result result{};
  std::uint32_t epoch = 0;
  std::optional<ip_address> external_address{};  ///< if and only if an address request succeeded
  std::optional<natpmp_grant> grant{};           ///< if and only if a map request succeeded

  friend bool operator==(const natpmp_response&, const natpmp_response&) = default;
};

/// Reads the result before everything else: refusals echo the ports and the lifetime that were
/// asked for, so nothing after the epoch of an error is looked at, and 8 bytes are enough
/// for it. Successes need 12 (address) or 16 (map) bytes. Bytes beyond that are passed over,
/// to 1100. A 4-byte version refusal is for `classify_response`, and too short here.
std::expected<natpmp_response, decode_error> decode_natpmp_response(
    std::span<const std::byte> datagram);

}  // namespace damson
