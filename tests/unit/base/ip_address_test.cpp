#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <damson/types.hpp>

#include "base/random.hpp"

namespace damson {
namespace {

using v4_bytes = ip_address::v4_bytes;
using v6_bytes = ip_address::v6_bytes;

TEST(ip_address, is_the_unspecified_ipv4_address_by_default) {
  EXPECT_EQ(ip_address{}, (ip_address{v4_bytes{0, 0, 0, 0}}));
  EXPECT_EQ(ip_address{}, ip_address::any_v4());
  EXPECT_TRUE(ip_address{}.is_v4());
  EXPECT_TRUE(ip_address{}.is_unspecified());
  EXPECT_TRUE(ip_address::any_v6().is_unspecified());
  EXPECT_NE(ip_address::any_v4(), ip_address::any_v6());
}

TEST(ip_address, cannot_be_told_apart_in_its_mapped_spelling) {
  const ip_address plain{v4_bytes{192, 0, 2, 1}};
  const ip_address mapped{v6_bytes{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1}, 7};
  EXPECT_EQ(plain, mapped);
  EXPECT_EQ(mapped.scope(), 0U);
  EXPECT_EQ(ip_address::parse("::ffff:192.0.2.1"), plain);
  EXPECT_EQ(ip_address::parse("::ffff:c000:201"), plain);
  EXPECT_EQ(to_string(mapped), "192.0.2.1");
}

TEST(ip_address, scope_tells_link_local_addresses_apart) {
  const v6_bytes bytes{0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  EXPECT_NE((ip_address{bytes, 1}), (ip_address{bytes, 2}));
  EXPECT_EQ(to_string(ip_address{bytes, 3}), "fe80::1%3");
  EXPECT_EQ(to_string(ip_address{bytes}), "fe80::1");
}

struct format_case {
  std::string_view text;
  std::string_view formatted;
};

// RFC 5952 section 4, rule by rule.
constexpr std::array format_cases{
    format_case{"0.0.0.0", "0.0.0.0"},
    format_case{"255.255.255.255", "255.255.255.255"},
    format_case{"::", "::"},
    format_case{"::1", "::1"},
    format_case{"1::", "1::"},
    format_case{"2001:0db8:0000:0000:0001:0000:0000:0001", "2001:db8::1:0:0:1"},
    format_case{"2001:DB8::A", "2001:db8::a"},
    format_case{"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
    format_case{"2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
    format_case{"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},
    format_case{"0:0:1:0:0:0:0:0", "0:0:1::"},
    format_case{"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
    format_case{"64:ff9b::192.0.2.33", "64:ff9b::c000:221"},
    format_case{"fe80::1.2.3.4", "fe80::102:304"},
};

TEST(ip_address, is_read_and_written) {
  for (const format_case& c : format_cases) {
    const auto address = ip_address::parse(c.text);
    ASSERT_TRUE(address) << c.text;
    EXPECT_EQ(to_string(*address), c.formatted);
  }
}

constexpr std::array<std::string_view, 40> not_addresses{
    "",
    " ",
    ".",
    "...",
    "1.2.3",
    "1.2.3.4.5",
    "1.2.3.4.",
    ".1.2.3.4",
    "1..2.3",
    "256.1.1.1",
    "1.2.3.1000",
    "01.2.3.4",
    "1.2.3.00",
    "0x1.2.3.4",
    "1.2.3.4 ",
    " 1.2.3.4",
    "+1.2.3.4",
    "-1.2.3.4",
    "1.2.3.4/24",
    "1.2.3.4:80",
    ":",
    ":::",
    "::1::",
    "1:2:3:4:5:6:7",
    "1:::2",
    ":1:2",
    "1:2:",
    "12345::",
    "g::",
    "1:2:3:4:5:6:7:8:9",
    "[::1]",
    "::1%1",
    "fe80::1%e",
    "1.2.3.4::",
    "::1.2.3",
    "::1.2.3.4.5",
    "::1.2.3.4:5",
    "1:2:3:4:5:6:7:1.2.3.4",
    "1:2:3:4::5:6:7:8",
    "router.example",
};

TEST(ip_address, text_that_is_no_address_is_refused) {
  for (const std::string_view text : not_addresses) {
    EXPECT_FALSE(ip_address::parse(text)) << '"' << text << '"';
  }
  using namespace std::string_view_literals;
  EXPECT_FALSE(ip_address::parse("1.2.3.4\0"sv));
  EXPECT_FALSE(ip_address::parse("::1\0"sv));
}

// The system's own functions as oracle
// ----------------------------------------------------------------------------------------

/// Addresses as they come, with many zero groups so that runs of them are common.
v6_bytes random_v6(random_source& random) {
  v6_bytes bytes{};
  for (std::size_t group = 0; group < 8; ++group) {
    const std::uint64_t r = random.next();
    if (r % 2 == 0) continue;
    if (r % 3 == 0) bytes[2 * group] = static_cast<std::uint8_t>(r >> 8);
    bytes[2 * group + 1] = static_cast<std::uint8_t>(r >> 16);
  }
  return bytes;
}

std::string system_text(int family, const void* bytes) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  return inet_ntop(family, bytes, text.data(), text.size());
}

/// The deprecated IPv4-compatible addresses, ::a.b.c.d, which glibc writes with dots.
bool is_written_with_dots(const v6_bytes& bytes) {
  for (std::size_t i = 0; i < 12; ++i) {
    if (bytes[i] != 0) return false;
  }
  return bytes[12] != 0 || bytes[13] != 0;
}

TEST(ip_address, is_written_as_the_system_writes_it) {
  random_source random{std::array<std::uint64_t, 4>{20'240'501}};
  for (int i = 0; i < 50'000; ++i) {
    const v6_bytes v6 = random_v6(random);
    if (!is_written_with_dots(v6)) {
      EXPECT_EQ(to_string(ip_address{v6}), system_text(AF_INET6, v6.data()));
    }
    const v4_bytes v4{v6[3], v6[5], v6[7], static_cast<std::uint8_t>(random.next())};
    EXPECT_EQ(to_string(ip_address{v4}), system_text(AF_INET, v4.data()));
  }
}

/// One to three small damages, most of which make something else than an address of the text.
std::string damaged(std::string text, random_source& random) {
  constexpr std::string_view alphabet = "0123456789abcdefABCDEFg:.:.% ";
  for (std::uint64_t changes = random.next() % 4; changes > 0; --changes) {
    const std::size_t at = random.next() % (text.size() + 1);
    const char c = alphabet[random.next() % alphabet.size()];
    switch (random.next() % 3) {
      case 0:
        text.insert(at, 1, c);
        break;
      case 1:
        if (at < text.size()) text.erase(at, 1);
        break;
      default:
        if (at < text.size()) text[at] = c;
        break;
    }
  }
  return text;
}

std::optional<ip_address> system_parse(const std::string& text) {
  v6_bytes v6{};
  if (inet_pton(AF_INET6, text.c_str(), v6.data()) == 1) return ip_address{v6};
  v4_bytes v4{};
  if (inet_pton(AF_INET, text.c_str(), v4.data()) == 1) return ip_address{v4};
  return std::nullopt;
}

TEST(ip_address, is_read_as_the_system_reads_it) {
  random_source random{std::array<std::uint64_t, 4>{20'240'502}};
  int good = 0;
  int bad = 0;
  for (int i = 0; i < 200'000; ++i) {
    const v6_bytes v6 = random_v6(random);
    const bool as_v4 = random.next() % 3 == 0;
    const std::string text = damaged(system_text(as_v4 ? AF_INET : AF_INET6, v6.data()), random);
    const auto expected = system_parse(text);
    EXPECT_EQ(ip_address::parse(text), expected) << '"' << text << '"';
    ++(expected ? good : bad);
  }
  // Or the test would show nothing.
  EXPECT_GT(good, 10'000);
  EXPECT_GT(bad, 10'000);
}

// Questions
// ----------------------------------------------------------------------------------------

ip_address address(std::string_view text) { return ip_address::parse(text).value(); }

struct nature_case {
  std::string_view text;
  bool loopback;
  bool multicast;
  bool link_local;
};

constexpr std::array nature_cases{
    nature_case{"127.0.0.1", true, false, false},
    nature_case{"127.255.255.255", true, false, false},
    nature_case{"126.255.255.255", false, false, false},
    nature_case{"128.0.0.1", false, false, false},
    nature_case{"::1", true, false, false},
    nature_case{"::2", false, false, false},
    nature_case{"1::1", false, false, false},
    nature_case{"224.0.0.1", false, true, false},
    nature_case{"239.255.255.255", false, true, false},
    nature_case{"223.255.255.255", false, false, false},
    nature_case{"240.0.0.0", false, false, false},
    nature_case{"ff02::1", false, true, false},
    nature_case{"feff::1", false, false, false},
    nature_case{"169.254.0.0", false, false, true},
    nature_case{"169.253.255.255", false, false, false},
    nature_case{"169.255.0.0", false, false, false},
    nature_case{"fe80::", false, false, true},
    nature_case{"febf::1", false, false, true},
    nature_case{"fec0::1", false, false, false},
    nature_case{"fe7f::1", false, false, false},
};

TEST(ip_address, knows_its_nature) {
  for (const nature_case& c : nature_cases) {
    EXPECT_EQ(address(c.text).is_loopback(), c.loopback) << c.text;
    EXPECT_EQ(address(c.text).is_multicast(), c.multicast) << c.text;
    EXPECT_EQ(address(c.text).is_link_local(), c.link_local) << c.text;
    EXPECT_FALSE(address(c.text).is_unspecified()) << c.text;
  }
}

TEST(ip_address, networks_are_compared_bit_by_bit) {
  const ip_address a = address("192.168.1.10");
  EXPECT_TRUE(a.in_same_network(address("192.168.1.255"), 24));
  EXPECT_FALSE(a.in_same_network(address("192.168.0.10"), 24));
  EXPECT_TRUE(a.in_same_network(address("192.168.0.10"), 23));
  EXPECT_TRUE(a.in_same_network(address("8.8.8.8"), 0));
  EXPECT_TRUE(a.in_same_network(a, 32));
  EXPECT_FALSE(a.in_same_network(address("192.168.1.11"), 32));
  EXPECT_TRUE(a.in_same_network(address("192.168.1.11"), 31));
  EXPECT_TRUE(address("2001:db8::1").in_same_network(address("2001:db8::2"), 126));
  EXPECT_FALSE(address("2001:db8::1").in_same_network(address("2001:db8::2"), 127));
}

TEST(ip_address, networks_of_two_families_are_never_the_same) {
  EXPECT_FALSE(address("0.0.0.0").in_same_network(address("::"), 0));
  EXPECT_FALSE(address("::").in_same_network(address("1.2.3.4"), 0));
}

TEST(ip_address, a_prefix_longer_than_the_address_means_all_of_it) {
  EXPECT_TRUE(address("::1").in_same_network(address("::1"), 4'000'000'000U));
  EXPECT_FALSE(address("10.0.0.1").in_same_network(address("10.0.0.0"), 4'000'000'000U));
}

TEST(ip_address, a_prefix_is_as_long_as_the_first_bit_that_differs) {
  random_source random{std::array<std::uint64_t, 4>{3}};
  for (int i = 0; i < 10'000; ++i) {
    v6_bytes bytes = random_v6(random);
    bytes[0] = 0x20;  // never a mapped IPv4 address
    const ip_address one{bytes};
    const auto differing = static_cast<unsigned>(8 + random.next() % 120);
    bytes[differing / 8] ^= static_cast<std::uint8_t>(0x80U >> (differing % 8));
    const ip_address other{bytes};
    EXPECT_TRUE(one.in_same_network(other, differing)) << one << ' ' << other << ' ' << differing;
    EXPECT_FALSE(one.in_same_network(other, differing + 1)) << one << ' ' << other;
    EXPECT_FALSE(other.in_same_network(one, 128)) << one << ' ' << other;
  }
}

// Endpoints
// ----------------------------------------------------------------------------------------

TEST(endpoint, is_written_with_brackets_where_they_are_needed) {
  EXPECT_EQ(to_string(endpoint{address("192.0.2.1"), 80}), "192.0.2.1:80");
  EXPECT_EQ(to_string(endpoint{address("2001:db8::1"), 65'535}), "[2001:db8::1]:65535");
  EXPECT_EQ(to_string(endpoint{}), "0.0.0.0:0");
}

TEST(endpoint, goes_to_streams) {
  std::ostringstream out;
  out << endpoint{address("192.0.2.1"), 80} << ' ' << address("::1") << ' ' << transport::udp << ' '
      << protocol::nat_pmp << ' ' << address_class::carrier_nat;
  EXPECT_EQ(out.str(), "192.0.2.1:80 ::1 udp nat-pmp cgnat");
}

}  // namespace
}  // namespace damson
