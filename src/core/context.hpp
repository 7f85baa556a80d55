#pragma once

/// What the machines of the core share while one input is handled.

#include <cstdint>
#include <deque>

#include <damson/engine.hpp>

#include "base/log.hpp"
#include "base/random.hpp"
#include "base/timer_table.hpp"

namespace damson::core {

enum class timer : std::uint8_t {
  // of a mapping
  timeout,      ///< the request's own time-out
  head_start,   ///< PCP's head start over a NAT-PMP mapping ends
  pcp_try,      ///< the next try of its PCP request, or the end of waiting for an answer
  discovery,    ///< the upper bound of one attempt
  retry,        ///< the pause after a failed attempt ends
  renew,        ///< the next renewal point
  lease_end,    ///< the lease ends
  release_end,  ///< the release bound
  // of the gateway
  nat_pmp_try,    ///< the next try of the NAT-PMP request in flight
  check_try,      ///< the next try of the PCP ANNOUNCE question
  hint,           ///< a hint that came too soon after the last check is due
  recheck,        ///< the recheck period has passed
  restart_wait,   ///< the random wait after a restart ends
  address_retry,  ///< the external address was not known: the next time to ask
  igd,            ///< the UPnP client has something to do
  verify,         ///< the next entry is to be read back
};

/// A timer's name: which, and of which mapping (0 for the gateway's).
struct timer_key {
  timer name{};
  mapping_id mapping = mapping_id::none;

  friend auto operator<=>(const timer_key&, const timer_key&) noexcept = default;
};

struct context {
  const options& opts;
  const engine_tuning& tuning;
  random_source& random;
  timer_table<timer_key>& timers;
  std::deque<output>& outputs;
  engine_counters& counters;
  const logger& log;
  std::uint32_t& channels_used;   ///< channel ids are never used again
  std::uint64_t& exchanges_used;  ///< nor are those of HTTP exchanges
  time_point now;

  channel_id new_channel() { return channel_id{++channels_used}; }
};

}  // namespace damson::core
