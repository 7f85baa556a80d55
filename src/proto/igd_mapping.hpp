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
#include <variant>

#include <damson/error.hpp>
#include <damson/types.hpp>

#include "base/random.hpp"
#include "wire/upnp_refusal.hpp"

namespace damson {

/// What is asked of the gateway next. External ports are never 0.
namespace igd_action {
/// GetSpecificPortMappingEntry
struct query {
  std::uint16_t external_port = 0;
};
/// AddPortMapping; lease 0 s is a permanent one
struct add {
  std::uint16_t external_port = 0;
  std::chrono::seconds lease{};
};
/// AddAnyPortMapping, of version 2 only
struct add_any {
  std::uint16_t external_port = 0;
  std::chrono::seconds lease{};
};
/// DeletePortMapping
struct remove {
  std::uint16_t external_port = 0;
};
}  // namespace igd_action

using any_igd_action =
    std::variant<igd_action::query, igd_action::add, igd_action::add_any, igd_action::remove>;

/// What an action brought.
namespace igd_result {
struct done {
  std::uint16_t external_port = 0;  ///< add_any: as reserved; 0 if the answer did not say (Q-179)
};
/// An entry was found.
struct entry {
  ip_address internal_client;
  std::uint16_t internal_port = 0;
  std::optional<std::chrono::seconds>
      lease;  ///< what is left of it; 0 s or empty: not told (Q-184)
};
/// The gateway refused.
struct fault {
  upnp_refusal what{};
  std::int32_t code = 0;  ///< signed because vendors use negative ones (Q-186)
  std::string text{};     ///< the device's own words
};
/// A success whose content cannot be read.
struct unreadable {};
}  // namespace igd_result

using any_igd_result =
    std::variant<igd_result::done, igd_result::entry, igd_result::fault, igd_result::unreadable>;

/// What one device is known to do; learnt by one mapping, used by all.
struct igd_habits {
  bool has_add_any = false;     ///< version 2, and the action was not refused as unknown (Q-160)
  bool has_query = true;        ///< GetSpecificPortMappingEntry was not refused as unknown
  bool only_permanent = false;  ///< finite leases are refused or dropped (Q-170, Q-192)
};

/// What is wanted.
struct igd_wish {
  ip_address internal_client;  ///< the address that the device sees (Q-10)
  std::uint16_t internal_port = 0;
  std::uint16_t external_port = 0;  ///< suggested, 1..65535
  std::chrono::seconds lease{};     ///< 1 s or more
  bool allow_permanent = true;
  /// No other external port will do, nor may an entry be taken over for it that leads to another
  /// port of this host: that is not what the entry's owner wants.
  bool exact_port = false;
  /// The port is held already and its lease is to be extended: with AddPortMapping on the same port
  /// first, whatever the version, and another port only when that fails.
  bool renewal = false;
  /// renewal: the lease of the last grant, if it is known (0 s: it is not). A router that shortens
  /// leases is told by it from one that does not extend them.
  std::chrono::seconds held_lease{};
  /// renewal: a second port that may be held, left over from a climb that was broken off (its
  /// `may_also_hold`), to be given back once a port is granted; 0: none.
  std::uint16_t also_held = 0;
  /// renewal: what is held may be permanent, made by a request whose answer never came.
  bool may_be_permanent = false;
};

/// A port that is open.
struct igd_grant {
  std::uint16_t external_port = 0;
  std::chrono::seconds
      lease{};            ///< as asked, or as read back where that is shorter; 0 s: permanent
  bool verified = false;  ///< the entry was read back
};

/// Why it is not.
struct igd_refusal {
  errc reason{};
  std::optional<std::int32_t> code;  ///< the last error number of an add, if that was refused
  std::string text{};                ///< and the device's own words
};

/// Of those that hardly anybody asks for.
std::uint16_t random_external_port(random_source& random);

/// Climbs the ladder for one mapping. A value: whoever owns it sends `next()` and hands in the
/// result until there is a grant or a refusal. Bounded: at most 24 actions.
class igd_mapping {
 public:
  igd_mapping(const igd_wish& wish, const igd_habits& habits);

  /// The action to be sent. Precondition: no outcome yet.
  const any_igd_action& next() const noexcept { return next_; }

  void on_result(const any_igd_result& result, random_source& random);

  const std::optional<igd_grant>& granted() const noexcept { return granted_; }
  const std::optional<igd_refusal>& refused() const noexcept { return refused_; }
  bool is_over() const noexcept { return granted_ || refused_; }

  /// What was learnt about the device.
  const igd_habits& habits() const noexcept { return habits_; }

  /// The external port whose entry we may have made and not deleted, so that it can be deleted; 0:
  /// none. For a renewal the port held so far counts as made, also after a refusal.
  std::uint16_t may_hold() const noexcept { return held_here_ != 0 ? held_here_ : held_before_; }

  /// Whether what it may hold was perhaps made without an end.
  bool may_be_permanent() const noexcept { return permanent_tried_ || was_endless_; }

  /// A second such port: the one that a renewal was to extend, from when another one is tried until
  /// that one works and the old one is deleted; 0: none. Left after a grant only when the
  /// gateway refuses to delete it.
  std::uint16_t may_also_hold() const noexcept { return held_here_ != 0 ? held_before_ : 0; }

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
  igd_habits habits_;
  step step_ = step::add;
  any_igd_action next_;
  std::optional<igd_grant> granted_;
  std::optional<igd_refusal> refused_;
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
