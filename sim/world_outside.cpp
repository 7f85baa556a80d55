// The internet: a STUN server there, and as whom it sees the host.

#include <utility>

#include "sim/world.hpp"

namespace damson::sim {

const world::router_node& world::outermost() const {
  for (const router_node& node : routers_) {
    if (node.is_upstream) return node;
  }
  return routers_.front();
}

/// Through the first router and, where there is one, the one beyond it. IPv6 is not translated.
std::optional<endpoint> world::seen_from_outside(const endpoint& host) const {
  const router_node& last = outermost();
  const auto& address = last.model->public_address();
  if (!routers_.front().plugged || !last.plugged || !is_linked(last) || !address) {
    return std::nullopt;
  }
  if (host.address.is_v6()) return host;
  return endpoint{stun_->carrier.value_or(*address), host.port};
}

void world::carry_to_stun(packet_record record, std::chrono::nanoseconds travel) {
  if (!seen_from_outside(record.datagram.from)) {
    record.end = fate::unheard;
  } else if (!stun_->is_there) {
    record.end = fate::refused;
  }
  note(record);
  if (record.end == fate::unheard) return;
  datagram arriving = as_it_arrives(std::move(record));
  if (chance(link_.duplicate_percent)) schedule(travel, to_stun{arriving});
  schedule(travel, to_stun{std::move(arriving)});
}

void world::happen(const to_stun& arrived) {
  const endpoint& host = arrived.packet.from;
  const auto seen = seen_from_outside(host);
  if (!seen) return;
  if (!stun_->is_there) return refuse(host);
  auto answer = answer_stun(stun_->how, {*seen, stun_->at, arrived.packet.bytes});
  if (answer) carry(direction::to_host, {stun_->at, host, std::move(*answer)});
}

}  // namespace damson::sim
