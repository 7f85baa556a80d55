#pragma once

/// What the program asked for, request by request. Requests for one port share one mapping on the
/// router, which the keeper looks after; each is told of it as if it were alone.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include <damson/engine.hpp>

#include "core/chains.hpp"
#include "core/context.hpp"
#include "core/keepers.hpp"

namespace damson::core {

/// Parts of requests that are spread have ids from here on; programs' are below.
inline constexpr std::uint64_t first_part_id = std::uint64_t{1} << 63;

constexpr bool is_part(mapping_id id) noexcept {
  return static_cast<std::uint64_t>(id) >= first_part_id;
}

constexpr transport other(transport what) noexcept {
  return what == transport::tcp ? transport::udp : transport::tcp;
}

/// How many ports it is for, those of each transport counted.
constexpr std::size_t ports_of(const map_request& wanted) noexcept {
  return std::size_t{wanted.port_count} * (wanted.both_transports ? 2 : 1);
}

bool is_valid(const map_request& wanted);

/// Of several ends the one to tell is that which may have left most.
bool outweighs(removal one, removal other) noexcept;

/// Whether two accounts tell a person the same: how long to wait is no news.
bool says_the_same(const failure& a, const failure& b);

class requests {
 public:
  requests(keepers& ways_out, chains& mappings) noexcept : keepers_(ways_out), chains_(mappings) {}

  void create(context& ctx, mapping_id id, const map_request& wanted);
  /// As `create` followed by `release`, with `errc::closed`.
  void turn_away(context& ctx, mapping_id id, const map_request& wanted);
  void release(context& ctx, mapping_id id, bool keep_lease);
  /// `at_once`: nothing will be heard any more.
  void release_all(context& ctx, bool at_once);

  /// The request's own time-out has passed.
  void on_timeout(context& ctx, mapping_id id);
  /// Tells the program what the keeper has told; after every input.
  void pass_on(context& ctx);
  /// What the program would have been told of parts, since the last call.
  std::vector<mapping_event> take_part_events() { return std::exchange(part_events_, {}); }

  bool owns(mapping_id id) const { return by_id_.contains(id); }

  std::size_t size() const noexcept { return by_id_.size(); }

 private:
  /// The way out, the host, the transport and the internal port, and of a flow its other end: what
  /// a mapping is shared by.
  struct port_key {
    keeper* kept_by;
    ip_address third_party;
    endpoint remote_peer;
    transport what;
    std::uint16_t port;

    friend bool operator==(const port_key&, const port_key&) = default;
  };
  struct port_hash {
    std::size_t operator()(const port_key& key) const noexcept;
  };
  port_key key_of(context& ctx, const map_request& wanted);

  struct entry {
    map_request wanted;
    time_point created;
    mapping_id served_by{};                ///< the keeper's mapping; none: nothing serves it
    std::optional<failure> told_failed{};  ///< why, when `failed` was told, and no `mapped` since
    bool told_mapped = false;
    bool is_up = false;                  ///< as told
    std::chrono::nanoseconds elapsed{};  ///< until the first `mapped`
  };
  /// A mapping of the keeper, and who shares it: those who came first stand first.
  struct shared {
    keeper& kept_by;
    /// With the wishes of the first, and in any way that the one who allows most allows.
    map_request asked_for;
    std::vector<mapping_id> sharers;
    bool keeps_lease = false;  ///< somebody has left it to its lease
  };

  entry* add(context& ctx, mapping_id id, const map_request& wanted);
  void place(context& ctx, mapping_id id, entry& request);
  void ask_as(const map_request& wanted, shared& mapping, mapping_id id);
  mapping_id whom_it_suits(const shared& mapping, mapping_id id) const;
  const keeper* keeper_of(const entry& request) const;
  static bool note_failure(context& ctx, mapping_id id, entry& request, failure& why);
  void place_waiting(context& ctx, const port_key& key);
  void let_go(context& ctx, mapping_id id, entry& request, removal how);
  void fail(context& ctx, mapping_id id, entry& request, const failure& why);
  void tell(context& ctx, mapping_id id, entry& request, mapping_event what);

  keepers& keepers_;
  chains& chains_;
  std::unordered_map<mapping_id, entry> by_id_;
  std::vector<mapping_event> part_events_;
  /// By the keeper's name for each, which is not the program's for any request.
  std::unordered_map<mapping_id, shared> mappings_;
  /// The mapping that newcomers share: none that is being released.
  std::unordered_map<port_key, mapping_id, port_hash> by_port_;
  /// Those whose turn it is when the mapping of their port is gone, in the order in which they
  /// came.
  std::unordered_map<port_key, std::vector<mapping_id>, port_hash> waiting_;
};

}  // namespace damson::core
