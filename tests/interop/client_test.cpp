#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "interop.hpp"
#include "lan_client.hpp"

namespace {

using namespace std::chrono_literals;
using damson::errc;
using damson::event_kind;
using damson::protocol;
using damson::protocol_filter;
using damson::removal;

constexpr std::uint16_t service_port = 8080;

lab::transport in_the_lab(damson::transport which) {
  return which == damson::transport::tcp ? lab::transport::tcp : lab::transport::udp;
}

damson::map_request request_for(damson::transport which) {
  return {.transport = which, .internal_port = service_port};
}

// The rows and columns of the matrix: what the router speaks, and what is carried.
struct cell {
  damson::protocol protocol;
  damson::transport transport;
};

std::string name_of(const testing::TestParamInfo<cell>& tested) {
  const protocol row = tested.param.protocol;
  return std::string(row == protocol::nat_pmp ? "nat_pmp" : to_string(row)) + "_" +
         std::string(to_string(tested.param.transport));
}

class client_matrix : public interop, public testing::WithParamInterface<cell> {
 protected:
  static lab::miniupnpd_options speaking(protocol only) {
    return {.natpmp = only != protocol::upnp};
  }
  static void make_router_speak(const lab::network& net, protocol only) {
    if (only == protocol::nat_pmp) net.drop_pcp();
  }
  // PCP and NAT-PMP are told of a restart; over UPnP it is found out.
  static damson::options options_for(protocol only) {
    return only == protocol::upnp ? damson::options{.recheck_period = 2s} : damson::options{};
  }

  // Rules gone, epoch 0, another HTTP port.
  static void restart(const lab::network& net, lab::miniupnpd& daemon, const auto& while_down) {
    const std::uint16_t port = daemon.http_port();
    daemon.kill();
    net.flush_rules();
    while_down();
    daemon.restart_elsewhere(port);
  }
};

INSTANTIATE_TEST_SUITE_P(all, client_matrix,
                         testing::Values(cell{protocol::pcp, damson::transport::tcp},
                                         cell{protocol::pcp, damson::transport::udp},
                                         cell{protocol::nat_pmp, damson::transport::tcp},
                                         cell{protocol::nat_pmp, damson::transport::udp},
                                         cell{protocol::upnp, damson::transport::tcp},
                                         cell{protocol::upnp, damson::transport::udp}),
                         name_of);

TEST_P(client_matrix, wan_gets_in_only_between_map_and_release) {
  const lab::network net;
  const lab::miniupnpd daemon(net, speaking(GetParam().protocol));
  make_router_speak(net, GetParam().protocol);
  const lab::listener server(net.lan(), in_the_lab(GetParam().transport), service_port);
  const std::string rules = net.rules();
  EXPECT_TRUE(cut_off(net, server, {net.external_address(), service_port}));

  lan_client client(net);
  const auto failed = client.map(request_for(GetParam().transport));
  ASSERT_FALSE(failed) << to_string(*failed);
  const damson::mapping_info info = client.info();
  EXPECT_EQ(info.protocol, GetParam().protocol);
  EXPECT_EQ(info.transport, GetParam().transport);
  EXPECT_EQ(to_string(info.external.address), net.external_address());
  EXPECT_EQ(to_string(info.internal),
            std::string(net.lan_address()) + ":" + std::to_string(service_port));
  // Read back over UPnP, a second may have gone.
  EXPECT_GE(info.lifetime, GetParam().protocol == protocol::upnp ? 7190s : 7200s);
  EXPECT_LE(info.lifetime, 7200s);
  EXPECT_EQ(info.verified, GetParam().protocol == protocol::upnp);
  EXPECT_EQ(net.port_mappings(), 1U);
  EXPECT_TRUE(net.leads_to({net.lan_address(), service_port}));
  const lab::endpoint external = client.external();
  EXPECT_TRUE(reaches(net, server, external));

  EXPECT_EQ(client.release(), removal::deleted);
  EXPECT_TRUE(cut_off(net, server, external));
  EXPECT_EQ(net.rules(), rules);
}

TEST_P(client_matrix, a_taken_port_is_refused_to_who_will_have_no_other) {
  const lab::network net;
  const lab::miniupnpd daemon(net, speaking(GetParam().protocol));
  make_router_speak(net, GetParam().protocol);
  constexpr std::uint16_t wanted_port = 9000;
  damson::map_request wanted = request_for(GetParam().transport);
  wanted.external_port = wanted_port;
  lan_client first(net);
  ASSERT_FALSE(first.map(wanted));
  ASSERT_EQ(first.info().external.port, wanted_port);
  const std::string rules = net.rules();

  wanted.internal_port = service_port + 1;
  wanted.prefer_failure = true;
  lan_client second(net);
  const auto failed = second.map(wanted);
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->reason, errc::external_not_available) << to_string(*failed);
  EXPECT_EQ(net.rules(), rules) << "what was granted instead is given back (Q-30)";

  EXPECT_EQ(first.release(), removal::deleted);
  lan_client third(net);
  const auto why = third.map(wanted);
  ASSERT_FALSE(why) << to_string(*why);
  EXPECT_EQ(third.info().external.port, wanted_port);
  EXPECT_EQ(third.release(), removal::deleted);
}

TEST_P(client_matrix, a_restarted_router_is_mapped_again_and_the_program_told) {
  const lab::network net;
  lab::miniupnpd daemon(net, speaking(GetParam().protocol));
  if (GetParam().protocol != protocol::upnp) daemon.wait_for_epoch(lab::miniupnpd::telling_epoch);
  make_router_speak(net, GetParam().protocol);
  const lab::listener server(net.lan(), in_the_lab(GetParam().transport), service_port);
  const std::string rules = net.rules();
  lan_client client(net, options_for(GetParam().protocol));
  const auto failed = client.map(request_for(GetParam().transport));
  ASSERT_FALSE(failed) << to_string(*failed);
  const lab::endpoint external = client.external();
  ASSERT_TRUE(reaches(net, server, external));

  restart(net, daemon, [&] { EXPECT_TRUE(cut_off(net, server, external)); });

  const damson::mapping_event lost = client.next_event();
  EXPECT_EQ(lost.kind, event_kind::lost);
  // Over UPnP it may be the missing entry that tells.
  EXPECT_TRUE(lost.why.reason == errc::gateway_restarted ||
              (GetParam().protocol == protocol::upnp && lost.why.reason == errc::mapping_gone))
      << to_string(lost.why);
  const damson::mapping_event again = client.next_event();
  EXPECT_EQ(again.kind, event_kind::mapped);
  EXPECT_TRUE(again.regained);
  EXPECT_EQ(again.info.protocol, GetParam().protocol);
  EXPECT_EQ(client.external(), external);
  EXPECT_EQ(net.port_mappings(), 1U);
  EXPECT_TRUE(net.leads_to({net.lan_address(), service_port}));
  EXPECT_TRUE(reaches(net, server, external));

  EXPECT_EQ(client.release(), removal::deleted);
  EXPECT_TRUE(cut_off(net, server, external));
  EXPECT_EQ(net.rules(), rules);
}

class client_test : public interop {};

TEST_F(client_test, finds_a_restart_whose_announcement_is_lost) {
  const lab::network net;
  lab::miniupnpd daemon(net);
  daemon.wait_for_epoch(lab::miniupnpd::telling_epoch);
  net.drop_announcements();
  const lab::listener server(net.lan(), lab::transport::tcp, service_port);
  lan_client client(net, {.recheck_period = 1s});
  ASSERT_FALSE(client.map(request_for(damson::transport::tcp)));

  daemon.kill();
  net.flush_rules();
  EXPECT_TRUE(cut_off(net, server, client.external()));
  daemon.start();

  EXPECT_EQ(client.next_event().kind, event_kind::lost);
  const damson::mapping_event again = client.next_event();
  EXPECT_EQ(again.kind, event_kind::mapped);
  EXPECT_TRUE(again.regained);
  EXPECT_TRUE(reaches(net, server, client.external()));
}

TEST_F(client_test, reports_the_lifetime_that_was_granted) {
  const lab::network net;
  const lab::miniupnpd daemon(net);
  lan_client client(net);
  damson::map_request request = request_for(damson::transport::tcp);
  request.lifetime = 60s;
  ASSERT_FALSE(client.map(request));
  // The daemon raises short lifetimes.
  EXPECT_EQ(client.info().lifetime, 120s);
}

TEST_F(client_test, takes_the_external_port_that_the_router_gives) {
  const lab::network net;
  const lab::miniupnpd daemon(net, {.extra = {"deny 8080 0.0.0.0/0 0-65535"}});
  const lab::listener server(net.lan(), lab::transport::tcp, service_port);
  lan_client client(net);
  const auto failed = client.map(request_for(damson::transport::tcp));
  ASSERT_FALSE(failed) << to_string(*failed);
  EXPECT_NE(client.info().external.port, service_port);
  EXPECT_TRUE(reaches(net, server, client.external()));
}

TEST_F(client_test, asks_for_the_external_port_that_is_wanted) {
  const lab::network net;
  const lab::miniupnpd daemon(net);
  const lab::listener server(net.lan(), lab::transport::udp, service_port);
  lan_client client(net);
  damson::map_request request = request_for(damson::transport::udp);
  request.external_port = 12'345;
  ASSERT_FALSE(client.map(request));
  EXPECT_EQ(client.info().external.port, 12'345);
  EXPECT_TRUE(reaches(net, server, client.external()));
}

TEST_F(client_test, obeys_the_filter_nat_pmp_only) {
  const lab::network net;
  const lab::miniupnpd daemon(net);
  lan_client client(net);
  damson::map_request request = request_for(damson::transport::tcp);
  request.protocols = protocol_filter::nat_pmp_only;
  ASSERT_FALSE(client.map(request));
  EXPECT_EQ(client.info().protocol, protocol::nat_pmp);
}

TEST_F(client_test, obeys_the_filter_pcp_only) {
  const lab::network net;
  const lab::miniupnpd daemon(net);
  net.drop_pcp();
  const std::string rules = net.rules();
  lan_client client(net);
  damson::map_request request = request_for(damson::transport::tcp);
  request.protocols = protocol_filter::pcp_only;
  const auto failed = client.map(request);
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->reason, errc::no_answer);
  ASSERT_EQ(failed->protocols.size(), 1U);
  EXPECT_EQ(failed->protocols[0].protocol, protocol::pcp);
  EXPECT_EQ(net.rules(), rules);
}

TEST_F(client_test, says_that_nothing_answers) {
  const lab::network net;
  net.drop_5351();
  lan_client client(net);
  const auto failed = client.map(request_for(damson::transport::tcp));
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->reason, errc::no_answer);
  ASSERT_GE(failed->protocols.size(), 2U);
  EXPECT_EQ(failed->protocols[0].reason, errc::no_answer);
  EXPECT_EQ(failed->protocols[1].reason, errc::no_answer);
}

TEST_F(client_test, says_that_the_port_is_closed) {
  const lab::network net;
  lan_client client(net);
  const auto failed = client.map(request_for(damson::transport::tcp));
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->reason, errc::port_closed);
}

TEST_F(client_test, says_that_there_is_no_route) {
  const lab::network net({.lan = lab::lan_kind::no_route});
  lan_client client(net);
  const auto failed = client.map(request_for(damson::transport::tcp));
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->reason, errc::no_gateway);
}

TEST_F(client_test, says_that_the_router_refuses) {
  const lab::network net;
  const lab::miniupnpd daemon(net, {.extra = {"deny 0-65535 0.0.0.0/0 0-65535"}});
  const std::string rules = net.rules();
  lan_client client(net);
  const auto failed = client.map(request_for(damson::transport::tcp));
  ASSERT_TRUE(failed);
  ASSERT_FALSE(failed->protocols.empty());
  EXPECT_TRUE(failed->protocols[0].result_code) << to_string(*failed);
  EXPECT_EQ(failed->protocols[0].protocol, protocol::pcp);
  EXPECT_EQ(net.rules(), rules);
}

TEST_F(client_test, a_public_host_needs_no_router) {
  const lab::network net({.lan = lab::lan_kind::public_address});
  const lab::listener server(net.lan(), lab::transport::tcp, service_port);
  lan_client client(net);
  const auto failed = client.map(request_for(damson::transport::tcp));
  ASSERT_FALSE(failed) << to_string(*failed);
  EXPECT_EQ(client.info().protocol, protocol::direct);
  EXPECT_EQ(client.info().external, client.info().internal);
  EXPECT_EQ(to_string(client.info().external.address), net.lan_address());
  EXPECT_TRUE(reaches(net, server, client.external()));
}

TEST_F(client_test, gets_through_a_lossy_link) {
  const lab::network net;
  const lab::miniupnpd daemon(net);
  net.loss(20);
  const lab::listener server(net.lan(), lab::transport::tcp, service_port);
  lan_client client(net);
  const auto failed = client.map(request_for(damson::transport::tcp));
  ASSERT_FALSE(failed) << to_string(*failed);
  net.heal();
  // A request that was repeated reaches the daemon again, and it replaces the rule by the same one:
  // for a moment there is none.
  const auto deadline = lab::steady_clock::now() + 10s;
  testing::AssertionResult reached = reaches(net, server, client.external());
  while (!reached && lab::steady_clock::now() < deadline) {
    reached = reaches(net, server, client.external());
  }
  EXPECT_TRUE(reached);
}

TEST_F(client_test, a_client_that_is_closed_gives_its_ports_back) {
  const lab::network net;
  const lab::miniupnpd daemon(net);
  const std::string rules = net.rules();
  {
    lan_client client(net);
    ASSERT_FALSE(client.map(request_for(damson::transport::tcp)));
    EXPECT_NE(net.rules(), rules);
  }
  EXPECT_EQ(net.rules(), rules);
}

}  // namespace
