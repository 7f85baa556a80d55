#include "net/netlink_parser.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <system_error>
#include <vector>

#include "netlink_bytes.hpp"

namespace damson::net {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

// Message types, families and attribute types as they are on the wire.
constexpr std::uint16_t new_link = 16;
constexpr std::uint16_t new_address = 20;
constexpr std::uint16_t new_route = 24;
constexpr std::uint16_t new_rule = 32;
constexpr std::uint16_t error_message = 2;
constexpr std::uint16_t done_message = 3;
constexpr std::uint8_t inet = 2;
constexpr std::uint8_t inet6 = 10;

constexpr std::uint32_t up_and_running = 0x1 | 0x40;

ip_address address(std::string_view text) { return ip_address::parse(text).value(); }

ip_address on_link(std::string_view text, std::uint32_t scope) {
  return ip_address{address(text).to_v6(), scope};
}

netlink_bytes bytes_of(std::string_view text) {
  netlink_bytes out;
  const auto value = address(text);
  if (value.is_v4()) {
    for (const auto byte : value.to_v4()) out.u8(byte);
  } else {
    for (const auto byte : value.to_v6()) out.u8(byte);
  }
  return out;
}

netlink_bytes u32(std::uint32_t value) { return netlink_bytes{}.u32(value); }

struct route_header {
  std::uint8_t family = inet;
  std::uint8_t destination_length = 0;
  std::uint8_t source_length = 0;
  std::uint8_t tos = 0;
  std::uint8_t table = 254;
  std::uint8_t type = 1;
  std::uint32_t flags = 0;
};

/// An rtmsg with attributes.
netlink_bytes route(const route_header& header, const netlink_bytes& attributes) {
  return message(new_route, netlink_bytes{}
                                .u8(header.family)
                                .u8(header.destination_length)
                                .u8(header.source_length)
                                .u8(header.tos)
                                .u8(header.table)
                                .u8(3)  // rtm_protocol: boot
                                .u8(0)  // rtm_scope: universe
                                .u8(header.type)
                                .u32(header.flags)
                                .add(attributes));
}

netlink_bytes gateway(std::string_view text) { return attribute(5, bytes_of(text)); }
netlink_bytes out_interface(std::uint32_t index) { return attribute(4, u32(index)); }
netlink_bytes metric(std::uint32_t value) { return attribute(6, u32(value)); }

netlink_bytes plain_route(std::string_view next_hop, std::uint32_t interface_index) {
  return route({}, netlink_bytes{}.add(gateway(next_hop)).add(out_interface(interface_index)));
}

struct address_header {
  std::uint8_t family = inet;
  std::uint8_t prefix_length = 24;
  std::uint8_t flags = 0;
  std::uint32_t interface_index = 2;
};

/// An ifaddrmsg with attributes.
netlink_bytes interface_address_message(const address_header& header,
                                        const netlink_bytes& attributes) {
  return message(new_address, netlink_bytes{}
                                  .u8(header.family)
                                  .u8(header.prefix_length)
                                  .u8(header.flags)
                                  .u8(0)  // ifa_scope: universe
                                  .u32(header.interface_index)
                                  .add(attributes));
}

netlink_bytes link(std::uint32_t index, std::uint32_t flags, std::string_view name) {
  netlink_bytes text;
  for (const char letter : name) text.u8(static_cast<std::uint8_t>(letter));
  return message(new_link, netlink_bytes{}
                               .u8(0)  // ifi_family: unspecified
                               .u8(0)
                               .u16(1)      // ifi_type: Ethernet
                               .u32(index)  // ifi_index
                               .u32(flags)  // ifi_flags
                               .u32(0)      // ifi_change
                               .add(attribute(3, text.u8(0))));
}

network_facts facts_of(const netlink_bytes& datagram) {
  netlink_parser parser;
  const auto progress = parser.add(datagram.get(), test_sequence);
  EXPECT_EQ(progress, dump_progress::more);
  return parser.facts();
}

TEST(netlink_parser, reads_a_default_route) {
  const auto datagram = netlink_bytes{}
                            .u32(60)                  // nlmsg_len
                            .u16(24)                  // nlmsg_type: RTM_NEWROUTE
                            .u16(2)                   // nlmsg_flags: NLM_F_MULTI
                            .u32(7)                   // nlmsg_seq
                            .u32(0)                   // nlmsg_pid
                            .u8(2)                    // rtm_family: AF_INET
                            .u8(0)                    // rtm_dst_len
                            .u8(0)                    // rtm_src_len
                            .u8(0)                    // rtm_tos
                            .u8(254)                  // rtm_table: main
                            .u8(16)                   // rtm_protocol: DHCP
                            .u8(0)                    // rtm_scope: universe
                            .u8(1)                    // rtm_type: unicast
                            .u32(0)                   // rtm_flags
                            .u16(8)                   // nla_len
                            .u16(6)                   // nla_type: RTA_PRIORITY
                            .u32(600)                 //
                            .u16(8)                   // nla_len
                            .u16(5)                   // nla_type: RTA_GATEWAY
                            .raw({192, 168, 77, 1})   //
                            .u16(8)                   // nla_len
                            .u16(7)                   // nla_type: RTA_PREFSRC
                            .raw({192, 168, 77, 10})  //
                            .u16(8)                   // nla_len
                            .u16(4)                   // nla_type: RTA_OIF
                            .u32(3);                  //
  ASSERT_EQ(datagram.size(), 60U);
  EXPECT_THAT(facts_of(datagram).routes,
              ElementsAre(default_route{.gateway = address("192.168.77.1"),
                                        .interface_index = 3,
                                        .metric = 600,
                                        .preferred_source = address("192.168.77.10")}));
}

TEST(netlink_parser, reads_a_link_and_its_address) {
  const auto datagram = netlink_bytes{}
                            .u32(44)                       // nlmsg_len
                            .u16(16)                       // nlmsg_type: RTM_NEWLINK
                            .u16(2)                        // nlmsg_flags: NLM_F_MULTI
                            .u32(7)                        // nlmsg_seq
                            .u32(0)                        // nlmsg_pid
                            .u8(0)                         // ifi_family
                            .u8(0)                         //
                            .u16(1)                        // ifi_type: Ethernet
                            .u32(2)                        // ifi_index
                            .u32(0x11043)                  // ifi_flags: up, broadcast, running, …
                            .u32(0)                        // ifi_change
                            .u16(9)                        // nla_len
                            .u16(3)                        // nla_type: IFLA_IFNAME
                            .raw({'e', 't', 'h', '0', 0})  //
                            .raw({0, 0, 0})                // padding
                            .u32(48)                       // nlmsg_len
                            .u16(20)                       // nlmsg_type: RTM_NEWADDR
                            .u16(2)                        // nlmsg_flags: NLM_F_MULTI
                            .u32(7)                        // nlmsg_seq
                            .u32(0)                        // nlmsg_pid
                            .u8(2)                         // ifa_family: AF_INET
                            .u8(24)                        // ifa_prefixlen
                            .u8(0x80)                      // ifa_flags: permanent
                            .u8(0)                         // ifa_scope: universe
                            .u32(2)                        // ifa_index
                            .u16(8)                        // nla_len
                            .u16(1)                        // nla_type: IFA_ADDRESS
                            .raw({192, 168, 77, 10})       //
                            .u16(8)                        // nla_len
                            .u16(2)                        // nla_type: IFA_LOCAL
                            .raw({192, 168, 77, 10})       //
                            .u16(8)                        // nla_len
                            .u16(8)                        // nla_type: IFA_FLAGS
                            .u32(0x80);                    // permanent
  ASSERT_EQ(datagram.size(), 44U + 48U);
  EXPECT_THAT(facts_of(datagram).addresses,
              ElementsAre(interface_address{.address = address("192.168.77.10"),
                                            .prefix_length = 24,
                                            .interface_index = 2,
                                            .interface_name = "eth0",
                                            .temporary = false,
                                            .deprecated = false}));
}

TEST(netlink_parser, gives_a_link_local_gateway_its_interface_as_scope) {
  const auto facts = facts_of(
      route({.family = inet6},
            netlink_bytes{}.add(gateway("fe80::1")).add(out_interface(4)).add(metric(1024))));
  EXPECT_THAT(facts.routes, ElementsAre(default_route{.gateway = on_link("fe80::1", 4),
                                                      .interface_index = 4,
                                                      .metric = 1024,
                                                      .preferred_source = std::nullopt}));
}

TEST(netlink_parser, gives_other_ipv6_gateways_no_scope) {
  const auto facts = facts_of(
      route({.family = inet6}, netlink_bytes{}.add(gateway("2001:db8::1")).add(out_interface(4))));
  ASSERT_THAT(facts.routes, SizeIs(1));
  EXPECT_EQ(facts.routes[0].gateway, address("2001:db8::1"));
}

TEST(netlink_parser, has_no_gateway_where_nothing_can_be_sent_to_it) {
  for (const auto* const next_hop : {"0.0.0.0", "127.0.0.1", "224.0.0.1"}) {
    const auto facts = facts_of(plain_route(next_hop, 2));
    ASSERT_THAT(facts.routes, SizeIs(1)) << next_hop;
    EXPECT_EQ(facts.routes[0].gateway, ip_address::any_v4()) << next_hop;
  }
  const auto without_next_hop = facts_of(route({}, out_interface(2)));
  ASSERT_THAT(without_next_hop.routes, SizeIs(1));
  EXPECT_EQ(without_next_hop.routes[0].gateway, ip_address::any_v4());

  for (const auto* const next_hop : {"::", "::1", "ff02::1"}) {
    const auto facts = facts_of(
        route({.family = inet6}, netlink_bytes{}.add(gateway(next_hop)).add(out_interface(2))));
    ASSERT_THAT(facts.routes, SizeIs(1)) << next_hop;
    EXPECT_EQ(facts.routes[0].gateway, ip_address::any_v6()) << next_hop;
  }
}

TEST(netlink_parser, passes_over_routes_that_are_no_default_routes) {
  const auto hop = netlink_bytes{}.add(gateway("192.168.77.1")).add(out_interface(2));
  EXPECT_THAT(facts_of(route({}, hop)).routes, SizeIs(1));
  EXPECT_THAT(facts_of(route({.destination_length = 1}, hop)).routes, IsEmpty());
  EXPECT_THAT(facts_of(route({.source_length = 8}, hop)).routes, IsEmpty());
  EXPECT_THAT(facts_of(route({.tos = 16}, hop)).routes, IsEmpty());
  EXPECT_THAT(facts_of(route({.table = 255}, hop)).routes, IsEmpty()) << "local";
  EXPECT_THAT(facts_of(route({.table = 100}, hop)).routes, IsEmpty());
  EXPECT_THAT(facts_of(route({.type = 6}, hop)).routes, IsEmpty()) << "blackhole";
  EXPECT_THAT(facts_of(route({.type = 7}, hop)).routes, IsEmpty()) << "unreachable";
  EXPECT_THAT(facts_of(route({.flags = 0x200}, hop)).routes, IsEmpty()) << "a cached copy";
  EXPECT_THAT(facts_of(route({.flags = 0x1}, hop)).routes, IsEmpty()) << "dead";
  EXPECT_THAT(facts_of(route({.flags = 0x10}, hop)).routes, IsEmpty()) << "link down";
  EXPECT_THAT(facts_of(route({.family = 28}, hop)).routes, IsEmpty()) << "MPLS";
  EXPECT_THAT(facts_of(route({}, gateway("192.168.77.1"))).routes, IsEmpty()) << "no interface";
}

TEST(netlink_parser, looks_at_the_type_before_the_attributes) {
  auto rule = route({}, netlink_bytes{}.add(gateway("192.168.77.1")).add(out_interface(2))).get();
  ASSERT_EQ(rule[4], std::byte{new_route});
  rule[4] = std::byte{new_rule};
  netlink_parser parser;
  EXPECT_EQ(parser.add(rule, test_sequence), dump_progress::more);
  EXPECT_THAT(parser.facts().routes, IsEmpty());
}

TEST(netlink_parser, lets_other_tables_stand_in_where_the_main_one_has_nothing) {
  const auto in_other_table =
      route({.table = 252}, netlink_bytes{}.add(gateway("10.0.0.1")).add(out_interface(5)));
  const auto alone = facts_of(in_other_table);
  ASSERT_THAT(alone.routes, SizeIs(1));
  EXPECT_EQ(alone.routes[0].gateway, address("10.0.0.1"));

  const auto both =
      facts_of(netlink_bytes{}.add(in_other_table).add(plain_route("192.168.77.1", 2)));
  ASSERT_THAT(both.routes, SizeIs(1));
  EXPECT_EQ(both.routes[0].gateway, address("192.168.77.1"));
}

TEST(netlink_parser, makes_a_route_of_every_next_hop) {
  const auto hops = netlink_bytes{}
                        .u16(16)                 // rtnh_len
                        .u8(0)                   // rtnh_flags
                        .u8(0)                   // rtnh_hops: weight 1
                        .u32(2)                  // rtnh_ifindex
                        .u16(8)                  // nla_len
                        .u16(5)                  // nla_type: RTA_GATEWAY
                        .raw({192, 168, 77, 1})  //
                        .u16(16)                 // rtnh_len
                        .u8(0x10)                // rtnh_flags: link down
                        .u8(0)                   // rtnh_hops
                        .u32(3)                  // rtnh_ifindex
                        .u16(8)                  // nla_len
                        .u16(5)                  // nla_type: RTA_GATEWAY
                        .raw({192, 168, 78, 1})  //
                        .u16(8)                  // rtnh_len
                        .u8(0)                   // rtnh_flags
                        .u8(0)                   // rtnh_hops
                        .u32(4);                 // rtnh_ifindex: a link without next hop
  const auto facts = facts_of(route({}, netlink_bytes{}.add(metric(50)).add(attribute(9, hops))));
  EXPECT_THAT(facts.routes, ElementsAre(default_route{.gateway = address("192.168.77.1"),
                                                      .interface_index = 2,
                                                      .metric = 50,
                                                      .preferred_source = std::nullopt},
                                        default_route{.gateway = ip_address::any_v4(),
                                                      .interface_index = 4,
                                                      .metric = 50,
                                                      .preferred_source = std::nullopt}));
}

TEST(netlink_parser, stops_at_a_next_hop_of_impossible_length) {
  for (const unsigned length : {0U, 7U, 9'000U}) {
    const auto hops = netlink_bytes{}.u16(static_cast<std::uint16_t>(length)).u8(0).u8(0).u32(2);
    EXPECT_THAT(facts_of(route({}, attribute(9, hops))).routes, IsEmpty()) << length;
  }
}

TEST(netlink_parser, reports_a_route_once) {
  const auto twice =
      netlink_bytes{}.add(plain_route("10.0.0.1", 2)).add(plain_route("10.0.0.1", 2));
  EXPECT_THAT(facts_of(twice).routes, SizeIs(1));
}

TEST(netlink_parser, takes_the_near_end_of_a_point_to_point_link) {
  const auto facts = facts_of(interface_address_message(
      {.prefix_length = 32}, netlink_bytes{}
                                 .add(attribute(1, bytes_of("10.64.64.64")))
                                 .add(attribute(2, bytes_of("10.1.2.3")))));
  ASSERT_THAT(facts.addresses, SizeIs(1));
  EXPECT_EQ(facts.addresses[0].address, address("10.1.2.3"));
}

TEST(netlink_parser, reads_the_flags_of_an_address) {
  constexpr std::uint32_t temporary = 0x01;
  constexpr std::uint32_t optimistic = 0x04;
  constexpr std::uint32_t failed = 0x08;
  constexpr std::uint32_t deprecated = 0x20;
  constexpr std::uint32_t tentative = 0x40;
  const auto v6_with = [](std::uint32_t flags) {
    return facts_of(interface_address_message({.family = inet6, .prefix_length = 64},
                                              netlink_bytes{}
                                                  .add(attribute(1, bytes_of("2001:db8::10")))
                                                  .add(attribute(8, u32(flags)))))
        .addresses;
  };
  ASSERT_THAT(v6_with(temporary | deprecated), SizeIs(1));
  EXPECT_TRUE(v6_with(temporary)[0].temporary);
  EXPECT_FALSE(v6_with(temporary)[0].deprecated);
  EXPECT_TRUE(v6_with(deprecated)[0].deprecated);
  EXPECT_FALSE(v6_with(deprecated)[0].temporary);
  EXPECT_THAT(v6_with(tentative), IsEmpty());
  EXPECT_THAT(v6_with(failed), IsEmpty());
  EXPECT_THAT(v6_with(tentative | optimistic), SizeIs(1));
}

TEST(netlink_parser, reads_secondary_ipv4_addresses_as_lasting_ones) {
  const auto facts =
      facts_of(interface_address_message({.flags = 0x01}, attribute(2, bytes_of("192.168.77.11"))));
  ASSERT_THAT(facts.addresses, SizeIs(1));
  EXPECT_FALSE(facts.addresses[0].temporary);
}

TEST(netlink_parser, prefers_the_long_flags_to_the_short_ones) {
  const auto facts = facts_of(interface_address_message(
      {.family = inet6, .prefix_length = 64, .flags = 0x40},
      netlink_bytes{}.add(attribute(1, bytes_of("2001:db8::10"))).add(attribute(8, u32(0x80)))));
  EXPECT_THAT(facts.addresses, SizeIs(1));
}

TEST(netlink_parser, passes_over_addresses_that_make_no_sense) {
  const auto local = attribute(2, bytes_of("192.168.77.10"));
  EXPECT_THAT(facts_of(interface_address_message({}, local)).addresses, SizeIs(1));
  EXPECT_THAT(facts_of(interface_address_message({.prefix_length = 33}, local)).addresses,
              IsEmpty());
  EXPECT_THAT(facts_of(interface_address_message({.interface_index = 0}, local)).addresses,
              IsEmpty());
  EXPECT_THAT(facts_of(interface_address_message({.family = inet6}, local)).addresses, IsEmpty());
  EXPECT_THAT(facts_of(interface_address_message({}, {})).addresses, IsEmpty());
  EXPECT_THAT(facts_of(interface_address_message({}, attribute(2, bytes_of("0.0.0.0")))).addresses,
              IsEmpty());
}

TEST(netlink_parser, leaves_out_what_is_on_links_that_are_down) {
  const auto with_link = [](std::uint32_t flags) {
    return facts_of(netlink_bytes{}
                        .add(link(2, flags, "eth0"))
                        .add(plain_route("192.168.77.1", 2))
                        .add(interface_address_message({}, attribute(2, bytes_of("10.0.0.2")))));
  };
  const auto up = with_link(up_and_running);
  EXPECT_THAT(up.routes, SizeIs(1));
  EXPECT_THAT(up.addresses, SizeIs(1));
  for (const std::uint32_t flags : {0x0U, 0x1U /* no carrier */, 0x40U}) {
    const auto down = with_link(flags);
    EXPECT_THAT(down.routes, IsEmpty()) << flags;
    EXPECT_THAT(down.addresses, IsEmpty()) << flags;
  }
}

TEST(netlink_parser, trusts_every_link_where_it_heard_of_none) {
  EXPECT_THAT(facts_of(plain_route("192.168.77.1", 2)).routes, SizeIs(1));
  const auto other_link_known =
      netlink_bytes{}.add(link(3, up_and_running, "eth1")).add(plain_route("192.168.77.1", 2));
  EXPECT_THAT(facts_of(other_link_known).routes, IsEmpty());
}

TEST(netlink_parser, passes_over_answers_to_other_questions) {
  netlink_parser parser;
  const auto datagram = plain_route("192.168.77.1", 2);
  EXPECT_EQ(parser.add(datagram.get(), test_sequence + 1), dump_progress::more);
  EXPECT_THAT(parser.facts().routes, IsEmpty());
}

TEST(netlink_parser, sees_the_end_of_a_dump) {
  netlink_parser parser;
  EXPECT_EQ(parser.add(message(done_message, u32(0)).get(), test_sequence), dump_progress::done);
}

TEST(netlink_parser, hands_on_the_errors_of_the_kernel) {
  const auto number = [](int value) { return static_cast<std::uint32_t>(value); };
  const auto result_of = [](const netlink_bytes& datagram) {
    netlink_parser parser;
    return parser.add(datagram.get(), test_sequence);
  };
  const auto echo = netlink_bytes{}.u32(16).u16(26).u16(0x301).u32(7).u32(0);

  const auto refused = result_of(message(error_message, u32(number(-EPERM)).add(echo)));
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error(), std::errc::operation_not_permitted);

  const auto failed_at_end = result_of(message(done_message, u32(number(-ENOMEM))));
  ASSERT_FALSE(failed_at_end.has_value());
  EXPECT_EQ(failed_at_end.error(), std::errc::not_enough_memory);

  const auto cut = result_of(message(error_message, u32(number(-EPERM))));
  ASSERT_FALSE(cut.has_value());
  EXPECT_EQ(cut.error(), std::errc::bad_message);

  EXPECT_EQ(result_of(message(error_message, u32(0).add(echo))), dump_progress::more)
      << "an acknowledgement";
}

TEST(netlink_parser, notices_that_a_table_changed_meanwhile) {
  netlink_parser parser;
  ASSERT_EQ(parser.add(plain_route("10.0.0.1", 2).get(), test_sequence), dump_progress::more);
  EXPECT_FALSE(parser.interrupted());
  const auto changed = message(done_message, u32(0), 0x12 /* NLM_F_MULTI | NLM_F_DUMP_INTR */);
  EXPECT_EQ(parser.add(changed.get(), test_sequence), dump_progress::done);
  EXPECT_TRUE(parser.interrupted());
}

TEST(netlink_parser, is_bounded) {
  netlink_parser parser;
  for (std::uint32_t i = 0; i < engine_limits::routes + 10; ++i) {
    const auto datagram =
        route({}, netlink_bytes{}.add(gateway("10.0.0.1")).add(out_interface(2)).add(metric(i)));
    ASSERT_EQ(parser.add(datagram.get(), test_sequence), dump_progress::more);
  }
  for (std::size_t i = 0; i < engine_limits::interface_addresses + 10; ++i) {
    const auto datagram = interface_address_message({}, attribute(2, bytes_of("10.0.0.2")));
    ASSERT_EQ(parser.add(datagram.get(), test_sequence), dump_progress::more);
  }
  EXPECT_THAT(parser.facts().routes, SizeIs(engine_limits::routes));
  EXPECT_THAT(parser.facts().addresses, SizeIs(engine_limits::interface_addresses));
}

/// One message of each kind, with nested attributes among it.
netlink_bytes whole_dump() {
  const auto hop = netlink_bytes{}.u16(16).u8(0).u8(0).u32(2).add(gateway("192.168.77.1"));
  return netlink_bytes{}
      .add(link(2, up_and_running, "eth0"))
      .add(interface_address_message({}, attribute(2, bytes_of("192.168.77.10"))))
      .add(plain_route("192.168.77.254", 2))
      .add(route({}, attribute(9, hop)));
}

TEST(netlink_parser, survives_every_truncation) {
  const auto whole = whole_dump().get();
  const auto complete = facts_of(whole_dump());
  ASSERT_THAT(complete.routes, SizeIs(2));
  for (std::size_t length = 0; length < whole.size(); ++length) {
    // In memory of its own, so that a sanitizer sees every byte read past the end.
    const std::vector<std::byte> cut{whole.begin(),
                                     whole.begin() + static_cast<std::ptrdiff_t>(length)};
    netlink_parser parser;
    const auto progress = parser.add(cut, test_sequence);
    const auto facts = parser.facts();
    EXPECT_LE(facts.routes.size(), complete.routes.size());
    EXPECT_LT(facts.routes.size() + facts.addresses.size(),
              complete.routes.size() + complete.addresses.size())
        << length;
    if (!progress) {
      EXPECT_EQ(progress.error(), std::errc::bad_message) << length;
    }
  }
}

TEST(netlink_parser, survives_every_changed_byte) {
  const auto whole = whole_dump().get();
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (const auto value : {std::byte{0}, std::byte{1}, std::byte{0x7f}, std::byte{0xff}}) {
      auto changed = whole;
      changed[at] = value;
      netlink_parser parser;
      const auto added = parser.add(changed, test_sequence);
      EXPECT_TRUE(added || added.error()) << at;
      EXPECT_LE(parser.facts().routes.size(), 2U) << at;
    }
  }
}

}  // namespace
}  // namespace damson::net
