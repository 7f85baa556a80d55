// The network under a client changes as it does under a laptop, and nobody tells the client but the
// system. Its recheck is hours away.

#include <chrono>
#include <cstdint>
#include <iostream>
#include <string>
#include <string_view>

#include "interop.hpp"
#include "lan_client.hpp"

namespace {

using namespace std::chrono_literals;
using damson::errc;
using damson::event_kind;
using damson::protocol;
using lab::steady_clock;

constexpr std::uint16_t service_port = 8080;

void ip(const lab::network& net, const std::string& commands) {
  lab::run(net.lan(), {"ip", "-batch", "-"}, commands);
}

class network_change : public interop, public testing::WithParamInterface<protocol> {
 protected:
  /// A client that has its port open.
  class client_with_port {
   public:
    explicit client_with_port(const lab::network& net) : client_(net, {.recheck_period = 24h}) {
      const auto failed = client_.map({.internal_port = service_port});
      EXPECT_FALSE(failed) << to_string(*failed);
      EXPECT_EQ(client_.info().protocol, GetParam());
    }

    lan_client* operator->() { return &client_; }

    void expect_lost() {
      const auto event = client_.next_event();
      EXPECT_EQ(event.kind, event_kind::lost);
      EXPECT_EQ(event.why.reason, errc::network_changed);
    }

    /// Tries that fail are told in between where there is no way out for a while.
    void expect_regained(steady_clock::time_point since, std::string_view after) {
      auto event = client_.next_event();
      while (event.kind == event_kind::failed) event = client_.next_event();
      EXPECT_EQ(event.kind, event_kind::mapped);
      EXPECT_TRUE(event.regained);
      EXPECT_EQ(event.info.protocol, GetParam());
      const auto time =
          std::chrono::duration_cast<lab::milliseconds>(steady_clock::now() - since).count();
      std::cout << "open again through " << to_string(event.info.protocol) << ' ' << time
                << " ms after " << after << '\n';
    }

   private:
    lan_client client_;
  };

  static lab::miniupnpd_options speaking() { return {.natpmp = GetParam() == protocol::pcp}; }
};

INSTANTIATE_TEST_SUITE_P(all, network_change, testing::Values(protocol::pcp, protocol::upnp),
                         [](const auto& tested) { return std::string(to_string(tested.param)); });

TEST_P(network_change, another_router_is_asked_at_once) {
  const lab::network first;
  const lab::network second({.second = true});
  second.plug_in(first.lan(), "eth1", "192.168.78.30");
  const lab::miniupnpd daemon(first, speaking());
  const lab::miniupnpd other(second, speaking());
  const lab::listener server(first.lan(), lab::transport::tcp, service_port);
  client_with_port client(first);
  EXPECT_TRUE(reaches(first, server, client->external()));

  ip(first, "route replace default via 192.168.78.1\n");
  const auto since = steady_clock::now();
  client.expect_lost();
  client.expect_regained(since, "another router became the way out");
  EXPECT_EQ(to_string(client->info().external.address), second.external_address());
  EXPECT_EQ(to_string(client->info().internal), "192.168.78.30:8080");
  EXPECT_TRUE(reaches(second, server, client->external()));
  EXPECT_EQ(client->release(), damson::removal::left_to_expire) << "on the first router";
}

TEST_P(network_change, another_address_is_mapped_at_once) {
  const lab::network net;
  const lab::miniupnpd daemon(net, speaking());
  const lab::listener server(net.lan(), lab::transport::tcp, service_port);
  client_with_port client(net);

  // The default route goes with the address.
  ip(net,
     "address del 192.168.77.10/24 dev eth0\n"
     "address add 192.168.77.99/24 dev eth0\n"
     "route add default via 192.168.77.1\n");
  const auto since = steady_clock::now();
  client.expect_lost();
  client.expect_regained(since, "the host had another address");
  EXPECT_EQ(to_string(client->info().internal), "192.168.77.99:8080");
  EXPECT_TRUE(reaches(net, server, client->external()));
}

TEST_P(network_change, a_link_that_comes_back_is_used_at_once) {
  const lab::network net;
  const lab::miniupnpd daemon(net, speaking());
  const lab::listener server(net.lan(), lab::transport::tcp, service_port);
  client_with_port client(net);

  ip(net, "link set eth0 down\n");
  client.expect_lost();
  // The address stays, the route does not.
  ip(net,
     "link set eth0 up\n"
     "route add default via 192.168.77.1\n");
  const auto since = steady_clock::now();
  client.expect_regained(since, "the link came back");
  EXPECT_TRUE(reaches(net, server, client->external()));
  EXPECT_EQ(client->release(), damson::removal::deleted);
  EXPECT_EQ(net.port_mappings(), 0U);
}

TEST_P(network_change, a_cable_that_is_plugged_in_again_is_used_at_once) {
  const lab::network net({.ipv6 = false});
  const lab::miniupnpd daemon(net, speaking());
  const lab::listener server(net.lan(), lab::transport::tcp, service_port);
  client_with_port client(net);

  net.unplug();
  client.expect_lost();
  net.plug();
  const auto since = steady_clock::now();
  client.expect_regained(since, "the cable was plugged in");
  EXPECT_TRUE(reaches(net, server, client->external()));
  EXPECT_EQ(client->release(), damson::removal::deleted);
  EXPECT_EQ(net.port_mappings(), 0U);
}

}  // namespace
