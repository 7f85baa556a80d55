#pragma once

/// Mappings that lead through two routers: behind the one next to the host the other is asked for a
/// second mapping, which leads to what the first has granted. To those who asked the two are one.
///
/// The second is an ordinary mapping of another keeper. It follows the first: where that leads out
/// elsewhere it is made anew, and it is given back before it.

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <tuple>
#include <unordered_map>
#include <vector>

#include <damson/engine.hpp>

#include "core/context.hpp"
#include "core/keepers.hpp"

namespace damson::core {

class chains {
 public:
  explicit chains(keepers& of) noexcept : keepers_(of) {}

  /// A name for the next mapping.
  mapping_id new_mapping() noexcept { return mapping_id{++last_mapping_}; }

  // As those of `keeper`.
  void create(context& ctx, keeper& by, mapping_id id, const map_request& wanted);
  void revise(mapping_id id, const map_request& wanted);
  void release(context& ctx, mapping_id id, bool keep_lease);
  void release_all(context& ctx);
  std::optional<mapping_event> grant(mapping_id id) const;
  mapping_info info(mapping_id id) const;

  /// A mapping that is held, and not told because the upstream has not answered yet, is told now.
  /// False where there is none.
  bool stop_waiting(mapping_id id);
  /// What was lost has not come back in time.
  void on_orphaned(context& ctx, mapping_id id);

  /// What has happened since the last call, as `keeper::take_events`.
  std::vector<mapping_event> take_events(context& ctx);

 private:
  /// The way on from what the first router has granted.
  struct place {
    uplink_choice how{};
    std::uint16_t port = 0;  ///< outside of the first router, inside of the second; 0: no way on
    endpoint remote_peer{};  ///< of flows, which share a port
    bool is_named = false;   ///< by the user; else an anycast address, at which nobody may be

    friend bool operator==(const place&, const place&) = default;
  };
  /// The mapping at the second router.
  struct second {
    place at;
    mapping_id id{};  ///< none: another mapping asks whether anybody is there; or it was given back
    keeper* kept_by = nullptr;
    bool has_answered = false;  ///< or will not
    bool is_up = false;
    bool was_up = false;            ///< ever
    mapping_info info{};            ///< as granted last
    mapping_info told{};            ///< both as one, as told last
    failure why{};                  ///< it is not up
    std::chrono::seconds wished{};  ///< the lifetime that was asked for
    unsigned leaving = 0;           ///< those that were given back and whose end is waited for
    time_point left_until = time_point::min();  ///< what one of them has left there ends
  };
  struct entry {
    keeper& kept_by;
    bool is_up = false;    ///< at the first router
    bool is_told = false;  ///< as open
    std::optional<mapping_event> ended{};
    std::unique_ptr<second> beyond{};
  };
  using port_key = std::tuple<keeper*, transport, std::uint16_t, endpoint>;

  static place way_on(const context& ctx, const entry& of, const mapping_info& info);
  void follow(context& ctx, mapping_id id, entry& of, const mapping_info& info);
  void ask(context& ctx, mapping_id id, entry& of);
  void ask_waiting(context& ctx);
  void give_back(context& ctx, second& what, bool keep_lease = false);
  port_key key_of(const second& what) const;
  static bool is_waited_for(const second& what) noexcept { return what.at.is_named || what.was_up; }

  void on_first(context& ctx, entry& of, mapping_event& what);
  void on_second(context& ctx, mapping_id id, entry& of, mapping_event& what);
  void note_removal(const context& ctx, second& what, const mapping_event& end);
  static mapping_info as_one(const entry& of, mapping_info info);
  void tell(entry& of, mapping_event what);
  void tell_news(mapping_id id, entry& of);
  void end_if_over(context& ctx, mapping_id id, entry& of);

  keepers& keepers_;
  std::uint64_t last_mapping_ = 0;
  std::unordered_map<mapping_id, entry> entries_;
  /// Whose the mappings at second routers are.
  std::unordered_map<mapping_id, mapping_id> first_of_;
  std::map<port_key, mapping_id> by_port_;
  bool may_ask_ = false;  ///< whether some that wait may be asked for now
  std::vector<mapping_event> events_;
};

}  // namespace damson::core
