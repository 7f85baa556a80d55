#include "core/uplink.hpp"

#include <gtest/gtest.h>

namespace {

using damson::default_route;
using damson::interface_address;
using damson::ip_address;
using damson::network_facts;
using damson::options;
using damson::core::choose_uplink;

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
  EXPECT_FALSE(chosen->is_public());
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
  EXPECT_TRUE(chosen->is_public());
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

}  // namespace
