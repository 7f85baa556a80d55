#include "cli/output.hpp"

#include <gmock/gmock.h>

#include <chrono>
#include <optional>
#include <string>

#include "cli/advice.hpp"
#include "cli/text.hpp"

namespace damson::cli {
namespace {

using namespace std::chrono_literals;

endpoint at(const char* address, std::uint16_t port) {
  return {.address = ip_address::parse(address).value(), .port = port};
}

mapping_info example() {
  mapping_info info;
  info.id = mapping_id{1};
  info.transport = transport::tcp;
  info.protocol = protocol::pcp;
  info.internal = at("192.0.2.10", 8080);
  info.external = at("198.51.100.7", 8080);
  info.lifetime = 7200s;
  info.gateway = ip_address::parse("192.0.2.1").value();
  info.interface_name = "eth0";
  return info;
}

report example_of(event_kind kind) {
  report what;
  what.event.kind = kind;
  what.event.info = example();
  what.elapsed = 12'300us;
  return what;
}

failure refusal() {
  return {.reason = errc::no_answer,
          .protocols = {{.protocol = protocol::pcp,
                         .reason = errc::not_authorized,
                         .result_code = 2,
                         .server = at("192.0.2.1", 5351),
                         .retry_after = 30s},
                        {.protocol = protocol::nat_pmp,
                         .reason = errc::no_answer,
                         .result_code = {},
                         .server = {},
                         .retry_after = {}}}};
}

/// Of the router beyond the first one.
failure refusal_beyond() {
  return {.reason = errc::not_authorized,
          .protocols = {{.protocol = protocol::pcp,
                         .reason = errc::not_authorized,
                         .result_code = 2,
                         .server = at("10.0.0.1", 5351),
                         .retry_after = {}}}};
}

/// What `example` is with a second router.
report through_two(event_kind kind) {
  report what = example_of(kind);
  mapping_info& info = what.event.info;
  info.hops.push_back({protocol::pcp, info.gateway, info.internal, at("10.0.0.7", 8081)});
  info.hops.push_back(
      {protocol::upnp, at("10.0.0.1", 0).address, at("10.0.0.7", 8081), info.external});
  info.verified = true;
  return what;
}

map_failure failed_example() {
  map_failure what;
  what.request.internal_port = 8080;
  what.why = refusal();
  what.elapsed = 4s;
  return what;
}

// ---- For programs

TEST(json_output, mapped) {
  EXPECT_EQ(
      json_line(example_of(event_kind::mapped)),
      R"({"event":"mapped","transport":"tcp","protocol":"pcp","internal":"192.0.2.10:8080","interface":"eth0","gateway":"192.0.2.1",)"
      R"("external":"198.51.100.7:8080","external_class":"reserved","lifetime":7200,"elapsed_ms":12.3})");
}

TEST(json_output, mapped_again) {
  report what = example_of(event_kind::mapped);
  what.event.regained = true;
  what.event.info.protocol = protocol::nat_pmp;
  what.event.info.transport = transport::udp;
  what.elapsed = 3h;
  EXPECT_EQ(
      json_line(what),
      R"({"event":"mapped","transport":"udp","protocol":"nat-pmp",)"
      R"("internal":"192.0.2.10:8080","interface":"eth0","gateway":"192.0.2.1","external":"198.51.100.7:8080","external_class":"reserved","lifetime":7200,)"
      R"("elapsed_ms":10800000,"regained":true})");
}

TEST(json_output, direct_has_no_lifetime) {
  report what = example_of(event_kind::mapped);
  what.event.info.protocol = protocol::direct;
  what.event.info.internal = what.event.info.external = at("2001:db8::1", 80);
  what.event.info.lifetime = 0s;
  what.elapsed = 437us;
  EXPECT_EQ(
      json_line(what),
      R"({"event":"mapped","transport":"tcp","protocol":"direct",)"
      R"("internal":"[2001:db8::1]:80","interface":"eth0","gateway":"192.0.2.1","external":"[2001:db8::1]:80","external_class":"reserved","lifetime":null,)"
      R"("elapsed_ms":0.437})");
}

TEST(json_output, mapped_through_upnp_says_whether_it_was_read_back) {
  report what = example_of(event_kind::mapped);
  what.event.info.protocol = protocol::upnp;
  const std::string begin =
      R"({"event":"mapped","transport":"tcp","protocol":"upnp","internal":"192.0.2.10:8080","interface":"eth0","gateway":"192.0.2.1",)"
      R"("external":"198.51.100.7:8080","external_class":"reserved","lifetime":)";
  EXPECT_EQ(json_line(what), begin + R"(7200,"verified":false,"elapsed_ms":12.3})");
  what.event.info.verified = true;
  EXPECT_EQ(json_line(what), begin + R"(7200,"verified":true,"elapsed_ms":12.3})");
  what.event.info.permanent = true;
  what.event.info.lifetime = 0s;
  EXPECT_EQ(json_line(what), begin + R"(null,"permanent":true,"verified":true,"elapsed_ms":12.3})");
  what.event.info.permanent = false;
  what.event.info.lifetime = 7200s;
  what.event.info.filtered = true;
  EXPECT_EQ(json_line(what), begin + R"(7200,"filtered":true,"verified":true,"elapsed_ms":12.3})");
}

TEST(json_output, mapped_accounts_for_each_protocol) {
  report what = example_of(event_kind::mapped);
  what.event.report = {{.protocol = protocol::pcp,
                        .standing = protocol_standing::failed,
                        .why = protocol_failure{.protocol = protocol::pcp,
                                                .reason = errc::not_authorized,
                                                .result_code = 2,
                                                .server = at("192.0.2.1", 5351),
                                                .retry_after = 30s},
                        .answered_after = 437us},
                       {.protocol = protocol::nat_pmp,
                        .standing = protocol_standing::asked,
                        .why = std::nullopt,
                        .answered_after = std::nullopt},
                       {.protocol = protocol::upnp,
                        .standing = protocol_standing::taken,
                        .why = std::nullopt,
                        .answered_after = 3ms}};
  EXPECT_THAT(
      json_line(what),
      testing::EndsWith(
          R"("elapsed_ms":12.3,"protocols":[)"
          R"({"protocol":"pcp","standing":"failed","answered_ms":0.437,"reason":"not_authorized",)"
          R"("message":"the router's settings do not allow it","result_code":2,"router_text":null,)"
          R"("server":"192.0.2.1:5351","retry_after":30},)"
          R"({"protocol":"nat-pmp","standing":"asked","answered_ms":null},)"
          R"({"protocol":"upnp","standing":"taken","answered_ms":3}]})"));
}

TEST(json_output, what_the_outside_address_is_worth) {
  const auto class_of = [](const char* address) {
    report what = example_of(event_kind::mapped);
    what.event.info.external = at(address, 8080);
    const std::string line = json_line(what);
    const std::string key = R"("external_class":")";
    const auto begin = line.find(key) + key.size();
    return line.substr(begin, line.find('"', begin) - begin);
  };
  EXPECT_EQ(class_of("1.2.3.4"), "public");
  EXPECT_EQ(class_of("10.0.0.7"), "private");
  EXPECT_EQ(class_of("172.16.0.7"), "private");
  EXPECT_EQ(class_of("192.168.0.7"), "private");
  EXPECT_EQ(class_of("100.64.0.7"), "cgnat");
  EXPECT_EQ(class_of("169.254.0.7"), "reserved");
  EXPECT_EQ(class_of("0.0.0.0"), "unknown");
}

TEST(json_output, failed_with_what_was_found_outside) {
  map_failure what = failed_example();
  what.why.protocols.clear();
  what.why.reason = errc::network_failure;
  what.why.external = at("100.64.0.7", 0).address;
  EXPECT_EQ(
      json_line(what),
      R"({"event":"failed","transport":"tcp","protocol":null,"internal":"0.0.0.0:8080","interface":null,"gateway":null,)"
      R"("external":null,"external_class":"cgnat","lifetime":null,"elapsed_ms":4000,)"
      R"("reason":"network_failure","external_address":"100.64.0.7","reasons":[]})");
}

TEST(json_output, changed) {
  report what = example_of(event_kind::changed);
  what.event.info.lifetime = 4294967295s;
  EXPECT_EQ(
      json_line(what),
      R"({"event":"changed","transport":"tcp","protocol":"pcp","internal":"192.0.2.10:8080","interface":"eth0","gateway":"192.0.2.1",)"
      R"("external":"198.51.100.7:8080","external_class":"reserved","lifetime":4294967295,"elapsed_ms":12.3})");
}

TEST(json_output, lost_with_the_reason_for_each_protocol) {
  report what = example_of(event_kind::lost);
  what.event.why = refusal();
  what.event.why.reason = errc::gateway_restarted;
  EXPECT_EQ(
      json_line(what),
      R"({"event":"lost","transport":"tcp","protocol":"pcp","internal":"192.0.2.10:8080","interface":"eth0","gateway":"192.0.2.1",)"
      R"("external":"198.51.100.7:8080","external_class":"reserved","lifetime":7200,"elapsed_ms":12.3,)"
      R"("reason":"gateway_restarted","reasons":[)"
      R"({"protocol":"pcp","reason":"not_authorized",)"
      R"("message":"the router's settings do not allow it","result_code":2,"router_text":null,)"
      R"("server":"192.0.2.1:5351","retry_after":30},)"
      R"({"protocol":"nat-pmp","reason":"no_answer","message":"the router did not answer",)"
      R"("result_code":null,"router_text":null,"server":null,"retry_after":null}]})");
}

TEST(json_output, removed_says_how) {
  report what = example_of(event_kind::removed);
  const std::string begin =
      R"({"event":"removed","transport":"tcp","protocol":"pcp","internal":"192.0.2.10:8080","interface":"eth0","gateway":"192.0.2.1",)"
      R"("external":"198.51.100.7:8080","external_class":"reserved","lifetime":7200,"elapsed_ms":12.3,"how":)";
  what.event.how = removal::deleted;
  EXPECT_EQ(json_line(what), begin + R"("deleted"})");
  what.event.how = removal::already_gone;
  EXPECT_EQ(json_line(what), begin + R"("already gone"})");
  what.event.how = removal::left_to_expire;
  EXPECT_EQ(json_line(what), begin + R"("left to expire"})");
}

TEST(json_output, failed) {
  EXPECT_EQ(
      json_line(failed_example()),
      R"({"event":"failed","transport":"tcp","protocol":null,"internal":"0.0.0.0:8080","interface":null,"gateway":null,)"
      R"("external":null,"external_class":"unknown","lifetime":null,"elapsed_ms":4000,"reason":"no_answer","reasons":[)"
      R"({"protocol":"pcp","reason":"not_authorized",)"
      R"("message":"the router's settings do not allow it","result_code":2,"router_text":null,)"
      R"("server":"192.0.2.1:5351","retry_after":30},)"
      R"({"protocol":"nat-pmp","reason":"no_answer","message":"the router did not answer",)"
      R"("result_code":null,"router_text":null,"server":null,"retry_after":null}]})");
}

TEST(json_output, interrupted_is_a_failure_with_a_reason_of_its_own) {
  map_failure what = failed_example();
  what.interrupted = true;
  EXPECT_EQ(
      json_line(what),
      R"({"event":"failed","transport":"tcp","protocol":null,"internal":"0.0.0.0:8080","interface":null,"gateway":null,)"
      R"("external":null,"external_class":"unknown","lifetime":null,"elapsed_ms":4000,"reason":"interrupted",)"
      R"("reasons":[]})");
}

TEST(json_output, failed_of_one_port_of_several) {
  map_failure what = failed_example();
  what.request.port_count = 4;
  what.request.both_transports = true;
  what.where.part = 7;
  what.where.transport = transport::udp;
  what.where.internal.port = 8082;
  EXPECT_THAT(json_line(what), testing::HasSubstr(R"("transport":"udp")"));
  EXPECT_THAT(json_line(what), testing::HasSubstr(R"("internal":"0.0.0.0:8082")"));
}

TEST(json_output, failed_but_tried_again) {
  map_failure what = failed_example();
  what.why.protocols.clear();
  what.is_waiting = true;
  EXPECT_THAT(json_line(what),
              testing::EndsWith(R"("reason":"no_answer","reasons":[],"waiting":true})"));
}

TEST(json_output, tells_which_part_it_is) {
  report what = example_of(event_kind::lost);
  what.event.info.part = 2;
  what.event.gone = true;
  what.event.why.reason = errc::network_changed;
  EXPECT_EQ(
      json_line(what),
      R"({"event":"lost","transport":"tcp","protocol":"pcp","internal":"192.0.2.10:8080","part":2,)"
      R"("interface":"eth0","gateway":"192.0.2.1","external":"198.51.100.7:8080",)"
      R"("external_class":"reserved","lifetime":7200,"elapsed_ms":12.3,"gone":true,)"
      R"("reason":"network_changed","reasons":[]})");
  map_failure failed = failed_example();
  failed.where = example();
  failed.where.part = 3;
  EXPECT_THAT(json_line(failed),
              testing::HasSubstr(R"("internal":"192.0.2.10:8080","part":3,"interface":"eth0",)"
                                 R"("gateway":"192.0.2.1","external":null)"));
}

// ---- For people

TEST(human_output, mapped) {
  report what = example_of(event_kind::mapped);
  EXPECT_EQ(human_line(what),
            "tcp 192.0.2.10:8080 is open as 198.51.100.7:8080 through pcp, lease 7200 s (12.3 ms)");
  what.event.regained = true;
  what.elapsed = 3'200ms;
  EXPECT_EQ(
      human_line(what),
      "tcp 192.0.2.10:8080 is open again as 198.51.100.7:8080 through pcp, lease 7200 s (3.20 s)");
}

TEST(human_output, mapped_still) {
  report what = example_of(event_kind::mapped);
  what.event.regained = true;
  what.was_never_lost = true;
  EXPECT_EQ(human_line(what),
            "tcp 192.0.2.10:8080 is still open as 198.51.100.7:8080 through pcp, lease 7200 s; the "
            "router had been out of reach");
}

TEST(human_output, mapped_through_upnp) {
  report what = example_of(event_kind::mapped);
  what.event.info.protocol = protocol::upnp;
  what.event.info.verified = true;
  const std::string begin = "tcp 192.0.2.10:8080 is open as 198.51.100.7:8080 through upnp, ";
  EXPECT_EQ(human_line(what), begin + "lease 7200 s (12.3 ms)");
  what.event.info.verified = false;
  EXPECT_EQ(human_line(what), begin + "lease 7200 s, not verified (12.3 ms)");
  what.event.info.verified = what.event.info.permanent = true;
  what.event.info.lifetime = 0s;
  EXPECT_EQ(human_line(what), begin + "permanent (12.3 ms)");
  what.event.kind = event_kind::removed;
  what.event.how = removal::left_to_expire;
  EXPECT_EQ(human_line(what),
            "tcp 192.0.2.10:8080 was given up, but the router did not confirm it and may keep it "
            "open until it is deleted there (12.3 ms)");
}

TEST(human_output, how_each_protocol_fared) {
  const auto line = [](protocol_standing standing,
                       std::optional<std::chrono::nanoseconds> answered_after = std::nullopt) {
    return human_line(protocol_report{.protocol = protocol::upnp,
                                      .standing = standing,
                                      .why = std::nullopt,
                                      .answered_after = answered_after});
  };
  EXPECT_EQ(line(protocol_standing::not_asked), "upnp was not asked: it was not its turn yet");
  EXPECT_EQ(line(protocol_standing::asked), "upnp was asked and had not answered yet");
  EXPECT_EQ(line(protocol_standing::answered, 3ms),
            "upnp answered after 3.00 ms, and was not needed");
  EXPECT_EQ(line(protocol_standing::taken, 3ms), "upnp answered after 3.00 ms and was taken");
  EXPECT_EQ(human_line(protocol_report{.protocol = protocol::upnp,
                                       .standing = protocol_standing::failed,
                                       .why = protocol_failure{.protocol = protocol::upnp,
                                                               .reason = errc::not_authorized,
                                                               .result_code = 606,
                                                               .server = at("192.0.2.1", 5000),
                                                               .retry_after = {}},
                                       .answered_after = 3ms}),
            "upnp was out after 3.00 ms at 192.0.2.1:5000: the router's settings do not allow it, "
            "error 606");
}

TEST(human_output, mapped_where_the_router_does_not_tell_its_address) {
  report what = example_of(event_kind::mapped);
  what.event.info.external.address = ip_address{};
  EXPECT_EQ(human_line(what),
            "tcp 192.0.2.10:8080 is open as port 8080 of an address that the router did not tell "
            "through pcp, lease 7200 s (12.3 ms)");
}

TEST(human_output, direct) {
  report what = example_of(event_kind::mapped);
  what.event.info.protocol = protocol::direct;
  what.event.info.internal = what.event.info.external;
  EXPECT_EQ(human_line(what),
            "tcp 198.51.100.7:8080 needs no router: the address is public (12.3 ms)");
  what.event.kind = event_kind::removed;
  EXPECT_EQ(human_line(what),
            "tcp 198.51.100.7:8080 is watched no longer; there was nothing to give back (12.3 ms)");
}

TEST(human_output, changed_says_what_it_was_before) {
  report what = example_of(event_kind::changed);
  what.before = example();
  what.before.external = at("203.0.113.9", 8081);
  EXPECT_EQ(human_line(what),
            "tcp 192.0.2.10:8080 is now open as 198.51.100.7:8080 through pcp, lease 7200 s "
            "(before: 203.0.113.9:8081)");
  what.before.protocol = protocol::nat_pmp;
  what.before.lifetime = 3600s;
  EXPECT_EQ(human_line(what),
            "tcp 192.0.2.10:8080 is now open as 198.51.100.7:8080 through pcp, lease 7200 s "
            "(before: 203.0.113.9:8081, nat-pmp, lease 3600 s)");
}

TEST(human_output, lost) {
  report what = example_of(event_kind::lost);
  what.event.why = {.reason = errc::gateway_restarted, .protocols = {}};
  EXPECT_EQ(human_line(what),
            "tcp 192.0.2.10:8080 is not open any more: the router has restarted and lost its "
            "mappings; trying again");
}

TEST(human_output, removed) {
  report what = example_of(event_kind::removed);
  what.event.how = removal::deleted;
  EXPECT_EQ(human_line(what), "tcp 192.0.2.10:8080 is closed: deleted from the router (12.3 ms)");
  what.event.how = removal::already_gone;
  EXPECT_EQ(human_line(what), "tcp 192.0.2.10:8080 is closed: the router had it no more (12.3 ms)");
  what.event.how = removal::left_to_expire;
  EXPECT_EQ(human_line(what),
            "tcp 192.0.2.10:8080 was given up, but the router did not confirm it and may keep it "
            "open for up to 7200 s (12.3 ms)");
}

TEST(human_output, failed_says_what_happened_where_and_what_to_try) {
  EXPECT_EQ(
      human_line(failed_example()),
      "damson: could not open tcp 8080 on the router at 192.0.2.1: the router did not answer "
      "(pcp at 192.0.2.1:5351: the router's settings do not allow it, result 2, not again for "
      "30 s; nat-pmp). Try: switch on UPnP, PCP or NAT-PMP in the router's settings, or "
      "--gateway ADDRESS, or again in 30 s");
}

TEST(human_output, failed_says_once_what_several_protocols_have_in_common) {
  map_failure what = failed_example();
  what.why.reason = errc::port_closed;
  what.why.protocols.clear();
  for (const protocol which : {protocol::pcp, protocol::nat_pmp}) {
    what.why.protocols.push_back({.protocol = which,
                                  .reason = errc::port_closed,
                                  .result_code = {},
                                  .server = at("192.0.2.1", 5351),
                                  .retry_after = {}});
  }
  what.why.protocols.push_back({.protocol = protocol::upnp,
                                .reason = errc::no_answer,
                                .result_code = {},
                                .server = {},
                                .retry_after = {}});
  EXPECT_EQ(human_line(what),
            "damson: could not open tcp 8080 on the router at 192.0.2.1: nothing listens on the "
            "router's port (pcp, nat-pmp at 192.0.2.1:5351; upnp: no device answered the search). "
            "Try: switch on UPnP, PCP or NAT-PMP in the router's settings, or --gateway ADDRESS");
}

TEST(human_output, failed_names_the_gateway_that_the_user_named) {
  map_failure what = failed_example();
  what.request.transport = transport::udp;
  what.gateway = at("192.0.2.99", 0).address;
  what.why = {.reason = errc::network_down, .protocols = {}};
  EXPECT_EQ(human_line(what),
            "damson: could not open udp 8080 on the router at 192.0.2.99: the router cannot be "
            "reached from this host. Try: check that --gateway is a router's address and that it "
            "is on, or this host's network and firewall");
}

TEST(human_output, names_both_routers_where_there_are_two) {
  EXPECT_EQ(human_line(through_two(event_kind::mapped)),
            "tcp 192.0.2.10:8080 is open as 198.51.100.7:8080 through pcp at 192.0.2.1 "
            "(10.0.0.7:8081) and upnp at 10.0.0.1, lease 7200 s (12.3 ms)");
  report what = through_two(event_kind::changed);
  what.before = example();
  what.before.external = at("10.0.0.7", 8081);
  EXPECT_EQ(human_line(what),
            "tcp 192.0.2.10:8080 is now open as 198.51.100.7:8080 through pcp at 192.0.2.1 "
            "(10.0.0.7:8081) and upnp at 10.0.0.1, lease 7200 s (before: 10.0.0.7:8081, pcp)");
}

TEST(json_output, names_both_routers_where_there_are_two) {
  EXPECT_EQ(json_line(through_two(event_kind::mapped)),
            R"({"event":"mapped","transport":"tcp","protocol":"pcp","internal":"192.0.2.10:8080",)"
            R"("interface":"eth0","gateway":"192.0.2.1",)"
            R"("external":"198.51.100.7:8080","external_class":"reserved","lifetime":7200,)"
            R"("elapsed_ms":12.3,"hops":[)"
            R"({"protocol":"pcp","gateway":"192.0.2.1","internal":"192.0.2.10:8080",)"
            R"("external":"10.0.0.7:8081"},)"
            R"({"protocol":"upnp","gateway":"10.0.0.1","internal":"10.0.0.7:8081",)"
            R"("external":"198.51.100.7:8080"}]})");
}

TEST(json_output, says_why_a_second_router_opened_nothing) {
  report what = example_of(event_kind::mapped);
  what.event.info.external = at("10.0.0.7", 8081);
  what.event.why = refusal_beyond();
  EXPECT_EQ(
      json_line(what),
      R"({"event":"mapped","transport":"tcp","protocol":"pcp","internal":"192.0.2.10:8080",)"
      R"("interface":"eth0","gateway":"192.0.2.1",)"
      R"("external":"10.0.0.7:8081","external_class":"private","lifetime":7200,)"
      R"("elapsed_ms":12.3,"upstream":{"reason":"not_authorized","reasons":[)"
      R"({"protocol":"pcp","reason":"not_authorized",)"
      R"("message":"the router's settings do not allow it","result_code":2,"router_text":null,)"
      R"("server":"10.0.0.1:5351","retry_after":null}]}})");
}

TEST(human_output, warns_where_everybody_may_come) {
  EXPECT_EQ(
      unfiltered_line(example()),
      "damson: tcp 192.0.2.10:8080 is open to everybody: the router does not filter by --peer. "
      "Try: have the program check who comes");
}

TEST(human_output, warns_of_what_stands_before_an_open_port) {
  mapping_info info = example();
  info.external = at("10.0.0.7", 8081);
  EXPECT_EQ(warning_line(info, {}),
            "damson: tcp 192.0.2.10:8080 may not be reachable from the internet; double NAT: the "
            "router's own outside address is 10.0.0.7, private (RFC 1918), so another router is in "
            "front of it. Try: --upstream ADDRESS of the router in front, or forward tcp port 8081 "
            "to 10.0.0.7 there");
  info.external = at("100.64.0.7", 8081);
  EXPECT_EQ(warning_line(info, {}),
            "damson: tcp 192.0.2.10:8080 may not be reachable from the internet; carrier NAT: the "
            "router's own outside address is 100.64.0.7, from behind the provider's own NAT "
            "(RFC 6598). Try: ask the provider for a public IPv4 address, or use a relay");
  info.external = at("169.254.0.7", 8081);
  EXPECT_EQ(warning_line(info, {}),
            "damson: tcp 192.0.2.10:8080 may not be reachable from the internet; the router's own "
            "outside address is 169.254.0.7, which is reserved and leads nowhere. Try: check how "
            "the router is connected to the internet");
  info.external = at("10.0.0.7", 8081);
  EXPECT_EQ(
      warning_line(info, refusal_beyond()),
      "damson: tcp 192.0.2.10:8080 may not be reachable from the internet; double NAT: the "
      "router's own outside address is 10.0.0.7, private (RFC 1918), so another router is in "
      "front of it; the router beyond it was asked in vain: the router's settings do not allow it "
      "(pcp at 10.0.0.1:5351, result 2). Try: forward tcp port 8081 to 10.0.0.7 on the "
      "router in front");
  for (const char* const harmless : {"1.2.3.4", "0.0.0.0"}) {
    info.external = at(harmless, 8081);
    EXPECT_EQ(warning_line(info, {}), "");
  }
}

TEST(human_output, failed_for_want_of_a_public_address) {
  map_failure what = failed_example();
  what.why = {.reason = errc::network_failure,
              .protocols = {{.protocol = protocol::upnp,
                             .reason = errc::network_failure,
                             .result_code = 501,
                             .server = at("192.0.2.1", 5000),
                             .retry_after = 30s}}};
  const std::string begin = "damson: could not open tcp 8080 on the router at 192.0.2.1: ";
  const std::string details = " (upnp at 192.0.2.1:5000, error 501, not again for 30 s). Try: ";
  const std::string end = ", or again in 30 s";
  EXPECT_EQ(human_line(what),
            begin +
                "the router has no public address of its own: no uplink, or another NAT before it" +
                details + std::string{advice_for(errc::network_failure)} + end);
  what.why.external = at("10.0.0.7", 0).address;
  EXPECT_EQ(human_line(what),
            begin +
                "double NAT: the router's own outside address is 10.0.0.7, private (RFC 1918), so "
                "another router is in front of it" +
                details +
                "bridge mode on the router in front, or this router as an access point only" + end);
  what.why.external = at("100.64.0.7", 0).address;
  EXPECT_THAT(human_line(what),
              testing::AllOf(testing::HasSubstr("carrier NAT: "),
                             testing::HasSubstr("Try: ask the provider for a public IPv4")));
}

TEST(human_output, failed_for_another_reason_behind_another_nat) {
  map_failure what = failed_example();
  what.why = {.reason = errc::no_resources, .protocols = {}, .external = at("10.0.0.7", 0).address};
  EXPECT_EQ(human_line(what),
            "damson: could not open tcp 8080: the router has no room for the mapping, or the "
            "external port is taken; double NAT: the router's own outside address is 10.0.0.7, "
            "private (RFC 1918), so another router is in front of it. Try: another --external "
            "PORT, or delete old mappings on the router");
}

TEST(human_output, failed_without_any_router) {
  map_failure what = failed_example();
  what.why = {.reason = errc::no_gateway, .protocols = {}};
  EXPECT_EQ(human_line(what),
            "damson: could not open tcp 8080: this host has no default route with a router behind "
            "it. Try: connect this host to a router, or name one with --gateway ADDRESS");
}

TEST(human_output, failed_says_that_no_device_was_found) {
  map_failure what = failed_example();
  what.request.protocols = protocol_filter::upnp;
  what.why = {.reason = errc::no_answer,
              .protocols = {{.protocol = protocol::upnp,
                             .reason = errc::no_answer,
                             .result_code = {},
                             .server = {},
                             .retry_after = {}}}};
  EXPECT_EQ(human_line(what),
            "damson: could not open tcp 8080: no device answered the search. Try: --protocol any, "
            "check that the router is on, or switch on UPnP in its settings, or --gateway ADDRESS");
}

TEST(human_output, failed_calls_the_numbers_of_upnp_errors) {
  map_failure what = failed_example();
  what.why = {.reason = errc::not_authorized,
              .protocols = {{.protocol = protocol::upnp,
                             .reason = errc::not_authorized,
                             .result_code = -606,
                             .server = at("192.0.2.1", 5000),
                             .retry_after = 1800s}}};
  EXPECT_EQ(human_line(what),
            "damson: could not open tcp 8080 on the router at 192.0.2.1: the router's settings do "
            "not allow it (upnp at 192.0.2.1:5000, error -606, not again for 1800 s). Try: allow "
            "this host and port in the router's settings, or another --external PORT, or again in "
            "1800 s");
}

TEST(human_output, failed_but_tried_again) {
  map_failure what = failed_example();
  what.is_waiting = true;
  what.why = {.reason = errc::no_gateway, .protocols = {}};
  EXPECT_EQ(human_line(what),
            "damson: could not open tcp 8080: this host has no default route with a router behind "
            "it; trying again until it can be. Try: connect this host to a router, or name one "
            "with --gateway ADDRESS");
}

TEST(human_output, interrupted) {
  map_failure what = failed_example();
  what.why = {};
  what.gateway = at("192.0.2.1", 0).address;
  what.interrupted = true;
  EXPECT_EQ(human_line(what),
            "damson: interrupted before tcp 8080 on the router at 192.0.2.1 was open. "
            "Try: the same again");
}

// ---- The parts

TEST(short_duration, keeps_three_digits) {
  EXPECT_EQ(short_duration(0ns), "0.000 ms");
  EXPECT_EQ(short_duration(437us), "0.437 ms");
  EXPECT_EQ(short_duration(999'600ns), "1.00 ms");
  EXPECT_EQ(short_duration(9'994us), "9.99 ms");
  EXPECT_EQ(short_duration(12'300us), "12.3 ms");
  EXPECT_EQ(short_duration(99'960us), "100 ms");
  EXPECT_EQ(short_duration(999'499us), "999 ms");
  EXPECT_EQ(short_duration(999'500us), "1.00 s");
  EXPECT_EQ(short_duration(61s), "61.0 s");
  EXPECT_EQ(short_duration(2h), "7200 s");
}

TEST(printable, has_no_control_characters) {
  EXPECT_EQ(printable("a\nb\r\t\x1b[2J\x7f"), "a?b???[2J?");
  EXPECT_EQ(printable("Gerät"), "Gerät");
}

TEST(human_output, tells_which_part_it_is) {
  report what = example_of(event_kind::mapped);
  what.event.info.part = 2;
  EXPECT_EQ(human_line(what),
            "tcp 192.0.2.10:8080 by eth0 is open as 198.51.100.7:8080 through pcp, lease 7200 s "
            "(12.3 ms)");
  what.event.kind = event_kind::lost;
  what.event.gone = true;
  EXPECT_EQ(human_line(what), "tcp 192.0.2.10:8080 by eth0 has no way out any more");

  map_failure failed = failed_example();
  failed.where.part = 1;
  failed.where.internal = {ip_address::any_v6(), 8080};
  failed.why = {errc::no_gateway, {}};
  EXPECT_THAT(human_line(failed),
              testing::StartsWith("damson: could not open tcp 8080 over IPv6: "));

  what = example_of(event_kind::removed);
  what.event.info.internal.address = {};
  EXPECT_EQ(human_line(what), "tcp 8080 is closed: deleted from the router (12.3 ms)");
}

// ---- As whom the internet sees the host

TEST(json_output, tells_the_address_that_the_internet_sees) {
  report what = example_of(event_kind::changed);
  what.event.info.seen_address = at("203.0.113.77", 0).address;
  EXPECT_EQ(
      json_line(what),
      R"({"event":"changed","transport":"tcp","protocol":"pcp","internal":"192.0.2.10:8080","interface":"eth0","gateway":"192.0.2.1",)"
      R"("external":"198.51.100.7:8080","external_class":"reserved","seen_address":"203.0.113.77","lifetime":7200,"elapsed_ms":12.3})");
}

TEST(human_output, tells_the_address_that_the_internet_sees) {
  report what = example_of(event_kind::changed);
  what.before = what.event.info;
  what.event.info.seen_address = what.event.info.external.address;
  EXPECT_EQ(human_line(what),
            "tcp 192.0.2.10:8080 is open as 198.51.100.7:8080, and the internet sees this host "
            "there");
  EXPECT_EQ(seen_line(what.event.info), "");
  what.event.info.seen_address = at("203.0.113.77", 0).address;
  EXPECT_EQ(human_line(what),
            "tcp 192.0.2.10:8080 is open as 198.51.100.7:8080, and the internet sees this host as "
            "203.0.113.77");
  EXPECT_EQ(seen_line(what.event.info),
            "damson: tcp 192.0.2.10:8080 may not be reachable from the internet; this host is seen "
            "there as 203.0.113.77, not as 198.51.100.7: there is another NAT on the way, or the "
            "router does not know its own address. Try: --upstream ADDRESS where the NAT in "
            "between is another router of yours, else ask the provider for a public IPv4 address");
  // What changed besides is told as ever.
  what.before.external.port = 9090;
  EXPECT_EQ(human_line(what),
            "tcp 192.0.2.10:8080 is now open as 198.51.100.7:8080 through pcp, lease 7200 s "
            "(before: 198.51.100.7:9090)");
}

TEST(human_output, compares_no_address_that_is_not_known) {
  mapping_info info = example();
  EXPECT_EQ(seen_line(info), "");
  info.seen_address = at("203.0.113.77", 0).address;
  info.external.address = ip_address::any_v4();
  EXPECT_EQ(seen_line(info), "");
}

}  // namespace
}  // namespace damson::cli
