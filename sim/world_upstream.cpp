// The router beyond the first one, which translates what the host sends there.

#include <algorithm>
#include <utility>

#include "sim/world.hpp"

namespace damson::sim {

void world::add_upstream(const upstream_settings& what) {
  add_router(what.how, what.lan, what.wan);
  routers_.back().is_upstream = true;
  routers_.back().nat_between = what.nat_between;
}

gateway& world::upstream() {
  ++router_changes_;
  return *std::ranges::find(routers_, true, &router_node::is_upstream)->model;
}

void world::set_upstream_plugged(bool plugged) {
  std::ranges::find(routers_, true, &router_node::is_upstream)->plugged = plugged;
}

bool world::is_linked(const router_node& node) const {
  const router_node& first = routers_.front();
  return !node.is_upstream || (first.plugged && first.model->public_address());
}

ip_address world::host_beyond(const router_node& node) const {
  return node.nat_between.value_or(*routers_.front().model->public_address());
}

endpoint world::as_seen(const router_node& node, const endpoint& from) {
  if (!node.is_upstream) return from;
  flows_[from.port] = from;
  return {host_beyond(node), from.port};
}

/// What a router beyond the first one sends: to the group of its own LAN, or to a flow of the host.
std::optional<datagram> world::translated_back(datagram packet) const {
  const router_node& node = routers_[index_of(packet.from.address)];
  const auto flow = flows_.find(packet.to.port);
  if (flow == flows_.end() || !is_linked(node)) return std::nullopt;
  if (packet.to.address != host_beyond(node)) return std::nullopt;
  packet.to = flow->second;
  return packet;
}

}  // namespace damson::sim
