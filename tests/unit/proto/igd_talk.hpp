#pragma once

/// A UPnP client alone, and a small device that answers what it asks, one exchange after the other.

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "proto/igd_client.hpp"

namespace damson::test::talk {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr ip_address v4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d) {
  return ip_address{ip_address::v4_bytes{a, b, c, d}};
}

inline constexpr ip_address own = v4(192, 168, 1, 10);
inline constexpr ip_address box = v4(192, 168, 1, 1);
inline constexpr ip_address stranger = v4(192, 168, 1, 66);
inline constexpr std::string_view outside = "93.184.216.34";

/// The text between the first <name> and </name>; empty where they are not.
inline std::string element_of(std::string_view text, const std::string& name) {
  const std::size_t begin = text.find("<" + name + ">");
  const std::size_t end = text.find("</" + name + ">");
  if (begin == std::string_view::npos || end == std::string_view::npos) return {};
  return std::string{text.substr(begin + name.size() + 2, end - begin - name.size() - 2)};
}

struct answer_text {
  unsigned status = 200;
  std::string body;
};

inline answer_text soap(const std::string& action, const std::string& inside = {}) {
  return {200, "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><u:" +
                   action + "Response xmlns:u=\"urn:x\">" + inside + "</u:" + action +
                   "Response></s:Body></s:Envelope>"};
}

inline answer_text fault(int code) {
  return {500,
          "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><s:Fault>"
          "<faultcode>s:Client</faultcode><faultstring>UPnPError</faultstring><detail>"
          "<UPnPError xmlns=\"urn:schemas-upnp-org:control-1-0\"><errorCode>" +
              std::to_string(code) +
              "</errorCode></UPnPError></detail></s:Fault></s:Body></s:Envelope>"};
}

/// Obeys, and keeps what it was asked to keep.
class obedient_device {
 public:
  explicit obedient_device(int version = 1) : version_(version) {}

  answer_text answer(const std::string& request) {
    if (request.starts_with("GET ")) return {200, description()};
    const std::string action = action_of(request);
    if (action == "GetExternalIPAddress") {
      return soap(action,
                  "<NewExternalIPAddress>" + std::string{outside} + "</NewExternalIPAddress>");
    }
    if (action == "GetStatusInfo") {
      return soap(action, "<NewConnectionStatus>Connected</NewConnectionStatus><NewUptime>" +
                              std::to_string(uptime) + "</NewUptime>");
    }
    const std::string port = element_of(request, "NewExternalPort");
    if (action == "GetSpecificPortMappingEntry") {
      const auto found = entries.find(port);
      return found == entries.end() ? fault(714) : soap(action, found->second);
    }
    if (action == "DeletePortMapping") return entries.erase(port) == 0 ? fault(714) : soap(action);
    return add(action, port, request);
  }

  static std::string action_of(const std::string& request) {
    const std::size_t mark = request.find('#');
    return mark == std::string::npos ? std::string{}
                                     : request.substr(mark + 1, request.find('"', mark) - mark - 1);
  }

  /// By external port.
  std::map<std::string, std::string> entries;
  std::uint32_t uptime = 1'000;

 private:
  /// AddAnyPortMapping takes another port each time (Q-180).
  answer_text add(const std::string& action, std::string port, const std::string& request) {
    const bool any = action == "AddAnyPortMapping";
    while (any && entries.contains(port)) port = std::to_string(std::stoi(port) + 1);
    std::string entry;
    for (const char* const name : {"NewInternalPort", "NewInternalClient", "NewLeaseDuration"}) {
      entry += "<" + std::string{name} + ">" + element_of(request, name) + "</" + name + ">";
    }
    entries[port] = entry + "<NewEnabled>1</NewEnabled><NewPortMappingDescription/>";
    return soap(action, any ? "<NewReservedPort>" + port + "</NewReservedPort>" : std::string{});
  }

  std::string description() const {
    const std::string number = std::to_string(version_);
    return R"(<?xml version="1.0"?><root xmlns="urn:schemas-upnp-org:device-1-0"><device>)"
           "<deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:" +
           number +
           "</deviceType><friendlyName>box</friendlyName><serviceList><service><serviceType>"
           "urn:schemas-upnp-org:service:WANIPConnection:" +
           number +
           "</serviceType><serviceId>urn:upnp-org:serviceId:x</serviceId><controlURL>/ctl"
           "</controlURL><eventSubURL>/e</eventSubURL><SCPDURL>/s.xml</SCPDURL></service>"
           "</serviceList></device></root>";
  }

  int version_;
};

class igd_talk : public testing::Test {
 protected:
  static constexpr mapping_id first{1};
  static constexpr mapping_id second{2};

  igd_client& client() { return client_; }
  obedient_device& device() { return device_; }
  time_point now() const { return now_; }

  void wait(milliseconds time) {
    now_ += time;
    pump();
  }

  void pump() {
    client_.pump(now_);
    client_.take_messages();
    for (auto& each : client_.take_exchanges()) {
      if (auto* request = std::get_if<send_http>(&each)) {
        EXPECT_FALSE(open_) << "two exchanges at once";
        open_ = std::move(*request);
      } else {
        EXPECT_TRUE(open_ && open_->id == std::get<cancel_http>(each).id);
        open_.reset();
        ++cancelled_;
      }
    }
    for (auto& each : client_.take_events()) events_.push_back(std::move(each));
  }

  /// "GET /rootDesc.xml", "AddPortMapping 8080", or nothing when nothing is asked.
  std::string asked() const {
    if (!open_) return {};
    const std::string& text = open_->head_and_body;
    const std::string action = obedient_device::action_of(text);
    if (action.empty()) return text.substr(0, text.find(' ', 4));
    const std::string port = element_of(text, "NewExternalPort");
    return port.empty() ? action : action + " " + port;
  }

  const send_http& open() const { return open_.value(); }

  void answer(const answer_text& what, std::string_view location = {}) {
    const send_http request = std::exchange(open_, std::nullopt).value();
    EXPECT_TRUE(client_.on_response({.id = request.id,
                                     .status = static_cast<std::uint16_t>(what.status),
                                     .local = {own, 1},
                                     .peer = request.remote,
                                     .location = location,
                                     .content_type = "text/xml",
                                     .body = what.body},
                                    now_, random_));
    pump();
  }

  /// The device does what it is asked, and says so.
  void obey() { answer(device_.answer(open().head_and_body)); }

  void fail(http_error how, bool obeyed = false) {
    const send_http request = std::exchange(open_, std::nullopt).value();
    if (obeyed) device_.answer(request.head_and_body);
    EXPECT_TRUE(client_.on_failed({request.id, how}, now_));
    pump();
  }

  void obey_all() {
    for (int i = 0; i < 50; ++i) {
      if (open_) {
        obey();
      } else if (client_.next_due() && !client_.is_searching()) {
        wait(std::chrono::ceil<milliseconds>(*client_.next_due() - now_));
      } else {
        return;
      }
    }
    ADD_FAILURE() << "no end of it";
  }

  /// Answers the search that is wanted.
  void be_found(const std::string& at = "http://192.168.1.1:5000/rootDesc.xml",
                const ip_address& from = box) {
    if (client_.wants_search()) client_.begin_search(now_);
    pump();
    const std::string text =
        "HTTP/1.1 200 OK\r\nST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n"
        "USN: uuid:1\r\nLOCATION: " +
        at + "\r\n\r\n";
    client_.on_datagram({from, 1900}, std::as_bytes(std::span{text}));
    pump();
  }

  /// Searched, described, and asked for its address.
  void become_known(int version = 1) {
    device_ = obedient_device{version};
    client_.find();
    be_found();
    obey();
    obey();
    ASSERT_TRUE(client_.device().has_value());
    events_.clear();
  }

  static igd_map_request request(std::uint16_t port = 8080) {
    return {.transport = transport::tcp,
            .internal = {own, port},
            .external_port = port,
            .lease = seconds{3'600},
            .allow_permanent = true,
            .held_lease = {}};
  }

  template <class Event>
  std::vector<Event> all() const {
    std::vector<Event> out;
    for (const auto& each : events_) {
      if (const auto* one = std::get_if<Event>(&each)) out.push_back(*one);
    }
    return out;
  }

  std::size_t event_count() const { return events_.size(); }
  unsigned cancelled() const { return cancelled_; }
  random_source& random() { return random_; }

 private:
  std::uint64_t exchanges_ = 0;
  igd_client client_{
      {.gateway = box, .on_link = {{own, 24}}, .own_addresses = {own}, .user_addresses = {}},
      own,
      exchanges_};
  obedient_device device_;
  random_source random_{std::array<std::uint64_t, 4>{1, 2, 3, 4}};
  time_point now_{std::chrono::hours{1}};
  std::optional<send_http> open_;
  unsigned cancelled_ = 0;
  std::vector<any_igd_event> events_;
};

}  // namespace damson::test::talk
