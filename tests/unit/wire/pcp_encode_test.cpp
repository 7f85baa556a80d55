#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include <damson/engine.hpp>

#include "bytes.hpp"
#include "wire/pcp.hpp"

namespace damson {
namespace {

using namespace std::chrono_literals;
using test::bytes;
using test::hex;

constexpr pcp_nonce nonce{{std::byte{0xa0}, std::byte{0xa1}, std::byte{0xa2}, std::byte{0xa3},
                           std::byte{0xa4}, std::byte{0xa5}, std::byte{0xa6}, std::byte{0xa7},
                           std::byte{0xa8}, std::byte{0xa9}, std::byte{0xaa}, std::byte{0xab}}};

ip_address address(std::string_view text) { return ip_address::parse(text).value(); }

/// A new mapping on IPv4, without a wish for the address outside.
pcp_map_request new_mapping() {
  return {.client = address("192.168.1.10"),
          .lifetime = 7'200s,
          .nonce = nonce,
          .transport = transport::tcp,
          .internal_port = 8'080,
          .suggested_external = {ip_address::any_v4(), 8'081}};
}

TEST(pcp_encode, map_that_creates) {
  const auto expected = bytes({
      0x02,                                            // version
      0x01,                                            // request, opcode MAP
      0x00, 0x00,                                      // reserved
      0x00, 0x00, 0x1c, 0x20,                          // requested lifetime 7200 s
      0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,  // client address
      0x00, 0x00, 0xff, 0xff, 0xc0, 0xa8, 0x01, 0x0a,  //   ::ffff:192.168.1.10
      0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5,              // nonce
      0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab,              //
      0x06,                                            // protocol TCP
      0x00, 0x00, 0x00,                                // reserved
      0x1f, 0x90,                                      // internal port 8080
      0x1f, 0x91,                                      // suggested external port 8081
      0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,  // suggested external address
      0x00, 0x00, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00,  //   ::ffff:0:0, any IPv4
  });
  EXPECT_EQ(hex(encode(new_mapping())), hex(expected));
}

TEST(pcp_encode, map_that_renews_suggests_what_was_assigned) {
  pcp_map_request request = new_mapping();
  request.transport = transport::udp;
  request.lifetime = 3'600s;
  request.suggested_external = {address("203.0.113.7"), 40'000};
  const auto expected = bytes({
      0x02,                                            // version
      0x01,                                            // request, opcode MAP
      0x00, 0x00,                                      // reserved
      0x00, 0x00, 0x0e, 0x10,                          // requested lifetime 3600 s
      0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,  // client address
      0x00, 0x00, 0xff, 0xff, 0xc0, 0xa8, 0x01, 0x0a,  //   ::ffff:192.168.1.10
      0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5,              // nonce, the same as before
      0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab,              //
      0x11,                                            // protocol UDP
      0x00, 0x00, 0x00,                                // reserved
      0x1f, 0x90,                                      // internal port 8080
      0x9c, 0x40,                                      // suggested external port 40000
      0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,  // suggested external address
      0x00, 0x00, 0xff, 0xff, 0xcb, 0x00, 0x71, 0x07,  //   ::ffff:203.0.113.7
  });
  EXPECT_EQ(hex(encode(request)), hex(expected));
}

TEST(pcp_encode, map_that_deletes_suggests_the_family_only) {
  pcp_map_request request = new_mapping();
  request.lifetime = 0s;
  request.suggested_external = {address("203.0.113.7"), 40'000};
  const auto expected = bytes({
      0x02,                                            // version
      0x01,                                            // request, opcode MAP
      0x00, 0x00,                                      // reserved
      0x00, 0x00, 0x00, 0x00,                          // requested lifetime 0: delete
      0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,  // client address
      0x00, 0x00, 0xff, 0xff, 0xc0, 0xa8, 0x01, 0x0a,  //   ::ffff:192.168.1.10
      0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5,              // nonce
      0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab,              //
      0x06,                                            // protocol TCP
      0x00, 0x00, 0x00,                                // reserved
      0x1f, 0x90,                                      // internal port 8080
      0x00, 0x00,                                      // suggested external port: none
      0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,  // suggested external address:
      0x00, 0x00, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00,  //   ::ffff:0:0, the IPv4 mapping
  });
  EXPECT_EQ(hex(encode(request)), hex(expected));
}

/// A pinhole: an IPv6 client that wants to keep its address outside.
pcp_map_request pinhole() {
  return {.client = ip_address{address("2001:db8:1::10").to_v6(), 3},
          .lifetime = 86'400s,
          .nonce = nonce,
          .transport = transport::udp,
          .internal_port = 51'413,
          .suggested_external = {address("2001:db8:1::10"), 51'413}};
}

TEST(pcp_encode, map_for_ipv6) {
  const auto expected = bytes({
      0x02,                                            // version
      0x01,                                            // request, opcode MAP
      0x00, 0x00,                                      // reserved
      0x00, 0x01, 0x51, 0x80,                          // requested lifetime 86400 s
      0x20, 0x01, 0x0d, 0xb8, 0x00, 0x01, 0x00, 0x00,  // client address 2001:db8:1::10,
      0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x10,  //   without its scope
      0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5,              // nonce
      0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab,              //
      0x11,                                            // protocol UDP
      0x00, 0x00, 0x00,                                // reserved
      0xc8, 0xd5,                                      // internal port 51413
      0xc8, 0xd5,                                      // suggested external port 51413
      0x20, 0x01, 0x0d, 0xb8, 0x00, 0x01, 0x00, 0x00,  // suggested external address
      0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x10,  //   2001:db8:1::10
  });
  EXPECT_EQ(hex(encode(pinhole())), hex(expected));
}

TEST(pcp_encode, map_that_deletes_for_ipv6) {
  pcp_map_request request = pinhole();
  request.lifetime = 0s;
  const auto expected = bytes({
      0x02,                                            // version
      0x01,                                            // request, opcode MAP
      0x00, 0x00,                                      // reserved
      0x00, 0x00, 0x00, 0x00,                          // requested lifetime 0: delete
      0x20, 0x01, 0x0d, 0xb8, 0x00, 0x01, 0x00, 0x00,  // client address 2001:db8:1::10
      0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x10,  //
      0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5,              // nonce
      0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab,              //
      0x11,                                            // protocol UDP
      0x00, 0x00, 0x00,                                // reserved
      0xc8, 0xd5,                                      // internal port 51413
      0x00, 0x00,                                      // suggested external port: none
      0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,  // suggested external address:
      0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,  //   ::, the IPv6 mapping
  });
  EXPECT_EQ(hex(encode(request)), hex(expected));
}

TEST(pcp_encode, map_without_any_wish_and_with_the_longest_lifetime) {
  pcp_map_request request = new_mapping();
  request.lifetime = 4'294'967'295s;
  request.internal_port = 65'535;
  request.suggested_external = {};
  const std::vector<std::byte> message = encode(request);
  ASSERT_EQ(message.size(), 60U);
  const std::span all{message};
  EXPECT_EQ(hex(all.subspan(4, 4)), hex(bytes({0xff, 0xff, 0xff, 0xff})));  // lifetime
  EXPECT_EQ(hex(all.subspan(40, 4)), hex(bytes({
                                         0xff, 0xff,  // internal port
                                         0x00, 0x00,  // suggested external port
                                     })));
}

TEST(pcp_encode, announce) {
  const auto expected = bytes({
      0x02,                                            // version
      0x00,                                            // request, opcode ANNOUNCE
      0x00, 0x00,                                      // reserved
      0x00, 0x00, 0x00, 0x00,                          // requested lifetime: not used
      0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,  // client address
      0x00, 0x00, 0xff, 0xff, 0xc0, 0xa8, 0x01, 0x0a,  //   ::ffff:192.168.1.10
  });
  EXPECT_EQ(hex(encode(pcp_announce_request{address("192.168.1.10")})), hex(expected));
}

TEST(pcp_encode, map_that_prefers_failure) {
  pcp_map_request request = new_mapping();
  request.prefer_failure = true;
  const auto message = encode(request);
  const auto expected = bytes({
      0x02,        // option PREFER_FAILURE
      0x00,        // reserved
      0x00, 0x00,  // option length: no data
  });
  ASSERT_EQ(message.size(), 64U);
  EXPECT_EQ(hex(std::span{message}.first(60)), hex(encode(new_mapping())));
  EXPECT_EQ(hex(std::span{message}.subspan(60)), hex(expected));
}

TEST(pcp_encode, map_for_some_peers) {
  pcp_map_request request = new_mapping();
  request.peers = {{.address = address("203.0.113.0"), .prefix_length = 24, .port = 443},
                   {.address = address("2001:db8::"), .prefix_length = 32, .port = 0}};
  const auto message = encode(request);
  const auto expected = bytes({
      0x03,                                            // option FILTER
      0x00,                                            // reserved
      0x00, 0x14,                                      // option length 20
      0x00,                                            // reserved
      0x00,                                            // prefix length 0: no filters so far
      0x00, 0x00,                                      // remote peer port
      0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,  // remote peer address
      0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,  //
      0x03,                                            // option FILTER
      0x00,                                            // reserved
      0x00, 0x14,                                      // option length 20
      0x00,                                            // reserved
      0x78,                                            // prefix length 96 + 24
      0x01, 0xbb,                                      // remote peer port 443
      0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,  // remote peer address
      0x00, 0x00, 0xff, 0xff, 0xcb, 0x00, 0x71, 0x00,  //   ::ffff:203.0.113.0
      0x03,                                            // option FILTER
      0x00,                                            // reserved
      0x00, 0x14,                                      // option length 20
      0x00,                                            // reserved
      0x20,                                            // prefix length 32
      0x00, 0x00,                                      // remote peer port: all
      0x20, 0x01, 0x0d, 0xb8, 0x00, 0x00, 0x00, 0x00,  // remote peer address 2001:db8::
      0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,  //
  });
  ASSERT_EQ(message.size(), 60U + expected.size());
  EXPECT_EQ(hex(std::span{message}.first(60)), hex(encode(new_mapping())));
  EXPECT_EQ(hex(std::span{message}.subspan(60)), hex(expected));
}

TEST(pcp_encode, map_for_a_third_party) {
  pcp_map_request request = new_mapping();
  request.third_party = address("192.168.1.50");
  const auto expected = bytes({
      0x01,                                            // option THIRD_PARTY
      0x00,                                            // reserved
      0x00, 0x10,                                      // option length 16
      0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,  // internal address
      0x00, 0x00, 0xff, 0xff, 0xc0, 0xa8, 0x01, 0x32,  //   ::ffff:192.168.1.50
  });
  for (const std::chrono::seconds lifetime : {std::chrono::seconds{7200}, {}}) {  // and its delete
    request.lifetime = lifetime;
    const auto message = encode(request);
    ASSERT_EQ(message.size(), 80U);
    EXPECT_EQ(hex(std::span{message}.subspan(60)), hex(expected));
  }
}

// RFC 6887 section 12.1.
TEST(pcp_encode, peer) {
  pcp_map_request request = new_mapping();
  request.transport = transport::udp;
  request.suggested_external = {};
  request.remote_peer = endpoint{address("203.0.113.9"), 443};
  const auto expected = bytes({
      0x02,                                            // version
      0x02,                                            // request, opcode PEER
      0x00, 0x00,                                      // reserved
      0x00, 0x00, 0x1c, 0x20,                          // requested lifetime 7200 s
      0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,  // client address
      0x00, 0x00, 0xff, 0xff, 0xc0, 0xa8, 0x01, 0x0a,  //   ::ffff:192.168.1.10
      0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5,              // nonce
      0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab,              //
      0x11,                                            // protocol UDP
      0x00, 0x00, 0x00,                                // reserved
      0x1f, 0x90,                                      // internal port 8080
      0x00, 0x00,                                      // suggested external port: no wish
      0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,  // suggested external address
      0x00, 0x00, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00,  //   ::ffff:0:0, any IPv4
      0x01, 0xbb,                                      // remote peer port 443
      0x00, 0x00,                                      // reserved
      0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,  // remote peer address
      0x00, 0x00, 0xff, 0xff, 0xcb, 0x00, 0x71, 0x09,  //   ::ffff:203.0.113.9
  });
  EXPECT_EQ(hex(encode(request)), hex(expected));
}

TEST(pcp_encode, map_for_several_ports) {  // RFC 7753 section 4
  pcp_map_request request = new_mapping();
  request.port_count = 8;
  const auto expected = bytes({
      0x82,              // option PORT_SET
      0x00,              // reserved
      0x00, 0x05,        // option length 5
      0x00, 0x08,        // port set size 8
      0x1f, 0x90,        // first internal port 8080
      0x00,              // reserved, and no wish for parity
      0x00, 0x00, 0x00,  // padding
  });
  for (const std::chrono::seconds lifetime : {std::chrono::seconds{7200}, {}}) {  // and its delete
    request.lifetime = lifetime;
    const auto message = encode(request);
    ASSERT_EQ(message.size(), 72U);
    EXPECT_EQ(hex(std::span{message}.subspan(60)), hex(expected));
  }
}

TEST(pcp_encode, as_many_peers_as_a_request_may_have_are_not_too_long_a_message) {
  pcp_map_request request = new_mapping();
  request.prefer_failure = true;
  for (std::size_t i = 0; i < damson::peer_list::capacity; ++i) {
    request.peers.push_back({.address = address("203.0.113.0")});
  }
  EXPECT_LE(encode(request).size(), pcp_message_bytes);
}

TEST(pcp_encode, announce_for_ipv6) {
  const auto expected = bytes({
      0x02,                                            // version
      0x00,                                            // request, opcode ANNOUNCE
      0x00, 0x00,                                      // reserved
      0x00, 0x00, 0x00, 0x00,                          // requested lifetime: not used
      0xfe, 0x80, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,  // client address fe80::1
      0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01,  //
  });
  EXPECT_EQ(hex(encode(pcp_announce_request{address("fe80::1")})), hex(expected));
}

TEST(pcp_nonce, is_equal_and_hashes_alike_when_all_bytes_are) {
  const pcp_nonce same = nonce;
  EXPECT_EQ(same, nonce);
  EXPECT_EQ(std::hash<pcp_nonce>{}(same), std::hash<pcp_nonce>{}(nonce));
  for (std::size_t i = 0; i < same.bytes.size(); ++i) {
    pcp_nonce other = nonce;
    other.bytes[i] ^= std::byte{0x80};
    EXPECT_NE(other, nonce) << i;
    if (i < sizeof(std::size_t)) {
      EXPECT_NE(std::hash<pcp_nonce>{}(other), std::hash<pcp_nonce>{}(nonce)) << i;
    }
  }
}

}  // namespace
}  // namespace damson
