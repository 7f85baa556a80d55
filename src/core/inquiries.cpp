#include "core/inquiries.hpp"

#include <algorithm>
#include <chrono>
#include <utility>
#include <variant>

#include "base/log.hpp"
#include "core/election.hpp"
#include "core/uplink.hpp"

namespace damson::core {
namespace {

/// A table of thousands is read in this time from any router that does not drag its feet.
constexpr std::chrono::minutes longest_question{5};

bool is_valid(const router_question& what) {
  using namespace router_questions;
  const auto is_transport = [](transport value) {
    return value == transport::tcp || value == transport::udp;
  };
  if (const auto* find = std::get_if<find_entry>(&what)) {
    return is_transport(find->name.transport) && is_sendable(find->name);
  }
  if (const auto* remove = std::get_if<delete_entry>(&what)) {
    return is_transport(remove->name.transport) && is_sendable(remove->name);
  }
  if (const auto* range = std::get_if<delete_range>(&what)) {
    return is_transport(range->transport) && range->first != 0 && range->first <= range->last;
  }
  return true;
}

igd_reading nothing(errc reason) { return {.why = {reason, std::nullopt, {}}}; }

}  // namespace

// ---------------------------------------------------------------------------------------------
// What the program wants

void inquiries::ask(context& ctx, const ask_router& what) {
  if (!is_valid(what.what)) return tell(ctx, what.id, nothing(errc::invalid_argument));
  if (!allows(ctx.opts.protocols, protocol::upnp)) {
    return tell(ctx, what.id, nothing(errc::protocol_excluded));
  }
  if (open_.size() >= engine_limits::router_questions) {
    return tell(ctx, what.id, nothing(errc::limit_reached));
  }
  open_.push_back(what);
  if (open_.size() == 1) ctx.outputs.emplace_back(look_at_network{});
}

void inquiries::cancel(context& ctx, router_question_id id) {
  const auto found = std::ranges::find(open_, id, &ask_router::id);
  if (found == open_.end()) return;
  const bool is_asked = found == open_.begin();
  open_.erase(found);
  if (open_.empty()) return stop(ctx);
  if (!is_asked || !router_ || !router_->is_ready()) return;
  router_->igd().stop_asking(ctx, errc{});
  ask_next(ctx);
  drain(ctx);
}

void inquiries::cancel_all(context& ctx) {
  open_.clear();
  stop(ctx);
}

void inquiries::stop(context& ctx) {
  ctx.timers.cancel(timer::question_end);
  if (router_) router_->close(ctx);
  router_.reset();
}

// ---------------------------------------------------------------------------------------------
// Asking

/// What was asked of one router is not asked of another.
void inquiries::on_network(context& ctx, const network_facts& facts) {
  if (open_.empty()) return;
  const auto way_out = choose_uplink(facts, choice_of(ctx.opts));
  if (router_) {
    if (way_out != router_->where()) return answer_all(ctx, errc::network_changed);
    return router_->look_around(facts);
  }
  if (!way_out || !way_out->gateway) return answer_all(ctx, errc::no_gateway);
  router_.emplace(ctx.new_gateway(), *way_out);
  router_->open(ctx, facts, false);
}

void inquiries::ask_next(context& ctx) {
  ctx.timers.set(timer::question_end, ctx.now + longest_question);
  router_->igd().ask(ctx, open_.front().what);
}

void inquiries::answer(context& ctx, igd_reading reading) {
  tell(ctx, open_.front().id, std::move(reading));
  open_.pop_front();
  if (open_.empty()) return stop(ctx);
  ask_next(ctx);
}

void inquiries::answer_all(context& ctx, errc reason) {
  for (const ask_router& each : open_) tell(ctx, each.id, nothing(reason));
  cancel_all(ctx);
}

void inquiries::tell(context& ctx, router_question_id id, igd_reading reading) const {
  router_answered out{.id = id,
                      .why = {},
                      .entries = std::move(reading.entries),
                      .status = std::move(reading.status)};
  out.why.reason = reading.why.reason;
  if (out.why.reason != errc{}) {
    out.why.protocols.push_back({.protocol = protocol::upnp,
                                 .reason = reading.why.reason,
                                 .result_code = reading.why.code,
                                 .router_text = printable(reading.why.text),
                                 .server = router_ ? router_->server(protocol::upnp) : endpoint{},
                                 .retry_after = std::nullopt});
  }
  ctx.outputs.emplace_back(std::move(out));
}

// ---------------------------------------------------------------------------------------------
// Inputs

bool inquiries::owns(channel_id channel) const noexcept {
  return router_ && router_->owns(channel);
}

bool inquiries::on_channel_opened(context& ctx, const channel_opened& what) {
  if (!owns(what.channel)) return false;
  router_->on_opened(ctx, what);
  drain(ctx);
  return true;
}

bool inquiries::on_channel_failed(context& ctx, const channel_failed& what) {
  if (!owns(what.channel)) return false;
  router_->on_failed(ctx, what);
  drain(ctx);
  return true;
}

bool inquiries::on_datagram(context& ctx, const datagram_received& what) {
  if (!owns(what.channel)) return false;
  router_->on_datagram(ctx, what);
  drain(ctx);
  return true;
}

bool inquiries::on_response(context& ctx, const http_response& what) {
  if (!router_ || !router_->on_response(ctx, what)) return false;
  drain(ctx);
  return true;
}

bool inquiries::on_exchange_failed(context& ctx, const http_failed& what) {
  if (!router_ || !router_->on_failed(ctx, what)) return false;
  drain(ctx);
  return true;
}

bool inquiries::on_timer(context& ctx, const timer_key& due) {
  if (due.name == timer::question_end) {
    answer(ctx, router_->igd().stop_asking(ctx, errc::timed_out));
    drain(ctx);
    return true;
  }
  if (!router_ || router_->id() != due.gateway) return false;
  router_->on_timer(ctx, due);
  drain(ctx);
  return true;
}

/// One answer leads to the next question, and that may be answered without asking anybody.
void inquiries::drain(context& ctx) {
  while (router_) {
    const auto events = router_->take_events();
    if (events.empty()) return;
    for (const auto& each : events) {
      if (!router_) return;
      const auto* const broken = std::get_if<gateway_event::channel_broken>(&each);
      if (std::holds_alternative<gateway_event::channel_ready>(each)) {
        ask_next(ctx);
      } else if (broken != nullptr && broken->error == channel_error::cannot_open) {
        answer_all(ctx, errc::network_down);
      } else if (std::holds_alternative<gateway_event::igd_read>(each)) {
        answer(ctx, router_->igd().take_reading());
      }
    }
  }
}

}  // namespace damson::core
