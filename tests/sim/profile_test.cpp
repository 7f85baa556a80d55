// Each router by name, on a quiet network: who maps the port or why nobody does, a day with it, and
// the end. Which quirks they have stands in sim/profiles.cpp.

#include <algorithm>
#include <array>
#include <ranges>
#include <string_view>

#include "sim/profiles.hpp"
#include "upnp_scenario.hpp"

namespace damson::sim {
namespace {

struct refusing {
  std::string_view router;
  errc why{};
};

/// With all protocols allowed; all others map.
constexpr std::array refusing_routers{
    refusing{"nothing", errc::port_closed},
    refusing{"inner-nat", errc::address_mismatch},
    refusing{"port-0", errc::unusable_answer},
    refusing{"errors-without-lifetime", errc::no_resources},
    refusing{"not-authorized", errc::not_authorized},
    refusing{"echoing-errors", errc::no_resources},
    refusing{"short-errors", errc::not_authorized},
    refusing{"disables-behind-nat", errc::network_failure},
    refusing{"shut-behind-nat", errc::network_failure},
    refusing{"by-policy", errc::not_authorized},
    refusing{"wants-remote-host", errc::not_supported},
    refusing{"misreads-port", errc::malformed_request},
    refusing{"misreads-remote-host", errc::malformed_request},
    refusing{"all-ports-or-none", errc::not_supported},
    refusing{"no-room", errc::no_resources},
    refusing{"success-without-entry", errc::unusable_answer},
};

protocol mapper_of(const profile& how) {
  if (how.speaks_pcp && how.pcp_version == 2) return protocol::pcp;
  return how.speaks_nat_pmp ? protocol::nat_pmp : protocol::upnp;
}

/// Of those that interrupt a mapping once, when it is first renewed.
constexpr std::array<std::string_view, 1> interrupting{"renewals-fail"};

const named_profile& router_named(std::string_view name) {
  const named_profile* found = find_profile(name);
  EXPECT_NE(found, nullptr) << name;
  return *found;
}

class each_profile : public upnp_scenario, public testing::WithParamInterface<std::string> {};

TEST_P(each_profile, is_met_with_what_it_needs) {
  const named_profile& router = router_named(GetParam());
  world& w = begin_request(with(router.how));
  w.run_until([&] { return !w.events().empty(); }, 30s);
  ASSERT_EQ(w.events().size(), 1U);
  const auto* const expected = std::ranges::find(refusing_routers, router.name, &refusing::router);
  if (expected != refusing_routers.end()) {
    EXPECT_EQ(kinds(w), std::vector{event_kind::failed});
    EXPECT_EQ(w.events()[0].event.why.reason, expected->why);
    w.run_for(24h);
    EXPECT_EQ(w.count_events(event_kind::mapped), 0U);
    // A day has 288 recheck periods; an attempt in each takes thirty packets at most.
    EXPECT_LE(w.requests().size() + w.sent_count(), 288U * 30U) << "it is hammered";
    w.release(id_);
    w.run_for(2s);
    EXPECT_TRUE(w.router().rules().empty());
    return;
  }
  EXPECT_EQ(kinds(w), std::vector{event_kind::mapped});
  EXPECT_EQ(w.events()[0].event.info.protocol, mapper_of(router.how));
  w.run_for(24h);
  EXPECT_EQ(w.count_events(event_kind::lost),
            std::ranges::count(interrupting, router.name) > 0 ? 1U : 0U);
  EXPECT_TRUE(router_holds(w, 8080));
  EXPECT_EQ(w.router().rules().size(), 1U);
  w.release(id_);
  w.run_for(2s);
  EXPECT_EQ(w.events().back().event.how, removal::deleted);
  EXPECT_TRUE(w.router().rules().empty());
}

std::vector<std::string> names() {
  std::vector<std::string> out;
  for (const named_profile& each : profiles()) out.emplace_back(each.name);
  return out;
}

INSTANTIATE_TEST_SUITE_P(routers, each_profile, testing::ValuesIn(names()),
                         [](const testing::TestParamInfo<std::string>& tested) {
                           std::string name = tested.param;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

class profile_scenario : public upnp_scenario {
 protected:
  static void expect_by(world& w, protocol mapper) {
    w.run_for(1s);
    ASSERT_EQ(kinds(w), std::vector{event_kind::mapped});
    EXPECT_EQ(w.events()[0].event.info.protocol, mapper);
  }
};

// Whatever is wrong with the UPnP side of such a router, it is found out in time, and the other
// protocols are none the worse.
TEST_F(profile_scenario, an_igd_of_no_use_costs_its_own_protocol_only) {
  //
  for (const std::string_view name : {"notify-only", "no-mapping-service", "endless-urls",
                                      "page-for-people", "redirects-without-end", "leads-elsewhere",
                                      "endless-description", "hanging-server", "bomb"}) {
    SCOPED_TRACE(name);
    scene what = with(router_named(name).how);
    world& alone = begin(what);
    alone.create(request(protocol_filter::upnp));
    alone.run_for(30s);
    ASSERT_FALSE(alone.events().empty());
    EXPECT_EQ(alone.events()[0].event.kind, event_kind::failed);
    EXPECT_TRUE(asked_only(alone, world::router_address));
    expect_by(begin_request(what), protocol::pcp);
    what.router.speaks_pcp = false;
    expect_by(begin_request(what), protocol::nat_pmp);
  }
}

// PCP's refusal names version 1, which is not NAT-PMP's version 0.
TEST_F(profile_scenario, version_1_of_pcp_is_not_spoken) {
  profile router = router_named("pcp-version-1").how;
  world& w = begin_request(with(router));
  w.run_for(1s);
  ASSERT_EQ(kinds(w), std::vector{event_kind::mapped});
  EXPECT_EQ(w.events()[0].event.info.protocol, protocol::nat_pmp);
  router.speaks_nat_pmp = false;
  router.speaks_upnp = true;
  world& without = begin_request(with(router));
  without.run_for(5s);
  ASSERT_EQ(kinds(without), std::vector{event_kind::mapped});
  EXPECT_EQ(without.events()[0].event.info.protocol, protocol::upnp);
}

// The mapping is there although the address is not; nobody claims to know it.
TEST_F(profile_scenario, a_private_address_outside_is_no_outage) {
  scene what = with(router_named("private-is-failure").how);
  what.public_address = v4(10, 0, 0, 2);
  world& w = begin_request(what);
  w.run_for(5s);
  ASSERT_EQ(kinds(w), std::vector{event_kind::mapped});
  EXPECT_EQ(w.events()[0].event.info.external, (endpoint{ip_address::any_v4(), 8080}));
  EXPECT_TRUE(router_holds(w, 8080));
}

// What is asked for bounds what an unbounded router grants.
TEST_F(profile_scenario, two_hours_are_asked_for_whatever_could_be_had) {
  for (const bool pcp : {true, false}) {
    scene what = with(router_named("unbounded-leases").how);
    what.router.speaks_pcp = pcp;
    const world& w = begin_mapped(what);
    EXPECT_EQ(w.events()[0].event.info.lifetime, 7'200s);
  }
}

// A LAN numbered by a carrier, whose router is not at .1 either.
TEST_F(profile_scenario, a_lan_may_be_numbered_in_any_block) {
  const ip_address gateway_there = v4(100, 64, 3, 254);
  const ip_address host_there = v4(100, 64, 3, 7);
  world& w = begin();
  w.add_router(profile{}, gateway_there, v4(203, 0, 113, 80));
  w.set_network(world::one_route(gateway_there, host_there));
  const mapping_id id = w.create(request());
  w.run_for(1s);
  ASSERT_EQ(w.last_event(id)->event.kind, event_kind::mapped);
  EXPECT_EQ(w.last_event(id)->event.info.gateway, gateway_there);
  EXPECT_EQ(w.last_event(id)->event.info.internal, (endpoint{host_there, 8080}));
}

// The address to map to is the host's own, whatever the link says.
TEST_F(profile_scenario, only_the_hosts_own_address_is_mapped) {
  for (const std::string_view name : {"all", "nat-pmp-only", "upnp-only", "igd2"}) {
    world& w = begin_request(with(router_named(name).how));
    w.run_for(24h);
    for (const nat_rule& each : w.router().rules()) {
      EXPECT_EQ(each.internal, (endpoint{world::host_address, 8080})) << name;
    }
    for (const http_record& each : requests_for(w, "AddPortMapping")) {
      EXPECT_TRUE(each.request.contains("<NewInternalClient>192.168.1.100<")) << name;
      EXPECT_TRUE(each.request.contains("<NewProtocol>TCP<")) << "Q-178";
      EXPECT_TRUE(each.request.contains("<NewEnabled>1<")) << "Q-187";
      EXPECT_TRUE(each.request.contains("<NewPortMappingDescription>damson<")) << "Q-183";
    }
  }
}

TEST_F(profile_scenario, logs_hold_no_nonces_and_no_documents) {
  for (const std::string_view name : {"strict", "upnp-only", "inner-nat", "by-policy"}) {
    std::string lines;
    scene what = with(router_named(name).how);
    what.client.level = log_level::trace;
    what.client.log = [&lines](log_level, std::string_view line) { lines.append(line) += '\n'; };
    world& w = begin_request(what);
    w.run_for(3h);
    w.reboot_router();
    w.run_for(1h);
    w.release(id_);
    w.run_for(2s);
    EXPECT_FALSE(lines.empty()) << name;
    for (const auto& each : pcp_maps(w)) {
      EXPECT_FALSE(lines.contains(to_hex(std::as_bytes(std::span{each.map.nonce})))) << name;
    }
    EXPECT_FALSE(lines.contains('<')) << name;
  }
}

}  // namespace
}  // namespace damson::sim
