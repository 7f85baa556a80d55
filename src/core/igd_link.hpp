#pragma once

/// The UPnP half of a gateway: the channel of its search, its exchanges and its timer, and its
/// client's reports in the gateway's words.

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include <damson/engine.hpp>

#include "core/context.hpp"
#include "core/gateway_event.hpp"
#include "core/igd_events.hpp"
#include "core/uplink.hpp"
#include "proto/igd_client.hpp"

namespace damson::core {

class igd_link {
 public:
  /// `local` is the address to ask from, `of` the gateway that it is the half of.
  igd_link(context& ctx, uplink where, const search_place& place, const ip_address& local,
           gateway_id of);

  void close(context& ctx);
  void move_to(const search_place& place) { client_.move_to(place); }

  /// Unknown until a search has ended.
  availability standing() const noexcept { return standing_; }
  /// Why there is no device. Precondition: absent.
  errc absent_reason() const noexcept { return absent_reason_; }
  /// Where the device is asked; unspecified while none is known.
  endpoint server() const noexcept;
  const std::optional<ip_address>& external_address() const noexcept {
    return client_.external_address();
  }

  /// What a connection, or a question over it, has taken at best; empty while there was none.
  const std::optional<std::chrono::nanoseconds>& round_trip() const noexcept { return round_trip_; }

  /// See `igd_client::find`.
  void find(context& ctx, bool brief);
  void stop_search(context& ctx);
  void forget_device(context& ctx);
  /// Whether the device was taken for want of a better one: it is not the gateway itself, or was
  /// not seen to have an uplink.
  bool has_second_choice() const noexcept {
    const auto& device = client_.device();
    return device && !(device->is_gateway && device->is_live());
  }
  /// Whether it is the router's own and was seen to have no uplink, so that another connection of
  /// the same router may be the live one.
  bool is_dead_connection() const noexcept {
    return has_second_choice() && client_.device()->is_gateway;
  }
  /// Forgets it, unless requests are open; the next search waits to its end for a better one.
  void search_past_device(context& ctx);
  void map(context& ctx, mapping_id mapping, map_purpose why, const igd_map_request& request);
  void remove(context& ctx, mapping_id mapping, const port_mapping_key& key);
  void verify(context& ctx, mapping_id mapping, const port_mapping_key& key,
              const endpoint& internal);
  void check(context& ctx);
  /// See `igd_client::ask`; `igd_read` follows.
  void ask(context& ctx, const router_question& what);
  igd_reading stop_asking(context& ctx, errc reason);
  igd_reading take_reading() { return client_.take_reading(); }
  bool is_mapping(mapping_id mapping) const noexcept { return client_.is_mapping(mapping); }
  bool is_removing(mapping_id mapping) const noexcept { return client_.is_removing(mapping); }
  /// See `igd_client::withdraw`.
  bool withdraw(context& ctx, mapping_id mapping, std::uint16_t keep_port);
  /// See `igd_client::forget`.
  void forget(context& ctx, mapping_id mapping, std::uint16_t keep_port = 0);

  /// Whether requests of nobody's are open.
  bool is_tidying() const noexcept { return client_.has_jobs(); }

  /// No mapping is left on the device. Whether something is to be waited for before it can close.
  bool leave(context& ctx);
  /// Whether that is the end of a subscription to its events, and nothing else.
  bool is_unsubscribing() const noexcept { return !is_tidying() && events_.is_leaving(); }

  bool owns(channel_id channel) const noexcept {
    return (channel_ && *channel_ == channel) || events_.owns(channel);
  }
  void on_opened(context& ctx, const channel_opened& what);
  void on_failed(context& ctx, const channel_failed& what);
  void on_datagram(context& ctx, const datagram_received& what);
  /// False when the exchange is none of its own.
  bool on_response(context& ctx, const http_response& what);
  bool on_failed(context& ctx, const http_failed& what);
  void on_timer(context& ctx) { pump(ctx); }
  /// On a channel of its own.
  void on_event(context& ctx, const event_received& what);
  std::optional<igd_hint> take_hint() noexcept { return events_.take_hint(); }

  std::vector<any_gateway_event> take_events() { return std::exchange(reports_, {}); }

 private:
  void pump(context& ctx);
  void search_channel_follows(context& ctx);
  void pump_events(context& ctx);
  bool is_free() const noexcept { return !client_.has_jobs() && !client_.is_searching(); }
  void report(context& ctx, const igd_event::found& what);
  void report(context& ctx, const igd_event::not_found& what);
  void report(context& ctx, const igd_event::granted& what);
  void report(context& ctx, const igd_event::refused& what);
  void report(context& ctx, const igd_event::unanswered& what);
  void report(context& ctx, const igd_event::removed& what);
  void report(context& ctx, const igd_event::verified& what);
  void report(context& ctx, const igd_event::checked& what);
  void report(context& ctx, const igd_event::check_failed& what);
  void report(context& ctx, const igd_event::read& what);
  void answered(mapping_id mapping, map_purpose asked, const map_outcome& outcome);

  uplink where_;
  timer_key timer_;
  igd_client client_;
  std::optional<channel_id> channel_;  ///< of the search; asked for, or open
  bool channel_open_ = false;
  std::size_t sent_ = 0;         ///< datagrams of the search under way
  std::size_t undelivered_ = 0;  ///< those that could not even be sent
  time_point asked_at_;          ///< the exchange that is open
  std::optional<std::chrono::nanoseconds> round_trip_;
  availability standing_ = availability::unknown;
  errc absent_reason_ = errc::no_answer;
  igd_events events_;
  std::vector<any_gateway_event> reports_;
};

}  // namespace damson::core
