#include <chrono>
#include <csignal>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>

#include "interop.hpp"
#include "lan_client.hpp"
#include "two_nats.hpp"

namespace {

using namespace std::chrono_literals;
using damson::address_class;
using damson::errc;
using damson::protocol;
using testing::AllOf;
using testing::HasSubstr;

constexpr std::uint16_t service_port = 8080;

damson::options with_upstream() {
  damson::options out;
  out.upstream = damson::ip_address::parse(upstream);
  return out;
}

class chain_test : public interop, public testing::WithParamInterface<protocol> {
 protected:
  static lab::miniupnpd_options speaking() { return {.natpmp = GetParam() != protocol::upnp}; }
  static void silence_others(const lab::network& net) {
    if (GetParam() == protocol::nat_pmp) net.drop_pcp();
  }
};

INSTANTIATE_TEST_SUITE_P(through, chain_test,
                         testing::Values(protocol::pcp, protocol::nat_pmp, protocol::upnp),
                         [](const auto& tested) -> std::string {
                           if (tested.param == protocol::nat_pmp) return "nat_pmp";
                           return std::string(to_string(tested.param));
                         });

TEST_P(chain_test, lets_the_wan_host_in_between_map_and_release_only) {  // Q-24, Q-156
  const two_nats nets;
  const lab::miniupnpd daemon(nets.outer, speaking());
  silence_others(nets.outer);
  const lab::listener server(nets.inner.lan(), lab::transport::tcp, service_port);
  const lab::endpoint outside{nets.outer.external_address(), service_port};
  const std::string outer_rules = nets.outer.rules();
  const std::string inner_rules = nets.inner.rules();
  EXPECT_TRUE(cut_off(nets.outer, server, outside));
  {
    lan_client client(nets.inner, with_upstream());
    const auto failed = client.map({.internal_port = service_port});
    ASSERT_FALSE(failed) << to_string(*failed);
    nets.gateway.await(1);
    const damson::mapping_info info = client.info();
    EXPECT_EQ(to_string(info.external), "1.2.5.4:8080");
    EXPECT_EQ(info.external_class(), address_class::public_address);
    ASSERT_EQ(info.hops.size(), 2U);
    EXPECT_EQ(to_string(info.hops.begin()[0].external), "192.168.78.20:8080");
    EXPECT_EQ(info.hops.begin()[1].protocol, GetParam());
    EXPECT_EQ(to_string(info.hops.begin()[1].gateway), upstream);
    EXPECT_EQ(to_string(info.hops.begin()[1].internal), "192.168.78.20:8080");
    EXPECT_TRUE(reaches(nets.outer, server, outside));
    EXPECT_TRUE(nets.outer.leads_to({inner_external, service_port}));
    EXPECT_EQ(client.release(), damson::removal::deleted);
  }
  nets.gateway.await(0);
  EXPECT_TRUE(cut_off(nets.outer, server, outside));
  EXPECT_EQ(nets.outer.rules(), outer_rules);
  EXPECT_EQ(nets.inner.rules(), inner_rules);
}

TEST_F(interop, a_chain_that_is_not_named_ends_at_the_first_router) {  // Q-151
  const two_nats nets;
  const lab::miniupnpd daemon(nets.outer);
  const lab::listener server(nets.inner.lan(), lab::transport::tcp, service_port);
  lan_client client(nets.inner);
  const auto failed = client.map({.internal_port = service_port});
  ASSERT_FALSE(failed) << to_string(*failed);
  nets.gateway.await(1);
  EXPECT_EQ(to_string(client.info().external), "192.168.78.20:8080");
  EXPECT_EQ(client.info().external_class(), address_class::private_address);
  EXPECT_EQ(client.info().hops.size(), 1U);
  EXPECT_EQ(nets.outer.port_mappings(), 0U);
  EXPECT_TRUE(cut_off(nets.outer, server, {nets.outer.external_address(), service_port}));
}

TEST_F(interop, a_chain_that_is_refused_is_told_with_both_addresses) {
  const two_nats nets;
  const lab::miniupnpd daemon(nets.outer, {.extra = {"deny 0-65535 0.0.0.0/0 0-65535"}});
  lab::process tool(nets.inner.lan(),
                    {DAMSON_TOOL, "map", "8080", "--json", "--upstream", std::string(upstream)});
  const std::string line = tool.read_line(20s).value_or("");
  EXPECT_THAT(line, AllOf(HasSubstr(R"("external":"192.168.78.20:8080")"),
                          HasSubstr(R"("external_class":"private")"),
                          HasSubstr(R"("upstream":{"reason":"not_authorized",)"),
                          HasSubstr(R"("external_address":"1.2.5.4")")));
  tool.send_signal(SIGTERM);
  EXPECT_EQ(tool.wait(10s), 0) << tool.err();
  EXPECT_THAT(tool.err(), HasSubstr("double NAT"));
}

TEST_F(interop, a_chain_is_printed_with_both_routers) {
  const two_nats nets;
  const lab::miniupnpd daemon(nets.outer);
  const lab::listener server(nets.inner.lan(), lab::transport::tcp, service_port);
  lab::process tool(nets.inner.lan(),
                    {DAMSON_TOOL, "map", "8080", "--upstream", std::string(upstream)});
  EXPECT_THAT(tool.read_line(20s).value_or(""),
              HasSubstr("tcp 192.168.77.10:8080 is open as 1.2.5.4:8080 through pcp at "
                        "192.168.77.1 (192.168.78.20:8080) and pcp at 192.168.78.1, lease 7200 s"));
  nets.gateway.await(1);
  EXPECT_TRUE(reaches(nets.outer, server, {nets.outer.external_address(), service_port}));
  tool.send_signal(SIGTERM);
  EXPECT_EQ(tool.wait(10s), 0);
  EXPECT_EQ(tool.err(), "");
  nets.gateway.await(0);
  EXPECT_EQ(nets.outer.port_mappings(), 0U);
}

TEST_F(interop, a_chain_is_whole_again_after_a_restart_of_the_outer_router) {
  const two_nats nets;
  lab::miniupnpd daemon(nets.outer);
  const lab::listener server(nets.inner.lan(), lab::transport::tcp, service_port);
  const lab::endpoint outside{nets.outer.external_address(), service_port};
  damson::options opts = with_upstream();
  opts.recheck_period = 2s;
  daemon.wait_for_epoch(lab::miniupnpd::telling_epoch);
  lan_client client(nets.inner, opts);
  const auto failed = client.map({.internal_port = service_port});
  ASSERT_FALSE(failed) << to_string(*failed);
  nets.gateway.await(1);
  daemon.kill();
  nets.outer.flush_rules();
  EXPECT_TRUE(cut_off(nets.outer, server, outside));
  daemon.start();
  auto event = client.next_event();
  EXPECT_EQ(event.kind, damson::event_kind::changed);
  EXPECT_EQ(to_string(event.info.external), "192.168.78.20:8080");
  EXPECT_EQ(event.why.reason, errc::gateway_restarted);
  event = client.next_event();
  EXPECT_EQ(event.kind, damson::event_kind::changed);
  EXPECT_EQ(to_string(event.info.external), "1.2.5.4:8080");
  EXPECT_TRUE(reaches(nets.outer, server, outside));
}

}  // namespace
