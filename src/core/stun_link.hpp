#pragma once

/// Asks `options::stun_server` from where it sees one of the host's addresses: a channel, a
/// question and its timer in the words of the engine.

#include <optional>
#include <utility>

#include <damson/engine.hpp>

#include "core/context.hpp"
#include "proto/stun_query.hpp"

namespace damson::core {

class stun_link {
 public:
  /// `owner` is for its timer.
  explicit stun_link(gateway_id owner) noexcept : owner_(owner) {}

  /// In place of the question that is open. `local`: the address to be seen; unspecified: the
  /// system's choice.
  void ask(context& ctx, const ip_address& local, const endpoint& server,
           const retransmit_schedule& schedule);
  /// Nothing will come of it any more.
  void stop(context& ctx);
  bool is_asking() const noexcept { return channel_.has_value(); }
  gateway_id owner() const noexcept { return owner_; }

  bool owns(channel_id channel) const noexcept { return channel_ == channel; }
  void on_opened(context& ctx, const channel_opened& what);
  void on_failed(context& ctx, const channel_failed& what);
  void on_datagram(context& ctx, const datagram_received& what);
  void on_timer(context& ctx) { pump(ctx); }

  /// The address that was seen, once.
  std::optional<ip_address> take_answer() { return std::exchange(answer_, std::nullopt); }

 private:
  void pump(context& ctx);
  timer_key key() const noexcept { return {timer::stun_try, mapping_id::none, owner_}; }

  gateway_id owner_;
  endpoint server_;
  const retransmit_schedule* schedule_ = nullptr;
  std::optional<channel_id> channel_;
  std::optional<stun_query> query_;  ///< since the channel is open
  std::optional<ip_address> answer_;
};

}  // namespace damson::core
