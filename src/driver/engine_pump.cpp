#include "driver/engine_pump.hpp"

#include <string>
#include <utility>
#include <variant>

#include <damson/network.hpp>

#include "base/check.hpp"

namespace damson::driver {

namespace asio = boost::asio;

namespace {

std::string to_string(const open_channel& order) {
  if (const auto* connected = std::get_if<connected_channel>(&order.what))
    return "to " + damson::to_string(connected->remote);
  if (const auto* group = std::get_if<multicast_channel>(&order.what))
    return "for " + damson::to_string(group->group);
  return "for searching from " + damson::to_string(std::get<search_channel>(order.what).local);
}

/// True until the end of the block, whatever ends it.
class raised {
 public:
  explicit raised(bool& flag) : flag_(flag) { flag_ = true; }
  raised(const raised&) = delete;
  raised& operator=(const raised&) = delete;
  ~raised() { flag_ = false; }

 private:
  bool& flag_;
};

}  // namespace

engine_pump::engine_pump(asio::any_io_executor strand, const options& opts,
                         std::span<const std::uint64_t, 4> seed)
    : strand_(std::move(strand)),
      log_(opts.level, opts.log),
      engine_(opts, seed),
      timer_(strand_) {}

engine_pump::~engine_pump() {
  if (watch_) watch_->close();
  for (const auto& [id, channel] : channels_) channel->close();
  for (const auto& [id, listener] : event_listeners_) listener->close();
  for (const auto& [id, exchange] : exchanges_) exchange->cancel();
}

void engine_pump::attach(const std::shared_ptr<engine_observer>& observer) { observer_ = observer; }

template <class Listener>
std::weak_ptr<Listener> engine_pump::as_listener() {
  Listener* listener = this;
  return std::shared_ptr<Listener>{observer_.lock(), listener};
}

void engine_pump::put(input what) {
  if (closed_) return;
  if (draining_) {
    DAMSON_ASSERT(!std::holds_alternative<datagram_received>(what) &&
                  !std::holds_alternative<http_response>(what) &&
                  !std::holds_alternative<event_received>(what));
    waiting_.push_back(std::move(what));
    return;
  }
  hear_what_is_there();
  take(std::move(what));
  send_out();
  rest_or_work();
}

/// A busy program comes late, and what has arrived in time must not be told after the deadline that
/// it was in time for.
void engine_pump::hear_what_is_there() {
  const auto deadline = work_ ? engine_.deadline() : std::nullopt;
  if (!deadline || boot_time_now() < *deadline) return;
  std::vector<std::shared_ptr<udp_channel>> open;
  open.reserve(channels_.size());
  for (const auto& [id, channel] : channels_) open.push_back(channel);
  for (const auto& channel : open) channel->read_what_is_there();
}

/// Datagrams have arrived before they were read: before the deadline, if that is over.
time_point engine_pump::time_of(const input& what) const {
  const time_point now = boot_time_now();
  const auto deadline = engine_.deadline();
  if (!std::holds_alternative<datagram_received>(what) || !deadline || now < *deadline) return now;
  return *deadline - std::chrono::nanoseconds{1};
}

/// Without what is done once for many.
void engine_pump::take(input what) {
  // A resting pump has no timer, so the engine may have missed its deadline.
  if (!work_) waiting_.emplace_back(time_passed{});
  waiting_.push_back(std::move(what));
  drain();
}

void engine_pump::say_last_words(std::span<const mapping_id> to_keep) {
  if (closed_ || draining_) return;
  closed_ = true;
  waiting_.clear();
  const auto say = [this](const input& what) {
    engine_.handle(boot_time_now(), what);
    while (const auto out = engine_.poll()) {
      const auto* order = std::get_if<send_datagram>(&*out);
      if (order == nullptr) continue;
      const auto found = channels_.find(order->channel);
      if (found != channels_.end()) found->second->send(order->bytes, order->to);
    }
  };
  for (const auto each : to_keep) say(release_mapping{each, true});
  say(close_engine{.at_once = true});
}

void engine_pump::drain() {
  const raised guard{draining_};
  while (!waiting_.empty() && !closed_) {
    const input next = std::move(waiting_.front());
    waiting_.pop_front();
    engine_.handle(time_of(next), next);
    while (auto out = engine_.poll())
      std::visit([this](auto&& order) { act(std::forward<decltype(order)>(order)); },
                 std::move(*out));
  }
}

/// What is sent may be refused at once, which is news for the engine.
void engine_pump::send_out() {
  while (!to_send_.empty()) {
    for (const auto& [id, datagrams] : std::exchange(to_send_, {})) {
      const auto found = channels_.find(id);
      if (found == channels_.end()) continue;
      for (const send_result each : found->second->send(datagrams)) note_sent(id, each);
    }
    drain();
  }
}

void engine_pump::rest_or_work() {
  const bool works = !closed_ && engine_.is_busy();
  if (!works) break_off_exchanges();
  if (works && !work_) {
    work_.emplace(strand_);
    for (const auto& [id, channel] : channels_) channel->start(as_listener<channel_listener>());
    for (const auto& [id, listener] : event_listeners_)
      listener->start(as_listener<event_observer>());
    // Where the engine did not want to look, nothing was heard since the pump came to rest.
    if (watch_network()) on_network_notice();
  } else if (!works && work_) {
    work_.reset();
    for (const auto& [id, channel] : channels_) channel->pause();
    for (const auto& [id, listener] : event_listeners_) listener->pause();
  }
  if (!works) stop_watching();
  arm_timer();
}

void engine_pump::break_off_exchanges() {
  for (const auto& [id, exchange] : exchanges_) {
    exchange->cancel();
    waiting_.emplace_back(http_failed{id, http_error::broken});
  }
  exchanges_.clear();
}

void engine_pump::arm_timer() {
  const auto deadline = work_ ? engine_.deadline() : std::nullopt;
  if (deadline == armed_for_) return;
  armed_for_ = deadline;
  if (!deadline) {
    timer_.cancel();
    return;
  }
  timer_.expires_at(*deadline);
  timer_.async_wait([this, keep = observer_.lock()](const boost::system::error_code& error) {
    if (error) return;
    armed_for_.reset();
    put(time_passed{});
  });
}

void engine_pump::on_datagrams(channel_id channel, std::span<const incoming_datagram> arrived) {
  for (const incoming_datagram& each : arrived) {
    if (!channels_.contains(channel)) break;  // closed in the meantime
    take(datagram_received{channel, each.from, each.bytes});
  }
  send_out();
  rest_or_work();
}

void engine_pump::on_channel_error(channel_id channel, channel_error error) {
  if (error == channel_error::cannot_open) channels_.erase(channel);
  put(channel_failed{channel, error});
}

void engine_pump::on_http_response(const http_response& answer) {
  exchanges_.erase(answer.id);
  put(answer);
}

void engine_pump::on_http_failed(const http_failed& failure) {
  exchanges_.erase(failure.id);
  put(failure);
}

/// 503 where the engine has no word for it: it has closed.
std::uint16_t engine_pump::on_event(event_received what) {
  constexpr std::uint16_t service_unavailable = 503;
  what.id = event_id{++events_};
  event_answer_.reset();
  put(what);
  return std::exchange(event_answer_, std::nullopt).value_or(service_unavailable);
}

void engine_pump::on_listener_failed(channel_id channel) {
  event_listeners_.erase(channel);
  put(channel_failed{channel, channel_error::cannot_open});
}

void engine_pump::act(look_at_network /*order*/) { look(); }

void engine_pump::look() {
  if (closed_) return;
  read_network();
  put(network_changed{facts_});
}

void engine_pump::on_network_notice() {
  const auto before = facts_;
  read_network();
  if (facts_ != before) put(network_changed{facts_});
}

/// Listens for changes from before the reading on, so that none falls between.
void engine_pump::read_network() {
  watch_network();
  std::error_code error;
  auto facts = read_network_facts(error);
  if (!error)
    facts_ = std::move(facts);
  else  // what was true before is more likely than a host without a network
    log_.log(log_level::warning, "cannot read routes and addresses: ", error.message());
}

/// Whether that is new.
bool engine_pump::watch_network() {
  if (watch_ && watch_->is_open()) return false;
  const auto opened = network_watch::open(strand_);
  if (!opened) {
    if (!std::exchange(told_of_no_watch_, true)) {
      log_.log(log_level::debug,
               "changes of the network are seen at rechecks only: ", opened.error().message());
    }
    return false;
  }
  watch_ = *opened;
  watch_->start(as_listener<network_listener>());
  return true;
}

void engine_pump::stop_watching() {
  if (!watch_) return;
  watch_->close();
  watch_.reset();
}

void engine_pump::act(const open_channel& order) {
  const auto channel = udp_channel::open(strand_, order.channel, order.what);
  if (!channel) {
    log_.log(log_level::info, "cannot open a UDP socket ", to_string(order), ": ",
             channel.error().message());
    put(channel_failed{order.channel, channel_error::cannot_open});
    return;
  }
  channels_.insert_or_assign(order.channel, *channel);
  if (work_) (*channel)->start(as_listener<channel_listener>());
  put(channel_opened{order.channel, (*channel)->local()});
}

void engine_pump::act(const listen_for_events& order) {
  const auto listener = event_listener::open(strand_, order);
  if (!listener) {
    log_.log(log_level::info, "cannot listen for events at ", damson::to_string(order.local), ": ",
             listener.error().message());
    put(channel_failed{order.channel, channel_error::cannot_open});
    return;
  }
  event_listeners_.insert_or_assign(order.channel, *listener);
  if (work_) (*listener)->start(as_listener<event_observer>());
  put(channel_opened{order.channel, (*listener)->local()});
}

void engine_pump::act(const answer_event& order) { event_answer_ = order.status; }

void engine_pump::act(const close_channel& order) {
  if (const auto listener = event_listeners_.find(order.channel);
      listener != event_listeners_.end()) {
    listener->second->close();
    event_listeners_.erase(listener);
    return;
  }
  const auto found = channels_.find(order.channel);
  if (found == channels_.end()) return;
  // What the engine wanted sent before goes out before.
  if (const auto left = to_send_.extract(order.channel)) found->second->send(left.mapped());
  found->second->close();
  channels_.erase(found);
}

void engine_pump::act(send_datagram order) {
  if (!channels_.contains(order.channel)) return;
  to_send_[order.channel].push_back({std::move(order.bytes), order.to});
}

void engine_pump::note_sent(channel_id channel, send_result how) {
  switch (how) {
    case send_result::sent:
      break;
    case send_result::lost:
      // The engine sends again what is not answered.
      log_.log(log_level::debug, "no room for a datagram, so it is lost");
      break;
    case send_result::sent_after_refusal:
    case send_result::refused:
      waiting_.emplace_back(channel_failed{channel, channel_error::refused});
      break;
    case send_result::unreachable:
      waiting_.emplace_back(channel_failed{channel, channel_error::unreachable});
      break;
  }
}

void engine_pump::act(send_http order) {
  const auto id = order.id;
  exchanges_.emplace(id,
                     http_exchange::start(strand_, std::move(order), as_listener<http_listener>()));
}

void engine_pump::act(const cancel_http& order) {
  std::erase_if(waiting_, [&](const input& what) {
    const auto* failed = std::get_if<http_failed>(&what);
    return failed != nullptr && failed->id == order.id;
  });
  const auto found = exchanges_.find(order.id);
  if (found == exchanges_.end()) return;
  found->second->cancel();
  exchanges_.erase(found);
}

void engine_pump::act(mapping_event event) {
  if (const auto observer = observer_.lock()) observer->on_event(std::move(event));
}

void engine_pump::act(discovered result) {
  if (const auto observer = observer_.lock()) observer->on_discovered(std::move(result));
}

void engine_pump::act(router_answered&& answer) {
  if (const auto observer = observer_.lock()) observer->on_router_answered(std::move(answer));
}

void engine_pump::act(engine_closed /*order*/) {
  closed_ = true;
  for (const auto& [id, last] : std::exchange(to_send_, {})) channels_.at(id)->send(last);
  for (const auto& [id, channel] : channels_) channel->close();
  channels_.clear();
  for (const auto& [id, listener] : event_listeners_) listener->close();
  event_listeners_.clear();
  break_off_exchanges();
  waiting_.clear();
  if (const auto observer = observer_.lock()) observer->on_engine_closed();
}

}  // namespace damson::driver
