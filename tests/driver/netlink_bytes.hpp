#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <vector>

/// Bytes as netlink has them: numbers in the host's order, attributes at multiples of four.
class netlink_bytes {
 public:
  netlink_bytes& u8(std::uint8_t value) { return number(value); }
  netlink_bytes& u16(std::uint16_t value) { return number(value); }
  netlink_bytes& u32(std::uint32_t value) { return number(value); }
  netlink_bytes& raw(std::initializer_list<std::uint8_t> values) {
    for (const auto value : values) u8(value);
    return *this;
  }
  netlink_bytes& add(const netlink_bytes& other) {
    bytes_.insert(bytes_.end(), other.bytes_.begin(), other.bytes_.end());
    return *this;
  }
  netlink_bytes& pad() {
    bytes_.resize((bytes_.size() + 3) / 4 * 4);
    return *this;
  }

  std::size_t size() const { return bytes_.size(); }
  const std::vector<std::byte>& get() const { return bytes_; }

 private:
  template <class Number>
  netlink_bytes& number(Number value) {
    const std::size_t at = bytes_.size();
    bytes_.resize(at + sizeof value);
    std::memcpy(bytes_.data() + at, &value, sizeof value);
    return *this;
  }

  std::vector<std::byte> bytes_;
};

/// An nlattr around a payload.
inline netlink_bytes attribute(std::uint16_t type, const netlink_bytes& payload) {
  return netlink_bytes{}
      .u16(static_cast<std::uint16_t>(payload.size() + 4))  // nla_len, without the padding
      .u16(type)                                            // nla_type
      .add(payload)
      .pad();
}

inline constexpr std::uint32_t test_sequence = 7;

/// An nlmsghdr around a body.
inline netlink_bytes message(std::uint16_t type, const netlink_bytes& body,
                             std::uint16_t flags = 2 /* NLM_F_MULTI */,
                             std::uint32_t sequence = test_sequence) {
  return netlink_bytes{}
      .u32(static_cast<std::uint32_t>(body.size() + 16))  // nlmsg_len
      .u16(type)                                          // nlmsg_type
      .u16(flags)                                         // nlmsg_flags
      .u32(sequence)                                      // nlmsg_seq
      .u32(0)                                             // nlmsg_pid: the kernel
      .add(body)
      .pad();
}
