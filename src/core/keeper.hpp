#pragma once

/// Keeps mappings on the router: makes attempts, holds leases, makes them again, gives them back.
///
/// One class in eight files, by the part of a mapping's life: `keeper.cpp` (what happens around
/// it), `attempt.cpp` (asking), `lease.cpp` (granted, renewed, lost), `upkeep.cpp` (is it still
/// there?), `outside.cpp` (as whom is it seen?), `servers.cpp` (whom to ask in PCP), `release.cpp`
/// (given back), `port_set.cpp` (several that PCP has granted as one).

#include <cstdint>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include <damson/engine.hpp>

#include "core/context.hpp"
#include "core/election.hpp"
#include "core/gateway.hpp"
#include "core/mapping_table.hpp"
#include "core/network_view.hpp"
#include "core/stun_link.hpp"
#include "core/uplink.hpp"

namespace damson::core {

/// Of one way out.
class keeper {
 public:
  /// `name` is for its timers; `seen` has to outlive it.
  keeper(const uplink_choice& how, gateway_id name, network_view& seen);

  /// Preconditions: the id is not in use, the request is valid, and whatever has the same transport
  /// and internal port is being released.
  void create(context& ctx, mapping_id id, const map_request& request);
  /// Somebody waits for the mapping: what pauses after a failure is tried again now.
  void hurry(context& ctx, mapping_id id);
  /// Whether it pauses after a failure.
  bool is_pausing(const context& ctx, mapping_id id) const;
  /// From the next try on it is asked for in this way. Precondition: the same transport and port.
  void revise(mapping_id id, const map_request& request);
  /// Ignored where it is being released already.
  void release(context& ctx, mapping_id id, bool keep_lease);
  void release_all(context& ctx);
  /// Nothing will be heard of it any more: one delete, where a datagram is enough.
  void drop(context& ctx, mapping_id id);
  void drop_all(context& ctx);

  /// The mapping as somebody who comes later is told of it; empty where it is not held.
  std::optional<mapping_event> grant(mapping_id id) const;
  /// As granted last, or before that as it is tried for.
  mapping_info info(mapping_id id) const;
  /// As asked for. Precondition: there is such a mapping.
  const map_request& request(mapping_id id) const { return table_.find(id)->request; }
  /// How the attempt under way, or the last one, stands.
  failure account(mapping_id id) const;

  /// Whether the channel, or the timer, is one of its own.
  bool owns(channel_id channel) const noexcept {
    return stun_.owns(channel) || (gateway_ && gateway_->owns(channel));
  }
  bool owns(const timer_key& due) const;

  void on_network(context& ctx);
  void on_channel_opened(context& ctx, const channel_opened& what);
  void on_channel_failed(context& ctx, const channel_failed& what);
  void on_datagram(context& ctx, const datagram_received& what);
  /// False when the exchange is none of its own.
  bool on_response(context& ctx, const http_response& what);
  bool on_exchange_failed(context& ctx, const http_failed& what);
  void on_event_received(context& ctx, const event_received& what);
  void on_timer(context& ctx, const timer_key& due);
  /// Does what follows from what the gateway was asked and told; after every input.
  void drain_gateway(context& ctx);

  /// Whether a router is still being tidied up though no mapping is left: a request that was called
  /// off may have been obeyed, and what it made has to go.
  bool is_tidying() const noexcept { return gateway_ && table_.empty(); }
  /// Whether it has nothing and does nothing.
  bool is_idle() const noexcept { return !gateway_ && table_.empty() && events_.empty(); }
  /// Whether that is only the end of a subscription to events.
  bool is_unsubscribing() const noexcept { return is_tidying() && gateway_->is_unsubscribing(); }
  /// Stops the tidying.
  void stop_tidying(context& ctx);

  /// What has happened to mappings since the last call: `failed` after each attempt that brought
  /// nothing, `mapped` and `lost` in turn, `changed`, and `removed` as the last of each.
  std::vector<mapping_event> take_events() { return std::exchange(events_, {}); }

 private:
  // keeper.cpp
  void on_timer(context& ctx, mapping& what, timer due);
  std::vector<protocol_report> report_of(const mapping& what) const;
  failure account(const mapping& what) const;
  mapping_info tried(const mapping& what) const;
  void switch_uplink(context& ctx, const std::optional<uplink>& chosen);
  void open_gateway(context& ctx);
  void close_gateway(context& ctx);
  void on_event(context& ctx, const gateway_event::channel_ready&);
  void on_event(context& ctx, const gateway_event::channel_broken& what);
  void on_event(context& ctx, const gateway_event::learnt&);
  void on_event(context& ctx, const gateway_event::map_answered& what);
  void on_event(context& ctx, const gateway_event::address_asked& what);
  void on_event(context& ctx, const gateway_event::restarted& what);
  void on_channel_gone(context& ctx);
  void leave_behind(const context& ctx, mapping& what);
  bool made_nothing_in_pcp(const mapping& what) const;
  void note_leftover(const context& ctx, mapping& what, protocol which);
  static void note_unknown_leftover(const context& ctx, mapping& what);
  static void add_leftover(const context& ctx, mapping& what, std::optional<mapping_info> rule,
                           time_point until);
  static std::chrono::seconds wished_lease(const mapping& what, protocol which);
  bool is_asking(mapping_id id, protocol which) const;
  void end_releases_in_pcp(context& ctx, bool (*is_sure)(const mapping&));
  void note_answers(context& ctx, mapping& what);
  void revive(context& ctx);
  /// Does something with each mapping that meets a condition; the action may add and remove some.
  template <class Condition, class Action>
  void for_each(Condition&& condition, Action&& action) {
    for (const mapping_id id : table_.ids()) {
      mapping* each = table_.find(id);
      if (each != nullptr && condition(*each)) action(*each);
    }
  }
  void tell(const mapping& what, event_kind kind, mapping_event more = {});

  // attempt.cpp
  void want(context& ctx, mapping& what);
  void begin_waiting(context& ctx);
  void begin(context& ctx, mapping& what);
  void begin_on_gateway(context& ctx, mapping& what);
  bool may_be_deceived(const mapping& what);
  static bool is_refused_still(context& ctx, mapping& what, protocol which);
  void begin_in_pcp(context& ctx, mapping& what);
  void begin_in_nat_pmp(context& ctx, mapping& what);
  void begin_in_upnp(context& ctx, mapping& what);
  void shorten_head_start(context& ctx, mapping& what);
  void reconsider(context& ctx, mapping& what);
  pcp_map_request pcp_request(const mapping& what, map_purpose why) const;
  void ask_pcp(context& ctx, mapping& what, map_purpose why);
  void ask_nat_pmp(context& ctx, mapping& what, map_purpose why);
  void ask_upnp(context& ctx, mapping& what, map_purpose why);
  std::uint16_t port_to_want(context& ctx, const mapping& what);
  void ask(context& ctx, mapping& what, protocol which, map_purpose why);
  void on_attempt_answer(context& ctx, mapping& what, const gateway_event::map_answered& answer);
  void on_attempt_refused(context& ctx, mapping& what, protocol which, const map_outcome& outcome);
  void attempt_failed(context& ctx, mapping& what, const failure& why);
  static time_point retry_at(context& ctx, mapping& what, const failure& why);
  static void note_refusal(context& ctx, mapping& what, const protocol_failure& why);
  bool may_be_made_yet(const context& ctx, const mapping& what, protocol which) const;
  void set_failed(context& ctx, mapping& what, protocol which, errc reason);

  // lease.cpp
  void on_granted(context& ctx, mapping& what, protocol which, const map_outcome& outcome);
  void take(context& ctx, mapping& what);
  void hold(context& ctx, mapping& what);
  void give_back(context& ctx, mapping& what);
  void on_given_back(context& ctx, mapping& what, const gateway_event::map_answered& answer);
  void on_moved(context& ctx, mapping& what, const endpoint& external);
  void hold_direct(context& ctx, mapping& what);
  void withdraw_others(context& ctx, mapping& what);
  static void take_terms(context& ctx, mapping& what, const map_outcome& outcome);
  void on_lease_answer(context& ctx, mapping& what, const gateway_event::map_answered& answer);
  void forget_move(context& ctx, mapping& what, std::uint16_t to);
  void on_renewed(context& ctx, mapping& what, const map_outcome& outcome);
  void on_renewal_refused(context& ctx, mapping& what, protocol which, const map_outcome& outcome);
  void on_late_grant(context& ctx, mapping& what, protocol which, const map_outcome& outcome);
  void on_other_removed(context& ctx, mapping& what, const gateway_event::map_answered& answer);
  static void arm_lease(context& ctx, mapping& what);
  void renew(context& ctx, mapping& what);
  void lose(context& ctx, mapping& what, failure why);
  void replace(context& ctx, mapping& what, failure why);
  void on_lease_end(context& ctx, mapping& what);
  void begin_after_restart(context& ctx);

  // upkeep.cpp
  void on_recheck(context& ctx);
  void on_event(context& ctx, const gateway_event::checked& what);
  void on_event(context& ctx, const gateway_event::igd_address&);
  void on_event(context& ctx, const gateway_event::igd_doubtful& what);
  void on_event(context& ctx, const gateway_event::igd_checked& what);
  void on_event(context& ctx, const gateway_event::igd_verified& what);
  /// Nobody asks that of this gateway.
  static void on_event(context& /*ctx*/, const gateway_event::igd_read& /*what*/) {}
  void on_event(context& ctx, const gateway_event::igd_hinted& what);
  void on_out_of_reach(protocol which);
  void on_within_reach(context& ctx, protocol which);
  void confirm(mapping& what);
  void verify(context& ctx, mapping& what);
  void verify_next(context& ctx);
  void verify_all(context& ctx);
  std::vector<mapping_id> held_by_upnp();

  // servers.cpp
  bool ask_next_pcp_server(context& ctx);
  void on_event(context& ctx, const gateway_event::pcp_server_broken& what);

  // outside.cpp
  void compare(context& ctx, mapping& what);
  void look_from_outside(context& ctx);
  void ask_outside(context& ctx);
  void tell_seen(context& ctx);
  void stop_looking(context& ctx);

  // release.cpp
  void take_back_unsent(context& ctx, mapping& what);
  void begin_release(context& ctx, mapping& what);
  void release_in_upnp(context& ctx, mapping& what);
  bool deletes_again(context& ctx, mapping& what, const gateway_event::map_answered& answer);
  void on_release_answer(context& ctx, mapping& what, const gateway_event::map_answered& answer);
  void note_overtaken(const context& ctx, mapping& what);
  void on_release_end(context& ctx, mapping& what);
  void finish(context& ctx, mapping& what, removal how);
  static void cancel_attempt_timers(context& ctx, mapping_id id);
  static void cancel_timers(context& ctx, mapping_id id);

  // port_set.cpp
  std::uint16_t set_size_to_ask(const mapping& what);
  mapping* set_over(const mapping& what);
  bool is_left_to_a_set(context& ctx, mapping& what);
  static mapping_info as_member(const mapping& what, const mapping& owner);
  void join(context& ctx, mapping& what, const mapping& owner, const mapping_info& granted);
  void note_set(mapping& what, const map_outcome& outcome);
  template <class Action>
  void for_members(const mapping& owner, Action&& action);
  void refresh_members(context& ctx, const mapping& owner);
  void lose_members(context& ctx, const mapping& owner, const failure& why);
  void want_members(context& ctx, const mapping& owner);
  void leave_set(context& ctx, mapping& what, failure why);
  void end_set(context& ctx, const mapping& owner, removal how);
  bool release_of_set(context& ctx, mapping& what);
  void see_to_sets(context& ctx);

  timer_key key(timer which) const noexcept { return {which, mapping_id::none, name_}; }

  uplink_choice choice_;
  gateway_id name_;
  network_view& seen_;
  mapping_table table_;
  std::optional<uplink> uplink_;
  std::optional<gateway> gateway_;
  std::deque<mapping_id> to_verify_;  ///< what is left of this round of reading entries back
  bool all_verified_early_ = false;   ///< since the last recheck
  stun_link stun_;
  std::optional<ip_address> looked_for_;  ///< the external address that the last look was about
  std::optional<time_point> looked_at_;
  std::optional<ip_address> seen_address_;  ///< what the last look has shown
  std::vector<mapping_id> sets_;            ///< those that PCP was asked for as several ports
  std::vector<mapping_id> left_by_set_;     ///< whose set was given back; perhaps they are, too
  bool set_is_awaited_ = false;             ///< some wait for what becomes of another's request
  std::vector<mapping_event> events_;
};

}  // namespace damson::core
