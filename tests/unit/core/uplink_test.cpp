#include "core/uplink.hpp"

#include <optional>

#include <gtest/gtest.h>

namespace {

using damson::default_route;
using damson::interface_address;
using damson::ip_address;
using damson::ip_family;
using damson::network_facts;
using damson::options;
using damson::core::choice_of;
using damson::core::uplink;
using damson::core::uplink_choice;

std::optional<uplink> choose_uplink(const network_facts& facts, const options& opts) {
  return damson::core::choose_uplink(facts, choice_of(opts));
}

ip_address address(const char* text) { return ip_address::parse(text).value(); }

interface_address on(std::uint32_t index, const char* text, std::uint8_t prefix = 24) {
  return {.address = address(text),
          .prefix_length = prefix,
          .interface_index = index,
          .interface_name = "eth" + std::to_string(index)};
}

default_route via(const char* gateway, std::uint32_t index, std::uint32_t metric = 0) {
  return {.gateway = address(gateway),
          .interface_index = index,
          .metric = metric,
          .preferred_source = {}};
}

TEST(uplink, is_the_route_with_the_lowest_metric) {
  const network_facts facts{{via("10.0.0.1", 3, 600), via("192.168.1.254", 2, 100)},
                            {on(2, "192.168.1.20"), on(3, "10.0.0.7")}};
  const auto chosen = choose_uplink(facts, {});
  ASSERT_TRUE(chosen);
  EXPECT_EQ(chosen->gateway, address("192.168.1.254"));
  EXPECT_EQ(chosen->local, address("192.168.1.20"));
  EXPECT_EQ(chosen->interface_index, 2U);
  EXPECT_EQ(chosen->interface_name, "eth2");
  EXPECT_FALSE(chosen->is_direct());
}

TEST(uplink, is_empty_without_a_default_route) {
  EXPECT_FALSE(choose_uplink({}, {}));
  EXPECT_FALSE(choose_uplink({{}, {on(2, "192.168.1.20")}}, {}));
}

TEST(uplink, passes_over_next_hops_that_are_no_routers) {
  for (const char* next_hop : {"0.0.0.0", "127.0.0.1", "224.0.0.1"}) {
    const network_facts facts{{via(next_hop, 2, 1), via("192.168.1.1", 3, 2)},
                              {on(2, "192.168.7.1"), on(3, "192.168.1.20")}};
    const auto chosen = choose_uplink(facts, {});
    ASSERT_TRUE(chosen) << next_hop;
    EXPECT_EQ(chosen->gateway, address("192.168.1.1")) << next_hop;
  }
}

TEST(uplink, of_a_link_without_next_hop_counts_where_its_address_is_public) {
  const network_facts facts{{via("0.0.0.0", 2)}, {on(2, "8.8.4.4", 32)}};
  const auto chosen = choose_uplink(facts, {});
  ASSERT_TRUE(chosen);
  EXPECT_FALSE(chosen->gateway);
  EXPECT_TRUE(chosen->is_direct());
}

TEST(uplink, is_not_public_in_a_reserved_block) {
  for (const char* own : {"100.64.0.9", "10.1.2.3", "169.254.1.1", "198.18.0.1", "203.0.113.9"}) {
    const network_facts facts{{via("0.0.0.0", 2)}, {on(2, own, 32)}};
    EXPECT_FALSE(choose_uplink(facts, {})) << own;
  }
}

TEST(uplink, takes_the_address_in_the_gateways_network) {
  const network_facts facts{{via("192.168.1.1", 2)},
                            {on(2, "10.5.5.5"), on(2, "192.168.1.20"), on(2, "192.168.1.21")}};
  EXPECT_EQ(choose_uplink(facts, {})->local, address("192.168.1.20"));
}

TEST(uplink, takes_the_preferred_source_of_the_route) {
  auto route = via("192.168.1.1", 2);
  route.preferred_source = address("192.168.1.21");
  const network_facts facts{{route}, {on(2, "192.168.1.20"), on(2, "192.168.1.21")}};
  EXPECT_EQ(choose_uplink(facts, {})->local, address("192.168.1.21"));
}

TEST(uplink, passes_over_deprecated_addresses) {
  auto old = on(2, "192.168.1.20");
  old.deprecated = true;
  const network_facts facts{{via("192.168.1.1", 2)}, {old, on(2, "192.168.1.21")}};
  EXPECT_EQ(choose_uplink(facts, {})->local, address("192.168.1.21"));
}

TEST(uplink, passes_over_a_route_whose_interface_has_no_address) {
  const network_facts facts{{via("10.0.0.1", 3, 0), via("192.168.1.1", 2, 5)},
                            {on(2, "192.168.1.20")}};
  EXPECT_EQ(choose_uplink(facts, {})->gateway, address("192.168.1.1"));
}

TEST(uplink, is_the_one_with_the_callers_address) {
  const network_facts facts{{via("192.168.1.1", 2, 0), via("10.0.0.1", 3, 100)},
                            {on(2, "192.168.1.20"), on(3, "10.0.0.7")}};
  options opts;
  opts.local_address = address("10.0.0.7");
  EXPECT_EQ(choose_uplink(facts, opts)->gateway, address("10.0.0.1"));
  opts.local_address = address("10.0.0.8");
  EXPECT_FALSE(choose_uplink(facts, opts));
}

TEST(uplink, to_the_callers_gateway_needs_no_route) {
  options opts;
  opts.gateway = address("192.168.9.1");
  const auto blind = choose_uplink({}, opts);
  ASSERT_TRUE(blind);
  EXPECT_EQ(blind->gateway, opts.gateway);
  EXPECT_TRUE(blind->local.is_unspecified());
  EXPECT_EQ(blind->interface_index, 0U);

  const network_facts facts{{via("10.0.0.1", 3)}, {on(3, "10.0.0.7"), on(4, "192.168.9.20")}};
  const auto seen = choose_uplink(facts, opts);
  EXPECT_EQ(seen->gateway, opts.gateway);
  EXPECT_EQ(seen->interface_index, 4U);
}

TEST(uplink, leaves_ipv6_routes_alone) {
  const network_facts facts{{via("fe80::1", 2)}, {on(2, "192.168.1.20")}};
  EXPECT_FALSE(choose_uplink(facts, {}));
}

// -------------------------------------------------------------------------------------------------
// What a request names

interface_address v6_on(std::uint32_t index, const char* text) { return on(index, text, 64); }

TEST(uplink, of_ipv6_has_the_stable_global_address) {
  network_facts facts{{via("192.168.1.1", 2), via("fe80::1", 2)},
                      {on(2, "192.168.1.20"), v6_on(2, "fe80::20"), v6_on(2, "2001:db8::a"),
                       v6_on(2, "fd00::20"), v6_on(2, "2a00::dead"), v6_on(2, "2a00::20")}};
  facts.addresses[2].deprecated = true;
  facts.addresses[4].temporary = true;
  const auto chosen = damson::core::choose_uplink(facts, {.family = ip_family::v6});
  ASSERT_TRUE(chosen);
  EXPECT_EQ(chosen->gateway, address("fe80::1"));
  EXPECT_EQ(chosen->local, address("2a00::20"));
  EXPECT_FALSE(chosen->is_direct()) << "the router may be a firewall";
  // A unique local address is better than none: the router may translate (NPTv6).
  facts.addresses.resize(4);
  EXPECT_EQ(damson::core::choose_uplink(facts, {.family = ip_family::v6})->local,
            address("fd00::20"));
  facts.addresses.resize(3);
  EXPECT_FALSE(damson::core::choose_uplink(facts, {.family = ip_family::v6}));
}

TEST(uplink, of_ipv6_without_a_router_is_direct) {
  const network_facts facts{{via("::", 4)}, {v6_on(4, "2a00::20")}};
  const auto chosen = damson::core::choose_uplink(facts, {.family = ip_family::v6});
  ASSERT_TRUE(chosen);
  EXPECT_FALSE(chosen->gateway);
  EXPECT_TRUE(chosen->is_direct());
}

TEST(uplink, is_the_one_of_the_interface_that_is_named) {
  const network_facts facts{{via("192.168.1.1", 2, 100), via("192.168.2.1", 3, 200)},
                            {on(2, "192.168.1.20"), on(3, "192.168.2.20")}};
  const auto chosen = damson::core::choose_uplink(facts, {.interface_name = "eth3"});
  ASSERT_TRUE(chosen);
  EXPECT_EQ(chosen->gateway, address("192.168.2.1"));
  EXPECT_EQ(chosen->local, address("192.168.2.20"));
  EXPECT_FALSE(damson::core::choose_uplink(facts, {.interface_name = "eth4"}));
}

TEST(uplink, to_a_router_that_is_named_goes_by_the_interface_that_is_named) {
  const network_facts facts{{},
                            {on(2, "192.168.1.20"), on(3, "192.168.1.30"), on(4, "10.0.0.7"),
                             on(4, "fe80::7", 64), on(4, "fd00::7", 64), on(4, "2001:db9::7", 64)}};
  const auto by = [&](const char* gateway, const char* name, const char* local = "0.0.0.0") {
    const ip_address router = address(gateway);
    return damson::core::choose_uplink(facts, uplink_choice{.family = router.family(),
                                                            .interface_name = name,
                                                            .gateway = router,
                                                            .local = address(local)});
  };
  EXPECT_EQ(by("192.168.1.1", "eth2")->local, address("192.168.1.20"));
  EXPECT_EQ(by("192.168.1.1", "eth3")->local, address("192.168.1.30"));
  EXPECT_EQ(by("192.168.1.1", "eth3")->interface_index, 3U);
  EXPECT_EQ(by("192.168.1.1", "eth4")->local, address("10.0.0.7")) << "of another network";
  EXPECT_EQ(by("192.168.1.1", "eth3", "192.168.1.30")->local, address("192.168.1.30"));
  EXPECT_FALSE(by("192.168.1.1", "eth3", "192.168.1.20")) << "that is the other's";
  EXPECT_FALSE(by("192.168.1.1", "eth9"));

  const auto over_ipv6 = by("fe80::1", "eth4", "::");
  ASSERT_TRUE(over_ipv6);
  EXPECT_EQ(over_ipv6->gateway, (ip_address{address("fe80::1").to_v6(), 4}));
  EXPECT_EQ(over_ipv6->local, address("2001:db9::7"));
  EXPECT_FALSE(by("fe80::1", "eth2", "::"));
}

TEST(uplink, is_the_one_of_the_own_address_that_is_named) {
  const network_facts facts{
      {via("fe80::1", 2, 100), via("fe80::1", 3, 200)},
      {v6_on(2, "2a00:1::20"), v6_on(3, "2a00:2::20"), v6_on(3, "2a00:2::21")}};
  const uplink_choice wanted{.family = ip_family::v6, .local = address("2a00:2::21")};
  const auto chosen = damson::core::choose_uplink(facts, wanted);
  ASSERT_TRUE(chosen);
  EXPECT_EQ(chosen->local, address("2a00:2::21"));
  EXPECT_EQ(chosen->interface_index, 3U);
}

TEST(uplink, to_a_router_beyond_a_nat_leads_through_the_link_of_the_own_address) {
  const network_facts facts{{via("192.168.1.1", 2, 100), via("192.168.2.1", 3, 200)},
                            {on(2, "192.168.1.20"), on(3, "192.168.2.20")}};
  const auto chosen = damson::core::choose_uplink(facts, {.gateway = address("10.0.0.1"),
                                                          .local = address("192.168.2.20"),
                                                          .client = address("10.0.0.7")});
  ASSERT_TRUE(chosen);
  EXPECT_EQ(chosen->gateway, address("10.0.0.1"));
  EXPECT_EQ(chosen->interface_index, 3U);
  EXPECT_TRUE(chosen->is_upstream());
  EXPECT_EQ(chosen->client, address("10.0.0.7"));
  EXPECT_FALSE(damson::core::choose_uplink(facts, {})->is_upstream());
}

TEST(uplink, of_a_request_goes_before_that_of_the_options) {
  options opts;
  opts.gateway = address("192.168.1.1");
  opts.local_address = address("192.168.1.20");
  damson::map_request wanted;
  EXPECT_EQ(choice_of(wanted, opts).gateway, address("192.168.1.1"));
  EXPECT_EQ(choice_of(wanted, opts).local, address("192.168.1.20"));
  wanted.gateway = address("192.168.2.1");
  EXPECT_EQ(choice_of(wanted, opts).gateway, address("192.168.2.1"));
  // What the options say of IPv4 is nothing to IPv6.
  wanted = {};
  wanted.families = damson::ip_families::v6;
  EXPECT_TRUE(choice_of(wanted, opts).gateway.is_unspecified());
  EXPECT_TRUE(choice_of(wanted, opts).local.is_unspecified());
}

// -------------------------------------------------------------------------------------------------
// All of them

using damson::core::uplinks;

TEST(uplinks, are_one_for_each_interface_and_address_by_metric) {
  auto of_another_address = via("10.0.0.1", 3, 700);
  of_another_address.preferred_source = address("10.0.0.8");
  const network_facts facts{
      {via("10.0.0.1", 3, 600), via("192.168.1.254", 2, 100), via("10.0.0.2", 3, 650),
       of_another_address, via("fe80::1", 2)},
      {on(2, "192.168.1.20"), on(3, "10.0.0.7"), on(3, "10.0.0.8"), on(4, "192.168.4.20")}};
  const auto found = uplinks(facts, {});
  ASSERT_EQ(found.size(), 3U) << "two routers for one address are one way out";
  EXPECT_EQ(found[0].local, address("192.168.1.20"));
  EXPECT_EQ(found[1].local, address("10.0.0.7"));
  EXPECT_EQ(found[1].gateway, address("10.0.0.1"));
  EXPECT_EQ(found[2].local, address("10.0.0.8"));
}

TEST(uplinks, count_links_that_lead_to_no_router_unless_there_is_one_as_well) {
  const network_facts facts{{via("0.0.0.0", 2, 1), via("0.0.0.0", 3, 1), via("192.168.1.1", 3, 2)},
                            {on(2, "10.8.0.2"), on(3, "192.168.1.20")}};
  const auto found = uplinks(facts, {});
  ASSERT_EQ(found.size(), 2U);
  EXPECT_FALSE(found[0].leads_out());
  EXPECT_EQ(found[1].gateway, address("192.168.1.1"));
}

TEST(uplinks, of_ipv6_are_all_stable_global_addresses) {
  auto temporary = v6_on(2, "2a00::dead");
  temporary.temporary = true;
  auto old = v6_on(2, "2a00:9::20");
  old.deprecated = true;
  const network_facts facts{{via("fe80::1", 2)},
                            {v6_on(2, "fe80::20"), temporary, old, v6_on(2, "fd00::20"),
                             v6_on(2, "2a00::20"), v6_on(2, "2a00:1::20"), v6_on(3, "2a00:2::20")}};
  const auto found = uplinks(facts, {.family = ip_family::v6});
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].local, address("2a00::20"));
  EXPECT_EQ(found[1].local, address("2a00:1::20"));
}

TEST(uplinks, are_bounded) {
  network_facts facts{{via("fe80::1", 2)}, {}};
  for (int i = 0; i < 1'000; ++i) {
    facts.addresses.push_back(v6_on(2, ("2a00::" + std::to_string(i + 1)).c_str()));
  }
  EXPECT_EQ(uplinks(facts, {.family = ip_family::v6}).size(), damson::engine_limits::parts);
}

TEST(uplinks, to_a_router_that_is_named_are_one) {
  const network_facts facts{{via("192.168.1.1", 2), via("10.0.0.1", 3)},
                            {on(2, "192.168.1.20"), on(3, "10.0.0.7")}};
  const auto found = uplinks(facts, {.gateway = address("10.0.0.1")});
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].local, ip_address{});
  EXPECT_EQ(found[0].interface_name, "eth3");
}

}  // namespace
