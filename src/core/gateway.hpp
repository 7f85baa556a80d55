#pragma once

/// The conversation with one router over one interface and family: its channel, what it speaks, and
/// whether it still is the one that it was.

#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include <damson/engine.hpp>

#include "core/context.hpp"
#include "core/gateway_event.hpp"
#include "core/igd_link.hpp"
#include "core/pcp_servers.hpp"
#include "core/uplink.hpp"
#include "proto/map_purpose.hpp"
#include "proto/natpmp_client.hpp"
#include "proto/pcp_client.hpp"

namespace damson::core {

/// Which protocols the requests of its mappings allow.
struct allowed_protocols {
  bool pcp = false;
  bool nat_pmp = false;
};

class gateway {
 public:
  /// Precondition: the uplink has a gateway.
  gateway(gateway_id id, uplink where) : id_(id), where_(std::move(where)) {}

  gateway_id id() const noexcept { return id_; }

  /// `listens`: to announcements, which do not come through a NAT.
  void open(context& ctx, const network_facts& facts, bool listens = true);
  void close(context& ctx);
  /// The network looks different now; the uplink does not.
  void look_around(const network_facts& facts);

  bool is_ready() const noexcept { return ready_; }
  const uplink& where() const noexcept { return where_; }
  /// The host's address as the router sees it; unspecified until `is_ready`.
  const ip_address& local() const noexcept { return local_; }
  endpoint server() const noexcept { return {*where_.gateway, pcp_server_port}; }
  /// Where it is asked in this protocol; unspecified where that is not known.
  endpoint server(protocol which) const noexcept {
    if (which == protocol::pcp && servers_.any()) return servers_.current();
    if (which != protocol::upnp) return server();
    return igd_ ? igd_->server() : endpoint{};
  }

  /// Whether PCP is asked of servers that the program has named, and not of the router.
  bool has_pcp_servers() const noexcept { return servers_.any(); }
  /// Whether the one that is asked now has said anything.
  bool has_pcp_server_answered() const noexcept { return servers_.has_answered(); }
  /// Goes on to the next of them, which may be asked at once. False where all were asked in vain.
  bool use_next_pcp_server(context& ctx);

  /// Of the router itself: what it speaks in NAT-PMP depends on that.
  availability pcp_of_router() const noexcept {
    return servers_.any() ? availability::unknown : pcp_availability_;
  }
  availability pcp() const noexcept { return pcp_availability_; }
  availability nat_pmp() const noexcept { return nat_pmp_availability_; }
  availability upnp() const noexcept { return igd_ ? igd_->standing() : availability::unknown; }
  /// What a question and its answer have taken at best; empty while it has answered none.
  std::optional<std::chrono::nanoseconds> round_trip() const noexcept;
  /// When it last answered anything at all.
  std::optional<time_point> last_answer() const noexcept { return last_answer_; }
  /// As the last NAT-PMP answer said; empty while it is not known.
  std::optional<ip_address> external_address() const noexcept;
  /// As NAT-PMP or UPnP said last: unspecified where the router has none, empty while neither has
  /// said.
  std::optional<ip_address> outside() const noexcept;
  /// Whether the external address is unknown, and an answer that will tell it under way (the
  /// question is asked if need be, but not again when the last answer was that there is none).
  bool must_wait_for_address(context& ctx);
  /// Whether the question for it waits for its answer.
  bool is_asking_address() const { return nat_pmp_.address_open(); }

  /// It may be another device by now.
  void forget_what_it_speaks() noexcept;
  void allow(allowed_protocols more) noexcept;

  /// Its PCP server maps one port where several in a row are asked for. Until it restarts.
  bool lacks_port_sets() const noexcept { return lacks_port_sets_; }
  void note_no_port_sets() noexcept { lacks_port_sets_ = true; }

  void ask_pcp(context& ctx, mapping_id mapping, map_purpose why, const pcp_map_request& request);
  /// They go one at a time: what is needed earlier goes earlier.
  void ask_nat_pmp(context& ctx, mapping_id mapping, map_purpose why,
                   const natpmp_map_request& request, time_point needed_by);
  /// Sends the request without regard to the one that is in flight, and waits for no answer.
  void drop_in_nat_pmp(context& ctx, const natpmp_map_request& request);
  void ask_address(context& ctx);
  /// The cheap question whether it is still there and has kept its state, in the protocol that it
  /// speaks.
  void check(context& ctx);

  /// The same in PCP for a first contact, with more patience.
  void ask_whether_it_speaks_pcp(context& ctx);

  /// Takes the mapping's PCP request back if it waits for its turn; false if it was sent, or there
  /// is none.
  bool withdraw_pcp(context& ctx, mapping_id mapping);
  bool is_waiting_in_pcp(mapping_id mapping) const { return pcp_.is_waiting(mapping); }
  /// Sends the request without waiting for its turn, nor for an answer.
  void drop_in_pcp(context& ctx, const pcp_map_request& request);
  /// Stops repeating the mapping's PCP request; a grant will still be recognised.
  void give_up_pcp(context& ctx, mapping_id mapping);
  /// Waits for the mapping's answer until then.
  void extend_pcp(context& ctx, mapping_id mapping, time_point until);
  void extend_nat_pmp(context& ctx, mapping_id mapping, time_point until);
  /// Whether the mapping's NAT-PMP request waits for its answer, or for others to be answered.
  bool nat_pmp_open(mapping_id mapping) const { return nat_pmp_.is_open(mapping); }
  /// How often it was sent; 0 when there is none.
  std::size_t nat_pmp_tries(mapping_id mapping) const { return nat_pmp_.tries(mapping); }
  /// Takes the mapping's NAT-PMP request back if it was not sent yet; false if it was, or there is
  /// none.
  bool withdraw_nat_pmp(context& ctx, mapping_id mapping);
  void forget_nat_pmp(context& ctx, mapping_id mapping);
  /// Before it closes: the timer of a PCP request goes by the mapping's name.
  void stop_repeating(context& ctx, mapping_id mapping);
  /// Whether the mapping's PCP request waits for its turn, or for its answer.
  bool pcp_open(mapping_id mapping) const { return pcp_.is_open(mapping); }
  /// How often the mapping's last PCP request was sent.
  std::size_t pcp_tries(mapping_id mapping) const { return pcp_.tries(mapping); }
  /// Whether a request that was sent before a delete may arrive after it.
  bool may_be_overtaken_in_pcp(const context& ctx, mapping_id mapping) const {
    return pcp_.may_be_overtaken(mapping, ctx.now);
  }
  bool may_be_overtaken_in_nat_pmp(const context& ctx, const map_request& of) const {
    return nat_pmp_.may_be_overtaken(of.transport, of.internal_port, ctx.now);
  }
  /// Drops everything about the mapping. What a UPnP request made that is under way is deleted
  /// unless its external port is `keep_port`.
  void forget(context& ctx, mapping_id mapping, std::uint16_t keep_port = 0);

  /// Whether the channel is one of its own.
  bool owns(channel_id channel) const noexcept;
  void on_opened(context& ctx, const channel_opened& what);
  void on_failed(context& ctx, const channel_failed& what);
  void on_datagram(context& ctx, const datagram_received& what);
  /// On a channel of its own.
  void on_event(context& ctx, const event_received& what);
  void on_timer(context& ctx, const timer_key& due);

  /// No mapping is left. Whether something is to be waited for before it can close: what was called
  /// off and is cleaned up after, or the end of a subscription to events.
  bool leave(context& ctx) { return igd_ && igd_->leave(ctx); }
  /// Whether that is the end of a subscription, and nothing else.
  bool is_unsubscribing() const noexcept { return igd_ && igd_->is_unsubscribing(); }

  /// The UPnP half. Precondition: ready.
  igd_link& igd() { return *igd_; }
  const igd_link& igd() const { return *igd_; }
  /// False when the exchange is none of its own.
  bool on_response(context& ctx, const http_response& what);
  bool on_failed(context& ctx, const http_failed& what);

  /// What has happened since the last call.
  std::vector<any_gateway_event> take_events();

 private:
  void on_pcp_server_opened(context& ctx);
  void on_pcp_server_failed(context& ctx, channel_error error);
  void on_pcp_server_datagram(context& ctx, const datagram_received& what);
  void on_pcp_of_router(context& ctx, std::span<const std::byte> bytes);
  bool is_expected(const datagram_received& what) const noexcept;
  void on_pcp(context& ctx, std::span<const std::byte> bytes);
  void on_natpmp(context& ctx, std::span<const std::byte> bytes);
  void on_pcp_refused_by_version(context& ctx, std::span<const std::byte> bytes);
  bool on_answer_of_a_pcp_server(context& ctx, std::span<const std::byte> bytes);
  void on_announcement(context& ctx, const datagram_received& what);
  void take_hint_of_device(context& ctx);
  void on_hint(context& ctx);
  void follow_hints(context& ctx);
  void on_address_answer(context& ctx, const natpmp_response& response);
  void note_round_trip(context& ctx);
  void end_questions();
  void heard_in_pcp(context& ctx, std::uint32_t epoch);
  void heard_in_nat_pmp(context& ctx, std::uint32_t epoch);
  void on_restarted(context& ctx, gateway_event::restarted what);
  void learn(availability& which, availability what);

  void send(context& ctx, std::vector<std::byte> bytes);
  void send_in_pcp(context& ctx, std::vector<std::byte> bytes);
  bool may_send_in_pcp() const noexcept { return !servers_.any() || servers_.is_open(); }
  void pump_pcp(context& ctx, mapping_id mapping);
  void admit_pcp(context& ctx);
  void next_turn_in_pcp(context& ctx);
  void tell_silent(mapping_id mapping);
  void pump_check(context& ctx);
  void pump_nat_pmp(context& ctx);

  search_place place_for_search() const;

  timer_key key(timer which) const noexcept { return {which, mapping_id::none, id_}; }

  gateway_id id_;
  uplink where_;
  channel_id requests_{};
  std::optional<channel_id> announcements_;  ///< asked for, or open
  std::vector<interface_address> own_addresses_;
  bool listens_ = false;
  bool ready_ = false;
  bool never_opened_ = false;
  ip_address local_;

  allowed_protocols allowed_;
  availability pcp_availability_ = availability::unknown;
  availability nat_pmp_availability_ = availability::unknown;
  bool lacks_port_sets_ = false;
  pcp_servers servers_;
  pcp_client pcp_;
  natpmp_client nat_pmp_;
  std::optional<ip_address> told_address_;  ///< in NAT-PMP; unspecified: it has none
  std::chrono::seconds address_pause_{1};
  std::optional<time_point> address_sent_at_;           ///< the question for it, the first time
  std::optional<std::chrono::nanoseconds> round_trip_;  ///< of that question
  std::optional<time_point> last_answer_;
  std::optional<time_point> last_check_;
  bool is_server_hinted_ = false;        ///< PCP's, or NAT-PMP's
  std::optional<igd_hint> device_hint_;  ///< UPnP's
  std::optional<igd_link> igd_;
  std::vector<any_gateway_event> events_;
};

}  // namespace damson::core
