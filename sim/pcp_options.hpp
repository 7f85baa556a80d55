#pragma once

/// The options of a PCP request as a strict server reads them (RFC 6887 sections 7.3 and 13).

#include <cstdint>
#include <optional>
#include <vector>

#include <damson/types.hpp>

#include "sim/bytes.hpp"
#include "sim/nat_table.hpp"
#include "sim/profile.hpp"

namespace damson::sim {

inline constexpr std::uint8_t option_port_set = 130;  ///< RFC 7753

enum class pcp_opcode : std::uint8_t { announce = 0, map = 1, peer = 2 };

struct pcp_options {
  pcp_result verdict = pcp_result::success;
  bool prefer_failure = false;
  std::optional<ip_address> third_party;
  bool clears_filters = false;  ///< before those that follow are added
  std::vector<peer_filter> filters;
  /// RFC 7753: as many ports as are asked for, from that of the request on. 1: no set.
  std::uint16_t port_set = 1;
  /// Those that are obeyed, as they came: the answer repeats them (RFC 6887 section 7.3).
  bytes obeyed;
};

/// Walks what follows the fields of an opcode. An option that is unknown, switched off or not for
/// this opcode is UNSUPP_OPTION if it is mandatory, and passed over if it is not; one that is cut,
/// too long, too short, in excess or without meaning is MALFORMED_OPTION.
///
/// PORT_SET is not among the obeyed: its answer says what was granted.
pcp_options read_pcp_options(const profile& how, pcp_opcode opcode, std::uint16_t internal_port,
                             reader in);

}  // namespace damson::sim
