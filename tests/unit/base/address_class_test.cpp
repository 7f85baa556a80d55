#include <array>
#include <string_view>

#include <gtest/gtest.h>

#include <damson/types.hpp>

namespace damson {
namespace {

struct class_case {
  std::string_view text;
  address_class expected;
};

constexpr auto unknown = address_class::unknown;
constexpr auto global = address_class::public_address;
constexpr auto home = address_class::private_address;
constexpr auto carrier = address_class::carrier_nat;
constexpr auto reserved = address_class::reserved;

/// Each block of Q-150: its first and last address and its neighbours on both sides.
constexpr std::array v4_cases{
    class_case{"0.0.0.0", unknown},          class_case{"0.0.0.1", reserved},
    class_case{"0.255.255.255", reserved},   class_case{"1.0.0.0", global},
    class_case{"9.255.255.255", global},     class_case{"10.0.0.0", home},
    class_case{"10.255.255.255", home},      class_case{"11.0.0.0", global},
    class_case{"100.63.255.255", global},    class_case{"100.64.0.0", carrier},
    class_case{"100.127.255.255", carrier},  class_case{"100.128.0.0", global},
    class_case{"126.255.255.255", global},   class_case{"127.0.0.0", reserved},
    class_case{"127.255.255.255", reserved}, class_case{"128.0.0.0", global},
    class_case{"169.253.255.255", global},   class_case{"169.254.0.0", reserved},
    class_case{"169.254.255.255", reserved}, class_case{"169.255.0.0", global},
    class_case{"172.15.255.255", global},    class_case{"172.16.0.0", home},
    class_case{"172.31.255.255", home},      class_case{"172.32.0.0", global},
    class_case{"191.255.255.255", global},   class_case{"192.0.0.0", reserved},
    class_case{"192.0.0.255", reserved},     class_case{"192.0.1.0", global},
    class_case{"192.0.1.255", global},       class_case{"192.0.2.0", reserved},
    class_case{"192.0.2.255", reserved},     class_case{"192.0.3.0", global},
    class_case{"192.31.195.255", global},    class_case{"192.31.196.0", reserved},
    class_case{"192.31.196.255", reserved},  class_case{"192.31.197.0", global},
    class_case{"192.52.192.255", global},    class_case{"192.52.193.0", reserved},
    class_case{"192.52.193.255", reserved},  class_case{"192.52.194.0", global},
    class_case{"192.88.98.255", global},     class_case{"192.88.99.0", reserved},
    class_case{"192.88.99.255", reserved},   class_case{"192.88.100.0", global},
    class_case{"192.167.255.255", global},   class_case{"192.168.0.0", home},
    class_case{"192.168.255.255", home},     class_case{"192.169.0.0", global},
    class_case{"192.175.47.255", global},    class_case{"192.175.48.0", reserved},
    class_case{"192.175.48.255", reserved},  class_case{"192.175.49.0", global},
    class_case{"198.17.255.255", global},    class_case{"198.18.0.0", reserved},
    class_case{"198.19.255.255", reserved},  class_case{"198.20.0.0", global},
    class_case{"198.51.99.255", global},     class_case{"198.51.100.0", reserved},
    class_case{"198.51.100.255", reserved},  class_case{"198.51.101.0", global},
    class_case{"203.0.112.255", global},     class_case{"203.0.113.0", reserved},
    class_case{"203.0.113.255", reserved},   class_case{"203.0.114.0", global},
    class_case{"223.255.255.255", global},   class_case{"224.0.0.0", reserved},
    class_case{"239.255.255.255", reserved}, class_case{"240.0.0.0", reserved},
    class_case{"255.255.255.255", reserved},
};

constexpr std::array v6_cases{
    class_case{"::", unknown},
    class_case{"::1", reserved},
    class_case{"::2", reserved},
    class_case{"::1.2.3.4", reserved},
    class_case{"64:ff9b::808:808", reserved},
    class_case{"64:ff9b:1::1", reserved},
    class_case{"100::1", reserved},
    class_case{"1fff:ffff::1", reserved},
    class_case{"2000::", global},
    class_case{"2001::", reserved},
    class_case{"2001:0:ffff::1", reserved},
    class_case{"2001:1ff:ffff::1", reserved},
    class_case{"2001:200::", global},
    class_case{"2001:db7:ffff::1", global},
    class_case{"2001:db8::", reserved},
    class_case{"2001:db8:ffff::1", reserved},
    class_case{"2001:db9::", global},
    class_case{"2001:ffff::1", global},
    class_case{"2002::1", reserved},
    class_case{"2002:ffff::1", reserved},
    class_case{"2003::", global},
    class_case{"2620:4f:7fff::1", global},
    class_case{"2620:4f:8000::1", reserved},
    class_case{"2620:4f:8001::1", global},
    class_case{"2a00:1450:4001:80e::200e", global},
    class_case{"3ffe:ffff::1", global},
    class_case{"3fff::1", reserved},
    class_case{"3fff:fff:ffff::1", reserved},
    class_case{"3fff:1000::", global},
    class_case{"4000::1", reserved},
    class_case{"5f00::1", reserved},
    class_case{"fbff::1", reserved},
    class_case{"fc00::1", home},
    class_case{"fdff:ffff::1", home},
    class_case{"fe00::1", reserved},
    class_case{"fe80::1", reserved},
    class_case{"fec0::1", reserved},
    class_case{"ff02::1", reserved},
};

template <class Cases>
void expect_classes(const Cases& cases) {
  for (const class_case& c : cases) {
    EXPECT_EQ(classify(ip_address::parse(c.text).value()), c.expected) << c.text;
  }
}

TEST(address_class, ipv4_blocks) { expect_classes(v4_cases); }

TEST(address_class, ipv6_blocks) { expect_classes(v6_cases); }

TEST(address_class, the_mapped_spelling_changes_nothing) {
  EXPECT_EQ(classify(ip_address::parse("::ffff:10.0.0.1").value()), home);
  EXPECT_EQ(classify(ip_address::parse("::ffff:100.64.0.1").value()), carrier);
  EXPECT_EQ(classify(ip_address::parse("::ffff:0:0").value()), unknown);
  EXPECT_EQ(classify(ip_address::parse("::ffff:8.8.8.8").value()), global);
}

}  // namespace
}  // namespace damson
