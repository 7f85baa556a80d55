#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "interop.hpp"
#include "lan_client.hpp"

// What a client does about UPnP beside the rows of the matrix: the choice between the protocols,
// other people's entries, entries that vanish.

namespace {

using namespace std::chrono_literals;
using damson::errc;
using damson::event_kind;
using damson::protocol;
using damson::protocol_filter;
using damson::removal;

constexpr std::uint16_t service_port = 8080;
constexpr std::uint16_t ssdp_port = 1900;
constexpr std::uint16_t pcp_port = 5351;

damson::map_request request_for(protocol_filter protocols) {
  return {.internal_port = service_port, .protocols = protocols};
}

class client_upnp_test : public interop {
 protected:
  static void need_upnpc() {
    if (lab::find_tool("upnpc").empty()) GTEST_SKIP() << "upnpc is not installed";
  }

  // An entry made by somebody else, to that host's `service_port`.
  static testing::AssertionResult add_entry(const lab::net_namespace& by, std::string_view address,
                                            const lab::miniupnpd& daemon,
                                            std::uint16_t external_port) {
    const lab::run_result result =
        lab::upnpc(by, daemon.description_url(),
                   {"-a", std::string(address), std::to_string(service_port),
                    std::to_string(external_port), "tcp", "600"});
    return testing::AssertionResult(result.status == 0) << result.out << result.err;
  }

  static bool listed(const lab::network& net, const lab::miniupnpd& daemon,
                     const std::string& entry) {
    return lab::upnpc(net.lan(), daemon.description_url(), {"-l"}).out.find(entry) !=
           std::string::npos;
  }

  static lab::endpoint inside(const lab::network& net) { return {net.lan_address(), service_port}; }
};

TEST_F(client_upnp_test, any_prefers_pcp_when_all_are_on) {
  const lab::network net;
  const lab::miniupnpd daemon(net);
  const lab::listener server(net.lan(), lab::transport::tcp, service_port);
  lan_client client(net);
  const auto failed = client.map(request_for(protocol_filter::any));
  ASSERT_FALSE(failed) << to_string(*failed);
  EXPECT_EQ(client.info().protocol, protocol::pcp);
  EXPECT_EQ(net.port_mappings(), 1U);
  EXPECT_TRUE(reaches(net, server, client.external()));
}

TEST_F(client_upnp_test, any_takes_upnp_where_5351_is_silent) {
  const lab::network net;
  const lab::miniupnpd daemon(net);
  net.drop_5351();
  const lab::listener server(net.lan(), lab::transport::tcp, service_port);
  lan_client client(net);
  const auto failed = client.map(request_for(protocol_filter::any));
  ASSERT_FALSE(failed) << to_string(*failed);
  EXPECT_EQ(client.info().protocol, protocol::upnp);
  EXPECT_EQ(net.port_mappings(), 1U);
  EXPECT_TRUE(reaches(net, server, client.external()));
}

TEST_F(client_upnp_test, takes_upnp_only_although_pcp_answers) {
  const lab::network net;
  const lab::miniupnpd daemon(net);
  const lab::listener server(net.lan(), lab::transport::tcp, service_port);
  const std::string rules = net.rules();
  const lab::contacts contacts(net.lan());
  lan_client client(net);
  const auto failed = client.map(request_for(protocol_filter::upnp));
  ASSERT_FALSE(failed) << to_string(*failed);
  EXPECT_EQ(client.info().protocol, protocol::upnp);
  EXPECT_EQ(net.port_mappings(), 1U);
  EXPECT_TRUE(net.leads_to(inside(net)));
  EXPECT_TRUE(reaches(net, server, client.external()));
  EXPECT_EQ(client.release(), removal::deleted);
  EXPECT_EQ(net.rules(), rules);
  EXPECT_FALSE(contacts.sent_to_port(pcp_port));
}

class client_without_upnp_test : public client_upnp_test,
                                 public testing::WithParamInterface<protocol_filter> {};

INSTANTIATE_TEST_SUITE_P(only, client_without_upnp_test,
                         testing::Values(protocol_filter::pcp, protocol_filter::pcp_only,
                                         protocol_filter::nat_pmp_only),
                         [](const auto& tested) -> std::string {
                           if (tested.param == protocol_filter::pcp) return "pcp";
                           return tested.param == protocol_filter::pcp_only ? "pcp_only"
                                                                            : "nat_pmp_only";
                         });

TEST_P(client_without_upnp_test, leaves_a_upnp_only_router_untouched) {
  const lab::network net;
  const lab::miniupnpd daemon(net, {.natpmp = false});
  const std::string rules = net.rules();
  const lab::contacts contacts(net.lan());
  {
    lan_client client(net);
    const auto failed = client.map(request_for(GetParam()));
    ASSERT_TRUE(failed);
    EXPECT_EQ(failed->reason, errc::port_closed);
    EXPECT_TRUE(std::ranges::none_of(failed->protocols, [](const auto& tried) {
      return tried.protocol == protocol::upnp && tried.reason != errc::protocol_excluded;
    })) << to_string(*failed);
  }
  EXPECT_EQ(net.rules(), rules);
  EXPECT_TRUE(contacts.connections().empty());
  EXPECT_TRUE(contacts.sent_to_port(pcp_port)) << "contacts are not noted";
  EXPECT_FALSE(contacts.sent_to_port(ssdp_port));
}

TEST_F(client_upnp_test, a_router_of_version_one_will_do) {
  const lab::network net;
  const lab::miniupnpd daemon(net, {.natpmp = false, .igd_v1 = true});
  const lab::listener server(net.lan(), lab::transport::tcp, service_port);
  const std::string rules = net.rules();
  lan_client client(net);
  const auto failed = client.map(request_for(protocol_filter::any));
  ASSERT_FALSE(failed) << to_string(*failed);
  EXPECT_TRUE(reaches(net, server, client.external()));
  EXPECT_EQ(client.release(), removal::deleted);
  EXPECT_EQ(net.rules(), rules);
}

TEST_F(client_upnp_test, the_entry_is_what_another_client_reads) {
  need_upnpc();
  if (IsSkipped()) return;
  const lab::network net;
  const lab::miniupnpd daemon(net, {.natpmp = false});
  lan_client client(net);
  damson::map_request request = request_for(protocol_filter::any);
  request.external_port = 12'345;
  const auto failed = client.map(request);
  ASSERT_FALSE(failed) << to_string(*failed);
  EXPECT_TRUE(listed(net, daemon, "TCP 12345->192.168.77.10:8080 "));
  client.release();
  EXPECT_FALSE(listed(net, daemon, "TCP 12345->"));
}

TEST_F(client_upnp_test, release_leaves_other_entries_alone) {
  need_upnpc();
  if (IsSkipped()) return;
  const lab::network net;
  const lab::miniupnpd daemon(net, {.natpmp = false});
  ASSERT_TRUE(add_entry(net.lan(), net.lan_address(), daemon, 9'999));
  const std::string rules = net.rules();
  lan_client client(net);
  const auto failed = client.map(request_for(protocol_filter::any));
  ASSERT_FALSE(failed) << to_string(*failed);
  EXPECT_EQ(net.port_mappings(), 2U);
  EXPECT_EQ(client.release(), removal::deleted);
  EXPECT_EQ(net.rules(), rules);
  EXPECT_TRUE(listed(net, daemon, "TCP  9999->192.168.77.10:8080 "));
}

class client_upnp_conflict_test : public client_upnp_test,
                                  public testing::WithParamInterface<bool> {};

INSTANTIATE_TEST_SUITE_P(both, client_upnp_conflict_test, testing::Values(true, false),
                         [](const auto& tested) { return tested.param ? "v1" : "v2"; });

TEST_P(client_upnp_conflict_test, a_port_that_a_neighbour_has_stays_his) {
  need_upnpc();
  if (IsSkipped()) return;
  const lab::network net({.neighbours = 1});
  const lab::miniupnpd daemon(net, {.natpmp = false, .igd_v1 = GetParam()});
  const lab::endpoint his(lab::network::neighbour_address(), service_port);
  ASSERT_TRUE(add_entry(net.neighbour(), his.address, daemon, service_port));
  const lab::listener server(net.lan(), lab::transport::tcp, service_port);
  const std::string rules = net.rules();
  lan_client client(net);
  const auto failed = client.map(request_for(protocol_filter::any));
  ASSERT_FALSE(failed) << to_string(*failed);
  EXPECT_NE(client.info().external.port, service_port);
  EXPECT_EQ(net.port_mappings(), 2U);
  EXPECT_TRUE(net.leads_to(his));
  EXPECT_TRUE(reaches(net, server, client.external()));
  EXPECT_EQ(client.release(), removal::deleted);
  EXPECT_EQ(net.rules(), rules);
}

TEST_F(client_upnp_test, an_entry_that_somebody_deletes_is_made_again) {
  need_upnpc();
  if (IsSkipped()) return;
  const lab::network net;
  const lab::miniupnpd daemon(net, {.natpmp = false});
  const lab::listener server(net.lan(), lab::transport::tcp, service_port);
  lan_client client(net, {.recheck_period = 2s});
  const auto failed = client.map(request_for(protocol_filter::any));
  ASSERT_FALSE(failed) << to_string(*failed);
  const lab::endpoint external = client.external();
  ASSERT_EQ(
      lab::upnpc(net.lan(), daemon.description_url(), {"-d", std::to_string(external.port), "tcp"})
          .status,
      0);
  EXPECT_TRUE(cut_off(net, server, external));

  const damson::mapping_event lost = client.next_event();
  EXPECT_EQ(lost.kind, event_kind::lost);
  EXPECT_EQ(lost.why.reason, errc::mapping_gone);
  const damson::mapping_event again = client.next_event();
  EXPECT_EQ(again.kind, event_kind::mapped);
  EXPECT_TRUE(again.regained);
  EXPECT_TRUE(reaches(net, server, client.external()));
}

// The daemon alone is restarted: it finds its rules again, under another HTTP port. The first
// confirmation is reported although nothing has changed.
TEST_F(client_upnp_test, a_restart_that_loses_nothing_is_reported_and_survived) {
  const lab::network net;
  lab::miniupnpd daemon(net, {.natpmp = false});
  const lab::listener server(net.lan(), lab::transport::tcp, service_port);
  const std::string rules = net.rules();
  lan_client client(net, {.recheck_period = 2s});
  const auto failed = client.map(request_for(protocol_filter::any));
  ASSERT_FALSE(failed) << to_string(*failed);
  const lab::endpoint external = client.external();
  daemon.restart_elsewhere(daemon.http_port());

  damson::mapping_event event = client.next_event();
  if (event.kind == event_kind::lost) event = client.next_event();
  EXPECT_EQ(event.kind, event_kind::mapped);
  EXPECT_TRUE(event.regained);
  EXPECT_EQ(client.external(), external);
  EXPECT_EQ(net.port_mappings(), 1U);
  EXPECT_TRUE(reaches(net, server, external));
  EXPECT_EQ(client.release(), removal::deleted);
  EXPECT_EQ(net.rules(), rules);
}

TEST_F(client_upnp_test, says_that_the_router_refuses) {
  const lab::network net;
  const lab::miniupnpd daemon(net, {.natpmp = false, .extra = {"deny 0-65535 0.0.0.0/0 0-65535"}});
  const std::string rules = net.rules();
  lan_client client(net);
  const auto failed = client.map(request_for(protocol_filter::any));
  ASSERT_TRUE(failed);
  const auto upnp =
      std::ranges::find(failed->protocols, protocol::upnp, &damson::protocol_failure::protocol);
  ASSERT_NE(upnp, failed->protocols.end()) << to_string(*failed);
  EXPECT_TRUE(upnp->result_code) << to_string(*failed);
  EXPECT_EQ(net.rules(), rules);
}

TEST_F(client_upnp_test, a_client_that_is_closed_gives_its_ports_back) {
  const lab::network net;
  const lab::miniupnpd daemon(net, {.natpmp = false});
  const std::string rules = net.rules();
  {
    lan_client client(net);
    const auto failed = client.map(request_for(protocol_filter::any));
    ASSERT_FALSE(failed) << to_string(*failed);
    EXPECT_EQ(net.port_mappings(), 1U);
  }
  EXPECT_EQ(net.rules(), rules);
}

}  // namespace
