#pragma once

/// The NAT-PMP side of a gateway model (RFC 6886).

#include <cstdint>
#include <optional>

#include <damson/types.hpp>

#include "sim/bytes.hpp"
#include "sim/gateway_state.hpp"

namespace damson::sim {

/// The answer to a datagram that arrived at the server's port; empty where silence is due.
std::optional<bytes> nat_pmp_answer(gateway_state& state, time_point now, const datagram& in);

/// The answer to an address request, which is also the announcement that goes to the group
/// (RFC 6886 sections 3.2 and 3.2.1).
bytes nat_pmp_address(const gateway_state& state, time_point now);

}  // namespace damson::sim
