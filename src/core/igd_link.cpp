#include "core/igd_link.hpp"

#include <algorithm>
#include <utility>

namespace damson::core {
namespace {

constexpr std::chrono::seconds longest_patience{5};  ///< with one answer (Q-133)
constexpr std::chrono::seconds policy_pause =
    std::chrono::minutes{30};                  ///< the owner may change it (Q-35)
constexpr std::chrono::minutes full_pause{5};  ///< Q-173
constexpr std::chrono::seconds short_pause{30};
constexpr int round_trips_of_an_exchange = 2;  ///< to connect, and to ask

/// UPnP routers do not say when to ask again, so nothing waits longer than the recheck period but
/// for the reason that they are full.
std::chrono::seconds pause_after(errc reason, std::chrono::milliseconds recheck_period) noexcept {
  switch (reason) {
    case errc::not_authorized:
    case errc::not_supported:
    case errc::malformed_request:
    case errc::lease_not_supported:
      return std::min(policy_pause, std::chrono::ceil<std::chrono::seconds>(recheck_period));
    case errc::no_resources:
    case errc::external_not_available:
      return full_pause;
    default:
      return short_pause;
  }
}

}  // namespace

igd_link::igd_link(context& ctx, uplink where, const search_place& place, const ip_address& local,
                   gateway_id of)
    : where_(std::move(where)),
      timer_(timer::igd, mapping_id::none, of),
      client_(place, local, ctx.exchanges_used,
              std::min<std::chrono::milliseconds>(longest_patience, ctx.opts.mapping_timeout)),
      events_(where_, local) {}

void igd_link::close(context& ctx) {
  events_.close(ctx);
  client_.abort();
  for (const auto& each : client_.take_exchanges()) {
    if (const auto* unwanted = std::get_if<cancel_http>(&each)) ctx.outputs.emplace_back(*unwanted);
  }
  if (channel_) ctx.outputs.emplace_back(close_channel{*channel_});
  channel_.reset();
  ctx.timers.cancel(timer_);
}

endpoint igd_link::server() const noexcept {
  return client_.device() ? client_.device()->control.server : endpoint{};
}

// ---------------------------------------------------------------------------------------------
// Asking

void igd_link::find(context& ctx, bool brief) {
  if (client_.device()) return;
  standing_ = availability::unknown;
  client_.find(brief);
  pump(ctx);
}

void igd_link::stop_search(context& ctx) {
  if (client_.stop_search()) pump(ctx);
}

void igd_link::forget_device(context& ctx) {
  if (standing_ == availability::present) standing_ = availability::unknown;
  client_.forget_device();
  pump(ctx);
}

void igd_link::search_past_device(context& ctx) {
  if (is_tidying()) return;
  forget_device(ctx);
  client_.welcome_rivals();
}

void igd_link::map(context& ctx, mapping_id mapping, map_purpose why,
                   const igd_map_request& request) {
  client_.ask_map(mapping, why, request);
  pump(ctx);
}

void igd_link::remove(context& ctx, mapping_id mapping, const port_mapping_key& key) {
  client_.ask_remove(mapping, key);
  pump(ctx);
}

void igd_link::verify(context& ctx, mapping_id mapping, const port_mapping_key& key,
                      const endpoint& internal) {
  client_.ask_verify(mapping, key, internal);
  pump(ctx);
}

void igd_link::check(context& ctx) {
  client_.ask_check();
  pump(ctx);
}

void igd_link::ask(context& ctx, const router_question& what) {
  client_.ask(what);
  pump(ctx);
}

igd_reading igd_link::stop_asking(context& ctx, errc reason) {
  auto reading = client_.stop_asking(reason);
  pump(ctx);
  return reading;
}

bool igd_link::withdraw(context& ctx, mapping_id mapping, std::uint16_t keep_port) {
  const bool is_being_deleted = client_.withdraw(mapping, keep_port);
  pump(ctx);
  return is_being_deleted;
}

void igd_link::forget(context& ctx, mapping_id mapping, std::uint16_t keep_port) {
  client_.forget(mapping, keep_port);
  pump(ctx);
}

// ---------------------------------------------------------------------------------------------
// Sending, and waiting

void igd_link::pump(context& ctx) {
  client_.pump(ctx.now);
  search_channel_follows(ctx);
  for (auto& each : client_.take_messages()) {
    ++ctx.counters.datagrams_sent;
    ++sent_;
    ctx.outputs.emplace_back(
        send_datagram{.channel = *channel_, .bytes = std::move(each.bytes), .to = each.to});
  }
  for (auto& each : client_.take_exchanges()) {
    if (std::holds_alternative<send_http>(each)) {
      asked_at_ = ctx.now;
      events_.step_aside(ctx);
    }
    std::visit([&](auto& what) { ctx.outputs.emplace_back(std::move(what)); }, each);
  }
  for (const auto& each : client_.take_events()) {
    std::visit([&](const auto& what) { report(ctx, what); }, each);
  }
  pump_events(ctx);
}

void igd_link::pump_events(context& ctx) {
  events_.pump(ctx, is_free());
  auto next = client_.next_due();
  if (const auto due = events_.next_due(); due && (!next || *due < *next)) next = due;
  if (next) {
    ctx.timers.set(timer_, *next);
  } else {
    ctx.timers.cancel(timer_);
  }
}

bool igd_link::leave(context& ctx) { return is_tidying() || events_.leave(ctx, is_free()); }

/// The channel is there for as long as a search is.
void igd_link::search_channel_follows(context& ctx) {
  if (client_.is_searching() && !channel_) {
    channel_ = ctx.new_channel();
    channel_open_ = false;
    ctx.outputs.emplace_back(
        open_channel{.channel = *channel_,
                     .what = search_channel{.local = client_.where().from,
                                            .interface_index = where_.interface_index}});
  } else if (client_.wants_search() && channel_open_) {
    client_.begin_search(ctx.now);
    client_.pump(ctx.now);
  } else if (!client_.is_searching() && channel_) {
    ctx.outputs.emplace_back(close_channel{*channel_});
    channel_.reset();
    channel_open_ = false;
  }
}

// ---------------------------------------------------------------------------------------------
// Hearing

void igd_link::on_opened(context& ctx, const channel_opened& what) {
  if (events_.owns(what.channel)) {
    events_.on_opened(ctx, what);
    return pump_events(ctx);
  }
  if (std::exchange(channel_open_, true)) return;
  sent_ = undelivered_ = 0;
  client_.begin_search(ctx.now);
  pump(ctx);
}

/// ICMP comes back from devices that do not listen, which says nothing of the others; and a
/// firewall of the host may stop the multicast and leave the rest. Only when nothing gets
/// out at all there is nobody to wait for.
void igd_link::on_failed(context& ctx, const channel_failed& what) {
  if (events_.owns(what.channel)) {
    events_.on_failed(ctx, what);
    return pump_events(ctx);
  }
  if (what.error == channel_error::refused) return;
  if (what.error == channel_error::cannot_open) {
    channel_.reset();
    channel_open_ = false;
  } else if (++undelivered_ < sent_) {
    return;
  }
  client_.on_no_channel();
  pump(ctx);
}

void igd_link::on_datagram(context& ctx, const datagram_received& what) {
  if (events_.owns(what.channel)) return events_.on_datagram(ctx, what);
  ++ctx.counters.datagrams_received;
  switch (client_.on_datagram(what.from, what.bytes)) {
    case ssdp_search::heard::candidate:
      ctx.log.log(log_level::debug, "upnp: a device answers from ", what.from);
      break;
    case ssdp_search::heard::duplicate:
      break;
    case ssdp_search::heard::unusable:
      ++ctx.counters.datagrams_unmatched;
      ctx.log.log(log_level::debug, "upnp: the answer from ", what.from, " leads nowhere");
      break;
    case ssdp_search::heard::malformed:
      ++ctx.counters.datagrams_malformed;
      break;
    case ssdp_search::heard::off_link:
      ++ctx.counters.datagrams_stranger;
      ctx.log.log(log_level::debug, "upnp: ", what.from, " is not on this link");
      break;
  }
  pump(ctx);
}

void igd_link::on_event(context& ctx, const event_received& what) {
  events_.on_event(ctx, what,
                   {.external = client_.external_address(), .is_deleting = client_.is_deleting()});
}

bool igd_link::on_response(context& ctx, const http_response& what) {
  if (events_.on_response(ctx, what)) {
    pump_events(ctx);
    return true;
  }
  const auto took = (ctx.now - asked_at_) / round_trips_of_an_exchange;
  if (!client_.on_response(what, ctx.now, ctx.random)) return false;
  // Another device's says nothing of the router.
  if (what.peer.address == client_.where().gateway) {
    round_trip_ = std::min(round_trip_.value_or(took), took);
  }
  pump(ctx);
  return true;
}

bool igd_link::on_failed(context& ctx, const http_failed& what) {
  if (events_.on_failed(ctx, what)) {
    pump_events(ctx);
    return true;
  }
  if (!client_.on_failed(what, ctx.now)) return false;
  pump(ctx);
  return true;
}

// ---------------------------------------------------------------------------------------------
// Telling

void igd_link::answered(mapping_id mapping, map_purpose asked, const map_outcome& outcome) {
  reports_.emplace_back(gateway_event::map_answered{.mapping = mapping,
                                                    .protocol = protocol::upnp,
                                                    .asked = asked,
                                                    .late = false,
                                                    .outcome = outcome});
}

void igd_link::report(context& ctx, const igd_event::found& what) {
  const igd_device& device = *client_.device();
  ctx.log.log(log_level::debug, "upnp: taking ", device.name, " at ", device.control.server);
  if (!device.is_gateway) {
    ctx.log.log(log_level::warning, "upnp: the router itself offers no live service; ", device.name,
                " at ", device.control.server, " is used instead");
  }
  standing_ = availability::present;
  events_.on_found(ctx, device, what.moved);
  reports_.emplace_back(gateway_event::learnt{});
  // Of one that may have lost everything the address is told with the entries that it still has.
  if (what.moved) {
    reports_.emplace_back(
        gateway_event::igd_doubtful{.is_another = what.is_another, .before = what.before});
  } else {
    reports_.emplace_back(gateway_event::igd_address{});
  }
}

void igd_link::report(context& /*ctx*/, const igd_event::not_found& what) {
  standing_ = availability::absent;
  absent_reason_ = what.reason;
  reports_.emplace_back(gateway_event::learnt{});
}

void igd_link::report(context& ctx, const igd_event::granted& what) {
  if (ctx.opts.listens_to_events && client_.device()) events_.begin(ctx, *client_.device());
  answered(what.mapping, what.asked,
           {.what = map_outcome::kind::granted,
            .external = {what.external, what.grant.external_port},
            .lifetime = what.grant.lease,
            .permanent = what.grant.lease.count() == 0,
            .verified = what.grant.verified});
}

void igd_link::report(context& ctx, const igd_event::refused& what) {
  errc reason = what.why.reason;
  // One number for many causes; that the router has no public address is the one that can be told
  // from the others.
  const auto& external = client_.external_address();
  if (reason == errc::unusable_answer && what.why.code && external &&
      classify(*external) != address_class::public_address) {
    reason = errc::network_failure;
  }
  answered(what.mapping, what.asked,
           {.what = map_outcome::kind::refused,
            .reason = reason,
            .result_code = what.why.code,
            .router_text = printable(what.why.text),
            .retry_after = pause_after(reason, ctx.opts.recheck_period)});
}

void igd_link::report(context& /*ctx*/, const igd_event::unanswered& what) {
  answered(what.mapping, what.asked,
           {.what = map_outcome::kind::silent,
            .external = {ip_address::any_v4(), what.held_port},
            .reason = what.reason});
}

void igd_link::report(context& /*ctx*/, const igd_event::removed& what) {
  const bool deleted = what.how == igd_removal::deleted;
  if (deleted) events_.on_deleted();
  answered(what.mapping, map_purpose::remove,
           {.what = deleted ? map_outcome::kind::deleted : map_outcome::kind::already_gone});
}

void igd_link::report(context& /*ctx*/, const igd_event::verified& what) {
  std::optional<bool> is_there;
  if (what.verdict != igd_verdict::unknown) {
    is_there = what.verdict == igd_verdict::there;
  }
  reports_.emplace_back(gateway_event::igd_verified{what.mapping, is_there});
}

void igd_link::report(context& ctx, const igd_event::checked& what) {
  if (what.restarted) {
    events_.on_restarted(ctx);
    reports_.emplace_back(gateway_event::igd_doubtful{});
  } else {
    reports_.emplace_back(gateway_event::igd_address{});
  }
  reports_.emplace_back(gateway_event::igd_checked{.answered = true});
}

void igd_link::report(context& /*ctx*/, const igd_event::check_failed& /*what*/) {
  events_.on_out_of_reach();
  reports_.emplace_back(gateway_event::igd_checked{.answered = false});
}

void igd_link::report(context& /*ctx*/, const igd_event::read& /*what*/) {
  reports_.emplace_back(gateway_event::igd_read{});
}

}  // namespace damson::core
