#pragma once

/// Writing numbers, addresses and bytes in network order into a buffer of fixed size.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <ranges>
#include <span>

#include <damson/types.hpp>

namespace damson {

/// A cursor over a borrowed buffer that never writes past its end.
///
/// The first write that does not fit puts the writer into a failed state that it never leaves: that
/// write and all later ones change nothing and `remaining()` is 0.
class byte_writer {
 public:
  explicit constexpr byte_writer(std::span<std::byte> buffer) noexcept : rest_(buffer) {}

  constexpr bool ok() const noexcept { return ok_; }
  /// Bytes of the buffer not written yet.
  constexpr std::size_t remaining() const noexcept { return rest_.size(); }

  constexpr void u8(std::uint8_t value) noexcept { number(value, 1); }
  constexpr void u16(std::uint16_t value) noexcept { number(value, 2); }
  constexpr void u32(std::uint32_t value) noexcept { number(value, 4); }

  constexpr void bytes(std::span<const std::byte> from) noexcept {
    if (take(from.size())) std::ranges::copy(from, taken_.begin());
  }

  /// Sixteen bytes, an IPv4 address in its mapped form. The scope is not written.
  constexpr void address(const ip_address& from) noexcept {
    const ip_address::v6_bytes& numbers = from.to_v6();
    if (!take(numbers.size())) return;
    std::ranges::transform(numbers, taken_.begin(), [](std::uint8_t b) { return std::byte{b}; });
  }

  constexpr void zeros(std::size_t count) noexcept {
    if (take(count)) std::ranges::fill(taken_, std::byte{0});
  }

 private:
  constexpr bool take(std::size_t count) noexcept {
    if (count > rest_.size()) {
      ok_ = false;
      rest_ = {};
      return false;
    }
    taken_ = rest_.first(count);
    rest_ = rest_.subspan(count);
    return ok_;
  }

  constexpr void number(std::uint32_t value, std::size_t count) noexcept {
    if (!take(count)) return;
    for (std::byte& to : taken_ | std::views::reverse) {
      to = static_cast<std::byte>(value & 0xff);
      value >>= 8;
    }
  }

  std::span<std::byte> rest_;
  std::span<std::byte> taken_;
  bool ok_ = true;
};

}  // namespace damson
