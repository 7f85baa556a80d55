// The NAT-PMP side of the gateway model, byte by byte against RFC 6886.

#include <chrono>
#include <string_view>

#include <gtest/gtest.h>

#include "packets.hpp"
#include "sim/gateway.hpp"

namespace damson::sim {
namespace {

using namespace std::chrono_literals;

constexpr time_point start{1'000h};

class nat_pmp_server : public testing::Test {
 protected:
  bytes ask(const bytes& request, time_point when = start + 1h, const ip_address& sender = host) {
    const auto out = router_.handle(when, from_host(request, sender));
    if (out.empty()) return {};
    EXPECT_EQ(out.size(), 1U);
    EXPECT_EQ(out.front().to, (endpoint{sender, 40'000}));
    return out.front().bytes;
  }

  gateway router_{profile{}, lan_side, wan_side, start};
};

TEST_F(nat_pmp_server, tells_its_public_address) {
  EXPECT_EQ(ask(packet({"00", "00"})),  // version, address request
            packet({
                "00",        // version
                "80",        // response
                "0000",      // success
                "00000e10",  // epoch 3600 s
                "c6336407",  // 198.51.100.7
            }));
}

TEST_F(nat_pmp_server, does_not_know_its_address_where_the_profile_says_so) {
  router_.behaviour().external_address_unknown = true;
  EXPECT_EQ(ask(packet({"00 00"})), packet({"00 80 0000 00000e10", "00000000"}));
}

TEST_F(nat_pmp_server, fails_without_an_uplink) {
  router_.set_public_address(start + 1h, std::nullopt);
  EXPECT_EQ(ask(packet({"00 00"})), packet({"00 80", "0003", "00000000", "00000000"}));
  EXPECT_EQ(ask(packet({"00 02 0000 1f90 0050 00001c20"})),
            packet({"00 82", "0003", "00000000", "1f90 0000 00000000"}));
}

TEST_F(nat_pmp_server, calls_a_private_address_a_failure_where_the_profile_says_so) {
  router_.behaviour().private_wan_is_failure = true;
  EXPECT_EQ(ask(packet({"00 00"}))[3], std::byte{3}) << "198.51.100.0/24 is for documentation";
}

TEST_F(nat_pmp_server, maps_tcp_and_udp) {
  EXPECT_EQ(ask(packet({
                "00",        // version
                "02",        // map TCP
                "0000",      // reserved
                "1f90",      // internal port 8080
                "0050",      // suggested external port 80
                "00001c20",  // lifetime 7200 s
            })),
            packet({
                "00",        // version
                "82",        // response, map TCP
                "0000",      // success
                "00000e10",  // epoch 3600 s
                "1f90",      // internal port 8080
                "0050",      // external port 80
                "00001c20",  // lifetime 7200 s
            }));
  EXPECT_EQ(ask(packet({"00 01 0000 1f91 0000 0000003c"})),
            packet({
                "00 81 0000 00000e10",  // response, map UDP, success
                "1f91 1f91",            // no suggestion: the internal port
                "0000003c",             // 60 s: never more than was asked for
            }));
  ASSERT_EQ(router_.rules().size(), 2U);
  EXPECT_EQ(router_.rules().front().owner, rule_owner::nat_pmp);
  EXPECT_EQ(router_.rules().front().expires, start + 3h);
}

TEST_F(nat_pmp_server, keeps_the_external_port_when_renewed) {
  ask(packet({"00 02 0000 1f90 0050 00001c20"}));
  ask(packet({"00 02 0000 1f90 0051 00001c20"}), start + 2h);
  ASSERT_EQ(router_.rules().size(), 1U);
  EXPECT_EQ(router_.rules().front().external_port, 80);
  EXPECT_EQ(router_.rules().front().expires, start + 4h);
}

TEST_F(nat_pmp_server, keeps_both_transports_of_a_port_for_one_host) {
  ask(packet({"00 02 0000 1f90 0050 00001c20"}));
  ask(packet({"00 01 0000 1f90 0050 00001c20"}), start + 1h, other_host);
  EXPECT_NE(router_.table().at_external(transport::udp, 81), nullptr);
  ask(packet({"00 01 0000 1f90 0050 00001c20"}));
  EXPECT_NE(router_.table().at_external(transport::udp, 80), nullptr);
}

TEST_F(nat_pmp_server, deletes_one_also_when_it_is_not_there) {
  ask(packet({"00 02 0000 1f90 0050 00001c20"}));
  const bytes gone = packet({"00 82 0000 00000e10", "1f90 0000 00000000"});
  EXPECT_EQ(ask(packet({"00 02 0000 1f90 0000 00000000"})), gone);
  EXPECT_TRUE(router_.rules().empty());
  EXPECT_EQ(ask(packet({"00 02 0000 1f90 0000 00000000"})), gone);
  EXPECT_TRUE(router_.complaints().empty());
}

TEST_F(nat_pmp_server, deletes_all_of_one_transport_of_one_host) {
  ask(packet({"00 02 0000 1f90 0050 00001c20"}));
  ask(packet({"00 02 0000 1f91 0051 00001c20"}));
  ask(packet({"00 01 0000 1f90 0050 00001c20"}));
  ask(packet({"00 02 0000 1f90 0060 00001c20"}), start + 1h, other_host);
  EXPECT_EQ(ask(packet({"00 02 0000 0000 0000 00000000"})),
            packet({"00 82 0000 00000e10", "0000 0000 00000000"}));
  ASSERT_EQ(router_.rules().size(), 2U);
  EXPECT_EQ(router_.rules()[0].internal, (endpoint{other_host, 8080}));
  EXPECT_EQ(router_.rules()[1].transport, transport::udp);
}

TEST_F(nat_pmp_server, refuses_internal_port_0) {
  EXPECT_EQ(ask(packet({"00 02 0000 0000 0050 00001c20"})),
            packet({"00 82", "0002", "00000e10", "0000 0000 00000000"}));
}

TEST_F(nat_pmp_server, leaves_alone_what_others_made) {
  router_.occupy(transport::tcp, 80, {host, 8080});
  EXPECT_EQ(ask(packet({"00 02 0000 1f90 0050 00001c20"}))[3], std::byte{2});
  EXPECT_EQ(ask(packet({"00 02 0000 1f90 0000 00000000"}))[3], std::byte{2});
  EXPECT_EQ(ask(packet({"00 02 0000 0000 0000 00000000"}))[3], std::byte{0});
  EXPECT_EQ(router_.rules().size(), 1U);
}

TEST_F(nat_pmp_server, refuses_unknown_opcodes_and_ignores_responses_and_stubs) {
  EXPECT_EQ(ask(packet({"00 03"})), packet({"00 83", "0005", "00000e10"}));
  EXPECT_TRUE(ask(packet({"00 82 0000 1f90 0050 00001c20"})).empty());
  EXPECT_TRUE(ask(packet({"00"})).empty());
  EXPECT_TRUE(ask(packet({"00 02 0000 1f90"})).empty());
}

TEST_F(nat_pmp_server, complains_of_what_a_client_must_not_send) {
  ask(packet({"00 02 0001 1f90 0050 00001c20"}));     // reserved bits
  ask(packet({"00 02 0000 1f90 0050 00000000"}));     // delete with an external port
  ask(packet({"00 00 00"}));                          // a byte too many
  ask(packet({"00 02 0000 1f90 0050 00001c20 00"}));  // a byte too many
  EXPECT_EQ(router_.complaints().size(), 4U);
}

TEST_F(nat_pmp_server, refuses_as_its_profile_says) {
  router_.behaviour().refuses_nat_pmp_maps_with = nat_pmp_result::out_of_resources;
  const bytes request = packet({"00 02 0000 1f90 0050 00001c20"});
  EXPECT_EQ(ask(request), packet({"00 82", "0004", "00000e10", "1f90 0000 00000000"}));
  router_.behaviour().nat_pmp_errors_echo_request = true;
  EXPECT_EQ(ask(request), packet({"00 82", "0004", "00000e10", "1f90 0050 00001c20"}));
  router_.behaviour().nat_pmp_errors_are_short = true;
  EXPECT_EQ(ask(request), packet({"00 82", "0004", "00000e10"}));
}

TEST_F(nat_pmp_server, answers_another_internal_port_where_the_profile_says_so) {
  router_.behaviour().nat_pmp_answers_internal_port = 0;
  EXPECT_EQ(ask(packet({"00 02 0000 1f90 0050 00001c20"})),
            packet({"00 82 0000 00000e10", "0000 0050 00001c20"}));
}

TEST_F(nat_pmp_server, grants_what_the_profile_forces) {
  router_.behaviour().forced_grant = 60;
  EXPECT_EQ(ask(packet({"00 02 0000 1f90 0050 00001c20"})),
            packet({"00 82 0000 00000e10", "1f90 0050 0000003c"}));
  EXPECT_EQ(router_.rules().front().expires, start + 1h + 60s);
}

TEST_F(nat_pmp_server, refuses_pcp_with_eight_bytes_when_it_speaks_nat_pmp_only) {
  router_.behaviour().speaks_pcp = false;
  const bytes pcp = packet({
      "02 00 0000 00000000",                  // ANNOUNCE
      "00000000 00000000 0000ffff c0a80164",  // client address
  });
  EXPECT_EQ(ask(pcp), packet({"00 80", "0001", "00000e10"}));
  router_.behaviour().answers_version_refusal = false;
  EXPECT_TRUE(ask(pcp).empty());
}

TEST_F(nat_pmp_server, is_refused_by_a_router_that_speaks_pcp_only) {
  router_.behaviour().speaks_nat_pmp = false;
  EXPECT_EQ(ask(packet({"00 02 0000 1f90 0050 00001c20"})),
            packet({"02 82 00 01", "00000708", "00000e10", "000000000000000000000000"}));
  router_.behaviour().clips_answers_to_nat_pmp = true;
  EXPECT_EQ(ask(packet({"00 00"})), packet({"02 80"}));
  EXPECT_EQ(ask(packet({"00 01 0000 1f90 0050 00001c20"})),
            packet({"02 81 00 01", "00000708", "00000e10"}));
}

}  // namespace
}  // namespace damson::sim
