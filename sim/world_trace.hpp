#pragma once

/// What happened in a world, as one number: two worlds with the same number went the same way.

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

#include <damson/types.hpp>

namespace damson::sim {

/// The same on every machine and in every build.
class trace {
 public:
  template <class... Numbers>
    requires((std::integral<Numbers> || std::is_enum_v<Numbers>) && ...)
  void add(Numbers... numbers) noexcept {
    (mix(static_cast<std::uint64_t>(numbers)), ...);
  }

  /// Eight bytes at a time, the first the lowest.
  void add(std::span<const std::byte> content) noexcept {
    mix(content.size());
    for (; !content.empty(); content = content.subspan(std::min<std::size_t>(content.size(), 8))) {
      const std::size_t count = std::min<std::size_t>(content.size(), 8);
      std::uint64_t word = 0;
      for (std::size_t i = 0; i < count; ++i) {
        word |= std::to_integer<std::uint64_t>(content[i]) << (8 * i);
      }
      mix(word);
    }
  }

  void add(const endpoint& where) noexcept {
    add(std::as_bytes(std::span{where.address.to_v6()}));
    mix(where.port);
  }

  std::uint64_t value() const noexcept { return value_; }

 private:
  /// A multiplication spreads each bit upwards, the shift brings it down again.
  void mix(std::uint64_t number) noexcept {
    value_ = (value_ ^ number) * 0x9e37'79b9'7f4a'7c15;
    value_ ^= value_ >> 32U;
  }

  std::uint64_t value_ = 0x6461'6d73'6f6e;
};

}  // namespace damson::sim
