#pragma once

/// The PCP side of a gateway model: version 2 with ANNOUNCE, MAP and PEER (RFC 6887).

#include <cstdint>
#include <optional>

#include <damson/types.hpp>

#include "sim/bytes.hpp"
#include "sim/gateway_state.hpp"

namespace damson::sim {

/// The answer to a datagram that arrived at the server's port; empty where silence is due.
std::optional<bytes> pcp_answer(gateway_state& state, time_point now, const datagram& in);

/// The announcement that goes to the group (RFC 6887 section 14.1.1).
bytes pcp_announcement(const gateway_state& state, time_point now);

}  // namespace damson::sim
