#include "wire/pinhole_actions.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "wire/igd_actions.hpp"

namespace damson {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view firewall = "urn:schemas-upnp-org:service:WANIPv6FirewallControl:1";

std::string enveloped(std::string_view action, std::string_view inside) {
  return "<?xml version=\"1.0\"?><s:Envelope "
         "xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" "
         "s:encodingStyle=\"http://schemas.xmlsoap.org/soap/encoding/\"><s:Body><u:" +
         std::string{action} +
         " xmlns:u=\"urn:schemas-upnp-org:service:WANIPv6FirewallControl:1\">" +
         std::string{inside} + "</u:" + std::string{action} + "></s:Body></s:Envelope>";
}

pinhole_request wanted() {
  return {.transport = transport::tcp,
          .internal_client = *ip_address::parse("2001:db8::64"),
          .internal_port = 8'080,
          .lease = 3'600s};
}

// Requests
// ----------------------------------------------------------------------------------------

TEST(pinhole_request, add_pinhole) {
  const soap_request got = make_add_pinhole(firewall, wanted());
  EXPECT_EQ(got.action, "\"urn:schemas-upnp-org:service:WANIPv6FirewallControl:1#AddPinhole\"");
  EXPECT_EQ(got.body, enveloped("AddPinhole",
                                "<RemoteHost></RemoteHost>"   // everybody
                                "<RemotePort>0</RemotePort>"  // from every port
                                "<InternalClient>2001:db8::64</InternalClient>"
                                "<InternalPort>8080</InternalPort>"
                                "<Protocol>6</Protocol>"          // IANA's number of TCP
                                "<LeaseTime>3600</LeaseTime>"));  // seconds
}

TEST(pinhole_request, add_pinhole_at_the_bounds) {
  pinhole_request request = wanted();
  request.transport = transport::udp;
  request.internal_client = ip_address{request.internal_client.to_v6(), 7};
  request.internal_port = 65'535;
  request.lease = 86'400s;
  EXPECT_EQ(make_add_pinhole(firewall, request).body,
            enveloped("AddPinhole",
                      "<RemoteHost></RemoteHost><RemotePort>0</RemotePort>"
                      "<InternalClient>2001:db8::64</InternalClient>"  // never with a scope
                      "<InternalPort>65535</InternalPort>"
                      "<Protocol>17</Protocol>"  // UDP
                      "<LeaseTime>86400</LeaseTime>"));
}

TEST(pinhole_request, update_pinhole) {
  const soap_request got = make_update_pinhole(firewall, 65'535, 1s);
  EXPECT_EQ(got.action, "\"urn:schemas-upnp-org:service:WANIPv6FirewallControl:1#UpdatePinhole\"");
  EXPECT_EQ(got.body, enveloped("UpdatePinhole",
                                "<UniqueID>65535</UniqueID>"
                                "<NewLeaseTime>1</NewLeaseTime>"));
}

TEST(pinhole_request, the_others_name_the_pinhole_or_nothing) {
  const std::string_view id = "<UniqueID>17</UniqueID>";
  EXPECT_EQ(make_delete_pinhole(firewall, 17).body, enveloped("DeletePinhole", id));
  EXPECT_EQ(make_get_pinhole_packets(firewall, 17).body, enveloped("GetPinholePackets", id));
  EXPECT_EQ(make_check_pinhole_working(firewall, 17).body, enveloped("CheckPinholeWorking", id));
  EXPECT_EQ(make_get_firewall_status(firewall).body, enveloped("GetFirewallStatus", ""));
  EXPECT_EQ(make_get_firewall_status(firewall).action,
            "\"urn:schemas-upnp-org:service:WANIPv6FirewallControl:1#GetFirewallStatus\"");
}

// Answers
// ----------------------------------------------------------------------------------------

std::string response(std::string_view inside) {
  return "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body>"
         "<u:Response xmlns:u=\"urn:schemas-upnp-org:service:WANIPv6FirewallControl:1\">" +
         std::string{inside} + "</u:Response></s:Body></s:Envelope>";
}

http_answer success(const std::string& body) {
  return {.status = 200, .content_type = "text/xml", .body = body};
}

std::string status_text(std::string_view enabled, std::string_view allowed) {
  return response("<FirewallEnabled>" + std::string{enabled} +
                  "</FirewallEnabled><InboundPinholeAllowed>" + std::string{allowed} +
                  "</InboundPinholeAllowed>");
}

TEST(pinhole_answer, firewall_status) {
  const std::string on = status_text("1", "1");
  EXPECT_EQ(decode_firewall_status(success(on)), (firewall_status{true, true}));
  const std::string forbidden = status_text("true", " no ");
  EXPECT_EQ(decode_firewall_status(success(forbidden)), (firewall_status{true, false}));
  const std::string off = status_text("FALSE", "0");
  EXPECT_EQ(decode_firewall_status(success(off)), (firewall_status{false, false}));
}

TEST(pinhole_answer, firewall_status_that_is_none) {
  for (const std::string& text :
       {status_text("2", "1"), status_text("1", ""), status_text("on", "1")}) {
    EXPECT_EQ(decode_firewall_status(success(text)).error(), soap_error{decode_error::bad_value})
        << text;
  }
  const std::string half = response("<FirewallEnabled>1</FirewallEnabled>");
  EXPECT_EQ(decode_firewall_status(success(half)).error(), soap_error{decode_error::missing_field});
}

TEST(pinhole_answer, number) {
  const auto read = [](std::string_view text) {
    const std::string body = response("<UniqueID>" + std::string{text} + "</UniqueID>");
    return decode_pinhole_id(success(body));
  };
  EXPECT_EQ(read("0"), 0);
  EXPECT_EQ(read(" 65535 "), 65'535);
  for (const char* const wrong : {"65536", "-1", "", "1x", "0x10", "4294967297"}) {
    EXPECT_EQ(read(wrong).error(), soap_error{decode_error::bad_value}) << wrong;
  }
  const std::string nothing = response("");
  EXPECT_EQ(decode_pinhole_id(success(nothing)).error(), soap_error{decode_error::missing_field});
}

TEST(pinhole_answer, packets_and_whether_it_works) {
  const std::string packets = response("<PinholePackets>4294967295</PinholePackets>");
  EXPECT_EQ(decode_pinhole_packets(success(packets)), 4'294'967'295U);
  const std::string too_many = response("<PinholePackets>4294967296</PinholePackets>");
  EXPECT_EQ(decode_pinhole_packets(success(too_many)).error(), soap_error{decode_error::bad_value});
  const std::string works = response("<IsWorking>1</IsWorking>");
  EXPECT_EQ(decode_pinhole_working(success(works)), true);
  const std::string broken = response("<IsWorking>0</IsWorking>");
  EXPECT_EQ(decode_pinhole_working(success(broken)), false);
  const std::string nonsense = response("<IsWorking>maybe</IsWorking>");
  EXPECT_EQ(decode_pinhole_working(success(nonsense)).error(), soap_error{decode_error::bad_value});
}

TEST(pinhole_answer, faults_stay_faults) {
  const std::string body =
      "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><s:Fault>"
      "<faultcode>s:Client</faultcode><faultstring>UPnPError</faultstring><detail>"
      "<UPnPError xmlns=\"urn:schemas-upnp-org:control-1-0\"><errorCode>704</errorCode>"
      "<errorDescription>NoSuchEntry</errorDescription></UPnPError></detail></s:Fault></s:Body>"
      "</s:Envelope>";
  const http_answer refusal{.status = 500, .content_type = "text/xml", .body = body};
  const soap_error fault = soap_fault{704, "NoSuchEntry"};
  EXPECT_EQ(decode_firewall_status(refusal).error(), fault);
  EXPECT_EQ(decode_pinhole_id(refusal).error(), fault);
  EXPECT_EQ(decode_pinhole_packets(refusal).error(), fault);
  EXPECT_EQ(decode_pinhole_working(refusal).error(), fault);
}

}  // namespace
}  // namespace damson
