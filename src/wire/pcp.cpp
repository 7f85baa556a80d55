#include "wire/pcp.hpp"

#include <array>
#include <string_view>
#include <utility>

#include "base/byte_reader.hpp"
#include "base/byte_writer.hpp"
#include "base/check.hpp"
#include "wire/lifetime_field.hpp"

namespace damson {
namespace {

constexpr std::uint8_t response_bit = 0x80;
constexpr std::size_t map_answer_bytes = pcp_map_bytes - pcp_header_bytes;
constexpr std::size_t peer_answer_bytes = pcp_peer_bytes - pcp_header_bytes;
constexpr std::size_t option_alignment = 4;

constexpr std::size_t padded(std::size_t length) noexcept {
  return (length + option_alignment - 1) / option_alignment * option_alignment;
}

/// The 24 bytes that every request begins with (RFC 6887 section 7.1).
void write_request_header(byte_writer& out, pcp_opcode opcode, std::uint32_t lifetime,
                          const ip_address& client) {
  out.u8(pcp_version);
  out.u8(static_cast<std::uint8_t>(opcode));
  out.zeros(2);  // reserved
  out.u32(lifetime);
  out.address(client);
}

/// What every option begins with (RFC 6887 section 7.3).
void write_option_header(byte_writer& out, pcp_option code, std::uint16_t length) {
  out.u8(static_cast<std::uint8_t>(code));
  out.zeros(1);  // reserved
  out.u16(length);
}

constexpr std::uint16_t filter_bytes = 20;
constexpr std::uint16_t third_party_bytes = 16;
constexpr std::uint16_t port_set_bytes = 5;
/// The bits of an IPv4 address come after these in the form that PCP gives it.
constexpr std::uint8_t mapped_prefix = 96;

/// Prefix length 0 takes back all filters that the mapping has.
void write_filter(byte_writer& out, const ip_address& address, std::uint8_t prefix_length,
                  std::uint16_t port) {
  write_option_header(out, pcp_option::filter, filter_bytes);
  out.zeros(1);  // reserved
  out.u8(prefix_length);
  out.u16(port);
  out.address(address);
}

/// A renewal would else add the same filters once more, or to those of an earlier request.
void write_filters(byte_writer& out, const peer_list& peers) {
  if (peers.empty()) return;
  write_filter(out, ip_address::any_v6(), 0, 0);
  for (const peer_range& each : peers) {
    const std::uint8_t before = each.address.is_v4() ? mapped_prefix : 0;
    const auto length = static_cast<std::uint8_t>(before + each.prefix_length);
    write_filter(out, each.address, length, each.port);
  }
}

/// Without the wish to keep the parity of the ports: they are in a row anyway.
void write_port_set(byte_writer& out, std::uint16_t size, std::uint16_t first) {
  write_option_header(out, pcp_option::port_set, port_set_bytes);
  out.u16(size);
  out.u16(first);
  out.zeros(1);  // reserved, and the parity bit
  out.zeros(3);  // padding
}

std::size_t options_bytes(const pcp_map_request& request) noexcept {
  const std::size_t filters = request.peers.empty() ? 0 : request.peers.size() + 1;
  return filters * (pcp_option_bytes + filter_bytes) +
         (request.prefer_failure ? pcp_option_bytes : 0) +
         (request.third_party ? pcp_option_bytes + third_party_bytes : 0) +
         (request.port_count > 1 ? pcp_option_bytes + padded(port_set_bytes) : 0);
}

endpoint deleted_external(const endpoint& suggested) {
  return {suggested.address.is_v4() ? ip_address::any_v4() : ip_address::any_v6(), 0};
}

pcp_map_answer read_map_answer(byte_reader& in) {
  pcp_map_answer answer;
  answer.nonce = {in.bytes<12>()};
  answer.protocol_number = in.u8();
  in.skip(3);  // reserved
  answer.internal_port = in.u16();
  answer.external.port = in.u16();
  answer.external.address = in.address();
  return answer;
}

/// Beyond what MAP has.
endpoint read_remote_peer(byte_reader& in) {
  endpoint peer;
  peer.port = in.u16();
  in.skip(2);  // reserved
  peer.address = in.address();
  return peer;
}

/// What is assigned is where the set begins, which need not be the port that was asked for.
void take_port_set(pcp_map_answer& map, std::uint16_t size, std::uint16_t first) {
  constexpr std::uint32_t after_last_port = 0x1'0000;
  const std::uint32_t before = std::uint32_t{map.internal_port} - first;
  const bool holds_port = first != 0 && first <= map.internal_port && before < size;
  const bool is_whole = std::uint32_t{first} + size <= after_last_port && map.external.port != 0 &&
                        std::uint32_t{map.external.port} + size <= after_last_port;
  if (!holds_port || !is_whole) return;
  map.external.port = static_cast<std::uint16_t>(map.external.port + before);
  map.port_count = static_cast<std::uint16_t>(size - before);
}

/// Passes over all options but one (RFC 6887 section 7.3), of which the first counts; false when
/// one reaches past the end.
bool read_options(byte_reader& in, pcp_map_answer* map) {
  while (in.remaining() > 0) {
    const auto code = static_cast<pcp_option>(in.u8());
    in.skip(1);  // reserved
    const std::size_t length = in.u16();
    if (map != nullptr && code == pcp_option::port_set && length == port_set_bytes) {
      const std::uint16_t size = in.u16();
      const std::uint16_t first = in.u16();
      in.skip(padded(length) - 4);
      if (in.ok()) take_port_set(*std::exchange(map, nullptr), size, first);
    } else {
      in.skip(padded(length));
    }
  }
  return in.ok();
}

std::string_view name_of(pcp_result value) noexcept {
  constexpr std::array<std::string_view, 14> names{
      "SUCCESS",          "UNSUPP_VERSION",         "NOT_AUTHORIZED",   "MALFORMED_REQUEST",
      "UNSUPP_OPCODE",    "UNSUPP_OPTION",          "MALFORMED_OPTION", "NETWORK_FAILURE",
      "NO_RESOURCES",     "UNSUPP_PROTOCOL",        "USER_EX_QUOTA",    "CANNOT_PROVIDE_EXTERNAL",
      "ADDRESS_MISMATCH", "EXCESSIVE_REMOTE_PEERS",
  };
  const auto number = static_cast<std::size_t>(value);
  return number < names.size() ? names[number] : std::string_view{};
}

}  // namespace

std::string to_string(pcp_result value) {
  const std::string number = std::to_string(static_cast<unsigned>(value));
  const std::string_view name = name_of(value);
  return name.empty() ? "result " + number : std::string{name} + " (" + number + ")";
}

errc to_errc(pcp_result value) noexcept {
  DAMSON_ASSERT(value != pcp_result::success);
  switch (value) {
    case pcp_result::unsupp_version:
      return errc::version_refused;
    case pcp_result::not_authorized:
      return errc::not_authorized;
    case pcp_result::malformed_request:
    case pcp_result::malformed_option:
      return errc::malformed_request;
    case pcp_result::unsupp_opcode:
    case pcp_result::unsupp_option:
    case pcp_result::unsupp_protocol:
    case pcp_result::excessive_remote_peers:
      return errc::not_supported;
    case pcp_result::network_failure:
      return errc::network_failure;
    case pcp_result::no_resources:
      return errc::no_resources;
    case pcp_result::user_ex_quota:
      return errc::quota_exceeded;
    case pcp_result::cannot_provide_external:
      return errc::external_not_available;
    case pcp_result::address_mismatch:
      return errc::address_mismatch;
    case pcp_result::success:
      break;
  }
  return errc::unusable_answer;
}

bool is_short_lifetime(pcp_result value) noexcept {
  return value == pcp_result::network_failure || value == pcp_result::no_resources ||
         value == pcp_result::user_ex_quota;
}

bool is_about_options(pcp_result value) noexcept {
  return value == pcp_result::unsupp_option || value == pcp_result::malformed_option ||
         value == pcp_result::excessive_remote_peers;
}

std::uint8_t protocol_number(transport value) noexcept { return value == transport::tcp ? 6 : 17; }

std::vector<std::byte> encode(const pcp_map_request& request) {
  DAMSON_ASSERT(request.internal_port != 0);
  const std::uint32_t lifetime = lifetime_field(request.lifetime);
  const endpoint external =
      lifetime == 0 ? deleted_external(request.suggested_external) : request.suggested_external;

  DAMSON_ASSERT(!request.prefer_failure || external.port != 0);
  DAMSON_ASSERT(request.third_party != request.client);
  const auto& peer = request.remote_peer;
  DAMSON_ASSERT(!peer || (lifetime != 0 && !request.prefer_failure && request.peers.empty()));
  DAMSON_ASSERT(request.port_count == 1 || !request.prefer_failure);

  std::vector<std::byte> message((peer ? pcp_peer_bytes : pcp_map_bytes) + options_bytes(request));
  byte_writer out{message};
  write_request_header(out, peer ? pcp_opcode::peer : pcp_opcode::map, lifetime, request.client);
  out.bytes(request.nonce.bytes);
  out.u8(protocol_number(request.transport));
  out.zeros(3);  // reserved
  out.u16(request.internal_port);
  out.u16(external.port);
  out.address(external.address);
  if (peer) {
    out.u16(peer->port);
    out.zeros(2);  // reserved
    out.address(peer->address);
  }
  if (request.third_party) {
    write_option_header(out, pcp_option::third_party, third_party_bytes);
    out.address(*request.third_party);
  }
  if (request.prefer_failure) write_option_header(out, pcp_option::prefer_failure, 0);
  write_filters(out, request.peers);
  if (request.port_count > 1) write_port_set(out, request.port_count, request.internal_port);
  DAMSON_ASSERT(out.ok() && out.remaining() == 0);
  return message;
}

std::vector<std::byte> encode(const pcp_announce_request& request) {
  std::vector<std::byte> message(pcp_header_bytes);
  byte_writer out{message};
  write_request_header(out, pcp_opcode::announce, 0, request.client);
  DAMSON_ASSERT(out.ok() && out.remaining() == 0);
  return message;
}

std::expected<pcp_response, decode_error> decode_pcp_response(std::span<const std::byte> datagram) {
  byte_reader in{datagram};
  const std::uint8_t version = in.u8();
  const std::uint8_t opcode = in.u8();
  if (!in.ok()) return std::unexpected(decode_error::too_short);
  if (version != pcp_version) return std::unexpected(decode_error::wrong_version);
  if ((opcode & response_bit) == 0) return std::unexpected(decode_error::not_a_response);
  if (datagram.size() < pcp_header_bytes) return std::unexpected(decode_error::too_short);
  if (datagram.size() > pcp_message_bytes) return std::unexpected(decode_error::too_long);
  if (datagram.size() % option_alignment != 0) return std::unexpected(decode_error::misaligned);

  pcp_response response;
  response.opcode = static_cast<pcp_opcode>(opcode & 0x7fU);
  in.skip(1);  // reserved
  response.result = static_cast<pcp_result>(in.u8());
  response.lifetime = std::chrono::seconds(in.u32());
  response.epoch = in.u32();
  in.skip(12);  // reserved

  const bool success = response.result == pcp_result::success;
  const bool is_peer = response.opcode == pcp_opcode::peer;
  if (response.opcode == pcp_opcode::map || is_peer) {
    const bool whole = in.remaining() >= (is_peer ? peer_answer_bytes : map_answer_bytes);
    if (success && !whole) return std::unexpected(decode_error::too_short);
    if (whole) response.map = read_map_answer(in);
    if (whole && is_peer) response.map->remote_peer = read_remote_peer(in);
  } else if (response.opcode != pcp_opcode::announce) {
    return response;
  }
  pcp_map_answer* const map = response.map && !is_peer ? &*response.map : nullptr;
  if (success && !read_options(in, map)) return std::unexpected(decode_error::bad_option);
  return response;
}

}  // namespace damson
