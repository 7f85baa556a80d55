#include <chrono>
#include <csignal>
#include <memory>
#include <string>

#include <gmock/gmock.h>

#include "interop.hpp"
#include "lan_client.hpp"
#include "sim/socket_stun_server.hpp"
#include "two_nats.hpp"

// A STUN server on the WAN host sees the LAN host as the outermost router's NAT shows it.

namespace {

using namespace std::chrono_literals;
using damson::event_kind;
using testing::HasSubstr;

constexpr std::uint16_t service_port = 8080;

/// Its sockets, and its thread, are the WAN host's.
std::unique_ptr<damson::sim::socket_stun_server> stun_server_at(const lab::network& net) {
  return lab::in(net.wan(), [&] {
    return std::make_unique<damson::sim::socket_stun_server>(damson::endpoint{
        damson::ip_address::parse(net.wan_address()).value(), damson::sim::stun_port});
  });
}

TEST_F(interop, the_address_that_is_seen_is_the_routers) {
  const lab::network net;
  const lab::miniupnpd daemon(net);
  const auto server = stun_server_at(net);
  damson::options opts;
  opts.stun_server = server->at();
  lan_client client(net, opts);
  const auto failed = client.map({.internal_port = service_port});
  ASSERT_FALSE(failed) << to_string(*failed);
  // Where the answer comes before the program has looked, the two are one.
  if (client.info().seen_address.is_unspecified()) {
    EXPECT_EQ(client.next_event().kind, event_kind::changed);
  }
  EXPECT_EQ(to_string(client.info().seen_address), net.external_address());
  EXPECT_EQ(client.info().seen_address, client.info().external.address);
  EXPECT_EQ(client.release(), damson::removal::deleted);
}

TEST_F(interop, the_address_that_is_seen_tells_of_a_second_nat) {  // Q-151
  const two_nats nets;
  const lab::miniupnpd daemon(nets.outer);
  const auto server = stun_server_at(nets.outer);
  lab::process tool(nets.inner.lan(),
                    {DAMSON_TOOL, "map", "8080", "--json", "--stun", to_string(server->at())});
  EXPECT_THAT(tool.read_line(20s).value_or(""), HasSubstr(R"("external":"192.168.78.20:8080")"));
  EXPECT_THAT(tool.read_line(20s).value_or(""), HasSubstr(R"("seen_address":"1.2.5.4")"));
  tool.send_signal(SIGTERM);
  EXPECT_EQ(tool.wait(10s), 0) << tool.err();
  EXPECT_THAT(tool.err(), HasSubstr("seen there as 1.2.5.4, not as 192.168.78.20"));
}

}  // namespace
