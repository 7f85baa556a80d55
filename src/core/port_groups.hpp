#pragma once

/// Requests for several ports by one way out: the same for both transports, or in a row. Each port
/// is a member, which is a request of its own to what stands below. The first leads: where it leads
/// out decides what is asked for the others.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include <damson/engine.hpp>

#include "core/context.hpp"
#include "core/requests.hpp"

namespace damson::core {

/// What happened to one port of a group; `removed` is the end of the group.
struct group_event {
  std::size_t member = 0;
  mapping_event what;  ///< with the group's id
};

class port_groups {
 public:
  /// Has to outlive it.
  explicit port_groups(requests& members) noexcept : requests_(members) {}

  /// A name for the next group.
  mapping_id new_group() noexcept { return new_id(); }
  /// Preconditions: the id is a new one, the request is valid and names one way out.
  void create(context& ctx, mapping_id id, const map_request& wanted);
  /// Precondition: it has not been released.
  void release(context& ctx, mapping_id id, bool keep_lease);
  /// Before all members are released.
  void release_all(context& ctx);

  /// False where the timer is none of its own.
  bool on_timer(context& ctx, const timer_key& due);
  /// Does what follows from what the members were told; whether there was anything.
  bool hear(context& ctx);
  /// What has happened since the last call: each port's events as those of one request, and one
  /// `removed` at last.
  std::vector<group_event> take_events() { return std::exchange(events_, {}); }

  /// How many requests it has below.
  std::size_t member_count() const noexcept { return group_of_.size(); }
  /// How many requests there are below, its own and others.
  std::size_t request_count() const noexcept { return requests_.size(); }

 private:
  enum class standing : std::uint8_t {
    idle,    ///< not asked for
    asked,   ///< its request is there
    ending,  ///< its request is being released
  };
  struct member {
    damson::transport transport{};
    std::uint16_t offset = 0;  ///< from the first port
    port_groups::standing standing = standing::idle;
    mapping_id id{};                      ///< of its request
    std::uint16_t wish = 0;               ///< the external port that is asked for
    std::optional<mapping_event> open{};  ///< its last word, while it is open
    mapping_info last_told{};             ///< as open
    std::optional<failure> told_failed{};
    bool told_mapped = false;
    std::chrono::nanoseconds elapsed{};  ///< until the first `mapped`
  };
  struct group {
    map_request wanted;
    time_point created;
    std::vector<member> members;
    std::uint16_t base = 0;    ///< the external port that the first is to have
    unsigned other_bases = 0;  ///< that were tried since the last pause
    bool has_result = false;
    bool is_whole = false;         ///< all or nothing: it is all, and that is told
    bool is_giving_back = false;   ///< all or nothing: until nothing is left
    bool is_pausing_next = false;  ///< giving back: in order to pause rather than to ask elsewhere
    std::chrono::nanoseconds pause{};
    bool is_releasing = false;
    removal how = removal::already_gone;
    mapping_info removed;
    time_point left_until = time_point::min();

    time_point deadline() const { return created + wanted.timeout; }
  };

  mapping_id new_id() noexcept { return mapping_id{first_part_id + ++last_id_}; }
  void ask(context& ctx, mapping_id id, group& of, member& what);
  void ask_followers(context& ctx, mapping_id id, group& of);
  static std::uint16_t wish_of(const group& of, const member& what);
  void let_go(context& ctx, member& what, bool keep_lease = false);

  void on_event(context& ctx, mapping_event what);
  void on_removed(context& ctx, mapping_id id, group& of, member& over, const mapping_event& what);
  void on_member_of_all(context& ctx, mapping_id id, group& of, member& about, mapping_event what);
  void follow(context& ctx, mapping_id id, group& of);
  static bool is_over(const group& of);
  static bool agree(const group& of);
  void tell_whole(context& ctx, mapping_id id, group& of);
  void break_up(context& ctx, mapping_id id, group& of, const failure& why);
  void on_failed(context& ctx, mapping_id id, group& of, const member& about,
                 const mapping_event& what);
  void give_back(context& ctx, mapping_id id, group& of);
  void on_given_back(context& ctx, mapping_id id, group& of);
  void tell_failed(context& ctx, mapping_id id, group& of, const mapping_event& of_one);
  void tell(context& ctx, mapping_id id, group& of, member& about, mapping_event what);
  void end(context& ctx, mapping_id id);

  requests& requests_;
  std::uint64_t last_id_ = 0;
  /// In no order: whatever is done to all is done in the order of their ids.
  std::unordered_map<mapping_id, group> groups_;
  std::unordered_map<mapping_id, mapping_id> group_of_;  ///< by the requests' name for each member
  std::vector<group_event> events_;
};

}  // namespace damson::core
