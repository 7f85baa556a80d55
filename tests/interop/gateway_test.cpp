#include <chrono>
#include <csignal>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>

#include "interop.hpp"

// The simulated router on the router's host, and on the LAN host clients that others wrote: upnpc
// of miniupnpc and natpmpc of libnatpmp. What the models answer is not only our own idea of the
// protocols then.

namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

const std::string origin = "http://192.168.77.1:5000/";

class gateway_test : public interop {
 protected:
  void SetUp() override {
    interop::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    for (const std::string_view tool : {"upnpc", "natpmpc"}) {
      if (!lab::find_tool(tool).empty()) continue;
      if (lab::environment_flag("DAMSON_INTEROP_REQUIRED")) FAIL() << tool << " is not installed";
      GTEST_SKIP() << tool << " is not installed";
    }
  }

  /// With `profile`, at the LAN host's default gateway. upnpc has a router valid only if its public
  /// address is one, which the default has to be.
  static lab::process router(const lab::network& net, const std::string& profile) {
    return {net.router(),
            {DAMSON_TOOL, "gateway", "--json", "--profile", profile, "--listen",
             std::string{net.gateway_address()}}};
  }

  static std::string next_line(lab::process& router) { return router.read_line(10s).value_or(""); }

  /// Told where the description is, because a search takes it two seconds.
  static std::string upnpc(const lab::network& net, std::vector<std::string> words) {
    words.insert(words.begin(), {"upnpc", "-u", origin + "rootDesc.xml"});
    return lab::run(net.lan(), words);
  }

  static std::string natpmpc(const lab::network& net, std::vector<std::string> words) {
    words.insert(words.begin(), "natpmpc");
    return lab::run(net.lan(), words);
  }

  static void end(lab::process& router) {
    router.send_signal(SIGTERM);
    EXPECT_EQ(router.wait(10s), 0) << router.err();
    EXPECT_EQ(router.err(), "");
  }
};

TEST_F(gateway_test, upnpc_finds_it_with_multicast) {
  const lab::network net;
  lab::process gateway = router(net, "all");
  EXPECT_THAT(next_line(gateway), HasSubstr(R"("event":"serving")"));
  EXPECT_THAT(lab::run(net.lan(), {"upnpc", "-s"}),
              AllOf(HasSubstr("Found valid IGD : " + origin), HasSubstr("Status : Connected"),
                    HasSubstr("ExternalIPAddress = 1.2.3.4")));
  end(gateway);
}

TEST_F(gateway_test, upnpc_maps_lists_and_deletes) {
  for (const std::string profile : {"upnp-only", "igd2"}) {
    const lab::network net;
    lab::process gateway = router(net, profile);
    EXPECT_THAT(next_line(gateway), HasSubstr(R"("event":"serving")"));

    EXPECT_THAT(upnpc(net, {"-e", "hello", "-a", "192.168.77.10", "8080", "9090", "tcp", "3600"}),
                HasSubstr("external 1.2.3.4:9090 TCP is redirected to internal "
                          "192.168.77.10:8080 (duration=3600)"));
    EXPECT_THAT(next_line(gateway),
                AllOf(HasSubstr(R"("event":"opened","transport":"tcp","external_port":9090,)"),
                      HasSubstr(R"("internal":"192.168.77.10:8080","protocol":"upnp")"),
                      HasSubstr(R"("description":"hello")")));
    EXPECT_THAT(upnpc(net, {"-r", "5000", "udp"}), HasSubstr("UDP is redirected to internal"));
    EXPECT_THAT(next_line(gateway), HasSubstr(R"("transport":"udp","external_port":5000)"));

    const std::string list = upnpc(net, {"-l"});
    EXPECT_THAT(list, HasSubstr("TCP  9090->192.168.77.10:8080  'hello' ''"));
    EXPECT_THAT(list, HasSubstr("UDP  5000->192.168.77.10:5000 "));
    EXPECT_THAT(upnpc(net, {"-d", "9090", "tcp"}), HasSubstr("returned : 0"));
    EXPECT_THAT(next_line(gateway), HasSubstr(R"("event":"closed","transport":"tcp")"));
    EXPECT_THAT(upnpc(net, {"-l"}), Not(HasSubstr("9090->")));
    end(gateway);
  }
}

TEST_F(gateway_test, upnpc_takes_another_port_from_igd2) {
  const lab::network net;
  lab::process gateway = router(net, "igd2");
  EXPECT_THAT(next_line(gateway), HasSubstr(R"("event":"serving")"));
  EXPECT_THAT(upnpc(net, {"-n", "192.168.77.10", "8080", "9090", "tcp", "3600"}),
              HasSubstr("external 1.2.3.4:9090 TCP is redirected to internal 192.168.77.10:8080"));
  EXPECT_THAT(next_line(gateway), HasSubstr(R"("transport":"tcp","external_port":9090)"));
  end(gateway);
}

TEST_F(gateway_test, upnpc_lists_and_deletes_a_range_of_igd2) {
  const lab::network net;
  lab::process gateway = router(net, "igd2");
  EXPECT_THAT(next_line(gateway), HasSubstr(R"("event":"serving")"));
  for (const std::string port : {"9090", "9091", "9099"}) {
    EXPECT_THAT(upnpc(net, {"-a", "192.168.77.10", port, port, "udp", "3600"}),
                HasSubstr("is redirected to internal 192.168.77.10:" + port));
    EXPECT_THAT(next_line(gateway), HasSubstr(R"("transport":"udp","external_port":)" + port));
  }
  EXPECT_THAT(upnpc(net, {"-l"}), AllOf(HasSubstr("UDP  9090->192.168.77.10:9090 "),
                                        HasSubstr("UDP  9091->192.168.77.10:9091 "),
                                        HasSubstr("UDP  9099->192.168.77.10:9099 ")));
  // It asks for everybody's entries (NewManage is 1), which a strict router shows to nobody.
  EXPECT_THAT(upnpc(net, {"-L"}), HasSubstr("GetListOfPortMappings() returned 606"));
  EXPECT_THAT(upnpc(net, {"-N", "9090", "9095", "udp"}),
              HasSubstr("UPNP_DeletePortMappingRange() returned : 0"));
  EXPECT_THAT(next_line(gateway), HasSubstr(R"("event":"closed","transport":"udp")"));
  EXPECT_THAT(next_line(gateway), HasSubstr(R"("event":"closed","transport":"udp")"));
  EXPECT_THAT(upnpc(net, {"-l"}), AllOf(Not(HasSubstr("9090->")), Not(HasSubstr("9091->")),
                                        HasSubstr("UDP  9099->192.168.77.10:9099 ")));
  end(gateway);
}

TEST_F(gateway_test, upnpc_asks_how_the_connection_is) {
  const lab::network net;
  lab::process gateway = router(net, "igd2");
  EXPECT_THAT(next_line(gateway), HasSubstr(R"("event":"serving")"));
  EXPECT_THAT(upnpc(net, {"-s"}),
              AllOf(HasSubstr("Connection Type : IP_Routed"), HasSubstr("Status : Connected"),
                    HasSubstr("LastConnectionError : ERROR_NONE"), HasSubstr("MaxBitRateDown : "),
                    HasSubstr("ExternalIPAddress = 1.2.3.4"), HasSubstr("Bytes:   Sent: ")));
  end(gateway);
}

TEST_F(gateway_test, upnpc_asks_the_ipv6_firewall) {
  struct one {
    std::string profile;
    std::string status;
  };
  for (const one& each :
       {one{"igd2", "FirewallEnabled: 1 & Inbound Pinhole Allowed: 1"},
        one{"pinholes-forbidden", "FirewallEnabled: 1 & Inbound Pinhole Allowed: 0"},
        one{"ipv6-firewall-off", "FirewallEnabled: 0 & Inbound Pinhole Allowed: 0"}}) {
    const lab::network net;
    lab::process gateway = router(net, each.profile);
    EXPECT_THAT(next_line(gateway), HasSubstr(R"("event":"serving")"));
    EXPECT_THAT(upnpc(net, {"-S"}), HasSubstr(each.status));
    EXPECT_THAT(upnpc(net, {"-D", "1"}), HasSubstr("UPNP_DeletePinhole() returned : 704"));
    end(gateway);
  }
}

TEST_F(gateway_test, natpmpc_maps_and_deletes) {
  for (const std::string profile : {"nat-pmp-only", "strict", "all"}) {
    const lab::network net;
    lab::process gateway = router(net, profile);
    EXPECT_THAT(next_line(gateway), HasSubstr(R"("event":"serving")"));

    EXPECT_THAT(natpmpc(net, {}), HasSubstr("Public IP address : 1.2.3.4"));
    EXPECT_THAT(natpmpc(net, {"-a", "9090", "8080", "tcp", "3600"}),
                HasSubstr("Mapped public port 9090 protocol TCP to local port 8080 liftime 3600"));
    EXPECT_THAT(next_line(gateway),
                AllOf(HasSubstr(R"("event":"opened","transport":"tcp","external_port":9090,)"),
                      HasSubstr(R"("internal":"192.168.77.10:8080","protocol":"nat-pmp")")));
    natpmpc(net, {"-a", "0", "8080", "tcp", "0"});
    EXPECT_THAT(next_line(gateway), HasSubstr(R"("event":"closed","transport":"tcp")"));
    end(gateway);
  }
}

}  // namespace
