#pragma once

/// What the scenarios of routers that speak UPnP share.

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "scenario.hpp"
#include "sim/inspect.hpp"
#include "upnp_requests.hpp"

namespace damson::sim {

inline constexpr ip_address second_address = v4(192, 168, 1, 2);
inline constexpr ip_address third_address = v4(192, 168, 1, 3);
/// On the link, and nobody has it.
inline constexpr ip_address neighbour = v4(192, 168, 1, 66);

/// A router that speaks UPnP and nothing else; the other protocols' port refuses.
inline profile upnp_only_router(const upnp_profile& how = {}) {
  profile out;
  out.speaks_pcp = false;
  out.speaks_nat_pmp = false;
  out.speaks_upnp = true;
  out.upnp = how;
  return out;
}

inline scene upnp_only(const upnp_profile& how = {}) { return with(upnp_only_router(how)); }

/// A router that speaks none of the three.
inline profile mute_router() {
  profile out = upnp_only_router();
  out.speaks_upnp = false;
  return out;
}

/// One search as the host sent it.
struct sent_search {
  nanoseconds at{};
  endpoint to;
  std::string target;
};

inline std::vector<sent_search> searches(const world& w) {
  std::vector<sent_search> out;
  for (const auto& record : w.packets()) {
    if (record.way != direction::to_router) continue;
    if (auto target = ssdp_search_target(record.datagram.bytes)) {
      out.push_back({record.at, record.datagram.to, std::move(*target)});
    }
  }
  return out;
}

/// An answer to a search. Times and names that nobody looks at are left out.
inline bytes search_answer(
    std::string_view location,
    std::string_view target = "urn:schemas-upnp-org:device:InternetGatewayDevice:1") {
  return bytes_of("HTTP/1.1 200 OK\r\nST: " + std::string{target} +
                  "\r\nUSN: uuid:1\r\nLOCATION: " + std::string{location} + "\r\n\r\n");
}

/// Delivers it to the search that is under way.
inline bool answer_search(world& w, const ip_address& from, const bytes& what) {
  const auto to = w.search_endpoint();
  return to && w.inject({{from, 1900}, *to, what});
}

/// "GET" for descriptions, else the name of the action.
inline std::string asked_for(const http_record& record) {
  const std::string action = soap_action_of(record.request);
  return action.empty() ? "GET" : action;
}

inline std::vector<std::string> asked(const world& w) {
  std::vector<std::string> out;
  for (const auto& record : w.requests()) out.push_back(asked_for(record));
  return out;
}

inline std::vector<http_record> requests_for(const world& w, std::string_view what) {
  std::vector<http_record> out;
  for (const auto& record : w.requests()) {
    if (asked_for(record) == what) out.push_back(record);
  }
  return out;
}

/// The path of a request.
inline std::string path_of(const http_record& record) {
  const std::size_t begin = record.request.find(' ') + 1;
  return record.request.substr(begin, record.request.find(' ', begin) - begin);
}

/// Whom the host connected to, or tried to.
inline bool asked_only(const world& w, const ip_address& server) {
  return std::ranges::all_of(w.requests(),
                             [&](const auto& one) { return one.remote.address == server; });
}

class upnp_scenario : public scenario {
 protected:
  /// Begins and asks for TCP 8080.
  world& begin_request(const scene& what) {
    world& w = begin(what);
    id_ = w.create(request());
    return w;
  }

  /// Runs until the first event, which is that the port is open.
  static void expect_mapped(world& w, nanoseconds within,
                            const ip_address& by = world::router_address) {
    w.run_until([&] { return !w.events().empty(); }, within);
    ASSERT_EQ(kinds(w), std::vector{event_kind::mapped}) << "within " << within.count() << " ns";
    const mapping_info& info = w.events()[0].event.info;
    EXPECT_EQ(info.protocol, protocol::upnp);
    EXPECT_EQ(info.gateway, by);
    const nat_rule* const rule =
        w.device_at(by)->table().at_external(info.transport, info.external.port);
    ASSERT_NE(rule, nullptr);
    EXPECT_EQ(rule->internal, (endpoint{world::host_address, 8080}));
  }

  /// Runs until the request has failed, and returns why UPnP has.
  static errc upnp_failure(world& w, nanoseconds within) {
    w.run_until([&] { return !w.events().empty(); }, within);
    EXPECT_EQ(kinds(w), std::vector{event_kind::failed});
    if (w.events().empty()) return errc{};
    const auto* const why = reason_for(w.events()[0].event.why, protocol::upnp);
    EXPECT_NE(why, nullptr);
    return why == nullptr ? errc{} : why->reason;
  }
};

}  // namespace damson::sim
