#pragma once

/// One question to a STUN server: when to repeat it, and what answers it.

#include <array>
#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include <damson/types.hpp>

#include "base/random.hpp"
#include "proto/retransmit.hpp"
#include "wire/stun.hpp"

namespace damson {

namespace schedules {

inline constexpr std::array<std::chrono::milliseconds, 7> stun_tries{
    {std::chrono::milliseconds{0}, std::chrono::milliseconds{500}, std::chrono::milliseconds{1'500},
     std::chrono::milliseconds{3'500}, std::chrono::milliseconds{7'500},
     std::chrono::milliseconds{15'500}, std::chrono::milliseconds{31'500}}};

/// RFC 8489 section 6.2.1: seven requests from 500 ms doubling, and 8 s for the last one's answer.
inline constexpr retransmit_schedule stun{.tries = stun_tries,
                                          .answer_by = std::chrono::milliseconds{39'500}};

/// Where somebody waits for it: as long as silent routers are waited for.
inline constexpr retransmit_schedule stun_in_discovery{
    .tries = std::span{stun_tries}.first<4>(), .answer_by = std::chrono::milliseconds{4'000}};

}  // namespace schedules

/// A value; it sends nothing and holds no timer. All copies have one transaction identifier, so
/// whichever is answered first ends it (RFC 8489 section 6.2.1).
class stun_query {
 public:
  /// What to do now: send these bytes, or stop waiting.
  struct action {
    std::vector<std::byte> send;
    bool silent = false;
  };

  stun_query(const retransmit_schedule& schedule, time_point now, random_source& random);

  time_point next_due() const { return tries_.next_try().value_or(tries_.gives_up_at()); }
  action due(time_point now, random_source& random);

  bool is_answered_by(const stun_response& response) const noexcept {
    return response.of == transaction_;
  }

 private:
  stun_transaction transaction_;
  retransmit tries_;
};

}  // namespace damson
