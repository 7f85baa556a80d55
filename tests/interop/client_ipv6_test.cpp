// A port of the host's IPv6 address, opened in the firewall of a real router that drops what comes
// in by default.

#include <chrono>
#include <cstdint>

#include "interop.hpp"
#include "lan_client.hpp"

namespace {

using namespace std::chrono_literals;
using damson::errc;
using damson::event_kind;
using damson::ip_families;
using damson::protocol;
using damson::removal;

constexpr std::uint16_t service_port = 8080;

class client_ipv6 : public interop, public testing::WithParamInterface<damson::transport> {
 protected:
  static damson::map_request request() {
    damson::map_request wanted;
    wanted.transport = GetParam();
    wanted.internal_port = service_port;
    wanted.families = ip_families::v6;
    return wanted;
  }
  static lab::transport in_the_lab() {
    return GetParam() == damson::transport::tcp ? lab::transport::tcp : lab::transport::udp;
  }
  const lab::endpoint host_{lab::network::lan_address6, service_port};
};

INSTANTIATE_TEST_SUITE_P(both, client_ipv6,
                         testing::Values(damson::transport::tcp, damson::transport::udp),
                         [](const auto& tested) { return std::string(to_string(tested.param)); });

TEST_P(client_ipv6, wan_gets_in_only_between_map_and_release) {
  const lab::network net;
  if (!net.ipv6()) GTEST_SKIP() << "the kernel has no IPv6";
  const lab::miniupnpd daemon(net);
  const lab::listener server(net.lan(), in_the_lab(), service_port, "::");
  EXPECT_TRUE(cut_off(net, server, host_));

  lan_client client(net);
  const auto why = client.map(request());
  ASSERT_FALSE(why) << to_string(*why);
  const damson::mapping_info info = client.info();
  EXPECT_EQ(info.protocol, protocol::pcp);
  EXPECT_EQ(to_string(info.internal.address), lab::network::lan_address6);
  EXPECT_EQ(info.internal.port, service_port);
  EXPECT_EQ(info.external, info.internal) << "there is no NAT";
  EXPECT_TRUE(reaches(net, server, host_));

  EXPECT_EQ(client.release(), removal::deleted);
  EXPECT_TRUE(cut_off(net, server, host_));
}

TEST_P(client_ipv6, is_opened_beside_ipv4) {
  const lab::network net;
  if (!net.ipv6()) GTEST_SKIP() << "the kernel has no IPv6";
  const lab::miniupnpd daemon(net);
  const lab::listener server(net.lan(), in_the_lab(), service_port, "::");
  lan_client in_v6(net);
  lan_client in_v4(net);
  ASSERT_FALSE(in_v6.map(request()));
  damson::map_request wanted = request();
  wanted.families = ip_families::v4;
  ASSERT_FALSE(in_v4.map(wanted));
  EXPECT_TRUE(reaches(net, server, host_));
  EXPECT_TRUE(reaches(net, server, in_v4.external()));
  EXPECT_EQ(in_v4.release(), removal::deleted);
  EXPECT_TRUE(reaches(net, server, host_)) << "the other family's stays";
  EXPECT_EQ(in_v6.release(), removal::deleted);
}

using client_ipv6_without = interop;

TEST_F(client_ipv6_without, is_not_asked_for) {
  const lab::network net;
  if (!net.ipv6()) GTEST_SKIP() << "the kernel has no IPv6";
  lan_client client(net);
  damson::map_request wanted;
  wanted.internal_port = service_port;
  wanted.families = ip_families::v6;
  wanted.protocols = damson::protocol_filter::nat_pmp_only;
  const auto why = client.map(wanted);
  ASSERT_TRUE(why);
  EXPECT_EQ(why->reason, errc::protocol_excluded);
}

}  // namespace
