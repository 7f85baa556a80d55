#pragma once

/// UPnP requests as a client with good manners writes them, and a router to send them to.

#include <chrono>
#include <cstddef>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "packets.hpp"
#include "sim/gateway.hpp"
#include "sim/profiles.hpp"

namespace damson::sim {

inline constexpr std::string_view ip_v1 = "urn:schemas-upnp-org:service:WANIPConnection:1";
inline constexpr std::string_view ip_v2 = "urn:schemas-upnp-org:service:WANIPConnection:2";
inline constexpr std::string_view ip_control = "/ctl/WANIPConn1";

using arguments = std::vector<std::pair<std::string, std::string>>;

inline std::string text_of(std::span<const std::byte> packet) {
  std::string out;
  for (const std::byte byte : packet) out += static_cast<char>(byte);
  return out;
}

inline bytes bytes_of(std::string_view text) {
  const auto all = std::as_bytes(std::span{text});
  return {all.begin(), all.end()};
}

inline std::string search_for(std::string_view target,
                              std::string_view named_host = "239.255.255.250:1900") {
  return "M-SEARCH * HTTP/1.1\r\nHOST: " + std::string{named_host} +
         "\r\nMAN: \"ssdp:discover\"\r\nMX: 2\r\nST: " + std::string{target} + "\r\n\r\n";
}

inline std::string get(std::string_view path, std::string_view authority = "192.168.1.1:5000") {
  return "GET " + std::string{path} + " HTTP/1.1\r\nHost: " + std::string{authority} +
         "\r\nConnection: close\r\n\r\n";
}

inline std::string envelope(std::string_view type, std::string_view action, const arguments& in) {
  std::string body =
      "<?xml version=\"1.0\"?>"
      "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\""
      " s:encodingStyle=\"http://schemas.xmlsoap.org/soap/encoding/\"><s:Body><u:";
  body += std::string{action} + " xmlns:u=\"" + std::string{type} + "\">";
  for (const auto& [name, value] : in) {
    body.append("<").append(name).append(">").append(value);
    body.append("</").append(name).append(">");
  }
  return body + "</u:" + std::string{action} + "></s:Body></s:Envelope>";
}

inline std::string post(std::string_view path, std::string_view type, std::string_view action,
                        std::string_view body, std::string_view authority = "192.168.1.1:5000") {
  return "POST " + std::string{path} + " HTTP/1.1\r\nHost: " + std::string{authority} +
         "\r\nContent-Type: text/xml; charset=\"utf-8\"\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\nSOAPAction: \"" + std::string{type} + "#" +
         std::string{action} + "\"\r\nConnection: close\r\n\r\n" + std::string{body};
}

/// What AddPortMapping asks for; the defaults are TCP 8080 to the same port of the standard host.
struct wanted_mapping {
  std::string external = "8080";
  std::string protocol = "TCP";
  std::string internal = "8080";
  std::string client = "192.168.1.100";
  std::string lease = "3600";
  std::string remote_host{};
  std::string enabled = "1";
  std::string description = "test";

  arguments all() const {
    return {{"NewRemoteHost", remote_host},
            {"NewExternalPort", external},
            {"NewProtocol", protocol},
            {"NewInternalPort", internal},
            {"NewInternalClient", client},
            {"NewEnabled", enabled},
            {"NewPortMappingDescription", description},
            {"NewLeaseDuration", lease}};
  }
};

inline arguments key(std::string_view port, std::string_view protocol = "TCP") {
  return {{"NewRemoteHost", ""},
          {"NewExternalPort", std::string{port}},
          {"NewProtocol", std::string{protocol}}};
}

/// The text between the first <name> and </name>; "(none)" where they are not.
inline std::string element_of(const std::string& body, const std::string& name) {
  const std::size_t begin = body.find("<" + name + ">");
  const std::size_t end = body.find("</" + name + ">");
  if (begin == std::string::npos || end == std::string::npos) return "(none)";
  return body.substr(begin + name.size() + 2, end - begin - name.size() - 2);
}

/// One router that speaks UPnP and starts at 1000 h.
class upnp_router : public testing::Test {
 protected:
  static constexpr time_point start{std::chrono::hours{1'000}};

  gateway& router() { return router_; }
  upnp_profile& how() { return router_.behaviour().upnp; }

  /// Exactly as that one, from now on.
  void behave_as(std::string_view name) {
    const named_profile* found = find_profile(name);
    ASSERT_NE(found, nullptr) << name;
    router_.behaviour() = found->how;
  }

  http_answer ask(std::string_view request, time_point when = start,
                  const ip_address& sender = host) {
    return router_.handle_http(when, {sender, 50'000}, request);
  }

  /// The whole body of the answer to a call of an action of any service of version 1.
  std::string call_at(std::string_view path, std::string_view service, std::string_view action,
                      const arguments& in = {}, time_point when = start,
                      const ip_address& sender = host) {
    const std::string type = "urn:schemas-upnp-org:service:" + std::string{service} + ":1";
    return ask(post(path, type, action, envelope(type, action, in)), when, sender).message.body;
  }

  /// The whole body of the answer to a call at WANIPConnection in the router's version.
  std::string call(std::string_view action, const arguments& in, time_point when = start,
                   const ip_address& sender = host) {
    const std::string_view type = how().version == 2 ? ip_v2 : ip_v1;
    return ask(post(ip_control, type, action, envelope(type, action, in)), when, sender)
        .message.body;
  }

  /// "0" for success, else the fault's code.
  std::string code_of(std::string_view action, const arguments& in, time_point when = start,
                      const ip_address& sender = host) {
    return code_in(call(action, in, when, sender));
  }

  static std::string code_in(const std::string& body) {
    const std::string code = element_of(body, "errorCode");
    return code == "(none)" ? "0" : code;
  }

  std::string add(const wanted_mapping& what, time_point when = start,
                  const ip_address& sender = host) {
    return code_of("AddPortMapping", what.all(), when, sender);
  }

  /// The lease that GetSpecificPortMappingEntry shows for TCP 8080, or the fault's code in
  /// brackets.
  std::string shown_lease(time_point when = start) {
    const std::string body = call("GetSpecificPortMappingEntry", key("8080"), when);
    const std::string lease = element_of(body, "NewLeaseDuration");
    return lease == "(none)" ? "[" + element_of(body, "errorCode") + "]" : lease;
  }

 private:
  static profile upnp_only() {
    profile out;
    out.speaks_pcp = false;
    out.speaks_nat_pmp = false;
    out.speaks_upnp = true;
    return out;
  }

  gateway router_{upnp_only(), lan_side, wan_side, start};
};

}  // namespace damson::sim
