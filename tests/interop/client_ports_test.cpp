// TCP and UDP of one port, and ports in a row, on a real router.

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "interop.hpp"
#include "lan_client.hpp"

namespace {

using namespace std::chrono_literals;
using damson::protocol;
using damson::removal;

constexpr std::uint16_t service_port = 8080;

class client_ports : public interop, public testing::WithParamInterface<protocol> {
 protected:
  static lab::miniupnpd_options speaking() { return {.natpmp = GetParam() != protocol::upnp}; }
  static void make_router_speak(const lab::network& net) {
    if (GetParam() == protocol::nat_pmp) net.drop_pcp();
  }

  static damson::map_request pair(bool all_or_nothing) {
    damson::map_request wanted;
    wanted.internal_port = service_port;
    wanted.both_transports = true;
    wanted.all_or_nothing = all_or_nothing;
    return wanted;
  }
  static damson::map_request row(std::uint16_t count) {
    damson::map_request wanted;
    wanted.internal_port = service_port;
    wanted.port_count = count;
    wanted.all_or_nothing = true;
    return wanted;
  }

  /// Another host has the port in UDP, and TCP is free.
  static void take_in_udp(const lab::network& net) {
    lab::process his(net.neighbour(),
                     {DAMSON_TOOL, "map", std::to_string(service_port) + "/udp", "--once"});
    ASSERT_EQ(his.wait(10s), 0) << his.err();
  }
  static lab::endpoint outside(const damson::mapping_part& of) {
    return {to_string(of.info.external.address), of.info.external.port};
  }
};

INSTANTIATE_TEST_SUITE_P(routers, client_ports,
                         testing::Values(protocol::pcp, protocol::nat_pmp, protocol::upnp),
                         [](const auto& tested) {
                           const protocol by = tested.param;
                           return by == protocol::nat_pmp ? std::string{"nat_pmp"}
                                                          : std::string{to_string(by)};
                         });

TEST_P(client_ports, of_both_transports_let_the_wan_in_between_map_and_release) {
  const lab::network net;
  const lab::miniupnpd daemon(net, speaking());
  make_router_speak(net);
  const lab::listener tcp(net.lan(), lab::transport::tcp, service_port);
  const lab::listener udp(net.lan(), lab::transport::udp, service_port);
  const std::string rules = net.rules();
  lan_client client(net);
  const auto why = client.map(pair(true));
  ASSERT_FALSE(why) << to_string(*why);
  const auto parts = client.parts();
  ASSERT_EQ(parts.size(), 2U);
  for (const auto& each : parts) EXPECT_EQ(each.info.protocol, GetParam());
  EXPECT_EQ(parts[0].info.transport, damson::transport::tcp);
  EXPECT_EQ(parts[1].info.transport, damson::transport::udp);
  EXPECT_EQ(outside(parts[0]), outside(parts[1]));
  EXPECT_TRUE(reaches(net, tcp, outside(parts[0])));
  EXPECT_TRUE(reaches(net, udp, outside(parts[1])));

  EXPECT_EQ(client.release(), removal::deleted);
  EXPECT_TRUE(cut_off(net, tcp, outside(parts[0])));
  EXPECT_TRUE(cut_off(net, udp, outside(parts[1])));
  EXPECT_EQ(net.rules(), rules);
}

TEST_P(client_ports, in_a_row_let_the_wan_in_between_map_and_release) {
  constexpr std::uint16_t count = 3;
  const lab::network net;
  const lab::miniupnpd daemon(net, speaking());
  make_router_speak(net);
  std::vector<std::unique_ptr<lab::listener>> servers;
  for (std::uint16_t i = 0; i < count; ++i) {
    servers.push_back(std::make_unique<lab::listener>(
        net.lan(), lab::transport::tcp, static_cast<std::uint16_t>(service_port + i)));
    EXPECT_TRUE(cut_off(net, *servers.back(), {"1.2.3.4", servers.back()->port()}));
  }
  const std::string rules = net.rules();
  lan_client client(net);
  const auto why = client.map(row(count));
  ASSERT_FALSE(why) << to_string(*why);
  const auto parts = client.parts();
  ASSERT_EQ(parts.size(), count);
  for (std::uint16_t i = 0; i < count; ++i) {
    EXPECT_EQ(parts[i].info.external.port, parts[0].info.external.port + i);
    EXPECT_TRUE(reaches(net, *servers[i], outside(parts[i])));
  }

  EXPECT_EQ(client.release(), removal::deleted);
  for (std::uint16_t i = 0; i < count; ++i) {
    EXPECT_TRUE(cut_off(net, *servers[i], outside(parts[i])));
  }
  EXPECT_EQ(net.rules(), rules);
}

TEST_P(client_ports, of_which_a_neighbour_has_one_are_common_elsewhere) {
  const lab::network net({.neighbours = 1});
  const lab::miniupnpd daemon(net, speaking());
  make_router_speak(net);
  take_in_udp(net);
  const lab::listener tcp(net.lan(), lab::transport::tcp, service_port);
  const lab::listener udp(net.lan(), lab::transport::udp, service_port);
  const std::string rules = net.rules();
  lan_client client(net);
  const auto why = client.map(pair(true));
  ASSERT_FALSE(why) << to_string(*why);
  const auto parts = client.parts();
  ASSERT_EQ(parts.size(), 2U);
  EXPECT_EQ(outside(parts[0]), outside(parts[1]));
  EXPECT_NE(outside(parts[0]).port, service_port);
  EXPECT_TRUE(reaches(net, tcp, outside(parts[0])));
  EXPECT_TRUE(reaches(net, udp, outside(parts[1])));
  EXPECT_EQ(net.port_mappings(), 3U) << "what was tried first is given back";
  EXPECT_EQ(client.release(), removal::deleted);
  EXPECT_EQ(net.rules(), rules);
}

TEST_P(client_ports, of_which_a_neighbour_has_one_are_each_for_itself_where_that_will_do) {
  const lab::network net({.neighbours = 1});
  const lab::miniupnpd daemon(net, speaking());
  make_router_speak(net);
  take_in_udp(net);
  const lab::listener tcp(net.lan(), lab::transport::tcp, service_port);
  const lab::listener udp(net.lan(), lab::transport::udp, service_port);
  lan_client client(net);
  const auto why = client.map(pair(false));
  ASSERT_FALSE(why) << to_string(*why);
  const auto parts = client.parts();
  ASSERT_EQ(parts.size(), 2U);
  EXPECT_NE(outside(parts[1]).port, service_port) << "his";
  EXPECT_TRUE(reaches(net, tcp, outside(parts[0])));
  EXPECT_TRUE(reaches(net, udp, outside(parts[1])));
  if (GetParam() != protocol::nat_pmp) {  // RFC 6886 section 3.3: a port is one host's in both
    EXPECT_EQ(outside(parts[0]).port, service_port);
  }
  EXPECT_EQ(client.release(), removal::deleted);
}

}  // namespace
