// The real program, its exit codes, streams and signals, against routers on loopback.

#include <gmock/gmock.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <string>
#include <string_view>
#include <vector>

#include "child_process.hpp"
#include "sim/socket_stun_server.hpp"
#include "test_router.hpp"

namespace damson::cli {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::ContainsRegex;
using testing::EndsWith;
using testing::Eq;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::MatchesRegex;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

std::vector<std::string> tool(const std::vector<std::string>& words) {
  std::vector<std::string> out{DAMSON_TOOL};
  out.insert(out.end(), words.begin(), words.end());
  return out;
}

MATCHER(is_one_line, "") { return arg.ends_with('\n') && std::ranges::count(arg, '\n') == 1; }

// Every test program's routers share the loopback interface, so a search with multicast may find
// one of another program: only a router that speaks UPnP itself, and so comes first, or one that is
// asked for PCP alone, is safe from them.
std::vector<std::string> map_without_search(const std::string& gateway,
                                            const std::vector<std::string>& more = {}) {
  std::vector<std::string> words{"map", "8080", "--gateway", gateway, "--protocol", "pcp"};
  words.insert(words.end(), more.begin(), more.end());
  return tool(words);
}

/// Leases as short as they are asked for.
sim::profile short_leases() {
  sim::profile how;
  how.min_lifetime = 1s;
  how.announcements = 0;
  return how;
}

// ---- Without any router

TEST(program, wrong_usage_exits_2_with_one_line) {
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {}, {"map"}, {"map", "0"}, {"map", "80", "--timeout", "0"}, {"nonsense"}}) {
    child_process child{tool(words)};
    EXPECT_EQ(child.wait(), 2);
    EXPECT_THAT(child.output(), IsEmpty());
    EXPECT_THAT(child.errors(), AllOf(is_one_line(), StartsWith("damson: "), HasSubstr(". Try: ")));
  }
}

TEST(program, help_and_version_exit_0_on_standard_output) {
  child_process help{tool({"map", "--help"})};
  EXPECT_EQ(help.wait(), 0);
  EXPECT_THAT(help.output(), HasSubstr("Usage: damson map"));
  EXPECT_THAT(help.errors(), IsEmpty());
  child_process version{tool({"--version"})};
  EXPECT_EQ(version.wait(), 0);
  EXPECT_THAT(version.output(), MatchesRegex("damson [0-9]+\\.[0-9]+\\.[0-9]+\n"));
}

TEST(program, nobody_listens_exits_1_and_names_the_address) {
  const std::string address = to_string(fresh_loopback_address());
  child_process child{tool({"map", "8080", "--gateway", address, "--protocol", "pcp"})};
  EXPECT_EQ(child.wait(), 1);
  EXPECT_THAT(child.output(), IsEmpty());
  EXPECT_THAT(child.errors(), AllOf(is_one_line(),
                                    StartsWith("damson: could not open tcp 8080 on the router at " +
                                               address + ": nothing listens"),
                                    HasSubstr(address + ":5351"), HasSubstr("pcp, nat-pmp at "),
                                    HasSubstr(". Try: ")));
}

TEST(program, a_failure_is_a_json_line_as_well) {
  const std::string address = to_string(fresh_loopback_address());
  child_process child{
      tool({"map", "8080/udp", "--gateway", address, "--protocol", "pcp", "--json"})};
  EXPECT_EQ(child.wait(), 1);
  EXPECT_THAT(child.output(),
              AllOf(is_one_line(),
                    StartsWith(R"({"event":"failed","transport":"udp","protocol":null,)"
                               R"("internal":"127.0.0.1:8080","interface":"lo","gateway":")" +
                               address +
                               R"(","external":null,"external_class":"unknown","lifetime":null,)"),
                    HasSubstr(R"("reason":"port_closed","reasons":[{"protocol":"pcp",)"),
                    HasSubstr("\"server\":\"" + address + ":5351\"")));
  EXPECT_THAT(child.errors(), AllOf(is_one_line(), StartsWith("damson: could not open udp 8080")));
}

// ---- With a router that never answers

TEST(program, silence_until_the_time_out_exits_1) {
  const silent_router router;
  child_process child{map_without_search(router.address(), {"--timeout", "0.3"})};
  EXPECT_EQ(child.wait(), 1);
  EXPECT_THAT(child.errors(), AllOf(is_one_line(), HasSubstr(router.address()),
                                    HasSubstr("Try: a longer --timeout")));
}

TEST(program, a_signal_while_waiting_ends_it) {
  const silent_router router;
  child_process child{map_without_search(router.address(), {"--json", "-vvv"})};
  // The first line of the log: it is at work.
  ASSERT_THAT(child.wait_for_error_line("damson: "), Not(IsEmpty()));
  const auto begin = std::chrono::steady_clock::now();
  child.signal(SIGINT);
  EXPECT_EQ(child.wait(), 1);
  // Giving back may take 2 s, the time-out would have taken 30 s.
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 15s);
  EXPECT_THAT(child.errors(), HasSubstr("damson: interrupted before tcp 8080"));
  EXPECT_THAT(child.output(), AllOf(is_one_line(), HasSubstr(R"("reason":"interrupted")")));
}

TEST(program, shows_on_a_terminal_that_it_waits) {
  const silent_router router;
  child_process child{map_without_search(router.address()),
                      {.environment = {}, .terminal_for_errors = true}};
  EXPECT_TRUE(child.wait_for_error_text("asking the router, "));
  child.signal(SIGTERM);
  EXPECT_EQ(child.wait(), 1);
}

TEST(program, shows_nothing_in_a_pipe_while_it_waits) {
  const silent_router router;
  child_process child{map_without_search(router.address(), {"--timeout", "0.8"})};
  EXPECT_EQ(child.wait(), 1);
  EXPECT_THAT(child.errors(), is_one_line());
}

// ---- With a router

class program_with_router : public testing::Test {
 protected:
  std::vector<std::string> map(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> words{"map", "8080/tcp", "--gateway", router_.address()};
    words.insert(words.end(), more.begin(), more.end());
    return tool(words);
  }

  test_router router_{short_leases()};
};

TEST_F(program_with_router, maps_and_gives_back_on_each_signal) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    child_process child{map()};
    EXPECT_THAT(child.wait_for_line("tcp"),
                MatchesRegex("tcp 127\\.0\\.0\\.1:8080 is open as 1\\.2\\.3\\.4:8080 through "
                             "pcp, lease 7200 s \\([0-9.]+ m?s\\)"));
    EXPECT_THAT(router_.rules(), SizeIs(1));
    child.signal(signal);
    EXPECT_THAT(child.wait_for_line("closed"),
                StartsWith("tcp 127.0.0.1:8080 is closed: deleted from the router"));
    EXPECT_EQ(child.wait(), 0);
    EXPECT_THAT(child.errors(), IsEmpty());
    EXPECT_THAT(router_.rules(), IsEmpty());
  }
}

TEST_F(program_with_router, maps_several_ports_as_one) {
  child_process child{
      tool({"map", "8080-8081/tcp+udp", "--all-or-nothing", "--gateway", router_.address()})};
  for (const std::string name :
       {"tcp 127.0.0.1:8080", "tcp 127.0.0.1:8081", "udp 127.0.0.1:8080", "udp 127.0.0.1:8081"}) {
    EXPECT_THAT(child.wait_for_line(name), StartsWith(name + " by lo is open as 1.2.3.4:808"));
  }
  EXPECT_THAT(router_.rules(), SizeIs(4));
  child.signal(SIGINT);
  EXPECT_THAT(child.wait_for_line("closed"), StartsWith("tcp 8080 is closed: deleted"));
  EXPECT_EQ(child.wait(), 0);
  EXPECT_THAT(router_.rules(), IsEmpty());
}

TEST_F(program_with_router, prints_json_lines) {
  child_process child{map({"--json", "--lifetime", "600", "--external", "9090"})};
  EXPECT_THAT(
      child.wait_for_line("mapped"),
      MatchesRegex(
          R"(\{"event":"mapped","transport":"tcp","protocol":"pcp",)"
          R"("internal":"127\.0\.0\.1:8080","interface":"lo","gateway":"127[0-9.]*","external":"1\.2\.3\.4:9090",)"
          R"("external_class":"public","lifetime":600,"elapsed_ms":[0-9.]+,"protocols":\[)"
          R"(\{"protocol":"pcp","standing":"taken","answered_ms":[0-9.]+\},)"
          R"(\{"protocol":"nat-pmp",.*\},\{"protocol":"upnp",.*\}\]\})"));
  child.signal(SIGINT);
  EXPECT_THAT(
      child.wait_for_line("removed"),
      MatchesRegex(
          R"(\{"event":"removed","transport":"tcp","protocol":"pcp",)"
          R"("internal":"127\.0\.0\.1:8080","interface":"lo","gateway":"127[0-9.]*","external":"1\.2\.3\.4:9090",)"
          R"("external_class":"public","lifetime":600,"elapsed_ms":[0-9.]+,"how":"deleted"\})"));
  EXPECT_EQ(child.wait(), 0);
  EXPECT_THAT(child.errors(), IsEmpty());
}

TEST_F(program_with_router, warns_where_the_router_does_not_filter) {
  for (const bool filters : {true, false}) {
    router_.change([&](sim::gateway& router, time_point) {
      router.forget_all();
      router.behaviour().serves_map_options = filters;
    });
    child_process child{map({"--once", "--json", "--peer", "203.0.113.0/24"})};
    const std::string line = child.wait_for_line("mapped");
    EXPECT_EQ(line.contains(R"("filtered":true)"), filters) << line;
    EXPECT_EQ(child.wait(), 0);
    EXPECT_EQ(child.errors().find("is open to everybody") != std::string::npos, !filters);
  }
}

TEST_F(program_with_router, fails_where_the_named_port_is_taken) {
  router_.change([](sim::gateway& router, time_point) {
    router.occupy(transport::tcp, 9090, {ip_address{ip_address::v4_bytes{192, 0, 2, 9}}, 80});
  });
  child_process child{map({"--once", "--json", "--external", "9090", "--prefer-failure"})};
  EXPECT_THAT(child.wait_for_line("failed"), HasSubstr(R"("reason":"external_not_available")"));
  EXPECT_EQ(child.wait(), 1);
}

TEST_F(program_with_router, warns_of_a_second_nat) {
  router_.change([](sim::gateway& router, time_point now) {
    router.set_public_address(now, ip_address{ip_address::v4_bytes{10, 0, 0, 7}});
  });
  child_process child{map({"--once"})};
  EXPECT_EQ(child.wait(), 0);
  EXPECT_THAT(child.output(), HasSubstr(" is open as 10.0.0.7:8080 through pcp"));
  EXPECT_THAT(child.errors(), AllOf(is_one_line(), HasSubstr("double NAT: "),
                                    HasSubstr("forward tcp port 8080 to 10.0.0.7")));
}

TEST_F(program_with_router, asks_the_pcp_server_that_is_named) {
  test_router other;
  const std::string nobody = to_string(fresh_loopback_address());  // whose port is closed
  child_process child{map({"--json", "--pcp-server", nobody, "--pcp-server", other.address()})};
  EXPECT_THAT(child.wait_for_line("mapped"),
              AllOf(HasSubstr(R"("protocol":"pcp")"),
                    HasSubstr("\"gateway\":\"" + other.address() + "\"")));
  EXPECT_THAT(router_.rules(), IsEmpty());
  EXPECT_THAT(other.rules(), SizeIs(1));
  child.signal(SIGINT);
  EXPECT_EQ(child.wait(), 0);
  EXPECT_THAT(other.rules(), IsEmpty());
}

TEST_F(program_with_router, keeps_an_outbound_flow) {
  child_process child{map({"--json", "--remote-peer", "203.0.113.9:443"})};
  EXPECT_THAT(child.wait_for_line("mapped"), HasSubstr(R"("external":"1.2.3.4:8080")"));
  router_.change([](sim::gateway& router, time_point) {
    EXPECT_EQ(router.table().flows().size(), 1U);
    EXPECT_TRUE(router.rules().empty());
  });
  child.signal(SIGINT);
  EXPECT_THAT(child.wait_for_line("removed"), HasSubstr(R"("how":"left to expire")"));
  EXPECT_EQ(child.wait(), 0);
}

TEST_F(program_with_router, asks_a_stun_server_as_whom_it_is_seen) {
  const sim::socket_stun_server server{{fresh_loopback_address(), 0}};
  child_process child{map({"--json", "--stun", to_string(server.at())})};
  EXPECT_THAT(child.wait_for_line("mapped"), Not(HasSubstr("seen_address")));
  // The router says 1.2.3.4, and on loopback nobody is behind a router.
  EXPECT_THAT(child.wait_for_line("changed"), HasSubstr(R"("seen_address":"127.0.0.1")"));
  EXPECT_THAT(child.wait_for_error_line("damson: "),
              HasSubstr("this host is seen there as 127.0.0.1, not as 1.2.3.4"));
  child.signal(SIGINT);
  EXPECT_EQ(child.wait(), 0);
}

TEST_F(program_with_router, once_leaves_the_mapping_and_ends) {
  child_process child{map({"--once"})};
  EXPECT_EQ(child.wait(), 0);
  EXPECT_THAT(child.output(), AllOf(is_one_line(), HasSubstr(" is open as ")));
  EXPECT_THAT(child.errors(), IsEmpty());
  EXPECT_THAT(router_.rules(), SizeIs(1));
}

TEST_F(program_with_router, tells_of_another_external_address) {
  router_.change([](sim::gateway& router, time_point) {
    router.behaviour().address_change_resets_epoch = false;
  });
  child_process child{map({"--lifetime", "2"})};
  ASSERT_THAT(child.wait_for_line("is open"), Not(IsEmpty()));
  router_.change([](sim::gateway& router, time_point now) {
    router.set_public_address(now, ip_address{ip_address::v4_bytes{1, 2, 3, 5}});
  });
  EXPECT_THAT(child.wait_for_line("now open"),
              Eq("tcp 127.0.0.1:8080 is now open as 1.2.3.5:8080 through pcp, lease 2 s "
                 "(before: 1.2.3.4:8080)"));
  child.signal(SIGINT);
  EXPECT_EQ(child.wait(), 0);
}

TEST_F(program_with_router, tells_of_the_loss_and_of_the_return) {
  router_.change([](sim::gateway& router, time_point now) {
    router.behaviour().epoch_start = 3'600;
    router.reboot(now);
  });
  child_process child{map({"--lifetime", "2", "--json"})};
  ASSERT_THAT(child.wait_for_line(R"("event":"mapped")"), Not(HasSubstr("regained")));
  router_.change([](sim::gateway& router, time_point now) {
    router.behaviour().epoch_start = 0;
    router.reboot(now);
  });
  EXPECT_THAT(child.wait_for_line(R"("event":"lost")"),
              HasSubstr(R"("reason":"gateway_restarted")"));
  EXPECT_THAT(child.wait_for_line(R"("event":"mapped")"), HasSubstr(R"("regained":true)"));
  EXPECT_THAT(router_.rules(), SizeIs(1));
  child.signal(SIGINT);
  EXPECT_EQ(child.wait(), 0);
  EXPECT_THAT(router_.rules(), IsEmpty());
}

TEST_F(program_with_router, a_refusal_exits_1_with_the_routers_reason) {
  router_.change([](sim::gateway& router, time_point) {
    router.behaviour().refuses_maps_with = sim::pcp_result::not_authorized;
  });
  child_process child{map({"--protocol", "pcp-only"})};
  EXPECT_EQ(child.wait(), 1);
  EXPECT_THAT(child.errors(), AllOf(is_one_line(), HasSubstr(router_.address()),
                                    HasSubstr("the router's settings do not allow it"),
                                    HasSubstr("result 2"), HasSubstr(". Try: allow ")));
}

TEST_F(program_with_router, a_reader_who_goes_away_ends_it_and_the_mapping) {
  router_.change([](sim::gateway& router, time_point) {
    router.behaviour().address_change_resets_epoch = false;
  });
  child_process child{map({"--lifetime", "2"})};
  ASSERT_THAT(child.wait_for_line("is open"), Not(IsEmpty()));
  child.close_output();
  router_.change([](sim::gateway& router, time_point now) {
    router.set_public_address(now, ip_address{ip_address::v4_bytes{1, 2, 3, 5}});
  });
  EXPECT_EQ(child.wait(), 1);
  EXPECT_THAT(child.errors(),
              AllOf(is_one_line(), StartsWith("damson: could not write to standard output")));
  EXPECT_THAT(router_.rules(), IsEmpty());
}

TEST_F(program_with_router, closed_standard_output_is_no_socket_and_ends_it) {
  child_process child{map(), {.environment = {}, .closed_output = true}};
  EXPECT_EQ(child.wait(), 1);
  EXPECT_THAT(child.errors(),
              AllOf(is_one_line(), StartsWith("damson: could not write to standard output")));
  EXPECT_THAT(router_.rules(), IsEmpty());
}

TEST_F(program_with_router, a_second_signal_ends_it_at_once) {
  child_process child{map()};
  ASSERT_THAT(child.wait_for_line("is open"), Not(IsEmpty()));
  router_.change([](sim::gateway& router, time_point) {
    router.behaviour().speaks_pcp = false;
    router.behaviour().answers_version_refusal = false;
    router.behaviour().speaks_nat_pmp = false;
  });
  // Two different ones, since two of a kind may become one on their way.
  child.signal(SIGINT);
  child.signal(SIGTERM);
  EXPECT_EQ(child.wait(), 1);
  EXPECT_THAT(child.errors(), AllOf(is_one_line(), StartsWith("damson: interrupted twice")));
}

TEST_F(program_with_router, logs_on_standard_error_when_asked_to) {
  child_process by_option{map({"--once", "-vv"})};
  EXPECT_EQ(by_option.wait(), 0);
  EXPECT_THAT(by_option.errors(), HasSubstr("damson: debug: "));
  EXPECT_THAT(by_option.output(), is_one_line());
  router_.change([](sim::gateway& router, time_point) { router.forget_all(); });
  child_process by_environment{map({"--once"}), {.environment = {"DAMSON_VERBOSE=1"}}};
  EXPECT_EQ(by_environment.wait(), 0);
  EXPECT_THAT(by_environment.errors(), HasSubstr("damson: debug: "));
}

// ---- With a router that speaks UPnP only

sim::profile upnp_only() {
  sim::profile how;
  how.speaks_pcp = how.speaks_nat_pmp = false;
  how.speaks_upnp = true;
  return how;
}

sim::profile only_permanent() {
  sim::profile how = upnp_only();
  how.upnp.leases = sim::lease_policy::only_permanent_725;
  return how;
}

TEST(program, maps_through_upnp_and_gives_back) {
  test_router router{upnp_only()};
  child_process child{tool({"map", "8080", "--gateway", router.address()})};
  EXPECT_THAT(child.wait_for_line("tcp"),
              MatchesRegex("tcp 127\\.0\\.0\\.1:8080 is open as 1\\.2\\.3\\.4:8080 through "
                           "upnp, lease 7200 s \\([0-9.]+ m?s\\)"));
  EXPECT_THAT(router.rules(), SizeIs(1));
  child.signal(SIGINT);
  EXPECT_EQ(child.wait(), 0);
  EXPECT_THAT(child.output(), HasSubstr(" is closed: deleted from the router"));
  EXPECT_THAT(child.errors(), IsEmpty());
  EXPECT_THAT(router.rules(), IsEmpty());
}

TEST(program, tells_how_each_protocol_fared_when_asked_to) {
  const test_router router{upnp_only()};
  child_process child{tool({"map", "8080", "--gateway", router.address(), "-v"})};
  EXPECT_THAT(child.wait_for_error_line("damson: pcp was out after"),
              EndsWith(" at " + router.address() + ":5351: nothing listens on the router's port"));
  EXPECT_THAT(child.wait_for_error_line("damson: nat-pmp was out after"), Not(IsEmpty()));
  EXPECT_THAT(child.wait_for_error_line("damson: upnp answered after"), EndsWith("and was taken"));
  child.signal(SIGINT);
  EXPECT_EQ(child.wait(), 0);
  EXPECT_THAT(child.output(), Not(HasSubstr("was out")));
}

TEST(program, json_says_what_upnp_is_worth) {
  const test_router router{upnp_only()};
  child_process child{tool({"map", "8080", "--gateway", router.address(), "--once", "--json"})};
  EXPECT_EQ(child.wait(), 0);
  EXPECT_THAT(child.output(),
              AllOf(is_one_line(), HasSubstr(R"("lifetime":7200,"verified":true,"elapsed_ms":)"),
                    HasSubstr(R"({"protocol":"pcp","standing":"failed",)"),
                    HasSubstr(R"("reason":"port_closed")"),
                    HasSubstr(R"({"protocol":"upnp","standing":"taken",)")));
  EXPECT_THAT(child.errors(), IsEmpty());
}

TEST(program, warns_of_permanent_mappings_and_deletes_them) {
  test_router router{only_permanent()};
  child_process child{tool({"map", "8080", "--gateway", router.address(), "--json"})};
  EXPECT_THAT(child.wait_for_line("mapped"),
              HasSubstr(R"("lifetime":null,"permanent":true,"verified":true,)"));
  child.signal(SIGINT);
  EXPECT_EQ(child.wait(), 0);
  EXPECT_THAT(child.errors(), AllOf(is_one_line(), StartsWith("damson: warning: "),
                                    HasSubstr("permanent mappings only")));
  EXPECT_THAT(router.rules(), IsEmpty());
}

TEST(program, once_warns_of_the_permanent_mapping_that_it_leaves) {
  test_router router{only_permanent()};
  child_process child{tool({"map", "8080", "--gateway", router.address(), "--once"})};
  EXPECT_EQ(child.wait(), 0);
  EXPECT_THAT(child.output(), HasSubstr("through upnp, permanent ("));
  EXPECT_THAT(child.errors(), HasSubstr("Try: --no-permanent"));
  EXPECT_THAT(router.rules(), SizeIs(1));
}

TEST(program, makes_no_permanent_mapping_against_the_users_will) {
  test_router router{only_permanent()};
  child_process child{tool({"map", "8080", "--gateway", router.address(), "--no-permanent"})};
  EXPECT_EQ(child.wait(), 1);
  EXPECT_THAT(child.errors(),
              AllOf(is_one_line(), HasSubstr("permanent mappings only"), HasSubstr("error 725"),
                    HasSubstr(". Try: the same without --no-permanent")));
  EXPECT_THAT(router.rules(), IsEmpty());
}

// ---- With a router that comes later

sim::profile closed() {
  sim::profile how;
  how.speaks_pcp = how.speaks_nat_pmp = false;
  return how;
}

TEST(program, waits_for_the_router) {
  test_router router{closed()};
  child_process child{map_without_search(router.address(), {"--wait", "--json"})};
  EXPECT_THAT(child.wait_for_error_line("could not open"), HasSubstr("; trying again"));
  EXPECT_THAT(child.wait_for_line("failed"), EndsWith(R"("waiting":true})"));
  router.change([](sim::gateway& model, time_point) { model.behaviour().speaks_pcp = true; });
  EXPECT_THAT(child.wait_for_line("mapped"), HasSubstr(R"("protocol":"pcp")"));
  EXPECT_THAT(router.rules(), SizeIs(1));
  child.signal(SIGINT);
  EXPECT_EQ(child.wait(), 0);
  EXPECT_THAT(child.errors(), is_one_line());
  EXPECT_THAT(router.rules(), IsEmpty());
}

TEST(program, waits_until_a_signal) {
  const test_router router{closed()};
  child_process child{map_without_search(router.address(), {"--wait"})};
  ASSERT_THAT(child.wait_for_error_line("trying again"), Not(IsEmpty()));
  child.signal(SIGTERM);
  EXPECT_EQ(child.wait(), 1);
  EXPECT_THAT(child.errors(), HasSubstr("damson: interrupted before tcp 8080"));
  EXPECT_THAT(child.output(), IsEmpty());
}

TEST(program, waits_no_longer_than_somebody_reads) {
  const test_router router{closed()};
  child_process child{map_without_search(router.address(), {"--wait", "--json"}),
                      {.environment = {}, .closed_output = true}};
  EXPECT_EQ(child.wait(), 1);
  EXPECT_THAT(child.errors(), HasSubstr("damson: could not write to standard output"));
}

// ---- The demo

TEST(program, two_demos_side_by_side_exit_0) {
  child_process one{tool({"demo"})};
  child_process two{tool({"demo"})};
  EXPECT_EQ(one.wait(), 0);
  EXPECT_EQ(two.wait(), 0);
  for (const child_process* const demo : {&one, &two}) {
    EXPECT_THAT(demo->errors(), IsEmpty());
    EXPECT_THAT(demo->output(), HasSubstr("  pcp was out after "));
    EXPECT_THAT(demo->output(), ContainsRegex("  upnp answered after [0-9.]+ m?s and was taken"));
    EXPECT_THAT(demo->output(),
                ContainsRegex("  nat-pmp answered after [0-9.]+ m?s and was taken"));
    EXPECT_THAT(demo->output(), ContainsRegex("  pcp answered after [0-9.]+ m?s and was taken"));
    EXPECT_THAT(demo->output(), HasSubstr("tcp 198.51.100.7:8080 -> 127.0.0.1:8080"));
    EXPECT_THAT(demo->output(), HasSubstr("is not open any more: the router has restarted"));
    EXPECT_THAT(demo->output(), HasSubstr("is open again as 198.51.100.23:8080"));
    EXPECT_THAT(demo->output(), EndsWith("\nThe router's table is empty.\n"));
  }
}

TEST(program, the_demo_fails_when_nobody_can_read_it) {
  child_process demo{tool({"demo"}), {.environment = {}, .closed_output = true}};
  EXPECT_EQ(demo.wait(), 1);
  EXPECT_THAT(demo.errors(), AllOf(is_one_line(), StartsWith("damson: the demo went wrong: ")));
}

}  // namespace
}  // namespace damson::cli
