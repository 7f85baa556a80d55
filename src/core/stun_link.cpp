#include "core/stun_link.hpp"

#include <utility>

namespace damson::core {
namespace {

/// An address that a packet can have come from.
bool is_plausible(const ip_address& seen, const endpoint& by) {
  return seen.family() == by.address.family() && !seen.is_unspecified() && !seen.is_multicast() &&
         (!seen.is_loopback() || by.address.is_loopback());
}

}  // namespace

void stun_link::ask(context& ctx, const ip_address& local, const endpoint& server,
                    const retransmit_schedule& schedule) {
  stop(ctx);
  server_ = server;
  schedule_ = &schedule;
  channel_ = ctx.new_channel();
  ctx.outputs.emplace_back(open_channel{
      .channel = *channel_, .what = connected_channel{.local = local, .remote = server}});
}

void stun_link::stop(context& ctx) {
  if (!channel_) return;
  ctx.outputs.emplace_back(close_channel{*channel_});
  ctx.timers.cancel(key());
  channel_.reset();
  query_.reset();
}

void stun_link::on_opened(context& ctx, const channel_opened& what) {
  if (!owns(what.channel) || query_) return;
  query_.emplace(*schedule_, ctx.now, ctx.random);
  pump(ctx);
}

/// Of an ICMP error nobody knows whether it is about this try or about all of them; a server that
/// is not there answers none.
void stun_link::on_failed(context& ctx, const channel_failed& what) {
  if (what.error != channel_error::cannot_open) return stop(ctx);
  channel_.reset();
  query_.reset();
}

void stun_link::pump(context& ctx) {
  auto todo = query_->due(ctx.now, ctx.random);
  if (todo.silent) {
    ctx.log.log(log_level::info, "STUN server ", server_, " does not answer");
    return stop(ctx);
  }
  if (!todo.send.empty()) {
    ++ctx.counters.datagrams_sent;
    ctx.outputs.emplace_back(send_datagram{.channel = *channel_, .bytes = std::move(todo.send)});
  }
  ctx.timers.set(key(), query_->next_due());
}

void stun_link::on_datagram(context& ctx, const datagram_received& what) {
  ++ctx.counters.datagrams_received;
  if (what.from.address != server_.address || what.from.port != server_.port) {
    ++ctx.counters.datagrams_stranger;
    return;
  }
  const auto response = decode_stun_response(what.bytes);
  if (!response) {
    ++ctx.counters.datagrams_malformed;
    return;
  }
  if (!query_ || !query_->is_answered_by(*response)) {
    ++ctx.counters.datagrams_unmatched;
    return;
  }
  if (response->seen && !is_plausible(response->seen->address, server_)) {
    ++ctx.counters.datagrams_malformed;
    return;
  }
  if (response->seen) {
    answer_ = response->seen->address;
    ctx.log.log(log_level::debug, "STUN server ", server_, " sees this host as ", *answer_);
  } else {
    ctx.log.log(log_level::info, "STUN server ", server_, " refuses to say what it sees");
  }
  stop(ctx);
}

}  // namespace damson::core
