#pragma once

/// Every mapping on the router, and where each stands in its life.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include <damson/engine.hpp>

#include "core/renewal.hpp"
#include "wire/pcp.hpp"

namespace damson::core {

enum class phase : std::uint8_t {
  waiting,    ///< for network facts, for the channel, or for an earlier mapping of the port to go
  asking,     ///< an attempt is under way
  mapped,     ///< the router granted it
  replacing,  ///< deleted on the router in order to be made anew (Q-28)
  pausing,    ///< until the retry timer or the wait after a restart ends
  releasing,  ///< being deleted for good
};

inline constexpr std::size_t phase_count = 6;

/// How one protocol fares in the attempt under way.
struct asked {
  bool begun = false;      ///< anything at all was asked in it
  bool under_way = false;  ///< a request that makes a mapping was sent
  std::optional<protocol_failure> failed;
  std::optional<time_point> answered_at;  ///< the first word in it, or when it failed
};

/// One port that is wanted open.
// In the order in which one reads it.
// NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding)
struct mapping {
  mapping_id id{};
  map_request request{};
  /// Constant for the mapping's whole life: renewals, re-creation and the delete.
  pcp_nonce nonce;

  core::phase phase = phase::waiting;
  bool told_mapped = false;  ///< `mapped` was ever reported
  bool told_lost = false;    ///< `lost` was reported, and no `mapped` since

  // The attempt under way
  time_point attempt_began;
  asked pcp;
  asked nat_pmp;
  asked upnp;
  bool head_start_over = false;
  bool any_port =
      false;  ///< the wanted external port was refused: leave the choice to the router (Q-44)
  /// A NAT-PMP grant that waits for the external address.
  bool address_missing = false;
  /// The protocol whose grant will not do and is being deleted: the attempt waits for that.
  std::optional<protocol> giving_back;
  bool pcp_options_refused = false;     ///< PCP is asked without those that can be done without
  std::optional<failure> last_failure;  ///< the account of the last attempt
  unsigned silences = 0;                ///< attempts in a row in which somebody was silent
  /// What was refused, by protocol: how often in a row, and not before when to ask for it again.
  struct standing_refusal {
    protocol_failure why;
    time_point until;
    unsigned in_a_row = 1;
  };
  std::vector<standing_refusal> refusals;
  /// PCP answered a create with the answer to a delete, over and over.
  bool nonsense = false;

  // What the router may hold of ours: a request that can have made a mapping was sent, and it is
  // neither refused nor deleted.
  bool pcp_open = false;
  bool nat_pmp_open = false;
  bool upnp_open = false;
  std::uint16_t upnp_port = 0;    ///< the external port of what UPnP made; 0: not known
  std::uint16_t upnp_wanted = 0;  ///< what it was asked for last
  time_point upnp_seen_at{};      ///< when the entry was made or last looked at
  bool pcp_open_before = false;   ///< before the attempt under way
  bool nat_pmp_open_before = false;

  /// As how many ports in a row PCP is asked for it (RFC 7753), or has granted it: what is renewed
  /// and deleted is what was granted.
  std::uint16_t set_size = 1;
  /// The mapping whose set has this port; none: it has a rule of its own.
  mapping_id set_owner{};
  /// That one is gone, and this is how it ended.
  std::optional<removal> set_ended{};

  /// The grant, also the last one while the mapping is lost: what to suggest again.
  mapping_info info;
  std::optional<renewal> lease;
  /// When the lease would end that renewals may have made since then which were not answered.
  time_point perhaps_until = time_point::min();
  bool was_unheard = false;  ///< the last try to renew it was not answered
  /// The last answer to a renewal, when it was a refusal.
  std::optional<protocol_failure> renewal_refused;

  removal how = removal::already_gone;  ///< releasing: what is known so far
  /// Releasing: the delete may overtake a request on the way, and what that makes has to be
  /// deleted.
  bool overtakes_in_pcp = false;
  bool overtakes_in_nat_pmp = false;
  /// Being deleted: PCP granted while the delete was under way, and which of the two came first is
  /// not known, so the delete that is answered is followed by another.
  bool deletes_again = false;
  time_point release_by;  ///< releasing: its bound
  /// Releasing: PCP was asked once at most, so a closed port says that nobody made anything.
  bool first_try = false;
  /// What a router may keep that cannot be asked to delete it any more. As long as that may be
  /// there, nothing better is told in the end.
  struct leftover {
    std::optional<mapping_info> rule;  ///< empty: not known, or several
    time_point until;
  };
  std::optional<leftover> left_behind;

  /// The router was out of reach, so the next confirmation is told even if nothing changed.
  bool unconfirmed = false;

  bool is_held() const noexcept { return phase == phase::mapped; }
  bool is_held_by(protocol which) const noexcept { return is_held() && info.protocol == which; }
  bool is_of_set() const noexcept { return set_owner != mapping_id::none; }
  bool is_open() const noexcept { return pcp_open || nat_pmp_open || upnp_open; }
  bool may_overtake() const noexcept { return overtakes_in_pcp || overtakes_in_nat_pmp; }

  /// Precondition: not `direct`.
  asked& attempt(protocol which) noexcept {
    if (which == protocol::pcp) return pcp;
    return which == protocol::nat_pmp ? nat_pmp : upnp;
  }
  bool& open(protocol which) noexcept {
    if (which == protocol::pcp) return pcp_open;
    return which == protocol::nat_pmp ? nat_pmp_open : upnp_open;
  }
};

/// Whether a mapping that leads out there is what is wanted (see `map_request::prefer_failure`).
bool will_do(const map_request& wanted, const endpoint& external) noexcept;

/// Whether one grant stands for the same rule on the same router as another one of the same
/// mapping. In PCP and NAT-PMP a host's port has one rule, wherever it leads out.
bool is_same_rule(const mapping_info& one, const mapping_info& other) noexcept;

/// The mappings by id and by transport and internal port.
class mapping_table {
 public:
  /// Precondition: the id is not in use.
  mapping& add(mapping_id id, const map_request& request);
  void erase(mapping_id id);

  mapping* find(mapping_id id);
  const mapping* find(mapping_id id) const;

  /// The other mapping of the same host, transport and internal port, and flow if it is for one.
  /// There are two at most: one that is being released, and the next.
  mapping* find_other(const mapping& than);

  /// Of those of the same host and transport as `from`, the one that many ports after it; of two
  /// the one that is not being released. Null: there is none.
  mapping* find_after(const mapping& from, std::uint16_t ports);

  /// Every change of phase goes through here, so that each phase's mappings are counted.
  void move_to(mapping& what, phase next) noexcept;
  std::size_t count(phase in) const noexcept { return counts_[static_cast<std::size_t>(in)]; }

  std::size_t size() const noexcept { return by_id_.size(); }
  bool empty() const noexcept { return by_id_.empty(); }

  /// Ids in the order of creation; safe to walk while entries come and go.
  std::vector<mapping_id> ids() const;

 private:
  using port_key = std::uint32_t;
  static port_key key_of(const map_request& request) noexcept;

  std::unordered_map<mapping_id, mapping> by_id_;
  std::unordered_multimap<port_key, mapping_id> by_port_;
  std::array<std::size_t, phase_count> counts_{};
};

}  // namespace damson::core
