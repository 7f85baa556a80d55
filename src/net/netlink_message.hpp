#pragma once

/// What the answers to netlink dumps and the notices of changes have in common.

#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <damson/types.hpp>

namespace damson::net {

/// The attributes of one message by type. The kernel sends each type once; of a repeated one the
/// last counts, as everywhere in netlink.
class attribute_table {
 public:
  /// `bytes` begins at the first attribute. What is not a whole attribute ends the walk.
  explicit attribute_table(std::span<const std::byte> bytes) {
    const void* begin = bytes.data();
    const auto* attribute = static_cast<const nlattr*>(begin);
    auto left = static_cast<int>(bytes.size());
    while (mnl_attr_ok(attribute, left)) {
      const std::size_t type = mnl_attr_get_type(attribute);
      if (type < found_.size()) found_[type] = attribute;
      left -= MNL_ALIGN(mnl_attr_get_len(attribute));
      attribute = mnl_attr_next(attribute);
    }
  }

  bool has(std::size_t type) const { return found_.at(type) != nullptr; }

  std::optional<std::span<const std::byte>> payload(std::size_t type) const {
    const nlattr* attribute = found_.at(type);
    if (attribute == nullptr) return std::nullopt;
    return std::span{static_cast<const std::byte*>(mnl_attr_get_payload(attribute)),
                     mnl_attr_get_payload_len(attribute)};
  }

  std::optional<std::uint32_t> number(std::size_t type) const {
    const auto bytes = payload(type);
    if (!bytes || bytes->size() != sizeof(std::uint32_t)) return std::nullopt;
    std::uint32_t value = 0;
    std::memcpy(&value, bytes->data(), sizeof value);
    return value;
  }

  std::string text(std::size_t type) const {
    const auto bytes = payload(type);
    if (!bytes) return {};
    const void* begin = bytes->data();
    const std::string_view whole{static_cast<const char*>(begin), bytes->size()};
    return std::string{whole.substr(0, std::min(whole.find('\0'), whole.size()))};
  }

  /// An address of the family; link-local IPv6 gets the interface as its scope.
  std::optional<ip_address> address(std::size_t type, int family,
                                    std::uint32_t interface_index) const {
    const auto bytes = payload(type);
    if (!bytes) return std::nullopt;
    if (family == AF_INET) {
      ip_address::v4_bytes raw{};
      if (bytes->size() != raw.size()) return std::nullopt;
      std::memcpy(raw.data(), bytes->data(), raw.size());
      return ip_address{raw};
    }
    ip_address::v6_bytes raw{};
    if (bytes->size() != raw.size()) return std::nullopt;
    std::memcpy(raw.data(), bytes->data(), raw.size());
    const ip_address plain{raw};
    return plain.is_link_local() ? ip_address{raw, interface_index} : plain;
  }

 private:
  std::array<const nlattr*, 64> found_{};
};

inline std::span<const std::byte> bytes_after(const nlmsghdr* message, std::size_t header_bytes) {
  const auto* payload = static_cast<const std::byte*>(mnl_nlmsg_get_payload(message));
  const std::span whole{payload, mnl_nlmsg_get_payload_len(message)};
  return whole.subspan(std::min(MNL_ALIGN(header_bytes), whole.size()));
}

/// The fixed part of a message; empty when the message is too short for it.
template <class Header>
std::optional<Header> header_of(const nlmsghdr* message) {
  if (mnl_nlmsg_get_payload_len(message) < sizeof(Header)) return std::nullopt;
  Header header{};
  std::memcpy(&header, mnl_nlmsg_get_payload(message), sizeof header);
  return header;
}

inline bool is_ip(int family) { return family == AF_INET || family == AF_INET6; }

/// An interface without carrier, or whose peer is gone, keeps IFF_UP and loses IFF_RUNNING. Drivers
/// that cannot tell have it set.
inline bool is_running(const ifinfomsg& link) {
  constexpr unsigned usable = IFF_UP | IFF_RUNNING;
  return (link.ifi_flags & usable) == usable;
}

inline std::uint32_t flags_of(const ifaddrmsg& address, const attribute_table& attributes) {
  return attributes.number(IFA_FLAGS).value_or(address.ifa_flags);
}

/// Not while, nor where never, an address was found to be unique on the link; optimistic ones are
/// in use meanwhile (RFC 4429).
inline bool is_usable(std::uint32_t address_flags) {
  const bool tentative =
      (address_flags & IFA_F_TENTATIVE) != 0 && (address_flags & IFA_F_OPTIMISTIC) == 0;
  return !tentative && (address_flags & IFA_F_DADFAILED) == 0;
}

/// Default routes are those for all destinations, whatever the source and the type of service
/// . Cached routes are copies.
inline bool is_default(const rtmsg& route) {
  return is_ip(route.rtm_family) && route.rtm_dst_len == 0 && route.rtm_src_len == 0 &&
         route.rtm_tos == 0 && (route.rtm_flags & RTM_F_CLONED) == 0;
}

/// Takes the next message off a datagram. Null: there is none, or what is left is no message. The
/// bytes must be aligned like an nlmsghdr.
inline const nlmsghdr* take_message(std::span<const std::byte>& rest) {
  const void* begin = rest.data();
  const auto* message = static_cast<const nlmsghdr*>(begin);
  // mnl_nlmsg_ok takes lengths from 2 GiB on for negative ones, and those for good.
  if (!mnl_nlmsg_ok(message, static_cast<int>(rest.size())) || message->nlmsg_len > rest.size())
    return nullptr;
  rest = rest.subspan(std::min<std::size_t>(MNL_ALIGN(message->nlmsg_len), rest.size()));
  return message;
}

}  // namespace damson::net
