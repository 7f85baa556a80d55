#pragma once

/// What others on the LAN say: a host that wants ports of its own, and one that forges without
/// having seen what it answers.

#include <cstdint>
#include <string_view>

#include <damson/types.hpp>

#include "base/random.hpp"
#include "sim/bytes.hpp"
#include "sim/gateway.hpp"

namespace damson::sim {

/// A port that another host asks a router for.
struct neighbours_wish {
  damson::protocol protocol{};
  damson::transport transport{};
  endpoint internal;
  std::uint16_t external_port = 0;
  std::uint32_t lifetime = 7'200;  ///< in s
  nonce_bytes nonce{};             ///< for PCP
};

/// Asks as a client with good manners does, and keeps the answer to itself.
void ask_as_neighbour(gateway& router, time_point now, const neighbours_wish& what);

/// A grant as the router would send it, if the nonce were right.
bytes forged_pcp_grant(random_source& dice, damson::transport what, std::uint16_t internal_port);
/// A grant for a port that nobody asked for, with any epoch.
bytes forged_nat_pmp_grant(random_source& dice, std::uint16_t internal_port);
/// "I have restarted", or "I have not", in either protocol.
bytes forged_announcement(random_source& dice);
/// An answer to a search, or a NOTIFY, for a router whose description is at `location`.
bytes forged_search_answer(std::string_view location);
bytes forged_notify(std::string_view location, bool alive);
/// Bytes without sense, some of which begin like an answer.
bytes forged_noise(random_source& dice);

}  // namespace damson::sim
