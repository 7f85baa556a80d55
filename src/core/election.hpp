#pragma once

/// Who serves a mapping: what a request allows, what comes next in an attempt, and why it failed.

#include <chrono>
#include <cstdint>
#include <optional>

#include <damson/error.hpp>
#include <damson/options.hpp>

#include "core/gateway.hpp"
#include "core/mapping_table.hpp"

namespace damson::core {

/// PCP's lead over the *making* of a mapping by another protocol; their questions start with it.
/// About four round trips of the router's where one was seen: a server that is there has answered
/// by then, or the first try was lost.
inline constexpr std::chrono::milliseconds longest_head_start{250};
std::chrono::nanoseconds head_start(const std::optional<std::chrono::nanoseconds>& round_trip);

/// Whether a request may be served by this protocol.
bool allows(protocol_filter filter, protocol which) noexcept;
/// The same, and the protocol can carry what is wanted.
bool allows(const map_request& wanted, protocol which) noexcept;
bool allows_any(const map_request& wanted) noexcept;

/// What both allow; empty when that is nothing.
std::optional<protocol_filter> narrowed(protocol_filter a, protocol_filter b) noexcept;

/// What is known of the router.
struct availabilities {
  availability pcp{};
  availability nat_pmp{};
  availability upnp{};
};

enum class move : std::uint8_t {
  wait,         ///< an answer or a timer decides
  ask_nat_pmp,  ///< PCP is out, or its head start over, and a NAT-PMP server answered
  ask_upnp,     ///< the same holds for both, and a UPnP device was found
  give_up,      ///< nobody is left
};

/// What to do next in a mapping's attempt. A server that speaks PCP is never asked for a mapping in
/// NAT-PMP, unless the request allows nothing else. NAT-PMP has the same head start over
/// UPnP: who has not answered until then is not waited for.
move next_move(const mapping& what, const availabilities& known) noexcept;

/// What became of each protocol that the request allows, once the mapping is made.
std::vector<protocol_report> account_of(const mapping& what, const gateway& router);

/// Whether the attempt needs to know if there is a NAT-PMP server, and its external address.
bool needs_address_question(const mapping& what, const gateway& router) noexcept;

/// The account of an attempt: one entry for each protocol that the request allows, and the reason
/// that decides: a refusal before a closed port, a closed port before silence. `outside`: as the
/// router told its external address, unspecified where it said that there is none.
failure explain(const mapping& what, const endpoint& server,
                const std::optional<ip_address>& outside = std::nullopt);

/// Whether PCP refused with the number that stands for more than one cause, so that the account
/// gains by the answer to an open question for the external address.
bool is_refused_ambiguously(const mapping& what) noexcept;

/// Whether nothing at all was heard of the router.
bool was_all_silence(const failure& why) noexcept;

/// Whether some protocol met silence, and may answer next time.
bool was_silent(const failure& why) noexcept;

/// How long to wait after an attempt in which somebody was silent: from 5 s doubling to the recheck
/// period, less up to an eighth, so that many mappings and many hosts do not come back in step.
/// `in_a_row`: such attempts, this one included.
std::chrono::nanoseconds silence_pause(unsigned in_a_row, std::chrono::nanoseconds recheck_period,
                                       random_source& random) noexcept;

/// How long a refusal stands. What the router asks for is kept, and doubled with each refusal in a
/// row up to the recheck period; what is longer than that is kept as it is, since somebody may
/// change the router's settings and waits for the effect. Spread by up to an eighth more.
std::chrono::nanoseconds refusal_pause(std::chrono::seconds asked_for, unsigned in_a_row,
                                       std::chrono::nanoseconds recheck_period,
                                       random_source& random) noexcept;

}  // namespace damson::core
