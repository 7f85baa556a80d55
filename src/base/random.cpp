#include "base/random.hpp"

#include "base/chacha20.hpp"
#include "base/check.hpp"

namespace damson {

random_source::random_source(std::span<const std::uint64_t, 4> seed) noexcept {
  for (std::size_t i = 0; i < seed.size(); ++i) {
    key_[2 * i] = static_cast<std::uint32_t>(seed[i]);
    key_[2 * i + 1] = static_cast<std::uint32_t>(seed[i] >> 32);
  }
}

std::uint32_t random_source::next_word() noexcept {
  if (words_used_ == block_.size()) {
    block_ = chacha20_block(key_, static_cast<std::uint32_t>(blocks_made_),
                            {static_cast<std::uint32_t>(blocks_made_ >> 32), 0, 0});
    ++blocks_made_;
    words_used_ = 0;
  }
  return block_[words_used_++];
}

std::uint64_t random_source::next() noexcept {
  const std::uint64_t low = next_word();
  const std::uint64_t high = next_word();
  return (high << 32) | low;
}

std::uint64_t random_source::uniform(std::uint64_t lowest, std::uint64_t highest) noexcept {
  DAMSON_ASSERT(lowest <= highest);
  const std::uint64_t count = highest - lowest + 1;  // 0 stands for 2^64
  if (count == 0) return next();
  // 2^64 is seldom a multiple of `count`: the numbers below this one are one round too many.
  const std::uint64_t surplus = (0 - count) % count;
  std::uint64_t drawn = next();
  while (drawn < surplus) drawn = next();
  return lowest + drawn % count;
}

std::chrono::nanoseconds random_source::uniform_duration(
    std::chrono::nanoseconds shortest, std::chrono::nanoseconds longest) noexcept {
  DAMSON_ASSERT(shortest <= longest);
  const auto width = static_cast<std::uint64_t>((longest - shortest).count());
  return shortest + std::chrono::nanoseconds(static_cast<std::int64_t>(uniform(0, width)));
}

void random_source::fill(std::span<std::byte> out) noexcept {
  std::uint32_t word = 0;
  for (std::size_t i = 0; i < out.size(); ++i) {
    word = i % 4 == 0 ? next_word() : word >> 8;
    out[i] = static_cast<std::byte>(word & 0xff);
  }
}

}  // namespace damson
