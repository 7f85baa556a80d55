#pragma once

/// Questions after a router's table and state, and deletes by name, which the program asks for
/// itself: one after another, through a gateway of their own, so that they meet no mapping.

#include <deque>
#include <optional>

#include <damson/engine.hpp>

#include "core/context.hpp"
#include "core/gateway.hpp"

namespace damson::core {

class inquiries {
 public:
  void ask(context& ctx, const ask_router& what);
  void cancel(context& ctx, router_question_id id);
  void cancel_all(context& ctx);
  bool empty() const noexcept { return open_.empty(); }

  void on_network(context& ctx, const network_facts& facts);
  /// False where it is about something that is not its own.
  bool on_channel_opened(context& ctx, const channel_opened& what);
  bool on_channel_failed(context& ctx, const channel_failed& what);
  bool on_datagram(context& ctx, const datagram_received& what);
  bool on_response(context& ctx, const http_response& what);
  bool on_exchange_failed(context& ctx, const http_failed& what);
  bool on_timer(context& ctx, const timer_key& due);

 private:
  bool owns(channel_id channel) const noexcept;
  void ask_next(context& ctx);
  void drain(context& ctx);
  void answer(context& ctx, igd_reading reading);
  void answer_all(context& ctx, errc reason);
  void tell(context& ctx, router_question_id id, igd_reading reading) const;
  void stop(context& ctx);

  std::deque<ask_router> open_;    ///< the first is asked
  std::optional<gateway> router_;  ///< empty: waits for the network, or for a question
};

}  // namespace damson::core
