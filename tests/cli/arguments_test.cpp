#include "cli/arguments.hpp"

#include <gmock/gmock.h>

#include <chrono>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

namespace damson::cli {
namespace {

using namespace std::chrono_literals;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

/// The words of a command line without quoting.
command parse(const std::string& line, std::string_view damson_verbose = "") {
  std::istringstream in{line};
  std::vector<std::string> words;
  for (std::string word; in >> word;) {
    words.push_back(word);
  }
  return parse_arguments(words, damson_verbose);
}

map_arguments parse_map(const std::string& line) {
  const command what = parse(line);
  const map_arguments* const map = std::get_if<map_arguments>(&what);
  EXPECT_NE(map, nullptr) << line;
  return map == nullptr ? map_arguments{} : *map;
}

ip_address v4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d) {
  return ip_address{ip_address::v4_bytes{a, b, c, d}};
}

TEST(map_arguments, have_defaults) {
  const map_arguments map = parse_map("map 8080");
  EXPECT_EQ(map.request.transport, transport::tcp);
  EXPECT_EQ(map.request.internal_port, 8080);
  EXPECT_EQ(map.request.external_port, 0);
  EXPECT_EQ(map.request.lifetime, 7200s);
  EXPECT_EQ(map.request.protocols, protocol_filter::any);
  EXPECT_EQ(map.request.timeout, 30s);
  EXPECT_EQ(map.gateway, std::nullopt);
  EXPECT_TRUE(map.request.allow_permanent);
  EXPECT_FALSE(map.once);
  EXPECT_FALSE(map.wait);
  EXPECT_FALSE(map.json);
  EXPECT_EQ(map.level, log_level::warning);
}

TEST(map_arguments, are_all_read) {
  const map_arguments map = parse_map(
      "map 51820/udp --external 40000 --lifetime 60 --protocol pcp-only --gateway 192.168.1.1 "
      "--timeout 2.5 --no-permanent --once --json -v");
  EXPECT_EQ(map.request.transport, transport::udp);
  EXPECT_EQ(map.request.internal_port, 51820);
  EXPECT_EQ(map.request.external_port, 40000);
  EXPECT_EQ(map.request.lifetime, 60s);
  EXPECT_EQ(map.request.protocols, protocol_filter::pcp_only);
  EXPECT_EQ(map.request.timeout, 2500ms);
  EXPECT_EQ(map.gateway, v4(192, 168, 1, 1));
  EXPECT_FALSE(map.request.allow_permanent);
  EXPECT_TRUE(map.once);
  EXPECT_TRUE(map.json);
  EXPECT_EQ(map.level, log_level::info);
}

TEST(map_arguments, want_the_named_port_only) {
  EXPECT_FALSE(parse_map("map 80").request.prefer_failure);
  const map_arguments other = parse_map("map 80 --external 8080 --prefer-failure");
  EXPECT_TRUE(other.request.prefer_failure);
  EXPECT_EQ(other.request.external_port, 8080);
  EXPECT_EQ(parse_map("map 80 --prefer-failure").request.external_port, 80) << "the same";
}

TEST(map_arguments, name_the_peers) {
  const map_arguments map =
      parse_map("map 80 --peer 203.0.113.0/24 --peer 2001:db8::/32 --peer 192.0.2.7");
  EXPECT_EQ(map.request.peers,
            (damson::peer_list{
                {.address = v4(203, 0, 113, 0), .prefix_length = 24},
                {.address = damson::ip_address::parse("2001:db8::").value(), .prefix_length = 32},
                {.address = v4(192, 0, 2, 7), .prefix_length = 32}}));
  EXPECT_TRUE(parse_map("map 80").request.peers.empty());
}

TEST(map_arguments, name_another_host) {
  EXPECT_EQ(parse_map("map 80 --third-party 192.168.1.50").request.third_party,
            v4(192, 168, 1, 50));
}

TEST(map_arguments, name_the_way_out) {
  const map_arguments map = parse_map("map 80 --ipv6 --interface eth1 --gateway 2001:db8::1");
  EXPECT_EQ(map.request.families, damson::ip_families::v6);
  EXPECT_EQ(map.request.interface_name, "eth1");
  EXPECT_EQ(map.gateway, damson::ip_address::parse("2001:db8::1"));
}

TEST(map_arguments, name_the_addresses) {
  EXPECT_EQ(parse_map("map 80").request.families, damson::ip_families::v4);
  EXPECT_EQ(parse_map("map 80 --ipv4").request.families, damson::ip_families::v4);
  const map_arguments both = parse_map("map 80 --ipv4 --ipv6 --every-uplink --gateway fe80::1");
  EXPECT_EQ(both.request.families, damson::ip_families::both);
  EXPECT_TRUE(both.request.every_uplink);
  EXPECT_EQ(both.gateway, damson::ip_address::parse("fe80::1"));
  EXPECT_FALSE(parse_map("map 80").request.every_uplink);
}

TEST(map_arguments, name_several_ports) {
  const map_arguments both = parse_map("map 6881/tcp+udp --all-or-nothing");
  EXPECT_EQ(both.request.internal_port, 6881);
  EXPECT_TRUE(both.request.both_transports);
  EXPECT_TRUE(both.request.all_or_nothing);
  EXPECT_EQ(both.request.port_count, 1);
  const map_arguments row = parse_map("map 50000-50007/udp --external 60000");
  EXPECT_EQ(row.request.internal_port, 50'000);
  EXPECT_EQ(row.request.port_count, 8);
  EXPECT_EQ(row.request.transport, damson::transport::udp);
  EXPECT_EQ(row.request.external_port, 60'000);
  EXPECT_FALSE(row.request.both_transports);
  EXPECT_FALSE(row.request.all_or_nothing);
  EXPECT_EQ(parse_map("map 80-80").request.port_count, 1);
  EXPECT_EQ(parse_map("map 80-143").request.port_count, 64);
  EXPECT_EQ(parse_map("map 80-95/tcp+udp --ipv4 --ipv6").request.port_count, 16);
}

TEST(map_arguments, name_the_router_beyond_the_first_one) {
  const map_arguments map = parse_map("map 80 --upstream 192.168.0.1");
  EXPECT_EQ(map.upstream, v4(192, 168, 0, 1));
  EXPECT_EQ(map.gateway, std::nullopt);
  EXPECT_EQ(parse_map("map 80").upstream, std::nullopt);
}

TEST(map_arguments, name_pcp_servers_in_their_order) {
  const map_arguments map = parse_map("map 80 --pcp-server 192.168.1.3 --pcp-server 192.168.1.2");
  EXPECT_EQ(map.pcp_servers, (std::vector{v4(192, 168, 1, 3), v4(192, 168, 1, 2)}));
  EXPECT_TRUE(parse_map("map 80").pcp_servers.empty());
}

TEST(map_arguments, name_the_other_end_of_a_flow) {
  EXPECT_EQ(parse_map("map 80 --remote-peer 192.0.2.1:9").request.remote_peer,
            (endpoint{v4(192, 0, 2, 1), 9}));
  EXPECT_EQ(parse_map("map 80 --ipv6 --remote-peer [2001:db8::1]:9").request.remote_peer.port, 9);
  EXPECT_EQ(parse_map("map 80").request.remote_peer, endpoint{});
}

TEST(map_arguments, name_a_stun_server) {
  EXPECT_EQ(parse_map("map 80 --stun 192.0.2.1").stun_server, (endpoint{v4(192, 0, 2, 1), 3478}));
  EXPECT_EQ(parse_map("map 80 --stun 192.0.2.1:9").stun_server, (endpoint{v4(192, 0, 2, 1), 9}));
  EXPECT_EQ(parse_map("map 80 --ipv6 --stun [2001:db8::1]:9").stun_server->port, 9);
  EXPECT_EQ(parse_map("map 80").stun_server, std::nullopt);
}

TEST(map_arguments, ask_for_events) {
  EXPECT_TRUE(parse_map("map 80 --events").events);
  EXPECT_FALSE(parse_map("map 80").events);
}

TEST(map_arguments, may_come_in_any_order_and_with_an_equals_sign) {
  const map_arguments map = parse_map("map --external=1 --json 65535/tcp");
  EXPECT_EQ(map.request.internal_port, 65535);
  EXPECT_EQ(map.request.external_port, 1);
  EXPECT_TRUE(map.json);
}

TEST(map_arguments, know_every_protocol_filter) {
  EXPECT_EQ(parse_map("map 1 --protocol any").request.protocols, protocol_filter::any);
  EXPECT_EQ(parse_map("map 1 --protocol pcp").request.protocols, protocol_filter::pcp);
  EXPECT_EQ(parse_map("map 1 --protocol upnp").request.protocols, protocol_filter::upnp);
  EXPECT_EQ(parse_map("map 1 --protocol pcp-only").request.protocols, protocol_filter::pcp_only);
  EXPECT_EQ(parse_map("map 1 --protocol nat-pmp").request.protocols, protocol_filter::nat_pmp_only);
}

TEST(map_arguments, reach_the_ends_of_their_ranges) {
  EXPECT_EQ(parse_map("map 1").request.internal_port, 1);
  EXPECT_EQ(parse_map("map 1 --lifetime 1").request.lifetime, 1s);
  EXPECT_EQ(parse_map("map 1 --lifetime 4294967295").request.lifetime, 4294967295s);
  EXPECT_EQ(parse_map("map 1 --timeout 0.001").request.timeout, 1ms);
  EXPECT_EQ(parse_map("map 1 --timeout 86400").request.timeout, 24h);
}

TEST(map_arguments, wait_as_long_as_can_be) {
  const map_arguments map = parse_map("map 1 --wait");
  EXPECT_TRUE(map.wait);
  EXPECT_EQ(map.request.timeout, 24h);
}

TEST(map_arguments, raise_the_log_level_with_each_v) {
  EXPECT_EQ(parse_map("map 1 --verbose").level, log_level::info);
  EXPECT_EQ(parse_map("map 1 -v -v").level, log_level::debug);
  EXPECT_EQ(parse_map("map 1 -vvv").level, log_level::trace);
  EXPECT_EQ(parse_map("map 1 -vvvvvv").level, log_level::trace);
}

TEST(map_arguments, take_the_environment_as_at_least_debug) {
  const auto level = [](const std::string& line, std::string_view environment) {
    return std::get<map_arguments>(parse(line, environment)).level;
  };
  EXPECT_EQ(level("map 1", "1"), log_level::debug);
  EXPECT_EQ(level("map 1 -v", "yes"), log_level::debug);
  EXPECT_EQ(level("map 1 -vvv", "1"), log_level::trace);
  EXPECT_EQ(level("map 1", "0"), log_level::warning);
  EXPECT_EQ(level("map 1 -v", ""), log_level::info);
}

TEST(demo_arguments, are_a_log_level) {
  EXPECT_EQ(std::get<demo_arguments>(parse("demo")).level, log_level::warning);
  EXPECT_EQ(std::get<demo_arguments>(parse("demo -vv")).level, log_level::debug);
  EXPECT_EQ(std::get<demo_arguments>(parse("demo", "1")).level, log_level::debug);
}

gateway_arguments parse_gateway(const std::string& line) {
  return std::get<gateway_arguments>(parse(line));
}

TEST(gateway_arguments, have_defaults) {
  const gateway_arguments all = parse_gateway("gateway");
  EXPECT_EQ(all.profile, "all");
  EXPECT_FALSE(all.list_profiles);
  EXPECT_EQ(all.listen, std::nullopt);
  EXPECT_EQ(all.public_address, std::nullopt);
  EXPECT_EQ(all.control, "");
  EXPECT_EQ(all.mapping_port, 5351);
  EXPECT_EQ(all.http_port, 5000);
  EXPECT_EQ(all.lease, std::nullopt);
  EXPECT_TRUE(all.multicast);
  EXPECT_FALSE(all.json);
}

TEST(gateway_arguments, are_read) {
  const gateway_arguments all = parse_gateway(
      "gateway --profile strict --listen 127.1.2.3 --wan 203.0.113.9 --control here --pcp-port 0 "
      "--http-port 80 --lease 60 --no-multicast --json --list-profiles");
  EXPECT_EQ(all.profile, "strict");
  EXPECT_TRUE(all.list_profiles);
  EXPECT_EQ(all.listen, ip_address::parse("127.1.2.3"));
  EXPECT_EQ(all.public_address, ip_address::parse("203.0.113.9"));
  EXPECT_EQ(all.control, "here");
  EXPECT_EQ(all.mapping_port, 0);
  EXPECT_EQ(all.http_port, 80);
  EXPECT_EQ(all.lease, std::chrono::seconds{60});
  EXPECT_FALSE(all.multicast);
  EXPECT_TRUE(all.json);
  const auto no_uplink = parse_gateway("gateway --wan none").public_address;
  ASSERT_TRUE(no_uplink.has_value());
  EXPECT_EQ(*no_uplink, std::nullopt);
}

TEST(help, is_text_with_an_example_for_each_command) {
  const auto text = [](const std::string& line) {
    return std::get<text_to_print>(parse(line)).text;
  };
  EXPECT_THAT(text("--help"), HasSubstr("\n  damson map 8080/tcp"));
  EXPECT_THAT(text("--help"), HasSubstr("\n  damson demo"));
  EXPECT_THAT(text("map --help"), HasSubstr("\n  damson map 8080/tcp"));
  EXPECT_THAT(text("map --help"), HasSubstr("pcp-only"));
  EXPECT_THAT(text("demo -h"), HasSubstr("\n  damson demo"));
  EXPECT_THAT(text("--version"), StartsWith("damson 0."));
}

struct wrong_usage {
  const char* line;
  const char* what;
};

std::ostream& operator<<(std::ostream& out, const wrong_usage& wrong) { return out << wrong.line; }

class usage : public testing::TestWithParam<wrong_usage> {};

TEST_P(usage, that_is_wrong_gives_one_line_with_the_way_out) {
  const command what = parse(GetParam().line);
  const usage_error* const error = std::get_if<usage_error>(&what);
  ASSERT_NE(error, nullptr);
  EXPECT_THAT(error->line, StartsWith("damson: "));
  EXPECT_THAT(error->line, HasSubstr(GetParam().what));
  EXPECT_THAT(error->line, Not(HasSubstr("\n")));
  const std::string_view line = GetParam().line;
  const std::string help = line.starts_with("map")       ? "damson map --help"
                           : line.starts_with("demo")    ? "damson demo --help"
                           : line.starts_with("gateway") ? "damson gateway --help"
                                                         : "damson --help";
  EXPECT_THAT(error->line, EndsWith(". Try: " + help));
}

INSTANTIATE_TEST_SUITE_P(
    table, usage,
    testing::Values(
        wrong_usage{"", "no command was given"}, wrong_usage{"open 80", "unknown argument 'open'"},
        wrong_usage{"--port 80", "unknown argument '--port'"},
        wrong_usage{"map", "no PORT was given"}, wrong_usage{"map --json", "no PORT was given"},
        wrong_usage{"map 0", "PORT must be a whole number from 1 to 65535, not '0'"},
        wrong_usage{"map 65536", "not '65536'"}, wrong_usage{"map -80", "'-80'"},
        wrong_usage{"map +80", "not '+80'"}, wrong_usage{"map 0x50", "not '0x50'"},
        wrong_usage{"map 80.", "not '80.'"}, wrong_usage{"map http", "not 'http'"},
        wrong_usage{"map 99999999999999999999", "not '99999999999999999999'"},
        wrong_usage{"map /tcp", "not ''"},
        wrong_usage{"map 80/sctp", "the transport must be tcp, udp or tcp+udp, not 'sctp'"},
        wrong_usage{"map 80/", "the transport must be tcp, udp or tcp+udp, not ''"},
        wrong_usage{"map 80-79", "LAST must be a whole number from 80 to 65535, not '79'"},
        wrong_usage{"map 80-", "LAST must be a whole number from 80 to 65535, not ''"},
        wrong_usage{"map 80-144", "PORT-LAST may be 64 ports at most, not 65"},
        wrong_usage{"map 80-112/tcp+udp",
                    "PORT-LAST may be 32 ports at most over both transports or families, not 33"},
        wrong_usage{"map 80-81 --external 65535",
                    "--external leaves no room for 2 ports below 65536"},
        wrong_usage{
            "map 80 --all-or-nothing",
            "--all-or-nothing is about several ports, so PORT must be PORT-LAST or /tcp+udp"},
        wrong_usage{"map 80/tcp/udp", "not 'tcp/udp'"},
        wrong_usage{"map 80 81", "unknown argument '81'"},
        wrong_usage{"map 80 demo", "unknown argument 'demo'"},
        wrong_usage{"map 80 --external 0", "--external must be a whole number from 1 to 65535"},
        wrong_usage{"map 80 81 82", "unknown argument '81'"},
        wrong_usage{"map 80 --json=no", "--json takes no value"},
        wrong_usage{"map 80 --external", "--external needs a value"},
        wrong_usage{"map 80 --external=", "--external needs a value"},
        wrong_usage{"map 80 --external 1 --external 2", "--external was given more than once"},
        wrong_usage{"map 80 --lifetime 0",
                    "--lifetime must be a whole number from 1 to 4294967295"},
        wrong_usage{"map 80 --lifetime 4294967296", "not '4294967296'"},
        wrong_usage{"map 80 --lifetime 1.5", "not '1.5'"},
        wrong_usage{"map 80 --lifetime 1h", "not '1h'"},
        wrong_usage{"map 80 --protocol igd",
                    "--protocol must be any, pcp, upnp, pcp-only or nat-pmp"},
        wrong_usage{"map 80 --protocol PCP", "not 'PCP'"},
        wrong_usage{"map 80 --gateway router.lan", "--gateway must be the router's IP address"},
        wrong_usage{"map 80 --gateway 192.168.1", "not '192.168.1'"},
        wrong_usage{"map 80 --gateway 192.168.1.1:5351", "not '192.168.1.1:5351'"},
        wrong_usage{"map 80 --gateway 0.0.0.0", "not '0.0.0.0'"},
        wrong_usage{"map 80 --gateway 224.0.0.1", "not '224.0.0.1'"},
        wrong_usage{"map 80 --gateway ::", "not '::'"},
        wrong_usage{"map 80 --gateway fe80::1",
                    "--gateway must be an IPv4 address without --ipv6, not 'fe80::1'"},
        wrong_usage{"map 80 --peer friends", "--peer must be an IP address, or one with /BITS"},
        wrong_usage{"map 80 --peer 192.0.2.0/33", "the bits of --peer must be a whole number"},
        wrong_usage{"map 80 --peer ::/0", "from 1 to 128, not '0'"},
        wrong_usage{"map 80 --peer 192.0.2.0/", "not ''"},
        wrong_usage{"map 80 --peer 1.1.1.1 --peer 1.1.1.2 --peer 1.1.1.3 --peer 1.1.1.4 "
                    "--peer 1.1.1.5",
                    "--peer can be given 4 times at most"},
        wrong_usage{"map 80 --third-party printer", "--third-party must be the IP address"},
        wrong_usage{"map 80 --third-party fe80::9", "of the one family that is asked for"},
        wrong_usage{"map 80 --third-party 192.168.1.9 --protocol nat-pmp",
                    "--third-party is nothing that NAT-PMP knows"},
        wrong_usage{"map 80 --upstream modem.lan", "--upstream must be the router's IP address"},
        wrong_usage{"map 80 --upstream fe80::1",
                    "--upstream must be an IPv4 address without --ipv6, not 'fe80::1'"},
        wrong_usage{"map 80 --pcp-server 224.0.0.1",
                    "--pcp-server must be the server's IP address"},
        wrong_usage{"map 80 --pcp-server 0.0.0.0", "--pcp-server must be the server's IP address"},
        wrong_usage{"map 80 --pcp-server 2001:db8::1", "must be an IPv4 address without --ipv6"},
        wrong_usage{"map 80 --pcp-server 10.0.0.1 --pcp-server 10.0.0.2 --pcp-server 10.0.0.3 "
                    "--pcp-server 10.0.0.4 --pcp-server 10.0.0.5 --pcp-server 10.0.0.6 "
                    "--pcp-server 10.0.0.7 --pcp-server 10.0.0.8 --pcp-server 10.0.0.9",
                    "--pcp-server can be given 8 times at most"},
        wrong_usage{"map 80 --remote-peer 192.0.2.1", "--remote-peer must be ADDRESS:PORT"},
        wrong_usage{"map 80 --remote-peer 192.0.2.1:0", "--remote-peer must be ADDRESS:PORT"},
        wrong_usage{"map 80 --remote-peer [2001:db8::1]:9", "of the one family that is asked for"},
        wrong_usage{"map 80 --ipv4 --ipv6 --remote-peer 192.0.2.1:9",
                    "of the one family that is asked for"},
        wrong_usage{"map 80 --protocol upnp --remote-peer 192.0.2.1:9", "nothing but PCP's"},
        wrong_usage{"map 80-83 --remote-peer 192.0.2.1:9", "the flow of one port"},
        wrong_usage{"map 80/tcp+udp --remote-peer 192.0.2.1:9", "the flow of one port"},
        wrong_usage{"map 80 --prefer-failure --remote-peer 192.0.2.1:9",
                    "with neither --peer nor --prefer-failure"},
        wrong_usage{"map 80 --stun stun.example", "--stun must be the server's IP address"},
        wrong_usage{"map 80 --stun 192.0.2.1:0", "--stun must be the server's IP address"},
        wrong_usage{"map 80 --stun 2001:db8::1", "of the one family that is asked for"},
        wrong_usage{"map 80 --ipv6 --gateway 192.168.1.1",
                    "--gateway must be an IPv6 address with --ipv6, not '192.168.1.1'"},
        wrong_usage{"map 80 --ipv6 --protocol nat-pmp",
                    "--ipv6 is nothing that NAT-PMP knows, so --protocol must be another"},
        wrong_usage{"map 80 --interface a/b",
                    "--interface must be the name of a network interface"},
        wrong_usage{"map 80 --interface sixteen-letters-", "not 'sixteen-letters-'"},
        wrong_usage{"map 80 --wait --timeout 5",
                    "--wait never gives up, so --timeout has no meaning with it"},
        wrong_usage{"map 80 --wait=no", "--wait takes no value"},
        wrong_usage{"map 80 --timeout 0", "--timeout must be seconds from 0.001 to 86400, not '0'"},
        wrong_usage{"map 80 --timeout=-1", "not '-1'"},
        wrong_usage{"map 80 --timeout 0.0001", "not '0.0001'"},
        wrong_usage{"map 80 --timeout 86400.1", "not '86400.1'"},
        wrong_usage{"map 80 --timeout nan", "not 'nan'"},
        wrong_usage{"map 80 --timeout inf", "not 'inf'"},
        wrong_usage{"map 80 --timeout 5s", "not '5s'"},
        wrong_usage{"map 80 --nonsense", "unknown argument '--nonsense'"},
        wrong_usage{"demo 80", "unknown argument '80'"},
        wrong_usage{"demo --json", "unknown argument '--json'"},
        wrong_usage{"gateway 80", "unknown argument '80'"},
        wrong_usage{"gateway --listen 0.0.0.0",
                    "--listen must be the IPv4 address of one interface, not '0.0.0.0'"},
        wrong_usage{"gateway --listen ::1", "not '::1'"},
        wrong_usage{"gateway --wan nothing",
                    "--wan must be the router's public IPv4 address, or none, not 'nothing'"},
        wrong_usage{"gateway --pcp-port 65536",
                    "--pcp-port must be a whole number from 0 to 65535, not '65536'"},
        wrong_usage{"gateway --http-port=-1", "not '-1'"},
        wrong_usage{"gateway --lease 0", "--lease must be a whole number from 1 to"},
        wrong_usage{"gateway --control=", "--control needs a value"},
        wrong_usage{"gateway --json=no", "--json takes no value"}));

TEST(usage, shows_no_control_characters_of_what_was_typed) {
  const std::vector<std::string> words{"map", "80\n\x1b[2J"};
  const command what = parse_arguments(words, "");
  EXPECT_THAT(std::get<usage_error>(what).line, HasSubstr("not '80??[2J'"));
}

// ---- What is asked of the router

router_arguments parse_question(const std::string& line) {
  const command what = parse(line);
  const router_arguments* const asked = std::get_if<router_arguments>(&what);
  EXPECT_NE(asked, nullptr) << line;
  return asked == nullptr ? router_arguments{} : *asked;
}

TEST(router_arguments, are_read) {
  const router_arguments list = parse_question("list --json --gateway 192.168.1.1 -v");
  EXPECT_TRUE(std::holds_alternative<router_questions::list_entries>(list.question));
  EXPECT_TRUE(list.json);
  EXPECT_EQ(list.gateway, v4(192, 168, 1, 1));
  EXPECT_EQ(list.level, log_level::info);
  EXPECT_TRUE(
      std::holds_alternative<router_questions::read_status>(parse_question("status").question));

  const router_arguments one = parse_question("delete 8080/udp --remote-host 203.0.113.5");
  ASSERT_TRUE(std::holds_alternative<router_questions::delete_entry>(one.question));
  EXPECT_EQ(std::get<router_questions::delete_entry>(one.question).name,
            (router_entry_name{transport::udp, 8080, "203.0.113.5"}));

  const router_arguments some = parse_question("delete-range 8000-8099");
  ASSERT_TRUE(std::holds_alternative<router_questions::delete_range>(some.question));
  const auto range = std::get<router_questions::delete_range>(some.question);
  EXPECT_EQ(range.transport, transport::tcp);
  EXPECT_EQ(range.first, 8000);
  EXPECT_EQ(range.last, 8099);
}

TEST(router_arguments, that_make_no_sense_are_refused) {
  for (const std::string line :
       {"delete", "delete 0", "delete 65536", "delete 80/icmp", "delete-range", "delete-range 80",
        "delete-range 81-80", "delete-range 0-80", "list 80", "list --gateway somewhere",
        "status --gateway fe80::1", "delete 80 --remote-host"}) {
    const command what = parse(line);
    const usage_error* const error = std::get_if<usage_error>(&what);
    ASSERT_NE(error, nullptr) << line;
    EXPECT_THAT(error->line, EndsWith("--help"));
  }
}

}  // namespace
}  // namespace damson::cli
