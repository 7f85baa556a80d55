#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>

#include <gtest/gtest.h>

#include "base/chacha20.hpp"
#include "base/random.hpp"
#include "bytes.hpp"

namespace damson {
namespace {

using namespace std::chrono_literals;
using seed_type = std::array<std::uint64_t, 4>;

constexpr seed_type seed{1, 2, 3, 4};

TEST(chacha20, gives_the_test_vector_of_rfc_8439_section_2_3_2) {
  // The key is 00 01 02 … 1f, the nonce 00 00 00 09 00 00 00 4a 00 00 00 00, the block counter 1.
  const std::array<std::uint32_t, 8> key{0x03020100, 0x07060504, 0x0b0a0908, 0x0f0e0d0c,
                                         0x13121110, 0x17161514, 0x1b1a1918, 0x1f1e1d1c};
  const std::array<std::uint32_t, 3> nonce{0x09000000, 0x4a000000, 0x00000000};
  const std::array<std::uint32_t, 16> expected{0xe4e7f110, 0x15593bd1, 0x1fdd0f50, 0xc47120a3,
                                               0xc7f4d1c7, 0x0368c033, 0x9aaa2204, 0x4e6cd4c3,
                                               0x466482d2, 0x09aa9f07, 0x05d7c214, 0xa2028bd9,
                                               0xd19c12b5, 0xb94e16de, 0xe883d0cb, 0x4e3c50a2};
  EXPECT_EQ(chacha20_block(key, 1, nonce), expected);
}

TEST(random_source, gives_the_blocks_of_its_seed_in_order) {
  const std::array<std::uint32_t, 8> key{0x03020100, 0x07060504, 0x0b0a0908, 0x0f0e0d0c,
                                         0x13121110, 0x17161514, 0x1b1a1918, 0x1f1e1d1c};
  random_source random{
      seed_type{0x0706050403020100, 0x0f0e0d0c0b0a0908, 0x1716151413121110, 0x1f1e1d1c1b1a1918}};
  for (std::uint32_t block = 0; block < 3; ++block) {
    const auto words = chacha20_block(key, block, {0, 0, 0});
    for (std::size_t i = 0; i < words.size(); i += 2) {
      EXPECT_EQ(random.next(), (std::uint64_t{words[i + 1]} << 32) | words[i]);
    }
  }
}

TEST(random_source, repeats_itself_for_the_same_seed_only) {
  random_source one{seed};
  random_source same{seed};
  random_source other{seed_type{1, 2, 3, 5}};
  int equal = 0;
  for (int i = 0; i < 1'000; ++i) {
    const std::uint64_t value = one.next();
    EXPECT_EQ(value, same.next());
    if (value == other.next()) ++equal;
  }
  EXPECT_EQ(equal, 0);
}

TEST(random_source, is_even_within_its_bounds) {
  random_source random{seed};
  std::array<int, 7> seen{};
  for (int i = 0; i < 70'000; ++i) {
    const std::uint64_t value = random.uniform(10, 16);
    ASSERT_GE(value, 10U);
    ASSERT_LE(value, 16U);
    ++seen[value - 10];
  }
  // 10 000 each, and a standard deviation of 93: six of them on either side.
  for (const int count : seen) EXPECT_NEAR(count, 10'000, 560);
}

TEST(random_source, takes_bounds_of_every_width) {
  constexpr std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
  random_source random{seed};
  EXPECT_EQ(random.uniform(5, 5), 5U);
  EXPECT_EQ(random.uniform(most, most), most);
  bool high = false;
  bool low = false;
  for (int i = 0; i < 100; ++i) {
    const std::uint64_t whole = random.uniform(0, most);
    high = high || whole > most / 2;
    low = low || whole <= most / 2;
    // Two thirds of all numbers: here a remainder alone would be far from even.
    EXPECT_LE(random.uniform(0, most / 3 * 2), most / 3 * 2);
  }
  EXPECT_TRUE(high);
  EXPECT_TRUE(low);
}

TEST(random_source, is_unbiased_where_a_remainder_would_not_be) {
  // Of 3 * 2^62 numbers a plain remainder would give the first third twice as often as the others.
  constexpr std::uint64_t third = std::uint64_t{1} << 62;
  random_source random{seed};
  std::array<int, 3> seen{};
  for (int i = 0; i < 30'000; ++i) ++seen[random.uniform(0, 3 * third - 1) / third];
  for (const int count : seen) EXPECT_NEAR(count, 10'000, 500);
}

TEST(random_source, gives_durations_within_their_bounds) {
  random_source random{seed};
  std::chrono::nanoseconds least = 1h;
  std::chrono::nanoseconds most = -1h;
  for (int i = 0; i < 10'000; ++i) {
    const auto value = random.uniform_duration(-2s, 3s);
    least = std::min(least, value);
    most = std::max(most, value);
  }
  EXPECT_GE(least, -2s);
  EXPECT_LT(least, -1990ms);
  EXPECT_LE(most, 3s);
  EXPECT_GT(most, 2990ms);
  EXPECT_EQ(random.uniform_duration(0s, 0s), 0s);
}

TEST(random_source, fills_any_number_of_bytes) {
  const auto words = [] {
    random_source random{seed};
    return random.next();
  }();
  for (std::size_t size = 0; size <= 8; ++size) {
    random_source random{seed};
    std::array<std::byte, 9> buffer{};
    random.fill(std::span{buffer}.first(size));
    for (std::size_t i = 0; i < buffer.size(); ++i) {
      const auto expected =
          i < size ? static_cast<std::byte>((words >> (8 * i)) & 0xff) : std::byte{};
      EXPECT_EQ(buffer[i], expected) << size << ' ' << i;
    }
  }
}

}  // namespace
}  // namespace damson
