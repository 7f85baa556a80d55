#include "wire/router_actions.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace damson {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view ip_2 = "urn:schemas-upnp-org:service:WANIPConnection:2";

constexpr std::string_view opening =
    "<?xml version=\"1.0\"?><s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" "
    "s:encodingStyle=\"http://schemas.xmlsoap.org/soap/encoding/\"><s:Body>";
constexpr std::string_view closing = "</s:Body></s:Envelope>";

std::string enveloped(std::string_view inside) {
  return std::string{opening} + std::string{inside} + std::string{closing};
}

std::string response(std::string_view arguments) {
  return enveloped("<u:Response xmlns:u=\"urn:x\">" + std::string{arguments} + "</u:Response>");
}

/// Lives until the end of the expression only, as its body does.
http_answer ok(std::string_view body) { return {.status = 200, .content_type = "", .body = body}; }

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '&') {
      out += "&amp;";
    } else {
      out += c;
    }
  }
  return out;
}

// Requests
// ----------------------------------------------------------------------------------------

TEST(router_request, names_an_entry_exactly) {
  const soap_request got = make_delete_entry(ip_2, {transport::udp, 40'000, "203.0.113.5"});
  EXPECT_EQ(got.action, "\"urn:schemas-upnp-org:service:WANIPConnection:2#DeletePortMapping\"");
  EXPECT_EQ(
      got.body,
      enveloped("<u:DeletePortMapping xmlns:u=\"urn:schemas-upnp-org:service:WANIPConnection:2\">"
                "<NewRemoteHost>203.0.113.5</NewRemoteHost>"  // as the entry has it
                "<NewExternalPort>40000</NewExternalPort>"
                "<NewProtocol>UDP</NewProtocol>"  // capitals
                "</u:DeletePortMapping>"));
}

TEST(router_request, asks_by_index) {
  EXPECT_EQ(make_get_entry_at(ip_2, 7).body,
            enveloped("<u:GetGenericPortMappingEntry "
                      "xmlns:u=\"urn:schemas-upnp-org:service:WANIPConnection:2\">"
                      "<NewPortMappingIndex>7</NewPortMappingIndex>"
                      "</u:GetGenericPortMappingEntry>"));
}

TEST(router_request, asks_by_range) {  // from 1
  const soap_request got =
      make_get_entries(ip_2, {.transport = transport::tcp, .of_everybody = true});
  EXPECT_EQ(got.body, enveloped("<u:GetListOfPortMappings "
                                "xmlns:u=\"urn:schemas-upnp-org:service:WANIPConnection:2\">"
                                "<NewStartPort>1</NewStartPort>"
                                "<NewEndPort>65535</NewEndPort>"
                                "<NewProtocol>TCP</NewProtocol>"
                                "<NewManage>1</NewManage>"  // everybody's
                                "<NewNumberOfPorts>250</NewNumberOfPorts>"
                                "</u:GetListOfPortMappings>"));
}

TEST(router_request, deletes_a_range_of_its_own) {  // never the wrong way round
  const soap_request got =
      make_delete_entries(ip_2, {.transport = transport::udp, .first = 2'000, .last = 2'003});
  EXPECT_EQ(got.body, enveloped("<u:DeletePortMappingRange "
                                "xmlns:u=\"urn:schemas-upnp-org:service:WANIPConnection:2\">"
                                "<NewStartPort>2000</NewStartPort>"
                                "<NewEndPort>2003</NewEndPort>"
                                "<NewProtocol>UDP</NewProtocol>"
                                "<NewManage>0</NewManage>"  // its own
                                "</u:DeletePortMappingRange>"));
}

TEST(router_request, takes_names_that_are_some) {
  EXPECT_TRUE(is_sendable({transport::tcp, 1, ""}));
  EXPECT_TRUE(is_sendable({transport::tcp, 65'535, "2001:db8::1"}));
  EXPECT_TRUE(is_sendable({transport::tcp, 80, "*"}));
  EXPECT_FALSE(is_sendable({transport::tcp, 0, ""}));
  EXPECT_FALSE(is_sendable({transport::tcp, 80, "<x/>"}));
  EXPECT_FALSE(is_sendable({transport::tcp, 80, "a\nb"}));
  EXPECT_FALSE(is_sendable({transport::tcp, 80, std::string(254, 'a')}));
}

// Answers
// ----------------------------------------------------------------------------------------

TEST(router_answer, is_an_entry) {
  const auto got = decode_entry_at(
      ok(response("<NewRemoteHost>203.0.113.5</NewRemoteHost>"
                  "<NewExternalPort>40000</NewExternalPort>"
                  "<NewProtocol>TCP</NewProtocol>"
                  "<NewInternalPort>8080</NewInternalPort>"
                  "<NewInternalClient>192.168.1.10</NewInternalClient>"
                  "<NewEnabled>0</NewEnabled>"
                  "<NewPortMappingDescription>caf\xc3\xa9</NewPortMappingDescription>"
                  "<NewLeaseDuration>3512</NewLeaseDuration>")));
  ASSERT_TRUE(got);
  EXPECT_EQ(got->name, (router_entry_name{transport::tcp, 40'000, "203.0.113.5"}));
  EXPECT_EQ(to_string(got->internal), "192.168.1.10:8080");
  EXPECT_FALSE(got->enabled);
  EXPECT_EQ(got->description, "caf\\xc3\\xa9") << "nothing that a terminal could obey";
  EXPECT_EQ(got->lease, 3'512s);
}

TEST(router_answer, is_an_entry_if_it_has_a_name) {
  const auto got =
      decode_entry_at(ok(response("<NewExternalPort>7</NewExternalPort>"
                                  "<NewProtocol>udp</NewProtocol>"
                                  "<NewInternalPort>8</NewInternalPort>"
                                  "<NewInternalClient>desktop</NewInternalClient>")));
  ASSERT_TRUE(got);
  EXPECT_EQ(got->name, (router_entry_name{transport::udp, 7, ""}));
  EXPECT_TRUE(got->internal.address.is_unspecified()) << "a host's name";
  EXPECT_TRUE(got->enabled);
  EXPECT_EQ(got->lease, std::nullopt);
}

TEST(router_answer, is_no_entry_without_a_name) {
  for (const std::string_view each :
       {"", "<NewProtocol>TCP</NewProtocol>", "<NewExternalPort>7</NewExternalPort>",
        "<NewExternalPort>65536</NewExternalPort><NewProtocol>TCP</NewProtocol>",
        "<NewExternalPort>7</NewExternalPort><NewProtocol>ICMP</NewProtocol>",
        // all empty, beyond the end of some lists
        "<NewExternalPort>0</NewExternalPort><NewProtocol>TCP</NewProtocol>"
        "<NewInternalPort>0</NewInternalPort>"}) {
    EXPECT_FALSE(decode_entry_at(ok(response(each)))) << each;
  }
}

constexpr std::string_view list =
    "<?xml version=\"1.0\"?>"
    "<p:PortMappingList xmlns:p=\"urn:schemas-upnp-org:gw:WANIPConnection\">"
    "<p:PortMappingEntry>"
    "<p:NewRemoteHost></p:NewRemoteHost>"
    "<p:NewExternalPort>2345</p:NewExternalPort>"
    "<p:NewProtocol>TCP</p:NewProtocol>"
    "<p:NewInternalPort>2346</p:NewInternalPort>"
    "<p:NewInternalClient>192.168.1.137</p:NewInternalClient>"
    "<p:NewEnabled>1</p:NewEnabled>"
    "<p:NewDescription>dooom &amp; gloom</p:NewDescription>"
    "<p:NewLeaseTime>345</p:NewLeaseTime>"
    "</p:PortMappingEntry>"
    "<p:PortMappingEntry><p:NewExternalPort>no</p:NewExternalPort></p:PortMappingEntry>"
    "</p:PortMappingList>";

/// As an argument's text.
std::string listing(std::string_view text) {
  return response("<NewPortListing>" + std::string{text} + "</NewPortListing>");
}

TEST(router_answer, is_a_list_in_whatever_wrapping) {
  const std::string elements{list.substr(list.find("<p:"))};
  for (const std::string& each :
       {listing(escaped(list)), listing("<![CDATA[" + std::string{list} + "]]>"),
        listing(escaped(escaped(elements))), listing(elements)}) {
    const auto got = decode_entries(ok(each));
    ASSERT_TRUE(got) << each;
    EXPECT_EQ(got->shown, 2U);
    ASSERT_EQ(got->entries.size(), 1U) << each;
    EXPECT_EQ(got->entries[0].name, (router_entry_name{transport::tcp, 2'345, ""}));
    EXPECT_EQ(to_string(got->entries[0].internal), "192.168.1.137:2346");
    EXPECT_EQ(got->entries[0].description, "dooom & gloom");
    EXPECT_EQ(got->entries[0].lease, 345s);
  }
}

TEST(router_answer, is_a_long_list) {  // a thousand, whatever was asked for
  std::string all = "<PortMappingList>";
  for (int port = 1; port <= 1'000; ++port) {
    all += "<PortMappingEntry><NewRemoteHost></NewRemoteHost><NewExternalPort>" +
           std::to_string(port) +
           "</NewExternalPort><NewProtocol>UDP</NewProtocol><NewInternalPort>9</NewInternalPort>"
           "<NewInternalClient>192.168.1.10</NewInternalClient><NewEnabled>1</NewEnabled>"
           "<NewDescription>of a usual length</NewDescription><NewLeaseTime>0</NewLeaseTime>"
           "</PortMappingEntry>";
  }
  const auto got = decode_entries(ok(listing(escaped(all + "</PortMappingList>"))));
  ASSERT_TRUE(got);
  EXPECT_EQ(got->entries.size(), 1'000U);
}

TEST(router_answer, is_no_list_beyond_all_bounds) {
  EXPECT_FALSE(decode_entries(ok(listing(std::string(port_listing_bytes, 'a')))));
  EXPECT_FALSE(decode_entries(ok(listing(escaped("<!DOCTYPE a><a/>")))));
  EXPECT_FALSE(decode_entries(ok(listing("nothing of the kind"))));
  std::string deep;
  for (int i = 0; i < 20'000; ++i) deep += "<PortMappingEntry/>";
  EXPECT_FALSE(decode_entries(ok(listing(escaped("<l>" + deep + "</l>")))));
  const auto empty = decode_entries(ok(listing("")));
  ASSERT_TRUE(empty);
  EXPECT_EQ(empty->shown, 0U);
}

TEST(router_answer, is_a_state) {
  router_status got;
  ASSERT_TRUE(read_status_info(ok(response("<NewConnectionStatus>Connected</NewConnectionStatus>"
                                           "<NewLastConnectionError>ERROR_NONE"
                                           "</NewLastConnectionError>"
                                           "<NewUptime>4711</NewUptime>")),
                               got));
  ASSERT_TRUE(read_link_properties(
      ok(response("<NewWANAccessType>DSL</NewWANAccessType>"
                  "<NewLayer1UpstreamMaxBitRate>42000000</NewLayer1UpstreamMaxBitRate>"
                  "<NewLayer1DownstreamMaxBitRate>-1</NewLayer1DownstreamMaxBitRate>"
                  "<NewPhysicalLinkStatus>Up</NewPhysicalLinkStatus>")),
      got));
  ASSERT_TRUE(read_counter(ok(response("<NewTotalBytesSent>18446744073709551615"
                                       "</NewTotalBytesSent>")),
                           upnp_action::get_total_bytes_sent, got));
  EXPECT_EQ(got.connection, "Connected");
  EXPECT_EQ(got.last_error, "ERROR_NONE");
  EXPECT_EQ(got.uptime, 4'711s);
  EXPECT_EQ(got.access, "DSL");
  EXPECT_EQ(got.link, "Up");
  EXPECT_EQ(got.upstream_bits_per_second, 42'000'000U);
  EXPECT_EQ(got.downstream_bits_per_second, std::nullopt) << "no number";
  EXPECT_EQ(got.bytes_sent, 18'446'744'073'709'551'615U);
  EXPECT_EQ(got.bytes_received, std::nullopt);
}

}  // namespace
}  // namespace damson
