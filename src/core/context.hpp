#pragma once

/// What the machines of the core share while one input is handled.

#include <cstdint>
#include <deque>
#include <functional>

#include <damson/engine.hpp>

#include "base/log.hpp"
#include "base/random.hpp"
#include "base/timer_table.hpp"

namespace damson::core {

enum class timer : std::uint8_t {
  // of a mapping at a gateway; its end tells more than that of the attempt, so it comes before
  pcp_try,  ///< the next try of its PCP request, or the end of waiting for an answer
  // of a mapping
  timeout,      ///< the request's own time-out
  head_start,   ///< PCP's head start over a NAT-PMP mapping ends
  attempt_end,  ///< the upper bound of one attempt
  retry,        ///< the pause after a failed attempt ends
  renew,        ///< the next renewal point
  lease_end,    ///< the lease ends
  release_end,  ///< the release bound
  orphaned,     ///< it was lost: how long what leads to it from a second router is kept
  // of a gateway
  pcp_turn,       ///< PCP requests that wait may be sent
  nat_pmp_try,    ///< the next try of the NAT-PMP request in flight
  check_try,      ///< the next try of the PCP ANNOUNCE question
  hint,           ///< a hint that came too soon after the last check is due
  address_retry,  ///< the external address was not known: the next time to ask
  igd,            ///< the UPnP client has something to do
  // of a keeper
  recheck,       ///< the recheck period has passed
  restart_wait,  ///< the random wait after a restart ends
  verify,        ///< the next entry is to be read back
  stun_ask,      ///< somebody outside is to be asked as whom the host is seen
  // of a keeper, or of a discovery
  stun_try,  ///< the next try of that, or the end of waiting
  // of a part
  part_end,  ///< its way out was away for as long as a router may keep the mapping
  // of a group of ports
  group,  ///< the pause before all are asked for again; or their time-out while they are given back
  // of all requests that are spread
  look,  ///< the network is to be looked at, because a family has no way out
  // of the engine
  close_end,  ///< nothing more is waited for before it closes
  // of a discovery
  discovery_end,  ///< its upper bound
  // of a question after a router
  question_end,  ///< its upper bound
};

/// Names one gateway, or keeper, of one engine; never used again.
enum class gateway_id : std::uint32_t { none = 0 };

/// A timer's name: which, and of which gateway (or keeper) or mapping, or both.
struct timer_key {
  // NOLINTNEXTLINE(google-explicit-constructor): a timer of the engine's own is its name
  constexpr timer_key(timer which, mapping_id of = mapping_id::none,
                      gateway_id at = gateway_id::none) noexcept
      : name(which), gateway(at), mapping(of) {}

  timer name;
  gateway_id gateway;
  mapping_id mapping;

  friend auto operator<=>(const timer_key&, const timer_key&) noexcept = default;
};

struct timer_hash {
  std::size_t operator()(const timer_key& key) const noexcept {
    constexpr std::uint64_t odd = 0x9e37'79b9'7f4a'7c15;  // spreads names that follow each other
    const std::uint64_t of =
        static_cast<std::uint64_t>(key.gateway) << 8 | static_cast<std::uint64_t>(key.name);
    return std::hash<std::uint64_t>{}((static_cast<std::uint64_t>(key.mapping) * odd) ^
                                      (of * odd) >> 7);
  }
};

struct context {
  const options& opts;
  const engine_tuning& tuning;
  random_source& random;
  timer_table<timer_key, timer_hash>& timers;
  std::deque<output>& outputs;
  engine_counters& counters;
  const logger& log;
  std::uint32_t& channels_used;   ///< channel ids are never used again
  std::uint64_t& exchanges_used;  ///< nor are those of HTTP exchanges
  std::uint32_t& gateways_used;   ///< nor are those of gateways
  time_point now;

  channel_id new_channel() { return channel_id{++channels_used}; }
  gateway_id new_gateway() { return gateway_id{++gateways_used}; }
};

}  // namespace damson::core
