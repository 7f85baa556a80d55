// The gateway models beside the real miniupnpd: the same requests, good and bad. What their answers
// differ in is listed, with a judgement, in docs/testing.md, which this test reads: a difference
// that is not in the list fails, and so does one that is in the list and not there any more.

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "interop.hpp"
#include "two_routers.hpp"

namespace {

/// One row of the list: for which version of the gateway, and the difference.
std::vector<difference> listed(std::uint8_t version) {
  std::ifstream file(DAMSON_DIFFERENCES);
  std::vector<difference> out;
  bool inside = false;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("<!-- differences")) inside = true;
    if (line.starts_with("<!-- end of differences")) inside = false;
    if (!inside || !line.starts_with("| ")) continue;
    std::vector<std::string> cells;
    for (std::size_t at = 2; at < line.size();) {
      const std::size_t end = std::min(line.find(" |", at), line.size());
      cells.push_back(line.substr(at, end - at));
      at = end + 3;
    }
    if (cells.size() != 6 || !cells[0].contains(std::to_string(version))) continue;
    out.push_back({cells[1], cells[2], cells[3], cells[4]});
  }
  return out;
}

std::string text_of(const difference& one) {
  return "| " + one.request + " | " + one.field + " | " + one.real + " | " + one.model + " |";
}

void expect_listed(const two_routers& routers, std::uint8_t version) {
  const std::vector<difference> known = listed(version);
  for (const difference& one : routers.differences()) {
    EXPECT_NE(std::ranges::count(known, one), 0) << "not in the list: " << text_of(one);
  }
  for (const difference& one : known) {
    EXPECT_NE(std::ranges::count(routers.differences(), one), 0)
        << "in the list and not seen: " << text_of(one);
  }
}

struct map_fields {
  std::string_view lifetime = "00001c20";  // 7200 s
  std::string_view nonce = "0102030405060708090a0b0c";
  std::string_view protocol = "06";
  std::string_view internal = "1f90";  // 8080
  std::string_view external = "1f90";
  std::string_view client = "c0a84d0a";  // 192.168.77.10
  std::string_view options{};
};

std::string map(const map_fields& with) {
  std::string out = "02 01 0000 ";                                         // version 2, MAP
  out.append(with.lifetime).append(" 00000000 00000000 0000ffff ");        // client address, mapped
  out.append(with.client).append(with.nonce).append(with.protocol);        // nonce, protocol
  out.append("000000").append(with.internal).append(with.external);        // reserved, ports
  out.append("00000000 00000000 0000ffff 00000000").append(with.options);  // suggested address
  return out;
}

std::string map_v6(std::string_view lifetime, std::string_view nonce, std::string_view external) {
  std::string out = "02 01 0000 ";
  out.append(lifetime).append(" 20010db8 00770000 00000000 00000010 ");  // 2001:db8:77::10
  out.append(nonce).append("06 000000 1f90 ").append(external);
  return out + "00000000 00000000 00000000 00000000";
}

constexpr std::string_view other_nonce = "ffffffffffffffffffffffff";

void ask_pcp(two_routers& of) {
  of.pcp("ANNOUNCE", "02 00 0000 00000000 00000000 00000000 0000ffff c0a84d0a");
  of.pcp("MAP", map({}));
  of.pcp("MAP, renewed for 1 h", map({.lifetime = "00000e10"}));
  of.pcp("MAP, deleted with another nonce",
         map({.lifetime = "00000000", .nonce = other_nonce, .external = "0000"}));
  of.pcp("MAP of a taken port", map({.internal = "1f91"}));
  of.pcp("MAP of a taken port, PREFER_FAILURE", map({.internal = "1f92", .options = "02 00 0000"}));
  of.pcp("PREFER_FAILURE without a port",
         map({.internal = "1f92", .external = "0000", .options = "02 00 0000"}));
  of.pcp("PREFER_FAILURE of a free port",
         map({.internal = "1f92", .external = "1f9a", .options = "02 00 0000"}));
  of.pcp("PREFER_FAILURE with data", map({.internal = "1f93", .options = "02 00 0004 00000000"}));
  of.pcp("MAP for 60 s", map({.lifetime = "0000003c", .internal = "1f94", .external = "0000"}));
  of.pcp("MAP for 30 years", map({.lifetime = "3b9aca00", .internal = "1f95", .external = "0000"}));
  of.pcp("MAP of UDP", map({.protocol = "11"}));
  of.pcp("MAP, deleted", map({.lifetime = "00000000", .external = "0000"}));
  of.pcp("MAP, deleted once more", map({.lifetime = "00000000", .external = "0000"}));
  of.pcp("MAP of all protocols", map({.protocol = "00", .internal = "0000", .external = "0000"}));
  of.pcp("MAP of SCTP", map({.protocol = "84", .internal = "1fb1", .external = "1fb1"}));
  of.pcp("MAP of all ports", map({.internal = "0000", .external = "1fb2"}));
  of.pcp("unknown mandatory option", map({.internal = "1f96", .options = "7e 00 0000"}));
  of.pcp("unknown optional option", map({.internal = "1f97", .options = "fe 00 0000"}));
  of.pcp("option longer than the packet", map({.internal = "1f98", .options = "fe 00 0040"}));
  of.pcp("THIRD_PARTY",
         map({.internal = "1f99", .options = "01 00 0010 00000000 00000000 0000ffff c0a84d0b"}));
  of.pcp("FILTER", map({.internal = "1fa0",
                        .external = "1fa0",
                        .options = "03 00 0014 00 78 0000 00000000 00000000 0000ffff 01020300"}));
  of.pcp("FILTER that is too short",
         map({.internal = "1fa1", .options = "03 00 0010 00 78 0000 00000000 00000000 0000ffff"}));
  of.pcp("another client address", map({.client = "c0a84d0b"}));
  of.pcp("version 3", "03 01" + map({}).substr(5));
  of.pcp("opcode 3", "02 03" + map({}).substr(5));
  of.pcp("MAP cut to 56 bytes", map({}).substr(0, map({}).size() - 9));
  of.pcp("header cut to 20 bytes", "02 00 0000 00000000 00000000 00000000 0000ffff");
  of.pcp("62 bytes", map({.options = "0000"}));
  of.pcp("response bit", "02 81" + map({}).substr(5));
  of.pcp("1104 bytes", map({.options = std::string(2 * 1'044, '0')}));
  of.pcp("PEER", "02 02" + map({.internal = "1fa2", .external = "0000"}).substr(5) +
                     "01bb 0000 00000000 00000000 0000ffff 01020305");
  // What makes the two tables differ comes last, on a port of its own.
  of.pcp("MAP to be stolen", map({.internal = "1fb0", .external = "1fb0"}));
  of.pcp("MAP, renewed with another nonce",
         map({.nonce = other_nonce, .internal = "1fb0", .external = "1fb0"}));
}

void ask_pcp_v6(two_routers& of) {
  constexpr std::string_view nonce = "0102030405060708090a0b0c";
  of.pcp_v6("IPv6 ANNOUNCE", "02 00 0000 00000000 20010db8 00770000 00000000 00000010");
  of.pcp_v6("IPv6 MAP", map_v6("00001c20", nonce, "1f90"));
  of.pcp_v6("IPv6 MAP, renewed", map_v6("00001c20", nonce, "1f90"));
  of.pcp_v6("IPv6 MAP, renewed without a port", map_v6("00001c20", nonce, "0000"));
  of.pcp_v6("IPv6 MAP, deleted with another nonce", map_v6("00000000", other_nonce, "0000"));
  of.pcp_v6("IPv6 MAP, deleted with its port", map_v6("00000000", nonce, "1f90"));
  of.pcp_v6("IPv6 MAP, made anew", map_v6("00001c20", nonce, "1f90"));
  of.pcp_v6("IPv6 MAP, deleted", map_v6("00000000", nonce, "0000"));
  of.pcp_v6("IPv6 MAP, deleted once more", map_v6("00000000", nonce, "0000"));
  of.pcp_v6("IPv6 MAP to be stolen", map_v6("00001c20", nonce, "1f90"));
  of.pcp_v6("IPv6 MAP, renewed with another nonce", map_v6("00001c20", other_nonce, "1f90"));
}

void ask_nat_pmp(two_routers& of) {
  of.nat_pmp("NAT-PMP address", "00 00");
  of.nat_pmp("NAT-PMP map TCP", "00 02 0000 2328 2328 00001c20");
  of.nat_pmp("NAT-PMP map UDP, no port wished", "00 01 0000 2328 0000 00001c20");
  of.nat_pmp("NAT-PMP map of a taken port", "00 02 0000 2330 2328 00001c20");
  of.nat_pmp("NAT-PMP renewed, another port wished", "00 02 0000 2328 2329 00001c20");
  of.nat_pmp("NAT-PMP map of PCP's mapping", "00 02 0000 1f91 1f91 00001c20");
  of.nat_pmp("NAT-PMP map for 60 s", "00 01 0000 2332 2332 0000003c");
  of.nat_pmp("NAT-PMP delete", "00 01 0000 2328 0000 00000000");
  of.nat_pmp("NAT-PMP delete once more", "00 01 0000 2328 0000 00000000");
  of.nat_pmp("NAT-PMP delete with a port", "00 02 0000 2328 2328 00000000");
  of.nat_pmp("NAT-PMP map of port 0", "00 02 0000 0000 2328 00001c20");
  of.nat_pmp("NAT-PMP opcode 3", "00 03 0000 2328 2328 00001c20");
  of.nat_pmp("NAT-PMP response bit", "00 82 0000 2328 2328 00001c20");
  of.nat_pmp("NAT-PMP map cut to 8 bytes", "00 02 0000 2328 2328");
  of.nat_pmp("NAT-PMP delete all", "00 02 0000 0000 0000 00000000");
}

struct mapping_fields {
  std::string external = "5000";
  std::string protocol = "TCP";
  std::string internal = "5000";
  std::string client = "192.168.77.10";
  std::string lease = "3600";
  std::string remote_host{};
  std::string enabled = "1";
  std::string description = "a test";
};

arguments mapping(const mapping_fields& with) {
  return {{"NewRemoteHost", with.remote_host},
          {"NewExternalPort", with.external},
          {"NewProtocol", with.protocol},
          {"NewInternalPort", with.internal},
          {"NewInternalClient", with.client},
          {"NewEnabled", with.enabled},
          {"NewPortMappingDescription", with.description},
          {"NewLeaseDuration", with.lease}};
}

arguments key(const std::string& port, const std::string& protocol = "TCP") {
  return {{"NewRemoteHost", ""}, {"NewExternalPort", port}, {"NewProtocol", protocol}};
}

void tidy(two_routers& of, const std::string& port, const std::string& protocol = "TCP") {
  of.call("", service::connection, "DeletePortMapping", key(port, protocol));
}

void ask_about_mappings(two_routers& of) {
  constexpr service here = service::connection;
  const auto add = [&](const std::string& what, const mapping_fields& with) {
    of.call("AddPortMapping" + what, here, "AddPortMapping", mapping(with));
  };
  const arguments first_entry{{"NewPortMappingIndex", "0"}};
  of.call("GetGenericPortMappingEntry of nothing", here, "GetGenericPortMappingEntry", first_entry);
  add("", {});
  add(", once more", {.lease = "7200"});
  add(" to another port", {.internal = "5001"});
  add(" for another host", {.external = "5002", .client = "192.168.77.11"});
  add(", external port 0", {.external = "0"});
  add(", external port 65536", {.external = "65536"});
  add(", internal port 0", {.external = "5003", .internal = "0"});
  add(", low ports", {.external = "80", .internal = "80"});
  add(", protocol in small letters", {.external = "5004", .protocol = "tcp"});
  add(", protocol SCTP", {.external = "5005", .protocol = "SCTP"});
  add(", remote host *", {.external = "5006", .remote_host = "*"});
  add(", remote host 1.2.3.5", {.external = "5007", .remote_host = "1.2.3.5"});
  add(" without a client", {.external = "5008", .client = ""});
  add(" for a name", {.external = "5009", .client = "host.lan"});
  add(", not enabled", {.external = "5010", .enabled = "0"});
  add(", lease 0", {.external = "5011", .lease = "0"});
  add(", lease of more than a week", {.external = "5012", .lease = "604801"});
  add(", lease that is no number", {.external = "5013", .lease = "week"});
  of.call("AddPortMapping without arguments", here, "AddPortMapping", {});
  // What one took and the other did not is in nobody's way below.
  for (int port = 5002; port <= 5013; ++port) tidy(of, std::to_string(port));
  tidy(of, "80");
  of.call("GetSpecificPortMappingEntry", here, "GetSpecificPortMappingEntry", key("5000"));
  of.call("GetSpecificPortMappingEntry of nothing", here, "GetSpecificPortMappingEntry",
          key("5000", "UDP"));
  of.call("GetSpecificPortMappingEntry of no port", here, "GetSpecificPortMappingEntry", key("0"));
  of.call("GetGenericPortMappingEntry", here, "GetGenericPortMappingEntry", first_entry);
  of.call("GetGenericPortMappingEntry at the end", here, "GetGenericPortMappingEntry",
          {{"NewPortMappingIndex", "99"}});
  of.call("GetGenericPortMappingEntry of no number", here, "GetGenericPortMappingEntry",
          {{"NewPortMappingIndex", "one"}});
  of.call("DeletePortMapping", here, "DeletePortMapping", key("5000"));
  of.call("DeletePortMapping of nothing", here, "DeletePortMapping", key("5000"));
  of.call("DeletePortMapping of a protocol that is none", here, "DeletePortMapping",
          key("5000", "tcp"));
}

void ask_about_lists(two_routers& of) {
  constexpr service here = service::connection;
  const auto range = [](const std::string& first, const std::string& last,
                        const std::string& manage) {
    return arguments{{"NewStartPort", first},
                     {"NewEndPort", last},
                     {"NewProtocol", "TCP"},
                     {"NewManage", manage}};
  };
  const auto list = [&](const std::string& what, arguments in) {
    in.emplace_back("NewNumberOfPorts", "0");
    of.call("GetListOfPortMappings" + what, here, "GetListOfPortMappings", in);
  };
  of.call("AddAnyPortMapping", here, "AddAnyPortMapping", mapping({.external = "6000"}));
  of.call("AddAnyPortMapping, once more", here, "AddAnyPortMapping", mapping({.external = "6000"}));
  of.call("AddAnyPortMapping of a taken port", here, "AddAnyPortMapping",
          mapping({.external = "6000", .internal = "6001"}));
  of.call("AddAnyPortMapping, external port 0", here, "AddAnyPortMapping",
          mapping({.external = "0", .internal = "6002"}));
  list("", range("6000", "6000", "0"));
  list(" of nothing", range("7000", "7009", "0"));
  list(", the wrong way round", range("6001", "6000", "0"));
  list(", everybody's", range("6000", "6000", "1"));
  const auto remove = [&](const std::string& what, const arguments& in) {
    of.call("DeletePortMappingRange" + what, here, "DeletePortMappingRange", in);
  };
  remove(", the wrong way round", range("6001", "6000", "0"));
  remove(" of nothing", range("7000", "7009", "0"));
  remove("", range("6000", "6009", "0"));
  of.call("AddPortMapping, once more for a range", here, "AddPortMapping", mapping({}));
  remove(", everybody's", range("5000", "5000", "1"));
}

void ask_about_the_line(two_routers& of) {
  constexpr service here = service::connection;
  of.call("GetExternalIPAddress", here, "GetExternalIPAddress", {});
  of.call("GetStatusInfo", here, "GetStatusInfo", {});
  of.call("GetConnectionTypeInfo", here, "GetConnectionTypeInfo", {});
  of.call("GetNATRSIPStatus", here, "GetNATRSIPStatus", {});
  of.call("SetConnectionType", here, "SetConnectionType", {{"NewConnectionType", "IP_Routed"}});
  of.call("SetConnectionType of none", here, "SetConnectionType", {{"NewConnectionType", "X"}});
  of.call("RequestConnection", here, "RequestConnection", {});
  of.call("ForceTermination", here, "ForceTermination", {});
  of.call("GetAutoDisconnectTime", here, "GetAutoDisconnectTime", {});
  of.call("no such action", here, "GetTheMoon", {});
  of.call("GetCommonLinkProperties", service::common_interface, "GetCommonLinkProperties", {});
  of.call("GetTotalBytesSent", service::common_interface, "GetTotalBytesSent", {});
  of.call("GetTotalPacketsReceived", service::common_interface, "GetTotalPacketsReceived", {});
  of.call("GetDefaultConnectionService", service::layer3, "GetDefaultConnectionService", {});
}

void ask_about_pinholes(two_routers& of) {
  const auto add = [&](const std::string& what, std::string_view port, std::string_view protocol,
                       std::string_view lease, std::string_view client = "2001:db8:77::10",
                       bool over_v6 = true) {
    of.call("AddPinhole" + what, service::firewall, "AddPinhole",
            {{"RemoteHost", ""},
             {"RemotePort", "0"},
             {"InternalClient", std::string{client}},
             {"InternalPort", std::string{port}},
             {"Protocol", std::string{protocol}},
             {"LeaseTime", std::string{lease}}},
            over_v6);
  };
  const auto with_id = [&](const std::string& what, std::string_view action,
                           const std::string& id) {
    of.call(what, service::firewall, action, {{"UniqueID", id}}, true);
  };
  of.call("GetFirewallStatus", service::firewall, "GetFirewallStatus", {}, true);
  add("", "8080", "6", "3600");
  add(", once more", "8080", "6", "7200");
  add(" over IPv4", "8081", "6", "3600", "2001:db8:77::10", false);
  add(" for another host", "8082", "6", "3600", "2001:db8:77::11");
  add(" without a client", "8083", "6", "3600", "");
  add(" for an IPv4 address", "8084", "6", "3600", "192.168.77.10");
  add(", lease 0", "8085", "6", "0");
  add(", lease of more than a day", "8086", "6", "86401");
  add(", every protocol", "8087", "65535", "3600");
  add(", SCTP", "8088", "132", "3600");
  add(", port 0", "0", "6", "3600");
  with_id("GetPinholePackets", "GetPinholePackets", "ITS ID");
  with_id("CheckPinholeWorking", "CheckPinholeWorking", "ITS ID");
  of.call("UpdatePinhole", service::firewall, "UpdatePinhole",
          {{"UniqueID", "ITS ID"}, {"NewLeaseTime", "600"}}, true);
  of.call("UpdatePinhole, lease 0", service::firewall, "UpdatePinhole",
          {{"UniqueID", "ITS ID"}, {"NewLeaseTime", "0"}}, true);
  of.call("UpdatePinhole of none", service::firewall, "UpdatePinhole",
          {{"UniqueID", "999"}, {"NewLeaseTime", "600"}}, true);
  with_id("GetPinholePackets of none", "GetPinholePackets", "999");
  with_id("CheckPinholeWorking of none", "CheckPinholeWorking", "999");
  with_id("DeletePinhole", "DeletePinhole", "ITS ID");
  with_id("DeletePinhole of none", "DeletePinhole", "ITS ID");
  of.call("GetOutboundPinholeTimeout", service::firewall, "GetOutboundPinholeTimeout",
          {{"RemoteHost", ""},
           {"RemotePort", "0"},
           {"InternalClient", "2001:db8:77::10"},
           {"InternalPort", "8080"},
           {"Protocol", "6"}},
          true);
}

void search(two_routers& of) {
  const auto text = [](std::string_view target) {
    return "M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\nMX: "
           "1\r\n"
           "ST: " +
           std::string{target} + "\r\n\r\n";
  };
  const std::string igd = "urn:schemas-upnp-org:device:InternetGatewayDevice:";
  of.search("search for the root device", text("upnp:rootdevice"));
  of.search("search for version 1", text(igd + "1"));
  of.search("search for version 2", text(igd + "2"));
  of.search("search for version 3", text(igd + "3"));
  of.search("search for WANIPConnection:1", text("urn:schemas-upnp-org:service:WANIPConnection:1"));
  of.search("search for WANPPPConnection:1",
            text("urn:schemas-upnp-org:service:WANPPPConnection:1"));
  of.search("search for a player", text("urn:schemas-upnp-org:device:MediaRenderer:1"));
  std::string bad = text("upnp:rootdevice");
  bad.replace(bad.find("\"ssdp:discover\""), 15, "ssdp:discover");
  of.search("search with MAN unquoted", bad);
  bad = text("upnp:rootdevice");
  bad.replace(bad.find("MX: 1\r\n"), 7, "");
  of.search("search without MX", bad);
}

void ask_badly(two_routers& of) {
  const std::string action = "urn:schemas-upnp-org:service:WANIPConnection:1#GetExternalIPAddress";
  const std::string body =
      "<?xml version=\"1.0\"?><s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" "
      "s:encodingStyle=\"http://schemas.xmlsoap.org/soap/encoding/\"><s:Body>"
      "<u:GetExternalIPAddress xmlns:u=\"urn:schemas-upnp-org:service:WANIPConnection:1\">"
      "</u:GetExternalIPAddress></s:Body></s:Envelope>";
  const auto post = [&](const std::string& path, const std::string& host,
                        const std::string& soap_action, const std::string& content) {
    return "POST " + path + " HTTP/1.1\r\nHost: " + host +
           "\r\nContent-Type: text/xml\r\nContent-Length: " + std::to_string(content.size()) +
           "\r\n" + (soap_action.empty() ? "" : "SOAPAction: " + soap_action + "\r\n") +
           "Connection: close\r\n\r\n" + content;
  };
  of.http("GET of nothing", "GET /nothing HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n");
  of.http("GET of a control URL", "GET PATH HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n");
  of.http("PUT", "PUT PATH HTTP/1.1\r\nHost: HOST\r\nContent-Length: 0\r\n\r\n");
  of.http("POST with a host name", post("PATH", "router.example", "\"" + action + "\"", body));
  of.http("POST without SOAPAction", post("PATH", "HOST", "", body));
  of.http("POST with SOAPAction unquoted", post("PATH", "HOST", action, body));
  of.http("POST of another service's action",
          post("PATH", "HOST", "\"urn:schemas-upnp-org:service:WANPPPConnection:1#GetUserName\"",
               body));
  of.http("POST of no envelope", post("PATH", "HOST", "\"" + action + "\"", "hello"));
  of.http("POST to nothing", post("/nothing", "HOST", "\"" + action + "\"", body));
}

void subscribe(two_routers& of) {
  const std::string head = " EVENTS HTTP/1.1\r\nHost: HOST\r\n";
  const std::string callback = "CALLBACK: <http://192.168.77.10:4004/>\r\n";
  const std::string kind = "NT: upnp:event\r\n";
  const std::string timeout = "TIMEOUT: Second-300\r\n\r\n";
  of.http("SUBSCRIBE", "SUBSCRIBE" + head + callback + kind + timeout);
  of.first_event("first event");
  of.http("SUBSCRIBE, renewed", "SUBSCRIBE" + head + "SID: SIDVALUE\r\n" + timeout);
  of.http("SUBSCRIBE, renewed under another name",
          "SUBSCRIBE" + head + "SID: uuid:00000000-0000-0000-0000-000000000000\r\n" + timeout);
  of.http("SUBSCRIBE with SID and CALLBACK",
          "SUBSCRIBE" + head + "SID: SIDVALUE\r\n" + callback + kind + timeout);
  of.http("SUBSCRIBE without CALLBACK", "SUBSCRIBE" + head + kind + timeout);
  of.http("SUBSCRIBE without NT", "SUBSCRIBE" + head + callback + timeout);
  of.http("SUBSCRIBE for another address",
          "SUBSCRIBE" + head + "CALLBACK: <http://192.168.77.11:4004/>\r\n" + kind + timeout);
  of.http("SUBSCRIBE to nothing",
          "SUBSCRIBE /nothing HTTP/1.1\r\nHost: HOST\r\n" + callback + kind + timeout);
  of.http("UNSUBSCRIBE", "UNSUBSCRIBE" + head + "SID: SIDVALUE\r\n\r\n");
  of.http("UNSUBSCRIBE, once more", "UNSUBSCRIBE" + head + "SID: SIDVALUE\r\n\r\n");
  of.http("UNSUBSCRIBE without SID", "UNSUBSCRIBE" + head + "\r\n");
}

class model_comparison : public interop, public testing::WithParamInterface<std::uint8_t> {};

INSTANTIATE_TEST_SUITE_P(both, model_comparison, testing::Values(std::uint8_t{1}, std::uint8_t{2}),
                         [](const auto& tested) { return "v" + std::to_string(tested.param); });

TEST_P(model_comparison, answers_as_miniupnpd_does_but_for_what_is_listed) {
  two_routers routers(GetParam());
  search(routers);
  routers.descriptions();
  ask_badly(routers);
  subscribe(routers);
  ask_about_mappings(routers);
  if (GetParam() == 2) ask_about_lists(routers);
  ask_pcp(routers);
  ask_nat_pmp(routers);
  if (routers.net().ipv6()) {
    ask_pcp_v6(routers);
    if (GetParam() == 2) ask_about_pinholes(routers);
  }
  // Last, for the model lets itself be cut off by it.
  ask_about_the_line(routers);
  EXPECT_GT(routers.requests(), 100U);
  expect_listed(routers, GetParam());
}

}  // namespace
