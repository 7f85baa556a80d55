#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>

#include <damson/types.hpp>

namespace damson {
namespace {

constexpr std::size_t group_count = 8;  // of sixteen bits, in an IPv6 address

// Reading
// ----------------------------------------------------------------------------------------

/// The whole of `text` as a number of at most `most_digits` digits.
template <class Number>
std::optional<Number> parse_number(std::string_view text, std::size_t most_digits,
                                   int base) noexcept {
  if (text.empty() || text.size() > most_digits) return std::nullopt;
  Number value{};
  const char* const end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, value, base);
  if (error != std::errc{} || stopped != end) return std::nullopt;
  return value;
}

/// Cuts off and returns what comes before the first `separator`, or all.
std::string_view take_piece(std::string_view& text, char separator) noexcept {
  const std::size_t end = text.find(separator);
  const std::string_view piece = text.substr(0, end);
  text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
  return piece;
}

std::optional<ip_address::v4_bytes> parse_v4(std::string_view text) noexcept {
  if (std::ranges::count(text, '.') != 3) return std::nullopt;
  ip_address::v4_bytes bytes{};
  for (std::uint8_t& byte : bytes) {
    const std::string_view piece = take_piece(text, '.');
    // A leading zero is octal to some readers and decimal to others.
    if (piece.size() > 1 && piece.front() == '0') return std::nullopt;
    const auto value = parse_number<std::uint8_t>(piece, 3, 10);
    if (!value) return std::nullopt;
    byte = *value;
  }
  return bytes;
}

/// The groups on one side of "::", or all.
struct group_list {
  std::array<std::uint16_t, group_count> groups{};
  std::size_t size = 0;

  bool add(std::uint16_t group) noexcept {
    if (size == groups.size()) return false;
    groups[size++] = group;
    return true;
  }
};

bool add_v4(group_list& list, std::string_view text) noexcept {
  const auto bytes = parse_v4(text);
  if (!bytes) return false;
  const auto group = [](std::uint8_t high, std::uint8_t low) {
    return static_cast<std::uint16_t>((high << 8) | low);
  };
  return list.add(group((*bytes)[0], (*bytes)[1])) && list.add(group((*bytes)[2], (*bytes)[3]));
}

/// Groups divided by single colons; the last two may be written as an IPv4 address.
std::optional<group_list> parse_groups(std::string_view text, bool may_end_in_v4) noexcept {
  group_list list;
  if (text.empty()) return list;
  if (text.ends_with(':')) return std::nullopt;
  while (!text.empty()) {
    const std::string_view piece = take_piece(text, ':');
    if (text.empty() && may_end_in_v4 && piece.contains('.')) {
      if (!add_v4(list, piece)) return std::nullopt;
      break;
    }
    const auto group = parse_number<std::uint16_t>(piece, 4, 16);
    if (!group || !list.add(*group)) return std::nullopt;
  }
  return list;
}

std::optional<ip_address::v6_bytes> parse_v6(std::string_view text) noexcept {
  const std::size_t gap = text.find("::");
  const bool has_gap = gap != std::string_view::npos;
  const auto head = parse_groups(text.substr(0, gap), !has_gap);
  const auto tail =
      has_gap ? parse_groups(text.substr(gap + 2), true) : std::optional{group_list{}};
  if (!head || !tail) return std::nullopt;
  const std::size_t given = head->size + tail->size;
  // "::" stands for one group or more (RFC 4291 section 2.2).
  if (has_gap ? given >= group_count : given != group_count) return std::nullopt;

  std::array<std::uint16_t, group_count> groups{};
  std::copy_n(head->groups.begin(), head->size, groups.begin());
  std::copy_n(tail->groups.begin(), tail->size, groups.end() - static_cast<int>(tail->size));
  ip_address::v6_bytes bytes{};
  for (std::size_t i = 0; i < group_count; ++i) {
    bytes[2 * i] = static_cast<std::uint8_t>(groups[i] >> 8);
    bytes[2 * i + 1] = static_cast<std::uint8_t>(groups[i] & 0xff);
  }
  return bytes;
}

// Writing
// ----------------------------------------------------------------------------------------

template <class Number>
void append_number(std::string& out, Number value, int base = 10) {
  std::array<char, std::numeric_limits<Number>::digits10 + 2> digits{};
  const auto [end, error] =
      std::to_chars(digits.data(), digits.data() + digits.size(), value, base);
  out.append(digits.data(), end);
}

/// Where the longest run of zero groups begins and ends; the first of several, and none shorter
/// than two (RFC 5952 section 4.2).
struct zero_run {
  std::size_t begin = group_count;
  std::size_t end = group_count;
};

zero_run longest_zero_run(std::span<const std::uint16_t, group_count> groups) noexcept {
  zero_run longest;
  for (std::size_t begin = 0; begin < groups.size();) {
    std::size_t end = begin;
    while (end < groups.size() && groups[end] == 0) ++end;
    if (end - begin >= 2 && end - begin > longest.end - longest.begin) longest = {begin, end};
    begin = end + 1;
  }
  return longest;
}

std::string v4_to_string(const ip_address::v4_bytes& bytes) {
  std::string out;
  for (const std::uint8_t byte : bytes) {
    if (!out.empty()) out += '.';
    append_number(out, byte);
  }
  return out;
}

std::string v6_to_string(const ip_address::v6_bytes& bytes) {
  std::array<std::uint16_t, group_count> groups{};
  for (std::size_t i = 0; i < group_count; ++i) {
    groups[i] = static_cast<std::uint16_t>((bytes[2 * i] << 8) | bytes[2 * i + 1]);
  }
  const zero_run gap = longest_zero_run(groups);
  std::string out;
  for (std::size_t i = 0; i < group_count; ++i) {
    if (i == gap.begin) {
      out += "::";
      i = gap.end - 1;
      continue;
    }
    if (!out.empty() && !out.ends_with(':')) out += ':';
    append_number(out, groups[i], 16);
  }
  return out;
}

// Classes
// ----------------------------------------------------------------------------------------

constexpr ip_address v4(std::uint8_t a, std::uint8_t b, std::uint8_t c) {
  return ip_address{ip_address::v4_bytes{a, b, c, 0}};
}

/// The address that starts with these four groups.
constexpr ip_address v6(std::uint16_t a, std::uint16_t b = 0, std::uint16_t c = 0,
                        std::uint16_t d = 0) {
  ip_address::v6_bytes bytes{};
  std::size_t i = 0;
  for (const std::uint16_t group : {a, b, c, d}) {
    bytes[i++] = static_cast<std::uint8_t>(group >> 8);
    bytes[i++] = static_cast<std::uint8_t>(group & 0xff);
  }
  return ip_address{bytes};
}

struct block {
  ip_address network;
  unsigned prefix_length = 0;
  address_class what{};
};

/// What is not public, by the IANA special-purpose address registries; the first match counts. The
/// IPv4 part is Q-150's.
constexpr std::array special_blocks{
    block{v4(0, 0, 0), 8, address_class::reserved},  // this network
    block{v4(10, 0, 0), 8, address_class::private_address},
    block{v4(100, 64, 0), 10, address_class::carrier_nat},
    block{v4(127, 0, 0), 8, address_class::reserved},     // loopback
    block{v4(169, 254, 0), 16, address_class::reserved},  // link-local
    block{v4(172, 16, 0), 12, address_class::private_address},
    block{v4(192, 0, 0), 24, address_class::reserved},     // IETF protocol assignments
    block{v4(192, 0, 2), 24, address_class::reserved},     // documentation
    block{v4(192, 31, 196), 24, address_class::reserved},  // AS112
    block{v4(192, 52, 193), 24, address_class::reserved},  // automatic multicast tunnels
    block{v4(192, 88, 99), 24, address_class::reserved},   // 6to4 relays
    block{v4(192, 168, 0), 16, address_class::private_address},
    block{v4(192, 175, 48), 24, address_class::reserved},   // AS112
    block{v4(198, 18, 0), 15, address_class::reserved},     // benchmarks
    block{v4(198, 51, 100), 24, address_class::reserved},   // documentation
    block{v4(203, 0, 113), 24, address_class::reserved},    // documentation
    block{v4(224, 0, 0), 4, address_class::reserved},       // multicast
    block{v4(240, 0, 0), 4, address_class::reserved},       // for the future, and broadcast
    block{v6(0xfc00), 7, address_class::private_address},   // unique local
    block{v6(0x2001), 23, address_class::reserved},         // IETF protocol assignments, Teredo
    block{v6(0x2001, 0xdb8), 32, address_class::reserved},  // documentation
    block{v6(0x2002), 16, address_class::reserved},         // 6to4
    block{v6(0x2620, 0x4f, 0x8000), 48, address_class::reserved},  // AS112
    block{v6(0x3fff), 20, address_class::reserved},                // documentation
};

/// Everything that is given out for use on the internet. Outside of it are ::1, 64:ff9b::/96,
/// 100::/64, 5f00::/16, fe80::/10, ff00::/8 and what nobody has been given yet.
constexpr block global_unicast_v6{v6(0x2000), 3, address_class::public_address};

}  // namespace

std::optional<ip_address> ip_address::parse(std::string_view text) noexcept {
  if (text.contains(':')) {
    const auto bytes = parse_v6(text);
    return bytes ? std::optional{ip_address{*bytes}} : std::nullopt;
  }
  const auto bytes = parse_v4(text);
  return bytes ? std::optional{ip_address{*bytes}} : std::nullopt;
}

bool ip_address::is_unspecified() const noexcept {
  const std::size_t first = is_v4() ? bytes_.size() - 4 : 0;
  return std::all_of(bytes_.begin() + static_cast<std::ptrdiff_t>(first), bytes_.end(),
                     [](std::uint8_t b) { return b == 0; });
}

bool ip_address::is_loopback() const noexcept {
  if (is_v4()) return bytes_[12] == 127;
  return std::all_of(bytes_.begin(), bytes_.end() - 1, [](std::uint8_t b) { return b == 0; }) &&
         bytes_.back() == 1;
}

bool ip_address::is_multicast() const noexcept {
  return is_v4() ? (bytes_[12] & 0xf0U) == 0xe0U : bytes_[0] == 0xff;
}

bool ip_address::is_link_local() const noexcept {
  if (is_v4()) return bytes_[12] == 169 && bytes_[13] == 254;
  return bytes_[0] == 0xfe && (bytes_[1] & 0xc0U) == 0x80U;
}

bool ip_address::in_same_network(const ip_address& other, unsigned prefix_length) const noexcept {
  if (family() != other.family()) return false;
  // IPv4 addresses share the mapped form's first 96 bits anyway.
  const std::size_t wanted = prefix_length + (is_v4() ? 96U : 0U);
  const std::size_t bits = std::min<std::size_t>(wanted, bytes_.size() * 8);
  const std::size_t whole = bits / 8;
  if (!std::equal(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(whole),
                  other.bytes_.begin())) {
    return false;
  }
  if (bits % 8 == 0) return true;
  const unsigned difference = static_cast<unsigned>(bytes_[whole]) ^ other.bytes_[whole];
  return difference >> (8 - bits % 8) == 0;
}

address_class classify(const ip_address& address) noexcept {
  if (address.is_unspecified()) return address_class::unknown;
  for (const block& b : special_blocks) {
    if (address.in_same_network(b.network, b.prefix_length)) return b.what;
  }
  if (address.is_v4()) return address_class::public_address;
  return address.in_same_network(global_unicast_v6.network, global_unicast_v6.prefix_length)
             ? global_unicast_v6.what
             : address_class::reserved;
}

std::string to_string(const ip_address& value) {
  if (value.is_v4()) return v4_to_string(value.to_v4());
  std::string out = v6_to_string(value.to_v6());
  if (value.scope() != 0) {
    out += '%';
    append_number(out, value.scope());
  }
  return out;
}

}  // namespace damson
