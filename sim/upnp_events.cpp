#include "sim/upnp_events.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "sim/xml_text.hpp"

namespace damson::sim {

namespace {

constexpr std::uint16_t bad_request = 400;
constexpr std::uint16_t precondition_failed = 412;
constexpr std::uint16_t unavailable = 503;
constexpr std::uint16_t http_port = 80;

/// "Second-1800", or "Second-infinite"; the longest that there is where the field is missing or
/// says nothing that one can understand.
std::chrono::seconds granted(const upnp_profile& how, const std::string* field) {
  constexpr std::string_view unit = "Second-";
  if (field == nullptr || !field->starts_with(unit)) return how.event_timeout;
  const auto asked = read_decimal(std::string_view{*field}.substr(unit.size()), 0xffff'ffff);
  if (!asked || *asked == 0) return how.event_timeout;
  return std::min(std::chrono::seconds{*asked}, how.event_timeout);
}

std::string property_set(const soap_arguments& changed) {
  std::string out =
      "<?xml version=\"1.0\"?>\r\n"
      "<e:propertyset xmlns:e=\"urn:schemas-upnp-org:event-1-0\">";
  for (const auto& [name, value] : changed) {
    out.append("<e:property><").append(name).append(">").append(xml_escaped(value));
    out.append("</").append(name).append("></e:property>");
  }
  return out + "</e:propertyset>\r\n";
}

soap_arguments difference(const soap_arguments& values, const soap_arguments& told) {
  soap_arguments out;
  std::ranges::copy_if(values, std::back_inserter(out),
                       [&](const auto& one) { return std::ranges::count(told, one) == 0; });
  return out;
}

}  // namespace

/// `<http://192.168.1.100:49152/path>`, of which there may be several: the first is taken. The host
/// is an address.
std::optional<upnp_events::callback> upnp_events::read_callback(std::string_view field) {
  constexpr std::string_view scheme = "<http://";
  const std::size_t end = field.find('>');
  if (!field.starts_with(scheme) || end == std::string_view::npos) return std::nullopt;
  const std::string_view url = field.substr(scheme.size(), end - scheme.size());
  const std::size_t slash = std::min(url.find('/'), url.size());
  const std::string_view authority = url.substr(0, slash);
  const bool has_brackets = authority.starts_with('[');
  const std::size_t close = has_brackets ? authority.find(']') : 0;
  if (close == std::string_view::npos) return std::nullopt;
  const std::size_t colon = authority.find(':', close);
  std::string_view host = authority.substr(0, colon);
  if (has_brackets) host = authority.substr(1, close - 1);
  const auto address = ip_address::parse(host);
  std::optional<std::uint32_t> port = http_port;
  if (colon != std::string_view::npos) port = read_decimal(authority.substr(colon + 1), 65'535);
  if (!address || !port || *port == 0) return std::nullopt;
  const std::string path = slash == url.size() ? "/" : std::string{url.substr(slash)};
  return callback{{*address, static_cast<std::uint16_t>(*port)}, path};
}

upnp_events::subscription* upnp_events::find(time_point now, const std::string& path,
                                             const text_message& request) {
  std::erase_if(subscriptions_, [now](const subscription& one) { return one.expires <= now; });
  const std::string* const sid = request.field("SID");
  if (sid == nullptr) return nullptr;
  const auto found = std::ranges::find_if(
      subscriptions_, [&](const subscription& one) { return one.sid == *sid && one.path == path; });
  return found == subscriptions_.end() ? nullptr : &*found;
}

upnp_events::reply upnp_events::subscribe(const upnp_profile& how, time_point now,
                                          const ip_address& sender, const std::string& path,
                                          const text_message& request) {
  const std::string* const target = request.field("CALLBACK");
  const std::string* const kind = request.field("NT");
  const std::string* const sid = request.field("SID");
  const std::chrono::seconds timeout = granted(how, request.field("TIMEOUT"));
  if (sid != nullptr && (target != nullptr || kind != nullptr)) return {bad_request};
  subscription* at = find(now, path, request);
  if (sid != nullptr) {
    if (at == nullptr) return {precondition_failed};
  } else {
    const auto where = target == nullptr ? std::nullopt : read_callback(*target);
    if (!where || kind == nullptr || *kind != "upnp:event") return {precondition_failed};
    const bool own = where->to.address.to_v6() == sender.to_v6();
    if (!own && !how.events_to_anyone) return {precondition_failed};
    if (subscriptions_.size() >= how.max_subscriptions) return {unavailable};
    const std::string number = std::to_string(100'000 + ++made_);
    at = &subscriptions_.emplace_back(subscription{"uuid:6f1d5a1e-7c2b-4a57-8000-000000" + number,
                                                   path, *where, now, 0, std::nullopt});
  }
  at->expires = now + timeout;
  return {200, {{"SID", at->sid}, {"TIMEOUT", "Second-" + std::to_string(timeout.count())}}};
}

upnp_events::reply upnp_events::unsubscribe(time_point now, const std::string& path,
                                            const text_message& request) {
  if (request.field("CALLBACK") != nullptr || request.field("NT") != nullptr) {
    return {bad_request};
  }
  const subscription* at = find(now, path, request);
  if (at == nullptr) return {precondition_failed};
  std::erase_if(subscriptions_,
                [sid = at->sid](const subscription& one) { return one.sid == sid; });
  return {200};
}

std::vector<event_message> upnp_events::take(time_point now, const values& of) {
  std::erase_if(subscriptions_, [now](const subscription& one) { return one.expires <= now; });
  std::vector<event_message> out;
  for (subscription& one : subscriptions_) {
    const auto current = of(one.path);
    if (!current) continue;
    const soap_arguments news = one.told ? difference(*current, *one.told) : *current;
    if (one.told && news.empty()) continue;
    one.told = *current;
    const std::string body = property_set(news);
    text_message message{"NOTIFY " + one.target.path + " HTTP/1.1",
                         {{"HOST", to_string(one.target.to)},
                          {"CONTENT-TYPE", "text/xml; charset=\"utf-8\""},
                          {"CONTENT-LENGTH", std::to_string(body.size())},
                          {"NT", "upnp:event"},
                          {"NTS", "upnp:propchange"},
                          {"SID", one.sid},
                          {"SEQ", std::to_string(one.sequence)}},
                         body};
    out.push_back({one.target.to, one.sid, one.sequence, message.text()});
    // It starts again from 1, for 0 is the first event's (UDA 1.0 section 4.2.1).
    if (++one.sequence == 0) one.sequence = 1;
  }
  return out;
}

}  // namespace damson::sim
