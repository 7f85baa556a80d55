#include "wire/natpmp.hpp"

#include <array>
#include <string_view>

#include "base/byte_reader.hpp"
#include "base/byte_writer.hpp"
#include "base/check.hpp"
#include "wire/lifetime_field.hpp"

namespace damson {
namespace {

constexpr std::uint8_t response_bit = 0x80;
constexpr std::size_t longest_message = 1100;  // PCP's bound: both come through the same port
constexpr std::size_t address_request_bytes = 2;
constexpr std::size_t map_request_bytes = 12;

std::string_view name_of(natpmp_result value) noexcept {
  constexpr std::array<std::string_view, 6> names{
      "SUCCESS",         "UNSUPPORTED_VERSION", "NOT_AUTHORIZED",
      "NETWORK_FAILURE", "OUT_OF_RESOURCES",    "UNSUPPORTED_OPCODE",
  };
  const auto number = static_cast<std::size_t>(value);
  return number < names.size() ? names[number] : std::string_view{};
}

}  // namespace

std::string to_string(natpmp_result value) {
  const std::string number = std::to_string(static_cast<unsigned>(value));
  const std::string_view name = name_of(value);
  return name.empty() ? "result " + number : std::string{name} + " (" + number + ")";
}

errc to_errc(natpmp_result value) noexcept {
  DAMSON_ASSERT(value != natpmp_result::success);
  switch (value) {
    case natpmp_result::unsupported_version:
      return errc::version_refused;
    case natpmp_result::not_authorized:
      return errc::not_authorized;
    case natpmp_result::network_failure:
      return errc::network_failure;
    case natpmp_result::out_of_resources:
      return errc::no_resources;
    case natpmp_result::unsupported_opcode:
      return errc::not_supported;
    case natpmp_result::success:
      break;
  }
  return errc::unusable_answer;
}

natpmp_opcode map_opcode(transport value) noexcept {
  return value == transport::tcp ? natpmp_opcode::map_tcp : natpmp_opcode::map_udp;
}

std::vector<std::byte> encode_natpmp_address_request() {
  std::vector<std::byte> message(address_request_bytes);
  byte_writer out{message};
  out.u8(natpmp_version);
  out.u8(static_cast<std::uint8_t>(natpmp_opcode::address));
  DAMSON_ASSERT(out.ok() && out.remaining() == 0);
  return message;
}

std::vector<std::byte> encode(const natpmp_map_request& request) {
  DAMSON_ASSERT(request.internal_port != 0);
  const std::uint32_t lifetime = lifetime_field(request.lifetime);
  const bool is_delete = lifetime == 0;

  std::vector<std::byte> message(map_request_bytes);
  byte_writer out{message};
  out.u8(natpmp_version);
  out.u8(static_cast<std::uint8_t>(map_opcode(request.transport)));
  out.zeros(2);  // reserved
  out.u16(request.internal_port);
  out.u16(is_delete ? std::uint16_t{0} : request.suggested_external_port);
  out.u32(lifetime);
  DAMSON_ASSERT(out.ok() && out.remaining() == 0);
  return message;
}

std::expected<natpmp_response, decode_error> decode_natpmp_response(
    std::span<const std::byte> datagram) {
  byte_reader in{datagram};
  const std::uint8_t version = in.u8();
  const std::uint8_t opcode = in.u8();
  if (!in.ok()) return std::unexpected(decode_error::too_short);
  if (version != natpmp_version) return std::unexpected(decode_error::wrong_version);
  if ((opcode & response_bit) == 0) return std::unexpected(decode_error::not_a_response);
  if (datagram.size() > longest_message) return std::unexpected(decode_error::too_long);

  natpmp_response response;
  response.opcode = static_cast<natpmp_opcode>(opcode & 0x7fU);
  response.result = static_cast<natpmp_result>(in.u16());
  response.epoch = in.u32();
  if (!in.ok()) return std::unexpected(decode_error::too_short);
  if (response.result != natpmp_result::success) return response;

  switch (response.opcode) {
    case natpmp_opcode::address:
      response.external_address = in.address_v4();
      break;
    case natpmp_opcode::map_udp:
    case natpmp_opcode::map_tcp: {
      natpmp_grant grant;
      grant.internal_port = in.u16();
      grant.external_port = in.u16();
      grant.lifetime = std::chrono::seconds(in.u32());
      response.grant = grant;
      break;
    }
    default:
      return std::unexpected(decode_error::unknown_opcode);
  }
  if (!in.ok()) return std::unexpected(decode_error::too_short);
  return response;
}

}  // namespace damson
