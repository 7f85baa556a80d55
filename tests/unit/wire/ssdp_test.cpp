#include "wire/ssdp.hpp"

#include <array>
#include <cstddef>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace damson {
namespace {

std::string text_of(const std::vector<std::byte>& bytes) {
  std::string out;
  for (const std::byte b : bytes) out += static_cast<char>(b);
  return out;
}

std::expected<ssdp_message, decode_error> decode(std::string_view text) {
  return decode_ssdp(std::as_bytes(std::span{text}));
}

void expect_error(std::string_view text, decode_error expected) {
  const auto got = decode(text);
  ASSERT_FALSE(got) << text;
  EXPECT_EQ(to_string(got.error()), to_string(expected)) << text;
}

// Searches
// ----------------------------------------------------------------------------------------

TEST(ssdp_encode, q_076_search_of_the_group_as_the_strictest_reader_wants_it) {
  EXPECT_EQ(text_of(encode(search_request{search_target::gateway_1, {ssdp_group_v4, ssdp_port}})),
            "M-SEARCH * HTTP/1.1\r\n"
            "HOST: 239.255.255.250:1900\r\n"  // with its port
            "MAN: \"ssdp:discover\"\r\n"      // in quotes
            "MX: 2\r\n"                       // 1..5
            "ST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n"
            "\r\n");  // one empty line, nothing behind it
}

TEST(ssdp_encode, q_073_search_of_one_device_names_it_and_keeps_mx) {
  const endpoint gateway{*ip_address::parse("192.168.1.1"), ssdp_port};
  EXPECT_EQ(text_of(encode(search_request{search_target::root_device, gateway})),
            "M-SEARCH * HTTP/1.1\r\n"
            "HOST: 192.168.1.1:1900\r\n"
            "MAN: \"ssdp:discover\"\r\n"
            "MX: 2\r\n"
            "ST: upnp:rootdevice\r\n"
            "\r\n");
}

TEST(ssdp_encode, q_084_groups_of_ipv6_in_brackets_and_without_scope) {
  const ip_address scoped{ssdp_group_link_local.to_v6(), 3};
  EXPECT_EQ(text_of(encode(search_request{search_target::ip_connection_2, {scoped, ssdp_port}})),
            "M-SEARCH * HTTP/1.1\r\n"
            "HOST: [ff02::c]:1900\r\n"
            "MAN: \"ssdp:discover\"\r\n"
            "MX: 2\r\n"
            "ST: urn:schemas-upnp-org:service:WANIPConnection:2\r\n"
            "\r\n");
  EXPECT_EQ(to_string(ssdp_group_site_local), "ff05::c");
}

TEST(ssdp_encode, q_070_asks_for_gateways_by_name_and_never_for_all) {
  std::vector<std::string_view> names;
  names.reserve(search_targets.size());
  for (const search_target target : search_targets) names.push_back(to_string(target));
  EXPECT_EQ(names, (std::vector<std::string_view>{
                       "urn:schemas-upnp-org:device:InternetGatewayDevice:1",
                       "urn:schemas-upnp-org:device:InternetGatewayDevice:2",
                       "urn:schemas-upnp-org:service:WANIPConnection:1",
                       "urn:schemas-upnp-org:service:WANIPConnection:2",
                       "urn:schemas-upnp-org:service:WANPPPConnection:1",
                       "upnp:rootdevice",
                   }));
}

// Answers
// ----------------------------------------------------------------------------------------

constexpr std::string_view whole_answer =
    "HTTP/1.1 200 OK\r\n"
    "CACHE-CONTROL: max-age=120\r\n"
    "ST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n"
    "USN: uuid:0000e068-20a0-00e0-20a0-48a802086048::urn:schemas-upnp-org:device:"
    "InternetGatewayDevice:1\r\n"
    "EXT:\r\n"
    "SERVER: Linux/4.4 UPnP/1.1 Router/1.0\r\n"
    "LOCATION: http://192.168.1.1:5000/rootDesc.xml\r\n"
    "OPT: \"http://schemas.upnp.org/upnp/1/0/\"; ns=01\r\n"
    "01-NLS: 1\r\n"
    "BOOTID.UPNP.ORG: 1466541239\r\n"
    "CONFIGID.UPNP.ORG: 1337\r\n"
    "\r\n";

TEST(ssdp_decode, answer_to_a_search) {
  const auto got = decode(whole_answer);
  ASSERT_TRUE(got);
  EXPECT_EQ(*got, (ssdp_message{
                      .kind = ssdp_kind::answer,
                      .location = "http://192.168.1.1:5000/rootDesc.xml",
                      .target = "urn:schemas-upnp-org:device:InternetGatewayDevice:1",
                      .unique_name = "uuid:0000e068-20a0-00e0-20a0-48a802086048::"
                                     "urn:schemas-upnp-org:device:InternetGatewayDevice:1",
                      .server = "Linux/4.4 UPnP/1.1 Router/1.0",
                      .boot_id = 1'466'541'239,
                  }));
}

struct spelling {
  std::string_view what;
  std::string_view datagram;
};

/// All say the same.
constexpr std::string_view spelled_location = "http://10.0.0.138:80/d.xml";
constexpr std::string_view spelled_target = "urn:schemas-upnp-org:service:WANPPPConnection:1";
constexpr auto spellings = std::to_array<spelling>({
    {"lower case",
     "http/1.1 200 ok\r\nlocation: http://10.0.0.138:80/d.xml\r\n"
     "st: urn:schemas-upnp-org:service:WANPPPConnection:1\r\n\r\n"},
    {"mixed case, HTTP/1.0",
     "HTTP/1.0 200 OK\r\nLocation: http://10.0.0.138:80/d.xml\r\n"
     "St: urn:schemas-upnp-org:service:WANPPPConnection:1\r\n\r\n"},
    {"no space after the colon, no reason phrase",
     "HTTP/1.1 200\r\nLOCATION:http://10.0.0.138:80/d.xml\r\n"
     "ST:urn:schemas-upnp-org:service:WANPPPConnection:1\r\n\r\n"},
    {"much space around everything",
     "HTTP/1.1  200  OK\r\nLOCATION \t:  http://10.0.0.138:80/d.xml \t \r\n"
     "ST :\turn:schemas-upnp-org:service:WANPPPConnection:1  \r\n\r\n"},
    {"LF alone",
     "HTTP/1.1 200 OK\nLOCATION: http://10.0.0.138:80/d.xml\n"
     "ST: urn:schemas-upnp-org:service:WANPPPConnection:1\n\n"},
    {"no empty line",
     "HTTP/1.1 200 OK\r\nLOCATION: http://10.0.0.138:80/d.xml\r\n"
     "ST: urn:schemas-upnp-org:service:WANPPPConnection:1\r\n"},
    {"no final line end",
     "HTTP/1.1 200 OK\r\nST: urn:schemas-upnp-org:service:WANPPPConnection:1\r\n"
     "LOCATION: http://10.0.0.138:80/d.xml"},
    {"final CR without LF",
     "HTTP/1.1 200 OK\r\nST: urn:schemas-upnp-org:service:WANPPPConnection:1\r\n"
     "LOCATION: http://10.0.0.138:80/d.xml\r"},
    {"empty SERVER, and a User-Agent that talks of st: and location:",
     "HTTP/1.1 200 OK\r\nUser-Agent: st:nothing location:nowhere\r\nSERVER:\r\n"
     "LOCATION: http://10.0.0.138:80/d.xml\r\n"
     "ST: urn:schemas-upnp-org:service:WANPPPConnection:1\r\n\r\n"},
    {"a header twice: the first counts",
     "HTTP/1.1 200 OK\r\nLOCATION: http://10.0.0.138:80/d.xml\r\n"
     "ST: urn:schemas-upnp-org:service:WANPPPConnection:1\r\n"
     "ST: upnp:rootdevice\r\nLOCATION: http://10.0.0.6/\r\n\r\n"},
    {"a header twice: the first that is not empty counts",
     "HTTP/1.1 200 OK\r\nLOCATION:\r\nST: \r\nLOCATION: http://10.0.0.138:80/d.xml\r\n"
     "ST: urn:schemas-upnp-org:service:WANPPPConnection:1\r\n\r\n"},
    {"lines that are no headers, and one that goes on with the line before",
     "HTTP/1.1 200 OK\r\nnonsense\r\n: no name\r\nX-Long: one\r\n LOCATION: http://10.0.0.6/\r\n"
     "\tST: upnp:rootdevice\r\nLOCATION: http://10.0.0.138:80/d.xml\r\n"
     "ST: urn:schemas-upnp-org:service:WANPPPConnection:1\r\n\r\n"},
    {"what follows the empty line is not read",
     "HTTP/1.1 200 OK\r\nST: urn:schemas-upnp-org:service:WANPPPConnection:1\r\n"
     "LOCATION: http://10.0.0.138:80/d.xml\r\n\r\nLOCATION: http://10.0.0.6/\r\n\x01\xff"},
});

TEST(ssdp_decode, q_078_header_spelling) {
  for (const spelling& s : spellings) {
    const auto got = decode(s.datagram);
    ASSERT_TRUE(got) << s.what << ": " << to_string(got.error());
    EXPECT_EQ(got->kind, ssdp_kind::answer) << s.what;
    EXPECT_EQ(got->location, spelled_location) << s.what;
    EXPECT_EQ(got->target, spelled_target) << s.what;
    EXPECT_EQ(got->server, "") << s.what;
    EXPECT_EQ(got->boot_id, std::nullopt) << s.what;
  }
}

TEST(ssdp_decode, q_079_nonsense_of_a_neighbour_is_an_error_and_no_more) {
  expect_error("", decode_error::not_a_response);
  expect_error("\r\n", decode_error::not_a_response);
  expect_error("status=ok", decode_error::not_a_response);
  expect_error("HTTP/1.1", decode_error::not_a_response);
  expect_error("HTTP/1.1 200OK\r\nLOCATION: http://10.0.0.1/\r\n\r\n",
               decode_error::not_a_response);
  expect_error("HTTP/1.1 404 Not Found\r\nLOCATION: http://10.0.0.1/\r\n\r\n",
               decode_error::not_a_response);
  expect_error("HTTP/1.1 200 OK\r\n\r\n", decode_error::missing_field);
  expect_error("HTTP/1.1 200 OK\r\nLOCATION:\r\nST: upnp:rootdevice\r\n\r\n",
               decode_error::missing_field);
}

TEST(ssdp_decode, searches_of_others_are_no_answers) {
  expect_error(
      "M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\n"
      "ST: ssdp:all\r\n\r\n",
      decode_error::not_a_response);
}

TEST(ssdp_decode, q_080_bounds) {
  std::string long_one{"HTTP/1.1 200 OK\r\nLOCATION: http://10.0.0.1/\r\nX: "};
  long_one.append(2048 - long_one.size(), 'x');
  EXPECT_TRUE(decode(long_one));
  expect_error(long_one + "x", decode_error::too_long);

  std::string many_lines{"HTTP/1.1 200 OK\r\nLOCATION: http://10.0.0.1/\r\n"};
  for (int i = 2; i < 64; ++i) many_lines += "X: x\r\n";
  EXPECT_TRUE(decode(many_lines + "\r\n"));
  expect_error(many_lines + "X: x\r\n\r\n", decode_error::too_many_elements);
}

TEST(ssdp_decode, q_140_no_control_or_foreign_character_in_the_location) {
  for (const std::string_view bad : {"\x01", "\r", "\x7f", "\x80", "\xc3\xa9", "\t"}) {
    std::string datagram{"HTTP/1.1 200 OK\r\nLOCATION: http://10.0.0.1/"};
    datagram += bad;
    datagram += "x\r\nST: upnp:rootdevice\r\n\r\n";
    expect_error(datagram, decode_error::bad_character);
  }
  using namespace std::string_view_literals;
  expect_error("HTTP/1.1 200 OK\r\nLOCATION: http://10.0.0.1/\0x\r\n\r\n"sv,
               decode_error::bad_character);
}

TEST(ssdp_decode, q_140_other_values_with_such_characters_count_as_missing) {
  const auto got = decode(
      "HTTP/1.1 200 OK\r\nLOCATION: http://10.0.0.1/\r\nST: upnp:root\x01"
      "device\r\nUSN: uuid:\xff\r\nBOOTID.UPNP.ORG: -1\r\nSERVER: b\xf6se\r\n\r\n");
  ASSERT_TRUE(got);
  EXPECT_EQ(got->target, "");
  EXPECT_EQ(got->unique_name, "");
  EXPECT_EQ(got->boot_id, std::nullopt);
  EXPECT_EQ(got->server, "b\xf6se");  // for people, who will see it escaped
}

// Announcements
// ----------------------------------------------------------------------------------------

TEST(ssdp_decode, q_082_alive_is_as_good_as_an_answer) {
  const auto got = decode(
      "NOTIFY * HTTP/1.1\r\n"
      "HOST: 239.255.255.250:1900\r\n"
      "CACHE-CONTROL: max-age=1800\r\n"
      "LOCATION: http://192.168.1.1:49152/gatedesc.xml\r\n"
      "NT: urn:schemas-upnp-org:device:InternetGatewayDevice:2\r\n"
      "NTS: ssdp:alive\r\n"
      "SERVER: x\r\n"
      "USN: uuid:1::urn:schemas-upnp-org:device:InternetGatewayDevice:2\r\n"
      "ST: upnp:rootdevice\r\n"  // not what counts in a NOTIFY
      "\r\n");
  ASSERT_TRUE(got);
  EXPECT_EQ(got->kind, ssdp_kind::alive);
  EXPECT_EQ(got->location, "http://192.168.1.1:49152/gatedesc.xml");
  EXPECT_EQ(got->target, "urn:schemas-upnp-org:device:InternetGatewayDevice:2");
}

TEST(ssdp_decode, q_082_byebye_needs_no_location_but_a_name) {
  const auto got = decode(
      "NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nNT: upnp:rootdevice\r\n"
      "NTS: ssdp:byebye\r\nUSN: uuid:1::upnp:rootdevice\r\n\r\n");
  ASSERT_TRUE(got);
  EXPECT_EQ(got->kind, ssdp_kind::byebye);
  EXPECT_EQ(got->location, "");
  EXPECT_EQ(got->unique_name, "uuid:1::upnp:rootdevice");
  expect_error("NOTIFY * HTTP/1.1\r\nNTS: ssdp:byebye\r\n\r\n", decode_error::missing_field);
}

TEST(ssdp_decode, announcements_of_another_kind_are_passed_over) {
  expect_error("NOTIFY * HTTP/1.1\r\nLOCATION: http://10.0.0.1/\r\nNTS: ssdp:update\r\n\r\n",
               decode_error::not_a_response);
  expect_error("NOTIFY * HTTP/1.1\r\nLOCATION: http://10.0.0.1/\r\n\r\n",
               decode_error::not_a_response);
  expect_error("NOTIFY * HTTP/1.1\r\nNT: upnp:rootdevice\r\nNTS: ssdp:alive\r\n\r\n",
               decode_error::missing_field);
}

// Ranks
// ----------------------------------------------------------------------------------------

struct rank_case {
  std::string_view target;
  device_rank expected;
};

constexpr auto rank_cases = std::to_array<rank_case>({
    // any version, whichever was asked for
    {"urn:schemas-upnp-org:device:InternetGatewayDevice:1", {device_likelihood::gateway, 1}},
    {"urn:schemas-upnp-org:device:InternetGatewayDevice:2", {device_likelihood::gateway, 2}},
    {"urn:schemas-upnp-org:service:WANIPConnection:1", {device_likelihood::gateway, 1}},
    {"urn:schemas-upnp-org:service:WANIPConnection:2", {device_likelihood::gateway, 2}},
    {"urn:schemas-upnp-org:service:WANPPPConnection:1", {device_likelihood::gateway, 1}},
    {"urn:schemas-upnp-org:device:InternetGatewayDevice", {device_likelihood::gateway, 1}},
    {"URN:Schemas-UPnP-Org:Device:internetgatewaydevice:3", {device_likelihood::gateway, 3}},
    {"urn:dslforum-org:device:InternetGatewayDevice:1", {device_likelihood::gateway, 1}},
    {"upnp:rootdevice", {device_likelihood::possible, 0}},
    {"UPNP:RootDevice", {device_likelihood::possible, 0}},
    // Wi-Fi set-up
    {"urn:schemas-wifialliance-org:device:WFADevice:1", {}},
    {"urn:schemas-wifialliance-org:service:WFAWLANConfig:1", {}},
    {"urn:schemas-upnp-org:device:MediaServer:1", {}},
    {"urn:schemas-upnp-org:service:InternetGatewayDevice:1", {}},
    {"urn:schemas-upnp-org:device:InternetGatewayDevice:x", {}},
    {"urn:schemas-upnp-org:device:InternetGatewayDevice:99999", {}},
    {"urn:schemas-upnp-org:device:InternetGatewayDeviceX:1", {}},
    {"urn:schemas-upnp-org:device", {}},
    {"uuid:0000e068-20a0-00e0-20a0-48a802086048", {}},
    {"ssdp:all", {}},
    {"", {}},
});

TEST(ssdp_rank, q_071_urn_is_compared_up_to_the_version) {
  for (const rank_case& c : rank_cases) {
    ssdp_message message;
    message.target = c.target;
    EXPECT_EQ(rank_of(message), c.expected) << c.target;
  }
}

TEST(ssdp_rank, q_080_higher_versions_first_and_every_gateway_before_other_devices) {
  const device_rank unlikely{};
  const device_rank possible{device_likelihood::possible, 0};
  const device_rank version_1{device_likelihood::gateway, 1};
  const device_rank version_2{device_likelihood::gateway, 2};
  EXPECT_LT(unlikely, possible);
  EXPECT_LT(possible, version_1);
  EXPECT_LT(version_1, version_2);
}

}  // namespace
}  // namespace damson
