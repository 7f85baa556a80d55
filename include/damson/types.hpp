#pragma once

/// The words everything else is said in: addresses, endpoints, transports, protocols, time, ids.
///
/// Standard library only. Everything here is a value; all functions are thread-safe.

#include <array>
#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>

namespace damson {

/// The clock of the engine: it counts on while the host is suspended (CLOCK_BOOTTIME on Linux), so
/// that a lease which ended in the meantime is seen to have ended. It is a name for time points
/// only; nobody below the driver can read it.
struct boot_clock {
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<boot_clock>;
  static constexpr bool is_steady = true;
};

using time_point = boot_clock::time_point;

/// What is carried to the mapped port.
enum class transport : std::uint8_t { tcp, udp };

/// How the port was opened.
enum class protocol : std::uint8_t {
  pcp,      ///< Port Control Protocol, RFC 6887
  nat_pmp,  ///< NAT Port Mapping Protocol, RFC 6886
  upnp,     ///< UPnP Internet Gateway Device, versions 1 and 2
  direct,   ///< not at all: the host's own address is public
};

enum class ip_family : std::uint8_t { v4, v6 };

/// What an address is worth to somebody on the internet.
enum class address_class : std::uint8_t {
  unknown,          ///< unspecified (0.0.0.0, ::): nobody told
  public_address,   ///< routed on the internet
  private_address,  ///< RFC 1918, unique local (RFC 4193)
  carrier_nat,      ///< 100.64.0.0/10 (RFC 6598)
  reserved,         ///< loopback, link-local, multicast, documentation and the like
};

/// An IPv4 or IPv6 address with, for IPv6, the scope (interface index) that link-local ones need.
///
/// An IPv4-mapped IPv6 address (::ffff:a.b.c.d) *is* the IPv4 address: the two cannot be told
/// apart, so no check can be passed by in the other spelling.
class ip_address {
 public:
  using v4_bytes = std::array<std::uint8_t, 4>;
  using v6_bytes = std::array<std::uint8_t, 16>;

  /// The unspecified IPv4 address, 0.0.0.0.
  constexpr ip_address() noexcept : ip_address(v4_bytes{0, 0, 0, 0}) {}

  /// Bytes in network order.
  constexpr explicit ip_address(const v4_bytes& bytes) noexcept
      : bytes_{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, bytes[0], bytes[1], bytes[2], bytes[3]} {}

  /// Bytes in network order; `scope` is an interface index, 0 for none.
  constexpr explicit ip_address(const v6_bytes& bytes, std::uint32_t scope = 0) noexcept
      : bytes_(bytes), scope_(scope) {
    if (is_v4()) scope_ = 0;
  }

  /// Reads dotted decimal or RFC 4291 text, without brackets, port or scope; nothing else, and no
  /// shortened or octal IPv4 forms. Empty when the text is not an address.
  static std::optional<ip_address> parse(std::string_view text) noexcept;

  static constexpr ip_address any_v4() noexcept { return ip_address{}; }
  static constexpr ip_address any_v6() noexcept { return ip_address{v6_bytes{}}; }

  constexpr ip_family family() const noexcept { return is_v4() ? ip_family::v4 : ip_family::v6; }
  constexpr bool is_v4() const noexcept {
    for (std::size_t i = 0; i < 10; ++i) {
      if (bytes_[i] != 0) return false;
    }
    return bytes_[10] == 0xff && bytes_[11] == 0xff;
  }
  constexpr bool is_v6() const noexcept { return !is_v4(); }

  /// The last four bytes; meaningful for IPv4 only.
  constexpr v4_bytes to_v4() const noexcept {
    return {bytes_[12], bytes_[13], bytes_[14], bytes_[15]};
  }
  /// Sixteen bytes in network order; IPv4 in its mapped form, as PCP wants it (RFC 6887 section 5).
  constexpr const v6_bytes& to_v6() const noexcept { return bytes_; }
  /// An interface index; 0 for none.
  constexpr std::uint32_t scope() const noexcept { return scope_; }

  bool is_unspecified() const noexcept;
  bool is_loopback() const noexcept;
  bool is_multicast() const noexcept;
  bool is_link_local() const noexcept;

  /// Whether both are of one family and share their first `prefix_length` bits (0..32 or 0..128).
  bool in_same_network(const ip_address& other, unsigned prefix_length) const noexcept;

  friend constexpr auto operator<=>(const ip_address&, const ip_address&) noexcept = default;

 private:
  v6_bytes bytes_;
  std::uint32_t scope_ = 0;
};

/// The class of an address by the IANA special-purpose registries.
address_class classify(const ip_address& address) noexcept;

/// An address and a port (0: none).
struct endpoint {
  ip_address address;
  std::uint16_t port = 0;

  friend constexpr auto operator<=>(const endpoint&, const endpoint&) noexcept = default;
};

/// Names one mapping of one engine. Never 0 for a real mapping, never used again.
enum class mapping_id : std::uint64_t { none = 0 };

/// "tcp", "udp".
std::string_view to_string(transport) noexcept;
/// "pcp", "nat-pmp", "upnp", "direct".
std::string_view to_string(protocol) noexcept;
/// "unknown", "public", "private", "cgnat", "reserved".
std::string_view to_string(address_class) noexcept;
/// Dotted decimal, or RFC 5952 with "%scope" where there is one.
std::string to_string(const ip_address&);
/// "192.0.2.1:80", "[2001:db8::1]:80".
std::string to_string(const endpoint&);

std::ostream& operator<<(std::ostream&, transport);
std::ostream& operator<<(std::ostream&, protocol);
std::ostream& operator<<(std::ostream&, address_class);
std::ostream& operator<<(std::ostream&, const ip_address&);
std::ostream& operator<<(std::ostream&, const endpoint&);

}  // namespace damson
