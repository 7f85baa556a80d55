#include "proto/stun_query.hpp"

namespace damson {

stun_query::stun_query(const retransmit_schedule& schedule, time_point now, random_source& random)
    : tries_(schedule, now) {
  random.fill(transaction_.bytes);
}

stun_query::action stun_query::due(time_point now, random_source& random) {
  if (now >= tries_.gives_up_at()) return {.send = {}, .silent = true};
  const auto next = tries_.next_try();
  if (!next || *next > now) return {};
  tries_.tried(now, random);
  return {.send = encode_stun_request(transaction_), .silent = false};
}

}  // namespace damson
