// Questions to one device, and which of its services is chosen by the answers.

#include "proto/igd_probe.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "wire/http_target.hpp"

namespace damson {
namespace {

constexpr ip_address gateway{ip_address::v4_bytes{192, 168, 1, 1}};
constexpr ip_address host{ip_address::v4_bytes{192, 168, 1, 100}};
const ip_address open_address = *ip_address::parse("20.1.2.3");
const ip_address hidden_address = *ip_address::parse("10.1.2.3");

search_place place() {
  return {
      .gateway = gateway, .on_link = {{host, 24}}, .own_addresses = {host}, .user_addresses = {}};
}

igd_candidate candidate() {
  igd_candidate out;
  out.answered_from = gateway;
  out.description =
      *resolve_url("http://192.168.1.1:5000/igd/root.xml", {}, place().rule_for(gateway));
  out.is_gateway = true;
  out.boot_id = 7;
  return out;
}

/// One service element; the type is "WANIPConnection:1" and the like.
std::string service(std::string_view type, std::string_view control) {
  return "<service><serviceType>urn:schemas-upnp-org:service:" + std::string{type} +
         "</serviceType><controlURL>" + std::string{control} + "</controlURL></service>";
}

std::string description(std::string_view services, std::string_view base = {}) {
  return "<root>" + (base.empty() ? "" : "<URLBase>" + std::string{base} + "</URLBase>") +
         "<device><friendlyName>A box</friendlyName><modelName>X</modelName><serviceList>" +
         std::string{services} + "</serviceList></device></root>";
}

std::string values(std::string_view inner) {
  return "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><u:R>" +
         std::string{inner} + "</u:R></s:Body></s:Envelope>";
}

std::string status(std::string_view what) {
  return values("<NewConnectionStatus>" + std::string{what} +
                "</NewConnectionStatus><NewUptime>1</NewUptime>");
}

std::string address(std::string_view what) {
  return values("<NewExternalIPAddress>" + std::string{what} + "</NewExternalIPAddress>");
}

/// One line of a talk: what is asked, and what is answered. A status of 0 is no answer.
struct line {
  std::string expected;
  std::string answer;
  unsigned http_status = 200;
};

/// "GET /igd/root.xml", "GetStatusInfo /ctl/1".
std::string text_of(const igd_question& question) {
  if (!question.action) return "GET " + question.target.path;
  const std::string& field = question.action->action;
  const std::size_t mark = field.find('#') + 1;
  return field.substr(mark, field.rfind('"') - mark) + " " + question.target.path;
}

/// Holds the talk to its end.
igd_probe after(const std::vector<line>& talk) {
  igd_probe probe(candidate(), place());
  for (const line& each : talk) {
    EXPECT_FALSE(probe.is_over()) << each.expected;
    if (probe.is_over()) break;
    const igd_question question = probe.next();
    EXPECT_EQ(text_of(question), each.expected);
    EXPECT_EQ(question.target.server.address, gateway);
    EXPECT_EQ(question.body_limit, question.action ? soap_answer_bytes : description_bytes);
    if (each.http_status == 0) {
      probe.on_failure();
    } else {
      probe.on_answer({each.http_status, "text/xml", each.answer}, question.target);
    }
  }
  EXPECT_TRUE(probe.is_over());
  return probe;
}

const std::string root = "GET /igd/root.xml";

// ---------------------------------------------------------------------------------------------
// One service

TEST(igd_probe, of_one_service_asks_for_its_address_only) {
  const auto probe = after({{root, description(service("WANIPConnection:2", "/ctl/1"))},
                            {"GetExternalIPAddress /ctl/1", address("20.1.2.3")}});
  ASSERT_TRUE(probe.best());
  const igd_device& found = *probe.best();
  EXPECT_EQ(found.control.server, (endpoint{gateway, 5000}));
  EXPECT_EQ(found.kind, service_kind::wan_ip_connection);
  EXPECT_EQ(found.service_type, "urn:schemas-upnp-org:service:WANIPConnection:2");
  EXPECT_EQ(found.version, 2);
  EXPECT_EQ(found.state, connection_state::unknown);
  EXPECT_EQ(found.external, open_address);
  EXPECT_EQ(found.boot_id, 7U);
  EXPECT_EQ(found.name, "A box");
  EXPECT_EQ(found.answered_from, gateway);
  EXPECT_TRUE(found.is_gateway);
  EXPECT_TRUE(found.is_live());
}

TEST(igd_probe, of_one_service_takes_it_whatever_it_answers) {
  struct answer {
    std::string text;
    unsigned status;
    std::optional<ip_address> external;
  };
  for (const auto& [text, http_status, external] : std::vector<answer>{
           {address("10.1.2.3"), 200, hidden_address},
           {address(""), 200, ip_address::any_v4()},
           {address("0.0.0.0"), 200, ip_address::any_v4()},
           {address("nonsense"), 200, std::nullopt},
           {"", 500, std::nullopt},
           {"", 0, std::nullopt},
       }) {
    const auto probe = after({{root, description(service("WANPPPConnection:1", "/c"))},
                              {"GetExternalIPAddress /c", text, http_status}});
    ASSERT_TRUE(probe.best());
    EXPECT_EQ(probe.best()->kind, service_kind::wan_ppp_connection);
    EXPECT_EQ(probe.best()->external, external) << text;
    EXPECT_EQ(probe.best()->is_live(), external && !external->is_unspecified());
  }
}

// ---------------------------------------------------------------------------------------------
// Several services

const std::string two =
    description(service("WANPPPConnection:1", "/ppp") + service("WANIPConnection:1", "/ip"));

TEST(igd_probe, chooses_the_live_service) {
  const auto probe = after({{root, two},
                            {"GetStatusInfo /ppp", status("Disconnected")},
                            {"GetExternalIPAddress /ppp", address("")},
                            {"GetStatusInfo /ip", status("Connected")},
                            {"GetExternalIPAddress /ip", address("20.1.2.3")}});
  EXPECT_EQ(probe.best()->control.path, "/ip");
  EXPECT_EQ(probe.best()->state, connection_state::connected);
}

TEST(igd_probe, ends_with_the_first_that_is_live_and_public) {
  const auto probe = after({{root, two},
                            {"GetStatusInfo /ppp", status("Up")},
                            {"GetExternalIPAddress /ppp", address("20.1.2.3")}});
  EXPECT_EQ(probe.best()->control.path, "/ppp");
}

TEST(igd_probe, prefers_public_then_live_then_the_first) {
  struct situation {
    std::string first_status, first_address, second_status, second_address;
    std::string chosen;
  };
  for (const auto& [first_status, first_address, second_status, second_address, chosen] :
       std::vector<situation>{
           {"Connected", "10.1.2.3", "Connected", "20.1.2.3", "/ip"},      // public before not
           {"Connected", "10.1.2.3", "Disconnected", "20.1.2.3", "/ppp"},  // but live before dead
           {"Disconnected", "20.1.2.3", "Connected", "10.1.2.3", "/ip"},
           {"Connected", "10.1.2.3", "Connected", "10.1.2.4", "/ppp"},  // the first of equals
           {"Disconnected", "", "Disconnected", "", "/ppp"},
           {"Connected", "", "Connected", "10.1.2.3", "/ip"},  // no address is no life
           {"", "10.1.2.3", "Connected", "20.1.2.3", "/ip"},   // nothing said is no death
           {"", "10.1.2.3", "Disconnected", "20.1.2.3", "/ppp"},
       }) {
    const auto probe = after({{root, two},
                              {"GetStatusInfo /ppp", status(first_status)},
                              {"GetExternalIPAddress /ppp", address(first_address)},
                              {"GetStatusInfo /ip", status(second_status)},
                              {"GetExternalIPAddress /ip", address(second_address)}});
    EXPECT_EQ(probe.best()->control.path, chosen)
        << first_status << ' ' << first_address << " or " << second_status << ' ' << second_address;
  }
}

TEST(igd_probe, goes_on_where_an_action_is_missing_or_fails) {
  const auto probe = after({{root, two},
                            {"GetStatusInfo /ppp", "", 0},
                            {"GetStatusInfo /ip", values(""), 200},
                            {"GetExternalIPAddress /ip", address("10.1.2.3")}});
  EXPECT_EQ(probe.best()->control.path, "/ip");
  const auto faulty = after({{root, two},
                             {"GetStatusInfo /ppp", "", 500},
                             {"GetExternalIPAddress /ppp", "", 500},
                             {"GetStatusInfo /ip", "", 404},
                             {"GetExternalIPAddress /ip", address("10.1.2.3")}});
  EXPECT_EQ(faulty.best()->control.path, "/ip");
}

TEST(igd_probe, asks_eight_services_at_most) {
  std::string all;
  for (int i = 0; i < 20; ++i) all += service("WANIPConnection:1", "/" + std::to_string(i));
  std::vector<line> talk{{root, description(all)}};
  for (std::size_t i = 0; i < igd_probe::most_services; ++i) {
    talk.push_back({"GetStatusInfo /" + std::to_string(i), status("Disconnected")});
    talk.push_back({"GetExternalIPAddress /" + std::to_string(i), address("")});
  }
  EXPECT_EQ(after(talk).best()->control.path, "/0");
}

// ---------------------------------------------------------------------------------------------
// Where the services are

TEST(igd_probe, resolves_control_urls) {
  struct spelling {
    std::string base, control, path;
  };
  for (const auto& [base, control, path] : std::vector<spelling>{
           {"", "ctl", "/igd/ctl"},
           {"", "/ctl?a=b", "/ctl?a=b"},
           {"", "\n  http://192.168.1.1:5000/x  \n", "/x"},
           {"http://192.168.1.1:5000/base/", "ctl", "/base/ctl"},
           {"http://192.168.1.66:5000/base/", "ctl", "/igd/ctl"},
       }) {
    const auto probe = after({{root, description(service("WANIPConnection:1", control), base)},
                              {"GetExternalIPAddress " + path, address("20.1.2.3")}});
    EXPECT_EQ(probe.best()->control.path, path);
  }
}

TEST(igd_probe, takes_where_it_was_redirected_to_for_the_base) {
  igd_probe probe(candidate(), place());
  const auto asked =
      resolve_url("http://192.168.1.1:8080/new/root.xml", {}, place().rule_for(gateway));
  const std::string text = description(service("WANIPConnection:1", "ctl"));
  probe.on_answer({200, "text/xml", text}, *asked);
  ASSERT_FALSE(probe.is_over());
  EXPECT_EQ(probe.next().target.server, (endpoint{gateway, 8080}));
  EXPECT_EQ(probe.next().target.path, "/new/ctl");
}

TEST(igd_probe, passes_over_services_that_lead_elsewhere) {
  const auto probe =
      after({{root, description(service("WANIPConnection:1", "http://192.168.1.66/ctl") +
                                service("WANIPConnection:1", "http://127.0.0.1/ctl") +
                                service("WANIPConnection:1", "http://192.168.1.100/ctl") +
                                service("WANIPConnection:1", "http://box.example/ctl") +
                                service("WANIPConnection:1", "/good"))},
             {"GetExternalIPAddress /good", address("20.1.2.3")}});
  EXPECT_EQ(probe.best()->control.path, "/good");
}

// ---------------------------------------------------------------------------------------------
// Nothing of use

TEST(igd_probe, says_why_there_is_none) {
  struct useless {
    std::string body;
    unsigned status;
    errc why;
  };
  for (const auto& [body, http_status, why] : std::vector<useless>{
           {"", 0, errc::unusable_answer},
           {"", 404, errc::unusable_answer},
           {"", 302, errc::unusable_answer},
           {two, 500, errc::unusable_answer},
           {"<html></html>", 200, errc::unusable_answer},
           {"status=ok", 200, errc::unusable_answer},
           {two.substr(0, two.size() / 2), 200, errc::unusable_answer},
           {description(""), 200, errc::not_supported},
           {description(service("WANCommonInterfaceConfig:1", "/c")), 200, errc::not_supported},
           {description(service("WANIPv6FirewallControl:1", "/c")), 200, errc::not_supported},
           {description(service("Layer3Forwarding:1", "/c")), 200, errc::not_supported},
           {description(service("WANIPConnection:1", "http://192.168.1.66/c")), 200,
            errc::unusable_answer},
       }) {
    const auto probe = after({{root, body, http_status}});
    EXPECT_FALSE(probe.best());
    EXPECT_EQ(probe.why(), why) << http_status << ' ' << body;
  }
}

TEST(igd_probe, that_is_over_hears_nothing_more) {
  auto probe = after({{root, two, 404}});
  probe.on_answer({200, "text/xml", two}, probe.candidate().description);
  probe.on_failure();
  EXPECT_TRUE(probe.is_over());
  EXPECT_FALSE(probe.best());
}

// ---------------------------------------------------------------------------------------------
// Between devices

igd_device device(connection_state state, const std::optional<ip_address>& external,
                  bool is_gateway, std::uint16_t version) {
  igd_device out;
  out.state = state;
  out.external = external;
  out.is_gateway = is_gateway;
  out.version = version;
  return out;
}

TEST(igd_probe, devices_are_ranked) {
  using enum connection_state;
  const std::vector<igd_device> in_order{
      device(connected, open_address, true, 2),
      device(unknown, open_address, true, 1),
      device(connected, open_address, false, 2),
      device(connected, hidden_address, true, 1),
      device(connected, hidden_address, false, 2),
      device(unknown, hidden_address, false, 1),
      device(not_connected, open_address, true, 1),
      device(connected, ip_address::any_v4(), true, 2),
      device(connected, std::nullopt, false, 1),
  };
  for (std::size_t i = 0; i < in_order.size(); ++i) {
    for (std::size_t k = 0; k < in_order.size(); ++k) {
      EXPECT_EQ(is_better(in_order[i], in_order[k]), i < k) << i << ' ' << k;
    }
  }
}

}  // namespace
}  // namespace damson
