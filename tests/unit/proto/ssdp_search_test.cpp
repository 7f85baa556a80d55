// When searches are sent, and which answers are worth following.

#include "proto/ssdp_search.hpp"

#include <algorithm>
#include <chrono>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace damson {
namespace {

using namespace std::chrono_literals;
using heard = ssdp_search::heard;

constexpr time_point start{1'000h};
constexpr ip_address gateway{ip_address::v4_bytes{192, 168, 1, 1}};
constexpr ip_address host{ip_address::v4_bytes{192, 168, 1, 100}};
constexpr ip_address away{ip_address::v4_bytes{192, 168, 2, 1}};

constexpr ip_address neighbour(unsigned number) {
  return ip_address{ip_address::v4_bytes{192, 168, 1, static_cast<std::uint8_t>(number)}};
}

search_place place() {
  return {
      .gateway = gateway, .on_link = {{host, 24}}, .own_addresses = {host}, .user_addresses = {}};
}

std::string text_of(std::span<const std::byte> message) {
  std::string out;
  for (const std::byte byte : message) out += static_cast<char>(byte);
  return out;
}

std::vector<std::byte> bytes_of(std::string_view text) {
  const auto bytes = std::as_bytes(std::span{text});
  return {bytes.begin(), bytes.end()};
}

constexpr std::string_view gateway_1 = "urn:schemas-upnp-org:device:InternetGatewayDevice:1";
constexpr std::string_view gateway_2 = "urn:schemas-upnp-org:device:InternetGatewayDevice:2";
constexpr std::string_view root = "upnp:rootdevice";

std::vector<std::byte> answer(std::string_view location, std::string_view target = gateway_1) {
  return bytes_of("HTTP/1.1 200 OK\r\nST: " + std::string{target} +
                  "\r\nSERVER: a box\r\nBOOTID.UPNP.ORG: 7\r\nLOCATION: " + std::string{location} +
                  "\r\n\r\n");
}

/// From the place that the location names.
heard hear(ssdp_search& search, const ip_address& from, std::string_view path = "/a.xml",
           std::string_view target = gateway_1) {
  return search.on_datagram(
      {from, 1900}, answer("http://" + to_string(from) + ":80" + std::string{path}, target));
}

struct step {
  std::chrono::milliseconds at;
  std::string target;

  friend bool operator==(const step&, const step&) = default;
  friend std::ostream& operator<<(std::ostream& out, const step& value) {
    return out << value.at.count() << " ms " << value.target;
  }
};

/// Runs the search on its own clock. Every step goes to the gateway first and then to the group.
std::vector<step> schedule_of(ssdp_search& search) {
  std::vector<step> out;
  while (const auto due = search.next_due()) {
    EXPECT_TRUE(search.due(*due - 1ns).empty());
    const auto messages = search.due(*due);
    EXPECT_EQ(messages.size(), 2U);
    if (messages.size() != 2 || out.size() > 100) break;
    EXPECT_EQ(messages[0].to, (endpoint{gateway, 1900}));
    EXPECT_EQ(messages[1].to, (endpoint{ssdp_group_v4, 1900}));
    const std::string text = text_of(messages[1].bytes);
    const std::size_t begin = text.find("\nST: ") + 5;
    out.push_back({std::chrono::duration_cast<std::chrono::milliseconds>(*due - start),
                   text.substr(begin, text.find('\r', begin) - begin)});
  }
  return out;
}

// ---------------------------------------------------------------------------------------------
// What is sent, and when

TEST(ssdp_search, asks_the_gateway_first_in_its_own_words) {
  ssdp_search search(place(), start);
  const auto sent = search.due(start);
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_EQ(text_of(sent[0].bytes),
            "M-SEARCH * HTTP/1.1\r\n"
            "HOST: 192.168.1.1:1900\r\n"
            "MAN: \"ssdp:discover\"\r\n"
            "MX: 2\r\n"
            "ST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n"
            "\r\n");
  EXPECT_EQ(text_of(sent[1].bytes),
            "M-SEARCH * HTTP/1.1\r\n"
            "HOST: 239.255.255.250:1900\r\n"
            "MAN: \"ssdp:discover\"\r\n"
            "MX: 2\r\n"
            "ST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n"
            "\r\n");
}

TEST(ssdp_search, sends_one_target_at_a_time_in_four_rounds) {
  ssdp_search search(place(), start);
  const std::string d = "urn:schemas-upnp-org:device:InternetGatewayDevice:";
  const std::string ip = "urn:schemas-upnp-org:service:WANIPConnection:";
  const std::string ppp = "urn:schemas-upnp-org:service:WANPPPConnection:";
  const std::string all = "upnp:rootdevice";
  const std::vector<step> expected{
      {0ms, d + "1"},
      {100ms, d + "2"},
      {200ms, ip + "1"},
      {300ms, ip + "2"},
      {400ms, ppp + "1"},
      {500ms, all},
      // The round that would begin at 500 ms waits for the one before.
      {600ms, d + "1"},
      {700ms, d + "2"},
      {800ms, ip + "1"},
      {900ms, ip + "2"},
      {1000ms, ppp + "1"},
      {1100ms, all},
      {1200ms, d + "1"},
      {1300ms, d + "2"},
      {1400ms, ip + "1"},
      {1500ms, ip + "2"},
      {1600ms, ppp + "1"},
      {1700ms, all},
      {2000ms, d + "1"},
      {2100ms, d + "2"},
      {2200ms, ip + "1"},
      {2300ms, ip + "2"},
      {2400ms, ppp + "1"},
      {2500ms, all},
  };
  EXPECT_EQ(schedule_of(search), expected);
  EXPECT_EQ(search.next_due(), std::nullopt);
  EXPECT_EQ(search.ends_at(), start + 4s);
  EXPECT_EQ(search.began(), start);
}

TEST(ssdp_search, that_is_brief_has_one_round_and_listens_as_long) {
  ssdp_search search(place(), start, true);
  const auto sent = schedule_of(search);
  ASSERT_EQ(sent.size(), search_targets.size());
  EXPECT_EQ(sent.back().at, 500ms);
  EXPECT_EQ(search.ends_at(), start + 4s);
}

TEST(ssdp_search, that_comes_late_keeps_its_gaps) {
  ssdp_search search(place(), start);
  search.due(start + 1s);
  EXPECT_EQ(search.next_due(), start + 1100ms);
  EXPECT_TRUE(search.due(start + 1099ms).empty());
  EXPECT_EQ(search.due(start + 1100ms).size(), 2U);
}

// ---------------------------------------------------------------------------------------------
// Who is heard

TEST(ssdp_search, takes_what_the_answer_says) {
  ssdp_search search(place(), start);
  EXPECT_FALSE(search.has_candidate());
  EXPECT_EQ(search.take(), std::nullopt);
  EXPECT_EQ(search.on_datagram({gateway, 55'618},  // from any port
                               answer("http://192.168.1.1:5000/rootDesc.xml", gateway_2)),
            heard::candidate);
  EXPECT_TRUE(search.has_candidate());
  const auto found = search.take();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->answered_from, gateway);
  EXPECT_EQ(found->description.server, (endpoint{gateway, 5000}));
  EXPECT_EQ(found->description.path, "/rootDesc.xml");
  EXPECT_TRUE(found->is_gateway);
  EXPECT_EQ(found->rank, (device_rank{device_likelihood::gateway, 2}));
  EXPECT_EQ(found->boot_id, 7U);
  EXPECT_EQ(found->server, "a box");
  EXPECT_FALSE(search.has_candidate());
  EXPECT_EQ(search.take(), std::nullopt);
}

TEST(ssdp_search, judges_each_answer) {
  struct judgement {
    ip_address from;
    std::string text;
    heard expected;
  };
  const std::string head = "HTTP/1.1 200 OK\r\nST: upnp:rootdevice\r\n";
  const std::string here = "LOCATION: http://192.168.1.1/a\r\n\r\n";
  for (const auto& [from, text, expected] : std::vector<judgement>{
           {gateway, head + here, heard::candidate},
           {gateway, "", heard::malformed},
           {gateway, head + "\r\n", heard::malformed},
           {gateway, "NOTIFY * HTTP/1.1\r\nNTS: ssdp:alive\r\nNT: upnp:rootdevice\r\n" + here,
            heard::malformed},
           {gateway, "HTTP/1.1 200 OK\r\nST: urn:x-y:device:WFADevice:1\r\n" + here,
            heard::unusable},
           {gateway, head + "LOCATION: http://192.168.1.2/a\r\n\r\n", heard::unusable},
           {gateway, head + "LOCATION: http://127.0.0.1/a\r\n\r\n", heard::unusable},
           {gateway, head + "LOCATION: /a\r\n\r\n", heard::unusable},
           {neighbour(2), head + here, heard::unusable},
           {away, head + "LOCATION: http://192.168.2.1/a\r\n\r\n", heard::off_link},
           {away, "", heard::off_link},
           {host, head + "LOCATION: http://192.168.1.100/a\r\n\r\n", heard::off_link},
       }) {
    ssdp_search search(place(), start);
    EXPECT_EQ(search.on_datagram({from, 1900}, bytes_of(text)), expected) << from << '\n' << text;
    EXPECT_EQ(search.has_candidate(), expected == heard::candidate);
  }
}

TEST(ssdp_search, believes_the_gateway_and_the_user_wherever_they_are) {
  search_place where = place();
  where.gateway = away;
  ssdp_search by_route(where, start);
  EXPECT_EQ(hear(by_route, away), heard::candidate);
  where = place();
  where.user_addresses = {away};
  ssdp_search by_user(where, start);
  EXPECT_EQ(hear(by_user, away), heard::candidate);
  EXPECT_FALSE(by_user.take()->is_gateway);
}

TEST(ssdp_search, knows_each_of_its_links) {
  search_place where = place();
  where.on_link = {{host, 32}, {ip_address{ip_address::v4_bytes{10, 0, 0, 5}}, 8}};
  ssdp_search search(where, start);
  EXPECT_EQ(hear(search, neighbour(2)), heard::off_link);
  EXPECT_EQ(hear(search, ip_address{ip_address::v4_bytes{10, 200, 0, 1}}), heard::candidate);
}

// ---------------------------------------------------------------------------------------------
// Which one is taken

TEST(ssdp_search, takes_the_gateway_first_and_then_by_rank) {
  ssdp_search search(place(), start);
  hear(search, neighbour(2), "/a", root);
  hear(search, neighbour(3), "/a", gateway_1);
  hear(search, neighbour(4), "/a", gateway_2);
  hear(search, gateway, "/a", root);
  EXPECT_EQ(search.take()->answered_from, gateway);
  EXPECT_EQ(search.take()->answered_from, neighbour(4));
  EXPECT_EQ(search.take()->answered_from, neighbour(3));
  EXPECT_EQ(search.take()->answered_from, neighbour(2));
  EXPECT_EQ(search.take(), std::nullopt);
}

TEST(ssdp_search, knows_a_device_by_its_location) {
  ssdp_search search(place(), start);
  EXPECT_EQ(hear(search, gateway, "/a", root), heard::candidate);
  EXPECT_EQ(hear(search, gateway, "/a", root), heard::duplicate);
  EXPECT_EQ(hear(search, gateway, "/b", root), heard::candidate);
  // What it is called best counts.
  EXPECT_EQ(hear(search, gateway, "/b", gateway_2), heard::duplicate);
  EXPECT_EQ(hear(search, gateway, "/b", root), heard::duplicate);
  EXPECT_EQ(search.take()->description.path, "/b");
  EXPECT_EQ(search.take()->description.path, "/a");
  EXPECT_EQ(hear(search, gateway, "/a", gateway_2), heard::duplicate);
  EXPECT_FALSE(search.has_candidate()) << "one that was taken is not taken again";
}

TEST(ssdp_search, may_have_one_given_back) {
  ssdp_search search(place(), start);
  hear(search, neighbour(2));
  hear(search, neighbour(3));
  const auto taken = search.take();
  search.give_back(*taken);
  EXPECT_EQ(search.take()->answered_from, taken->answered_from);
  EXPECT_NE(search.take()->answered_from, taken->answered_from);
}

// ---------------------------------------------------------------------------------------------
// Bounds

TEST(ssdp_search, keeps_eight_of_one_host) {
  ssdp_search search(place(), start);
  for (unsigned i = 0; i < 100; ++i) {
    EXPECT_EQ(hear(search, gateway, "/" + std::to_string(i)),
              i < 8 ? heard::candidate : heard::unusable);
  }
  EXPECT_EQ(hear(search, neighbour(2)), heard::candidate);
}

TEST(ssdp_search, keeps_the_first_thirty_two) {
  ssdp_search search(place(), start);
  for (unsigned i = 2; i < 90; ++i) {
    EXPECT_EQ(hear(search, neighbour(i), "/a", gateway_2),
              i < 34 ? heard::candidate : heard::unusable);
  }
  EXPECT_EQ(hear(search, neighbour(2), "/a", gateway_2), heard::duplicate);
}

TEST(ssdp_search, has_room_for_the_gateway) {
  ssdp_search search(place(), start);
  for (unsigned i = 2; i < 90; ++i) hear(search, neighbour(i), "/a", gateway_2);
  EXPECT_EQ(hear(search, gateway, "/a", root), heard::candidate);
  EXPECT_EQ(search.take()->answered_from, gateway);
  std::size_t others = 0;
  while (search.take()) ++others;
  EXPECT_EQ(others, ssdp_search::most_candidates - 1);
}

TEST(ssdp_search, pushes_nobody_out_who_is_being_looked_at) {
  ssdp_search search(place(), start);
  for (unsigned i = 2; i < 34; ++i) hear(search, neighbour(i));
  std::vector<igd_candidate> taken;
  while (auto next = search.take()) taken.push_back(std::move(*next));
  ASSERT_EQ(taken.size(), ssdp_search::most_candidates);
  EXPECT_EQ(hear(search, gateway), heard::unusable);
  search.give_back(taken.front());
  EXPECT_EQ(hear(search, gateway), heard::candidate);
}

// -------------------------------------------------------------------------------------------------
TEST(ssdp_search, asks_and_hears_nobody_but_a_gateway_that_is_not_on_the_link) {
  search_place beyond = place();
  beyond.gateway = away;
  beyond.only_gateway = true;
  ssdp_search search{beyond, start};
  const auto messages = search.due(start);
  ASSERT_EQ(messages.size(), 1U);
  EXPECT_EQ(messages[0].to, (endpoint{away, 1900}));
  EXPECT_EQ(hear(search, neighbour(1)), heard::off_link);
  EXPECT_EQ(hear(search, away), heard::candidate);
  EXPECT_TRUE(search.take()->is_gateway);
}

// IPv6

constexpr std::uint32_t link = 3;  // the interface that the search leaves and hears through

constexpr ip_address v6(std::uint16_t first, std::uint16_t last, std::uint32_t scope = 0) {
  ip_address::v6_bytes bytes{};
  bytes[0] = static_cast<std::uint8_t>(first >> 8U);
  bytes[1] = static_cast<std::uint8_t>(first & 0xffU);
  bytes[14] = static_cast<std::uint8_t>(last >> 8U);
  bytes[15] = static_cast<std::uint8_t>(last & 0xffU);
  return ip_address{bytes, scope};
}

constexpr ip_address gateway_v6 = v6(0xfe80, 1, link);
constexpr ip_address host_v6 = v6(0x2001, 0x100);

search_place place_v6() {
  return {.gateway = gateway_v6,
          .on_link = {{host_v6, 64}},
          .own_addresses = {host_v6},
          .user_addresses = {}};
}

TEST(ssdp_search_v6, q_084_asks_the_gateway_and_both_groups_on_its_link) {
  ssdp_search search{place_v6(), start};
  const auto messages = search.due(start);
  ASSERT_EQ(messages.size(), 3U);
  EXPECT_EQ(messages[0].to, (endpoint{gateway_v6, 1900}));
  EXPECT_EQ(messages[1].to, (endpoint{v6(0xff02, 0xc, link), 1900}));
  EXPECT_EQ(messages[2].to, (endpoint{v6(0xff05, 0xc, link), 1900}));
  // The scope means nothing to the device, so it is not written.
  EXPECT_NE(text_of(messages[1].bytes).find("HOST: [ff02::c]:1900\r\n"), std::string::npos);
  EXPECT_NE(text_of(messages[2].bytes).find("HOST: [ff05::c]:1900\r\n"), std::string::npos);
}

TEST(ssdp_search_v6, q_084_connects_to_the_sender_with_its_scope_whatever_the_location_names) {
  for (const std::string_view named : {"[fe80::1]", "[fd12:3456::1]", "[2001::1]"}) {
    ssdp_search search{place_v6(), start};
    const auto location = "http://" + std::string{named} + ":5000/rootDesc.xml";
    ASSERT_EQ(search.on_datagram({gateway_v6, 1900}, answer(location)), heard::candidate) << named;
    const auto found = search.take();
    ASSERT_TRUE(found.has_value());
    EXPECT_EQ(found->description.server, (endpoint{gateway_v6, 5000}));
    EXPECT_TRUE(found->is_gateway);
  }
}

TEST(ssdp_search_v6, q_131_hears_link_local_neighbours_of_its_own_link_only) {
  const auto from = [](const ip_address& sender) {
    ssdp_search search{place_v6(), start};
    return search.on_datagram({sender, 1900}, answer("http://[fe80::2]:80/a.xml"));
  };
  EXPECT_EQ(from(v6(0xfe80, 2, link)), heard::candidate);
  EXPECT_EQ(from(v6(0xfe80, 2, link + 1)), heard::off_link);
  EXPECT_EQ(from(v6(0x2001, 2)), heard::candidate);
  EXPECT_EQ(from(v6(0x2002, 2)), heard::off_link);
}

}  // namespace
}  // namespace damson
