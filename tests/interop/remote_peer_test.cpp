#include <string>

#include <gtest/gtest.h>

#include "interop.hpp"
#include "lan_client.hpp"

// PEER with the real daemon, whose Debian build knows it.

namespace {

using damson::errc;
using damson::protocol;

TEST_F(interop, the_mapping_of_a_flow_is_kept_by_the_daemon) {
  const lab::network net;
  const lab::miniupnpd daemon(net);
  lan_client client(net);
  damson::map_request wanted{.internal_port = 8080};
  wanted.transport = damson::transport::udp;
  wanted.remote_peer = {damson::ip_address::parse(net.wan_address()).value(), 4000};
  const auto failed = client.map(wanted);
  ASSERT_FALSE(failed) << to_string(*failed);
  EXPECT_EQ(client.info().protocol, protocol::pcp);
  EXPECT_EQ(to_string(client.info().external.address), net.external_address());
  EXPECT_NE(client.info().external.port, 0);
  EXPECT_EQ(client.release(), damson::removal::left_to_expire);
}

}  // namespace
