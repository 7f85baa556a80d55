#include "wire/igd_description.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "wire/upnp_urn.hpp"

namespace damson {
namespace {

using namespace std::string_view_literals;

/// A service as devices list it.
std::string service(std::string_view type, std::string_view control,
                    std::string_view event = "/e") {
  std::string out = "<service><serviceType>";
  out += type;
  out += "</serviceType><serviceId>urn:upnp-org:serviceId:x</serviceId><controlURL>";
  out += control;
  out += "</controlURL><eventSubURL>";
  out += event;
  out += "</eventSubURL><SCPDURL>/s.xml</SCPDURL></service>";
  return out;
}

std::string root(std::string_view inside) {
  return R"(<?xml version="1.0"?><root xmlns="urn:schemas-upnp-org:device-1-0"><device>)" +
         std::string{inside} + "</device></root>";
}

constexpr auto ip_1 = "urn:schemas-upnp-org:service:WANIPConnection:1"sv;
constexpr auto ip_2 = "urn:schemas-upnp-org:service:WANIPConnection:2"sv;
constexpr auto ppp_1 = "urn:schemas-upnp-org:service:WANPPPConnection:1"sv;

igd_description decode(std::string_view text) {
  auto got = decode_igd_description(text);
  EXPECT_TRUE(got) << to_string(got.error()) << ": " << text.substr(0, 400);
  return got ? *got : igd_description{};
}

void expect_error(std::string_view text, decode_error expected) {
  const auto got = decode_igd_description(text);
  ASSERT_FALSE(got) << text.substr(0, 400);
  EXPECT_EQ(to_string(got.error()), to_string(expected)) << text.substr(0, 400);
}

/// "WANIPConnection:1 /ctl", in the order found.
std::vector<std::string> found(const igd_description& description) {
  std::vector<std::string> out;
  out.reserve(description.services.size());
  for (const igd_service& s : description.services) {
    out.push_back(std::string{to_string(s.kind)} + ":" + std::to_string(s.version) + " " +
                  s.control_url);
  }
  return out;
}

using list = std::vector<std::string>;

// What is found
// ----------------------------------------------------------------------------------------

TEST(igd_description, says_what_the_device_is_and_what_it_offers) {
  const igd_description got = decode(R"(<?xml version="1.0"?>
<root xmlns="urn:schemas-upnp-org:device-1-0" configId="1337">
  <specVersion><major>1</major><minor>1</minor></specVersion>
  <URLBase>http://192.168.1.1:5000</URLBase>
  <device>
    <deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:2</deviceType>
    <friendlyName>A router</friendlyName>
    <manufacturer>Somebody</manufacturer>
    <modelName>Model</modelName>
    <modelNumber>7</modelNumber>
    <UDN>uuid:1</UDN>
    <deviceList><device>
      <deviceType>urn:schemas-upnp-org:device:WANDevice:2</deviceType>
      <friendlyName>Not this one</friendlyName>
      <serviceList><service>
        <serviceType>urn:schemas-upnp-org:service:WANCommonInterfaceConfig:1</serviceType>
        <controlURL>/ctl/CmnIfCfg</controlURL><eventSubURL>/evt/CmnIfCfg</eventSubURL>
      </service></serviceList>
      <deviceList><device><serviceList>
        <service>
          <serviceType>urn:schemas-upnp-org:service:WANIPConnection:2</serviceType>
          <controlURL>/ctl/IPConn</controlURL><eventSubURL>/evt/IPConn</eventSubURL>
        </service>
        <service>
          <serviceType>urn:schemas-upnp-org:service:WANIPv6FirewallControl:1</serviceType>
          <controlURL>/ctl/IP6FCtl</controlURL>
        </service>
      </serviceList></device></deviceList>
    </device></deviceList>
  </device>
</root>)");
  EXPECT_EQ(got, (igd_description{
                     .url_base = "http://192.168.1.1:5000",
                     .services =
                         {
                             {.kind = service_kind::wan_common_interface_config,
                              .version = 1,
                              .type = "urn:schemas-upnp-org:service:WANCommonInterfaceConfig:1",
                              .control_url = "/ctl/CmnIfCfg",
                              .event_url = "/evt/CmnIfCfg"},
                             {.kind = service_kind::wan_ip_connection,
                              .version = 2,
                              .type = "urn:schemas-upnp-org:service:WANIPConnection:2",
                              .control_url = "/ctl/IPConn",
                              .event_url = "/evt/IPConn"},
                             {.kind = service_kind::wan_ipv6_firewall_control,
                              .version = 1,
                              .type = "urn:schemas-upnp-org:service:WANIPv6FirewallControl:1",
                              .control_url = "/ctl/IP6FCtl",
                              .event_url = ""},
                         },
                     .device_type = "urn:schemas-upnp-org:device:InternetGatewayDevice:2",
                     .friendly_name = "A router",
                     .manufacturer = "Somebody",
                     .model_name = "Model",
                     .model_number = "7",
                     .unique_name = "uuid:1",
                 }));
}

TEST(igd_description, q_090_every_connection_of_every_uplink_in_the_order_of_the_document) {
  const auto wan_device = [](std::string_view connections) {
    return "<device><deviceList><device><serviceList>" + std::string{connections} +
           "</serviceList></device></deviceList></device>";
  };
  const igd_description got = decode(root(
      "<deviceList>" + wan_device(service(ppp_1, "/ppp/1") + service(ip_1, "/ip/1")) +
      wan_device(service(ip_1, "/ip/2")) + wan_device(service(ip_2, "/ip/3")) + "</deviceList>"));
  EXPECT_EQ(found(got), (list{"WANPPPConnection:1 /ppp/1", "WANIPConnection:1 /ip/1",
                              "WANIPConnection:1 /ip/2", "WANIPConnection:2 /ip/3"}));
}

TEST(igd_description, q_091_names_of_the_dsl_forum) {
  const igd_description got =
      decode(R"(<root xmlns="urn:dslforum-org:device-1-0"><device>)"
             "<deviceType>urn:dslforum-org:device:InternetGatewayDevice:1</deviceType>" +
             service("urn:dslforum-org:service:WANPPPConnection:1", "/ppp") +
             service("urn:dslforum-org:service:WANIPConnection:1", "/ip") +
             service("urn:dslforum-org:service:DeviceInfo:1", "/no") + "</device></root>");
  EXPECT_EQ(found(got), (list{"WANPPPConnection:1 /ppp", "WANIPConnection:1 /ip"}));
  EXPECT_EQ(got.services.front().type, "urn:dslforum-org:service:WANPPPConnection:1");  // Q-93
}

TEST(igd_description, q_092_gateway_without_mapping_service_is_no_error_but_can_be_told) {
  const igd_description got =
      decode(root("<deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:1</deviceType>"
                  "<friendlyName>Bridge</friendlyName>" +
                  service("urn:schemas-upnp-org:service:Layer3Forwarding:1", "/l3") +
                  service("urn:schemas-upnp-org:service:WANCommonInterfaceConfig:1", "/cmn")));
  EXPECT_EQ(found(got), (list{"WANCommonInterfaceConfig:1 /cmn"}));
  EXPECT_EQ(got.friendly_name, "Bridge");

  EXPECT_EQ(found(decode("<root/>")), list{});
}

TEST(igd_description, q_093_both_versions_and_the_type_exactly_as_it_was_written) {
  const igd_description got = decode(
      root(service(ip_2, "/2") + service("URN:schemas-upnp-org:Service:wanipconnection:1", "/1") +
           service("\n  urn:schemas-upnp-org:service:WANIPConnection:3\n", "/3")));
  ASSERT_EQ(found(got),
            (list{"WANIPConnection:2 /2", "WANIPConnection:1 /1", "WANIPConnection:3 /3"}));
  EXPECT_EQ(got.services[0].type, ip_2);
  EXPECT_EQ(got.services[1].type, "URN:schemas-upnp-org:Service:wanipconnection:1");
  EXPECT_EQ(got.services[2].type, "urn:schemas-upnp-org:service:WANIPConnection:3");
}

TEST(igd_description, q_095_url_base_of_the_root_only) {
  EXPECT_EQ(decode("<root><URLBase>\n http://192.168.1.1/ \n</URLBase><device/></root>").url_base,
            "http://192.168.1.1/");
  EXPECT_EQ(decode("<root><URLBase/><device/></root>").url_base, "");
  EXPECT_EQ(decode("<root><device><URLBase>http://10.0.0.1/</URLBase></device></root>").url_base,
            "");
}

TEST(igd_description, q_096_control_urls_of_every_shape_are_trimmed_and_otherwise_kept) {
  EXPECT_EQ(
      found(decode(root(service(ip_1, " \n /control?WANIPConnection\t\n ") +
                        service(ip_1, "ctl/IPConn") +
                        service(ip_1, "http://192.168.1.1:49152/ctl?a=b&amp;c=d") +
                        service(ip_1, "&#47;ctl&#x2F;x")))),
      (list{"WANIPConnection:1 /control?WANIPConnection", "WANIPConnection:1 ctl/IPConn",
            "WANIPConnection:1 http://192.168.1.1:49152/ctl?a=b&c=d", "WANIPConnection:1 /ctl/x"}));
}

TEST(igd_description, service_without_control_url_is_passed_over) {
  EXPECT_EQ(
      found(decode(root(service(ip_1, "") + service(ip_1, "  ") + "<service><serviceType>" +
                        std::string{ip_1} + "</serviceType></service>" + service(ip_1, "/ctl")))),
      (list{"WANIPConnection:1 /ctl"}));
}

constexpr auto unsafe_types = std::to_array<std::string_view>({
    "urn:schemas-upnp-org:service:WANIPConnection:x",
    "urn:schemas-upnp-org:service:WANIPConnection:1#AddPortMapping",
    "urn:schemas-upnp-org:service:WANIPConnection:1&quot;&#13;&#10;X: y",
    "urn:schemas-upnp-org:service&quot;:WANIPConnection:1",
    "urn:schemas-upnp-org :service:WANIPConnection:1",
    "urn:schemas-upnp-org:service:WANIPConnection: 1",
    "urn:schemas-upnp-org:service:WANIPConnection:\t1",
    "urn:schemas-upnp-org:service:WANIPConnection:1&lt;x/&gt;",
});

TEST(igd_description, q_140_type_that_could_not_be_sent_safely_is_passed_over) {
  for (const std::string_view type : unsafe_types) {
    EXPECT_EQ(found(decode(root(service(type, "/bad") + service(ip_1, "/good")))),
              (list{"WANIPConnection:1 /good"}))
        << type;
  }
}

TEST(igd_description, q_100_prefixes_and_case_of_names_mean_nothing) {
  EXPECT_EQ(found(decode("<d:Root xmlns:d=\"x\"><d:DEVICE><d:FriendlyName>N</d:FriendlyName>"
                         "<d:serviceList><x:Service><SERVICETYPE>" +
                         std::string{ip_1} +
                         "</SERVICETYPE><a:b:ControlUrl>/ctl</a:b:ControlUrl></x:Service>"
                         "</d:serviceList></d:DEVICE></d:Root>")),
            (list{"WANIPConnection:1 /ctl"}));
}

TEST(igd_description, comments_cdata_and_instructions_within_text) {
  EXPECT_EQ(found(decode("<!-- a --><?x y?><root><!-- <service> --><device><service>"
                         "<serviceType><![CDATA[" +
                         std::string{ip_1} +
                         "]]></serviceType><controlURL><!-- here -->/ctl<!-- and -->"
                         "<![CDATA[/a&b]]><?php?>/c</controlURL></service></device></root>")),
            (list{"WANIPConnection:1 /ctl/a&b/c"}));
}

// Bytes
// ----------------------------------------------------------------------------------------

std::string with_name(std::string_view declaration, std::string_view name) {
  return std::string{declaration} + "<root><device><friendlyName>" + std::string{name} +
         "</friendlyName>" + service(ip_1, "/ctl") + "</device></root>";
}

struct encoding_case {
  std::string_view what;
  std::string_view declaration;
  std::string_view name;
  std::string_view expected;
};

constexpr auto encoding_cases = std::to_array<encoding_case>({
    {"bytes F0 5F F0", "", "\xf0_\xf0", "\xf0_\xf0"},
    {"byte FF", R"(<?xml version="1.0" encoding="utf-8"?>)", "a\xff", "a\xff"},
    {"UTF-8", R"(<?xml version="1.0"?>)", "Fritz\xc3\xa9", "Fritz\xc3\xa9"},
    {"byte order mark", "\xef\xbb\xbf<?xml version=\"1.0\"?>", "x", "x"},
    {"declared Latin-1", R"(<?xml version="1.0" encoding="ISO-8859-1"?>)", "\xe9", "\xc3\xa9"},
    {"declared UTF-16, sent as bytes", R"(<?xml version="1.0" encoding="UTF-16"?>)", "x\xe9",
     "x\xe9"},
    {"declared nonsense", R"(<?xml version="1.0" encoding="klingon"?>)", "x", "x"},
    {"declaration after line ends", "\r\n\n<?xml version=\"1.0\"?>", "x", "x"},
    {"text before the document", "junk", "x", "x"},
    {"bare ampersand", "", "AT&T & Co", "AT&T & Co"},
    {"the five entities", "", "&lt;&gt;&amp;&quot;&apos;", "<>&\"'"},
    {"other entities stay text (Q-134)", "", "&nbsp;&xxe;", "&nbsp;&xxe;"},
    {"CRLF", "", "a\r\nb", "a\nb"},
});

TEST(igd_description, q_098_text_is_bytes) {
  for (const encoding_case& c : encoding_cases) {
    const igd_description got = decode(with_name(c.declaration, c.name));
    EXPECT_EQ(got.friendly_name, c.expected) << c.what;
    EXPECT_EQ(found(got), (list{"WANIPConnection:1 /ctl"})) << c.what;
  }
}

TEST(igd_description, q_098_utf_16_becomes_utf_8) {
  std::string wide = "\xff\xfe";
  for (const char c : with_name("", "x")) {
    wide += c;
    wide += '\0';
  }
  EXPECT_EQ(found(decode(wide)), (list{"WANIPConnection:1 /ctl"}));
  wide.pop_back();  // half a character
  EXPECT_FALSE(decode_igd_description(wide).has_value());
}

TEST(igd_description, names_for_people_are_cut) {
  const igd_description got = decode(with_name("", std::string(2000, 'n')));
  EXPECT_EQ(got.friendly_name, std::string(description_name_bytes, 'n'));
}

// What is no description
// ----------------------------------------------------------------------------------------

struct error_case {
  std::string_view what;
  std::string_view text;
  decode_error expected;
};

constexpr auto error_cases = std::to_array<error_case>({
    {"nothing", "", decode_error::not_xml},
    {"white space", " \r\n", decode_error::not_xml},
    {"not XML", "status=ok", decode_error::not_xml},
    {"tags that do not match", "<html><body><p>x<br></body></html>", decode_error::not_xml},
    {"a web page", "<html><body>401 Unauthorized</body></html>", decode_error::wrong_document},
    {"a web page of our time", "<!doctype html><html></html>", decode_error::not_xml},
    {"another document", "<rss/>", decode_error::wrong_document},
    {"a service file", "<scpd><actionList/></scpd>", decode_error::wrong_document},
    {"cut off in an element", "<root><device><friendlyName>x", decode_error::not_xml},
    {"cut off in a tag", "<root><device><friendlyName>x</frien", decode_error::not_xml},
    {"cut off in CDATA", "<root><![CDATA[x", decode_error::not_xml},
    {"binary", "\x7f\x45\x4c\x46\x02\x01\x01", decode_error::not_xml},
    {"a zero in a name", "<ro\0ot/>"sv, decode_error::not_xml},
});

TEST(igd_description, q_099_not_xml_or_nearly) {
  for (const error_case& c : error_cases) {
    const auto got = decode_igd_description(c.text);
    ASSERT_FALSE(got) << c.what;
    EXPECT_EQ(to_string(got.error()), to_string(c.expected)) << c.what;
  }
}

TEST(igd_description, q_099_what_stands_behind_the_document_does_no_harm) {
  const std::string document = root(service(ip_1, "/ctl"));
  for (const std::string_view rest : {"\r\n"sv, "junk"sv, "\0\0\0"sv, "<!-- x -->"sv}) {
    EXPECT_EQ(found(decode(document + std::string{rest})), (list{"WANIPConnection:1 /ctl"}));
  }
}

// Limits
// ----------------------------------------------------------------------------------------

TEST(igd_description, q_132_at_most_256_kib) {
  std::string text = "<root><!--" + std::string(description_bytes - 20, 'x') + "--></root>";
  text.insert(text.size() - 10, description_bytes - text.size(), 'x');
  ASSERT_EQ(text.size(), 262'144U);
  EXPECT_TRUE(decode_igd_description(text));
  expect_error(text + " ", decode_error::too_long);
}

TEST(igd_description, q_134_no_document_type_and_no_entities_of_ones_own) {
  expect_error("<!DOCTYPE root><root/>", decode_error::has_doctype);
  expect_error("<root/><!DOCTYPE root>", decode_error::has_doctype);
  expect_error("<root><!DOCTYPE root></root>", decode_error::has_doctype);
  expect_error(R"(<!DOCTYPE r [<!ENTITY a "b"><!ENTITY c "&a;&a;&a;">]><root>&c;</root>)",
               decode_error::has_doctype);
  expect_error(R"(<!DOCTYPE r SYSTEM "http://10.0.0.1/x.dtd"><root/>)", decode_error::has_doctype);
}

std::string nested(int depth) {
  std::string open = "<root>";
  std::string close = "</root>";
  for (int i = 1; i < depth; ++i) {
    open += "<a>";
    close.insert(0, "</a>");
  }
  return open + close;
}

TEST(igd_description, q_134_at_most_32_deep) {
  EXPECT_TRUE(decode_igd_description(nested(32)));
  expect_error(nested(33), decode_error::too_deep);
  expect_error(nested(30'000), decode_error::too_deep);
  // Siblings are not depth.
  std::string text = "<root>";
  for (int i = 0; i < 100; ++i) text += "<a><b><c/></b><d/></a>";
  EXPECT_TRUE(decode_igd_description(text + "</root>"));
}

TEST(igd_description, q_134_at_most_4096_elements) {
  std::string text = "<root>";
  for (int i = 1; i < 4096; ++i) text += "<a/>";
  EXPECT_TRUE(decode_igd_description(text + "</root>"));
  expect_error(text + "<a/></root>", decode_error::too_many_elements);
}

TEST(igd_description, q_097_q_134_at_most_2_kib_of_text_and_never_cut) {
  const std::string longest = "/" + std::string(2047, 'x');
  EXPECT_EQ(found(decode(root(service(ip_1, longest)))), (list{"WANIPConnection:1 " + longest}));
  expect_error(root(service(ip_1, longest + "x")), decode_error::too_long);
  expect_error(root(service(ip_1, longest + "<!-- -->x")), decode_error::too_long);
  expect_error(root(service(ip_1, longest + "<![CDATA[x]]>")), decode_error::too_long);
}

TEST(igd_description, services_beyond_32_are_passed_over) {
  std::string inside;
  for (int i = 0; i < 40; ++i) inside += service(ip_1, "/" + std::to_string(i));
  const igd_description got = decode(root(inside));
  ASSERT_EQ(got.services.size(), description_services);
  EXPECT_EQ(got.services.back().control_url, "/31");
}

// URNs
// ----------------------------------------------------------------------------------------

TEST(upnp_urn, is_taken_apart) {
  const auto urn = parse_upnp_urn(" urn:schemas-upnp-org:service:WANIPConnection:2\n");
  ASSERT_TRUE(urn);
  EXPECT_EQ(urn->domain, "schemas-upnp-org");
  EXPECT_EQ(urn->category, "service");
  EXPECT_EQ(urn->name, "WANIPConnection");
  EXPECT_EQ(urn->version, 2);
  EXPECT_TRUE(urn->is("service", "WANIPConnection"));
  EXPECT_FALSE(urn->is("device", "WANIPConnection"));
  EXPECT_FALSE(urn->is("service", "WANPPPConnection"));
  EXPECT_FALSE(parse_upnp_urn("urn:schemas-example-org:service:WANIPConnection:2")
                   ->is("service", "WANIPConnection"));
}

TEST(upnp_urn, without_a_version_is_version_1) {
  EXPECT_EQ(parse_upnp_urn("urn:a:device:b")->version, 1);
  EXPECT_EQ(parse_upnp_urn("urn:a:device:b:")->version, 1);
}

TEST(upnp_urn, anything_else_is_none) {
  for (const std::string_view text :
       {"", "urn", "urn:", "urn::::", "urn:a", "urn:a:b", "urn:a:b:", "urn::b:c:1", "uuid:a:b:c:1",
        "urn:a:b:c:d", "urn:a:b:c:-1", "urn:a:b:c:65536", "urn:a:b:c:1:2", "urn:a:b:c:1 x"}) {
    EXPECT_FALSE(parse_upnp_urn(text)) << text;
  }
}

}  // namespace
}  // namespace damson
