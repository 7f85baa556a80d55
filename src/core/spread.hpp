#pragma once

/// Requests for several ways out, or several ports. Each port of each way is a part; what is told
/// of the parts is told as of one mapping.

#include <cstddef>
#include <cstdint>
#include <map>
#include <unordered_map>
#include <vector>

#include <damson/engine.hpp>

#include "core/context.hpp"
#include "core/network_view.hpp"
#include "core/port_groups.hpp"
#include "core/requests.hpp"
#include "core/uplink.hpp"

namespace damson::core {

/// Whether the request can have more than one part.
constexpr bool is_spread(const map_request& wanted) noexcept {
  return wanted.every_uplink || wanted.families == ip_families::both || ports_of(wanted) > 1;
}

class spread {
 public:
  /// Both have to outlive it.
  spread(network_view& seen, requests& parts) noexcept : seen_(seen), groups_(parts) {}

  bool owns(mapping_id id) const { return wholes_.contains(id); }
  /// Preconditions: the id is not in use, the request is valid and to be spread.
  void create(context& ctx, mapping_id id, const map_request& wanted);
  /// Precondition: it is one of its own.
  void release(context& ctx, mapping_id id, bool keep_lease);
  /// Before all parts are released.
  void release_all(context& ctx);

  /// After the keepers have seen it.
  void on_network(context& ctx);
  /// False where the timer is none of its own.
  bool on_timer(context& ctx, const timer_key& due);
  /// Tells the program what its requests were told; after every input. Whether there was anything:
  /// what follows from it may have led to more.
  bool pass_on(context& ctx);

  std::size_t size() const noexcept { return wholes_.size(); }
  /// How many requests it has below.
  std::size_t request_count() const noexcept { return groups_.member_count(); }

 private:
  enum class standing : std::uint8_t {
    missing,  ///< the family has no way out, and this part stands for the first that comes
    present,
    away,    ///< its way out is gone; its request waits for it, with the nonce of the mapping
    ending,  ///< the request is being released
  };
  struct port {
    mapping_info told{};      ///< as open last
    bool is_awaited = false;  ///< it was there at the beginning, and nothing is told of it yet
  };
  /// One way out. To the program each of its ports is a part.
  struct part {
    std::uint32_t number = 0;  ///< of its first port
    ip_family family{};
    spread::standing standing = standing::present;
    /// As a group of ports; none: not asked for yet.
    mapping_id id{};
    interface_name by{};
    ip_address local{};
    std::vector<port> ports;
  };
  struct whole {
    map_request wanted;
    std::vector<part> parts;
    std::uint32_t last_part = 0;
    bool is_possible = false;
    bool has_begun = false;
    bool is_releasing = false;
    /// How its parts have ended so far, and the mapping of the one that decides.
    removal how = removal::already_gone;
    mapping_info removed;
    /// Until when a router may keep what was left on it.
    time_point left_until = time_point::min();
  };

  void begin(context& ctx, mapping_id id, whole& of);
  void follow(context& ctx, mapping_id id, whole& of, ip_family family);
  void come(context& ctx, mapping_id id, whole& of, ip_family family, const uplink& way);
  void leave(context& ctx, mapping_id id, whole& of, part& what);
  static void see_to_one(whole& of, ip_family family);
  static part& add(whole& of, ip_family family);
  void ask_for_new(context& ctx, mapping_id id, whole& of);
  void let_go(context& ctx, part& what, bool keep_lease);
  void arm_look(context& ctx);
  void pass_on(context& ctx, group_event told);
  void on_removed(context& ctx, mapping_id id, whole& of, const mapping_event& what);
  static void tell(context& ctx, mapping_id id, whole& of, part& about, group_event told);
  static void tell_failed(context& ctx, mapping_id id, whole& of, part& about);
  static void fail(context& ctx, mapping_id id, const whole& of, errc why);
  void end(context& ctx, mapping_id id);

  network_view& seen_;
  port_groups groups_;
  /// In the order of their ids, so that the same inputs lead to the same outputs.
  std::map<mapping_id, whole> wholes_;
  /// By the groups' name for each part.
  std::unordered_map<mapping_id, mapping_id> whole_of_;
};

}  // namespace damson::core
