#pragma once

/// How a port of the host's own IPv6 address is opened in the firewall of a UPnP gateway, closed
/// and looked after (WANIPv6FirewallControl:1).
///
/// Nothing is translated, so there is no port to choose: what is made is known by a number that the
/// gateway gives, which does not survive its restart.

#include <chrono>
#include <cstdint>
#include <optional>

#include "proto/igd_ladder.hpp"

namespace damson {

/// Leases end after a day at the latest.
inline constexpr std::chrono::seconds longest_pinhole_lease = std::chrono::hours{24};

/// A pinhole that the gateway has, or may have.
struct held_pinhole {
  /// UniqueID; empty: an answer was lost, or the gateway has restarted.
  std::optional<std::uint16_t> id;

  friend bool operator==(const held_pinhole&, const held_pinhole&) = default;
};

enum class pinhole_aim : std::uint8_t {
  open,   ///< to a grant or a refusal; `igd_wish::renewal`: extends what is held
  close,  ///< to a removal, or to a refusal where it is left to its end
  look,   ///< whether what is held is there still: to a verdict
};

/// Climbs the ladder for one pinhole. Bounded: at most 12 actions.
class igd_pinhole final : public igd_ladder {
 public:
  /// `held`: what is known of the pinhole from before.
  igd_pinhole(pinhole_aim aim, const igd_wish& wish, const igd_habits& habits,
              const std::optional<held_pinhole>& held);

  void on_result(const any_igd_result& result, random_source& random) override;

  std::uint16_t may_hold() const noexcept override {
    return held_ ? wish_.internal_port : std::uint16_t{0};
  }
  /// What is known of it now. Before `next()` is sent it counts on that being obeyed.
  const std::optional<held_pinhole>& held() const noexcept { return held_; }
  /// What is asked for in the end.
  std::chrono::seconds lease() const noexcept { return lease_; }

 private:
  enum class step : std::uint8_t {
    status,   ///< is anything blocked, and are pinholes allowed? (Q-129)
    update,   ///< for longer
    add,      ///< makes it, or tells the number of the one that is there
    verify,   ///< is it really there?
    check,    ///< the same for gateways that count no packets
    remove,   ///< for good, or to be made anew
    shorten,  ///< what cannot be deleted (Q-124)
  };

  void begin_opening();
  void begin_closing();
  void ask(step why, const any_igd_action& what);
  void add(std::chrono::seconds lease);
  void remove();
  void look();
  void grant(bool verified);
  void grant_without();
  void refuse(errc reason);
  void end(igd_verdict what);

  void climb(const any_igd_result& result);
  void on_status(const any_igd_result& result);
  void on_updated(const any_igd_result& result);
  void on_added(const any_igd_result& result);
  void on_add_fault(const igd_result::fault& fault);
  void on_seen(const any_igd_result& result);
  void on_removed(const any_igd_result& result);
  void on_shortened(const any_igd_result& result);

  pinhole_aim aim_;
  igd_wish wish_;
  std::chrono::seconds lease_;
  std::optional<held_pinhole> held_;
  std::optional<held_pinhole> held_before_add_;
  step step_ = step::status;
  igd_result::fault last_fault_{};
  bool has_fault_ = false;  ///< `last_fault_` is one
  bool replaced_ = false;
  unsigned actions_ = 0;
};

}  // namespace damson
