// Subscriptions and events of the gateway model, and its service descriptions (UPnP Device
// Architecture 1.0 sections 4 and 2.3).

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "upnp_requests.hpp"

namespace damson::sim {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view connection_events = "/evt/WANIPConn1";

class upnp_event : public upnp_router {
 protected:
  http_answer request(std::string_view method, std::string_view fields,
                      std::string_view path = connection_events, time_point when = start,
                      const ip_address& sender = host) {
    return ask(std::string{method} + " " + std::string{path} +
                   " HTTP/1.1\r\nHOST: 192.168.1.1:5000\r\n" + std::string{fields} + "\r\n",
               when, sender);
  }

  http_answer subscribe(std::string_view path = connection_events, time_point when = start) {
    return request("SUBSCRIBE",
                   "CALLBACK: <http://192.168.1.100:49152/e/1>\r\nNT: upnp:event\r\n"
                   "TIMEOUT: Second-600\r\n",
                   path, when);
  }

  static std::string field(const http_answer& answer, std::string_view name) {
    const std::string* const value = answer.message.field(name);
    return value == nullptr ? "(none)" : *value;
  }

  /// "name=value" of each property, in order.
  static std::vector<std::string> properties(const event_message& event) {
    constexpr std::string_view open = "<e:property><";
    std::vector<std::string> out;
    const std::string& text = event.request;
    for (std::size_t at = text.find(open); at != std::string::npos; at = text.find(open, at)) {
      at += open.size();
      const std::size_t end = text.find('>', at);
      out.push_back(text.substr(at, end - at) + "=" +
                    text.substr(end + 1, text.find('<', end) - end - 1));
    }
    return out;
  }
};

TEST_F(upnp_event, begins_with_all_values) {
  const http_answer answer = subscribe();
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(field(answer, "SID"), "uuid:6f1d5a1e-7c2b-4a57-8000-000000100001");
  EXPECT_EQ(field(answer, "TIMEOUT"), "Second-600");
  EXPECT_EQ(field(answer, "Content-Length"), "0");
  const auto events = router().take_events(start);
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].to, (endpoint{host, 49'152}));
  EXPECT_EQ(events[0].sid, field(answer, "SID"));
  EXPECT_EQ(events[0].sequence, 0U);
  const std::string body =
      "<?xml version=\"1.0\"?>\r\n"
      "<e:propertyset xmlns:e=\"urn:schemas-upnp-org:event-1-0\">"
      "<e:property><PossibleConnectionTypes>IP_Routed,IP_Bridged,Unconfigured"
      "</PossibleConnectionTypes></e:property>"
      "<e:property><ConnectionStatus>Connected</ConnectionStatus></e:property>"
      "<e:property><ExternalIPAddress>198.51.100.7</ExternalIPAddress></e:property>"
      "<e:property><PortMappingNumberOfEntries>0</PortMappingNumberOfEntries></e:property>"
      "</e:propertyset>\r\n";
  EXPECT_EQ(events[0].request,
            "NOTIFY /e/1 HTTP/1.1\r\n"
            "HOST: 192.168.1.100:49152\r\n"
            "CONTENT-TYPE: text/xml; charset=\"utf-8\"\r\n"
            "CONTENT-LENGTH: " +
                std::to_string(body.size()) +
                "\r\n"
                "NT: upnp:event\r\n"
                "NTS: upnp:propchange\r\n"
                "SID: uuid:6f1d5a1e-7c2b-4a57-8000-000000100001\r\n"
                "SEQ: 0\r\n"
                "\r\n" +
                body);
  EXPECT_TRUE(router().take_events(start).empty()) << "once";
}

TEST_F(upnp_event, tells_what_has_changed) {
  using list = std::vector<std::string>;
  subscribe();
  router().take_events(start);
  EXPECT_EQ(add({}), "0");
  auto events = router().take_events(start);
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(properties(events[0]), list{"PortMappingNumberOfEntries=1"});
  EXPECT_EQ(events[0].sequence, 1U);
  EXPECT_TRUE(events[0].request.contains("\r\nSEQ: 1\r\n"));
  EXPECT_EQ(add({}), "0");
  EXPECT_TRUE(router().take_events(start).empty()) << "as many as before";
  router().set_public_address(start, v4(198, 51, 100, 8));
  EXPECT_EQ(properties(router().take_events(start).at(0)), list{"ExternalIPAddress=198.51.100.8"});
  router().set_public_address(start, std::nullopt);
  EXPECT_EQ(properties(router().take_events(start).at(0)),
            (list{"ConnectionStatus=Disconnected", "ExternalIPAddress="}));
  how().unknown_address_is_zero = true;
  EXPECT_EQ(properties(router().take_events(start).at(0)), list{"ExternalIPAddress=0.0.0.0"});
}

TEST_F(upnp_event, tells_when_a_lease_has_ended) {
  subscribe();
  EXPECT_EQ(add({.lease = "60"}), "0");
  router().take_events(start);
  router().advance(start + 60s);
  EXPECT_EQ(properties(router().take_events(start + 60s).at(0)),
            std::vector<std::string>{"PortMappingNumberOfEntries=0"});
}

TEST_F(upnp_event, of_every_service_names_its_own_values) {
  using list = std::vector<std::string>;
  how().version = 2;
  subscribe("/evt/L3Forwarding1");
  subscribe("/evt/WANCommonIFC1");
  subscribe("/evt/WANIPv6Firewall1");
  subscribe();
  const auto events = router().take_events(start);
  ASSERT_EQ(events.size(), 4U);
  EXPECT_EQ(properties(events[0]),
            list{"DefaultConnectionService=uuid:6f1d5a1e-7c2b-4a57-1002-0000c0a80101:"
                 "WANConnectionDevice:2,urn:upnp-org:serviceId:WANIPConn1"});
  EXPECT_EQ(properties(events[1]), (list{"PhysicalLinkStatus=Up", "EnabledForInternet=1"}));
  EXPECT_EQ(properties(events[2]), (list{"FirewallEnabled=1", "InboundPinholeAllowed=1"}));
  EXPECT_EQ(properties(events[3]).back(), "SystemUpdateID=0") << "version 2 has it";
  EXPECT_EQ(add({}), "0");
  EXPECT_EQ(properties(router().take_events(start).at(0)),
            (list{"PortMappingNumberOfEntries=1", "SystemUpdateID=1"}));
  EXPECT_EQ(add({.lease = "60"}), "0");
  EXPECT_EQ(properties(router().take_events(start).at(0)), list{"SystemUpdateID=2"});
  how().pinholes_allowed = false;
  EXPECT_EQ(properties(router().take_events(start).at(0)), list{"InboundPinholeAllowed=0"});
}

TEST_F(upnp_event, stops_when_it_is_not_wanted_or_not_renewed) {
  const std::string sid = "SID: " + field(subscribe(), "SID") + "\r\n";
  router().take_events(start);
  EXPECT_EQ(
      request("SUBSCRIBE", sid + "TIMEOUT: Second-900\r\n", connection_events, start + 599s).status,
      200);
  EXPECT_EQ(add({}), "0");
  EXPECT_EQ(router().take_events(start + 1'498s).size(), 1U);
  EXPECT_TRUE(router().take_events(start + 1'499s).empty());
  EXPECT_EQ(router().upnp().subscriptions(), 0U);
  EXPECT_EQ(request("SUBSCRIBE", sid, connection_events, start + 1'499s).status, 412) << "too late";

  const std::string second = "SID: " + field(subscribe(), "SID") + "\r\n";
  EXPECT_EQ(request("UNSUBSCRIBE", second, "/evt/WANCommonIFC1").status, 412) << "not there";
  EXPECT_EQ(request("UNSUBSCRIBE", second).status, 200);
  EXPECT_EQ(request("UNSUBSCRIBE", second).status, 412);
  EXPECT_TRUE(router().take_events(start).empty());
}

TEST_F(upnp_event, refuses_subscriptions_that_are_none) {
  const std::string callback = "CALLBACK: <http://192.168.1.100:49152/>\r\n";
  const std::string kind = "NT: upnp:event\r\n";
  EXPECT_EQ(request("SUBSCRIBE", kind).status, 412) << "no CALLBACK";
  EXPECT_EQ(request("SUBSCRIBE", callback).status, 412) << "no NT";
  EXPECT_EQ(request("SUBSCRIBE", callback + "NT: upnp:rumour\r\n").status, 412);
  for (const std::string_view bad :
       {"http://192.168.1.100/", "<https://192.168.1.100/>", "<http://host.lan/>",
        "<http://192.168.1.100:0/>", "<http://192.168.1.100:x/>", "<http://[2001:db8::1/>",
        "<http://192.168.1.100/"}) {
    EXPECT_EQ(request("SUBSCRIBE", "CALLBACK: " + std::string{bad} + "\r\n" + kind).status, 412)
        << bad;
  }
  EXPECT_EQ(request("SUBSCRIBE", callback + kind, "/evt/Nothing").status, 404);
  EXPECT_EQ(request("SUBSCRIBE", "SID: uuid:1\r\n" + callback + kind).status, 400);
  EXPECT_EQ(request("UNSUBSCRIBE", "SID: uuid:1\r\n" + callback).status, 400);
  EXPECT_EQ(request("UNSUBSCRIBE", "").status, 412);
  EXPECT_EQ(request("SUBSCRIBE", callback + kind, connection_events, start, other_host).status, 412)
      << "Q-139: somebody else's address";
  EXPECT_EQ(router().upnp().subscriptions(), 0U);
  behave_as("events-to-anyone");
  EXPECT_EQ(request("SUBSCRIBE", callback + kind, connection_events, start, other_host).status,
            200);
  how().max_subscriptions = 1;
  EXPECT_EQ(request("SUBSCRIBE", callback + kind).status, 503);
  EXPECT_EQ(ask("SUBSCRIBE /evt/WANIPConn1 HTTP/1.1\r\n" + callback + kind + "\r\n").status, 404)
      << "no Host";
}

TEST_F(upnp_event, lasts_as_long_as_asked_for_within_bounds) {
  const auto granted = [this](std::string_view timeout) {
    return field(request("SUBSCRIBE", "CALLBACK: <http://192.168.1.100>\r\nNT: upnp:event\r\n" +
                                          std::string{timeout}),
                 "TIMEOUT");
  };
  EXPECT_EQ(granted(""), "Second-1800");
  EXPECT_EQ(granted("TIMEOUT: Second-infinite\r\n"), "Second-1800");
  EXPECT_EQ(granted("TIMEOUT: Second-0\r\n"), "Second-1800");
  EXPECT_EQ(granted("TIMEOUT: Second-86400\r\n"), "Second-1800");
  EXPECT_EQ(granted("TIMEOUT: Second-30\r\n"), "Second-30");
  const auto events = router().take_events(start);
  ASSERT_EQ(events.size(), 5U);
  EXPECT_EQ(events[0].to, (endpoint{host, 80})) << "no port is port 80";
  EXPECT_TRUE(events[0].request.starts_with("NOTIFY / HTTP/1.1\r\nHOST: 192.168.1.100:80\r\n"));
}

TEST_F(upnp_event, goes_to_ipv6_as_well) {
  const ip_address sender = *ip_address::parse("2001:db8::64");
  EXPECT_EQ(request("SUBSCRIBE", "CALLBACK: <http://[2001:db8::64]:49152/x>\r\nNT: upnp:event\r\n",
                    connection_events, start, sender)
                .status,
            200);
  EXPECT_EQ(router().take_events(start).at(0).to, (endpoint{sender, 49'152}));
}

TEST_F(upnp_event, is_forgotten_by_a_restart) {
  subscribe();
  router().reboot(start, true);
  EXPECT_EQ(router().upnp().subscriptions(), 0U);
  EXPECT_TRUE(router().take_events(start).empty());
}

TEST_F(upnp_event, is_not_offered_by_all) {
  behave_as("no-events");
  EXPECT_TRUE(ask(get("/rootDesc.xml")).message.body.contains("<eventSubURL></eventSubURL>"));
  EXPECT_EQ(subscribe().status, 404);
}

TEST_F(upnp_event, is_for_few_where_the_profile_says_so) {
  behave_as("few-subscriptions");
  const http_answer answer = subscribe();
  EXPECT_EQ(field(answer, "TIMEOUT"), "Second-60") << "600 were asked for";
  EXPECT_EQ(subscribe().status, 503);
  EXPECT_EQ(subscribe(connection_events, start + 60s).status, 200)
      << "the first one's time is over";
}

// Service descriptions.

class upnp_scpd : public upnp_router {};

TEST_F(upnp_scpd, lists_actions_with_their_arguments_and_variables) {
  const http_answer answer = ask(get("/WANIPConn1.xml"));
  EXPECT_EQ(answer.status, 200);
  const std::string& text = answer.message.body;
  EXPECT_TRUE(
      text.starts_with("<?xml version=\"1.0\"?>\r\n"
                       "<scpd xmlns=\"urn:schemas-upnp-org:service-1-0\">"));
  EXPECT_TRUE(
      text.contains("<action><name>DeletePortMapping</name><argumentList>"
                    "<argument><name>NewRemoteHost</name><direction>in</direction>"
                    "<relatedStateVariable>RemoteHost</relatedStateVariable></argument>"
                    "<argument><name>NewExternalPort</name><direction>in</direction>"
                    "<relatedStateVariable>ExternalPort</relatedStateVariable></argument>"
                    "<argument><name>NewProtocol</name><direction>in</direction>"
                    "<relatedStateVariable>PortMappingProtocol</relatedStateVariable></argument>"
                    "</argumentList></action>"));
  EXPECT_TRUE(text.contains("<action><name>RequestConnection</name></action>"));
  EXPECT_TRUE(
      text.contains("<stateVariable sendEvents=\"yes\"><name>ExternalIPAddress</name>"
                    "<dataType>string</dataType></stateVariable>"));
  EXPECT_TRUE(
      text.contains("<stateVariable sendEvents=\"no\"><name>ExternalPort</name>"
                    "<dataType>ui2</dataType></stateVariable>"));
  EXPECT_FALSE(text.contains("AddAnyPortMapping")) << "version 2's";
  EXPECT_FALSE(text.contains("GetUserName")) << "PPP's";
  EXPECT_FALSE(text.contains("SystemUpdateID"));
  how().version = 2;
  EXPECT_TRUE(ask(get("/WANIPConn1.xml")).message.body.contains("SystemUpdateID"));
  how().missing_actions = {"AddAnyPortMapping"};
  EXPECT_FALSE(ask(get("/WANIPConn1.xml")).message.body.contains("AddAnyPortMapping"));
}

TEST_F(upnp_scpd, is_there_for_every_service_that_is_described) {
  how().version = 2;
  how().connections.push_back({wan_service::ppp, true, "Connected", {}});
  const std::string root = ask(get("/rootDesc.xml")).message.body;
  std::size_t found = 0;
  for (std::size_t at = root.find("<SCPDURL>"); at != std::string::npos;
       at = root.find("<SCPDURL>", at + 1)) {
    const std::size_t begin = at + 9;
    const std::string path = root.substr(begin, root.find('<', begin) - begin);
    EXPECT_TRUE(ask(get(path)).message.body.contains("<actionList><action>")) << path;
    ++found;
  }
  EXPECT_EQ(found, 6U);
}

}  // namespace
}  // namespace damson::sim
