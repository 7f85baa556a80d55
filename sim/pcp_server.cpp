#include "sim/pcp_server.hpp"

#include "sim/pcp_mapping.hpp"

namespace damson::sim {

namespace {

constexpr std::uint8_t version = 2;
constexpr std::uint8_t response_bit = 0x80;
constexpr std::size_t largest = 1'100;

std::optional<bytes> answer_announce(gateway_state& state, time_point now, const datagram& in,
                                     std::uint32_t lifetime, reader body) {
  const pcp_options options = read_pcp_options(state.how, pcp_opcode::announce, 0, body);
  if (options.verdict != pcp_result::success) {
    return pcp_error(state, now, in.bytes, options.verdict);
  }
  if (lifetime != 0) {
    state.complain(now, "PCP ANNOUNCE with a lifetime (RFC 6887 section 14.1)");
  }
  if (!state.how.answers_announce_requests) return std::nullopt;
  return pcp_announcement(state, now);
}

/// The smallest request of the opcode; empty: it is not served.
std::optional<std::size_t> size_of(const profile& how, pcp_opcode opcode) {
  switch (opcode) {
    case pcp_opcode::announce:
      return pcp_header_size;
    case pcp_opcode::map:
      return pcp_map_size;
    case pcp_opcode::peer:
      if (how.serves_peer) return pcp_peer_size;
      break;
  }
  return std::nullopt;
}

}  // namespace

bytes pcp_announcement(const gateway_state& state, time_point now) {
  writer out;
  put_pcp_header(out, state, now, pcp_opcode::announce, pcp_result::success, 0);
  return out.zeros(12).take();
}

std::optional<bytes> pcp_answer(gateway_state& state, time_point now, const datagram& in) {
  if (in.bytes.size() < 2) return std::nullopt;
  reader body(in.bytes);
  const std::uint8_t its_version = body.u8();
  const std::uint8_t code = body.u8();
  if ((code & response_bit) != 0) return std::nullopt;
  if (its_version != version || state.how.pcp_version != version) {
    bytes refusal = pcp_error(state, now, in.bytes, pcp_result::unsupported_version, false);
    refusal[0] = std::byte{state.how.pcp_version};
    return refusal;
  }
  const std::size_t size = in.bytes.size();
  if (size < pcp_header_size || size > largest || size % 4 != 0) {
    return pcp_error(state, now, in.bytes, pcp_result::malformed_request, false);
  }
  if (body.u16() != 0) {
    state.complain(now, "PCP header with reserved bits set (RFC 6887 section 7.1)");
  }
  const std::uint32_t lifetime = body.u32();
  const ip_address client = body.address();
  // A scope is the host's own affair and not in the packet, so the bytes are what is compared.
  if (client.to_v6() != in.from.address.to_v6()) {
    return pcp_error(state, now, in.bytes, pcp_result::address_mismatch);
  }
  const pcp_opcode opcode{code};
  const auto least = size_of(state.how, opcode);
  if (!least) return pcp_error(state, now, in.bytes, pcp_result::unsupported_opcode);
  if (size < *least) return pcp_error(state, now, in.bytes, pcp_result::malformed_request, false);
  switch (opcode) {
    case pcp_opcode::map:
      return pcp_map_answer(state, now, in, lifetime, body);
    case pcp_opcode::peer:
      return pcp_peer_answer(state, now, in, lifetime, body);
    case pcp_opcode::announce:
      break;
  }
  return answer_announce(state, now, in, lifetime, body);
}

}  // namespace damson::sim
