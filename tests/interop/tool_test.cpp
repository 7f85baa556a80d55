#include <chrono>
#include <csignal>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "interop.hpp"

// The damson tool on the LAN host, as a person or a script uses it.

namespace {

using namespace std::chrono_literals;

class tool_test : public interop {
 protected:
  static lab::process damson(const lab::network& net, std::vector<std::string> words) {
    words.insert(words.begin(), DAMSON_TOOL);
    return {net.lan(), std::move(words)};
  }

  static bool is_one_line(const std::string& text) {
    return !text.empty() && text.find('\n') == text.size() - 1;
  }
};

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST_F(tool_test, map_prints_the_external_endpoint_and_an_interrupt_leaves_no_rule) {
  const lab::network net;
  const lab::miniupnpd daemon(net);
  const lab::listener server(net.lan(), lab::transport::tcp, 8080);
  const std::string rules = net.rules();
  lab::process tool = damson(net, {"map", "8080/tcp"});
  const std::string line = tool.read_line(5s).value_or("");
  EXPECT_TRUE(contains(line, "192.168.77.10:8080")) << line;
  EXPECT_TRUE(contains(line, "1.2.3.4:8080")) << line;
  EXPECT_TRUE(contains(line, "pcp")) << line;
  EXPECT_TRUE(reaches(net, server, {"1.2.3.4", 8080}));

  tool.send_signal(SIGINT);
  EXPECT_EQ(tool.wait(5s), 0) << tool.err();
  EXPECT_EQ(tool.err(), "");
  EXPECT_EQ(net.rules(), rules);
  EXPECT_TRUE(cut_off(net, server, {"1.2.3.4", 8080}));
}

TEST_F(tool_test, terminate_removes_the_mapping_as_well) {
  const lab::network net;
  const lab::miniupnpd daemon(net);
  const std::string rules = net.rules();
  lab::process tool = damson(net, {"map", "8080/udp", "--json", "--external", "9090"});
  const std::string line = tool.read_line(5s).value_or("");
  for (const std::string part :
       {R"("event":"mapped")", R"("transport":"udp")", R"("protocol":"pcp")",
        R"("internal":"192.168.77.10:8080")", R"("external":"1.2.3.4:9090")",
        R"("external_class":"public")", R"("lifetime":7200)", R"("elapsed_ms":)"}) {
    EXPECT_TRUE(contains(line, part)) << part << " in " << line;
  }
  tool.send_signal(SIGTERM);
  EXPECT_TRUE(contains(tool.read_line(5s).value_or(""), R"("event":"removed")"));
  EXPECT_EQ(tool.wait(5s), 0) << tool.err();
  EXPECT_EQ(net.rules(), rules);
}

TEST_F(tool_test, map_prints_a_line_for_each_address) {
  const lab::network net;
  if (!net.ipv6()) GTEST_SKIP() << "the kernel has no IPv6";
  const lab::miniupnpd daemon(net);
  const std::string rules = net.rules();
  lab::process tool = damson(net, {"map", "8080", "--ipv4", "--ipv6", "--every-uplink", "--json"});
  const std::string v4 = tool.read_line(5s).value_or("");
  for (const std::string part :
       {R"("event":"mapped")", R"("internal":"192.168.77.10:8080","part":1,"interface":"eth0",)",
        R"("gateway":"192.168.77.1","external":"1.2.3.4:8080","external_class":"public")"}) {
    EXPECT_TRUE(contains(v4, part)) << part << " in " << v4;
  }
  const std::string v6 = tool.read_line(5s).value_or("");
  for (const std::string part :
       {R"("event":"mapped")", R"("internal":"[2001:db8:77::10]:8080","part":2,)",
        R"("interface":"eth0","gateway":"fe80::1)"}) {
    EXPECT_TRUE(contains(v6, part)) << part << " in " << v6;
  }
  tool.send_signal(SIGINT);
  const std::string end = tool.read_line(5s).value_or("");
  EXPECT_TRUE(contains(end, R"("event":"removed")") && contains(end, R"("how":"deleted")")) << end;
  EXPECT_EQ(tool.wait(5s), 0) << tool.err();
  EXPECT_EQ(net.rules(), rules);
}

TEST_F(tool_test, map_tells_of_each_address_what_it_lacks) {
  const lab::network net({.ipv6 = false});
  const lab::miniupnpd daemon(net);
  lab::process tool = damson(net, {"map", "8080", "--ipv4", "--ipv6"});
  EXPECT_TRUE(contains(tool.read_line(5s).value_or(""),
                       "tcp 192.168.77.10:8080 by eth0 is open as 1.2.3.4:8080 through pcp"));
  tool.send_signal(SIGINT);
  EXPECT_TRUE(contains(tool.read_line(5s).value_or(""), "tcp 8080 is closed: deleted"));
  EXPECT_EQ(tool.wait(5s), 0);
  EXPECT_TRUE(contains(tool.err(),
                       "damson: could not open tcp 8080 over IPv6: this host has no "
                       "default route"))
      << tool.err();
}

TEST_F(tool_test, once_leaves_the_mapping_to_its_lease) {
  const lab::network net;
  const lab::miniupnpd daemon(net);
  const lab::listener server(net.lan(), lab::transport::tcp, 8080);
  lab::process tool = damson(net, {"map", "8080", "--once", "--lifetime", "600"});
  EXPECT_EQ(tool.wait(5s), 0) << tool.err();
  EXPECT_TRUE(contains(tool.out(), "1.2.3.4:8080")) << tool.out();
  EXPECT_TRUE(reaches(net, server, {"1.2.3.4", 8080}));
}

TEST_F(tool_test, map_over_upnp_prints_the_endpoint_and_an_interrupt_leaves_no_rule) {
  const lab::network net;
  const lab::miniupnpd daemon(net, {.natpmp = false});
  const lab::listener server(net.lan(), lab::transport::tcp, 8080);
  const std::string rules = net.rules();
  lab::process tool = damson(net, {"map", "8080/tcp"});
  const std::string line = tool.read_line(5s).value_or("");
  EXPECT_TRUE(contains(line, "192.168.77.10:8080")) << line;
  EXPECT_TRUE(contains(line, "1.2.3.4:8080")) << line;
  EXPECT_TRUE(contains(line, "upnp")) << line;
  EXPECT_TRUE(reaches(net, server, {"1.2.3.4", 8080}));

  tool.send_signal(SIGINT);
  EXPECT_EQ(tool.wait(5s), 0) << tool.err();
  EXPECT_EQ(tool.err(), "");
  EXPECT_EQ(net.rules(), rules);
  EXPECT_TRUE(cut_off(net, server, {"1.2.3.4", 8080}));
}

TEST_F(tool_test, protocol_upnp_is_obeyed_where_pcp_answers) {
  const lab::network net;
  const lab::miniupnpd daemon(net);
  const std::string rules = net.rules();
  lab::process tool =
      damson(net, {"map", "8080/udp", "--json", "--external", "9090", "--protocol", "upnp"});
  const std::string line = tool.read_line(5s).value_or("");
  for (const std::string part :
       {R"("event":"mapped")", R"("transport":"udp")", R"("protocol":"upnp")",
        R"("internal":"192.168.77.10:8080")", R"("external":"1.2.3.4:9090")"}) {
    EXPECT_TRUE(contains(line, part)) << part << " in " << line;
  }
  EXPECT_EQ(net.port_mappings(), 1U);
  tool.send_signal(SIGTERM);
  EXPECT_TRUE(contains(tool.read_line(5s).value_or(""), R"("event":"removed")"));
  EXPECT_EQ(tool.wait(5s), 0) << tool.err();
  EXPECT_EQ(net.rules(), rules);
}

TEST_F(tool_test, protocol_pcp_leaves_a_upnp_only_router_alone) {
  const lab::network net;
  const lab::miniupnpd daemon(net, {.natpmp = false});
  const std::string rules = net.rules();
  const lab::contacts contacts(net.lan());
  lab::process tool = damson(net, {"map", "8080", "--protocol", "pcp"});
  EXPECT_EQ(tool.wait(5s), 1);
  EXPECT_TRUE(is_one_line(tool.err())) << tool.err();
  EXPECT_TRUE(contains(tool.err(), "192.168.77.1")) << tool.err();
  EXPECT_EQ(net.rules(), rules);
  EXPECT_TRUE(contacts.connections().empty());
  EXPECT_FALSE(contacts.sent_to_port(1900));
}

TEST_F(tool_test, once_over_upnp_leaves_the_mapping_to_its_lease) {
  const lab::network net;
  const lab::miniupnpd daemon(net, {.natpmp = false});
  const lab::listener server(net.lan(), lab::transport::tcp, 8080);
  lab::process tool = damson(net, {"map", "8080", "--once", "--lifetime", "600"});
  EXPECT_EQ(tool.wait(5s), 0) << tool.err();
  EXPECT_TRUE(contains(tool.out(), "1.2.3.4:8080")) << tool.out();
  EXPECT_TRUE(reaches(net, server, {"1.2.3.4", 8080}));
}

TEST_F(tool_test, a_restart_is_printed) {
  const lab::network net;
  lab::miniupnpd daemon(net);
  daemon.wait_for_epoch(lab::miniupnpd::telling_epoch);
  lab::process tool = damson(net, {"map", "8080/tcp", "--json"});
  ASSERT_TRUE(tool.read_line(5s));
  daemon.kill();
  net.flush_rules();
  daemon.start();
  EXPECT_TRUE(contains(tool.read_line(30s).value_or(""), R"("event":"lost")"));
  const std::string again = tool.read_line(30s).value_or("");
  EXPECT_TRUE(contains(again, R"("event":"mapped")")) << again;
  EXPECT_TRUE(contains(again, R"("regained":true)")) << again;
  tool.send_signal(SIGINT);
  EXPECT_EQ(tool.wait(5s), 0) << tool.err();
}

TEST_F(tool_test, a_closed_port_is_one_line_that_names_the_router) {
  const lab::network net;
  lab::process tool = damson(net, {"map", "8080"});
  EXPECT_EQ(tool.wait(5s), 1);
  EXPECT_TRUE(is_one_line(tool.err())) << tool.err();
  EXPECT_TRUE(contains(tool.err(), "192.168.77.1")) << tool.err();
  EXPECT_TRUE(contains(tool.err(), "Try:")) << tool.err();
  EXPECT_EQ(tool.out(), "");
}

TEST_F(tool_test, silence_is_one_line_after_four_seconds) {
  const lab::network net;
  net.drop_5351();
  lab::process tool = damson(net, {"map", "8080"});
  EXPECT_EQ(tool.wait(10s), 1);
  EXPECT_TRUE(is_one_line(tool.err())) << tool.err();
  EXPECT_TRUE(contains(tool.err(), "192.168.77.1")) << tool.err();
  EXPECT_TRUE(contains(tool.err(), "Try:")) << tool.err();
}

TEST_F(tool_test, a_refusal_is_one_line) {
  const lab::network net;
  const lab::miniupnpd daemon(net, {.extra = {"deny 0-65535 0.0.0.0/0 0-65535"}});
  lab::process tool = damson(net, {"map", "8080"});
  EXPECT_EQ(tool.wait(10s), 1);
  EXPECT_TRUE(is_one_line(tool.err())) << tool.err();
  EXPECT_TRUE(contains(tool.err(), "192.168.77.1")) << tool.err();
  EXPECT_TRUE(contains(tool.err(), "Try:")) << tool.err();
}

TEST_F(tool_test, no_route_is_one_line_at_once) {
  const lab::network net({.lan = lab::lan_kind::no_route});
  lab::process tool = damson(net, {"map", "8080"});
  EXPECT_EQ(tool.wait(5s), 1);
  EXPECT_TRUE(is_one_line(tool.err())) << tool.err();
  EXPECT_TRUE(contains(tool.err(), "--gateway")) << tool.err();
}

TEST_F(tool_test, an_unreachable_gateway_is_one_line_that_names_it) {
  const lab::network net({.lan = lab::lan_kind::no_route});
  lab::process tool = damson(net, {"map", "8080", "--gateway", "10.9.9.9"});
  EXPECT_EQ(tool.wait(5s), 1);
  EXPECT_TRUE(is_one_line(tool.err())) << tool.err();
  EXPECT_TRUE(contains(tool.err(), "10.9.9.9")) << tool.err();
}

TEST_F(tool_test, a_public_address_needs_no_router) {
  const lab::network net({.lan = lab::lan_kind::public_address});
  lab::process tool = damson(net, {"map", "8080", "--json"});
  const std::string line = tool.read_line(5s).value_or("");
  EXPECT_TRUE(contains(line, R"("protocol":"direct")")) << line;
  EXPECT_TRUE(contains(line, R"("external":"1.2.3.10:8080")")) << line;
  tool.send_signal(SIGINT);
  EXPECT_EQ(tool.wait(5s), 0) << tool.err();
}

}  // namespace
