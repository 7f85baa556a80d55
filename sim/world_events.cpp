// Events in the virtual world (GENA): connections from routers to the host, which take a round trip
// to make, as all do.

#include <algorithm>
#include <chrono>
#include <ranges>
#include <string>
#include <utility>

#include "sim/message_text.hpp"
#include "sim/world.hpp"

namespace damson::sim {

namespace {

/// TCP's first wait before it sends again, and after how many times it gives up here.
constexpr std::chrono::milliseconds resend{1'000};
constexpr unsigned most_resends = 6;
constexpr std::uint16_t event_source_port = 50'000;

std::string field_of(const text_message& message, std::string_view name) {
  const std::string* const value = message.field(name);
  return value == nullptr ? std::string{} : *value;
}

}  // namespace

void world::act(const listen_for_events& what) {
  if (!sockets_work || !has_address(what.local)) {
    return schedule({}, channel_failed{what.channel, channel_error::cannot_open});
  }
  const endpoint local{what.local, next_ephemeral_port_++};
  channels_.emplace(what.channel, channel{channel_kind::events, local, {what.peer, 0}});
  schedule({}, channel_opened{what.channel, local});
}

/// To be called before time goes on, so that what has happened to a router is told at that time.
void world::carry_events() {
  for (router_node& node : routers_) {
    if (node.model->upnp().subscriptions() == 0) continue;
    for (event_message& each : node.model->take_events(now_)) {
      const ip_address from = node.model->lan_address();
      const bool is_sent = node.plugged && node.serving && events_work;
      note(notify_record{now(), from, each});
      const std::size_t record = notifies_.size() - 1;
      std::chrono::nanoseconds travel = 3 * link_.latency;
      std::chrono::nanoseconds pause = resend;
      unsigned resends = 0;
      for (; resends < most_resends && chance(link_.loss_percent); ++resends, pause *= 2) {
        travel += pause;
      }
      if (is_sent && resends < most_resends) {
        schedule(travel, to_listener{from, std::move(each), record});
      }
    }
  }
}

void world::arrive_at_listener(const to_listener& arrived) {
  if (asleep_until_) return;
  const auto status = post_event(arrived.from, arrived.what.to, arrived.what.request);
  if (keeps_records_) notifies_[arrived.record].status = status;
}

std::optional<std::uint16_t> world::post_event(const ip_address& from, const endpoint& to,
                                               std::string_view request) {
  const auto listener = std::ranges::find_if(channels_, [&](const auto& each) {
    return each.second.kind == channel_kind::events && each.second.local == to;
  });
  if (listener == channels_.end() || listener->second.remote.address != from) return std::nullopt;
  const auto message = read_message(request);
  if (!message) return std::nullopt;
  const auto words = words_of(message->start_line);
  const std::string kind = field_of(*message, "NT");
  const std::string sub_kind = field_of(*message, "NTS");
  const std::string id = field_of(*message, "SID");
  const std::string sequence = field_of(*message, "SEQ");
  event_answer_.reset();
  feed(event_received{.channel = listener->first,
                      .id = event_id{next_event_++},
                      .from = {from, event_source_port},
                      .method = words.at(0),
                      .target = words.size() > 1 ? words[1] : std::string_view{},
                      .notification_type = kind,
                      .notification_sub_type = sub_kind,
                      .subscription = id,
                      .sequence = sequence,
                      .body = message->body});
  return std::exchange(event_answer_, std::nullopt);
}

std::optional<endpoint> world::event_endpoint() const {
  for (const auto& [id, through] : std::views::reverse(channels_)) {
    if (through.kind == channel_kind::events) return through.local;
  }
  return std::nullopt;
}

}  // namespace damson::sim
