// The actions of the gateway model that are about its line: connection, PPP, WAN interface and
// default connection, against the service definitions.

#include <chrono>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "upnp_requests.hpp"

namespace damson::sim {
namespace {

using namespace std::chrono_literals;

class upnp_line : public upnp_router {
 protected:
  std::string status() { return element_of(call("GetStatusInfo", {}), "NewConnectionStatus"); }

  std::string ppp(std::string_view action, const arguments& in = {}) {
    return call_at("/ctl/WANPPPConn1", "WANPPPConnection", action, in);
  }

  std::string common(std::string_view action, const arguments& in = {}) {
    return call_at("/ctl/WANCommonIFC1", "WANCommonInterfaceConfig", action, in);
  }

  std::string layer3(std::string_view action, const arguments& in = {}) {
    return call_at("/ctl/L3Forwarding1", "Layer3Forwarding", action, in);
  }
};

TEST_F(upnp_line, is_cut_and_taken_up_again) {
  EXPECT_EQ(code_of("ForceTermination", {}), "0");
  const std::string info = call("GetStatusInfo", {});
  EXPECT_EQ(element_of(info, "NewConnectionStatus"), "Disconnected");
  EXPECT_EQ(element_of(info, "NewLastConnectionError"), "ERROR_USER_DISCONNECT");
  EXPECT_EQ(element_of(call("GetExternalIPAddress", {}), "NewExternalIPAddress"), "");
  EXPECT_EQ(add({}), "501") << "a line that is down makes no mappings";
  EXPECT_EQ(code_of("ForceTermination", {}), "711");
  EXPECT_EQ(code_of("RequestTermination", {}), "711");
  EXPECT_EQ(code_of("RequestConnection", {}), "0");
  EXPECT_EQ(status(), "Connected");
  EXPECT_EQ(code_of("RequestTermination", {}), "0");
  EXPECT_EQ(status(), "Disconnected");
  how().http_port_moves = false;
  router().reboot(start);
  EXPECT_EQ(status(), "Connected") << "a restart takes it up";
}

TEST_F(upnp_line, cannot_be_taken_up_without_an_uplink) {
  router().set_public_address(start, std::nullopt);
  EXPECT_EQ(code_of("RequestConnection", {}), "704");
}

TEST_F(upnp_line, changes_its_type_only_while_it_is_down) {
  const auto set = [this](std::string_view type) {
    return code_of("SetConnectionType", {{"NewConnectionType", std::string{type}}});
  };
  const auto type = [this] {
    return element_of(call("GetConnectionTypeInfo", {}), "NewConnectionType");
  };
  EXPECT_EQ(element_of(call("GetConnectionTypeInfo", {}), "NewPossibleConnectionTypes"),
            "IP_Routed,IP_Bridged,Unconfigured");
  EXPECT_EQ(type(), "IP_Routed");
  EXPECT_EQ(set("IP_Bridged"), "703");
  EXPECT_EQ(set("Carrier pigeon"), "402");
  EXPECT_EQ(set(""), "402");
  EXPECT_EQ(code_of("ForceTermination", {}), "0");
  EXPECT_EQ(set("IP_Bridged"), "0");
  EXPECT_EQ(type(), "IP_Bridged");
  EXPECT_EQ(code_of("RequestConnection", {}), "710");
  EXPECT_EQ(code_of("ForceTermination", {}), "710");
  EXPECT_EQ(set("IP_Routed"), "0");
  EXPECT_EQ(code_of("RequestConnection", {}), "0");
}

TEST_F(upnp_line, is_guarded_where_the_profile_says_so) {
  behave_as("guarded-connection");
  EXPECT_EQ(code_of("ForceTermination", {}), "606");
  EXPECT_EQ(code_of("RequestConnection", {}), "606");
  EXPECT_EQ(code_of("SetConnectionType", {{"NewConnectionType", "IP_Routed"}}), "606");
  EXPECT_EQ(code_of("SetAutoDisconnectTime", {{"NewAutoDisconnectTime", "1"}}), "606");
  EXPECT_EQ(code_in(common("SetEnabledForInternet", {{"NewEnabledForInternet", "0"}})), "606");
  EXPECT_EQ(code_in(layer3("SetDefaultConnectionService", {{"NewDefaultConnectionService", "x"}})),
            "606");
  EXPECT_EQ(status(), "Connected");
  how().connections.front().kind = wan_service::ppp;
  EXPECT_EQ(code_in(ppp("GetPassword")), "606");
  EXPECT_EQ(code_in(ppp("ConfigureConnection", {{"NewUserName", ""}, {"NewPassword", ""}})), "606");
}

TEST_F(upnp_line, keeps_the_times_that_it_is_given) {
  for (const std::string name : {"AutoDisconnectTime", "IdleDisconnectTime"}) {
    EXPECT_EQ(code_of("Set" + name, {{"New" + name, "600"}}), "0");
    EXPECT_EQ(element_of(call("Get" + name, {}), "New" + name), "600");
    EXPECT_EQ(code_of("Set" + name, {{"New" + name, "ten"}}), "402");
  }
  EXPECT_EQ(element_of(call("GetWarnDisconnectDelay", {}), "NewWarnDisconnectDelay"), "0");
  EXPECT_EQ(code_of("SetWarnDisconnectDelay", {{"NewWarnDisconnectDelay", "5"}}), "0");
  EXPECT_EQ(element_of(call("GetWarnDisconnectDelay", {}), "NewWarnDisconnectDelay"), "5");
}

TEST_F(upnp_line, tells_that_it_translates) {
  const std::string body = call("GetNATRSIPStatus", {});
  EXPECT_EQ(element_of(body, "NewRSIPAvailable"), "0");
  EXPECT_EQ(element_of(body, "NewNATEnabled"), "1");
}

TEST_F(upnp_line, of_ppp_has_an_account_and_protocols) {
  how().connections.front().kind = wan_service::ppp;
  EXPECT_EQ(element_of(ppp("GetUserName"), "NewUserName"), "somebody");
  EXPECT_EQ(element_of(ppp("GetPassword"), "NewPassword"), "");
  const arguments account{{"NewUserName", "else"}, {"NewPassword", "secret"}};
  EXPECT_EQ(code_in(ppp("ConfigureConnection", account)), "703") << "while it is up";
  EXPECT_EQ(code_in(ppp("ForceTermination")), "0");
  EXPECT_EQ(code_in(ppp("ConfigureConnection", account)), "0");
  EXPECT_EQ(element_of(ppp("GetUserName"), "NewUserName"), "else");
  EXPECT_EQ(element_of(ppp("GetPassword"), "NewPassword"), "secret");
  EXPECT_EQ(element_of(ppp("GetLinkLayerMaxBitRates"), "NewUpstreamMaxBitRate"), "100000000");
  EXPECT_EQ(element_of(ppp("GetPPPEncryptionProtocol"), "NewPPPEncryptionProtocol"), "None");
  EXPECT_EQ(element_of(ppp("GetPPPCompressionProtocol"), "NewPPPCompressionProtocol"), "None");
  EXPECT_EQ(element_of(ppp("GetPPPAuthenticationProtocol"), "NewPPPAuthenticationProtocol"), "PAP");
  EXPECT_EQ(element_of(ppp("GetConnectionTypeInfo"), "NewPossibleConnectionTypes"),
            "IP_Routed,PPPoE_Relay,Unconfigured");
  EXPECT_EQ(code_in(ppp("AddPortMapping", wanted_mapping{}.all())), "501") << "it is down";
  EXPECT_EQ(code_in(ppp("RequestConnection")), "0");
  EXPECT_EQ(code_in(ppp("AddPortMapping", wanted_mapping{}.all())), "0");
  how().connections.front().kind = wan_service::ip;
  EXPECT_EQ(code_of("GetUserName", {}), "401") << "that is PPP's";
}

TEST_F(upnp_line, counts_what_goes_through) {
  EXPECT_EQ(add({.external = "80"}), "0");
  EXPECT_EQ(router().pass_in(start, transport::tcp, {v4(203, 0, 113, 9), 1}, {wan_side, 80}, 1'500),
            (endpoint{host, 8080}));
  EXPECT_EQ(router().pass_in(start, transport::tcp, {v4(203, 0, 113, 9), 1}, {wan_side, 81}, 40),
            std::nullopt);
  EXPECT_EQ(
      router().pass_in(start, transport::tcp, {v4(203, 0, 113, 9), 1}, {v4(198, 51, 100, 8), 80}),
      std::nullopt)
      << "another address";
  router().pass_out(0xffff'ffffU);
  router().pass_out(11);
  EXPECT_EQ(element_of(common("GetTotalBytesReceived"), "NewTotalBytesReceived"), "1604");
  EXPECT_EQ(element_of(common("GetTotalPacketsReceived"), "NewTotalPacketsReceived"), "3");
  EXPECT_EQ(element_of(common("GetTotalBytesSent"), "NewTotalBytesSent"), "10") << "it wraps";
  EXPECT_EQ(element_of(common("GetTotalPacketsSent"), "NewTotalPacketsSent"), "2");
}

TEST_F(upnp_line, tells_about_its_wan_interface) {
  EXPECT_EQ(element_of(common("GetMaximumActiveConnections"), "NewMaximumActiveConnections"), "1");
  EXPECT_EQ(element_of(common("GetWANAccessProvider"), "NewWANAccessProvider"), "Somebody's Line");
  const auto active = [this](std::string_view index) {
    return common("GetActiveConnection", {{"NewActiveConnectionIndex", std::string{index}}});
  };
  EXPECT_EQ(element_of(active("0"), "NewActiveConnDeviceContainer"),
            "uuid:6f1d5a1e-7c2b-4a57-1002-0000c0a80101:WANConnectionDevice:1");
  EXPECT_EQ(element_of(active("0"), "NewActiveConnectionServiceID"),
            "urn:upnp-org:serviceId:WANIPConn1");
  EXPECT_EQ(code_in(active("1")), "713");
  EXPECT_EQ(code_in(active("")), "402");
  const auto enable = [this](std::string_view value) {
    return code_in(
        common("SetEnabledForInternet", {{"NewEnabledForInternet", std::string{value}}}));
  };
  EXPECT_EQ(enable("maybe"), "402");
  EXPECT_EQ(enable("0"), "0");
  EXPECT_EQ(element_of(common("GetEnabledForInternet"), "NewEnabledForInternet"), "0");
  EXPECT_EQ(status(), "Disconnected");
  EXPECT_EQ(code_in(active("0")), "713");
  EXPECT_EQ(enable("1"), "0");
  EXPECT_EQ(status(), "Connected");
}

TEST_F(upnp_line, has_one_default_connection) {
  how().connections.push_back({wan_service::ppp, true, "Connected", {}});
  const std::string first =
      "uuid:6f1d5a1e-7c2b-4a57-1002-0000c0a80101:WANConnectionDevice:1,"
      "urn:upnp-org:serviceId:WANIPConn1";
  const std::string second =
      "uuid:6f1d5a1e-7c2b-4a57-1003-0000c0a80101:WANConnectionDevice:1,"
      "urn:upnp-org:serviceId:WANPPPConn2";
  const auto shown = [this] {
    return element_of(layer3("GetDefaultConnectionService"), "NewDefaultConnectionService");
  };
  const auto set = [this](const std::string& name) {
    return code_in(layer3("SetDefaultConnectionService", {{"NewDefaultConnectionService", name}}));
  };
  EXPECT_EQ(shown(), first);
  EXPECT_EQ(set("uuid:nobody"), "723");
  EXPECT_EQ(set(second), "0");
  EXPECT_EQ(shown(), second);
}

}  // namespace
}  // namespace damson::sim
