#pragma once

/// One keeper for each way out that somebody asked for: families, interfaces, routers, own
/// addresses. Whatever happens goes to the one that it is about.

#include <map>
#include <vector>

#include <damson/engine.hpp>

#include "core/context.hpp"
#include "core/keeper.hpp"
#include "core/uplink.hpp"

namespace damson::core {

class keepers {
 public:
  /// Lasts until `tidy_up` finds nothing in it.
  keeper& of(context& ctx, const uplink_choice& how);

  void release_all(context& ctx);
  void drop_all(context& ctx);

  network_view& network() noexcept { return seen_; }

  void on_network(context& ctx, const network_facts& facts);
  void on_channel_opened(context& ctx, const channel_opened& what);
  void on_channel_failed(context& ctx, const channel_failed& what);
  void on_datagram(context& ctx, const datagram_received& what);
  void on_response(context& ctx, const http_response& what);
  void on_exchange_failed(context& ctx, const http_failed& what);
  void on_event_received(context& ctx, const event_received& what);
  void on_timer(context& ctx, const timer_key& due);
  /// After every input.
  void drain_gateways(context& ctx);
  /// Forgets those that keep nothing.
  void tidy_up();

  bool is_tidying() const noexcept;
  bool is_unsubscribing() const noexcept;
  void stop_tidying(context& ctx);

  std::vector<mapping_event> take_events();

 private:
  keeper* owner_of(channel_id channel);
  void ignore(context& ctx) { ++ctx.counters.inputs_ignored; }

  network_view seen_;
  std::map<uplink_choice, keeper> keepers_;
};

}  // namespace damson::core
