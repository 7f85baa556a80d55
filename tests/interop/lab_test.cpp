#include <chrono>
#include <csignal>
#include <cstdint>
#include <string>
#include <string_view>
#include <thread>

#include "interop.hpp"

namespace {

using namespace std::chrono_literals;
using lab::endpoint;
using lab::transport;

constexpr std::uint16_t service_port = 8080;

// The lab without damson: what a test of it takes for granted is shown here, with a client written
// by others where one is needed.
class lab_test : public interop {
 protected:
  void SetUp() override {
    interop::SetUp();
    if (!IsSkipped() && !HasFatalFailure() && lab::find_tool("natpmpc").empty())
      GTEST_SKIP() << "natpmpc is not installed";
  }

  // Asks the router for `service_port` by NAT-PMP; the lifetime 0 gives it back.
  static testing::AssertionResult natpmpc(const lab::network& net, transport which,
                                          unsigned lifetime) {
    const std::string port = std::to_string(service_port);
    const lab::run_result result =
        lab::try_run(net.lan(), {"natpmpc", "-g", std::string(net.gateway_address()), "-a", port,
                                 port, std::string(to_string(which)), std::to_string(lifetime)});
    return testing::AssertionResult(result.status == 0 &&
                                    result.out.find("Mapped public port") != std::string::npos)
           << "natpmpc: status " << result.status << "\n"
           << result.out << result.err;
  }

  // natpmpc takes any answer for the one that it waits for, a second one to an earlier request too,
  // so it can say that it is done before the daemon is: what counts is the rules.
  static testing::AssertionResult soon(const auto& condition) {
    const auto deadline = lab::steady_clock::now() + 10s;
    while (!condition()) {
      if (lab::steady_clock::now() > deadline) {
        return testing::AssertionFailure() << "not within ten seconds";
      }
      std::this_thread::sleep_for(10ms);
    }
    return testing::AssertionSuccess();
  }

  static endpoint outside(const lab::network& net) {
    return {net.external_address(), service_port};
  }

  // The NAT-PMP question for the external address.
  static lab::reach ask_5351(const lab::network& net, lab::milliseconds limit) {
    return lab::ask(net.lan(), {net.gateway_address(), 5351}, {0, 0}, limit).how;
  }
};

class lab_transport_test : public lab_test, public testing::WithParamInterface<transport> {};

INSTANTIATE_TEST_SUITE_P(both, lab_transport_test, testing::Values(transport::tcp, transport::udp),
                         [](const auto& tested) { return std::string(to_string(tested.param)); });

TEST_P(lab_transport_test, lan_reaches_out_through_the_masquerade) {
  const lab::network net;
  const lab::listener server(net.wan(), GetParam(), service_port);
  const lab::probe_result result = lab::probe(net.lan(), server, {net.wan_address(), service_port});
  EXPECT_EQ(result.how, lab::reach::answered) << result;
  EXPECT_EQ(result.seen_from.address, net.external_address());
}

TEST_P(lab_transport_test, wan_gets_in_only_between_map_and_delete) {
  const lab::network net;
  const lab::miniupnpd daemon(net);
  const lab::listener server(net.lan(), GetParam(), service_port);
  const std::string rules = net.rules();
  EXPECT_TRUE(cut_off(net, server, outside(net)));

  ASSERT_TRUE(natpmpc(net, GetParam(), 60));
  EXPECT_TRUE(soon([&] { return reaches(net, server, outside(net)); }));
  const lab::listener other(net.lan(), GetParam(), service_port + 1);
  EXPECT_EQ(lab::probe(net.wan(), other, outside(net)).how, lab::reach::stranger);

  ASSERT_TRUE(natpmpc(net, GetParam(), 0));
  ASSERT_TRUE(soon([&] { return net.rules() == rules; }));
  EXPECT_TRUE(cut_off(net, server, outside(net)));
}

TEST_P(lab_transport_test, wan_does_not_get_in_by_a_route_to_the_lan) {
  const lab::network net;
  const lab::listener server(net.lan(), GetParam(), service_port);
  lab::run(net.wan(), {"ip", "route", "add", "192.168.77.0/24", "via", "1.2.3.4"});
  EXPECT_TRUE(cut_off(net, server, {net.lan_address(), service_port}));
}

TEST_P(lab_transport_test, wan_does_not_get_in_over_ipv6) {
  const lab::network net;
  if (!net.ipv6()) GTEST_SKIP() << "the kernel has no IPv6";
  const lab::listener out(net.wan(), GetParam(), service_port, "::");
  const lab::probe_result outward =
      lab::probe(net.lan(), out, {lab::network::wan_address6, service_port});
  EXPECT_EQ(outward.how, lab::reach::answered) << outward;

  const lab::listener server(net.lan(), GetParam(), service_port, "::");
  EXPECT_TRUE(cut_off(net, server, {lab::network::lan_address6, service_port}));
  lab::run(net.router(),
           {"nft", "add rule inet filter miniupnpd ip6 daddr 2001:db8:77::10 accept"});
  EXPECT_TRUE(reaches(net, server, {lab::network::lan_address6, service_port}));
}

TEST_P(lab_transport_test, a_public_lan_host_is_reached_directly) {
  const lab::network net({.lan = lab::lan_kind::public_address});
  const lab::listener server(net.lan(), GetParam(), service_port);
  const lab::probe_result result = lab::probe(net.wan(), server, {net.lan_address(), service_port});
  EXPECT_EQ(result.how, lab::reach::answered) << result;
  EXPECT_EQ(result.seen_from.address, net.wan_address());
}

TEST_F(lab_test, dropping_pcp_leaves_nat_pmp) {
  const lab::network net;
  const lab::miniupnpd daemon(net);
  EXPECT_TRUE(daemon.pcp_epoch());
  net.drop_pcp();
  EXPECT_FALSE(daemon.pcp_epoch(200ms));
  EXPECT_TRUE(natpmpc(net, transport::udp, 60));
  net.heal();
  EXPECT_TRUE(daemon.pcp_epoch());
}

TEST_F(lab_test, a_killed_daemon_and_flushed_rules_cut_the_wan_off) {
  const lab::network net;
  lab::miniupnpd daemon(net);
  const lab::listener server(net.lan(), transport::tcp, service_port);
  const std::string rules = net.rules();
  ASSERT_TRUE(natpmpc(net, transport::tcp, 60));
  ASSERT_TRUE(soon([&] { return reaches(net, server, outside(net)); }));
  daemon.wait_for_epoch(2);

  daemon.kill();
  EXPECT_TRUE(reaches(net, server, outside(net))) << "the rules outlive the daemon";
  net.flush_rules();
  EXPECT_TRUE(cut_off(net, server, outside(net)));
  EXPECT_EQ(net.rules(), rules);

  daemon.start();
  EXPECT_LT(daemon.pcp_epoch().value_or(99), 2U);
  EXPECT_TRUE(cut_off(net, server, outside(net)));
  ASSERT_TRUE(natpmpc(net, transport::tcp, 60));
  EXPECT_TRUE(soon([&] { return reaches(net, server, outside(net)); }));
}

TEST_F(lab_test, a_start_is_announced_unless_the_announcement_is_lost) {
  const lab::network net;
  const lab::listener ear(net.lan(), transport::udp, 5350);
  lab::miniupnpd daemon(net);
  const auto deadline = lab::steady_clock::now() + 5s;
  while (ear.arrivals() == 0 && lab::steady_clock::now() < deadline) std::this_thread::yield();
  EXPECT_GT(ear.arrivals(), 0U);

  daemon.kill();
  net.drop_announcements();
  const std::size_t before = ear.arrivals();
  daemon.start();
  EXPECT_TRUE(daemon.pcp_epoch());
  EXPECT_EQ(ear.arrivals(), before);
}

TEST_F(lab_test, a_daemon_can_be_stopped_and_started_again_and_again) {
  const lab::network net;
  lab::miniupnpd daemon(net);
  for (int i = 0; i < 5; ++i) {
    i % 2 == 0 ? daemon.stop() : daemon.kill();
    EXPECT_FALSE(daemon.running());
    EXPECT_EQ(ask_5351(net, 1s), lab::reach::refused);
    daemon.start();
    EXPECT_TRUE(daemon.pcp_epoch());
  }
}

TEST_F(lab_test, a_upnp_only_router_refuses_5351) {
  const lab::network net;
  const lab::miniupnpd daemon(net, {.natpmp = false});
  EXPECT_TRUE(daemon.running());
  EXPECT_EQ(ask_5351(net, 1s), lab::reach::refused);
}

TEST_F(lab_test, an_extra_line_makes_the_daemon_refuse) {
  const lab::network net;
  const lab::miniupnpd daemon(net, {.extra = {"deny 0-65535 0.0.0.0/0 0-65535"}});
  const std::string rules = net.rules();
  EXPECT_FALSE(natpmpc(net, transport::tcp, 60));
  EXPECT_EQ(net.rules(), rules);
}

TEST_F(lab_test, a_router_without_a_daemon_refuses_every_time) {
  const lab::network net;
  for (int i = 0; i < 50; ++i) ASSERT_EQ(ask_5351(net, 1s), lab::reach::refused) << i;
}

TEST_F(lab_test, a_silent_router_gives_nothing) {
  const lab::network net;
  const lab::miniupnpd daemon(net);
  net.drop_5351();
  EXPECT_EQ(ask_5351(net, 200ms), lab::reach::silent);
  EXPECT_FALSE(daemon.pcp_epoch(200ms));
}

TEST_F(lab_test, loss_loses_some_and_not_all) {
  const lab::network net;
  const lab::miniupnpd daemon(net);
  net.loss(25);
  constexpr int questions = 30;
  int answered = 0;
  for (int i = 0; i < questions; ++i)
    if (ask_5351(net, 20ms) == lab::reach::answered) ++answered;
  // Nine sixteenths are expected; none, or all, come less than once in ten million runs.
  EXPECT_GT(answered, 0);
  EXPECT_LT(answered, questions);
}

TEST_F(lab_test, a_host_without_a_route_reaches_its_own_link_only) {
  const lab::network net({.lan = lab::lan_kind::no_route});
  EXPECT_EQ(ask_5351(net, 1s), lab::reach::refused);
  const lab::listener server(net.wan(), transport::udp, service_port);
  const lab::probe_result result = lab::probe(net.lan(), server, {net.wan_address(), service_port});
  EXPECT_EQ(result.how, lab::reach::refused) << result;
}

TEST_F(lab_test, a_program_runs_in_its_namespace_and_is_ended) {
  const lab::network net;
  lab::process child(net.lan(), {"sh", "-c", "ip -4 -o addr show dev eth0; cat; exec sleep 100"},
                     {.input = "and the input\n", .environment = {}});
  EXPECT_NE(child.read_line(5s).value_or("").find(net.lan_address()), std::string::npos);
  EXPECT_EQ(child.read_line(5s), "and the input");
  EXPECT_EQ(child.wait(0ms), std::nullopt);
  child.send_signal(SIGTERM);
  EXPECT_EQ(child.wait(5s), 128 + SIGTERM);
  EXPECT_EQ(child.read_line(5s), std::nullopt);
}

TEST_F(lab_test, a_failing_command_says_which_and_why) {
  const lab::network net;
  try {
    lab::run(net.router(), {"ip", "link", "set", "nosuch0", "up"});
    FAIL() << "it did not fail";
  } catch (const lab::error& failure) {
    const std::string text = failure.what();
    EXPECT_NE(text.find("ip link set nosuch0 up in the router"), std::string::npos) << text;
    EXPECT_NE(text.find("Cannot find device"), std::string::npos) << text;
  }
}

}  // namespace
