#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "base/byte_reader.hpp"
#include "base/byte_writer.hpp"
#include "bytes.hpp"

namespace damson {
namespace {

using test::bytes;
using test::hex;

TEST(byte_reader, reads_network_order) {
  const auto message = bytes({
      0x01,                    // u8
      0x02, 0x03,              // u16
      0xf4, 0x05, 0x06, 0x07,  // u32
      0xff,                    // skipped
      0x08, 0x09, 0x0a,        // bytes
  });
  byte_reader in{message};
  EXPECT_EQ(in.remaining(), 11U);
  EXPECT_EQ(in.u8(), 0x01);
  EXPECT_EQ(in.u16(), 0x0203);
  EXPECT_EQ(in.u32(), 0xf4050607U);
  in.skip(1);
  EXPECT_EQ(in.bytes<3>(), (std::array{std::byte{8}, std::byte{9}, std::byte{10}}));
  EXPECT_EQ(in.remaining(), 0U);
  EXPECT_TRUE(in.ok());
}

TEST(byte_reader, reads_addresses_of_both_lengths) {
  const auto message = bytes({
      0,    0,    0,    0,    0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1,  // mapped
      0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0,    0,    0,   0, 0, 1,  // IPv6
      198,  51,   100,  7,                                                 // four bytes
  });
  byte_reader in{message};
  EXPECT_EQ(to_string(in.address()), "192.0.2.1");
  EXPECT_EQ(to_string(in.address()), "2001:db8::1");
  EXPECT_EQ(to_string(in.address_v4()), "198.51.100.7");
  EXPECT_TRUE(in.ok());
}

TEST(byte_reader, never_leaves_the_failed_state) {
  const auto message = bytes({1, 2, 3});
  byte_reader in{message};
  EXPECT_EQ(in.u32(), 0U);
  EXPECT_FALSE(in.ok());
  EXPECT_EQ(in.remaining(), 0U);
  EXPECT_EQ(in.u8(), 0U);
  in.skip(0);
  EXPECT_FALSE(in.ok());
}

TEST(byte_reader, every_read_fails_where_one_byte_is_missing) {
  const std::vector<std::byte> message(15, std::byte{0xff});
  const auto left = [&](std::size_t n) { return byte_reader{std::span{message}.first(n)}; };
  byte_reader u8 = left(0);
  EXPECT_EQ(u8.u8(), 0);
  EXPECT_FALSE(u8.ok());
  byte_reader u16 = left(1);
  EXPECT_EQ(u16.u16(), 0);
  EXPECT_FALSE(u16.ok());
  byte_reader u32 = left(3);
  EXPECT_EQ(u32.u32(), 0U);
  EXPECT_FALSE(u32.ok());
  byte_reader twelve = left(11);
  EXPECT_EQ(twelve.bytes<12>(), (std::array<std::byte, 12>{}));
  EXPECT_FALSE(twelve.ok());
  byte_reader v4 = left(3);
  EXPECT_EQ(v4.address_v4(), ip_address::any_v4());
  EXPECT_FALSE(v4.ok());
  byte_reader v6 = left(15);
  EXPECT_EQ(v6.address(), ip_address::any_v6());
  EXPECT_FALSE(v6.ok());
  byte_reader skip = left(15);
  skip.skip(std::numeric_limits<std::size_t>::max());
  EXPECT_FALSE(skip.ok());
}

TEST(byte_writer, writes_network_order) {
  std::array<std::byte, 29> buffer{};
  buffer.fill(std::byte{0xee});
  byte_writer out{buffer};
  out.u8(0x01);
  out.u16(0x0203);
  out.u32(0xf4050607);
  out.bytes(bytes({0x08, 0x09}));
  out.zeros(3);
  EXPECT_EQ(out.remaining(), 17U);
  out.address(ip_address::parse("192.0.2.1").value());
  EXPECT_TRUE(out.ok());
  EXPECT_EQ(out.remaining(), 1U);
  EXPECT_EQ(hex(buffer), hex(bytes({
                             0x01,                                // u8
                             0x02, 0x03,                          // u16
                             0xf4, 0x05, 0x06, 0x07,              // u32
                             0x08, 0x09,                          // bytes
                             0x00, 0x00, 0x00,                    // zeros
                             0x00, 0x00, 0x00, 0x00, 0x00, 0x00,  // ::ffff:192.0.2.1
                             0x00, 0x00, 0x00, 0x00, 0xff, 0xff,  //
                             0xc0, 0x00, 0x02, 0x01,              //
                             0xee,                                // not written
                         })));
}

TEST(byte_writer, never_writes_part_of_a_value) {
  std::array<std::byte, 3> buffer{};
  byte_writer out{buffer};
  out.u32(0xffffffff);
  EXPECT_FALSE(out.ok());
  EXPECT_EQ(out.remaining(), 0U);
  out.u8(0xff);
  out.u16(0xffff);
  out.bytes(bytes({0xff}));
  out.address(ip_address::parse("ff02::1").value());
  EXPECT_FALSE(out.ok());
  EXPECT_EQ(hex(buffer), hex(bytes({0, 0, 0})));
}

TEST(byte_writer, stays_failed_when_nothing_more_is_written) {
  std::array<std::byte, 1> buffer{};
  byte_writer out{buffer};
  out.u16(1);
  out.zeros(0);
  EXPECT_FALSE(out.ok());
}

}  // namespace
}  // namespace damson
