#pragma once

/// What the scenarios share. Times count from the beginning of the world; one way takes 1 ms unless
/// the scenario says otherwise, so a round trip is 2 ms.

#include <chrono>
#include <cstddef>
#include <iostream>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <damson/engine.hpp>
#include <damson/error.hpp>

#include "packets.hpp"
#include "sim/inspect.hpp"
#include "sim/world.hpp"

namespace damson {

// For the reports of failed expectations.
inline std::ostream& operator<<(std::ostream& out, event_kind kind) {
  return out << to_string(kind);
}
inline std::ostream& operator<<(std::ostream& out, removal how) { return out << to_string(how); }
inline std::ostream& operator<<(std::ostream& out, errc reason) { return out << describe(reason); }

}  // namespace damson

namespace damson::sim {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

/// TCP 8080 with all else by default.
inline map_request request(std::uint16_t port = 8080, transport what = transport::tcp) {
  map_request out;
  out.transport = what;
  out.internal_port = port;
  return out;
}

inline map_request request(protocol_filter filter, std::uint16_t port = 8080) {
  map_request out = request(port);
  out.protocols = filter;
  return out;
}

/// A router that speaks NAT-PMP and refuses PCP's version.
inline profile nat_pmp_only_router() {
  profile out;
  out.speaks_pcp = false;
  return out;
}

inline scene with(const profile& router) {
  scene out;
  out.router = router;
  return out;
}

template <class View>
struct sent_map {
  nanoseconds at{};
  View map;
};

/// The MAP requests that the host sent, lost ones included.
inline std::vector<sent_map<pcp_map_view>> pcp_maps(const world& w) {
  std::vector<sent_map<pcp_map_view>> out;
  for (const auto& record : w.packets()) {
    if (record.way != direction::to_router) continue;
    if (const auto map = read_pcp_map(record.datagram.bytes)) out.push_back({record.at, *map});
  }
  return out;
}

inline std::vector<sent_map<nat_pmp_map_view>> nat_pmp_maps(const world& w) {
  std::vector<sent_map<nat_pmp_map_view>> out;
  for (const auto& record : w.packets()) {
    if (record.way != direction::to_router) continue;
    if (const auto map = read_nat_pmp_map(record.datagram.bytes)) out.push_back({record.at, *map});
  }
  return out;
}

inline std::vector<event_kind> kinds(const world& w) {
  std::vector<event_kind> out;
  for (const auto& seen : w.events()) out.push_back(seen.event.kind);
  return out;
}

/// Why one protocol failed, out of a failure; null when it is not in it.
inline const protocol_failure* reason_for(const failure& why, protocol which) {
  for (const auto& one : why.protocols) {
    if (one.protocol == which) return &one;
  }
  return nullptr;
}

/// Whether the router holds a rule for the host's port.
inline bool router_holds(world& w, std::uint16_t port, transport what = transport::tcp) {
  return w.router().table().at_internal(what, {world::host_address, port}) != nullptr;
}

class scenario : public testing::Test {
 protected:
  world& begin(const scene& what = {}) {
    worlds_.push_back(std::make_unique<world>(what));
    return *worlds_.back();
  }

  /// A client that runs against the standard router and has TCP 8080 mapped.
  world& begin_mapped(const scene& what = {}) {
    world& w = begin(what);
    id_ = w.create(request());
    EXPECT_TRUE(w.run_until([&] { return w.count_events(event_kind::mapped) == 1; }, 5s));
    return w;
  }

  void TearDown() override {
    for (const auto& w : worlds_) {
      for (const auto& one : w->router().complaints()) ADD_FAILURE() << one.what;
      if (HasFailure()) std::cout << tail(w->transcript()) << '\n';
    }
  }

  mapping_id id_{};

 private:
  static std::string tail(const std::string& text) {
    constexpr std::size_t longest = 12'000;
    return text.size() <= longest ? text : "...\n" + text.substr(text.size() - longest);
  }

  std::vector<std::unique_ptr<world>> worlds_;
};

}  // namespace damson::sim
