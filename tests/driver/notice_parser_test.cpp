#include "net/notice_parser.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "netlink_bytes.hpp"

namespace damson::net {
namespace {

// Message types and families as they are on the wire.
constexpr std::uint16_t overrun = 4;
constexpr std::uint16_t new_link = 16;
constexpr std::uint16_t deleted_link = 17;
constexpr std::uint16_t new_address = 20;
constexpr std::uint16_t deleted_address = 21;
constexpr std::uint16_t new_route = 24;
constexpr std::uint16_t deleted_route = 25;
constexpr std::uint16_t new_neighbour = 28;
constexpr std::uint8_t inet = 2;
constexpr std::uint8_t inet6 = 10;
constexpr std::uint8_t bridge = 7;
constexpr std::uint32_t up = 0x1;
constexpr std::uint32_t up_and_running = 0x1 | 0x40;

netlink_bytes notice(std::uint16_t type, const netlink_bytes& body) {
  return message(type, body, 0 /* nlmsg_flags */, 0 /* nlmsg_seq: nobody has asked */);
}

netlink_bytes route(std::uint16_t type, std::uint8_t family, std::uint8_t destination_length,
                    std::uint32_t flags = 0) {
  return notice(type, netlink_bytes{}
                          .u8(family)
                          .u8(destination_length)
                          .u8(0)       // rtm_src_len
                          .u8(0)       // rtm_tos
                          .u8(254)     // rtm_table: main
                          .u8(16)      // rtm_protocol: DHCP
                          .u8(0)       // rtm_scope: universe
                          .u8(1)       // rtm_type: unicast
                          .u32(flags)  // rtm_flags
                          .add(attribute(4 /* RTA_OIF */, netlink_bytes{}.u32(3))));
}

netlink_bytes address(std::uint16_t type, std::uint8_t family, std::uint32_t flags) {
  return notice(type, netlink_bytes{}
                          .u8(family)
                          .u8(24)                                // ifa_prefixlen
                          .u8(static_cast<std::uint8_t>(flags))  // ifa_flags: the low ones
                          .u8(0)                                 // ifa_scope: universe
                          .u32(3)                                // ifa_index
                          .add(attribute(8 /* IFA_FLAGS */, netlink_bytes{}.u32(flags))));
}

netlink_bytes link(std::uint16_t type, std::uint32_t index, std::uint32_t flags,
                   std::uint8_t family = 0) {
  return notice(type, netlink_bytes{}
                          .u8(family)  // ifi_family
                          .u8(0)
                          .u16(1)      // ifi_type: Ethernet
                          .u32(index)  // ifi_index
                          .u32(flags)  // ifi_flags
                          .u32(0));    // ifi_change: nothing, also where a carrier comes or goes
}

bool may_matter(const netlink_bytes& datagram) {
  return notice_parser{}.may_matter(datagram.get());
}

TEST(notice_parser, hears_of_a_default_route_that_goes) {
  const auto datagram = netlink_bytes{}
                            .u32(44)                 // nlmsg_len
                            .u16(25)                 // nlmsg_type: RTM_DELROUTE
                            .u16(0)                  // nlmsg_flags
                            .u32(0)                  // nlmsg_seq
                            .u32(0)                  // nlmsg_pid
                            .u8(2)                   // rtm_family: AF_INET
                            .u8(0)                   // rtm_dst_len
                            .u8(0)                   // rtm_src_len
                            .u8(0)                   // rtm_tos
                            .u8(254)                 // rtm_table: main
                            .u8(16)                  // rtm_protocol: DHCP
                            .u8(0)                   // rtm_scope: universe
                            .u8(1)                   // rtm_type: unicast
                            .u32(0)                  // rtm_flags
                            .u16(8)                  // nla_len
                            .u16(5)                  // nla_type: RTA_GATEWAY
                            .raw({192, 168, 77, 1})  //
                            .u16(8)                  // nla_len
                            .u16(4)                  // nla_type: RTA_OIF
                            .u32(3);                 //
  ASSERT_EQ(datagram.size(), 44U);
  EXPECT_TRUE(may_matter(datagram));
}

TEST(notice_parser, hears_of_default_routes_only) {
  for (const auto type : {new_route, deleted_route}) {
    EXPECT_TRUE(may_matter(route(type, inet, 0)));
    EXPECT_TRUE(may_matter(route(type, inet6, 0)));
    EXPECT_FALSE(may_matter(route(type, inet, 24)));
    EXPECT_FALSE(may_matter(route(type, inet6, 64)));
    EXPECT_FALSE(may_matter(route(type, inet6, 0, 0x200 /* RTM_F_CLONED */)));
    EXPECT_FALSE(may_matter(route(type, 128 /* RTNL_FAMILY_IPMR */, 0)));
  }
}

TEST(notice_parser, hears_of_usable_addresses_only) {
  constexpr std::uint32_t tentative = 0x40;
  constexpr std::uint32_t optimistic = 0x04;
  constexpr std::uint32_t dad_failed = 0x08;
  constexpr std::uint32_t no_prefix_route = 0x200;  // does not fit into ifa_flags
  for (const auto type : {new_address, deleted_address}) {
    EXPECT_TRUE(may_matter(address(type, inet, 0x80 /* permanent */)));
    EXPECT_TRUE(may_matter(address(type, inet6, no_prefix_route)));
    EXPECT_TRUE(may_matter(address(type, inet6, tentative | optimistic)));
    EXPECT_FALSE(may_matter(address(type, inet6, tentative)));
    EXPECT_FALSE(may_matter(address(type, inet6, tentative | no_prefix_route)));
    EXPECT_FALSE(may_matter(address(type, inet6, dad_failed)));
  }
}

TEST(notice_parser, hears_of_links_when_they_go_up_or_down) {
  notice_parser parser;
  const auto hears = [&](const netlink_bytes& datagram) {
    return parser.may_matter(datagram.get());
  };
  // What a link was before it was first told of is not known.
  EXPECT_TRUE(hears(link(new_link, 3, up_and_running)));
  EXPECT_FALSE(hears(link(new_link, 3, up_and_running)));
  EXPECT_FALSE(hears(link(new_link, 3, up_and_running | 0x100 /* IFF_PROMISC */)));
  EXPECT_TRUE(hears(link(new_link, 3, up)));  // the carrier is gone
  EXPECT_FALSE(hears(link(new_link, 3, 0)));  // it was of no use before
  EXPECT_TRUE(hears(link(new_link, 4, up)));
  EXPECT_TRUE(hears(link(new_link, 3, up_and_running)));
  EXPECT_FALSE(hears(link(deleted_link, 3, up_and_running, bridge)));
  EXPECT_TRUE(hears(link(deleted_link, 3, 0)));
  EXPECT_FALSE(hears(link(deleted_link, 4, 0)));
  EXPECT_TRUE(hears(link(deleted_link, 5, 0)));
  EXPECT_TRUE(hears(link(new_link, 3, up))) << "it is another one now";
}

TEST(notice_parser, does_not_know_of_links_any_more_after_notices_were_lost) {
  notice_parser parser;
  const auto running = link(new_link, 3, up_and_running);
  EXPECT_TRUE(parser.may_matter(running.get()));
  EXPECT_FALSE(parser.may_matter(running.get()));
  parser.forget();
  EXPECT_TRUE(parser.may_matter(running.get())) << "it may have been down meanwhile";
  EXPECT_TRUE(parser.may_matter(notice(overrun, netlink_bytes{}.u32(0)).get()));
  EXPECT_TRUE(parser.may_matter(running.get()));
}

TEST(notice_parser, hears_the_one_among_many) {
  const auto dull = route(new_route, inet, 24);
  const auto news = route(new_route, inet, 0);
  EXPECT_FALSE(may_matter(netlink_bytes{}.add(dull).add(dull)));
  EXPECT_TRUE(may_matter(netlink_bytes{}.add(news).add(dull)));
  EXPECT_TRUE(may_matter(netlink_bytes{}.add(dull).add(news)));
}

TEST(notice_parser, has_no_ear_for_other_notices) {
  EXPECT_FALSE(may_matter(notice(new_neighbour, netlink_bytes{}.u32(2).u32(3).u32(0))));
  EXPECT_FALSE(notice_parser{}.may_matter({}));
}

TEST(notice_parser, takes_for_news_what_it_cannot_know) {
  EXPECT_TRUE(may_matter(notice(overrun, netlink_bytes{}.u32(0))));
  const auto whole = route(new_route, inet, 24).get();
  for (std::size_t length = 1; length < whole.size(); ++length) {
    EXPECT_TRUE(notice_parser{}.may_matter(std::span{whole}.first(length))) << length;
  }
  for (const auto type : {new_route, deleted_address, new_link, deleted_link}) {
    EXPECT_TRUE(may_matter(notice(type, netlink_bytes{}.u32(0)))) << "too short for " << type;
  }
}

TEST(notice_parser, survives_every_changed_byte) {
  const auto whole = netlink_bytes{}
                         .add(address(new_address, inet6, 0))
                         .add(link(new_link, 3, up))
                         .add(route(deleted_route, inet, 0))
                         .get();
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (const auto value : {std::byte{0}, std::byte{1}, std::byte{0x7f}, std::byte{0xff}}) {
      auto changed = whole;
      changed[at] = value;
      notice_parser parser;
      static_cast<void>(parser.may_matter(changed));
      EXPECT_FALSE(parser.may_matter({}));
    }
  }
}

}  // namespace
}  // namespace damson::net
