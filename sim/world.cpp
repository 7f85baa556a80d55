#include "sim/world.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <ranges>
#include <type_traits>

namespace damson::sim {

namespace {

std::array<std::uint64_t, 4> seed_from(std::uint64_t seed, std::uint64_t purpose) {
  return {seed, purpose, 0x64616d736f6e, ~seed};
}

}  // namespace

network_facts world::one_route(const ip_address& gateway, const ip_address& host) {
  network_facts facts;
  facts.routes.push_back({gateway, 2, 100, std::nullopt});
  facts.addresses.push_back({host, 24, 2, "lan0", false, false});
  return facts;
}

network_facts world::both_families() {
  network_facts facts = one_route(router_address, host_address);
  facts.routes.push_back({router_address_v6, 2, 100, std::nullopt});
  facts.addresses.push_back({host_address_v6, 64, 2, "lan0", false, false});
  facts.addresses.push_back({host_link_local, 64, 2, "lan0", false, false});
  return facts;
}

world::world(const scene& what)
    : link_(what.link),
      multicast_works_(what.multicast_works),
      dice_(seed_from(what.seed, 1)),
      facts_(what.has_ipv6 ? both_families() : one_route(router_address, host_address)),
      stun_(what.stun),
      recheck_period_(what.client.recheck_period),
      engine_(what.client, seed_from(what.seed, 2), what.tuning),
      keeps_records_(what.keeps_records) {
  routers_.push_back({std::make_unique<gateway>(what.router, router_address, what.public_address,
                                                beginning - what.uptime)});
  if (what.has_ipv6) router().set_lan_v6({router_address_v6});
  for (const auto& one : what.devices) add_router(one.how, one.lan, one.wan);
  if (what.upstream) add_upstream(*what.upstream);
}

gateway& world::add_router(const profile& how, const ip_address& lan,
                           const std::optional<ip_address>& wan) {
  routers_.push_back({std::make_unique<gateway>(how, lan, wan, now_)});
  return *routers_.back().model;
}

gateway* world::device_at(const ip_address& lan) {
  ++router_changes_;
  router_node* node = node_at(lan);
  return node == nullptr ? nullptr : node->model.get();
}

const gateway* world::device_at(const ip_address& lan) const {
  const std::size_t index = index_of(lan);
  return index == nobody ? nullptr : routers_[index].model.get();
}

std::vector<const gateway*> world::routers() const {
  std::vector<const gateway*> out;
  for (const auto& node : routers_) out.push_back(node.model.get());
  return out;
}

// -------------------------------------------------------------------------------------------------
// The program

mapping_id world::create(const map_request& request) {
  const mapping_id id{next_id_++};
  feed(create_mapping{id, request});
  return id;
}

void world::release(mapping_id id, bool keep_lease) { feed(release_mapping{id, keep_lease}); }

discovery_id world::discover(protocol_filter protocols) {
  const discovery_id id{next_discovery_++};
  feed(damson::discover{id, protocols});
  return id;
}

void world::cancel(discovery_id id) { feed(cancel_discovery{id}); }

router_question_id world::ask(const router_question& what) {
  const router_question_id id{next_question_++};
  feed(ask_router{id, what});
  return id;
}

void world::cancel(router_question_id id) { feed(cancel_router_question{id}); }

void world::close(bool at_once) { feed(close_engine{at_once}); }

// -------------------------------------------------------------------------------------------------
// Time

void world::run_for(std::chrono::nanoseconds span) {
  const time_point until = now_ + span;
  while (step_until(until)) {
  }
}

bool world::run_until(const std::function<bool()>& done, std::chrono::nanoseconds limit) {
  const time_point until = now_ + limit;
  while (!done()) {
    if (!step_until(until)) return done();
  }
  return true;
}

bool world::step(std::chrono::nanoseconds until) { return step_until(beginning + until); }

bool world::is_before_deadline() const {
  const auto due = engine_.deadline();
  return due && next_time() == due && (queue_.empty() || queue_.front().at > *due);
}

void world::skip_to_deadline() { now_ = std::max(now_, *engine_.deadline()); }

void world::suspend(std::chrono::nanoseconds span) {
  asleep_until_ = now_ + span;
  run_for(span);
  asleep_until_.reset();
}

std::optional<time_point> world::next_time() const {
  std::optional<time_point> first;
  const auto consider = [&first](const std::optional<time_point>& at) {
    if (at && (!first || *at < *first)) first = at;
  };
  if (!queue_.empty()) consider(queue_.front().at);
  for (const auto& node : routers_) consider(node.model->deadline());
  // While the host sleeps nothing of its own happens, and what came due is due on waking.
  if (const auto due = engine_.deadline()) {
    consider(asleep_until_ ? std::max(*due, *asleep_until_) : *due);
  }
  if (first && *first < now_) first = now_;
  return first;
}

bool world::step_until(time_point until) {
  carry_events();
  const auto at = next_time();
  if (!at || *at > until) {
    now_ = std::max(now_, until);
    return false;
  }
  now_ = *at;
  if (!queue_.empty() && queue_.front().at <= now_) {
    happen(take_next());
    return true;
  }
  for (auto& node : routers_) {
    const auto due = node.model->deadline();
    if (!due || *due > now_) continue;
    ++router_changes_;
    auto packets = node.model->advance(now_);
    if (node.plugged && node.serving) carry_from_routers(std::move(packets));
    return true;
  }
  feed(time_passed{});
  return true;
}

void world::schedule(std::chrono::nanoseconds after, happening what) {
  if (std::holds_alternative<http_step>(what)) ++http_steps_;
  std::size_t slot = slots_.size();
  if (free_slots_.empty()) {
    slots_.push_back(std::move(what));
  } else {
    slot = free_slots_.back();
    free_slots_.pop_back();
    slots_[slot] = std::move(what);
  }
  queue_.push_back({now_ + after, scheduled_++, slot});
  std::ranges::push_heap(queue_, std::greater{});
}

world::happening world::take_next() {
  std::ranges::pop_heap(queue_, std::greater{});
  const std::size_t slot = queue_.back().slot;
  queue_.pop_back();
  free_slots_.push_back(slot);
  return std::move(slots_[slot]);
}

void world::happen(const happening& what) {
  if (const auto* out = std::get_if<to_router>(&what)) {
    arrive_at_router(*out);
  } else if (const auto* in = std::get_if<to_host>(&what)) {
    if (!asleep_until_) arrive_at_host(in->packet, true);
  } else if (const auto* asked = std::get_if<to_stun>(&what)) {
    happen(*asked);
  } else if (std::holds_alternative<look>(what)) {
    feed(network_changed{facts_});
  } else if (const auto* opened = std::get_if<channel_opened>(&what)) {
    feed(*opened);
  } else if (const auto* told = std::get_if<to_listener>(&what)) {
    arrive_at_listener(*told);
  } else if (const auto* step = std::get_if<http_step>(&what)) {
    --http_steps_;
    happen(*step);
    forget_ended_requests();
  } else {
    feed(std::get<channel_failed>(what));
  }
}

// -------------------------------------------------------------------------------------------------
// The engine

void world::feed(const input& what) {
  watch_.on_input(now_, what);
  engine_.handle(now_, what);
  while (auto out = engine_.poll()) {
    watch_.on_output(*out);
    act(*out);
  }
  watch_.on_drained(now_, engine_);
}

void world::act(const output& what) {
  if (const auto* open = std::get_if<open_channel>(&what)) {
    act(*open);
  } else if (const auto* shut = std::get_if<close_channel>(&what)) {
    channels_.erase(shut->channel);
  } else if (const auto* send = std::get_if<send_datagram>(&what)) {
    act(*send);
  } else if (const auto* request = std::get_if<send_http>(&what)) {
    act(*request);
  } else if (const auto* unwanted = std::get_if<cancel_http>(&what)) {
    act(*unwanted);
  } else if (const auto* listener = std::get_if<listen_for_events>(&what)) {
    act(*listener);
  } else if (const auto* answered = std::get_if<answer_event>(&what)) {
    event_answer_ = answered->status;
  } else if (const auto* event = std::get_if<mapping_event>(&what)) {
    note(event_record{now(), *event});
  } else if (const auto* found = std::get_if<discovered>(&what)) {
    discoveries_.push_back({now(), *found});
  } else if (const auto* answer = std::get_if<router_answered>(&what)) {
    answers_.push_back({now(), *answer});
  } else if (std::holds_alternative<look_at_network>(what)) {
    schedule(std::chrono::nanoseconds{0}, look{});
  }
}

void world::act(const open_channel& what) {
  const auto answer = [&](happening in) { schedule(std::chrono::nanoseconds{0}, std::move(in)); };
  channel made;
  if (const auto* group = std::get_if<multicast_channel>(&what.what)) {
    if (!multicast_works_) {
      return answer(channel_failed{what.channel, channel_error::cannot_open});
    }
    made = {channel_kind::multicast, group->group, {}};
  } else {
    if (!sockets_work) return answer(channel_failed{what.channel, channel_error::cannot_open});
    const auto* peer = std::get_if<connected_channel>(&what.what);
    const ip_address local =
        own_address(peer != nullptr ? peer->local : std::get<search_channel>(what.what).local);
    made = {peer != nullptr ? channel_kind::connected : channel_kind::search,
            {local, next_ephemeral_port_++},
            peer != nullptr ? peer->remote : endpoint{}};
  }
  channels_.emplace(what.channel, made);
  answer(channel_opened{what.channel, made.local});
}

void world::act(const send_datagram& what) {
  const channel& through = channels_.at(what.channel);
  if (through.kind == channel_kind::multicast || through.kind == channel_kind::events) {
    throw contract_broken("send_datagram on a channel that only listens");
  }
  if ((through.kind == channel_kind::search) != what.to.has_value()) {
    throw contract_broken("send_datagram::to belongs to search channels, and to all of them");
  }
  const endpoint to = what.to.value_or(through.remote);
  if (to.address.is_multicast() ? facts_.addresses.empty() : !has_route_to(to.address)) {
    schedule(std::chrono::nanoseconds{0}, channel_failed{what.channel, channel_error::unreachable});
    note(packet_record{
        now(), direction::to_router, fate::unheard, {through.local, to, what.bytes}, false});
    return;
  }
  carry(direction::to_router, {through.local, to, what.bytes});
}

// -------------------------------------------------------------------------------------------------
// The network

bool world::is_in_reach(const ip_address& router) const {
  const std::size_t index = index_of(router);
  if (index == nobody || !sockets_work || asleep_until_) return false;
  const router_node& node = routers_[index];
  return node.plugged && node.serving && node.http_serving && !facts_.routes.empty() &&
         has_route_to(router) && has_address(host_address);
}

void world::reboot_router(bool keep_table) {
  flows_.clear();
  router().reboot(now_, keep_table);
}

void world::set_public_address(const std::optional<ip_address>& wan) {
  router().set_public_address(now_, wan);
}

void world::set_network(const network_facts& facts) {
  facts_ = facts;
  feed(network_changed{facts_});
}

bool world::has_route_to(const ip_address& address) const {
  if (!facts_.routes.empty()) return true;
  return std::ranges::any_of(facts_.addresses, [&](const interface_address& own) {
    return own.address.in_same_network(address, own.prefix_length);
  });
}

bool world::refuses(const router_node& node, const datagram& packet) {
  const profile& how = node.model->behaviour();
  const bool closed = !how.speaks_pcp && !how.speaks_nat_pmp && how.closed_port_refuses;
  return !node.serving || (closed && packet.to.port == server_port);
}

bool world::listens_to(const router_node& node, const ip_address& group) {
  return node.plugged && node.serving && !node.is_upstream && node.model->behaviour().speaks_upnp &&
         (group.is_v4() || node.model->speaks_ipv6());
}

bool world::has_address(const ip_address& address) const {
  return std::ranges::any_of(facts_.addresses,
                             [&](const interface_address& own) { return own.address == address; });
}

ip_address world::own_address(const ip_address& wanted) const {
  if (!wanted.is_unspecified() || facts_.addresses.empty()) return wanted;
  return facts_.addresses.front().address;
}

std::size_t world::index_of(const ip_address& address) const {
  for (std::size_t i = 0; i < routers_.size(); ++i) {
    if (routers_[i].model->has_lan_address(address)) return i;
  }
  return nobody;
}

world::router_node* world::node_at(const ip_address& address) {
  const std::size_t index = index_of(address);
  return index == nobody ? nullptr : &routers_[index];
}

bool world::chance(unsigned percent) { return percent > 0 && dice_.uniform(1, 100) <= percent; }

std::optional<std::chrono::nanoseconds> world::travel_time(const packet_record& record) {
  std::optional<std::chrono::nanoseconds> travel = link_.latency;
  if (courier) travel = courier(record);
  if (!travel || (record.datagram.to.address.is_multicast() && link_.multicast_lost)) {
    return std::nullopt;
  }
  if (chance(link_.burst_percent)) burst_until_ = now_ + link_.burst;
  if (burst_until_ && now_ < *burst_until_) return std::nullopt;
  if (chance(link_.loss_percent)) return std::nullopt;
  if (chance(link_.reorder_percent)) {
    *travel += dice_.uniform_duration(link_.latency, 3 * link_.latency);
  }
  return travel;
}

/// Damage that the checksum of UDP does not find is rare, and all the worse.
datagram world::as_it_arrives(packet_record&& record) {
  datagram out = std::move(record.datagram);
  if (!record.damaged) return out;
  const auto where = static_cast<std::size_t>(dice_.uniform(0, out.bytes.size() - 1));
  if (dice_.uniform(0, 3) == 0) {
    out.bytes.resize(where);
  } else {
    out.bytes[where] ^= static_cast<std::byte>(1U << dice_.uniform(0, 7));
  }
  return out;
}

void world::carry(direction way, datagram packet) {
  packet_record record{now(), way, fate::delivered, std::move(packet), false};
  const auto travel = travel_time(record);
  record.damaged = travel && !record.datagram.bytes.empty() && chance(link_.damage_percent);
  if (!travel) {
    record.end = fate::lost;
    note(record);
  } else if (way == direction::to_host) {
    carry_to_host(std::move(record), *travel);
  } else if (record.datagram.to.address.is_multicast()) {
    carry_to_group(std::move(record), *travel);
  } else if (stun_ && record.datagram.to == stun_->at) {
    carry_to_stun(std::move(record), *travel);
  } else {
    carry_to_router(std::move(record), *travel);
  }
}

void world::carry_to_router(packet_record record, std::chrono::nanoseconds travel) {
  const std::size_t index = index_of(record.datagram.to.address);
  if (index == nobody || !routers_[index].plugged || !is_linked(routers_[index])) {
    record.end = fate::unheard;
  } else if (refuses(routers_[index], record.datagram)) {
    record.end = fate::refused;
  }
  note(record);
  if (record.end == fate::unheard) return;
  datagram arriving = as_it_arrives(std::move(record));
  if (chance(link_.duplicate_percent)) schedule(travel, to_router{arriving, index});
  schedule(travel, to_router{std::move(arriving), index});
}

/// Everybody who listens hears it, each on its own.
void world::carry_to_group(packet_record record, std::chrono::nanoseconds travel) {
  const ip_address group = record.datagram.to.address;
  const auto listens = [&](const router_node& node) { return listens_to(node, group); };
  record.end = std::ranges::any_of(routers_, listens) ? fate::delivered : fate::unheard;
  note(record);
  if (record.end == fate::unheard) return;
  const datagram arriving = as_it_arrives(std::move(record));
  for (std::size_t i = 0; i < routers_.size(); ++i) {
    if (listens(routers_[i])) schedule(travel, to_router{arriving, i});
  }
}

void world::carry_to_host(packet_record record, std::chrono::nanoseconds travel) {
  const endpoint& to = record.datagram.to;
  if (to.address.is_multicast() && !is_heard_by_host(to)) record.end = fate::unheard;
  note(record);
  if (record.end == fate::unheard) return;
  datagram arriving = as_it_arrives(std::move(record));
  if (chance(link_.duplicate_percent)) schedule(travel, to_host{arriving});
  schedule(travel, to_host{std::move(arriving)});
}

bool world::is_heard_by_host(const endpoint& group) const {
  return std::ranges::any_of(channels_, [&](const auto& each) {
    return each.second.kind == channel_kind::multicast && each.second.local == group;
  });
}

void world::carry_from_routers(std::vector<datagram> packets) {
  for (auto& packet : packets) {
    const std::size_t index = index_of(packet.from.address);
    if (index != nobody && routers_[index].is_upstream) {
      auto back = translated_back(std::move(packet));
      if (back) carry(direction::to_host, std::move(*back));
    } else {
      carry(direction::to_host, std::move(packet));
    }
  }
}

void world::arrive_at_router(const to_router& arrived) {
  datagram packet = arrived.packet;
  const router_node& node = routers_[arrived.node];
  if (!node.plugged || !is_linked(node)) return;
  if (!refuses(node, packet)) {
    ++router_changes_;
    packet.from = as_seen(node, packet.from);
    carry_from_routers(node.model->handle(now_, packet));
    return;
  }
  refuse(packet.from);
}

/// ICMP travels back to the socket that sent, if it is still there then.
void world::refuse(const endpoint& sender) {
  for (const auto& [id, through] : channels_) {
    if (through.kind != channel_kind::connected || through.local != sender) continue;
    schedule(link_.latency, channel_failed{id, channel_error::refused});
  }
}

bool world::arrive_at_host(const datagram& packet, bool filtered) {
  std::vector<channel_id> takers;
  for (const auto& [id, through] : channels_) {
    if (through.kind == channel_kind::events) continue;
    const bool from_peer = through.kind == channel_kind::search || through.remote == packet.from;
    const bool is_for_it = through.kind == channel_kind::multicast
                               ? through.local == packet.to
                               : through.local.port == packet.to.port && (!filtered || from_peer);
    if (is_for_it) takers.push_back(id);
  }
  for (const channel_id id : takers) {
    if (channels_.contains(id)) feed(datagram_received{id, packet.from, packet.bytes});
  }
  return !takers.empty();
}

bool world::inject(const datagram& forged) { return arrive_at_host(forged, false); }

std::optional<std::uint16_t> world::client_port() const {
  for (const auto& [id, through] : std::views::reverse(channels_)) {
    if (through.kind == channel_kind::connected) return through.local.port;
  }
  return std::nullopt;
}

std::optional<endpoint> world::search_endpoint() const {
  for (const auto& [id, through] : std::views::reverse(channels_)) {
    if (through.kind == channel_kind::search) return through.local;
  }
  return std::nullopt;
}

}  // namespace damson::sim
