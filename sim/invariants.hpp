#pragma once

/// What must hold at every moment of every world, whatever its router and its network do.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "sim/inspect.hpp"
#include "sim/world.hpp"

namespace damson::sim {

class invariant_broken : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Where a host may move to, besides `world::host_address`.
inline constexpr ip_address other_own_address{ip_address::v4_bytes{192, 168, 1, 200}};

/// Follows one world as its witness; ask it after each of its steps. The engine's contract is the
/// world's own to watch.
class invariants : public witness {
 public:
  explicit invariants(world& watched);
  ~invariants() override;
  invariants(const invariants&) = delete;
  invariants& operator=(const invariants&) = delete;
  invariants(invariants&&) = delete;
  invariants& operator=(invariants&&) = delete;

  /// To be told before the thing happens.
  void on_created(mapping_id id, const map_request& wanted);
  /// To be told before the program releases it.
  void on_released(mapping_id id);
  /// To be told after others got or lost rules on the first router, which are not ours to touch.
  void on_others_changed();
  /// The router, or the way to it, has just done what a question may rightly find out.
  void on_disturbed() { disturbed_at_ = world_.now(); }
  std::chrono::nanoseconds disturbed_at() const noexcept { return disturbed_at_; }
  /// Somebody at that address on the link has answered a search.
  void on_seen(const ip_address& who) { seen_.insert(who); }
  /// To be told before the host sleeps, or its way to the router may end.
  void on_network_changes();
  /// To be told after the host slept or the network became another one: what came due meanwhile is
  /// late, and all at once.
  void on_world_changed();
  /// To be told after the host slept for so long: nothing can be found out meanwhile.
  void on_slept(std::chrono::nanoseconds span);
  /// To be told after all trouble has ended: from now on whatever is asked is answered.
  void on_healed();

  void on_packet(const packet_record& record) override;
  void on_request(const http_record& record) override;
  void on_event(const event_record& record) override;

  /// What was broken first, in words; empty: nothing.
  const std::optional<std::string>& check();
  /// The same as an `invariant_broken`.
  void demand();
  /// Breaks it from outside.
  void fail(const std::string& what);

  /// Time passes; all is looked at after each thing that happens.
  void pass(std::chrono::nanoseconds span);
  /// The same, and it ends as soon as `done` holds.
  void pass_until(const std::function<bool()>& done, std::chrono::nanoseconds limit);

  /// From now on what this thread has allocated is bounded, as `live_bytes` counts it.
  void watch_memory(std::int64_t (*live_bytes)());
  /// `what` may change nothing but counters.
  void demand_no_effect(const std::function<void()>& what, const char* name);
  /// Nothing is sent any more.
  void demand_silence(std::chrono::nanoseconds span);
  /// Who does not extend leases has to be made to by a delete, which is a gap of a moment.
  static constexpr std::chrono::seconds longest_gap{10};
  /// Whether each wanted mapping is up, and the router holds it as told but for such a gap. Why
  /// not, in words.
  std::optional<std::string> missing();
  /// What must hold when the engine has closed.
  void demand_closed();

  /// The longest lease that was wished for.
  std::chrono::nanoseconds longest_lifetime() const noexcept { return longest_lifetime_; }
  /// How often a mapping was told as lost.
  std::size_t lost_count() const noexcept { return lost_; }
  /// How often a router was asked how it is (PCP ANNOUNCE, NAT-PMP's address). What is repeated
  /// within a second, because nobody answered, is asked once.
  std::size_t check_count() const noexcept { return pcp_checks_.count + nat_pmp_checks_.count; }

 private:
  /// What the requests for one port share.
  using port = std::pair<transport, std::uint16_t>;

  struct followed {
    map_request wanted;
    bool is_released = false;
    bool is_up = false;
    mapping_info told;
    failure why;
    /// Since when the router does not hold what is told as up.
    std::optional<std::chrono::nanoseconds> missing_since;
  };
  struct others_rule {
    nat_rule rule;
    std::chrono::nanoseconds taken_at{};
  };
  struct nonce_owner {
    port of;
    std::size_t life = 0;
  };
  struct port_history {
    /// A life lasts while any request is not released: of one mapping that they share, and of as
    /// many more as there were requests that waited for it to go.
    std::size_t life = 0;
    std::size_t mappings = 0;
    std::size_t nonces = 0;
    std::chrono::nanoseconds longest_lease{0};
    /// When a router was last asked for it, not counting deletes, and when before that.
    std::optional<std::chrono::nanoseconds> asked_at;
    std::optional<std::chrono::nanoseconds> asked_before;

    void begin_life() noexcept {
      ++life;
      mappings = 1;
      nonces = 0;
    }
  };

  void on_asked(const port& of, std::chrono::nanoseconds at);
  void check_spread(const port& of, std::chrono::nanoseconds asked_before,
                    std::chrono::nanoseconds at);
  void check_nonce(const port& of, const pcp_map_view& map);
  void check_rate(std::chrono::nanoseconds at);
  void check_leases();
  void check_was_renewed(const mapping_info& what, std::chrono::nanoseconds lost_at);
  void check_truth();
  void check_others();
  void note_look_before(const http_record& adding);
  bool could_be_seen(const others_rule& what) const;
  std::chrono::nanoseconds lease_of(const port& which, const mapping_info& told);
  void may_keep(const port& of, std::chrono::nanoseconds lease);
  void may_choose(const http_record& asked);
  static bool is_ours(const nat_rule& rule);
  bool may_stay(const nat_rule& rule) const;
  void note_outside();
  bool is_known(const ip_address& address) const;
  const nat_rule* rule_of(const followed& what) const;
  void broken(std::string what);

  world& world_;
  upnp_profile router_upnp_;
  std::optional<std::string> broken_;
  std::map<mapping_id, followed> mappings_;  ///< those that are not removed
  std::map<port, port_history> ports_;
  std::map<nonce_bytes, nonce_owner> owner_of_;
  std::deque<std::chrono::nanoseconds> recently_sent_;
  std::deque<std::pair<std::chrono::nanoseconds, port>> recently_renewed_;
  std::vector<others_rule> others_;
  /// By external port: since when what others take there could not be seen by who asked for it
  /// last.
  std::map<port, std::chrono::nanoseconds> unseen_since_;
  std::set<ip_address> seen_;
  std::chrono::nanoseconds longest_lifetime_{0};
  std::int64_t (*live_bytes_)() = nullptr;
  std::int64_t live_at_first_ = 0;
  std::chrono::nanoseconds disturbed_at_{0};
  std::size_t lost_ = 0;
  struct questions {
    std::size_t count = 0;
    std::optional<std::chrono::nanoseconds> last_began;

    void note(std::chrono::nanoseconds at);
  };
  questions pcp_checks_;
  questions nat_pmp_checks_;
  bool is_damaged_ = false;         ///< a MAP request, on its way
  bool is_answer_damaged_ = false;  ///< or any packet on the way back
  bool was_behind_nat_ = false;     ///< a router was
  /// The end of the leases of what routers may keep, by internal port.
  std::map<port, std::chrono::nanoseconds> kept_until_;
  /// Since when the host is awake and the router in its reach; empty: it is not.
  std::optional<std::chrono::nanoseconds> in_reach_since_{std::chrono::nanoseconds{0}};
  std::chrono::nanoseconds healed_at_{0};
  std::uint64_t router_changes_seen_ = 0;
  /// When the first of the bounds ends that time alone can break.
  std::chrono::nanoseconds next_bound_ = std::chrono::nanoseconds::max();
  bool look_again_ = true;
};

}  // namespace damson::sim
