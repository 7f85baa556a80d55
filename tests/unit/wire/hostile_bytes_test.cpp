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
    EXPECT_EQ(pcp->map.has_value(), pcp->opcode == pcp_opcode::map);
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

}  // namespace
}  // namespace damson
