/// As whom the host is seen from the internet, by a server that the program has named: only that
/// tells of NATs which nobody can ask, and of routers that do not know their own address.

#include <algorithm>

#include "core/keeper.hpp"

namespace damson::core {
namespace {

/// However often a router's address changes, the server is asked no more often.
constexpr std::chrono::seconds look_gap{10};

}  // namespace

/// Of a mapping that is told next: what was seen, or, where its address is another one, nothing
/// until it is known as whom the host is seen now. The first word about it does not wait for that.
void keeper::compare(context& ctx, mapping& what) {
  const ip_address& told = what.info.external.address;
  if (looked_for_ != told) {
    looked_for_ = told;
    seen_address_.reset();
    look_from_outside(ctx);
  }
  what.info.seen_address = seen_address_.value_or(ip_address{});
}

/// A question that is open may be answered as things were before. Behind the first router the host
/// is seen as its mappings are there, whoever else grants some beyond it.
void keeper::look_from_outside(context& ctx) {
  const auto& server = ctx.opts.stun_server;
  if (!server || server->address.family() != choice_.family || !uplink_ || uplink_->is_upstream()) {
    return;
  }
  stun_.stop(ctx);
  ctx.timers.set(key(timer::stun_ask),
                 looked_at_ ? std::max(ctx.now, *looked_at_ + look_gap) : ctx.now);
}

void keeper::ask_outside(context& ctx) {
  looked_at_ = ctx.now;
  stun_.ask(ctx, uplink_->local, *ctx.opts.stun_server, schedules::stun);
}

void keeper::tell_seen(context& ctx) {
  const auto seen = stun_.take_answer();
  if (!seen) return;
  seen_address_ = seen;
  ctx.log.log(log_level::debug, "seen from outside as ", *seen);
  for_each([&](const mapping& each) { return each.is_held() && each.info.seen_address != *seen; },
           [&](mapping& each) {
             each.info.seen_address = *seen;
             tell(each, event_kind::changed);
           });
}

/// What was seen by another way out, or before others used this one, says nothing.
void keeper::stop_looking(context& ctx) {
  stun_.stop(ctx);
  ctx.timers.cancel(key(timer::stun_ask));
  looked_for_.reset();
  looked_at_.reset();
  seen_address_.reset();
}

}  // namespace damson::core
