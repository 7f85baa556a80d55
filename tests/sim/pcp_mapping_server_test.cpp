// The gateway model's PCP options, PEER and its IPv6 side, byte by byte against RFC 6887.

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "packets.hpp"
#include "sim/gateway.hpp"
#include "sim/profiles.hpp"

namespace damson::sim {
namespace {

using namespace std::chrono_literals;

constexpr time_point start{1'000h};
constexpr ip_address peer_address = v4(203, 0, 113, 9);
constexpr endpoint peer{peer_address, 443};
constexpr endpoint outside{wan_side, 80};

constexpr ip_address v6(std::uint16_t last, std::uint16_t first = 0x2001) {
  ip_address::v6_bytes out{static_cast<std::uint8_t>(first >> 8U),
                           static_cast<std::uint8_t>(first & 0xffU), 0x0d, 0xb8};
  if (first != 0x2001) out[2] = out[3] = 0;
  out[14] = static_cast<std::uint8_t>(last >> 8U);
  out[15] = static_cast<std::uint8_t>(last & 0xffU);
  return ip_address{out};
}

class pcp_mapping_server : public testing::Test {
 protected:
  bytes ask(const bytes& request, time_point when = start + 1h, const ip_address& sender = host) {
    const auto out = router_.handle(when, from_host(request, sender));
    return out.empty() ? bytes{} : out.front().bytes;
  }

  std::uint8_t result_of(const bytes& request, time_point when = start + 1h,
                         const ip_address& sender = host) {
    const bytes out = ask(request, when, sender);
    return out.size() < 4 ? std::uint8_t{255} : std::to_integer<std::uint8_t>(out[3]);
  }

  std::optional<endpoint> pass(const endpoint& remote, const endpoint& to = outside,
                               time_point when = start + 1h) {
    return router_.pass_in(when, transport::tcp, remote, to);
  }

  /// Exactly as that one, from now on.
  void behave_as(std::string_view name) {
    const named_profile* found = find_profile(name);
    ASSERT_NE(found, nullptr) << name;
    router_.behaviour() = found->how;
  }

  gateway router_{profile{}, lan_side, wan_side, start};
};

/// TCP 8080 of the host to port 80 outside, for two hours.
bytes map_with(std::string_view options, std::string_view lifetime = "00001c20",
               std::string_view internal = "1f90", std::string_view external = "0050") {
  return packet({
      "02",                                   // version
      "01",                                   // request, MAP
      "0000",                                 // reserved
      lifetime,                               //
      "00000000 00000000 0000ffff c0a80164",  // client 192.168.1.100
      "0102030405060708090a0b0c",             // nonce
      "06",                                   // TCP
      "000000",                               // reserved
      internal,
      external,                               // internal port, suggested external port
      "00000000 00000000 0000ffff 00000000",  // suggested external address: any
      options,
  });
}

bytes peer_with(std::string_view lifetime = "00001c20", std::string_view external = "0000",
                std::string_view nonce = "0102030405060708090a0b0c",
                std::string_view remote_port = "01bb", std::string_view options = "") {
  return packet({
      "02",                                   // version
      "02",                                   // request, PEER
      "0000",                                 // reserved
      lifetime,                               //
      "00000000 00000000 0000ffff c0a80164",  // client 192.168.1.100
      nonce,                                  //
      "06",                                   // TCP
      "000000",                               // reserved
      "1f90",                                 // internal port 8080
      external,                               // suggested external port
      "00000000 00000000 0000ffff 00000000",  // suggested external address: any
      remote_port,                            // remote peer port
      "0000",                                 // reserved
      "00000000 00000000 0000ffff cb007109",  // remote peer 203.0.113.9
      options,
  });
}

std::uint16_t external_port_in(const bytes& answer) {
  return reader(std::span(answer).subspan(42)).u16();
}

constexpr std::string_view third_party =
    "01"                                    // THIRD_PARTY
    "00"                                    // reserved
    "0010"                                  // 16 bytes
    "00000000 00000000 0000ffff c0a80165";  // 192.168.1.101

constexpr std::string_view only_that_net =
    "03"                                    // FILTER
    "00"                                    // reserved
    "0014"                                  // 20 bytes
    "00"                                    // reserved
    "78"                                    // prefix length 120: 24 bits of IPv4
    "0000"                                  // every port
    "00000000 00000000 0000ffff cb007100";  // 203.0.113.0

TEST_F(pcp_mapping_server, keeps_a_flow_open) {
  EXPECT_EQ(ask(peer_with()), packet({
                                  "02",                                   // version
                                  "82",                                   // response, PEER
                                  "00",                                   // reserved
                                  "00",                                   // success
                                  "00001c20",                             // lifetime 7200 s
                                  "00000e10",                             // epoch 3600 s
                                  "000000000000000000000000",             // reserved
                                  "0102030405060708090a0b0c",             // nonce
                                  "06",                                   // TCP
                                  "000000",                               // reserved
                                  "1f90",                                 // internal port 8080
                                  "1f90",                                 // external port 8080
                                  "00000000 00000000 0000ffff c6336407",  // 198.51.100.7
                                  "01bb",                                 // remote peer port 443
                                  "0000",                                 // reserved
                                  "00000000 00000000 0000ffff cb007109",  // 203.0.113.9
                              }));
  EXPECT_TRUE(router_.rules().empty()) << "nobody else may come in";
  EXPECT_EQ(pass(peer, {wan_side, 8080}), (endpoint{host, 8080}));
  EXPECT_EQ(pass({peer_address, 444}, {wan_side, 8080}), std::nullopt);
  EXPECT_EQ(router_.deadline(), start + 3h);
  EXPECT_EQ(pass(peer, {wan_side, 8080}, start + 3h), std::nullopt);
}

TEST_F(pcp_mapping_server, gives_all_flows_of_an_endpoint_the_port_of_its_mapping) {
  EXPECT_EQ(result_of(map_with("")), 0);
  EXPECT_EQ(external_port_in(ask(peer_with())), 80);
  // And a mapping the port of the flows that were there before it.
  router_.forget_all();
  EXPECT_EQ(result_of(peer_with("00001c20", "2328")), 0);  // 9000
  EXPECT_EQ(result_of(map_with("", "00001c20", "1f91", "2328")), 0);
  EXPECT_EQ(router_.table().at_internal(transport::tcp, {host, 8081})->external_port, 9001)
      << "another endpoint's flow holds 9000";
  EXPECT_EQ(result_of(map_with("")), 0);
  EXPECT_EQ(router_.table().at_internal(transport::tcp, {host, 8080})->external_port, 9000);
}

TEST_F(pcp_mapping_server, lets_flows_only_grow_longer) {
  EXPECT_EQ(result_of(peer_with()), 0);
  const bytes shorter = ask(peer_with("00000258"), start + 1h + 200s);  // 600 s
  EXPECT_EQ(reader(std::span(shorter).subspan(4)).u32(), 7'000U) << "what was left";
  EXPECT_EQ(result_of(peer_with(), start + 2h), 0);
  ASSERT_EQ(router_.table().flows().size(), 1U);
  EXPECT_EQ(router_.table().flows().front().expires, start + 4h);
  // Lifetime 0 gives it up.
  const bytes gone = ask(peer_with("00000000"), start + 2h);
  EXPECT_EQ(gone[3], std::byte{0});
  EXPECT_EQ(reader(std::span(gone).subspan(4)).u32(), 0U);
  EXPECT_TRUE(router_.table().flows().empty());
}

TEST_F(pcp_mapping_server, refuses_flows_that_cannot_be) {
  EXPECT_EQ(result_of(map_with("")), 0);
  EXPECT_EQ(result_of(peer_with("00001c20", "0051")), 11) << "its mapping has another port";
  EXPECT_EQ(result_of(peer_with("00001c20", "0050")), 0);
  EXPECT_EQ(result_of(peer_with("00001c20", "0051")), 0) << "it is there, whatever is suggested";
  EXPECT_EQ(external_port_in(ask(peer_with("00001c20", "0051"))), 80);
  EXPECT_EQ(result_of(peer_with("00001c20", "0000", "ffffffffffffffffffffffff")), 2);
  EXPECT_EQ(result_of(peer_with("00000000", "0000", "ffffffffffffffffffffffff")), 2);
  EXPECT_EQ(result_of(peer_with("00001c20", "0000", "0102030405060708090a0b0c", "0000")), 3)
      << "remote port 0";
  EXPECT_EQ(
      result_of(peer_with("00001c20", "0000", "0102030405060708090a0b0c", "01bb", "02 00 0000")), 5)
      << "PREFER_FAILURE is MAP's";
  bytes cut = peer_with();
  cut.resize(76);
  EXPECT_EQ(result_of(cut), 3);
  router_.set_public_address(start + 1h, std::nullopt);
  EXPECT_EQ(result_of(peer_with()), 7);
  behave_as("no-peer");
  EXPECT_EQ(result_of(peer_with()), 4);
}

TEST_F(pcp_mapping_server, counts_flows_and_pinholes_towards_the_quota) {
  router_.behaviour().rules_per_host = 2;
  EXPECT_EQ(result_of(peer_with()), 0);
  EXPECT_EQ(result_of(map_with("", "00001c20", "1f91", "0051")), 0);
  EXPECT_EQ(result_of(map_with("", "00001c20", "1f92", "0052")), 10);
  EXPECT_EQ(result_of(peer_with("00001c20", "0000", "0102030405060708090a0b0c", "01bc")), 10);
  EXPECT_EQ(result_of(peer_with()), 0) << "what is there may stay";
  // NAT-PMP has no code of its own for it.
  EXPECT_EQ(result_of(packet({"00 01 0000 1f90 0000 00001c20"})), 4);
}

TEST_F(pcp_mapping_server, complains_of_reserved_bits_in_a_peer_request) {
  bytes request = peer_with();
  request[63] = std::byte{1};
  EXPECT_EQ(result_of(request), 0);
  EXPECT_EQ(router_.complaints().size(), 1U);
}

TEST_F(pcp_mapping_server, maps_for_others_only_where_the_profile_lets_it) {
  EXPECT_EQ(result_of(map_with(third_party)), 5) << "Q-32";
  behave_as("third-party");
  const bytes granted = ask(map_with(third_party));
  EXPECT_EQ(granted[3], std::byte{0});
  EXPECT_EQ(bytes(granted.begin() + 60, granted.end()), packet({third_party})) << "it comes back";
  EXPECT_EQ(router_.table().at_external(transport::tcp, 80)->internal,
            (endpoint{other_host, 8080}));
  EXPECT_EQ(result_of(map_with("01 00 0010 00000000 00000000 0000ffff c0a80164")), 3)
      << "its own address is not somebody else's";
  EXPECT_EQ(result_of(map_with("01 00 0004 c0a80165")), 6) << "too short";
  const std::string twice = std::string{third_party} + std::string{third_party};
  EXPECT_EQ(result_of(map_with(twice)), 6);
  EXPECT_EQ(result_of(map_with(third_party, "00000000", "1f90", "0000")), 0);
  EXPECT_TRUE(router_.rules().empty());
}

TEST_F(pcp_mapping_server, lets_in_whom_the_filters_name) {
  const bytes granted = ask(map_with(only_that_net));
  EXPECT_EQ(granted[3], std::byte{0});
  EXPECT_EQ(bytes(granted.begin() + 60, granted.end()), packet({only_that_net}));
  EXPECT_EQ(pass({peer_address, 1'000}), (endpoint{host, 8080}));
  EXPECT_EQ(pass({v4(203, 0, 114, 9), 1'000}), std::nullopt);
  // A second one is added, with a port of its own.
  EXPECT_EQ(result_of(map_with("03 00 0014 00 80 01bb 00000000 00000000 0000ffff cb007209")), 0);
  EXPECT_EQ(pass({v4(203, 0, 114, 9), 443}), (endpoint{host, 8080}));
  EXPECT_EQ(pass({v4(203, 0, 114, 9), 444}), std::nullopt);
  EXPECT_EQ(pass({peer_address, 1'000}), (endpoint{host, 8080}));
  // A renewal without the option keeps them; a prefix of nothing removes them.
  EXPECT_EQ(result_of(map_with("")), 0);
  EXPECT_EQ(pass({v4(203, 0, 115, 9), 443}), std::nullopt);
  EXPECT_EQ(result_of(map_with("03 00 0014 00 00 0000 00000000 00000000 0000ffff 00000000")), 0);
  EXPECT_EQ(pass({v4(203, 0, 115, 9), 443}), (endpoint{host, 8080}));
}

TEST_F(pcp_mapping_server, refuses_filters_that_cannot_be) {
  EXPECT_EQ(result_of(map_with("03 00 0010 00 78 0000 00000000 00000000 0000ffff")), 6)
      << "too short";
  EXPECT_EQ(result_of(map_with("03 00 0014 00 18 0000 00000000 00000000 0000ffff cb007100")), 6)
      << "24 bits are not those of an IPv4 address";
  EXPECT_EQ(result_of(map_with("03 00 0014 00 81 0000 00000000 00000000 0000ffff cb007100")), 6)
      << "129 bits";
  behave_as("one-filter");
  const std::string second = "03 00 0014 00 80 0000 00000000 00000000 0000ffff cb007209";
  EXPECT_EQ(result_of(map_with(std::string{only_that_net} + second)), 13);
  EXPECT_TRUE(router_.rules().empty());
  EXPECT_EQ(result_of(map_with(only_that_net)), 0);
  EXPECT_EQ(result_of(map_with(only_that_net)), 0) << "the same once more";
  EXPECT_EQ(result_of(map_with(second)), 13);
  EXPECT_EQ(pass(peer), (endpoint{host, 8080})) << "and what was there stays";
}

TEST_F(pcp_mapping_server, ignores_options_that_it_accepts_where_the_profile_says_so) {
  behave_as("filters-ignored");
  EXPECT_EQ(result_of(map_with(only_that_net)), 0);
  EXPECT_EQ(pass({v4(192, 0, 2, 1), 1}), (endpoint{host, 8080}));
  router_.occupy(transport::tcp, 81, {other_host, 81});
  EXPECT_EQ(result_of(map_with("02 00 0000", "00001c20", "1f91", "0051")), 11);
  behave_as("prefer-failure-ignored");
  EXPECT_EQ(result_of(map_with("02 00 0000", "00001c20", "1f91", "0051")), 0);
  EXPECT_EQ(router_.table().at_internal(transport::tcp, {host, 8081})->external_port, 82);
}

TEST_F(pcp_mapping_server, takes_no_option_with_announce) {
  EXPECT_EQ(result_of(packet(
                {"02 00 0000 00000000", "00000000 00000000 0000ffff c0a80164", "02 00 0000"})),
            5);
  EXPECT_EQ(result_of(packet(
                {"02 00 0000 00000000", "00000000 00000000 0000ffff c0a80164", "fe 00 0000"})),
            0)
      << "one that is optional is passed over";
}

// IPv6: a firewall that leaves addresses and ports as they are.

class pcp_firewall : public pcp_mapping_server {
 protected:
  void SetUp() override { router_.set_lan_v6({link_local_, v6(1)}); }

  bytes ask_v6(std::string_view lifetime, std::string_view external = "0000",
               std::string_view nonce = "0102030405060708090a0b0c", std::string_view options = "",
               time_point when = start + 1h) {
    const datagram request{{client_, 40'000},
                           {link_local_, 5351},
                           packet({
                               "02 01 0000",
                               lifetime,                               // MAP
                               "20010db8 00000000 00000000 00000064",  // client address
                               nonce,
                               "06 000000",  // TCP
                               "1f90",
                               external,                               // internal port 8080
                               "00000000 00000000 00000000 00000000",  // suggested address: any
                               options,
                           })};
    const auto out = router_.handle(when, request);
    EXPECT_EQ(out.size(), 1U);
    return out.empty() ? bytes(60) : out.front().bytes;
  }

  ip_address client_ = v6(0x64);
  ip_address link_local_ = v6(1, 0xfe80);
};

TEST_F(pcp_firewall, opens_an_address_as_it_is) {
  EXPECT_EQ(pass(peer, {client_, 8080}), std::nullopt);
  EXPECT_EQ(ask_v6("00001c20", "0050"), packet({
                                            "02 81 00 00",               // response, success
                                            "00001c20",                  // lifetime 7200 s
                                            "00000e10",                  // epoch 3600 s
                                            "000000000000000000000000",  // reserved
                                            "0102030405060708090a0b0c",  // nonce
                                            "06 000000",                 // TCP
                                            "1f90",                      // internal port 8080
                                            "1f90",                      // external: the same
                                            "20010db8 00000000 00000000 00000064",  // and that too
                                        }));
  EXPECT_EQ(pass({v6(9), 1}, {client_, 8080}), (endpoint{client_, 8080}));
  EXPECT_EQ(pass({v6(9), 1}, {client_, 8081}), std::nullopt);
  EXPECT_EQ(router_.deadline(), start + 3h);
  router_.advance(start + 3h);
  EXPECT_EQ(router_.pinholes().size(), 0U);
}

TEST_F(pcp_firewall, renews_and_closes_for_the_nonce_only) {
  EXPECT_EQ(ask_v6("00001c20")[3], std::byte{0});
  EXPECT_EQ(ask_v6("00001c20", "0000", "ffffffffffffffffffffffff")[3], std::byte{2});
  EXPECT_EQ(ask_v6("00000000", "0000", "ffffffffffffffffffffffff")[3], std::byte{2});
  EXPECT_EQ(ask_v6("00001c20", "0000", "0102030405060708090a0b0c", "", start + 2h)[3],
            std::byte{0});
  ASSERT_EQ(router_.pinholes().size(), 1U);
  EXPECT_EQ(router_.pinholes().holes().front().expires, start + 4h);
  EXPECT_EQ(ask_v6("00000000")[3], std::byte{0});
  EXPECT_EQ(router_.pinholes().size(), 0U);
  EXPECT_EQ(ask_v6("00000000")[3], std::byte{0}) << "nothing to close";
  router_.behaviour().delete_of_nothing_fails = true;
  EXPECT_EQ(ask_v6("00000000")[3], std::byte{8});
}

TEST_F(pcp_firewall, cannot_give_another_port) {
  constexpr std::string_view nonce = "0102030405060708090a0b0c";
  EXPECT_EQ(ask_v6("00001c20", "0050", nonce, "02 00 0000")[3], std::byte{11});
  EXPECT_EQ(ask_v6("00001c20", "1f90", nonce, "02 00 0000")[3], std::byte{0});
}

TEST_F(pcp_firewall, filters) {
  constexpr std::string_view nonce = "0102030405060708090a0b0c";
  EXPECT_EQ(ask_v6("00001c20", "0000", nonce,
                   "03 00 0014 00 80 0000 20010db8 00000000 00000000 00000009")[3],
            std::byte{0});
  EXPECT_EQ(pass({v6(9), 1}, {client_, 8080}), (endpoint{client_, 8080}));
  EXPECT_EQ(pass({v6(10), 1}, {client_, 8080}), std::nullopt);
}

TEST_F(pcp_firewall, behaves_as_its_profile_says) {
  EXPECT_EQ(ask_v6("00001c20")[3], std::byte{0});
  router_.behaviour().refused_renewals = 1;
  EXPECT_EQ(ask_v6("00001c20")[3], std::byte{8});
  behave_as("renewed-pinhole-port");
  EXPECT_EQ(external_port_in(ask_v6("00001c20")), 0);
  router_.behaviour().refuses_maps_with = pcp_result::not_authorized;
  EXPECT_EQ(ask_v6("00001c20")[3], std::byte{2});
  router_.behaviour().refuses_maps_with.reset();
  router_.forget_all();
  router_.behaviour().max_rules = 0;
  EXPECT_EQ(ask_v6("00001c20")[3], std::byte{8});
}

TEST_F(pcp_firewall, keeps_what_was_renewed_where_its_profile_says_so) {
  behave_as("renewed-pinhole-stays");
  EXPECT_EQ(ask_v6("00001c20")[3], std::byte{0});
  EXPECT_EQ(ask_v6("00000000")[3], std::byte{0}) << "not renewed";
  EXPECT_EQ(router_.pinholes().size(), 0U);
  EXPECT_EQ(ask_v6("00001c20")[3], std::byte{0});
  EXPECT_EQ(ask_v6("00001c20")[3], std::byte{0});
  EXPECT_EQ(ask_v6("00000000")[3], std::byte{2});
  EXPECT_EQ(router_.pinholes().size(), 1U);
  router_.advance(start + 3h);
  EXPECT_EQ(router_.pinholes().size(), 0U) << "it ends by itself";
  EXPECT_EQ(ask_v6("00000000", "0000", "0102030405060708090a0b0c", "", start + 3h)[3], std::byte{0})
      << "and its end is the end of that";
}

TEST_F(pcp_firewall, has_no_flows_and_no_nat_pmp) {
  const datagram request{{client_, 40'000},
                         {link_local_, 5351},
                         packet({
                             "02 02 0000 00001c20",                  // PEER
                             "20010db8 00000000 00000000 00000064",  // client address
                             "0102030405060708090a0b0c 06 000000",   // nonce, TCP
                             "1f90 0000",                            // internal port 8080
                             "00000000 00000000 00000000 00000000",  // suggested address: any
                             "01bb 0000",                            // remote peer port
                             "20010db8 00000000 00000000 00000009",  // remote peer
                         })};
  EXPECT_EQ(router_.handle(start + 1h, request).at(0).bytes[3], std::byte{4});
  const auto other = router_.handle(start, {{client_, 1}, {link_local_, 5351}, packet({"00 00"})});
  EXPECT_EQ(other.at(0).bytes.front(), std::byte{2}) << "NAT-PMP knows IPv4 only";
}

TEST_F(pcp_firewall, announces_itself_on_the_link_after_a_restart) {
  router_.reboot(start + 1h);
  const auto out = router_.advance(start + 1h);
  ASSERT_EQ(out.size(), 3U);  // PCP to both groups, NAT-PMP to one
  EXPECT_EQ(out[1].from, (endpoint{link_local_, 5351}));
  EXPECT_EQ(out[1].to, (endpoint{v6(1, 0xff02), 5350}));
  EXPECT_EQ(out[1].bytes,
            packet({"02 80 00 00", "00000000", "00000000", "000000000000000000000000"}));
}

}  // namespace
}  // namespace damson::sim
