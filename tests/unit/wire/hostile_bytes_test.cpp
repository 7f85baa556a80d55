// Packets that nobody ever sent, for the sanitizers and for what the decoders promise about one
// another.

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.hpp"
#include "bytes.hpp"
#include "wire/natpmp.hpp"
#include "wire/pcp.hpp"
#include "wire/response_kind.hpp"
#include "wire/stun.hpp"

namespace damson {
namespace {

using test::hex;

void expect_promises(const std::vector<std::byte>& datagram) {
  const response_kind kind = classify_response(datagram);
  const auto pcp = decode_pcp_response(datagram);
  const auto natpmp = decode_natpmp_response(datagram);
  // Whoever looks at the kind first misses nothing that can be decoded.
  if (pcp) {
    EXPECT_EQ(kind, response_kind::pcp) << hex(datagram);
  }
  if (natpmp) {
    EXPECT_TRUE(kind == response_kind::natpmp || kind == response_kind::natpmp_refuses_pcp)
        << hex(datagram);
    const bool success = natpmp->result == natpmp_result::success;
    EXPECT_EQ(natpmp->external_address.has_value(),
              success && natpmp->opcode == natpmp_opcode::address);
    EXPECT_EQ(natpmp->grant.has_value(), success && natpmp->opcode != natpmp_opcode::address);
  }
  if (pcp && pcp->result == pcp_result::success) {
    const bool is_peer = pcp->opcode == pcp_opcode::peer;
    EXPECT_EQ(pcp->map.has_value(), pcp->opcode == pcp_opcode::map || is_peer);
    if (pcp->map) {
      EXPECT_EQ(pcp->map->remote_peer.has_value(), is_peer);
    }
  }
}

TEST(hostile_bytes, break_no_promise) {
  random_source random{std::array<std::uint64_t, 4>{1}};
  int pcp_read = 0;
  int natpmp_read = 0;
  for (int i = 0; i < 100'000; ++i) {
    std::vector<std::byte> datagram(random.next() % (i % 10 == 0 ? 1'200 : 90));
    for (std::byte& b : datagram)
      b = random.next() % 2 == 0 ? std::byte{} : static_cast<std::byte>(random.next());
    // Or hardly any would get beyond the first two bytes.
    if (datagram.size() >= 4 && random.next() % 8 != 0) {
      datagram[0] = random.next() % 2 == 0 ? std::byte{0} : std::byte{2};
      datagram[1] = static_cast<std::byte>(0x80 | random.next() % 4);
    }
    expect_promises(datagram);
    if (decode_pcp_response(datagram)) ++pcp_read;
    if (decode_natpmp_response(datagram)) ++natpmp_read;
  }
  EXPECT_GT(pcp_read, 1'000);
  EXPECT_GT(natpmp_read, 1'000);
}

TEST(hostile_bytes, break_no_promise_of_stun) {
  random_source random{std::array<std::uint64_t, 4>{2}};
  int read = 0;
  for (int i = 0; i < 100'000; ++i) {
    const std::size_t length = 4 * (random.next() % (i % 10 == 0 ? 300 : 16));
    std::vector<std::byte> datagram =
        test::bytes({1, 1, static_cast<std::uint8_t>(length >> 8U),
                     static_cast<std::uint8_t>(length & 0xffU), 0x21, 0x12, 0xa4, 0x42});
    datagram.resize(20 + length);
    for (std::size_t at = 8; at < datagram.size(); ++at) {
      datagram[at] = static_cast<std::byte>(random.next() % 3 == 0 ? random.next() : 0);
    }
    // Attributes that are known, or hardly anything would be read.
    for (std::size_t at = 20; at + 12 <= datagram.size(); at += 12) {
      datagram[at + 1] = static_cast<std::byte>(random.next() % 2 == 0 ? 0x20 : 0x01);
      datagram[at + 3] = std::byte{8};
      datagram[at + 5] = std::byte{1};
      if (random.next() % 4 != 0) datagram[at] = datagram[at + 2] = std::byte{};
    }
    const auto response = decode_stun_response(datagram);
    if (!response) continue;
    ++read;
    EXPECT_TRUE(response->seen) << hex(datagram);
    EXPECT_LE(datagram.size(), stun_message_bytes);
  }
  EXPECT_GT(read, 1'000);
}

}  // namespace
}  // namespace damson
