// A port of the host's IPv6 address, opened by WANIPv6FirewallControl in the firewall of a real
// router that drops what comes in by default.

#include <chrono>
#include <csignal>
#include <cstdint>
#include <string>

#include "interop.hpp"
#include "lan_client.hpp"

namespace {

using namespace std::chrono_literals;
using damson::event_kind;
using damson::ip_family;
using damson::protocol;
using damson::removal;

constexpr std::uint16_t service_port = 8080;

class client_pinhole : public interop, public testing::WithParamInterface<damson::transport> {
 protected:
  static damson::map_request request() {
    damson::map_request wanted;
    wanted.transport = GetParam();
    wanted.internal_port = service_port;
    wanted.families = damson::ip_families::v6;
    wanted.protocols = damson::protocol_filter::upnp;
    return wanted;
  }
  static lab::transport in_the_lab() {
    return GetParam() == damson::transport::tcp ? lab::transport::tcp : lab::transport::udp;
  }
  const lab::endpoint host_{lab::network::lan_address6, service_port};
};

INSTANTIATE_TEST_SUITE_P(both, client_pinhole,
                         testing::Values(damson::transport::tcp, damson::transport::udp),
                         [](const auto& tested) { return std::string(to_string(tested.param)); });

TEST_P(client_pinhole, wan_gets_in_only_between_map_and_release) {
  const lab::network net;
  if (!net.ipv6()) GTEST_SKIP() << "the kernel has no IPv6";
  const lab::miniupnpd daemon(net);
  const lab::listener server(net.lan(), in_the_lab(), service_port, "::");
  const std::string rules = net.rules();
  EXPECT_TRUE(cut_off(net, server, host_));

  lan_client client(net);
  const auto why = client.map(request());
  ASSERT_FALSE(why) << to_string(*why);
  const damson::mapping_info info = client.info();
  EXPECT_EQ(info.protocol, protocol::upnp);
  EXPECT_EQ(to_string(info.internal.address), lab::network::lan_address6);
  EXPECT_EQ(info.external, info.internal) << "there is no NAT";
  EXPECT_EQ(to_string(damson::ip_address{info.gateway.to_v6()}), lab::network::gateway_link_local6)
      << "the router is known by the address of its route";
  EXPECT_TRUE(info.verified);
  EXPECT_TRUE(reaches(net, server, host_));

  EXPECT_EQ(client.release(), removal::deleted);
  EXPECT_TRUE(cut_off(net, server, host_));
  EXPECT_EQ(net.rules(), rules);
}

TEST_P(client_pinhole, takes_over_where_pcp_is_silent) {
  const lab::network net;
  if (!net.ipv6()) GTEST_SKIP() << "the kernel has no IPv6";
  const lab::miniupnpd daemon(net);
  net.drop_5351();
  const lab::listener server(net.lan(), in_the_lab(), service_port, "::");
  lan_client client(net);
  damson::map_request wanted = request();
  wanted.protocols = damson::protocol_filter::any;
  const auto why = client.map(wanted);
  ASSERT_FALSE(why) << to_string(*why);
  EXPECT_EQ(client.info().protocol, protocol::upnp);
  EXPECT_TRUE(reaches(net, server, host_));
  EXPECT_EQ(client.release(), removal::deleted);
  EXPECT_TRUE(cut_off(net, server, host_));
}

/// The first one ended without a word, so the daemon extends what is there.
TEST_P(client_pinhole, is_taken_over_from_one_that_was_left) {
  const lab::network net;
  if (!net.ipv6()) GTEST_SKIP() << "the kernel has no IPv6";
  const lab::miniupnpd daemon(net);
  const lab::listener server(net.lan(), in_the_lab(), service_port, "::");
  const std::string rules = net.rules();
  const std::string port = "8080/" + std::string(to_string(GetParam()));
  lab::process tool(net.lan(),
                    {DAMSON_TOOL, "map", port, "--ipv6", "--protocol", "upnp", "--once", "--json"});
  EXPECT_EQ(tool.wait(10s), 0) << tool.err();
  for (const std::string part :
       {R"("event":"mapped")", R"("protocol":"upnp")", R"("internal":"[2001:db8:77::10]:8080")",
        R"("external":"[2001:db8:77::10]:8080")"}) {
    EXPECT_NE(tool.out().find(part), std::string::npos) << part << " in " << tool.out();
  }
  EXPECT_TRUE(reaches(net, server, host_)) << "once";

  lan_client client(net);
  const auto why = client.map(request());
  ASSERT_FALSE(why) << to_string(*why);
  EXPECT_TRUE(reaches(net, server, host_));
  EXPECT_EQ(client.release(), removal::deleted);
  EXPECT_TRUE(cut_off(net, server, host_));
  EXPECT_EQ(net.rules(), rules);
}

/// The daemon has forgotten the number, and what is asked of it by that is Invalid Args to it.
TEST_P(client_pinhole, is_made_again_after_a_restart) {
  const lab::network net;
  if (!net.ipv6()) GTEST_SKIP() << "the kernel has no IPv6";
  lab::miniupnpd daemon(net);
  const lab::listener server(net.lan(), in_the_lab(), service_port, "::");
  damson::options opts;
  opts.recheck_period = 2s;
  lan_client client(net, opts);
  ASSERT_FALSE(client.map(request()));
  daemon.kill();
  net.flush_rules();
  EXPECT_TRUE(cut_off(net, server, host_));
  daemon.start();
  const lab::steady_clock::time_point limit = lab::steady_clock::now() + 20s;
  bool is_open = false;
  while (!is_open && lab::steady_clock::now() < limit) {
    is_open = bool{reaches(net, server, host_)};
  }
  EXPECT_TRUE(is_open);
  EXPECT_EQ(client.release(), removal::deleted);
  EXPECT_TRUE(cut_off(net, server, host_));
}

}  // namespace
