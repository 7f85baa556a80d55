#pragma once

/// Reading numbers, addresses and bytes in network order out of a datagram.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include <damson/types.hpp>

namespace damson {

/// A cursor over borrowed bytes that never reads past their end.
///
/// The first read that does not fit puts the reader into a failed state that it never leaves: that
/// read and all later ones give zeros and `remaining()` is 0. So a decoder reads all its fields and
/// asks `ok()` once.
class byte_reader {
 public:
  explicit constexpr byte_reader(std::span<const std::byte> bytes) noexcept : rest_(bytes) {}

  constexpr bool ok() const noexcept { return ok_; }
  constexpr std::size_t remaining() const noexcept { return rest_.size(); }

  constexpr std::uint8_t u8() noexcept { return static_cast<std::uint8_t>(number(1)); }
  constexpr std::uint16_t u16() noexcept { return static_cast<std::uint16_t>(number(2)); }
  constexpr std::uint32_t u32() noexcept { return number(4); }

  template <std::size_t N>
  constexpr std::array<std::byte, N> bytes() noexcept {
    std::array<std::byte, N> out{};
    const std::span<const std::byte> taken = take(N);
    std::copy(taken.begin(), taken.end(), out.begin());
    return out;
  }

  /// Sixteen bytes; an IPv4-mapped address is the IPv4 address.
  constexpr ip_address address() noexcept {
    ip_address::v6_bytes out{};
    copy_numbers(take(out.size()), out);
    return ip_address{out};
  }

  /// Four bytes.
  constexpr ip_address address_v4() noexcept {
    ip_address::v4_bytes out{};
    copy_numbers(take(out.size()), out);
    return ip_address{out};
  }

  constexpr void skip(std::size_t count) noexcept { take(count); }

 private:
  constexpr std::span<const std::byte> take(std::size_t count) noexcept {
    if (count > rest_.size()) {
      ok_ = false;
      rest_ = {};
      return {};
    }
    const std::span<const std::byte> taken = rest_.first(count);
    rest_ = rest_.subspan(count);
    return taken;
  }

  constexpr std::uint32_t number(std::size_t count) noexcept {
    std::uint32_t value = 0;
    for (const std::byte b : take(count)) value = (value << 8) | std::to_integer<std::uint32_t>(b);
    return value;
  }

  template <std::size_t N>
  static constexpr void copy_numbers(std::span<const std::byte> from,
                                     std::array<std::uint8_t, N>& to) noexcept {
    std::transform(from.begin(), from.end(), to.begin(),
                   [](std::byte b) { return std::to_integer<std::uint8_t>(b); });
  }

  std::span<const std::byte> rest_;
  bool ok_ = true;
};

}  // namespace damson
