#pragma once

/// Who is there, and what it speaks: questions that make nothing, asked on channels of their own,
/// so that they meet no mapping.

#include <cstddef>
#include <deque>
#include <optional>
#include <vector>

#include <damson/engine.hpp>

#include "core/context.hpp"
#include "core/gateway.hpp"
#include "core/stun_link.hpp"
#include "core/uplink.hpp"

namespace damson::core {

class discoveries {
 public:
  void begin(context& ctx, const discover& what);
  void cancel(context& ctx, discovery_id id);
  void cancel_all(context& ctx);
  bool empty() const noexcept { return wanted_.empty(); }

  void on_network(context& ctx, const network_facts& facts);
  /// False where it is about something that is not its own.
  bool on_channel_opened(context& ctx, const channel_opened& what);
  bool on_channel_failed(context& ctx, const channel_failed& what);
  bool on_datagram(context& ctx, const datagram_received& what);
  bool on_response(context& ctx, const http_response& what);
  bool on_exchange_failed(context& ctx, const http_failed& what);
  bool on_timer(context& ctx, const timer_key& due);

 private:
  /// One round of questions. The requests for the same protocols that are there when it ends are
  /// all answered by it.
  struct round {
    protocol_filter protocols{};
    time_point began;
    discovery found;
    std::optional<gateway> router;     ///< empty: waits for the network, or there is none
    std::optional<stun_link> outside;  ///< empty: nobody outside is asked, or not yet
  };

  bool owns(channel_id channel) const noexcept;
  bool is_outside(channel_id channel) const noexcept {
    return round_ && round_->outside && round_->outside->owns(channel);
  }
  void begin_round(context& ctx);
  void ask_outside(context& ctx, const uplink& way_out);
  void begin_questions(context& ctx);
  void drain(context& ctx);
  void settle(context& ctx);
  bool asks_next_pcp_server(context& ctx, const any_gateway_event& what);
  void note(const any_gateway_event& what, time_point now);
  void note_standings(time_point now);
  void answered(protocol which, time_point now);
  void failed(protocol which, errc reason, time_point now);
  bool is_settled() const noexcept;
  void end_round(context& ctx);
  void stop_round(context& ctx);

  std::deque<discover> wanted_;  ///< in the order in which they came
  std::optional<round> round_;
};

}  // namespace damson::core
