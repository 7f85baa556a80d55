#include "wire/igd_actions.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "wire/http_request.hpp"

namespace damson {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view ip_1 = "urn:schemas-upnp-org:service:WANIPConnection:1";
constexpr std::string_view ip_2 = "urn:schemas-upnp-org:service:WANIPConnection:2";

constexpr std::string_view opening =
    "<?xml version=\"1.0\"?><s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" "
    "s:encodingStyle=\"http://schemas.xmlsoap.org/soap/encoding/\"><s:Body>";
constexpr std::string_view closing = "</s:Body></s:Envelope>";

std::string enveloped(std::string_view inside) {
  return std::string{opening} + std::string{inside} + std::string{closing};
}

port_mapping_request wanted() {
  return {.key = {.external_port = 40'000, .transport = transport::tcp},
          .internal_port = 8'080,
          .internal_client = *ip_address::parse("192.168.1.10"),
          .description = "damson 1a2b",
          .lease = 3'600s};
}

// Requests
// ----------------------------------------------------------------------------------------

TEST(igd_request, add_port_mapping) {
  const soap_request got = make_add_port_mapping(ip_1, wanted());
  EXPECT_EQ(got.action, "\"urn:schemas-upnp-org:service:WANIPConnection:1#AddPortMapping\"");
  EXPECT_EQ(
      got.body,
      enveloped("<u:AddPortMapping xmlns:u=\"urn:schemas-upnp-org:service:WANIPConnection:1\">"
                "<NewRemoteHost></NewRemoteHost>"                      // empty, but there
                "<NewExternalPort>40000</NewExternalPort>"             // never 0
                "<NewProtocol>TCP</NewProtocol>"                       // capitals
                "<NewInternalPort>8080</NewInternalPort>"              // never 0
                "<NewInternalClient>192.168.1.10</NewInternalClient>"  // numeric
                "<NewEnabled>1</NewEnabled>"
                "<NewPortMappingDescription>damson 1a2b</NewPortMappingDescription>"
                "<NewLeaseDuration>3600</NewLeaseDuration>"  // seconds
                "</u:AddPortMapping>"));
}

TEST(igd_request, add_any_port_mapping_suggests_a_port) {
  port_mapping_request request = wanted();
  request.key.transport = transport::udp;
  request.lease = 0s;
  const soap_request got = make_add_any_port_mapping(ip_2, request);
  EXPECT_EQ(got.action, "\"urn:schemas-upnp-org:service:WANIPConnection:2#AddAnyPortMapping\"");
  EXPECT_EQ(
      got.body,
      enveloped("<u:AddAnyPortMapping xmlns:u=\"urn:schemas-upnp-org:service:WANIPConnection:2\">"
                "<NewRemoteHost></NewRemoteHost>"
                "<NewExternalPort>40000</NewExternalPort>"  // a suggestion, but never 0
                "<NewProtocol>UDP</NewProtocol>"
                "<NewInternalPort>8080</NewInternalPort>"
                "<NewInternalClient>192.168.1.10</NewInternalClient>"
                "<NewEnabled>1</NewEnabled>"
                "<NewPortMappingDescription>damson 1a2b</NewPortMappingDescription>"
                "<NewLeaseDuration>0</NewLeaseDuration>"
                "</u:AddAnyPortMapping>"));
}

TEST(igd_request, delete_port_mapping) {
  const soap_request got =
      make_delete_port_mapping(ip_1, {.external_port = 65'535, .transport = transport::udp});
  EXPECT_EQ(got.action, "\"urn:schemas-upnp-org:service:WANIPConnection:1#DeletePortMapping\"");
  EXPECT_EQ(
      got.body,
      enveloped("<u:DeletePortMapping xmlns:u=\"urn:schemas-upnp-org:service:WANIPConnection:1\">"
                "<NewRemoteHost></NewRemoteHost>"  // as it was added, or it is not found
                "<NewExternalPort>65535</NewExternalPort>"
                "<NewProtocol>UDP</NewProtocol>"
                "</u:DeletePortMapping>"));
}

TEST(igd_request, get_specific_port_mapping_entry) {
  const soap_request got =
      make_get_specific_port_mapping_entry(ip_1, {.external_port = 1, .transport = transport::tcp});
  EXPECT_EQ(got.action,
            "\"urn:schemas-upnp-org:service:WANIPConnection:1#GetSpecificPortMappingEntry\"");
  EXPECT_EQ(got.body, enveloped("<u:GetSpecificPortMappingEntry "
                                "xmlns:u=\"urn:schemas-upnp-org:service:WANIPConnection:1\">"
                                "<NewRemoteHost></NewRemoteHost>"
                                "<NewExternalPort>1</NewExternalPort>"
                                "<NewProtocol>TCP</NewProtocol>"
                                "</u:GetSpecificPortMappingEntry>"));
}

TEST(igd_request, questions_without_arguments) {
  const soap_request address = make_get_external_ip_address(ip_1);
  EXPECT_EQ(address.action,
            "\"urn:schemas-upnp-org:service:WANIPConnection:1#GetExternalIPAddress\"");
  EXPECT_EQ(address.body, enveloped("<u:GetExternalIPAddress "
                                    "xmlns:u=\"urn:schemas-upnp-org:service:WANIPConnection:1\">"
                                    "</u:GetExternalIPAddress>"));
  const soap_request status = make_get_status_info(ip_1);
  EXPECT_EQ(status.action, "\"urn:schemas-upnp-org:service:WANIPConnection:1#GetStatusInfo\"");
  EXPECT_EQ(status.body,
            enveloped("<u:GetStatusInfo xmlns:u=\"urn:schemas-upnp-org:service:WANIPConnection:1\">"
                      "</u:GetStatusInfo>"));
}

TEST(igd_request, longest_lease) {
  port_mapping_request request = wanted();
  request.lease = 4'294'967'295s;
  const std::string body = make_add_port_mapping(ip_1, request).body;
  EXPECT_NE(body.find("<NewLeaseDuration>4294967295<"), std::string::npos);
}

TEST(igd_request, q_102_longest_request_fits_one_segment) {
  const port_mapping_request request{.key = {.external_port = 65'535, .transport = transport::tcp},
                                     .internal_port = 65'535,
                                     .internal_client = *ip_address::parse("255.255.255.254"),
                                     .description = std::string(100, 'd'),
                                     .lease = 4'294'967'295s};
  const http_target target{.server = {},
                           .path = "/0123456789abcdef/upnp/control/WANIPConnection1",
                           .host = "255.255.255.254:65535",
                           .url = ""};
  EXPECT_LE(make_http_post(target, make_add_any_port_mapping(ip_2, request)).size(), 1'400U);
}

struct description_case {
  std::string_view wanted;
  std::string_view sent;
};

constexpr auto description_cases = std::to_array<description_case>({
    {"damson 1a2b", "damson 1a2b"},
    {"My.Game-2 0", "My.Game-2 0"},
    {"", "damson"},
    {"  \n ", "damson"},
    {"a<b>&\"c'", "a-b---c-"},
    {"caf\xc3\xa9", "caf--"},
    {"a\r\nb\tc", "a--b-c"},
    {"0123456789012345678901234567890123456789012345678901234567890123",
     "012345678901234567890123456789012345678901234567890123456789"},
});

TEST(igd_request, q_105_q_183_description_is_plain_short_and_there) {
  for (const description_case& c : description_cases) {
    EXPECT_EQ(safe_description(c.wanted), c.sent);
    port_mapping_request request = wanted();
    request.description = c.wanted;
    const std::string expected =
        "<NewPortMappingDescription>" + std::string{c.sent} + "</NewPortMappingDescription>";
    EXPECT_NE(make_add_port_mapping(ip_1, request).body.find(expected), std::string::npos);
  }
}

// Answers
// ----------------------------------------------------------------------------------------

/// A successful response with these arguments.
std::string response(std::string_view arguments) {
  return enveloped("<u:Response xmlns:u=\"urn:x\">" + std::string{arguments} + "</u:Response>");
}

const std::string refused = enveloped("<s:Fault><errorCode>501</errorCode></s:Fault>");

/// Lives until the end of the expression only, as its body does.
http_answer ok(std::string_view body) { return {.status = 200, .content_type = "", .body = body}; }
http_answer failed(std::string_view body) {
  return {.status = 500, .content_type = "text/xml", .body = body};
}

struct address_case {
  std::string_view text;
  std::string_view expected;
};

constexpr auto address_cases = std::to_array<address_case>({
    {"203.0.113.7", "203.0.113.7"},
    {"\n 203.0.113.7 ", "203.0.113.7"},
    {"10.0.0.2", "10.0.0.2"},      // private, and yet it may work
    {"100.64.3.4", "100.64.3.4"},
    // the router has none
    {"", "0.0.0.0"},
    {"0.0.0.0", "0.0.0.0"},
    //
    {"127.0.0.1", "unreadable value"},
    {"224.0.0.1", "unreadable value"},
    {"255.255.255.255", "unreadable value"},
    {"2001:db8::1", "unreadable value"},
    {"203.0.113", "unreadable value"},
    {"203.0.113.007", "unreadable value"},
    {"203.0.113.7:80", "unreadable value"},
    {"host.example", "unreadable value"},
});

TEST(igd_answer, q_141_q_152_external_address) {
  for (const address_case& c : address_cases) {
    const auto got = decode_external_ip_address(
        ok(response("<NewExternalIPAddress>" + std::string{c.text} + "</NewExternalIPAddress>")));
    EXPECT_EQ(got ? to_string(*got) : to_string(got.error()), c.expected) << c.text;
  }
  const auto missing = decode_external_ip_address(ok(response("")));
  ASSERT_FALSE(missing);
  EXPECT_EQ(to_string(missing.error()), "missing field");
  const auto fault = decode_external_ip_address(failed(refused));
  ASSERT_FALSE(fault);
  EXPECT_EQ(to_string(fault.error()), "fault 501");
}

TEST(igd_answer, acknowledgement) {
  EXPECT_TRUE(decode_acknowledgement(ok(response(""))));
  EXPECT_TRUE(decode_acknowledgement(ok("")));
  const auto fault = decode_acknowledgement(failed(refused));
  ASSERT_FALSE(fault);
  EXPECT_EQ(to_string(fault.error()), "fault 501");
  const auto gone = decode_acknowledgement({.status = 404, .content_type = "", .body = ""});
  ASSERT_FALSE(gone);
  EXPECT_EQ(std::get<http_failure>(gone.error()).status, 404U);
}

struct port_case {
  std::string_view arguments;
  std::string_view expected;
};

constexpr auto port_cases = std::to_array<port_case>({
    {"<NewReservedPort>40001</NewReservedPort>", "40001"},
    {"<NewExternalPort>40001</NewExternalPort>", "40001"},
    {"<NewExternalPort>1</NewExternalPort><NewReservedPort>65535</NewReservedPort>", "65535"},
    {"<newreservedport> 7 </newreservedport>", "7"},
    {"", "not said"},
    {"<NewReservedPort>0</NewReservedPort>", "unreadable value"},
    {"<NewReservedPort>65536</NewReservedPort>", "unreadable value"},
    {"<NewReservedPort>-1</NewReservedPort>", "unreadable value"},
    {"<NewReservedPort>+7</NewReservedPort>", "unreadable value"},
    {"<NewReservedPort>7x</NewReservedPort>", "unreadable value"},
    {"<NewReservedPort></NewReservedPort>", "unreadable value"},
});

TEST(igd_answer, q_179_reserved_port_under_either_name) {
  for (const port_case& c : port_cases) {
    const auto got = decode_reserved_port(ok(response(c.arguments)));
    std::string text = "not said";
    if (!got) {
      text = to_string(got.error());
    } else if (*got) {
      text = std::to_string(**got);
    }
    EXPECT_EQ(text, c.expected) << c.arguments;
  }
  EXPECT_FALSE(decode_reserved_port(failed(refused)));
}

constexpr std::string_view whole_entry =
    "<NewInternalPort>8080</NewInternalPort>"
    "<NewInternalClient>192.168.1.10</NewInternalClient>"
    "<NewEnabled>1</NewEnabled>"
    "<NewPortMappingDescription>damson &lt;1a2b&gt;</NewPortMappingDescription>"
    "<NewLeaseDuration>3599</NewLeaseDuration>";

TEST(igd_answer, port_mapping_entry) {
  const auto got = decode_port_mapping_entry(ok(response(whole_entry)));
  ASSERT_TRUE(got);
  EXPECT_EQ(*got, (port_mapping_entry{.internal_port = 8'080,
                                      .internal_client = *ip_address::parse("192.168.1.10"),
                                      .enabled = true,
                                      .description = "damson <1a2b>",
                                      .lease = 3'599s}));
  const auto fault = decode_port_mapping_entry(failed(refused));
  ASSERT_FALSE(fault);
  EXPECT_EQ(to_string(fault.error()), "fault 501");
}

TEST(igd_answer, port_mapping_entry_needs_port_and_client_only) {
  const auto got =
      decode_port_mapping_entry(ok(response("<NewInternalClient>192.168.1.10</NewInternalClient>"
                                            "<NewInternalPort>8080</NewInternalPort>")));
  ASSERT_TRUE(got);
  EXPECT_EQ(*got, (port_mapping_entry{.internal_port = 8'080,
                                      .internal_client = *ip_address::parse("192.168.1.10"),
                                      .enabled = true,
                                      .description = "",
                                      .lease = std::nullopt}));
}

struct entry_case {
  std::string_view replaced;
  std::string_view by;
  std::string_view expected;
};

constexpr auto entry_cases = std::to_array<entry_case>({
    {"8080", "0", "unreadable value"},
    {"8080", "65536", "unreadable value"},
    {"8080", "", "unreadable value"},
    {"NewInternalPort>", "NewPort>", "missing field"},
    {"192.168.1.10", "", "unreadable value"},
    {"192.168.1.10", "laptop.lan", "unreadable value"},
    {"192.168.1.10", "fe80::1", "unreadable value"},
    {"NewInternalClient>", "NewClient>", "missing field"},
    {"3599", "-1", "unreadable value"},
    {"3599", "4294967296", "unreadable value"},
    {"3599", "for ever", "unreadable value"},
    {"3599", "4294967295", "enabled, lease 4294967295"},
    {"3599", "0", "enabled, lease 0"},
    {"3599", "", "enabled, lease not said"},
    {">1<", ">0<", "disabled, lease 3599"},
    {">1<", "> False <", "disabled, lease 3599"},
    {">1<", ">no<", "disabled, lease 3599"},
    {">1<", ">true<", "enabled, lease 3599"},
    {">1<", "><", "enabled, lease 3599"},
});

TEST(igd_answer, port_mapping_entry_is_read_strictly_where_it_matters) {
  for (const entry_case& c : entry_cases) {
    std::string arguments{whole_entry};
    for (std::size_t at = arguments.find(c.replaced); at != std::string::npos;
         at = arguments.find(c.replaced, at + c.by.size())) {
      arguments.replace(at, c.replaced.size(), c.by);
    }
    const auto got = decode_port_mapping_entry(ok(response(arguments)));
    std::string text;
    if (!got) {
      text = to_string(got.error());
    } else {
      text = got->enabled ? "enabled, lease " : "disabled, lease ";
      text += got->lease ? std::to_string(got->lease->count()) : "not said";
    }
    EXPECT_EQ(text, c.expected) << arguments;
  }
}

struct status_case {
  std::string_view arguments;
  connection_status expected;
};

constexpr auto status_cases = std::to_array<status_case>({
    {"<NewConnectionStatus>Connected</NewConnectionStatus><NewLastConnectionError>ERROR_NONE"
     "</NewLastConnectionError><NewUptime>1234</NewUptime>",
     {connection_state::connected, 1'234s}},
    //
    {"<NewConnectionStatus>Up</NewConnectionStatus>", {connection_state::connected, {}}},
    {"<NewConnectionStatus> connected\n</NewConnectionStatus>", {connection_state::connected, {}}},
    {"<NewConnectionStatus>Disconnected</NewConnectionStatus>",
     {connection_state::not_connected, {}}},
    {"<NewConnectionStatus>Connecting</NewConnectionStatus>",
     {connection_state::not_connected, {}}},
    //
    {"<NewConnectionStatus></NewConnectionStatus>", {connection_state::unknown, {}}},
    {"", {connection_state::unknown, {}}},
    {"<NewUptime>358187520</NewUptime>", {connection_state::unknown, 358'187'520s}},
    {"<NewUptime>-1</NewUptime>", {connection_state::unknown, {}}},
    {"<NewUptime></NewUptime>", {connection_state::unknown, {}}},
    {"<NewUptime>1d</NewUptime>", {connection_state::unknown, {}}},
});

TEST(igd_answer, q_090_q_185_status) {
  for (const status_case& c : status_cases) {
    const auto got = decode_status_info(ok(response(c.arguments)));
    ASSERT_TRUE(got) << c.arguments;
    EXPECT_EQ(*got, c.expected) << c.arguments;
  }
  EXPECT_FALSE(decode_status_info(failed(refused)));
}

}  // namespace
}  // namespace damson
