#include "proto/gena_subscription.hpp"

#include <limits>
#include <utility>

#include "wire/ascii.hpp"

namespace damson {
namespace {

constexpr std::uint16_t not_found = 404;
constexpr std::uint16_t method_not_allowed = 405;
constexpr std::uint16_t precondition_failed = 412;

/// UDA 1.0 section 4.2.1: from the last number on it begins again with 1.
constexpr std::uint32_t after(std::uint32_t number) noexcept {
  return number == std::numeric_limits<std::uint32_t>::max() ? 1 : number + 1;
}

/// Numbers that are half of all apart are an old one and a new one.
constexpr bool is_older(std::uint32_t number, std::uint32_t expected) noexcept {
  return number != expected && expected - number < (std::uint32_t{1} << 31U);
}

}  // namespace

gena_subscription::gena_subscription(http_target where, const endpoint& callback, std::string path,
                                     time_point now)
    : where_(std::move(where)), callback_(callback), path_(std::move(path)), next_(now) {}

std::string gena_subscription::ask() {
  next_.reset();
  open_ = held_.empty() ? aim::subscribe : aim::renew;
  if (*open_ == aim::renew) return make_renewal(where_, held_);
  heard_.reset();
  return make_subscribe(where_, callback_, path_);
}

bool gena_subscription::on_response(std::uint16_t status, std::string_view id,
                                    std::string_view timeout, time_point now) {
  const aim asked = std::exchange(open_, std::nullopt).value_or(aim::subscribe);
  was_silent_ = false;
  if (status != 200) {
    on_refused(status, now);
    return false;
  }
  // There are routers that do not name it again when it is renewed.
  const std::string known = held_;
  const auto granted = decode_subscription(
      id.empty() && asked == aim::renew ? std::string_view{known} : id, timeout);
  if (!granted) {
    held_.clear();
    return false;
  }
  held_ = granted->id;
  asked_anew_ = false;
  next_ = now + granted->lifetime / 2;
  ends_ = now + granted->lifetime;
  return true;
}

/// 412 to a renewal means that the router has forgotten it, most likely in a restart; 5xx that it
/// can not now. Both may pass, once.
void gena_subscription::on_refused(std::uint16_t status, time_point now) {
  const bool was_held = !std::exchange(held_, {}).empty();
  const bool may_pass = status == precondition_failed || status >= 500;
  if (!may_pass || std::exchange(asked_anew_, true)) return;
  next_ = was_held ? now : now + refusal_pause;
}

/// Who does not answer when asked for the first time may be one of those that events are too much
/// for. One that has granted before may have been out of reach.
void gena_subscription::on_silence(time_point now) {
  const aim asked = std::exchange(open_, std::nullopt).value_or(aim::subscribe);
  if (asked == aim::subscribe || std::exchange(was_silent_, true) || ends_ <= now) return;
  next_ = now + (ends_ - now) / 2;
}

void gena_subscription::on_broken_off(time_point now) {
  open_.reset();
  next_ = now;
}

std::string gena_subscription::end() {
  next_.reset();
  return make_unsubscribe(where_, std::exchange(held_, {}));
}

/// The first event may come before the answer that names the subscription.
bool gena_subscription::is_ours(const event_received& what) const noexcept {
  const auto id = ascii::trim(what.subscription);
  if (open_ == aim::subscribe) return !id.empty();
  return !held_.empty() && id == held_;
}

std::expected<std::optional<gena_subscription::news>, std::uint16_t> gena_subscription::on_event(
    const event_received& what) {
  if (what.target != path_) return std::unexpected(not_found);
  if (what.method != "NOTIFY") return std::unexpected(method_not_allowed);
  if (!is_event(what) || !is_ours(what)) return std::unexpected(precondition_failed);
  const auto values = decode_event(what.body);
  if (!values) return std::nullopt;
  const auto number = event_sequence(what);
  if (!number) return news{*values, false};
  const std::uint32_t expected = heard_ ? after(*heard_) : 0;
  if (is_older(*number, expected)) return std::nullopt;
  heard_ = *number;
  return news{*values, *number != expected};
}

}  // namespace damson
