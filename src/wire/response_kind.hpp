#pragma once

/// The first look at a datagram from a router's port 5351, or to port 5350: PCP and NAT-PMP share
/// both.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace damson {

enum class response_kind : std::uint8_t {
  malformed,           ///< nothing that we know, or more than 1100 bytes
  not_a_response,      ///< the response bit is clear: ours reflected, or another client's (Q-136)
  pcp,                 ///< a PCP server lives there, whether or not the rest can be decoded (Q-21)
  pcp_other_version,   ///< a PCP server that speaks another version than 2 only (Q-23)
  natpmp,              ///< a NAT-PMP server lives there; the rest is for decode_natpmp_response
  natpmp_refuses_pcp,  ///< NAT-PMP's "unsupported version": what a NAT-PMP server says to PCP
                       ///< (Q-20)
};

/// Looks at the version byte before the length, because the very answers that tell the protocols
/// apart are the ones of odd sizes: 2 bytes are enough for `pcp`, 4 for the others. Says nothing
/// about whether the datagram was asked for.
///
/// A NAT-PMP server that is asked in NAT-PMP can say `natpmp_refuses_pcp` as well: the meaning of
/// the name depends on what was asked. RFC 6886 section 3.5, RFC 6887 section 9 and appendix A.
response_kind classify_response(std::span<const std::byte> datagram) noexcept;

/// A few words for the log.
std::string_view to_string(response_kind) noexcept;

}  // namespace damson
