#pragma once

/// How one port is opened on an UPnP gateway: which action comes next, by what the last one
/// brought.
///
/// Gateways refuse for many reasons and with few numbers, so opening a port is a ladder: another
/// external port, another lease, another action, each at most a few times. The quirk catalogue's
/// numbers stand beside the rungs.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "proto/igd_ladder.hpp"

namespace damson {

/// Of those that hardly anybody asks for.
std::uint16_t random_external_port(random_source& random);

/// Climbs the ladder for one mapping, to a grant or a refusal. Bounded: at most 24 actions.
class igd_mapping final : public igd_ladder {
 public:
  igd_mapping(const igd_wish& wish, const igd_habits& habits);

  void on_result(const any_igd_result& result, random_source& random) override;

  std::uint16_t may_hold() const noexcept override {
    return held_here_ != 0 ? held_here_ : held_before_;
  }
  bool may_be_permanent() const noexcept override { return permanent_tried_ || was_endless_; }
  std::uint16_t may_also_hold() const noexcept override {
    return held_here_ != 0 ? held_before_ : std::uint16_t{0};
  }

 private:
  enum class step : std::uint8_t {
    look_before,  ///< is the port somebody else's? (Q-182)
    add,
    look_at_conflict,      ///< whose entry is in the way? (Q-168)
    remove_to_replace,     ///< ours, but stale or not extended (Q-168, Q-193)
    verify,                ///< is it really there? (Q-192, Q-210)
    remove_before_moving,  ///< what may be at this port goes first (Q-181)
    look_at_old,           ///< is what the renewal held still ours? (Q-143)
    remove_old,            ///< a renewal has moved (Q-181)
  };

  void ask(step, const any_igd_action&);
  void start_adding();
  void add();
  void add_here();
  void verify();
  void leave_port(errc reason, random_source& random);
  void move_to(std::uint16_t port);
  void arrive();
  void replace();
  void grant(const igd_grant&);
  void grant_unverified();
  void refuse(errc reason);
  bool retry_permanently();
  bool retry_with_finite_lease();
  std::uint16_t another_port(random_source& random) const;

  bool is_ours(const igd_result::entry&) const noexcept;
  bool is_right(const igd_result::entry&) const noexcept;
  bool may_be_replaced(const igd_result::entry&) const noexcept;
  bool is_held_port() const noexcept;
  bool was_not_extended(std::chrono::seconds left) const noexcept;
  void learn_from_query(const any_igd_result& result) noexcept;

  void climb(const any_igd_result& result, random_source& random);
  void on_look_before(const any_igd_result& result, random_source& random);
  void on_added(const any_igd_result& result, random_source& random);
  void on_add_fault(const igd_result::fault&, random_source& random);
  void on_lease_refused();
  void on_same_ports_required();
  void on_not_authorized(random_source& random);
  void on_action_failed(random_source& random);
  void on_conflict_seen(const any_igd_result& result, random_source& random);
  void on_removed_to_replace(const any_igd_result& result, random_source& random);
  void on_verified(const any_igd_result& result, random_source& random);
  void on_missing();
  void on_right_entry(const igd_result::entry&);
  void on_removed_before_moving(const any_igd_result& result);
  void on_old_seen(const any_igd_result& result);
  void on_old_removed(const any_igd_result& result);

  igd_wish wish_;
  step step_ = step::add;
  unsigned actions_ = 0;

  std::uint16_t port_ = 0;
  std::chrono::seconds lease_{};
  upnp_refusal last_refusal_ = upnp_refusal::conflict;
  std::optional<std::int32_t> last_code_;
  std::string last_text_;

  std::uint16_t held_here_ = 0;          ///< 0 or `port_`
  std::uint16_t held_before_add_ = 0;    ///< what it was before the add that is under way
  std::uint16_t held_before_ = 0;        ///< the renewal's port, after it was left
  std::uint16_t next_port_ = 0;          ///< where `remove_before_moving` leads
  std::optional<igd_grant> if_kept_;     ///< when what is to be replaced cannot be deleted
  std::optional<igd_grant> after_move_;  ///< to be granted when the old port is given back

  bool keeps_port_ = false;    ///< AddAnyPortMapping, which may move, is out of the question
  bool port_untold_ = false;   ///< AddAnyPortMapping did not say which (Q-179)
  bool equal_ports_ = false;   ///< Q-169
  unsigned other_ports_ = 0;   ///< Q-168
  unsigned other_leases_ = 0;  ///< Q-161
  bool permanent_tried_ = false;
  /// An entry that tells no end, or may have none, was there before the lease was asked for.
  bool was_endless_ = false;
  bool wished_lease_refused_ = false;
  bool finite_dropped_ = false;
  bool failed_port_tried_ = false;
  bool failed_renewal_repeated_ = false;
  bool replaced_ = false;
};

}  // namespace damson
