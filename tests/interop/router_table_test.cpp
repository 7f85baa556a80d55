#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "interop.hpp"

// What the real daemon shows of its table and of itself, asked with the tool, and what it deletes.

namespace {

using namespace std::chrono_literals;

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

class router_table_test : public interop {
 protected:
  void SetUp() override {
    interop::SetUp();
    if (!IsSkipped() && lab::find_tool("upnpc").empty()) GTEST_SKIP() << "upnpc is not installed";
  }

  static lab::miniupnpd_options of_version(bool first) {
    return {.natpmp = false, .igd_v1 = first};
  }

  /// An entry made by somebody else, to the same port of that host.
  static testing::AssertionResult add(const lab::net_namespace& by, std::string_view address,
                                      const lab::miniupnpd& daemon, const std::string& port) {
    const lab::run_result result =
        lab::upnpc(by, daemon.description_url(),
                   {"-e", "somebody's", "-a", std::string(address), port, port, "tcp", "600"});
    return testing::AssertionResult(result.status == 0) << result.out << result.err;
  }

  struct outcome {
    int status = 0;
    std::string out;
    std::string err;
  };

  static outcome damson(const lab::network& net, std::vector<std::string> words) {
    words.insert(words.begin(), DAMSON_TOOL);
    lab::process tool{net.lan(), std::move(words)};
    outcome out;
    while (const auto line = tool.read_line(30s)) out.out += *line + "\n";
    out.status = tool.wait(5s).value_or(-1);
    out.err = tool.err();
    return out;
  }
};

/// Both versions of the service.
class router_table_version_test : public router_table_test,
                                  public testing::WithParamInterface<bool> {};

INSTANTIATE_TEST_SUITE_P(both, router_table_version_test, testing::Values(true, false),
                         [](const auto& tested) { return tested.param ? "v1" : "v2"; });

TEST_P(router_table_version_test, is_listed) {
  const lab::network net({.neighbours = 1});
  const lab::miniupnpd daemon(net, of_version(GetParam()));
  EXPECT_EQ(damson(net, {"list"}).out, "the router has no entries\n");
  ASSERT_TRUE(add(net.lan(), net.lan_address(), daemon, "8080"));
  ASSERT_TRUE(add(net.neighbour(), lab::network::neighbour_address(), daemon, "9000"));
  const outcome got = damson(net, {"list", "--json"});
  EXPECT_EQ(got.status, 0) << got.err;
  EXPECT_TRUE(contains(got.out,
                       R"({"event":"entry","transport":"tcp","external_port":8080,)"
                       R"("remote_host":null,"internal":"192.168.77.10:8080","enabled":true,)"))
      << got.out;
  EXPECT_TRUE(contains(got.out, R"("external_port":9000)")) << got.out;
  EXPECT_TRUE(contains(got.out, R"("description":"somebody's")")) << got.out;
}

TEST_P(router_table_version_test, comes_with_a_state) {
  const lab::network net;
  const lab::miniupnpd daemon(net, of_version(GetParam()));
  const outcome got = damson(net, {"status", "--json"});
  EXPECT_EQ(got.status, 0) << got.err;
  for (const std::string_view part :
       {R"("external_address":"1.2.3.4","external_class":"public")", R"("connection":"Connected")",
        R"("link":"Up")", R"("bytes_sent":)"}) {
    EXPECT_TRUE(contains(got.out, part)) << part << " in " << got.out;
  }
  EXPECT_FALSE(contains(got.out, R"("bytes_sent":null)")) << got.out;
}

TEST_P(router_table_version_test, loses_what_is_named) {
  const lab::network net({.neighbours = 1});
  const lab::miniupnpd daemon(net, of_version(GetParam()));
  const std::string empty = net.rules();
  ASSERT_TRUE(add(net.neighbour(), lab::network::neighbour_address(), daemon, "9000"));
  const std::string before = net.rules();
  ASSERT_TRUE(add(net.lan(), net.lan_address(), daemon, "8080"));
  const outcome own = damson(net, {"delete", "8080/tcp"});
  EXPECT_EQ(own.status, 0) << own.err;
  EXPECT_EQ(own.out, "tcp 8080 is deleted: it led to 192.168.77.10:8080 (\"somebody's\")\n");
  EXPECT_EQ(net.rules(), before);
  const outcome gone = damson(net, {"delete", "8080/tcp"});
  EXPECT_EQ(gone.status, 1);
  EXPECT_TRUE(contains(gone.err, "it has no such entry")) << gone.err;
  // In its secure mode the daemon keeps what is another host's.
  const outcome others = damson(net, {"delete", "9000/tcp"});
  EXPECT_EQ(others.status, 1) << others.out;
  EXPECT_TRUE(contains(others.err, "could not delete tcp 9000")) << others.err;
  EXPECT_EQ(net.rules(), before);
}

TEST_P(router_table_version_test, loses_a_range_of_this_hosts_entries_only) {
  const lab::network net({.neighbours = 1});
  const lab::miniupnpd daemon(net, of_version(GetParam()));
  ASSERT_TRUE(add(net.neighbour(), lab::network::neighbour_address(), daemon, "8003"));
  ASSERT_TRUE(add(net.lan(), net.lan_address(), daemon, "9000"));
  for (const std::string port : {"8001", "8002", "8005"}) {
    ASSERT_TRUE(add(net.lan(), net.lan_address(), daemon, port));
  }
  const outcome got = damson(net, {"delete-range", "8000-8999/tcp", "--json"});
  EXPECT_EQ(got.status, 0) << got.err;
  for (const std::string_view port : {"8001", "8002", "8005"}) {
    EXPECT_TRUE(contains(got.out, R"({"event":"deleted","transport":"tcp","external_port":)" +
                                      std::string{port} + ","))
        << got.out;
  }
  EXPECT_EQ(net.port_mappings(), 2U);
  EXPECT_TRUE(net.leads_to({lab::network::neighbour_address(), 8003}));
  EXPECT_TRUE(net.leads_to({net.lan_address(), 9000}));
}

// Why damson has no range with gaps deleted at once.
TEST_F(router_table_test, the_daemon_takes_a_range_for_everybodys) {  // Q-175
  const lab::network net({.neighbours = 1});
  const lab::miniupnpd daemon(net, of_version(false));
  ASSERT_TRUE(add(net.lan(), net.lan_address(), daemon, "8001"));
  ASSERT_TRUE(add(net.neighbour(), lab::network::neighbour_address(), daemon, "8002"));
  const lab::run_result result =
      lab::upnpc(net.lan(), daemon.description_url(), {"-N", "8000", "8999", "tcp", "0"});
  EXPECT_EQ(net.port_mappings(), 0U) << result.out << result.err;
}

}  // namespace
