#include "wire/gena.hpp"

#include <chrono>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace damson {
namespace {

using namespace std::chrono_literals;

const http_target events{{*ip_address::parse("192.168.1.1"), 5'000},
                         "/evt/WANIPConn1",
                         "192.168.1.1:5000",
                         "http://192.168.1.1:5000/evt/WANIPConn1"};
constexpr std::string_view id = "uuid:6f1d5a1e-7c2b-4a57-8000-000000100001";

TEST(gena_request, subscribe) {
  EXPECT_EQ(make_subscribe(events, {*ip_address::parse("192.168.1.100"), 49'152}, "/5ec3e7"),
            "SUBSCRIBE /evt/WANIPConn1 HTTP/1.1\r\n"
            "Host: 192.168.1.1:5000\r\n"
            "Connection: close\r\n"
            "CALLBACK: <http://192.168.1.100:49152/5ec3e7>\r\n"
            "NT: upnp:event\r\n"
            "TIMEOUT: Second-1800\r\n"
            "\r\n");
}

TEST(gena_request, subscribe_over_ipv6) {
  const ip_address link_local{ip_address::parse("fe80::100")->to_v6(), 2};
  const std::string text = make_subscribe(events, {link_local, 80}, "/");
  EXPECT_TRUE(text.contains("\r\nCALLBACK: <http://[fe80::100]:80/>\r\n")) << text;
}

TEST(gena_request, renewal_has_no_callback) {  // UDA 1.0 section 4.1.2
  EXPECT_EQ(make_renewal(events, id),
            "SUBSCRIBE /evt/WANIPConn1 HTTP/1.1\r\n"
            "Host: 192.168.1.1:5000\r\n"
            "Connection: close\r\n"
            "SID: uuid:6f1d5a1e-7c2b-4a57-8000-000000100001\r\n"
            "TIMEOUT: Second-1800\r\n"
            "\r\n");
}

TEST(gena_request, unsubscribe) {
  EXPECT_EQ(make_unsubscribe(events, id),
            "UNSUBSCRIBE /evt/WANIPConn1 HTTP/1.1\r\n"
            "Host: 192.168.1.1:5000\r\n"
            "Connection: close\r\n"
            "SID: uuid:6f1d5a1e-7c2b-4a57-8000-000000100001\r\n"
            "\r\n");
}

TEST(gena_answer, grants_what_it_says_within_bounds) {
  struct {
    std::string_view timeout;
    std::chrono::seconds lifetime;
  } const cases[] = {
      {"Second-300", 300s},
      {"second-300", 300s},
      {" Second-300 ", 300s},
      {"300", 300s},
      {"Second-infinite", 24h},
      {"infinite", 24h},
      {"Second-86400", 24h},
      {"Second-4294967295", 24h},
      {"Second-1", 30s},
      {"Second-0", 30s},
      {"", 1'800s},
      {"Second--1", 1'800s},
      {"Second-99999999999", 1'800s},
      {"Second-x", 1'800s},
  };
  for (const auto& [timeout, lifetime] : cases) {
    const auto granted = decode_subscription(id, timeout);
    ASSERT_TRUE(granted) << timeout;
    EXPECT_EQ(granted->lifetime, lifetime) << timeout;
    EXPECT_EQ(granted->id, id);
  }
}

TEST(gena_answer, names_what_can_go_back_into_a_header) {
  const auto error = [](std::string_view text) { return decode_subscription(text, "").error(); };
  EXPECT_EQ(error(""), decode_error::missing_field);
  EXPECT_EQ(error(" \t"), decode_error::missing_field);
  EXPECT_EQ(error("uuid:1 2"), decode_error::bad_character);
  EXPECT_EQ(error("uuid:1\r\nX: 2"), decode_error::bad_character);
  EXPECT_EQ(error("uuid:\xc3\xa4"), decode_error::bad_character);
  EXPECT_EQ(error(std::string(257, 'a')), decode_error::too_long);
  EXPECT_TRUE(decode_subscription(std::string(256, 'a'), ""));
  EXPECT_EQ(decode_subscription(" uuid:1 ", "")->id, "uuid:1");
}

event_received notify() {
  event_received out;
  out.method = "NOTIFY";
  out.notification_type = "upnp:event";
  out.notification_sub_type = "upnp:propchange";
  out.sequence = "7";
  return out;
}

TEST(gena_event, is_a_notify_of_a_change) {
  EXPECT_TRUE(is_event(notify()));
  auto other = notify();
  other.method = "SUBSCRIBE";
  EXPECT_FALSE(is_event(other));
  other = notify();
  other.notification_type = "";
  EXPECT_FALSE(is_event(other));
  other = notify();
  other.notification_sub_type = "ssdp:alive";
  EXPECT_FALSE(is_event(other));
}

TEST(gena_event, has_a_number_or_not) {
  auto what = notify();
  EXPECT_EQ(event_sequence(what), 7U);
  what.sequence = " 4294967295 ";
  EXPECT_EQ(event_sequence(what), 4'294'967'295U);
  for (const std::string_view bad : {"", "-1", "4294967296", "x"}) {
    what.sequence = bad;
    EXPECT_EQ(event_sequence(what), std::nullopt) << bad;
  }
}

std::string properties(std::string_view inside) {
  return "<?xml version=\"1.0\"?>\r\n"
         "<e:propertyset xmlns:e=\"urn:schemas-upnp-org:event-1-0\">" +
         std::string{inside} + "</e:propertyset>\r\n";
}

std::string property(std::string_view name, std::string_view value) {
  const std::string text{name};
  return "<e:property><" + text + ">" + std::string{value} + "</" + text + "></e:property>";
}

TEST(gena_event, tells_the_two_values_that_matter) {
  const auto values = decode_event(properties(property("PossibleConnectionTypes", "IP_Routed") +
                                              property("ExternalIPAddress", "198.51.100.7") +
                                              property("PortMappingNumberOfEntries", " 12 ")));
  ASSERT_TRUE(values);
  EXPECT_EQ(values->external, ip_address::parse("198.51.100.7"));
  EXPECT_EQ(values->entries, 12U);
}

TEST(gena_event, need_not_tell_either) {
  EXPECT_EQ(decode_event(properties("")), event_values{});
  EXPECT_EQ(decode_event(properties(property("ConnectionStatus", "Connected"))), event_values{});
}

TEST(gena_event, is_read_whatever_its_prefixes_and_letters) {
  const auto values = decode_event(
      "<PropertySet><property><externalipaddress>1.2.3.4</externalipaddress></property>"
      "</PropertySet>");
  ASSERT_TRUE(values);
  EXPECT_EQ(values->external, ip_address::parse("1.2.3.4"));
}

TEST(gena_event, says_that_there_is_no_address) {
  for (const std::string_view none : {"", "0.0.0.0"}) {
    const auto values = decode_event(properties(property("ExternalIPAddress", none)));
    ASSERT_TRUE(values && values->external) << none;
    EXPECT_TRUE(values->external->is_unspecified()) << none;
  }
}

TEST(gena_event, has_no_values_that_cannot_be) {
  for (const std::string_view bad :
       {"127.0.0.1", "224.0.0.1", "255.255.255.255", "router", "::1"}) {
    const auto values = decode_event(properties(property("ExternalIPAddress", bad)));
    ASSERT_TRUE(values) << bad;
    EXPECT_EQ(values->external, std::nullopt) << bad;
  }
  for (const std::string_view bad : {"", "-1", "4294967296", "1e3"}) {
    const auto values = decode_event(properties(property("PortMappingNumberOfEntries", bad)));
    ASSERT_TRUE(values) << bad;
    EXPECT_EQ(values->entries, std::nullopt) << bad;
  }
}

TEST(gena_event, is_bounded_text) {
  EXPECT_EQ(decode_event("").error(), decode_error::not_xml);
  EXPECT_EQ(decode_event("<html/>").error(), decode_error::wrong_document);
  EXPECT_EQ(decode_event("<!DOCTYPE a><propertyset/>").error(), decode_error::has_doctype);
  EXPECT_EQ(decode_event(properties(std::string(engine_limits::event_bytes, ' '))).error(),
            decode_error::too_long);
  std::string deep;
  for (int i = 0; i < 40; ++i) deep += "<a>";
  for (int i = 0; i < 40; ++i) deep += "</a>";
  EXPECT_EQ(decode_event(properties(deep)).error(), decode_error::too_deep);
}

}  // namespace
}  // namespace damson
