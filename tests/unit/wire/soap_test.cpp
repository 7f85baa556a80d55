#include "wire/soap.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "wire/http_request.hpp"

namespace damson {
namespace {

constexpr std::string_view service = "urn:schemas-upnp-org:service:WANIPConnection:1";

// Asking
// ----------------------------------------------------------------------------------------

TEST(soap_request, q_104_one_line_with_the_envelope_every_router_knows) {
  const std::array arguments{soap_argument{"NewB", "2"}, soap_argument{"NewA", ""}};
  const soap_request got = make_soap_request(service, "DoSomething", arguments);
  EXPECT_EQ(got.action,  // Q-103: in quotes
            "\"urn:schemas-upnp-org:service:WANIPConnection:1#DoSomething\"");
  EXPECT_EQ(got.body,
            "<?xml version=\"1.0\"?>"
            "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\""  // SOAP 1.1
            " s:encodingStyle=\"http://schemas.xmlsoap.org/soap/encoding/\">"    //
            "<s:Body>"                                                           //
            "<u:DoSomething xmlns:u=\"urn:schemas-upnp-org:service:WANIPConnection:1\">"
            "<NewB>2</NewB>"  // in the order given, outside of any namespace
            "<NewA></NewA>"   // empty, but there
            "</u:DoSomething>"
            "</s:Body>"
            "</s:Envelope>");
}

TEST(soap_request, q_093_type_of_the_service_exactly_as_advertised) {
  const soap_request got =
      make_soap_request("urn:dslforum-org:service:WANPPPConnection:1", "X", {});
  EXPECT_EQ(got.action, "\"urn:dslforum-org:service:WANPPPConnection:1#X\"");
  EXPECT_NE(got.body.find("<u:X xmlns:u=\"urn:dslforum-org:service:WANPPPConnection:1\"></u:X>"),
            std::string::npos);
}

TEST(soap_request, q_105_only_three_characters_are_escaped) {
  const std::array arguments{soap_argument{"A", "<a> & \"b\" 'c'"}};
  const soap_request got = make_soap_request(service, "X", arguments);
  EXPECT_NE(got.body.find("<A>&lt;a&gt; &amp; \"b\" 'c'</A>"), std::string::npos) << got.body;
}

TEST(http_request, q_106_q_107_post_is_whole_and_in_one_piece) {
  const http_target target{.server = {*ip_address::parse("fe80::1"), 5000},
                           .path = "/ctl/IPConn",
                           .host = "[fe80::1]:5000",
                           .url = ""};
  EXPECT_EQ(make_http_post(target, {.action = "\"s#A\"", .body = "<x/>"}),
            "POST /ctl/IPConn HTTP/1.1\r\n"
            "Host: [fe80::1]:5000\r\n"                       // Q-107
            "Connection: close\r\n"                          // Q-108
            "Content-Type: text/xml; charset=\"utf-8\"\r\n"  //
            "Content-Length: 4\r\n"                          // Q-106
            "SOAPAction: \"s#A\"\r\n"                        // Q-103
            "\r\n"
            "<x/>");
}

TEST(http_request, get) {
  const http_target target{.server = {*ip_address::parse("192.168.1.1"), 80},
                           .path = "/rootDesc.xml?x",
                           .host = "192.168.1.1:80",
                           .url = ""};
  EXPECT_EQ(make_http_get(target),
            "GET /rootDesc.xml?x HTTP/1.1\r\n"
            "Host: 192.168.1.1:80\r\n"
            "Connection: close\r\n"
            "\r\n");
}

// Success
// ----------------------------------------------------------------------------------------

std::string envelope(std::string_view inside) {
  return "<?xml version=\"1.0\"?>\r\n<s:Envelope "
         "xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" "
         "s:encodingStyle=\"http://schemas.xmlsoap.org/soap/encoding/\"><s:Body>" +
         std::string{inside} + "</s:Body></s:Envelope>\r\n";
}

std::string fault(std::string_view code) {
  return envelope(
      "<s:Fault><faultcode>s:Client</faultcode><faultstring>UPnPError</faultstring><detail>"
      "<UPnPError xmlns=\"urn:schemas-upnp-org:control-1-0\"><errorCode>" +
      std::string{code} +
      "</errorCode><errorDescription>ConflictInMappingEntry</errorDescription></UPnPError>"
      "</detail></s:Fault>");
}

http_answer ok(std::string_view body) {
  return {.status = 200, .content_type = "text/xml; charset=\"utf-8\"", .body = body};
}

/// What a reader says: the value of <V>, or the error in words.
std::string read(const http_answer& answer) {
  const auto got = decode_soap(answer);
  if (!got) return to_string(got.error());
  return "V=" + std::string{got->find("V").value_or("none")};
}

TEST(soap_answer, values_by_name) {
  const auto got = decode_soap(ok(envelope(
      "<u:R xmlns:u=\"urn:x\"><NewA>1</NewA><NewB> two\n</NewB><NewC/><NewA>3</NewA></u:R>")));
  ASSERT_TRUE(got);
  EXPECT_EQ(got->find("NewA"), "1");
  EXPECT_EQ(got->find("newb"), "two");
  EXPECT_EQ(got->find("NewC"), "");
  EXPECT_EQ(got->find("New"), std::nullopt);
  EXPECT_EQ(got->find("R"), std::nullopt);
}

struct answer_case {
  std::string_view what;
  std::string_view body;
  std::string_view expected;
};

constexpr auto success_cases = std::to_array<answer_case>({
    // Q-100
    {"upper-case prefix",
     "<SOAP:Envelope><SOAP:Body><u:R><V>1</V></u:R></SOAP:Body></SOAP:Envelope>", "V=1"},
    {"another prefix",
     "<SOAP-ENV:Envelope><SOAP-ENV:Body><m:R><V>1</V></m:R></SOAP-ENV:Body></SOAP-ENV:Envelope>",
     "V=1"},
    {"no prefix", "<Envelope><Body><R><V>1</V></R></Body></Envelope>", "V=1"},
    {"other case", "<s:envelope><s:BODY><u:r><u:v>1</u:v></u:r></s:BODY></s:envelope>", "V=1"},
    // Q-101
    {"wrong namespace",
     "<s:Envelope><s:Body><u:DeletePortMappingResponse xmlns:u=\"DeletePortMapping\"/></s:Body>"
     "</s:Envelope>",
     "V=none"},
    {"wrong element", "<s:Envelope><s:Body><u:Whatever><V>1</V></u:Whatever></s:Body></s:Envelope>",
     "V=1"},
    {"no element", "<s:Envelope><s:Body/></s:Envelope>", "V=none"},
    {"a header before the body",
     "<Envelope><Header><V>0</V></Header><Body><R><V>1</V></R></Body></Envelope>", "V=1"},
    {"comments and CDATA",
     "<Envelope><Body><!-- x --><R><!-- y --><V><![CDATA[1]]></V></R></Body></Envelope>", "V=1"},
    {"empty body", "", "V=none"},
    {"a line end for a body", "\r\n", "V=none"},
});

TEST(soap_answer, q_100_q_101_success_in_every_dialect) {
  for (const answer_case& c : success_cases) EXPECT_EQ(read(ok(c.body)), c.expected) << c.what;
}

TEST(soap_answer, q_109_missing_or_other_content_types_do_not_matter) {
  const std::string body = envelope("<R><V>1</V></R>");
  for (const std::string_view type : {"", "text/xml", "application/xml", "text/plain",
                                      "application/octet-stream", "TEXT/XML;charset=utf-8"}) {
    EXPECT_EQ(read({.status = 200, .content_type = type, .body = body}), "V=1") << type;
  }
}

TEST(soap_answer, q_109_html_is_not_soap) {
  const std::string body = envelope("<R><V>1</V></R>");
  for (const std::string_view type : {"text/html", "Text/HTML; charset=utf-8", " text/html "}) {
    EXPECT_EQ(read({.status = 200, .content_type = type, .body = body}),
              "document of another kind");
    EXPECT_EQ(read({.status = 200, .content_type = type, .body = ""}), "document of another kind");
    EXPECT_EQ(read({.status = 500, .content_type = type, .body = fault("718")}), "HTTP status 500");
  }
  EXPECT_EQ(read({.status = 200, .content_type = "", .body = "<html><body>x</body></html>"}),
            "document of another kind");
}

// Refusals
// ----------------------------------------------------------------------------------------

TEST(soap_answer, q_109_fault_whatever_the_status) {
  for (const unsigned status : {500U, 200U, 400U, 402U, 404U, 0U}) {
    EXPECT_EQ(read({.status = status, .content_type = "text/xml", .body = fault("718")}),
              "fault 718 (ConflictInMappingEntry)")
        << status;
  }
}

constexpr auto fault_cases = std::to_array<answer_case>({
    {"camel case, upper-case prefix (Q-100)",
     "<SOAP:Envelope><SOAP:Body><SOAP:Fault><faultCode>SOAP:Client</faultCode>"
     "<faultString>UPnPError</faultString><detail><UPnPError><errorCode>402</errorCode>"
     "<errorDescription>Invalid Args</errorDescription></UPnPError></detail></SOAP:Fault>"
     "</SOAP:Body></SOAP:Envelope>",
     "fault 402 (Invalid Args)"},
    {"other case",
     "<e:ENVELOPE><e:BODY><e:FAULT><ERRORCODE>501</ERRORCODE></e:FAULT></e:BODY></e:ENVELOPE>",
     "fault 501"},
    {"white space and comment",
     "<Envelope><Body><Fault><errorCode>\n <!-- x --> 725 </errorCode></Fault></Body></Envelope>",
     "fault 725"},
    {"no envelope", "<UPnPError><errorCode>606</errorCode></UPnPError>", "fault 606"},
    {"no Fault around it",
     "<Envelope><Body><UPnPError><errorCode>714</errorCode></UPnPError></Body></Envelope>",
     "fault 714"},
    {"no number",
     "<Envelope><Body><Fault><faultstring>Busy</faultstring></Fault></Body></Envelope>",
     "fault without a number (Busy)"},
    {"nothing at all", "<Envelope><Body><Fault/></Body></Envelope>", "fault without a number"},
    // Q-186
    {"negative", "<Envelope><Body><Fault><errorCode>-911</errorCode></Fault></Body></Envelope>",
     "fault -911"},
    {"largest",
     "<Envelope><Body><Fault><errorCode>2147483647</errorCode></Fault></Body></Envelope>",
     "fault 2147483647"},
    {"too large",
     "<Envelope><Body><Fault><errorCode>2147483648</errorCode></Fault></Body></Envelope>",
     "fault without a number"},
    {"a text", "<Envelope><Body><Fault><errorCode>E_FAILED</errorCode></Fault></Body></Envelope>",
     "fault without a number"},
    {"a number and more",
     "<Envelope><Body><Fault><errorCode>718 x</errorCode></Fault></Body></Envelope>",
     "fault without a number"},
});

TEST(soap_answer, q_100_q_186_faults_in_every_dialect) {
  for (const answer_case& c : fault_cases) {
    EXPECT_EQ(read({.status = 500, .content_type = "text/xml", .body = c.body}), c.expected)
        << c.what;
    EXPECT_EQ(read(ok(c.body)), c.expected) << c.what;
  }
}

TEST(soap_answer, description_of_a_fault_is_cut) {
  const auto got = decode_soap(ok("<Fault><errorCode>1</errorCode><errorDescription>" +
                                  std::string(2000, 'x') + "</errorDescription></Fault>"));
  ASSERT_FALSE(got);
  EXPECT_EQ(std::get<soap_fault>(got.error()), (soap_fault{1, std::string(128, 'x')}));
}

TEST(soap_answer, statuses_that_nothing_explains) {
  for (const unsigned status : {0U, 100U, 199U, 300U, 302U, 404U, 411U, 500U, 503U}) {
    for (const std::string_view body :
         {"", "<html/>", "gone", "<Envelope><Body><R><V>1</V></R></Body></Envelope>"}) {
      EXPECT_EQ(read({.status = status, .content_type = "text/xml", .body = body}),
                "HTTP status " + std::to_string(status));
    }
  }
}

constexpr auto error_cases = std::to_array<answer_case>({
    {"not XML", "status=ok", "not XML"},
    {"cut off", "<Envelope><Body><R><V>1</V></R></Body>", "not XML"},
    {"cut off in a fault", "<Envelope><Body><Fault><errorCode>718</errorCode>", "not XML"},
    {"no body", "<Envelope><R><V>1</V></R></Envelope>", "document of another kind"},
    {"no envelope", "<Body><R><V>1</V></R></Body>", "document of another kind"},
    {"document type", "<!DOCTYPE x><Envelope><Body/></Envelope>", "document type declaration"},
});

TEST(soap_answer, success_that_cannot_be_read_is_none) {
  for (const answer_case& c : error_cases) EXPECT_EQ(read(ok(c.body)), c.expected) << c.what;
}

TEST(soap_answer, q_132_at_most_64_kib) {
  std::string body = envelope("<R><V>1</V></R>");
  body.append(soap_answer_bytes - body.size(), ' ');
  EXPECT_EQ(read(ok(body)), "V=1");
  EXPECT_EQ(read(ok(body + " ")), "too long");
  EXPECT_EQ(read({.status = 500, .content_type = "", .body = body + " "}), "HTTP status 500");
}

TEST(soap_answer, q_134_bounds_of_the_text) {
  EXPECT_EQ(read(ok(envelope("<R><V>" + std::string(2048, 'x') + "</V></R>"))),
            "V=" + std::string(2048, 'x'));
  EXPECT_EQ(read(ok(envelope("<R><V>" + std::string(2049, 'x') + "</V></R>"))), "too long");
}

}  // namespace
}  // namespace damson
