// The UPnP side of the gateway model: discovery, descriptions and what it insists on in requests,
// against the UPnP Device Architecture.

#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "sim/upnp_ssdp.hpp"
#include "upnp_requests.hpp"

namespace damson::sim {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view igd_1 = "urn:schemas-upnp-org:device:InternetGatewayDevice:1";
constexpr std::string_view igd_2 = "urn:schemas-upnp-org:device:InternetGatewayDevice:2";

std::string field_of(const std::string& text, std::string_view name) {
  const auto message = read_message(text);
  const std::string* const value = message ? message->field(name) : nullptr;
  return value == nullptr ? "(none)" : *value;
}

class upnp_discovery : public upnp_router {
 protected:
  static constexpr endpoint searcher{host, 45'000};
  static constexpr endpoint group{ssdp_group, 1900};
  static constexpr endpoint unicast{lan_side, 1900};

  std::vector<std::string> search(std::string_view text, const endpoint& to = group,
                                  time_point when = start) {
    std::vector<std::string> out;
    for (const auto& one : router().handle(when, {searcher, to, bytes_of(text)})) {
      EXPECT_EQ(one.to, searcher);
      EXPECT_EQ(one.from, (endpoint{lan_side, how().ssdp_source_port}));
      out.push_back(text_of(one.bytes));
    }
    return out;
  }

  std::size_t answers(std::string_view target) { return search(search_for(target)).size(); }

  /// The fields of that name in what is sent by itself.
  std::vector<std::string> announced(time_point when, std::string_view name) {
    std::vector<std::string> out;
    for (const auto& one : router().advance(when)) {
      EXPECT_EQ(one.to, group);
      out.push_back(field_of(text_of(one.bytes), name));
    }
    return out;
  }
};

TEST_F(upnp_discovery, answers_a_search_for_its_device_type) {
  EXPECT_EQ(search("M-SEARCH * HTTP/1.1\r\n"
                   "HOST: 239.255.255.250:1900\r\n"
                   "MAN: \"ssdp:discover\"\r\n"
                   "MX: 2\r\n"
                   "ST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n"
                   "\r\n"),
            std::vector<std::string>{"HTTP/1.1 200 OK\r\n"
                                     "CACHE-CONTROL: max-age=1800\r\n"
                                     "ST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n"
                                     "USN: uuid:6f1d5a1e-7c2b-4a57-1000-0000c0a80101::"
                                     "urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n"
                                     "EXT:\r\n"
                                     "SERVER: Linux/6.1 UPnP/1.1 damson-sim/1.0\r\n"
                                     "BOOTID.UPNP.ORG: 1\r\n"
                                     "CONFIGID.UPNP.ORG: 1\r\n"
                                     "LOCATION: http://192.168.1.1:5000/rootDesc.xml\r\n"
                                     "\r\n"});
}

TEST_F(upnp_discovery, answers_each_target_that_it_has) {
  EXPECT_EQ(answers("upnp:rootdevice"), 1U);
  EXPECT_EQ(answers("urn:schemas-upnp-org:device:WANDevice:1"), 1U);
  EXPECT_EQ(answers(ip_v1), 1U);
  EXPECT_EQ(answers("urn:schemas-upnp-org:service:WANPPPConnection:1"), 0U);
  EXPECT_EQ(answers("uuid:6f1d5a1e-7c2b-4a57-1000-0000c0a80101"), 1U);
  EXPECT_EQ(answers(igd_2), 0U) << "a version 1 has no business with searches for 2";
  EXPECT_EQ(answers("urn:schemas-upnp-org:device:MediaServer:1"), 0U);
  // The root device, three UUIDs, three device types, three services.
  EXPECT_EQ(answers("ssdp:all"), 10U);
}

TEST_F(upnp_discovery, of_version_2_answers_for_version_1_as_well_under_the_searched_name) {
  how().version = 2;
  EXPECT_EQ(field_of(search(search_for(igd_1)).at(0), "ST"), igd_1);
  EXPECT_EQ(field_of(search(search_for(igd_2)).at(0), "ST"), igd_2);
  EXPECT_EQ(answers("urn:schemas-upnp-org:device:InternetGatewayDevice:3"), 0U);
  EXPECT_EQ(answers(ip_v2), 1U);
  how().poses_as_v1 = true;  // Q-94
  EXPECT_EQ(answers(igd_2), 0U);
}

TEST_F(upnp_discovery, is_silent_to_searches_that_are_not_to_the_letter) {  // Q-76
  const std::string good = search_for(igd_1);
  ASSERT_EQ(search(good).size(), 1U);
  const auto with = [&](std::string_view what, std::string_view instead) {
    std::string out = good;
    const std::size_t at = out.find(what);
    EXPECT_NE(at, std::string::npos) << what;
    return out.replace(at, what.size(), instead);
  };
  EXPECT_TRUE(search(with("\"ssdp:discover\"", "ssdp:discover")).empty()) << "quotes";
  EXPECT_TRUE(search(with("MX: 2\r\n", "")).empty()) << "no MX";
  EXPECT_TRUE(search(with("MX: 2", "MX: 0")).empty());
  EXPECT_TRUE(search(with("MX: 2", "MX: two")).empty());
  EXPECT_TRUE(search(with("HOST: 239.255.255.250:1900\r\n", "")).empty()) << "no HOST";
  EXPECT_TRUE(search(with("239.255.255.250:1900", "239.255.255.250")).empty()) << "no port";
  EXPECT_TRUE(search(with("\r\n\r\n", "\r\n")).empty()) << "no empty line";
  EXPECT_TRUE(search(good + "x").empty()) << "something behind it";
  EXPECT_TRUE(search(with("HTTP/1.1", "HTTP/1.0")).empty());
  EXPECT_TRUE(search(with("ST: ", "ST : ")).empty()) << "a space before the colon";
  std::string bare_lf = good;
  std::erase(bare_lf, '\r');
  EXPECT_TRUE(search(bare_lf).empty());
  EXPECT_EQ(search(with("MX: 2", "mx:5")).size(), 1U) << "that much is free";
}

TEST_F(upnp_discovery, hears_only_one_way_where_the_profile_says_so) {  // Q-73
  const std::string to_group = search_for(igd_1);
  const std::string to_router = search_for(igd_1, "192.168.1.1:1900");
  EXPECT_EQ(search(to_router, unicast).size(), 1U);
  how().searches = search_reach::multicast_only;
  EXPECT_TRUE(search(to_router, unicast).empty());
  EXPECT_EQ(search(to_group).size(), 1U);
  how().searches = search_reach::unicast_only;
  EXPECT_TRUE(search(to_group).empty());
  EXPECT_EQ(search(to_router, unicast).size(), 1U);
  how().searches = search_reach::nowhere;  // Q-82
  EXPECT_TRUE(search(to_router, unicast).empty());
}

TEST_F(upnp_discovery, spells_its_answers_as_the_profile_says) {  // Q-71, Q-74, Q-78
  how().ssdp_source_port = 55'618;
  how().answers_with_version = 2;
  how().empty_server_field = true;
  how().search_target_in_agent = true;
  how().answer_style = {message_style::letters::lower, false, false, false};
  EXPECT_EQ(search(search_for(igd_1)).at(0),
            "HTTP/1.1 200 OK\n"
            "user-agent:box st:none\n"
            "cache-control:max-age=1800\n"
            "st:urn:schemas-upnp-org:device:InternetGatewayDevice:2\n"
            "usn:uuid:6f1d5a1e-7c2b-4a57-1000-0000c0a80101::"
            "urn:schemas-upnp-org:device:InternetGatewayDevice:2\n"
            "ext:\n"
            "server:\n"
            "bootid.upnp.org:1\n"
            "configid.upnp.org:1\n"
            "location:http://192.168.1.1:5000/rootDesc.xml");
}

TEST_F(upnp_discovery, shows_only_a_wifi_device_to_ssdp_all_where_the_profile_says_so) {  // Q-70
  how().only_first_device_for_all = true;
  const auto all = search(search_for("ssdp:all"));
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(field_of(all[0], "ST"), "urn:schemas-wifialliance-org:device:WFADevice:1");
  EXPECT_EQ(field_of(all[0], "LOCATION"), "http://192.168.1.1:5000/wps_device.xml");
  EXPECT_FALSE(ask(get("/wps_device.xml")).message.body.contains("WANIPConnection"));
  EXPECT_EQ(answers(igd_1), 1U);
}

TEST_F(upnp_discovery, answers_late_twice_and_not_too_often_where_the_profile_says_so) {
  how().answer_delay = 700ms;
  how().answer_copies = 2;          // Q-80
  how().deaf_after_search = 100ms;  // Q-75
  EXPECT_TRUE(search(search_for(igd_1)).empty());
  EXPECT_TRUE(search(search_for(igd_1), group, start + 99ms).empty());
  EXPECT_EQ(router().deadline(), start + 700ms);
  EXPECT_EQ(router().advance(start + 700ms).size(), 2U) << "the second search was not heard";
  EXPECT_TRUE(router().advance(start + 800ms).empty());
}

TEST_F(upnp_discovery, says_goodbye_and_hello_when_it_restarts) {
  EXPECT_EQ(router().upnp().http_port(), 5000);
  router().reboot(start + 1min);
  const auto packets = router().advance(start + 1min);
  ASSERT_EQ(packets.size(), 20U);
  EXPECT_EQ(packets[0].from, (endpoint{lan_side, 1900}));
  EXPECT_EQ(packets[0].to, group);
  EXPECT_EQ(text_of(packets[0].bytes),
            "NOTIFY * HTTP/1.1\r\n"
            "HOST: 239.255.255.250:1900\r\n"
            "NT: upnp:rootdevice\r\n"
            "USN: uuid:6f1d5a1e-7c2b-4a57-1000-0000c0a80101::upnp:rootdevice\r\n"
            "NTS: ssdp:byebye\r\n"
            "BOOTID.UPNP.ORG: 1\r\n"
            "CONFIGID.UPNP.ORG: 1\r\n"
            "\r\n");
  EXPECT_EQ(router().upnp().http_port(), 5037) << "Q-83";
  EXPECT_EQ(text_of(packets[12].bytes),
            "NOTIFY * HTTP/1.1\r\n"
            "HOST: 239.255.255.250:1900\r\n"
            "CACHE-CONTROL: max-age=1800\r\n"
            "LOCATION: http://192.168.1.1:5037/rootDesc.xml\r\n"
            "SERVER: Linux/6.1 UPnP/1.1 damson-sim/1.0\r\n"
            "NT: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n"
            "USN: uuid:6f1d5a1e-7c2b-4a57-1000-0000c0a80101::"
            "urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n"
            "NTS: ssdp:alive\r\n"
            "BOOTID.UPNP.ORG: 2\r\n"
            "CONFIGID.UPNP.ORG: 1\r\n"
            "\r\n");
}

TEST_F(upnp_discovery, repeats_itself_every_now_and_then) {
  how().notifies_with_version = 2;  // Q-72
  EXPECT_EQ(router().deadline(), start + 15min);
  const auto names = announced(start + 15min, "NT");
  EXPECT_EQ(names.size(), 10U);
  EXPECT_EQ(std::ranges::count(names, igd_2), 1);
  EXPECT_EQ(router().deadline(), start + 30min);
  EXPECT_TRUE(announced(start + 3h + 1min, "NT").empty()) << "what was missed is not made up for";
  EXPECT_EQ(router().deadline(), start + 3h + 15min);
  EXPECT_EQ(announced(start + 3h + 15min, "NTS").at(0), "ssdp:alive");
}

TEST_F(upnp_discovery, does_not_say_goodbye_and_moves_nowhere_where_the_profile_says_so) {
  how().says_byebye = false;
  how().http_port_moves = false;
  how().random_paths = true;
  router().reboot(start);
  const auto packets = router().advance(start);
  EXPECT_EQ(packets.size(), 10U);
  EXPECT_EQ(router().upnp().http_port(), 5000);
  const std::string path = router().upnp().site().description_path();
  EXPECT_NE(path, "/rootDesc.xml");
  EXPECT_EQ(field_of(text_of(packets[0].bytes), "LOCATION"), "http://192.168.1.1:5000" + path);
  EXPECT_EQ(ask(get("/rootDesc.xml")).status, 404);
  EXPECT_EQ(ask(get(path)).status, 200);
}

TEST_F(upnp_discovery, does_nothing_in_a_router_without_upnp) {
  router().behaviour().speaks_upnp = false;
  EXPECT_EQ(answers(igd_1), 0U);
  EXPECT_EQ(router().deadline(), std::nullopt);
  router().reboot(start);
  for (const auto& packet : router().advance(start)) EXPECT_NE(packet.to.port, 1900);
}

// -------------------------------------------------------------------------------------------------
// Descriptions

class upnp_description : public upnp_router {
 protected:
  std::string description() { return ask(get("/rootDesc.xml")).message.body; }
};

TEST_F(upnp_description, is_that_of_an_igd) {
  const http_answer answer =
      ask("GET /rootDesc.xml HTTP/1.1\r\n"
          "Host: 192.168.1.1:5000\r\n"
          "\r\n");
  EXPECT_EQ(answer.message.start_line, "HTTP/1.1 200 OK");
  EXPECT_EQ(*answer.message.field("Content-Type"), "text/xml; charset=\"utf-8\"");
  EXPECT_EQ(*answer.message.field("Content-Length"), std::to_string(answer.message.body.size()));
  const std::string& body = answer.message.body;
  EXPECT_TRUE(
      body.starts_with("<?xml version=\"1.0\"?>\r\n"
                       "<root xmlns=\"urn:schemas-upnp-org:device-1-0\">\r\n"
                       "<specVersion>\r\n<major>1</major>\r\n<minor>0</minor>\r\n"
                       "</specVersion>\r\n<device>\r\n"
                       "<deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:1"
                       "</deviceType>\r\n"))
      << body;
  EXPECT_TRUE(
      body.contains("<serviceType>urn:schemas-upnp-org:service:WANIPConnection:1"
                    "</serviceType>\r\n"
                    "<serviceId>urn:upnp-org:serviceId:WANIPConn1</serviceId>\r\n"
                    "<SCPDURL>/WANIPConn1.xml</SCPDURL>\r\n"
                    "<controlURL>/ctl/WANIPConn1</controlURL>\r\n"))
      << body;
  EXPECT_TRUE(read_xml(body, xml_entities::all));
}

TEST_F(upnp_description, of_version_2_hides_where_the_profile_says_so) {
  how().version = 2;
  EXPECT_TRUE(description().contains("InternetGatewayDevice:2</"));
  EXPECT_TRUE(description().contains("WANIPConnection:2</"));
  how().v1_for_microsoft_agents = true;  // Q-94
  EXPECT_TRUE(description().contains("WANIPConnection:2</"));
  EXPECT_TRUE(ask("GET /rootDesc.xml HTTP/1.1\r\nHost: 192.168.1.1:5000\r\n"
                  "User-Agent: Microsoft-Windows/10.0 UPnP/1.0\r\n\r\n")
                  .message.body.contains("WANIPConnection:1</"));
  how().poses_as_v1 = true;
  EXPECT_FALSE(description().contains(":2</"));
}

TEST_F(upnp_description, may_have_several_connections_or_none) {
  how().connections = {{wan_service::ppp, false, "", {}}, {}};  // Q-90
  EXPECT_TRUE(description().contains("WANPPPConnection:1</serviceType>"));
  EXPECT_TRUE(description().contains("<controlURL>/ctl/WANPPPConn1</controlURL>"));
  EXPECT_TRUE(description().contains("<controlURL>/ctl/WANIPConn2</controlURL>"));
  how().own_wan_devices = true;
  const std::string apart = description();
  EXPECT_NE(apart.find("WANDevice:1</deviceType>"), apart.rfind("WANDevice:1</deviceType>"));
  EXPECT_TRUE(read_xml(apart, xml_entities::all));
  how().connections.clear();  // Q-92
  EXPECT_TRUE(description().contains("InternetGatewayDevice:1"));
  EXPECT_FALSE(description().contains("Connection:1</serviceType>"));
}

TEST_F(upnp_description, writes_control_urls_in_every_shape) {  // Q-96
  const auto shown = [&](control_url_shape shape) {
    how().control_urls = shape;
    const std::string body = description();
    const std::size_t type = body.find("WANIPConnection:1</serviceType>");
    return element_of(body.substr(type), "controlURL");
  };
  EXPECT_EQ(shown(control_url_shape::absolute_path), "/ctl/WANIPConn1");
  EXPECT_EQ(shown(control_url_shape::relative), "ctl/WANIPConn1");
  EXPECT_EQ(shown(control_url_shape::with_query), "/control?WANIPConn1");
  EXPECT_EQ(shown(control_url_shape::whole_url), "http://192.168.1.1:5000/ctl/WANIPConn1");
  EXPECT_EQ(shown(control_url_shape::padded), "\r\n      /ctl/WANIPConn1\r\n    ");
  how().control_urls = control_url_shape::with_query;
  EXPECT_EQ(
      ask(post("/control?WANIPConn1", ip_v1, "GetStatusInfo", envelope(ip_v1, "GetStatusInfo", {})))
          .status,
      200);
  how().control_url_text = "http://127.0.0.1/x";  // Q-130
  EXPECT_EQ(shown(control_url_shape::relative), "http://127.0.0.1/x");
}

TEST_F(upnp_description, names_url_bases_of_every_kind) {  // Q-95
  const auto shown = [&](url_base_kind kind) {
    how().url_base = kind;
    return element_of(description(), "URLBase");
  };
  EXPECT_EQ(shown(url_base_kind::absent), "(none)");
  EXPECT_EQ(shown(url_base_kind::present), "http://192.168.1.1:5000");
  EXPECT_EQ(shown(url_base_kind::with_slash), "http://192.168.1.1:5000/");
  EXPECT_EQ(shown(url_base_kind::empty), "");
  how().url_base_text = "http://192.168.1.66:80/";
  EXPECT_EQ(shown(url_base_kind::present), "http://192.168.1.66:80/");
}

TEST_F(upnp_description, comes_in_dialects) {
  how().dslforum_names = true;  // Q-91
  EXPECT_TRUE(description().contains("<root xmlns=\"urn:dslforum-org:device-1-0\">"));
  EXPECT_TRUE(description().contains("urn:dslforum-org:service:WANIPConnection:1"));
  EXPECT_FALSE(description().contains("schemas-upnp-org"));
  how().prefixed_elements = true;  // Q-100
  EXPECT_TRUE(description().contains("<igd:serviceType>urn:dslforum-org"));
  how().lower_case_elements = true;
  how().comments_and_cdata = true;
  EXPECT_TRUE(
      description().contains("<igd:controlurl><![CDATA[/ctl/WANIPConn1]]></igd:controlurl>"));
  EXPECT_TRUE(description().contains("<!-- <controlURL>/not/this/one</controlURL> -->"));
  EXPECT_TRUE(read_xml(description(), xml_entities::all)) << "odd, but well formed";
  how().stray_bytes = true;  // Q-98
  EXPECT_TRUE(description().contains("\xf0\x5f\xf0"));
}

TEST_F(upnp_description, may_be_none_at_all) {  // Q-99
  how().fault = description_fault::cut;
  EXPECT_TRUE(description().ends_with("<controlURL>/ctl/WA"));
  how().fault = description_fault::odd_namespace;
  EXPECT_TRUE(description().contains("<root xmlns=\"urn:nobody-at-all:thing-0-0\">"));
  how().fault = description_fault::status_line;
  EXPECT_EQ(description(), "status=ok");
  how().fault = description_fault::html;
  EXPECT_TRUE(description().starts_with("<html>"));
  EXPECT_EQ(*ask(get("/rootDesc.xml")).message.field("Content-Type"), "text/html");
  how().description_text = "anything";
  EXPECT_EQ(description(), "anything");
  how().redirects_descriptions = "http://192.168.1.66/";  // Q-111
  const http_answer sent_away = ask(get("/rootDesc.xml"));
  EXPECT_EQ(sent_away.status, 302);
  EXPECT_EQ(*sent_away.message.field("Location"), "http://192.168.1.66/");
}

// -------------------------------------------------------------------------------------------------
// Requests

class upnp_requests : public upnp_router {
 protected:
  const std::string body_ = envelope(ip_v1, "GetExternalIPAddress", {});
  const std::string good_ = post(ip_control, ip_v1, "GetExternalIPAddress", body_);

  std::string with(std::string_view what, std::string_view instead) const {
    std::string out = good_;
    const std::size_t at = out.find(what);
    EXPECT_NE(at, std::string::npos) << what;
    return out.replace(at, what.size(), instead);
  }

  static std::string code_in(const http_answer& answer) {
    return element_of(answer.message.body, "errorCode");
  }
};

TEST_F(upnp_requests, are_served_to_the_letter) {
  EXPECT_EQ(ask("POST /ctl/WANIPConn1 HTTP/1.1\r\n"
                "Host: 192.168.1.1:5000\r\n"
                "Content-Type: text/xml; charset=\"utf-8\"\r\n"
                "Content-Length: 281\r\n"
                "SOAPAction: \"urn:schemas-upnp-org:service:WANIPConnection:1"
                "#GetExternalIPAddress\"\r\n"
                "Connection: close\r\n"
                "\r\n"
                "<?xml version=\"1.0\"?>"
                "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\""
                " s:encodingStyle=\"http://schemas.xmlsoap.org/soap/encoding/\">"
                "<s:Body>"
                "<u:GetExternalIPAddress"
                " xmlns:u=\"urn:schemas-upnp-org:service:WANIPConnection:1\">"
                "</u:GetExternalIPAddress>"
                "</s:Body>"
                "</s:Envelope>")
                .text(),
            "HTTP/1.1 200 OK\r\n"
            "Content-Type: text/xml; charset=\"utf-8\"\r\n"
            "Content-Length: 358\r\n"
            "Connection: close\r\n"
            "Server: Linux/6.1 UPnP/1.1 damson-sim/1.0\r\n"
            "Ext:\r\n"
            "\r\n"
            "<?xml version=\"1.0\"?>\r\n"
            "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\""
            " s:encodingStyle=\"http://schemas.xmlsoap.org/soap/encoding/\">"
            "<s:Body>"
            "<u:GetExternalIPAddressResponse"
            " xmlns:u=\"urn:schemas-upnp-org:service:WANIPConnection:1\">"
            "<NewExternalIPAddress>198.51.100.7</NewExternalIPAddress>"
            "</u:GetExternalIPAddressResponse>"
            "</s:Body>"
            "</s:Envelope>\r\n");
  EXPECT_TRUE(router().complaints().empty());
}

TEST_F(upnp_requests, need_a_numeric_host) {  // Q-107
  EXPECT_EQ(ask(with("192.168.1.1:5000", "router.lan:5000")).status, 404);
  EXPECT_EQ(ask(with("Host: 192.168.1.1:5000\r\n", "")).status, 404);
  EXPECT_TRUE(router().complaints().empty());
  EXPECT_EQ(ask(with("192.168.1.1:5000", "192.168.1.1")).status, 200);
  EXPECT_EQ(router().complaints().size(), 1U) << "the port is missing";
}

TEST_F(upnp_requests, need_a_length_that_is_right) {  // Q-106
  EXPECT_EQ(ask(with("Content-Length: " + std::to_string(body_.size()) + "\r\n", "")).status, 411);
  EXPECT_EQ(ask(with("Connection: close", "Transfer-Encoding: chunked")).status, 411);
  EXPECT_EQ(ask(good_ + " ").status, 400);
  EXPECT_EQ(ask(good_.substr(0, good_.size() - 1)).status, 400);
  EXPECT_EQ(
      ask(with("Content-Length: " + std::to_string(body_.size()), "Content-Length: -1")).status,
      413);
}

TEST_F(upnp_requests, need_a_quoted_soap_action_of_that_service) {  // Q-103, Q-93
  const auto code = [&](std::string_view what, std::string_view instead) {
    const http_answer answer = ask(with(what, instead));
    EXPECT_EQ(answer.status, 500);
    return code_in(answer);
  };
  EXPECT_EQ(code("SOAPAction: \"urn:schemas-upnp-org:service:WANIPConnection:1"
                 "#GetExternalIPAddress\"",
                 "SOAPAction: urn:schemas-upnp-org:service:WANIPConnection:1#GetExternalIPAddress"),
            "401");
  EXPECT_EQ(code("SOAPAction", "X-Action"), "401");
  EXPECT_EQ(code("WANIPConnection:1#", "WANIPConnection:2#"), "401");
  EXPECT_EQ(code("WANIPConnection:1#", "WANPPPConnection:1#"), "401");
  EXPECT_EQ(code("#GetExternalIPAddress", "#GetStatusInfo"), "401") << "the body says otherwise";
}

TEST_F(upnp_requests, need_a_path_and_a_method_that_exist) {
  EXPECT_EQ(ask(get("/")).status, 404);
  EXPECT_EQ(ask(with("/ctl/WANIPConn1", "/ctl/WANIPConn2")).status, 404);
  EXPECT_EQ(ask(with("/ctl/WANIPConn1", "/ctl/WANIPConn1?")).status, 404);
  EXPECT_EQ(ask(get(ip_control)).status, 405);
  EXPECT_EQ(ask(with("POST", "M-POST")).status, 405);
  EXPECT_EQ(ask(with("HTTP/1.1", "HTTP/1.0")).status, 505) << "Q-108";
  EXPECT_EQ(ask(with("POST /ctl", "POST ctl")).status, 400);
  EXPECT_EQ(ask(with("text/xml", "text/plain")).status, 415);
  EXPECT_EQ(ask("nonsense").status, 400);
  std::string bare_lf = get("/rootDesc.xml");
  std::erase(bare_lf, '\r');
  EXPECT_EQ(ask(bare_lf).status, 400);
}

TEST_F(upnp_requests, need_an_envelope_of_soap_1_1) {  // Q-104
  const auto status = [&](const std::string& body) {
    return ask(post(ip_control, ip_v1, "GetExternalIPAddress", body)).status;
  };
  std::string soap_1_2 = body_;
  const std::string_view space = "http://schemas.xmlsoap.org/soap/envelope/";
  soap_1_2.replace(soap_1_2.find(space), space.size(), "http://www.w3.org/2003/05/soap-envelope");
  EXPECT_EQ(status(soap_1_2), 500);
  EXPECT_EQ(status(body_.substr(0, body_.size() - 3)), 400);
  EXPECT_EQ(status("<!DOCTYPE a><a/>"), 400) << "Q-134";
  std::string spaced = body_;
  spaced.replace(spaced.find("<s:Body>"), 8, "\r\n<s:Body>");
  EXPECT_EQ(status(spaced), 200);
  how().refuses_white_space = true;
  EXPECT_EQ(status(spaced), 500);
  EXPECT_EQ(status(body_), 200);
}

TEST_F(upnp_requests, that_follow_too_closely_overwhelm_some) {  // Q-110
  how().request_gap = 200ms;
  EXPECT_EQ(ask(good_, start).status, 200);
  const http_answer hasty = ask(good_, start + 199ms);
  EXPECT_EQ(hasty.status, 500);
  EXPECT_TRUE(hasty.message.body.empty());
  EXPECT_EQ(ask(good_, start + 399ms).status, 200);
}

TEST_F(upnp_requests, are_answered_in_dialects) {
  how().prefix = envelope_prefix::upper_case;  // Q-100
  how().wrong_response_namespace = true;       // Q-101
  EXPECT_TRUE(ask(good_).message.body.contains(
      "<SOAP-ENV:Body><u:GetExternalIPAddressResponse xmlns:u=\"GetExternalIPAddress\">"));
  how().prefix = envelope_prefix::none;
  EXPECT_TRUE(ask(good_).message.body.contains("<Body><u:GetExternalIPAddressResponse"));
  how().content_type = "text/html";  // Q-109
  EXPECT_EQ(*ask(good_).message.field("Content-Type"), "text/html");
  how().content_type = "";
  EXPECT_EQ(ask(good_).message.field("Content-Type"), nullptr);
  how().redirects_control = "http://192.168.1.66/";  // Q-111
  EXPECT_EQ(ask(good_).status, 307);
}

}  // namespace
}  // namespace damson::sim
