#include "wire/http_target.hpp"

#include <array>
#include <expected>
#include <set>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace damson {
namespace {

ip_address address(std::string_view text) { return ip_address::parse(text).value(); }

const ip_address gateway_v4 = address("192.168.1.1");
const ip_address gateway_v6{address("fe80::1").to_v6(), 7};
const std::array own{address("192.168.1.10"), address("2001:db8::10"),
                     ip_address{address("fe80::10").to_v6(), 7}};

url_rule rule_v4() { return {.answered_from = gateway_v4, .own_addresses = own}; }
url_rule rule_v6() { return {.answered_from = gateway_v6, .own_addresses = own}; }

/// "192.168.1.1:80 /path", or why not.
std::string where(const std::expected<http_target, url_refusal>& target) {
  if (!target) return std::string{to_string(target.error())};
  return to_string(target->server) + " " + target->path;
}

struct url_case {
  std::string_view url;
  std::string_view expected;
};

// A LOCATION
// ----------------------------------------------------------------------------------------

TEST(http_target, says_where_to_connect_and_what_to_say_there) {
  const auto got = resolve_url("http://192.168.1.1:5000/rootDesc.xml?a=b#c", "", rule_v4());
  ASSERT_TRUE(got);
  EXPECT_EQ(*got, (http_target{.server = {gateway_v4, 5000},
                               .path = "/rootDesc.xml?a=b",
                               .host = "192.168.1.1:5000",
                               .url = "http://192.168.1.1:5000/rootDesc.xml?a=b"}));
}

constexpr auto location_cases = std::to_array<url_case>({
    {"http://192.168.1.1:5000/rootDesc.xml", "192.168.1.1:5000 /rootDesc.xml"},
    {"HTTP://192.168.1.1/x", "192.168.1.1:80 /x"},
    {" \r\n\thttp://192.168.1.1:49152/gate.xml\n ", "192.168.1.1:49152 /gate.xml"},
    {"http://192.168.1.1", "192.168.1.1:80 /"},
    {"http://192.168.1.1:/", "192.168.1.1:80 /"},
    {"http://192.168.1.1:00080/", "192.168.1.1:80 /"},
    {"http://192.168.1.1:65535/", "192.168.1.1:65535 /"},
    {"http://192.168.1.1?q", "192.168.1.1:80 /?q"},
    {"http://192.168.1.1/?", "192.168.1.1:80 /?"},
    {"http://192.168.1.1/a%20b/%2e%2E/c%2f?x=%0d%0a", "192.168.1.1:80 /a%20b/%2e%2E/c%2f?x=%0d%0a"},
    {"http://[::ffff:192.168.1.1]/x", "192.168.1.1:80 /x"},
    {"http://[::FFFF:C0A8:101]/x", "192.168.1.1:80 /x"},

    // not HTTP
    {"https://192.168.1.1/", "not http"},
    {"ftp://192.168.1.1/", "not http"},
    {"file:///x", "not http"},
    {"http:/x", "not http"},
    {"http:192.168.1.1/", "not http"},
    {"uuid:1/WANIPConnection", "not http"},
    {"x:#", "not http"},
    {"http:", "not http"},
    {":", "not http"},
    {"1:2", "not http"},
    {"/rootDesc.xml", "not http"},
    {"//192.168.1.1/x", "not http"},
    {"", "not http"},

    // not a plain address
    {"http://router.lan/", "not a plain address"},
    {"http://localhost/", "not a plain address"},
    {"http:///x", "not a plain address"},
    {"http://192.168.1/", "not a plain address"},
    {"http://3232235777/", "not a plain address"},
    {"http://0xc0a80101/", "not a plain address"},
    {"http://192.168.001.001/", "not a plain address"},
    {"http://192.168.1.1./", "malformed"},
    {"http://192.168.1.1.evil.example/", "malformed"},
    {"http://192.168.1.1evil.example/", "malformed"},
    {"http://[fe80::1]evil.example/", "malformed"},
    {"http://%31%39%32.168.1.1/", "not a plain address"},
    {"http://[v1.x]/", "not a plain address"},
    {"http://192.168.1.1@evil.example/", "names a user"},
    {"http://user:password@192.168.1.1/", "names a user"},
    {"http://@192.168.1.1/", "names a user"},

    {"http://192.168.1.1:0/", "bad port"},
    {"http://192.168.1.1:65536/", "bad port"},
    {"http://192.168.1.1:65616/", "bad port"},  // 80 modulo 65536
    {"http://192.168.1.1:99999999999999999999/", "bad port"},

    // Q-140
    {"http://192.168.1.1/a b", "malformed"},
    {"http://192.168.1.1/a\r\nX-Evil: 1", "malformed"},
    {"http://192.168.1.1/\x01", "malformed"},
    {"http://192.168.1.1/\xc3\xa9", "malformed"},
    {"http://192.168.1.1/a\\b", "malformed"},
    {"http://192.168.1.1/%zz", "malformed"},
    {"http://192.168.1.1:80x/", "malformed"},
    {"http://[192.168.1.1]/", "malformed"},
    {"http://[fe80::1/", "malformed"},
});

TEST(http_target, q_130_plain_http_to_a_plain_address) {
  for (const url_case& c : location_cases) {
    EXPECT_EQ(where(resolve_url(c.url, "", rule_v4())), c.expected) << c.url;
  }
}

constexpr auto other_host_cases = std::to_array<url_case>({
    {"http://192.168.1.2/", "another host"},
    {"http://8.8.8.8/", "another host"},
    {"http://[2001:db8::1]/", "another host"},
    {"http://[fe80::1]/", "another host"},
    {"http://[::192.168.1.1]/", "another host"},
    {"http://[64:ff9b::192.168.1.1]/", "another host"},
});

TEST(http_target, q_130_ipv4_only_to_the_address_that_answered) {
  for (const url_case& c : other_host_cases) {
    EXPECT_EQ(where(resolve_url(c.url, "", rule_v4())), c.expected) << c.url;
  }
}

/// Each of them is refused even when the datagram claims to come from there.
constexpr auto forbidden_hosts = std::to_array<std::string_view>({
    "127.0.0.1",
    "127.255.0.9",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "0.0.0.0",
    "[::]",
    "[::ffff:0.0.0.0]",
    "224.0.0.1",
    "239.255.255.250",
    "[ff02::c]",
    "[::ffff:239.255.255.250]",
    "169.254.1.1",
    "[::ffff:169.254.1.1]",
    "192.168.1.10",
    "[::ffff:192.168.1.10]",
    "[2001:db8::10]",
    "[fe80::10]",
});

TEST(http_target, q_130_never_to_loopback_groups_link_local_v4_or_this_host) {
  for (const std::string_view host : forbidden_hosts) {
    const std::string url = "http://" + std::string{host} + ":5000/x";
    const std::string_view bare = host.starts_with('[') ? host.substr(1, host.size() - 2) : host;
    const url_rule rule{.answered_from = address(bare), .own_addresses = own};
    EXPECT_EQ(where(resolve_url(url, "", rule)), "forbidden address") << url;
    const auto from_the_gateway = resolve_url(url, "", rule_v4());
    EXPECT_FALSE(from_the_gateway) << url;
  }
}

// IPv6
// ----------------------------------------------------------------------------------------

constexpr auto v6_cases = std::to_array<url_case>({
    {"http://[fe80::1]:5000/rootDesc.xml", "[fe80::1%7]:5000 /rootDesc.xml"},
    // Q-84, Q-120: the address of another scope, which could not be used or not be matched
    {"http://[fd00::1]:5000/rootDesc.xml", "[fe80::1%7]:5000 /rootDesc.xml"},
    {"http://[2001:db8::1]/x?y", "[fe80::1%7]:80 /x?y"},
    {"http://192.168.1.1:5000/x", "[fe80::1%7]:5000 /x"},
    // wherever else it points to, only port and path of it are used
    {"http://[2001:db8:ffff::666]:22/x", "[fe80::1%7]:22 /x"},
    {"http://[::1]:631/", "[fe80::1%7]:631 /"},
    {"http://127.0.0.1:631/", "[fe80::1%7]:631 /"},
    // a zone means something on the device only
    {"http://[fe80::1%25eth0]:5000/x", "[fe80::1%7]:5000 /x"},
    {"http://[fe80::1%br-lan]:5000/x%20y", "[fe80::1%7]:5000 /x%20y"},
    {"http://router.lan:5000/x", "not a plain address"},
    {"http://[fe80::1]:0/x", "bad port"},
});

TEST(http_target, q_130_ipv6_to_the_source_of_the_datagram_whatever_the_url_names) {
  for (const url_case& c : v6_cases) {
    EXPECT_EQ(where(resolve_url(c.url, "", rule_v6())), c.expected) << c.url;
  }
}

TEST(http_target, q_107_host_header_is_numeric_with_port_and_without_scope) {
  EXPECT_EQ(host_header({gateway_v4, 80}), "192.168.1.1:80");
  EXPECT_EQ(host_header({gateway_v6, 5000}), "[fe80::1]:5000");
  const auto got = resolve_url("http://[fd00::1]:5000/x", "", rule_v6());
  ASSERT_TRUE(got);
  EXPECT_EQ(got->host, "[fe80::1]:5000");
  EXPECT_EQ(got->url, "http://[fd00::1]:5000/x");
}

// What the user named
// ----------------------------------------------------------------------------------------

TEST(http_target, addresses_of_the_user_are_not_asked_for_anything) {
  const std::array named{address("127.0.0.1"), address("10.0.0.1"),
                         ip_address{address("fe80::2").to_v6(), 3}, address("fe80::1")};
  const url_rule v4{.answered_from = gateway_v4, .own_addresses = own, .user_addresses = named};
  EXPECT_EQ(where(resolve_url("http://127.0.0.1:5000/x", "", v4)), "127.0.0.1:5000 /x");
  EXPECT_EQ(where(resolve_url("http://10.0.0.1:5000/x", "", v4)), "10.0.0.1:5000 /x");
  EXPECT_EQ(where(resolve_url("http://10.0.0.2:5000/x", "", v4)), "another host");
  EXPECT_EQ(where(resolve_url("http://127.0.0.2:5000/x", "", v4)), "forbidden address");

  const url_rule v6{.answered_from = gateway_v6, .own_addresses = own, .user_addresses = named};
  // The user's scope where there is one, else that of the answer.
  EXPECT_EQ(where(resolve_url("http://[fe80::2]:5000/x", "", v6)), "[fe80::2%3]:5000 /x");
  EXPECT_EQ(where(resolve_url("http://[fe80::1]:5000/x", "", v6)), "[fe80::1%7]:5000 /x");
  EXPECT_EQ(where(resolve_url("http://10.0.0.1:5000/x", "", v6)), "10.0.0.1:5000 /x");

  // A gateway that the user put on loopback answers from there and names something else.
  const std::array loopback{address("::1")};
  const url_rule local{.answered_from = address("::1"), .user_addresses = loopback};
  EXPECT_EQ(where(resolve_url("http://[2001:db8::1]:5000/x", "", local)), "[::1]:5000 /x");
}

// Relative URLs
// ----------------------------------------------------------------------------------------

struct relative_case {
  std::string_view base;
  std::string_view url;
  std::string_view expected;
};

constexpr std::string_view location = "http://192.168.1.1:5000/desc/root.xml?id=7";

constexpr auto relative_cases = std::to_array<relative_case>({
    // Q-96: every shape
    {location, "/ctl/IPConn", "192.168.1.1:5000 /ctl/IPConn"},
    {location, "ctl/IPConn", "192.168.1.1:5000 /desc/ctl/IPConn"},
    {location, "./ctl", "192.168.1.1:5000 /desc/ctl"},
    {location, "../ctl", "192.168.1.1:5000 /ctl"},
    {location, "../../../ctl", "192.168.1.1:5000 /ctl"},
    {location, "/../../ctl", "192.168.1.1:5000 /ctl"},
    {location, "/..", "192.168.1.1:5000 /"},
    {location, "/a/./b/../c", "192.168.1.1:5000 /a/c"},
    {location, "/a//../b/.", "192.168.1.1:5000 /a/b/"},
    {location, ".", "192.168.1.1:5000 /desc/"},
    {location, "..", "192.168.1.1:5000 /"},
    {location, "x/%2e%2E/c%2f%41", "192.168.1.1:5000 /desc/x/%2e%2E/c%2f%41"},
    {location, "#part", "192.168.1.1:5000 /desc/root.xml?id=7"},
    {location, "/control?WANIPConnection", "192.168.1.1:5000 /control?WANIPConnection"},
    {location, "?WANIPConnection", "192.168.1.1:5000 /desc/root.xml?WANIPConnection"},
    {location, "\n  /ctl/IPConn\r\n\t ", "192.168.1.1:5000 /ctl/IPConn"},
    {location, "http://192.168.1.1:49152/ctl", "192.168.1.1:49152 /ctl"},
    {location, "http://192.168.1.1/ctl", "192.168.1.1:80 /ctl"},
    {location, "//192.168.1.1:80/ctl", "192.168.1.1:80 /ctl"},
    {location, "/uuid:1/WANIPConnection:1", "192.168.1.1:5000 /uuid:1/WANIPConnection:1"},
    {location, "", "192.168.1.1:5000 /desc/root.xml?id=7"},
    {location, "/x?u=http://[a]", "malformed"},
    {"http://192.168.1.1:49152", "ctl", "192.168.1.1:49152 /ctl"},
    {"http://192.168.1.1:49152", "/ctl", "192.168.1.1:49152 /ctl"},
    {"http://192.168.1.1:49152/", "/ctl", "192.168.1.1:49152 /ctl"},
    {"http://192.168.1.1:49152/", "//ctl", "not a plain address"},
    {"http://192.168.1.1:49152/a/", "b", "192.168.1.1:49152 /a/b"},
    {"http://192.168.1.1:49152?x", "b", "192.168.1.1:49152 /b"},
    {"http://192.168.1.1:49152", "?x", "192.168.1.1:49152 /?x"},
    {"http://192.168.1.1:49152/a/../b", "", "192.168.1.1:49152 /b"},

    // Q-130: the same rule again
    {location, "http://192.168.1.2:5000/ctl", "another host"},
    {location, "//evil.example/ctl", "not a plain address"},
    {location, "//192.168.1.2/ctl", "another host"},
    {location, "http://127.0.0.1:631/", "forbidden address"},
    {location, "https://192.168.1.1/ctl", "not http"},
    {location, "javascript:alert(1)", "not http"},

    {"no URL", "/ctl", "malformed"},
    {"/relative", "/ctl", "not http"},
    {"https://192.168.1.1/", "/ctl", "not http"},
});

TEST(http_target, q_096_relative_urls_by_rfc_3986) {
  for (const relative_case& c : relative_cases) {
    EXPECT_EQ(where(resolve_url(c.url, c.base, rule_v4())), c.expected) << c.base << " + " << c.url;
  }
}

TEST(http_target, q_096_relative_urls_keep_the_port_of_an_ipv6_location_and_its_source) {
  EXPECT_EQ(where(resolve_url("/ctl", "http://[fd00::1]:5000/root.xml", rule_v6())),
            "[fe80::1%7]:5000 /ctl");
  EXPECT_EQ(where(resolve_url("ctl", "http://[fe80::1%25eth0]:5000/d/root.xml", rule_v6())),
            "[fe80::1%7]:5000 /d/ctl");
}

TEST(http_target, what_comes_out_can_be_the_base_of_the_next) {
  const auto first = resolve_url("http://192.168.1.1:5000/a/root.xml#part", "", rule_v4());
  ASSERT_TRUE(first);
  const auto redirected = resolve_url("../b/root.xml", first->url, rule_v4());
  ASSERT_TRUE(redirected);
  EXPECT_EQ(redirected->url, "http://192.168.1.1:5000/b/root.xml");
  EXPECT_EQ(where(resolve_url("ctl", redirected->url, rule_v4())), "192.168.1.1:5000 /b/ctl");
}

struct base_case {
  std::string_view url_base;
  std::string_view expected;
};

constexpr auto base_cases = std::to_array<base_case>({
    {"", location},
    {" \n ", location},
    {"http://192.168.1.1:49152", "http://192.168.1.1:49152"},
    {"\nhttp://192.168.1.1:49152/\n", "http://192.168.1.1:49152/"},
    {"http://192.168.1.1:49152/sub/", "http://192.168.1.1:49152/sub/"},
    {"/sub/", "http://192.168.1.1:5000/sub/"},
    {"http://192.168.1.2:49152/", location},
    {"http://127.0.0.1/", location},
    {"http://router/", location},
    {"https://192.168.1.1/", location},
    {"nonsense{}", location},
});

TEST(http_target, q_095_url_base_counts_only_if_it_passes_the_rule) {
  for (const base_case& c : base_cases) {
    EXPECT_EQ(description_base(c.url_base, location, rule_v4()), c.expected) << c.url_base;
  }
}

TEST(http_target, q_097_too_long_is_refused_and_never_cut) {
  std::string longest{"http://192.168.1.1/"};
  longest.append(url_bytes - longest.size(), 'x');
  const auto got = resolve_url(longest, "", rule_v4());
  ASSERT_TRUE(got);
  EXPECT_EQ(got->path.size(), url_bytes - std::string_view{"http://192.168.1.1"}.size());
  EXPECT_EQ(where(resolve_url(longest + "x", "", rule_v4())), "too long");
  EXPECT_EQ(where(resolve_url("/ctl", longest + "x", rule_v4())), "too long");
  EXPECT_EQ(where(resolve_url("  " + longest + "\r\n", "", rule_v4())), where(got));

  // Each part short enough, but not what they make together.
  const std::string deep = "http://192.168.1.1/" + std::string(1500, 'd') + "/root.xml";
  EXPECT_EQ(where(resolve_url(std::string(1000, 'x'), deep, rule_v4())), "too long");
  EXPECT_NE(where(resolve_url(std::string(500, 'x'), deep, rule_v4())), "too long");
}

TEST(http_target, each_refusal_has_a_name_of_its_own) {
  std::set<std::string_view> seen;
  for (const url_refusal refusal :
       {url_refusal::too_long, url_refusal::malformed, url_refusal::not_http,
        url_refusal::names_user, url_refusal::host_name, url_refusal::bad_port,
        url_refusal::forbidden_address, url_refusal::other_host}) {
    EXPECT_TRUE(seen.insert(to_string(refusal)).second) << to_string(refusal);
  }
}

}  // namespace
}  // namespace damson
