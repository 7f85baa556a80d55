#pragma once

/// The mappings of the PCP side of a gateway model: MAP and PEER (RFC 6887 sections 11 and 12).

#include <cstdint>

#include <damson/types.hpp>

#include "sim/bytes.hpp"
#include "sim/gateway_state.hpp"
#include "sim/pcp_options.hpp"

namespace damson::sim {

inline constexpr std::size_t pcp_header_size = 24;
inline constexpr std::size_t pcp_map_size = 60;
inline constexpr std::size_t pcp_peer_size = 80;

/// Version, opcode, result, lifetime and epoch of an answer: twelve bytes.
void put_pcp_header(writer& out, const gateway_state& state, time_point now, pcp_opcode opcode,
                    pcp_result result, std::uint32_t lifetime);

/// The request with the fields that are the server's replaced (RFC 6887 section 8.2), and the
/// lifetime that the profile has for such an error unless one is given. `parsed` tells whether it
/// was understood: where it was not, the last 12 bytes of its client address stay.
bytes pcp_error(const gateway_state& state, time_point now, const bytes& request, pcp_result result,
                bool parsed = true);
bytes pcp_error(const gateway_state& state, time_point now, const bytes& request, pcp_result result,
                bool parsed, std::uint32_t lifetime);

/// The answer to a MAP or PEER that is long enough. `body` stands behind the header.
bytes pcp_map_answer(gateway_state& state, time_point now, const datagram& in,
                     std::uint32_t lifetime, reader body);
bytes pcp_peer_answer(gateway_state& state, time_point now, const datagram& in,
                      std::uint32_t lifetime, reader body);

}  // namespace damson::sim
