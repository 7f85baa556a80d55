#pragma once

/// How one port is opened on an UPnP gateway: which action comes next, by what the last one brought.
///
/// Gateways refuse for many reasons and with few numbers, so opening a port is a ladder: another
/// external port, another lease, another action, each at most a few times. The quirk catalogue's
/// numbers stand beside the rungs.

#include <chrono>
#include <cstdint>
#include <optional>
#include <variant>

#include <damson/error.hpp>
#include <damson/types.hpp>

#include "base/random.hpp"

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
};
/// An UPnP error number, signed because vendors use negative ones.
struct fault {
  std::int32_t code = 0;
};
}  // namespace igd_result

using any_igd_result = std::variant<igd_result::done, igd_result::entry, igd_result::fault>;

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
};

/// A port that is open.
struct igd_grant {
  std::uint16_t external_port = 0;
  std::chrono::seconds lease{};  ///< as asked; 0 s is a permanent one
  bool verified = false;         ///< the entry was read back
};

/// Why it is not.
struct igd_refusal {
  errc reason{};
  std::int32_t code = 0;  ///< the last error number; 0 where there was none
};

/// Climbs the ladder for one mapping. A value: whoever owns it sends `next()` and hands in the
/// result until there is a grant or a refusal. Bounded: at most 24 actions.
class igd_mapping {
 public:
  igd_mapping(const igd_wish& wish, const igd_habits& habits, random_source& random);

  /// The action to be sent. Precondition: no outcome yet.
  const any_igd_action& next() const noexcept { return next_; }

  void on_result(const any_igd_result& result, random_source& random);

  const std::optional<igd_grant>& granted() const noexcept { return granted_; }
  const std::optional<igd_refusal>& refused() const noexcept { return refused_; }
  bool is_over() const noexcept { return granted_ || refused_; }

  /// What was learnt about the device.
  const igd_habits& habits() const noexcept { return habits_; }

  /// The external port whose entry we may have made, so that it can be deleted; 0: none.
  std::uint16_t may_hold() const noexcept { return may_hold_; }

 private:
  enum class step : std::uint8_t {
    look_before,  ///< is the port somebody else's? (Q-182)
    add,
    look_at_conflict,  ///< whose entry is in the way? (Q-168)
    remove_stale,      ///< ours, but with another internal port (Q-168)
    verify,            ///< is it really there? (Q-192, Q-210)
  };

  void start_adding();
  void add();
  void verify();
  void take_another_port(random_source& random, std::int32_t code);
  void refuse(errc reason, std::int32_t code) noexcept;
  bool retry_permanently();
  bool is_ours(const igd_result::entry& found) const noexcept;

  void on_look_before(const any_igd_result& result, random_source& random);
  void on_added(const any_igd_result& result, random_source& random);
  void on_add_fault(std::int32_t code, random_source& random);
  void on_conflict_seen(const any_igd_result& result, random_source& random);
  void on_verified(const any_igd_result& result, random_source& random);

  igd_wish wish_;
  igd_habits habits_;
  step step_ = step::add;
  any_igd_action next_;
  std::uint16_t port_ = 0;
  std::chrono::seconds lease_{};
  std::optional<igd_grant> granted_;
  std::optional<igd_refusal> refused_;
  std::uint16_t may_hold_ = 0;
  std::int32_t conflict_ = 0;
  unsigned actions_ = 0;
  unsigned other_ports_ = 0;
  unsigned leases_refused_ = 0;
  bool stale_removed_ = false;
  bool equal_ports_ = false;
  bool high_port_tried_ = false;
  bool catch_all_port_tried_ = false;
};

}  // namespace damson
