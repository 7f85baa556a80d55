#pragma once

/// The gateway models' own byte reader and writer, in network order.
///
/// They share nothing with the library's: a model that read packets with the code that wrote them
/// would repeat its mistakes in mirror image, and every round trip would pass.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include <damson/types.hpp>

namespace damson::sim {

using bytes = std::vector<std::byte>;

/// Reads from the front. Past the end it yields zeros and `ran_out()` stays true.
class reader {
 public:
  explicit reader(std::span<const std::byte> data) noexcept : rest_(data) {}

  std::uint8_t u8() noexcept { return static_cast<std::uint8_t>(number(1)); }
  std::uint16_t u16() noexcept { return static_cast<std::uint16_t>(number(2)); }
  std::uint32_t u32() noexcept { return number(4); }

  template <std::size_t Size>
  std::array<std::byte, Size> raw() noexcept {
    std::array<std::byte, Size> out{};
    const auto got = take(Size);
    std::copy(got.begin(), got.end(), out.begin());
    return out;
  }

  /// Sixteen bytes; IPv4 comes in its mapped form (RFC 6887 section 5).
  ip_address address() noexcept {
    ip_address::v6_bytes out{};
    for (auto& byte : out) byte = u8();
    return ip_address{out};
  }

  ip_address v4_address() noexcept {
    ip_address::v4_bytes out{};
    for (auto& byte : out) byte = u8();
    return ip_address{out};
  }

  /// The next `size` bytes, or what there is.
  std::span<const std::byte> take(std::size_t size) noexcept {
    if (size > rest_.size()) {
      ran_out_ = true;
      size = rest_.size();
    }
    const auto out = rest_.first(size);
    rest_ = rest_.subspan(size);
    return out;
  }

  std::size_t remaining() const noexcept { return rest_.size(); }
  bool ran_out() const noexcept { return ran_out_; }

 private:
  std::uint32_t number(std::size_t size) noexcept {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < size; ++i) {
      const auto byte = take(1);
      value = value << 8U | (byte.empty() ? 0U : std::to_integer<std::uint32_t>(byte.front()));
    }
    return value;
  }

  std::span<const std::byte> rest_;
  bool ran_out_ = false;
};

/// Appends. `take` hands the bytes over.
class writer {
 public:
  writer& u8(std::uint8_t value) {
    out_.push_back(std::byte{value});
    return *this;
  }
  writer& u16(std::uint16_t value) {
    return u8(static_cast<std::uint8_t>(value >> 8U)).u8(static_cast<std::uint8_t>(value & 0xffU));
  }
  writer& u32(std::uint32_t value) {
    return u16(static_cast<std::uint16_t>(value >> 16U))
        .u16(static_cast<std::uint16_t>(value & 0xffffU));
  }
  writer& raw(std::span<const std::byte> data) {
    out_.insert(out_.end(), data.begin(), data.end());
    return *this;
  }
  writer& zeros(std::size_t count) {
    out_.insert(out_.end(), count, std::byte{0});
    return *this;
  }
  writer& address(const ip_address& value) {
    for (const auto byte : value.to_v6()) u8(byte);
    return *this;
  }
  writer& v4_address(const ip_address& value) {
    for (const auto byte : value.to_v4()) u8(byte);
    return *this;
  }

  bytes take() noexcept { return std::move(out_); }

 private:
  bytes out_;
};

}  // namespace damson::sim
