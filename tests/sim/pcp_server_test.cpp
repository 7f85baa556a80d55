// The PCP side of the gateway model, byte by byte against RFC 6887.

#include <chrono>
#include <string_view>

#include <gtest/gtest.h>

#include "packets.hpp"
#include "sim/gateway.hpp"

namespace damson::sim {
namespace {

using namespace std::chrono_literals;

constexpr time_point start{1'000h};

class pcp_server : public testing::Test {
 protected:
  /// One hour after the router's start: the epoch is 3600 s, 0x0e10.
  bytes ask(const bytes& request, time_point when = start + 1h, const ip_address& sender = host) {
    const auto out = router_.handle(when, from_host(request, sender));
    if (out.empty()) return {};
    EXPECT_EQ(out.size(), 1U);
    EXPECT_EQ(out.front().from, (endpoint{lan_side, 5351}));
    EXPECT_EQ(out.front().to, (endpoint{sender, 40'000}));
    return out.front().bytes;
  }

  gateway router_{profile{}, lan_side, wan_side, start};
};

bytes map(std::string_view lifetime, std::string_view internal, std::string_view external,
          std::string_view nonce = "0102030405060708090a0b0c", std::string_view protocol = "06",
          std::string_view client = "c0a80164", std::string_view options = "") {
  return packet({
      "02",      // version
      "01",      // request, MAP
      "0000",    // reserved
      lifetime,  //
      "00000000 00000000 0000ffff",
      client,  // client address
      nonce,   //
      protocol,
      "000000",  // protocol, reserved
      internal,
      external,                               // internal port, suggested external port
      "00000000 00000000 0000ffff 00000000",  // suggested external address
      options,
  });
}

TEST_F(pcp_server, grants_a_mapping) {
  EXPECT_EQ(ask(packet({
                "02",                                   // version
                "01",                                   // request, MAP
                "0000",                                 // reserved
                "00001c20",                             // lifetime 7200 s
                "00000000 00000000 0000ffff c0a80164",  // client 192.168.1.100
                "0102030405060708090a0b0c",             // nonce
                "06",                                   // TCP
                "000000",                               // reserved
                "1f90",                                 // internal port 8080
                "0050",                                 // suggested external port 80
                "00000000 00000000 0000ffff 00000000",  // suggested external address: any
            })),
            packet({
                "02",                                   // version
                "81",                                   // response, MAP
                "00",                                   // reserved
                "00",                                   // success
                "00001c20",                             // lifetime 7200 s
                "00000e10",                             // epoch 3600 s
                "000000000000000000000000",             // reserved
                "0102030405060708090a0b0c",             // nonce
                "06",                                   // TCP
                "000000",                               // reserved
                "1f90",                                 // internal port 8080
                "0050",                                 // assigned external port 80
                "00000000 00000000 0000ffff c6336407",  // assigned address 198.51.100.7
            }));
  ASSERT_EQ(router_.rules().size(), 1U);
  const nat_rule rule = router_.rules().front();
  EXPECT_EQ(rule.transport, transport::tcp);
  EXPECT_EQ(rule.external_port, 80);
  EXPECT_EQ(rule.internal, (endpoint{host, 8080}));
  EXPECT_EQ(rule.owner, rule_owner::pcp);
  EXPECT_EQ(rule.expires, start + 3h);
}

TEST_F(pcp_server, suggests_the_internal_port_where_the_client_suggests_none) {
  ask(map("00001c20", "1f90", "0000"));
  EXPECT_EQ(router_.rules().front().external_port, 8080);
}

TEST_F(pcp_server, clips_lifetimes_both_ways) {
  const bytes low = ask(map("0000003c", "1f90", "0000"));
  EXPECT_EQ(reader(std::span(low).subspan(4)).u32(), 120U);
  const bytes high = ask(map("ffffffff", "1f91", "0000"));
  EXPECT_EQ(reader(std::span(high).subspan(4)).u32(), 86'400U);
}

TEST_F(pcp_server, keeps_the_external_port_when_renewed) {
  ask(map("00001c20", "1f90", "0050"));
  ask(map("00001c20", "1f90", "0051"), start + 2h);
  ASSERT_EQ(router_.rules().size(), 1U);
  EXPECT_EQ(router_.rules().front().external_port, 80);
  EXPECT_EQ(router_.rules().front().expires, start + 4h);
}

TEST_F(pcp_server, gives_the_next_free_port_for_a_taken_one) {
  ask(map("00001c20", "1f90", "0050"));
  ask(map("00001c20", "1f91", "0050", "ffffffffffffffffffffffff"));
  EXPECT_NE(router_.table().at_external(transport::tcp, 81), nullptr);
}

TEST_F(pcp_server, refuses_a_renewal_with_another_nonce_and_says_for_how_long) {
  ask(map("00001c20", "1f90", "0050"));
  // 3000 s later 4200 s (0x1068) of the lease are left.
  EXPECT_EQ(ask(map("00001c20", "1f90", "0050", "ffffffffffffffffffffffff"), start + 1h + 3000s),
            packet({
                "02 81 00", "02",                       // NOT_AUTHORIZED
                "00001068",                             // lifetime 4200 s
                "000019c8",                             // epoch 6600 s
                "000000000000000000000000",             // reserved
                "ffffffffffffffffffffffff",             // nonce, as sent
                "06 000000 1f90 0050",                  // protocol and ports, as sent
                "00000000 00000000 0000ffff 00000000",  // suggested address, as sent
            }));
}

TEST_F(pcp_server, refuses_a_delete_with_another_nonce) {
  ask(map("00001c20", "1f90", "0050"));
  const bytes reply = ask(map("00000000", "1f90", "0000", "ffffffffffffffffffffffff"));
  EXPECT_EQ(reply[3], std::byte{2});
  EXPECT_EQ(router_.rules().size(), 1U);
}

TEST_F(pcp_server, deletes) {
  ask(map("00001c20", "1f90", "0050"));
  EXPECT_EQ(ask(map("00000000", "1f90", "0000")),
            packet({
                "02 81 00", "00",                       // success
                "00000000",                             // lifetime 0 s
                "00000e10",                             // epoch 3600 s
                "000000000000000000000000",             // reserved
                "0102030405060708090a0b0c",             // nonce
                "06 000000 1f90 0000",                  // protocol and ports
                "00000000 00000000 0000ffff 00000000",  // address
            }));
  EXPECT_TRUE(router_.rules().empty());
  EXPECT_TRUE(router_.complaints().empty());
}

TEST_F(pcp_server, deletes_nothing_with_success_or_by_profile_with_an_error) {
  EXPECT_EQ(ask(map("00000000", "1f90", "0000"))[3], std::byte{0});
  router_.behaviour().delete_of_nothing_fails = true;
  const bytes reply = ask(map("00000000", "1f90", "0000"));
  EXPECT_EQ(reply[3], std::byte{8});
  EXPECT_EQ(reader(std::span(reply).subspan(4)).u32(), 30U);
}

TEST_F(pcp_server, complains_of_a_delete_that_suggests_a_port) {
  ask(map("00000000", "1f90", "0050"));
  ASSERT_EQ(router_.complaints().size(), 1U);
  EXPECT_EQ(router_.complaints().front().when, start + 1h);
}

TEST_F(pcp_server, complains_of_reserved_bits_and_serves_the_request) {
  bytes request = map("00001c20", "1f90", "0050");
  request[3] = std::byte{1};
  request[37] = std::byte{1};
  EXPECT_EQ(ask(request)[3], std::byte{0});
  EXPECT_EQ(router_.complaints().size(), 2U);
}

TEST_F(pcp_server, answers_announce) {
  EXPECT_EQ(ask(packet({
                "02",                                   // version
                "00",                                   // request, ANNOUNCE
                "0000",                                 // reserved
                "00000000",                             // lifetime
                "00000000 00000000 0000ffff c0a80164",  // client address
            })),
            packet({
                "02",                        // version
                "80",                        // response, ANNOUNCE
                "00 00",                     // reserved, success
                "00000000",                  // lifetime
                "00000e10",                  // epoch 3600 s
                "000000000000000000000000",  // reserved
            }));
}

TEST_F(pcp_server, refuses_another_version_with_the_one_it_speaks) {
  EXPECT_EQ(ask(packet({
                "01",                                   // version 1
                "01",                                   // request, MAP
                "0000 00001c20",                        //
                "00000000 00000000 0000ffff c0a80164",  // client address
            })),
            packet({
                "02",                          // version 2
                "81",                          // response, MAP
                "00 01",                       // UNSUPP_VERSION
                "00000708",                    // lifetime 1800 s
                "00000e10",                    // epoch
                "00000000 0000ffff c0a80164",  // the end of the client address, as sent
            }));
}

TEST_F(pcp_server, refuses_lengths_that_cannot_be) {
  // Three bytes: padded to the size of a header.
  EXPECT_EQ(ask(packet({"02 01 00"})),
            packet({"02 81 00 03", "00000708", "00000e10", "000000000000000000000000"}));
  // A MAP cut short, and one with two bytes too many.
  bytes cut = map("00001c20", "1f90", "0050");
  cut.resize(56);
  EXPECT_EQ(ask(cut)[3], std::byte{3});
  EXPECT_EQ(ask(cut).size(), 56U);
  bytes long_one = map("00001c20", "1f90", "0050");
  long_one.resize(62);
  EXPECT_EQ(ask(long_one)[3], std::byte{3});
  EXPECT_EQ(ask(long_one).size(), 64U);
  // More than 1100 bytes: answered with the first 1100.
  bytes huge = map("00001c20", "1f90", "0050");
  huge.resize(1'104);
  EXPECT_EQ(ask(huge)[3], std::byte{3});
  EXPECT_EQ(ask(huge).size(), 1'100U);
}

TEST_F(pcp_server, is_silent_to_responses_and_single_bytes) {
  EXPECT_TRUE(ask(packet({"02"})).empty());
  bytes response = map("00001c20", "1f90", "0050");
  response[1] = std::byte{0x81};
  EXPECT_TRUE(ask(response).empty());
  EXPECT_TRUE(router_.rules().empty());
}

TEST_F(pcp_server, refuses_a_client_address_that_is_not_the_source) {
  const bytes reply = ask(map("00001c20", "1f90", "0050"), start + 1h, other_host);
  EXPECT_EQ(reply[3], std::byte{12});
  EXPECT_TRUE(router_.rules().empty());
}

TEST_F(pcp_server, refuses_opcodes_it_does_not_know) {
  bytes other = map("00001c20", "1f90", "0050");
  other[1] = std::byte{3};
  const bytes reply = ask(other);
  EXPECT_EQ(reply[1], std::byte{0x83});
  EXPECT_EQ(reply[3], std::byte{4});
  EXPECT_EQ(reply.size(), other.size());
}

TEST_F(pcp_server, refuses_other_protocols_and_port_0) {
  constexpr std::string_view nonce = "0102030405060708090a0b0c";
  EXPECT_EQ(ask(map("00001c20", "1f90", "0050", nonce, "84"))[3], std::byte{9});  // SCTP
  EXPECT_EQ(ask(map("00001c20", "0000", "0000", nonce, "00"))[3], std::byte{9});  // all protocols
  EXPECT_EQ(ask(map("00001c20", "0000", "0050"))[3], std::byte{3});               // all ports
  EXPECT_TRUE(router_.rules().empty());
}

TEST_F(pcp_server, treats_options_by_their_range) {
  constexpr std::string_view nonce = "0102030405060708090a0b0c";
  const auto with = [&](std::string_view options) {
    return map("00001c20", "1f90", "0050", nonce, "06", "c0a80164", options);
  };
  EXPECT_EQ(ask(with("7e 00 0000"))[3], std::byte{5});             // unknown, mandatory
  EXPECT_EQ(ask(with("03 00 0014"))[3], std::byte{6});             // longer than the packet
  EXPECT_EQ(ask(with("02 00 0004 00000000"))[3], std::byte{6});    // PREFER_FAILURE with data
  EXPECT_EQ(ask(with("02 00 0000 02 00 0000"))[3], std::byte{6});  // twice
  EXPECT_TRUE(router_.rules().empty());
  EXPECT_EQ(ask(with("fe 00 0001 2a000000"))[3], std::byte{0});  // unknown, optional
  EXPECT_EQ(ask(with("fe 00 0001 2a000000")).size(), 60U);
}

TEST_F(pcp_server, prefers_failure_when_told_to) {
  constexpr std::string_view nonce = "ffffffffffffffffffffffff";
  constexpr std::string_view prefer_failure = "02 00 0000";
  ask(map("00001c20", "1f90", "0050"));
  const auto with = [&](std::string_view external) {
    return map("00001c20", "1f91", external, nonce, "06", "c0a80164", prefer_failure);
  };
  EXPECT_EQ(ask(with("0050"))[3], std::byte{11});  // taken
  EXPECT_EQ(ask(with("0000"))[3], std::byte{6});   // nothing to insist on
  const bytes granted = ask(with("0051"));
  EXPECT_EQ(granted[3], std::byte{0});
  // The option comes back.
  EXPECT_EQ(bytes(granted.end() - 4, granted.end()), packet({prefer_failure}));
}

TEST_F(pcp_server, refuses_as_its_profile_says) {
  router_.behaviour().refuses_maps_with = pcp_result::not_authorized;
  bytes reply = ask(map("00001c20", "1f90", "0050"));
  EXPECT_EQ(reply[3], std::byte{2});
  EXPECT_EQ(reader(std::span(reply).subspan(4)).u32(), 1'800U);
  router_.behaviour().error_lifetime = 0;
  reply = ask(map("00001c20", "1f90", "0050"));
  EXPECT_EQ(reader(std::span(reply).subspan(4)).u32(), 0U);
}

TEST_F(pcp_server, refuses_the_first_renewals_as_its_profile_says) {
  router_.behaviour().refused_renewals = 1;
  EXPECT_EQ(ask(map("00001c20", "1f90", "0050"))[3], std::byte{0});
  EXPECT_EQ(ask(map("00001c20", "1f90", "0050"), start + 2h)[3], std::byte{8});
  EXPECT_EQ(ask(map("00001c20", "1f90", "0050"), start + 2h)[3], std::byte{0});
}

TEST_F(pcp_server, refuses_a_taken_port_as_its_profile_says) {
  router_.behaviour().taken_port_is_no_resources = true;
  router_.occupy(transport::tcp, 80, {other_host, 80});
  EXPECT_EQ(ask(map("00001c20", "1f90", "0050"))[3], std::byte{8});
  EXPECT_EQ(ask(map("00001c20", "0050", "0000"))[3], std::byte{0});
  EXPECT_EQ(router_.table().at_internal(transport::tcp, {host, 80})->external_port, 81);
}

TEST_F(pcp_server, refuses_beyond_its_quota_and_its_table) {
  router_.behaviour().rules_per_host = 1;
  ask(map("00001c20", "1f90", "0000"));
  EXPECT_EQ(ask(map("00001c20", "1f91", "0000"))[3], std::byte{10});
  router_.behaviour().max_rules = 1;
  EXPECT_EQ(ask(map("00001c20", "1f91", "0000"))[3], std::byte{8});
  // The one that is there can still be renewed.
  EXPECT_EQ(ask(map("00001c20", "1f90", "0000"))[3], std::byte{0});
}

TEST_F(pcp_server, fails_without_an_uplink) {
  router_.set_public_address(start + 1h, std::nullopt);
  const bytes reply = ask(map("00001c20", "1f90", "0050"));
  EXPECT_EQ(reply[3], std::byte{7});
  EXPECT_EQ(reader(std::span(reply).subspan(4)).u32(), 30U);
}

TEST_F(pcp_server, leaves_alone_what_others_made) {
  router_.occupy(transport::tcp, 80, {host, 8080});
  EXPECT_EQ(ask(map("00001c20", "1f90", "0050"))[3], std::byte{2});
  EXPECT_EQ(ask(map("00000000", "1f90", "0000"))[3], std::byte{2});
  EXPECT_EQ(router_.rules().size(), 1U);
}

TEST_F(pcp_server, reads_ipv6_clients) {
  const ip_address lan_v6{
      ip_address::v6_bytes{0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 2};
  const ip_address host_v6{
      ip_address::v6_bytes{0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x64}};
  gateway router{profile{}, lan_v6, wan_side, start};
  const datagram request{{host_v6, 40'000},
                         {lan_v6, 5351},
                         packet({
                             "02 00 0000 00000000",                  // ANNOUNCE
                             "20010db8 00000000 00000000 00000064",  // client address
                         })};
  const auto out = router.handle(start + 5s, request);
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(out.front().bytes,
            packet({"02 80 00 00", "00000000", "00000005", "000000000000000000000000"}));
}

}  // namespace
}  // namespace damson::sim
