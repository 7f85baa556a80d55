#pragma once

/// What goes wrong in a life: the network, the router, the neighbours, and the user who calls at
/// the worst moment.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "base/random.hpp"
#include "sim/invariants.hpp"
#include "sim/profiles.hpp"
#include "sim/world.hpp"

namespace damson::sim {

/// Who else stands on the LAN, besides the router.
enum class topology : std::uint8_t {
  one_router,
  two_routers,  ///< the other one takes over when the gateway is swapped
  decoy,        ///< somebody's device says that it is a router, and maps ports that lead nowhere
};

/// What the seed has decided before the life begins.
struct life_plan {
  const named_profile* router = nullptr;
  topology who = topology::one_router;
  bool is_long = false;          ///< a year in which little happens, instead of minutes of trouble
  bool is_good_network = false;  ///< nothing is lost but by the events themselves
};

/// Throws `invariant_broken`, as `invariants::demand` does.
class troublemaker {
 public:
  troublemaker(world& w, invariants& holds, random_source& dice, const life_plan& plan);

  /// What is there from the beginning: the household's own rules, the first mapping.
  void begin();
  /// One thing out of many goes wrong.
  void disturb();
  /// Everything works again.
  void heal();

 private:
  bool coin() { return dice_.uniform(0, 1) == 0; }
  bool one_in(std::uint64_t many) { return dice_.uniform(1, many) == 1; }
  std::chrono::seconds seconds(std::uint64_t lowest, std::uint64_t highest);
  std::uint16_t any_port();
  transport any_transport() { return coin() ? transport::tcp : transport::udp; }

  // The user
  void create();
  void create_many();
  void release(bool keep_lease);
  void release_one() { release(false); }
  void leave_one() { release(true); }
  void release_all();
  void discover() { last_discovery_ = world_.discover(); }
  void call_off();
  void call();
  void call_after_a_packet();
  void call_after_an_event();
  void call_at_the_deadline();

  // The router
  void reboot();
  void plug() { world_.set_plugged(coin()); }
  void serve();
  void change_address();
  void sweep();
  void announce_upnp() { world_.router().announce_upnp(world_.clock()); }

  // The network
  void change_route();
  void change_gateway();
  void move();
  void doze();
  void slow_down();
  void break_sockets();

  // The neighbours
  void compete();
  void forge_replies();
  void forge_announcements();
  void forge_devices();

  bool is_steady() const;
  bool is_idle() const;

  world& world_;
  invariants& holds_;
  random_source& dice_;
  life_plan plan_;
  std::uint64_t created_ = 0;
  std::vector<mapping_id> wanted_;
  std::optional<discovery_id> last_discovery_;
};

}  // namespace damson::sim
