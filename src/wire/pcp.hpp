#pragma once

/// The messages of the Port Control Protocol, version 2 (RFC 6887), as values.
///
/// No state: whether an answer was asked for is its reader's business.

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <expected>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <damson/error.hpp>
#include <damson/options.hpp>
#include <damson/types.hpp>

#include "wire/decode_error.hpp"

namespace damson {

inline constexpr std::uint8_t pcp_version = 2;
inline constexpr std::uint16_t pcp_server_port = 5351;  ///< RFC 6887 section 19.1
inline constexpr std::uint16_t pcp_client_port = 5350;  ///< where announcements arrive
inline constexpr std::size_t pcp_header_bytes = 24;
inline constexpr std::size_t pcp_map_bytes = 60;        ///< header and MAP, without options
inline constexpr std::size_t pcp_peer_bytes = 80;       ///< header and PEER, without options
inline constexpr std::size_t pcp_option_bytes = 4;      ///< before an option's data (section 7.3)
inline constexpr std::size_t pcp_message_bytes = 1100;  ///< the longest message (section 7)

/// RFC 6887 section 19.2; other numbers are kept as they came.
enum class pcp_opcode : std::uint8_t { announce = 0, map = 1, peer = 2 };

/// RFC 6887 section 19.4 and RFC 7753: those that we send. Servers refuse what they do not know of
/// them below 128, which are mandatory to process (section 7.3), and pass over the others.
enum class pcp_option : std::uint8_t {
  third_party = 1,
  prefer_failure = 2,
  filter = 3,
  port_set = 130,
};

/// RFC 6887 section 7.4; other numbers are kept as they came.
enum class pcp_result : std::uint8_t {
  success = 0,
  unsupp_version = 1,
  not_authorized = 2,
  malformed_request = 3,
  unsupp_opcode = 4,
  unsupp_option = 5,
  malformed_option = 6,
  network_failure = 7,
  no_resources = 8,
  unsupp_protocol = 9,
  user_ex_quota = 10,
  cannot_provide_external = 11,
  address_mismatch = 12,
  excessive_remote_peers = 13,
};

/// "NOT_AUTHORIZED (2)"; "result 77" for numbers without a name.
std::string to_string(pcp_result);

/// Our word for an error result. Precondition: not `success`.
errc to_errc(pcp_result) noexcept;

/// Whether the RFC calls it a short lifetime error (section 7.4); unknown results count as long
/// ones.
bool is_short_lifetime(pcp_result) noexcept;

/// Whether the server minds an option of the request, not the request.
bool is_about_options(pcp_result) noexcept;

/// The key to a mapping (RFC 6887 sections 11.2 and 18.2): made once for each, kept for renewals,
/// re-creation and the delete, and never logged, for which reason it cannot be printed.
struct pcp_nonce {
  std::array<std::byte, 12> bytes{};

  friend bool operator==(const pcp_nonce&, const pcp_nonce&) = default;
};

/// The number of a transport in the IANA protocol registry: 6 or 17.
std::uint8_t protocol_number(transport) noexcept;

/// Asks for a mapping, renews it, or deletes it (`lifetime` 0): MAP, or with a `remote_peer` PEER.
struct pcp_map_request {
  /// The address that the datagram leaves from (RFC 6887 section 8.1).
  ip_address client{};
  /// 0..2^32-1 s.
  std::chrono::seconds lifetime{};
  pcp_nonce nonce{};
  damson::transport transport{};
  /// Never 0, which would mean all ports.
  std::uint16_t internal_port = 0;
  /// Port 0 and the unspecified address of the family wanted outside where there is no wish.
  endpoint suggested_external{};
  /// Rather be refused than be given anything else than that (RFC 6887 section 13.2). The port is
  /// not 0 then, so no delete can carry it.
  bool prefer_failure = false;
  /// Who may come in, in place of those said before (RFC 6887 section 13.3); empty: as before,
  /// which is everybody where nobody was ever named.
  peer_list peers{};
  /// The host that the mapping is for, where that is not the client (RFC 6887 section 13.1). Never
  /// the client itself.
  std::optional<ip_address> third_party{};
  /// How many ports in a row, from `internal_port` on, are wanted as one mapping (RFC 7753). 1: no
  /// set, and then the option is not sent. Not together with `prefer_failure`.
  std::uint16_t port_count = 1;

  /// Where the flow of the internal port goes that is asked about (RFC 6887 section 12); empty: a
  /// port is opened. Neither PREFER_FAILURE nor FILTER go with it, and it is never deleted.
  std::optional<endpoint> remote_peer{};

  bool has_options() const noexcept {
    return prefer_failure || !peers.empty() || third_party || port_count > 1;
  }

  friend bool operator==(const pcp_map_request&, const pcp_map_request&) = default;
};

/// Sixty bytes, or eighty of PEER, and the options, of which a delete needs THIRD_PARTY and
/// PORT_SET only. In a delete the port is sent as 0 and the address as the unspecified one of its
/// family, whatever was suggested: RFC 6887 section 15.1 as corrected by erratum 3621, because the
/// family tells which of two mappings of one internal port is meant. So the assigned endpoint is
/// what a delete should carry here.
std::vector<std::byte> encode(const pcp_map_request&);

/// Asks for nothing but an answer: whether a server is there, and its epoch (RFC 6887
/// section 14.1).
struct pcp_announce_request {
  ip_address client{};

  friend bool operator==(const pcp_announce_request&, const pcp_announce_request&) = default;
};

/// Twenty-four bytes.
std::vector<std::byte> encode(const pcp_announce_request&);

/// What follows the header in answers to MAP and PEER (RFC 6887 sections 11.1 and 12.1).
struct pcp_map_answer {
  pcp_nonce nonce{};
  std::uint8_t protocol_number = 0;  ///< 6 or 17 where it answers us
  std::uint16_t internal_port = 0;
  /// Assigned, to the internal port; in an error, what was suggested.
  endpoint external{};
  /// Of PEER only.
  std::optional<endpoint> remote_peer{};
  /// How many ports in a row are mapped, from the internal port on, to as many from `external` on.
  std::uint16_t port_count = 1;

  friend bool operator==(const pcp_map_answer&, const pcp_map_answer&) = default;
};

/// Any answer of a PCP server, and its announcements, which are answers to ANNOUNCE that nobody
/// asked for.
struct pcp_response {
  pcp_opcode opcode{};
  pcp_result result{};
  /// Granted; after an error, how long it is expected to last (may be 0: Q-34).
  std::chrono::seconds lifetime{};
  std::uint32_t epoch = 0;
  /// There in each successful answer to MAP and PEER, and in errors if the server copied the whole
  /// request back.
  std::optional<pcp_map_answer> map{};

  friend bool operator==(const pcp_response&, const pcp_response&) = default;
};

/// Reads a version 2 response of 24..1100 bytes, a multiple of four (RFC 6887 sections 7 and 8.3).
///
/// Successful answers to ANNOUNCE, MAP and PEER may carry options after their fixed part. One that
/// reaches past the end condemns the message. Of use to us is PORT_SET of MAP (RFC 7753): the set
/// is counted from the internal port of the answer on, wherever it begins, and one that does not
/// hold that port, or reaches past 65535, is none. All others are passed over, those marked
/// mandatory too (section 7.3). In an error everything after the header is a copy of what the
/// server could not digest, so it is not judged: `map` is there if it is whole, and options are not
/// looked at. Answers to other opcodes end at the header.
std::expected<pcp_response, decode_error> decode_pcp_response(std::span<const std::byte> datagram);

}  // namespace damson

/// Nonces are random already, so any eight bytes of one are a good hash.
template <>
struct std::hash<damson::pcp_nonce> {
  std::size_t operator()(const damson::pcp_nonce& nonce) const noexcept {
    std::size_t value = 0;
    std::memcpy(&value, nonce.bytes.data(), sizeof value);
    return value;
  }
};
