#include "proto/epoch.hpp"

#include <chrono>
#include <utility>

namespace damson {
namespace {

std::int64_t seconds_between(time_point earlier, time_point later) noexcept {
  return std::chrono::floor<std::chrono::seconds>(later - earlier).count();
}

}  // namespace

epoch_verdict pcp_epoch::observe(std::uint32_t server_epoch, time_point now) noexcept {
  const std::optional<epoch_sample> previous =
      std::exchange(last_, epoch_sample{.server = server_epoch, .at = now});
  if (!previous) return epoch_verdict::first;

  const std::int64_t server_delta = server_epoch - previous->server;
  if (server_delta < -1) return epoch_verdict::restarted;
  const std::int64_t client_delta = seconds_between(previous->at, now);
  const bool server_ran_ahead = client_delta + 2 < server_delta - server_delta / 16;
  const bool server_fell_behind = server_delta + 2 < client_delta - client_delta / 16;
  return server_ran_ahead || server_fell_behind ? epoch_verdict::restarted : epoch_verdict::valid;
}

epoch_verdict natpmp_epoch::observe(std::uint32_t server_epoch, time_point now) noexcept {
  const std::optional<epoch_sample> previous =
      std::exchange(last_, epoch_sample{.server = server_epoch, .at = now});
  if (!previous) return epoch_verdict::first;

  const std::int64_t expected = previous->server + seconds_between(previous->at, now) * 7 / 8;
  return std::int64_t{server_epoch} + 2 < expected ? epoch_verdict::restarted
                                                   : epoch_verdict::valid;
}

}  // namespace damson
