#pragma once

/// Packets in tests: written as numbers, compared and printed as hexadecimal text.

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace damson::test {

inline std::vector<std::byte> bytes(std::initializer_list<std::uint8_t> numbers) {
  std::vector<std::byte> out;
  out.reserve(numbers.size());
  for (const std::uint8_t n : numbers) out.push_back(std::byte{n});
  return out;
}

/// Four bytes a line, as the RFCs draw their packets.
inline std::string hex(std::span<const std::byte> message) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  for (std::size_t i = 0; i < message.size(); ++i) {
    const auto value = std::to_integer<unsigned>(message[i]);
    out += digits[value >> 4U];
    out += digits[value & 0xfU];
    out += i % 4 == 3 ? '\n' : ' ';
  }
  return out;
}

inline std::vector<std::byte> operator+(std::vector<std::byte> left,
                                        const std::vector<std::byte>& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

}  // namespace damson::test
