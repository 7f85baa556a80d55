#pragma once

/// Keeps the program's mappings: makes attempts, holds leases, makes them again, gives them back.
///
/// One class in five files, by the part of a mapping's life: `keeper.cpp` (what happens around it),
/// `attempt.cpp` (asking), `lease.cpp` (granted, renewed, lost), `upkeep.cpp` (is it still there?),
/// `release.cpp` (given back).

#include <cstdint>
#include <deque>
#include <optional>

#include <damson/engine.hpp>

#include "core/context.hpp"
#include "core/election.hpp"
#include "core/gateway.hpp"
#include "core/mapping_table.hpp"
#include "core/uplink.hpp"

namespace damson::core {

class keeper {
 public:
  void create(context& ctx, mapping_id id, const map_request& request);
  /// As `create` followed by `release`, with `errc::closed`.
  void turn_away(context& ctx, mapping_id id, const map_request& request);
  void release(context& ctx, mapping_id id, bool keep_lease);
  void release_all(context& ctx);

  void on_network(context& ctx, const network_facts& facts);
  void on_channel_opened(context& ctx, const channel_opened& what);
  void on_channel_failed(context& ctx, const channel_failed& what);
  void on_datagram(context& ctx, const datagram_received& what);
  void on_response(context& ctx, const http_response& what);
  void on_exchange_failed(context& ctx, const http_failed& what);
  void on_timer(context& ctx, const timer_key& due);
  /// Does what follows from what the gateway was asked and told; after every input.
  void drain_gateway(context& ctx);

  std::size_t size() const noexcept { return table_.size(); }

 private:
  // keeper.cpp
  mapping* add(context& ctx, mapping_id id, const map_request& request);
  void look(context& ctx);
  void switch_uplink(context& ctx, const std::optional<uplink>& chosen);
  void open_gateway(context& ctx);
  void close_gateway(context& ctx);
  void on_event(context& ctx, const gateway_event::channel_ready&);
  void on_event(context& ctx, const gateway_event::channel_broken& what);
  void on_event(context& ctx, const gateway_event::learnt&);
  void on_event(context& ctx, const gateway_event::map_answered& what);
  void on_event(context& ctx, const gateway_event::address_asked& what);
  void on_event(context& ctx, const gateway_event::restarted&);
  void on_channel_gone(context& ctx);
  static void leave_behind(mapping& what);
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
  static void tell(context& ctx, const mapping& what, event_kind kind, mapping_event more = {});

  // attempt.cpp
  void want(context& ctx, mapping& what);
  void begin_waiting(context& ctx);
  void begin(context& ctx, mapping& what);
  void begin_on_gateway(context& ctx, mapping& what);
  static bool is_refused_still(context& ctx, mapping& what, protocol which);
  void begin_in_pcp(context& ctx, mapping& what);
  void begin_in_nat_pmp(context& ctx, mapping& what);
  void begin_in_upnp(context& ctx, mapping& what);
  void reconsider(context& ctx, mapping& what);
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
  static void tell_failed(context& ctx, mapping& what, const failure& why);
  void set_failed(context& ctx, mapping& what, protocol which, errc reason);

  // lease.cpp
  void on_granted(context& ctx, mapping& what, protocol which, const map_outcome& outcome);
  void hold(context& ctx, mapping& what);
  void hold_direct(context& ctx, mapping& what);
  void withdraw_others(context& ctx, mapping& what);
  static void take_terms(context& ctx, mapping& what, const map_outcome& outcome);
  void on_lease_answer(context& ctx, mapping& what, const gateway_event::map_answered& answer);
  void on_renewed(context& ctx, mapping& what, const map_outcome& outcome);
  void on_renewal_refused(context& ctx, mapping& what, protocol which, const map_outcome& outcome);
  void on_late_grant(context& ctx, mapping& what, protocol which, const map_outcome& outcome);
  void on_other_removed(context& ctx, mapping& what, const gateway_event::map_answered& answer);
  static void arm_lease(context& ctx, mapping& what);
  void renew(context& ctx, mapping& what);
  void lose(context& ctx, mapping& what, failure why);
  void on_lease_end(context& ctx, mapping& what);
  void begin_after_restart(context& ctx);

  // upkeep.cpp
  void on_recheck(context& ctx);
  void on_event(context& ctx, const gateway_event::checked& what);
  void on_event(context& ctx, const gateway_event::igd_address&);
  void on_event(context& ctx, const gateway_event::igd_doubtful&);
  void on_event(context& ctx, const gateway_event::igd_checked& what);
  void on_event(context& ctx, const gateway_event::igd_verified& what);
  void on_out_of_reach(protocol which);
  void on_within_reach(context& ctx, protocol which);
  static void confirm(context& ctx, mapping& what);
  void verify(context& ctx, mapping& what);
  void verify_next(context& ctx);
  void verify_all(context& ctx);

  // release.cpp
  void begin_release(context& ctx, mapping& what);
  void release_in_upnp(context& ctx, mapping& what);
  void on_release_answer(context& ctx, mapping& what, const gateway_event::map_answered& answer);
  void on_release_end(context& ctx, mapping& what);
  void finish(context& ctx, mapping& what, removal how);
  static void cancel_attempt_timers(context& ctx, mapping_id id);
  static void cancel_timers(context& ctx, mapping_id id);

  mapping_table table_;
  std::optional<uplink> uplink_;
  std::optional<gateway> gateway_;
  network_facts facts_;
  std::optional<time_point> facts_at_;  ///< when the network was last looked at
  bool looking_ = false;
  std::deque<mapping_id> to_verify_;  ///< what is left of this round of reading entries back
  bool all_verified_early_ = false;   ///< since the last recheck
};

}  // namespace damson::core
