#pragma once

/// What is done with the service of a UPnP gateway, action by action: the words in which a job
/// speaks with its owner, whatever is to be opened.

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
/// GetFirewallStatus
struct firewall_status {};
/// AddPinhole
struct add_pinhole {
  std::chrono::seconds lease{};
};
/// UpdatePinhole
struct update_pinhole {
  std::uint16_t id = 0;
  std::chrono::seconds lease{};
};
/// DeletePinhole
struct delete_pinhole {
  std::uint16_t id = 0;
};
/// GetPinholePackets
struct pinhole_packets {
  std::uint16_t id = 0;
};
/// CheckPinholeWorking
struct check_pinhole {
  std::uint16_t id = 0;
};
}  // namespace igd_action

using any_igd_action =
    std::variant<igd_action::query, igd_action::add, igd_action::add_any, igd_action::remove,
                 igd_action::firewall_status, igd_action::add_pinhole, igd_action::update_pinhole,
                 igd_action::delete_pinhole, igd_action::pinhole_packets,
                 igd_action::check_pinhole>;

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
/// Of the firewall.
struct firewall {
  bool enabled = false;
  bool allows_pinholes = false;
};
/// A pinhole was made, or was there already and is extended.
struct pinhole {
  std::uint16_t id = 0;
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

using any_igd_result = std::variant<igd_result::done, igd_result::entry, igd_result::firewall,
                                    igd_result::pinhole, igd_result::fault, igd_result::unreadable>;

/// What one device is known to do; learnt by one mapping, used by all.
struct igd_habits {
  bool has_add_any = false;  ///< version 2, and the action was not refused as unknown (Q-160)
  /// What is there can be asked for: the actions that do it were not refused as unknown.
  bool has_query = true;
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
  /// Where it leads out, if no router translates it: then it is the host's own address.
  std::optional<ip_address> external{};
};

/// Why it is not.
struct igd_refusal {
  errc reason{};
  std::optional<std::int32_t> code;  ///< the last error number of an add, if that was refused
  std::string text{};                ///< and the device's own words
};

/// What became of a delete.
enum class igd_removal : std::uint8_t { deleted, already_gone };

/// What was found when an entry was looked for.
enum class igd_verdict : std::uint8_t {
  there,
  gone,
  unknown,  ///< the device cannot be asked
};

/// Climbs for one job: whoever owns it sends `next()` and hands in the result until it is over.
/// Bounded.
class igd_ladder {
 public:
  igd_ladder(const igd_ladder&) = default;
  igd_ladder& operator=(const igd_ladder&) = default;
  igd_ladder(igd_ladder&&) = default;
  igd_ladder& operator=(igd_ladder&&) = default;
  virtual ~igd_ladder() = default;

  /// The action to be sent. Precondition: not over.
  const any_igd_action& next() const noexcept { return next_; }
  virtual void on_result(const any_igd_result& result, random_source& random) = 0;

  // One of these when it is over.
  const std::optional<igd_grant>& granted() const noexcept { return granted_; }
  const std::optional<igd_refusal>& refused() const noexcept { return refused_; }
  const std::optional<igd_removal>& removed() const noexcept { return removed_; }
  const std::optional<igd_verdict>& seen() const noexcept { return seen_; }
  bool is_over() const noexcept { return granted_ || refused_ || removed_ || seen_; }

  /// What was learnt about the device.
  const igd_habits& habits() const noexcept { return habits_; }

  /// The external port whose entry we may have made and not deleted, so that it can be deleted; 0:
  /// none. For a renewal the port held so far counts as made, also after a refusal.
  virtual std::uint16_t may_hold() const noexcept = 0;
  /// Whether what it may hold was perhaps made without an end.
  virtual bool may_be_permanent() const noexcept { return false; }
  /// A second such port: the one that a renewal was to extend, from when another one is tried until
  /// that one works and the old one is deleted; 0: none. Left after a grant only when the
  /// gateway refuses to delete it.
  virtual std::uint16_t may_also_hold() const noexcept { return 0; }

 protected:
  explicit igd_ladder(const igd_habits& habits) : habits_(habits) {}

  igd_habits habits_;
  any_igd_action next_;
  std::optional<igd_grant> granted_;
  std::optional<igd_refusal> refused_;
  std::optional<igd_removal> removed_;
  std::optional<igd_verdict> seen_;
};

}  // namespace damson
