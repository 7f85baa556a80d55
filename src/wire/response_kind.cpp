#include "wire/response_kind.hpp"

#include "base/byte_reader.hpp"
#include "wire/natpmp.hpp"
#include "wire/pcp.hpp"

namespace damson {
namespace {

constexpr std::uint8_t response_bit = 0x80;

}  // namespace

response_kind classify_response(std::span<const std::byte> datagram) noexcept {
  if (datagram.size() > pcp_message_bytes) return response_kind::malformed;
  byte_reader reader{datagram};
  const std::uint8_t version = reader.u8();
  const std::uint8_t opcode = reader.u8();
  if (!reader.ok()) return response_kind::malformed;
  if ((opcode & response_bit) == 0) return response_kind::not_a_response;
  if (version == pcp_version) return response_kind::pcp;

  // NAT-PMP's result has sixteen bits where PCP has a reserved byte and eight bits.
  const std::uint16_t result = reader.u16();
  if (!reader.ok()) return response_kind::malformed;
  if (version == natpmp_version) {
    return result == static_cast<std::uint16_t>(natpmp_result::unsupported_version)
               ? response_kind::natpmp_refuses_pcp
               : response_kind::natpmp;
  }
  const auto pcp_code = static_cast<pcp_result>(result & 0xffU);
  return pcp_code == pcp_result::unsupp_version ? response_kind::pcp_other_version
                                                : response_kind::malformed;
}

std::string_view to_string(response_kind value) noexcept {
  switch (value) {
    case response_kind::malformed:
      return "malformed";
    case response_kind::not_a_response:
      return "not a response";
    case response_kind::pcp:
      return "PCP response";
    case response_kind::pcp_other_version:
      return "PCP response of another version";
    case response_kind::natpmp:
      return "NAT-PMP response";
    case response_kind::natpmp_refuses_pcp:
      return "NAT-PMP version refusal";
  }
  return "unknown kind";
}

std::string_view to_string(decode_error value) noexcept {
  switch (value) {
    case decode_error::too_short:
      return "too short";
    case decode_error::too_long:
      return "too long";
    case decode_error::misaligned:
      return "length not a multiple of four";
    case decode_error::not_a_response:
      return "not a response";
    case decode_error::wrong_version:
      return "wrong version";
    case decode_error::unknown_opcode:
      return "unknown opcode";
    case decode_error::bad_option:
      return "option past the end";
    case decode_error::bad_character:
      return "forbidden character";
    case decode_error::missing_field:
      return "missing field";
    case decode_error::bad_value:
      return "unreadable value";
    case decode_error::not_xml:
      return "not XML";
    case decode_error::has_doctype:
      return "document type declaration";
    case decode_error::too_deep:
      return "too many nested elements";
    case decode_error::too_many_elements:
      return "too many elements";
    case decode_error::wrong_document:
      return "document of another kind";
  }
  return "unknown error";
}

}  // namespace damson
