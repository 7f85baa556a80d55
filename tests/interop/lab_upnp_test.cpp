#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "interop.hpp"

// What the tests of UPnP take for granted, shown with a client written by others.

namespace {

using namespace std::chrono_literals;
using lab::endpoint;
using lab::transport;

constexpr std::uint16_t service_port = 8080;
constexpr std::uint16_t decoy_port = 4'321;

class lab_upnp_test : public interop {
 protected:
  void SetUp() override {
    interop::SetUp();
    if (!IsSkipped() && !HasFatalFailure() && lab::find_tool("upnpc").empty())
      GTEST_SKIP() << "upnpc is not installed";
  }

  static std::vector<std::string> add(std::string_view address, std::uint16_t external_port) {
    return {"-a",
            std::string(address),
            std::to_string(service_port),
            std::to_string(external_port),
            "tcp",
            "600"};
  }

  static std::vector<std::string> remove(std::uint16_t external_port) {
    return {"-d", std::to_string(external_port), "tcp"};
  }

  static testing::AssertionResult done(const lab::run_result& result) {
    return testing::AssertionResult(result.status == 0) << "upnpc: status " << result.status << "\n"
                                                        << result.out << result.err;
  }

  static endpoint outside(const lab::network& net) {
    return {net.external_address(), service_port};
  }
  static endpoint inside(const lab::network& net) { return {net.lan_address(), service_port}; }
};

class lab_upnp_version_test : public lab_upnp_test, public testing::WithParamInterface<bool> {};

INSTANTIATE_TEST_SUITE_P(both, lab_upnp_version_test, testing::Values(true, false),
                         [](const auto& tested) { return tested.param ? "v1" : "v2"; });

TEST_P(lab_upnp_version_test, wan_gets_in_only_between_add_and_delete) {
  const lab::network net;
  const lab::miniupnpd daemon(net, {.natpmp = false, .igd_v1 = GetParam()});
  const lab::listener server(net.lan(), transport::tcp, service_port);
  const std::string rules = net.rules();
  EXPECT_TRUE(cut_off(net, server, outside(net)));
  EXPECT_EQ(net.port_mappings(), 0U);
  EXPECT_FALSE(net.leads_to(inside(net)));

  const std::string url = daemon.description_url();
  const std::string version = GetParam() ? "1" : "2";
  EXPECT_NE(lab::fetch(net.lan(), url).find(":WANIPConnection:" + version), std::string::npos);
  ASSERT_TRUE(done(lab::upnpc(net.lan(), url, add(net.lan_address(), service_port))));
  EXPECT_TRUE(reaches(net, server, outside(net)));
  EXPECT_EQ(net.port_mappings(), 1U);
  EXPECT_TRUE(net.leads_to(inside(net)));

  ASSERT_TRUE(done(lab::upnpc(net.lan(), url, remove(service_port))));
  EXPECT_EQ(net.rules(), rules);
  EXPECT_TRUE(cut_off(net, server, outside(net)));
}

TEST_F(lab_upnp_test, a_restarted_daemon_has_another_port_and_its_old_rules) {
  const lab::network net;
  lab::miniupnpd daemon(net, {.natpmp = false});
  const lab::listener server(net.lan(), transport::tcp, service_port);
  const std::uint16_t port = daemon.http_port();
  ASSERT_TRUE(
      done(lab::upnpc(net.lan(), daemon.description_url(), add(net.lan_address(), service_port))));
  daemon.restart_elsewhere(port);
  EXPECT_NE(daemon.http_port(), port);
  EXPECT_TRUE(reaches(net, server, outside(net)));

  daemon.kill();
  net.flush_rules();
  EXPECT_TRUE(cut_off(net, server, outside(net)));
  EXPECT_EQ(net.port_mappings(), 0U);
}

TEST_F(lab_upnp_test, only_an_insecure_daemon_maps_ports_to_other_hosts) {
  const lab::network net;
  for (const bool secure : {true, false}) {
    const lab::miniupnpd daemon(net, {.natpmp = false, .secure = secure});
    const lab::run_result result =
        lab::upnpc(net.lan(), daemon.description_url(), add("192.168.77.99", service_port));
    EXPECT_EQ(result.status == 0, !secure) << result.out;
    EXPECT_EQ(net.leads_to({"192.168.77.99", service_port}), !secure);
  }
}

TEST_F(lab_upnp_test, neighbours_map_ports_as_well) {
  const lab::network net({.neighbours = 2});
  const lab::miniupnpd daemon(net, {.natpmp = false});
  const std::string url = daemon.description_url();
  for (const std::size_t which : {0U, 1U}) {
    const auto port = static_cast<std::uint16_t>(service_port + which);
    const lab::listener server(net.neighbour(which), transport::tcp, service_port);
    ASSERT_TRUE(done(
        lab::upnpc(net.neighbour(which), url, add(lab::network::neighbour_address(which), port))));
    EXPECT_TRUE(reaches(net, server, {net.external_address(), port}));
  }
  EXPECT_EQ(net.port_mappings(), 2U);
  EXPECT_NE(lab::upnpc(net.lan(), url, add(net.lan_address(), service_port)).status, 0)
      << "a port that another host has is given away";
}

TEST_F(lab_upnp_test, dropping_unicast_searches_leaves_the_others) {
  const lab::network net;
  const lab::miniupnpd daemon(net, {.natpmp = false});
  net.drop_unicast_searches();
  EXPECT_THROW(daemon.http_port(), lab::error);
  EXPECT_TRUE(done(lab::upnpc(net.lan(), {}, {"-l"})));
  net.heal();
  EXPECT_NE(daemon.http_port(), 0);
}

TEST_F(lab_upnp_test, contacts_are_noted_whether_anybody_listens_or_not) {
  const lab::network net;
  const lab::contacts noted(net.lan());
  EXPECT_TRUE(noted.connections().empty());
  EXPECT_TRUE(noted.datagrams().empty());
  const lab::listener server(net.wan(), transport::tcp, service_port);
  const lab::listener own(net.lan(), transport::udp, service_port);
  lab::probe(net.lan(), server, {net.wan_address(), service_port});
  lab::probe(net.lan(), server, {net.gateway_address(), 1});
  lab::probe(net.lan(), own, {"127.0.0.1", service_port});
  const std::vector<endpoint> connections = noted.connections();
  EXPECT_EQ(connections.size(), 2U);
  for (const endpoint& expected :
       {endpoint{net.wan_address(), service_port}, endpoint{net.gateway_address(), 1}})
    EXPECT_EQ(std::ranges::count(connections, expected), 1) << expected;
  EXPECT_TRUE(noted.sent_to_port(service_port));
  EXPECT_FALSE(noted.sent_to_port(1));
}

// The fake device is good enough for a client that takes the bait, or a test in which nobody does
// would say nothing.
class fake_device_test : public lab_upnp_test, public testing::WithParamInterface<bool> {};

INSTANTIATE_TEST_SUITE_P(from, fake_device_test, testing::Values(true, false),
                         [](const auto& tested) { return tested.param ? "router" : "neighbour"; });

TEST_P(fake_device_test, an_honest_one_is_found_and_used) {
  const lab::network net({.neighbours = 1});
  const lab::fake_device device =
      GetParam() ? lab::fake_device(net.router(), net.gateway_address())
                 : lab::fake_device(net.neighbour(), lab::network::neighbour_address());
  ASSERT_TRUE(done(lab::upnpc(net.lan(), {}, add(net.lan_address(), service_port))));
  EXPECT_GE(device.searches(), 1U);
  EXPECT_GE(device.requests("GET"), 1U);
  EXPECT_GE(device.requests("POST"), 1U);
  EXPECT_EQ(device.entries(), 1U);
  ASSERT_TRUE(done(lab::upnpc(net.lan(), device.description_url(), remove(service_port))));
  EXPECT_EQ(device.entries(), 0U);
}

TEST_F(lab_upnp_test, a_client_that_believes_everything_connects_to_the_decoy) {
  const std::string elsewhere =
      "http://" + lab::network::neighbour_address() + ":" + std::to_string(decoy_port) + "/";
  for (const lab::device_story& lie :
       {lab::device_story{.location = elsewhere}, lab::device_story{.url_base = elsewhere},
        lab::device_story{.control_url = elsewhere}}) {
    const lab::network net({.neighbours = 1});
    const lab::listener decoy(net.neighbour(), transport::tcp, decoy_port);
    const lab::fake_device device(net.router(), net.gateway_address(), lie);
    lab::upnpc(net.lan(), {}, add(net.lan_address(), service_port));
    EXPECT_GE(decoy.arrivals(), 1U);
  }
}

}  // namespace
