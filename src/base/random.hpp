#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>

namespace damson {

/// Randomness that is a function of its seed: the same seed gives the same sequence on every
/// machine, and nobody who does not know the seed can foretell the next number from those seen
/// (nonces are secrets).
///
/// Move-only, because two copies would give the same nonces.
class random_source {
 public:
  explicit random_source(std::span<const std::uint64_t, 4> seed) noexcept;

  random_source(random_source&&) noexcept = default;
  random_source& operator=(random_source&&) noexcept = default;
  random_source(const random_source&) = delete;
  random_source& operator=(const random_source&) = delete;

  std::uint64_t next() noexcept;

  /// Evenly in lowest..highest, both included. Precondition: lowest <= highest.
  std::uint64_t uniform(std::uint64_t lowest, std::uint64_t highest) noexcept;

  /// Evenly in shortest..longest, both included. Precondition: shortest <= longest.
  std::chrono::nanoseconds uniform_duration(std::chrono::nanoseconds shortest,
                                            std::chrono::nanoseconds longest) noexcept;

  void fill(std::span<std::byte> out) noexcept;

 private:
  std::uint32_t next_word() noexcept;

  std::array<std::uint32_t, 8> key_{};
  std::array<std::uint32_t, 16> block_{};
  std::uint64_t blocks_made_ = 0;
  std::size_t words_used_ = 16;
};

}  // namespace damson
