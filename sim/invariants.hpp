#pragma once

/// What must hold at every moment of every world, whatever its router and its network do.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "sim/world.hpp"

namespace damson::sim {

/// Follows one world; ask it after each of its steps. The engine's contract is the world's own to
/// watch.
class invariants {
 public:
  explicit invariants(world& watched);

  /// To be told before the thing happens.
  void on_created(mapping_id id, const map_request& wanted);
  /// Rules of others that nobody may touch.
  void on_bystander(const nat_rule& rule) { bystanders_.push_back(rule); }
  void on_router_forgets() { bystanders_.clear(); }

  /// Looks at what has happened since the last time. What was broken, in words; empty: nothing.
  std::optional<std::string> check();

  /// What must hold when everything has healed and time has passed: each wanted mapping is up, and
  /// the router holds it as told.
  std::optional<std::string> check_healed();
  /// And when the engine has closed.
  std::optional<std::string> check_closed();

 private:
  using port = std::pair<transport, std::uint16_t>;

  struct followed {
    map_request wanted;
    bool is_up = false;
    bool is_over = false;
    mapping_info told;
    failure why;
    /// Since when the router does not hold what is told as up.
    std::optional<std::chrono::nanoseconds> missing_since;
  };

  std::optional<std::string> check_packets();
  std::optional<std::string> check_requests();
  void take_events();
  std::optional<std::string> check_truth();
  std::optional<std::string> check_bystanders() const;
  std::optional<std::string> check_rate(std::chrono::nanoseconds at);
  std::optional<std::string> check_nonce(const packet_record& record);
  bool is_known(const ip_address& address);
  const nat_rule* rule_of(const followed& what);

  world& world_;
  std::size_t packets_seen_ = 0;
  std::size_t requests_seen_ = 0;
  std::size_t events_seen_ = 0;
  std::map<mapping_id, followed> mappings_;
  std::map<port, std::set<nonce_bytes>> nonces_;
  std::map<nonce_bytes, port> owner_of_;
  std::map<port, std::size_t> created_;
  std::vector<std::chrono::nanoseconds> recently_sent_;
  std::vector<nat_rule> bystanders_;
  std::set<port> left_to_expire_;  ///< internal ports of which the router may keep something
};

}  // namespace damson::sim
