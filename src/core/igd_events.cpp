#include "core/igd_events.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>

#include "wire/ascii.hpp"

namespace damson::core {
namespace {

constexpr std::chrono::milliseconds answer_deadline{3'000};
constexpr std::chrono::milliseconds goodbye_deadline{500};
/// Events can wait until the device has had nothing else to do for so long.
constexpr std::chrono::seconds calm{1};
constexpr std::size_t answer_bytes = 4'096;  ///< of a page that nobody reads
/// Who never answers SUBSCRIBE is asked no more than so often, however often it moves.
constexpr unsigned most_silences = 2;

/// So that nobody else on the link knows where the device tells its events.
std::string secret_path(random_source& random) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::array<std::byte, 16> bytes{};
  random.fill(bytes);
  std::string out = "/";
  for (const std::byte each : bytes) {
    out += digits[std::to_integer<std::size_t>(each >> 4U)];
    out += digits[std::to_integer<std::size_t>(each & std::byte{0xf})];
  }
  return out;
}

}  // namespace

// ---------------------------------------------------------------------------------------------
// Listening

void igd_events::begin(context& ctx, const igd_device& device) {
  if (where_.is_upstream()) return;
  if (std::exchange(leaving_, false)) return subscribe_anew(ctx);
  if (std::exchange(begun_, true)) return;
  announcements_ = ctx.new_channel();
  const bool is_v4 = local_.is_v4();
  ctx.outputs.emplace_back(open_channel{
      .channel = *announcements_,
      .what = multicast_channel{.group = {is_v4 ? ssdp_group_v4 : ssdp_group_link_local, ssdp_port},
                                .local = local_,
                                .interface_index = where_.interface_index}});
  on_found(ctx, device, true);
}

/// The old one has ended, or is about to.
void igd_events::subscribe_anew(context& ctx) {
  if (leaving_) return;
  break_off(ctx);
  if (!subscription_ || silences_ >= most_silences) return;
  const endpoint callback = subscription_->callback();
  subscription_.emplace(*target_, callback, secret_path(ctx.random), ctx.now);
}

void igd_events::on_found(context& ctx, const igd_device& device, bool moved) {
  device_ = {.address = device.answered_from,
             .unique_name = device.unique_name,
             .location = device.location,
             .boot_id = device.boot_id};
  if (!begun_ || !(moved || target_ != device.events)) return;
  stop_listening(ctx);
  target_ = device.events;
  listen(ctx, device);
}

/// Not in IPv6: from which of its addresses a router would come to tell is not known, and the
/// sender has to be.
void igd_events::listen(context& ctx, const igd_device& device) {
  entries_.reset();
  own_deletes_ = 0;
  if (!target_ || !local_.is_v4() || silences_ >= most_silences) return;
  listener_ = ctx.new_channel();
  ctx.outputs.emplace_back(listen_for_events{
      .channel = *listener_, .local = local_, .peer = device.control.server.address});
}

void igd_events::stop_listening(context& ctx) {
  break_off(ctx);
  subscription_.reset();
  if (listener_) ctx.outputs.emplace_back(close_channel{*listener_});
  listener_.reset();
}

void igd_events::close(context& ctx) {
  stop_listening(ctx);
  if (announcements_) ctx.outputs.emplace_back(close_channel{*announcements_});
  announcements_.reset();
}

void igd_events::on_opened(context& ctx, const channel_opened& what) {
  if (what.channel != listener_ || subscription_) return;
  subscription_.emplace(*target_, what.local, secret_path(ctx.random), ctx.now);
}

void igd_events::on_failed(context& ctx, const channel_failed& what) {
  if (what.error != channel_error::cannot_open) return;
  const bool is_listener = what.channel == listener_;
  (is_listener ? listener_ : announcements_).reset();
  if (is_listener) {
    break_off(ctx);
    subscription_.reset();
  }
  ctx.log.log(log_level::info, "upnp: ", is_listener ? "events" : "announcements",
              " cannot be listened to");
}

// ---------------------------------------------------------------------------------------------
// Asking

void igd_events::send(context& ctx, std::string request) {
  exchange_ = http_id{++ctx.exchanges_used};
  asked_ = target_->server;
  ctx.outputs.emplace_back(send_http{.id = *exchange_,
                                     .remote = asked_,
                                     .local = local_,
                                     .head_and_body = std::move(request),
                                     .body_limit = answer_bytes,
                                     .deadline = leaving_ ? goodbye_deadline : answer_deadline});
}

void igd_events::pump(context& ctx, bool is_free) {
  if (!is_free) calm_from_ = ctx.now + calm;
  if (!is_free || exchange_ || leaving_) return;
  if (const auto due = next_due(); due && *due <= ctx.now) send(ctx, subscription_->ask());
}

std::optional<time_point> igd_events::next_due() const noexcept {
  if (!subscription_ || exchange_ || leaving_ || !subscription_->next_due()) return std::nullopt;
  return std::max(*subscription_->next_due(), calm_from_);
}

void igd_events::break_off(context& ctx) {
  if (!exchange_) return;
  ctx.outputs.emplace_back(cancel_http{*exchange_});
  exchange_.reset();
}

void igd_events::step_aside(context& ctx) {
  if (!exchange_) return;
  break_off(ctx);
  if (subscription_ && subscription_->is_open()) subscription_->on_broken_off(ctx.now);
}

bool igd_events::leave(context& ctx, bool is_free) {
  if (std::exchange(leaving_, true)) return exchange_.has_value();
  step_aside(ctx);
  if (!is_free || !subscription_ || !subscription_->is_held()) return false;
  send(ctx, subscription_->end());
  return true;
}

bool igd_events::on_response(context& ctx, const http_response& what) {
  if (!exchange_ || *exchange_ != what.id) return false;
  exchange_.reset();
  if (leaving_ || !subscription_) return true;
  const bool is_its_own = what.peer == asked_;
  if (is_its_own &&
      subscription_->on_response(what.status, what.subscription, what.timeout, ctx.now)) {
    return true;
  }
  if (!is_its_own) subscription_->on_silence(ctx.now);
  ++ctx.counters.subscriptions_failed;
  ctx.log.log(log_level::debug, "upnp: the request for events is answered ", what.status);
  return true;
}

bool igd_events::on_failed(context& ctx, const http_failed& what) {
  if (!exchange_ || *exchange_ != what.id) return false;
  exchange_.reset();
  if (leaving_ || !subscription_) return true;
  if (!subscription_->is_held() && what.error == http_error::timed_out) ++silences_;
  subscription_->on_silence(ctx.now);
  ++ctx.counters.subscriptions_failed;
  ctx.log.log(log_level::debug, "upnp: the request for events is not answered");
  return true;
}

// ---------------------------------------------------------------------------------------------
// Hearing

/// Than before, and than what the program itself has deleted since explains; the event may come
/// before the answer to that.
bool igd_events::are_fewer(std::uint32_t entries, bool is_deleting) noexcept {
  const auto before = std::exchange(entries_, entries);
  const std::int64_t deleted = std::exchange(own_deletes_, 0);
  if (!before) return false;
  const std::int64_t missing = std::int64_t{*before} - std::int64_t{entries} - deleted;
  if (missing <= 0 || !is_deleting) return missing > 0;
  own_deletes_ = -1;
  return missing > 1;
}

void igd_events::on_event(context& ctx, const event_received& what, const known& before) {
  ++ctx.counters.events_received;
  const bool is_peer = subscription_ && what.from.address == device_.address;
  const auto heard = is_peer ? subscription_->on_event(what) : std::unexpected{std::uint16_t{412}};
  ctx.outputs.emplace_back(answer_event{what.id, heard ? std::uint16_t{200} : heard.error()});
  if (!heard || !*heard) {
    ++ctx.counters.events_refused;
    return;
  }
  const auto& [values, is_gap] = **heard;
  if (values.entries && are_fewer(*values.entries, before.is_deleting)) suspect(true);
  if (is_gap) suspect(true);
  if (values.external && values.external != before.external) suspect(false);
  if (hint_) ctx.log.log(log_level::debug, "upnp: the device tells of a change");
}

/// USN is the UDN, alone or with what the message is about behind "::".
bool igd_events::is_of_device(const ssdp_message& message) const noexcept {
  if (device_.unique_name.empty()) return true;
  const std::string_view name = message.unique_name;
  return ascii::starts_with_ignoring_case(name, device_.unique_name) &&
         (name.size() == device_.unique_name.size() ||
          name.substr(device_.unique_name.size()).starts_with("::"));
}

/// Each goes out in many copies, and the same again and again: what was heard before is no news.
bool igd_events::is_news(const ssdp_message& message) {
  if (message.kind == ssdp_kind::byebye) return !std::exchange(device_.is_gone, true);
  bool is_other = std::exchange(device_.is_gone, false);
  if (std::exchange(device_.location, message.location) != message.location) is_other = true;
  if (message.boot_id) {
    // Where the answer to the search did not tell it, this is the first one that is known.
    const auto before = std::exchange(device_.boot_id, message.boot_id);
    if (before && before != message.boot_id) is_other = true;
  }
  return is_other;
}

void igd_events::on_datagram(context& ctx, const datagram_received& what) {
  ++ctx.counters.datagrams_received;
  if (what.from.address != device_.address) {
    ++ctx.counters.datagrams_stranger;
    return;
  }
  const auto message = decode_ssdp(what.bytes);
  if (!message || message->kind == ssdp_kind::answer) {
    ++ctx.counters.datagrams_malformed;
    return;
  }
  if (!is_of_device(*message)) {
    ++ctx.counters.datagrams_unmatched;
    return;
  }
  if (!is_news(*message)) return;
  ctx.log.log(log_level::debug, "upnp: the device announces itself");
  suspect(false);
}

}  // namespace damson::core
