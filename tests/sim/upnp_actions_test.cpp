// The actions of the gateway model's WANIPConnection and WANPPPConnection, against the service
// definitions of versions 1 and 2.

#include <chrono>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "upnp_requests.hpp"

namespace damson::sim {
namespace {

using namespace std::chrono_literals;

class upnp_actions : public upnp_router {};

TEST_F(upnp_actions, add_a_mapping_and_show_it) {
  EXPECT_EQ(call("AddPortMapping", {{"NewRemoteHost", ""},
                                    {"NewExternalPort", "80"},
                                    {"NewProtocol", "TCP"},
                                    {"NewInternalPort", "8080"},
                                    {"NewInternalClient", "192.168.1.100"},
                                    {"NewEnabled", "1"},
                                    {"NewPortMappingDescription", "a &lt;b&gt;"},
                                    {"NewLeaseDuration", "3600"}}),
            "<?xml version=\"1.0\"?>\r\n"
            "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\""
            " s:encodingStyle=\"http://schemas.xmlsoap.org/soap/encoding/\"><s:Body>"
            "<u:AddPortMappingResponse"
            " xmlns:u=\"urn:schemas-upnp-org:service:WANIPConnection:1\">"
            "</u:AddPortMappingResponse></s:Body></s:Envelope>\r\n");
  ASSERT_EQ(router().rules().size(), 1U);
  EXPECT_EQ(
      router().rules()[0],
      (nat_rule{transport::tcp, 80, rule_owner::upnp, {host, 8080}, {}, start + 1h, "a <b>"}));
  const std::string shown = call("GetSpecificPortMappingEntry", key("80"), start + 59min);
  EXPECT_TRUE(
      shown.contains("<NewInternalPort>8080</NewInternalPort>"
                     "<NewInternalClient>192.168.1.100</NewInternalClient>"
                     "<NewEnabled>1</NewEnabled>"
                     "<NewPortMappingDescription>a &lt;b&gt;</NewPortMappingDescription>"
                     "<NewLeaseDuration>60</NewLeaseDuration>"))
      << shown;
  EXPECT_EQ(code_of("GetSpecificPortMappingEntry", key("80", "UDP")), "714");
  EXPECT_EQ(code_of("GetSpecificPortMappingEntry", key("81")), "714");
  const auto& calls = router().upnp().calls();
  ASSERT_EQ(calls.size(), 4U);
  EXPECT_EQ(calls[0].action, "AddPortMapping");
  EXPECT_EQ(calls[0].argument("NewPortMappingDescription"), "a <b>");
  EXPECT_EQ(calls[3].code, 714);
  EXPECT_TRUE(router().complaints().empty());
}

TEST_F(upnp_actions, refuse_with_a_fault) {
  EXPECT_EQ(add({.client = "192.168.1.101"}), "606");
  const http_answer answer =
      ask(post(ip_control, ip_v1, "AddPortMapping",
               envelope(ip_v1, "AddPortMapping", wanted_mapping{.client = "192.168.1.101"}.all())));
  EXPECT_EQ(answer.message.start_line, "HTTP/1.1 500 Internal Server Error");
  EXPECT_TRUE(answer.message.body.contains(
      "<s:Body><s:Fault><faultcode>s:Client</faultcode><faultstring>UPnPError</faultstring>"
      "<detail><UPnPError xmlns=\"urn:schemas-upnp-org:control-1-0\"><errorCode>606</errorCode>"
      "<errorDescription>Action not authorized</errorDescription></UPnPError></detail></s:Fault>"))
      << answer.message.body;
  how().faults_with_200 = true;
  how().camel_case_faults = true;
  const http_answer odd = ask(post(ip_control, ip_v1, "X", envelope(ip_v1, "X", {})));
  EXPECT_EQ(odd.status, 200);
  EXPECT_TRUE(odd.message.body.contains("<faultCode>s:Client</faultCode>"));
  EXPECT_EQ(element_of(odd.message.body, "errorCode"), "401");
}

TEST_F(upnp_actions, refuse_values_that_are_none) {
  EXPECT_EQ(add({.external = "0"}), "716");
  EXPECT_EQ(add({.external = "65536"}), "402");
  EXPECT_EQ(add({.external = "+80"}), "402");
  EXPECT_EQ(add({.protocol = "tcp"}), "402") << "Q-178";
  EXPECT_EQ(add({.internal = "0"}), "402");
  EXPECT_EQ(add({.client = "host.lan"}), "402");
  EXPECT_EQ(add({.client = ""}), "402");
  EXPECT_EQ(add({.lease = "-1"}), "402");
  EXPECT_EQ(add({.remote_host = "*"}), "726") << "Q-171";
  EXPECT_EQ(add({.enabled = "maybe"}), "402");
  EXPECT_EQ(add({.description = std::string(257, 'x')}), "605") << "Q-183";
  EXPECT_TRUE(router().complaints().empty());
  EXPECT_EQ(add({.enabled = "0"}), "0") << "Q-187: it is active all the same";
  EXPECT_EQ(router().complaints().size(), 1U);
  how().version = 2;
  EXPECT_EQ(add({.internal = "0"}), "732");
}

TEST_F(upnp_actions, need_their_arguments_in_order_without_a_namespace) {
  arguments in = key("80");
  std::swap(in[0], in[1]);
  EXPECT_EQ(code_of("GetSpecificPortMappingEntry", in), "402");
  in = key("80");
  in.pop_back();
  EXPECT_EQ(code_of("GetSpecificPortMappingEntry", in), "402");
  in = key("80");
  in.emplace_back("NewMore", "1");
  EXPECT_EQ(code_of("GetSpecificPortMappingEntry", in), "402");
  std::string body = envelope(ip_v1, "GetGenericPortMappingEntry", {});
  body.replace(body.find("></u:"), 1, "><u:NewPortMappingIndex>0</u:NewPortMappingIndex>");
  const http_answer answer = ask(post(ip_control, ip_v1, "GetGenericPortMappingEntry", body));
  EXPECT_EQ(element_of(answer.message.body, "errorCode"), "402");
}

TEST_F(upnp_actions, overwrite_for_the_same_client_only) {
  EXPECT_EQ(add({}), "0");
  EXPECT_EQ(add({.client = "192.168.1.101"}, start, other_host), "718");
  EXPECT_EQ(add({.internal = "9090", .lease = "7200"}, start + 1min), "0");
  ASSERT_EQ(router().rules().size(), 1U);
  EXPECT_EQ(router().rules()[0].internal.port, 9090);
  EXPECT_EQ(router().rules()[0].expires, start + 2h + 1min);
  EXPECT_EQ(add({.external = "8081", .internal = "9090"}), "0") << "one more port for it";
  EXPECT_EQ(router().rules().size(), 2U);
  how().no_overwriting = true;
  EXPECT_EQ(add({}), "718");
}

TEST_F(upnp_actions, delete_what_is_the_senders_own) {
  EXPECT_EQ(add({}), "0");
  EXPECT_EQ(code_of("DeletePortMapping", key("8080"), start, other_host), "714") << "Q-165";
  how().version = 2;
  EXPECT_EQ(code_of("DeletePortMapping", key("8080"), start, other_host), "606");
  EXPECT_EQ(code_of("DeletePortMapping", key("8080", "UDP")), "714");
  how().refuses_deletes_with = 501;
  EXPECT_EQ(code_of("DeletePortMapping", key("8080")), "501");
  how().refuses_deletes_with.reset();
  EXPECT_EQ(code_of("DeletePortMapping", key("8080")), "0");
  EXPECT_TRUE(router().rules().empty());
  EXPECT_EQ(code_of("DeletePortMapping", key("8080")), "714");
  how().secure_mode = false;
  EXPECT_EQ(add({.client = "192.168.1.101"}), "0");
  EXPECT_EQ(code_of("DeletePortMapping", key("8080")), "0");
}

TEST_F(upnp_actions, of_version_2_delete_a_range) {
  how().version = 2;
  const auto range = [](std::string_view first, std::string_view last,
                        std::string_view manage = "0", std::string_view protocol = "TCP") {
    return arguments{{"NewStartPort", std::string{first}},
                     {"NewEndPort", std::string{last}},
                     {"NewProtocol", std::string{protocol}},
                     {"NewManage", std::string{manage}}};
  };
  EXPECT_EQ(add({.external = "80"}), "0");
  EXPECT_EQ(add({.external = "90"}), "0");
  EXPECT_EQ(add({.external = "91", .protocol = "UDP"}), "0");
  EXPECT_EQ(add({.external = "95", .client = "192.168.1.101"}, start, other_host), "0");
  EXPECT_EQ(code_of("DeletePortMappingRange", range("91", "80")), "733");
  EXPECT_EQ(code_of("DeletePortMappingRange", range("81", "89")), "730");
  EXPECT_EQ(code_of("DeletePortMappingRange", range("80", "65536")), "402");
  EXPECT_EQ(code_of("DeletePortMappingRange", range("80", "99", "perhaps")), "402");
  EXPECT_EQ(code_of("DeletePortMappingRange", range("80", "99", "1")), "606")
      << "everybody's, which takes rights";
  how().refuses_deletes_with = 501;
  EXPECT_EQ(code_of("DeletePortMappingRange", range("80", "99")), "501");
  how().refuses_deletes_with.reset();
  EXPECT_EQ(code_of("DeletePortMappingRange", range("80", "99")), "0");
  ASSERT_EQ(router().rules().size(), 2U);
  EXPECT_EQ(router().rules()[0].internal.address, other_host) << "somebody else's stays";
  EXPECT_EQ(router().rules()[1].transport, transport::udp);
  how().secure_mode = false;
  EXPECT_EQ(code_of("DeletePortMappingRange", range("80", "99", "1")), "0");
  EXPECT_EQ(router().rules().size(), 1U);
  how().version = 1;
  EXPECT_EQ(code_of("DeletePortMappingRange", range("80", "99")), "401");
}

TEST_F(upnp_actions, of_version_2_list_a_range) {
  how().version = 2;
  const auto list = [this](std::string_view first, std::string_view last,
                           std::string_view most = "0", std::string_view manage = "0") {
    return call("GetListOfPortMappings", {{"NewStartPort", std::string{first}},
                                          {"NewEndPort", std::string{last}},
                                          {"NewProtocol", "TCP"},
                                          {"NewManage", std::string{manage}},
                                          {"NewNumberOfPorts", std::string{most}}});
  };
  EXPECT_EQ(add({.external = "80", .description = "a &amp; b"}), "0");
  EXPECT_EQ(add({.external = "90"}), "0");
  EXPECT_EQ(add({.external = "95", .client = "192.168.1.101"}, start, other_host), "0");
  EXPECT_EQ(element_of(list("80", "80"), "NewPortListing"),
            "&lt;?xml version=\"1.0\"?&gt;&lt;p:PortMappingList "
            "xmlns:p=\"urn:schemas-upnp-org:gw:WANIPConnection\" "
            "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" "
            "xsi:schemaLocation=\"urn:schemas-upnp-org:gw:WANIPConnection "
            "http://www.upnp.org/schemas/gw/WANIPConnection-v2.xsd\"&gt;"
            "&lt;p:PortMappingEntry&gt;"
            "&lt;p:NewRemoteHost&gt;&lt;/p:NewRemoteHost&gt;"
            "&lt;p:NewExternalPort&gt;80&lt;/p:NewExternalPort&gt;"
            "&lt;p:NewProtocol&gt;TCP&lt;/p:NewProtocol&gt;"
            "&lt;p:NewInternalPort&gt;8080&lt;/p:NewInternalPort&gt;"
            "&lt;p:NewInternalClient&gt;192.168.1.100&lt;/p:NewInternalClient&gt;"
            "&lt;p:NewEnabled&gt;1&lt;/p:NewEnabled&gt;"
            "&lt;p:NewDescription&gt;a &amp;amp; b&lt;/p:NewDescription&gt;"
            "&lt;p:NewLeaseTime&gt;3600&lt;/p:NewLeaseTime&gt;"
            "&lt;/p:PortMappingEntry&gt;&lt;/p:PortMappingList&gt;");
  const auto entries = [&](const std::string& body) {
    std::size_t out = 0;
    for (std::size_t at = body.find("&lt;p:PortMappingEntry&gt;"); at != std::string::npos;
         at = body.find("&lt;p:PortMappingEntry&gt;", at + 1)) {
      ++out;
    }
    return out;
  };
  EXPECT_EQ(entries(list("0", "65535")), 2U) << "not somebody else's";
  EXPECT_EQ(entries(list("0", "65535", "1")), 1U);
  EXPECT_EQ(code_in(list("0", "65535", "x")), "402");
  EXPECT_EQ(code_in(list("81", "89")), "730");
  EXPECT_EQ(code_in(list("81", "80")), "733");
  EXPECT_EQ(code_in(list("0", "65535", "0", "1")), "606");
}

TEST_F(upnp_actions, list_entries_until_there_are_no_more) {
  EXPECT_EQ(add({.external = "81"}), "0");
  EXPECT_EQ(add({.external = "80", .protocol = "UDP", .lease = "0"}), "0");
  const auto entry = [&](std::string_view index) {
    return call("GetGenericPortMappingEntry", {{"NewPortMappingIndex", std::string{index}}});
  };
  EXPECT_TRUE(
      entry("0").contains("<NewRemoteHost></NewRemoteHost>"
                          "<NewExternalPort>81</NewExternalPort>"
                          "<NewProtocol>TCP</NewProtocol>"
                          "<NewInternalPort>8080</NewInternalPort>"))
      << entry("0");
  EXPECT_EQ(element_of(entry("1"), "NewProtocol"), "UDP");
  EXPECT_EQ(element_of(entry("1"), "NewLeaseDuration"), "0");
  EXPECT_EQ(element_of(entry("2"), "errorCode"), "713");
  how().list_end_code = 401;
  EXPECT_EQ(element_of(entry("2"), "errorCode"), "401");
}

TEST_F(upnp_actions, tell_address_and_status) {
  const auto address = [&] {
    return element_of(call("GetExternalIPAddress", {}), "NewExternalIPAddress");
  };
  EXPECT_EQ(address(), "198.51.100.7");
  const std::string status = call("GetStatusInfo", {}, start + 90s);
  EXPECT_TRUE(
      status.contains("<NewConnectionStatus>Connected</NewConnectionStatus>"
                      "<NewLastConnectionError>ERROR_NONE</NewLastConnectionError>"
                      "<NewUptime>90</NewUptime>"))
      << status;
  how().uptime = 358'187'520;
  EXPECT_EQ(element_of(call("GetStatusInfo", {}), "NewUptime"), "358187520");
  router().set_public_address(start, std::nullopt);
  EXPECT_EQ(address(), "");
  EXPECT_EQ(element_of(call("GetStatusInfo", {}), "NewConnectionStatus"), "Disconnected");
  EXPECT_EQ(add({}), "501");
  how().unknown_address_is_zero = true;
  EXPECT_EQ(address(), "0.0.0.0");
}

TEST_F(upnp_actions, count_the_uptime_from_the_last_restart) {
  router().reboot(start + 1h);
  const std::string body = envelope(ip_v1, "GetStatusInfo", {});
  const auto answer =
      ask(post(ip_control, ip_v1, "GetStatusInfo", body, "192.168.1.1:5037"), start + 1h + 5s);
  EXPECT_EQ(element_of(answer.message.body, "NewUptime"), "5");
}

TEST_F(upnp_actions, fail_behind_another_nat_where_the_profile_says_so) {
  router().set_public_address(start, v4(192, 168, 100, 2));
  EXPECT_EQ(add({}), "0") << "Q-153: others do not mind";
  how().private_wan_disables = true;
  EXPECT_EQ(add({.external = "81"}), "501");
  EXPECT_EQ(element_of(call("GetExternalIPAddress", {}), "NewExternalIPAddress"), "");
}

TEST_F(upnp_actions, of_a_connection_that_is_down_do_nothing) {
  how().connections = {{wan_service::ip, false, "Connected", {}},
                       {wan_service::ppp, true, "Up", v4(198, 51, 100, 8)}};
  EXPECT_EQ(add({}), "501");
  EXPECT_EQ(element_of(call("GetStatusInfo", {}), "NewConnectionStatus"), "Disconnected");
  constexpr std::string_view ppp = "urn:schemas-upnp-org:service:WANPPPConnection:1";
  const auto other = [&](std::string_view action) {
    return ask(post("/ctl/WANPPPConn2", ppp, action, envelope(ppp, action, {}))).message.body;
  };
  EXPECT_EQ(element_of(other("GetStatusInfo"), "NewConnectionStatus"), "Up");
  EXPECT_EQ(element_of(other("GetExternalIPAddress"), "NewExternalIPAddress"), "198.51.100.8");
}

TEST_F(upnp_actions, serve_the_services_beside_them) {
  constexpr std::string_view common = "urn:schemas-upnp-org:service:WANCommonInterfaceConfig:1";
  const auto ask_at = [&](std::string_view path, std::string_view type, std::string_view action) {
    return ask(post(path, type, action, envelope(type, action, {}))).message.body;
  };
  EXPECT_EQ(element_of(ask_at("/ctl/WANCommonIFC1", common, "GetCommonLinkProperties"),
                       "NewPhysicalLinkStatus"),
            "Up");
  EXPECT_EQ(element_of(ask_at("/ctl/WANCommonIFC1", common, "GetExternalIPAddress"), "errorCode"),
            "401");
  constexpr std::string_view layer3 = "urn:schemas-upnp-org:service:Layer3Forwarding:1";
  EXPECT_EQ(element_of(ask_at("/ctl/L3Forwarding1", layer3, "GetDefaultConnectionService"),
                       "NewDefaultConnectionService"),
            "uuid:6f1d5a1e-7c2b-4a57-1002-0000c0a80101:WANConnectionDevice:1,"
            "urn:upnp-org:serviceId:WANIPConn1");
}

// -------------------------------------------------------------------------------------------------
// Version 2

TEST_F(upnp_actions, add_any_gives_the_next_free_port) {
  const auto reserved = [&](const wanted_mapping& what, const ip_address& sender = host) {
    return element_of(call("AddAnyPortMapping", what.all(), start, sender), "NewReservedPort");
  };
  EXPECT_EQ(code_of("AddAnyPortMapping", wanted_mapping{}.all()), "401") << "not in version 1";
  how().version = 2;
  EXPECT_EQ(reserved({.client = "192.168.1.101"}, other_host), "8080");
  EXPECT_EQ(reserved({}), "8081");
  EXPECT_EQ(reserved({.external = "8081"}), "8081") << "its own again";
  EXPECT_EQ(router().rules().size(), 2U);
  how().any_port_moves = true;
  EXPECT_EQ(reserved({.external = "8081"}), "8082");
  EXPECT_EQ(router().rules().size(), 3U);
  how().reserved_port_name = "NewExternalPort";
  EXPECT_EQ(element_of(call("AddAnyPortMapping", wanted_mapping{.external = "9000"}.all()),
                       "NewExternalPort"),
            "9000");
  how().reserved_port_name = "";
  EXPECT_TRUE(call("AddAnyPortMapping", wanted_mapping{.external = "9001"}.all())
                  .contains("WANIPConnection:2\"></u:AddAnyPortMappingResponse>"));
  router().behaviour().max_rules = 5;
  EXPECT_EQ(code_of("AddAnyPortMapping", wanted_mapping{.external = "9002"}.all()), "728");
}

TEST_F(upnp_actions, call_another_protocols_rule_a_conflict) {
  router().occupy(transport::tcp, 8080, {host, 8080});
  EXPECT_EQ(add({}), "718");
  how().version = 2;
  EXPECT_EQ(add({}), "729");
  EXPECT_EQ(code_of("DeletePortMapping", key("8080")), "606");
}

TEST_F(upnp_actions, share_a_rule_with_pcp_where_the_profile_says_so) {
  router().behaviour().speaks_nat_pmp = true;
  const auto nat_pmp = [&](std::string_view lifetime) {
    return router()
        .handle(start, from_host(packet({"00 02 0000 1f90 1f90", lifetime})))
        .at(0)
        .bytes[3];
  };
  EXPECT_EQ(nat_pmp("00001c20"), std::byte{0});
  EXPECT_EQ(add({}), "718");
  how().one_rule_for_all_protocols = true;
  EXPECT_EQ(add({}), "0");
  ASSERT_EQ(router().rules().size(), 1U);
  EXPECT_EQ(router().rules()[0].owner, rule_owner::nat_pmp);
  EXPECT_EQ(code_of("DeletePortMapping", key("8080")), "0");
  EXPECT_TRUE(router().rules().empty()) << "both have lost it";
  EXPECT_EQ(add({}), "0");
  EXPECT_EQ(nat_pmp("00001c20"), std::byte{2}) << "not authorized";
  how().one_rule_for_all_protocols = false;
  EXPECT_EQ(nat_pmp("00001c20"), std::byte{0});
  EXPECT_EQ(router().rules().size(), 2U) << "8080 is taken, so NAT-PMP got another port";
}

// -------------------------------------------------------------------------------------------------
// Leases

TEST_F(upnp_actions, end_leases_in_time) {
  EXPECT_EQ(add({}), "0");
  EXPECT_EQ(shown_lease(start + 3599s + 1ms), "1");
  EXPECT_EQ(shown_lease(start + 3600s), "[714]");
  EXPECT_TRUE(router().rules().empty());
}

TEST_F(upnp_actions, take_a_lease_of_0_for_permanent_in_version_1_and_a_week_in_2) {
  EXPECT_EQ(add({.lease = "0"}), "0");
  EXPECT_EQ(shown_lease(start + 1'000h), "0");
  how().version = 2;
  EXPECT_EQ(add({.lease = "0"}), "0");
  EXPECT_EQ(shown_lease(), "604800");
  EXPECT_EQ(add({.lease = "604801"}), "402");
}

TEST_F(upnp_actions, refuse_leases_as_the_profile_says) {
  how().leases = lease_policy::only_permanent_725;
  EXPECT_EQ(add({}), "725");
  EXPECT_EQ(add({.lease = "0"}), "0");
  EXPECT_EQ(shown_lease(), "0");
  how().leases = lease_policy::only_permanent_402;
  EXPECT_EQ(add({}), "402");
  EXPECT_EQ(add({.lease = "0"}), "0");
  how().leases = lease_policy::only_finite_402;
  EXPECT_EQ(add({.lease = "0"}), "402");
  EXPECT_EQ(add({.lease = "604800"}), "0");
  EXPECT_EQ(shown_lease(), "604800");
}

TEST_F(upnp_actions, change_or_drop_leases_as_the_profile_says) {
  how().leases = lease_policy::finite_is_dropped;
  EXPECT_EQ(add({}), "0");
  EXPECT_EQ(shown_lease(), "[714]");
  EXPECT_EQ(add({.lease = "0"}), "0");
  EXPECT_EQ(shown_lease(), "0");
  how().leases = lease_policy::as_asked;
  how().forced_lease = 86'400;
  EXPECT_EQ(add({}), "0");
  EXPECT_EQ(shown_lease(), "86400");
  how().shows_lease_as_zero = true;
  EXPECT_EQ(shown_lease(), "0");
  EXPECT_EQ(router().rules()[0].expires, start + 24h);
  how().forced_lease = 0;
  EXPECT_EQ(add({}), "0");
  EXPECT_EQ(router().rules()[0].expires, std::nullopt);
}

TEST_F(upnp_actions, do_not_extend_a_lease_where_the_profile_says_so) {
  EXPECT_EQ(add({}), "0");
  how().refresh_does_not_extend = true;
  EXPECT_EQ(add({}, start + 30min), "0");
  EXPECT_EQ(shown_lease(start + 30min), "1800");
}

// -------------------------------------------------------------------------------------------------
// Refusals and lies

TEST_F(upnp_actions, refuse_by_policy) {
  how().refuses_low_ports = true;
  EXPECT_EQ(add({.external = "1023"}), "606");
  EXPECT_EQ(add({.internal = "80"}), "606");
  how().policy_refusals_are_718 = true;
  EXPECT_EQ(add({.external = "1023"}), "718");
  how().same_ports_required = true;
  EXPECT_EQ(add({.external = "8081"}), "724");
  EXPECT_EQ(add({}), "0");
}

TEST_F(upnp_actions, refuse_with_any_code_as_often_as_the_profile_says) {
  how().refuses_adds_with = -911;
  how().refused_adds = 2;
  EXPECT_EQ(add({}), "-911");
  EXPECT_EQ(add({}), "-911");
  EXPECT_EQ(add({}), "0");
  how().refused_adds.reset();
  EXPECT_EQ(add({}), "-911");
}

TEST_F(upnp_actions, are_missing_where_the_profile_says_so) {
  how().missing_actions = {"GetSpecificPortMappingEntry"};
  EXPECT_EQ(code_of("GetSpecificPortMappingEntry", key("80")), "401");
  how().missing_action_code = 602;
  EXPECT_EQ(code_of("GetSpecificPortMappingEntry", key("80")), "602");
  how().missing_actions.clear();
  how().missing_entry_code = 501;
  EXPECT_EQ(code_of("GetSpecificPortMappingEntry", key("80")), "501");
}

TEST_F(upnp_actions, run_out_of_room) {
  router().behaviour().rules_per_host = 1;
  EXPECT_EQ(add({}), "0");
  EXPECT_EQ(add({.external = "81"}), "718") << "Q-168";
  EXPECT_EQ(add({}), "0") << "a refresh needs none";
  how().version = 2;
  EXPECT_EQ(add({.external = "81"}), "728") << "Q-173";
  how().full_table_is_silent = true;
  EXPECT_EQ(add({.external = "81"}), "0");
  EXPECT_EQ(router().rules().size(), 1U);
  router().behaviour().rules_per_host.reset();
  how().success_without_entry = true;
  EXPECT_EQ(add({.external = "81"}), "0");
  EXPECT_EQ(router().rules().size(), 1U);
}

TEST_F(upnp_actions, decode_three_entities_only_where_the_profile_says_so) {
  EXPECT_EQ(add({.description = "&quot;a&quot; &#38; b"}), "0");
  EXPECT_EQ(router().rules()[0].description, "\"a\" & b");
  how().entities = xml_entities::three;
  const std::string body =
      envelope(ip_v1, "AddPortMapping", wanted_mapping{.description = "&quot;"}.all());
  EXPECT_EQ(ask(post(ip_control, ip_v1, "AddPortMapping", body)).status, 400);
  EXPECT_EQ(add({.description = "&lt;&amp;&gt;"}), "0");
}

}  // namespace
}  // namespace damson::sim
