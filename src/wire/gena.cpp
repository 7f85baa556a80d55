#include "wire/gena.hpp"

#include <algorithm>

#include "wire/ascii.hpp"
#include "wire/http_request.hpp"
#include "wire/igd_actions.hpp"
#include "wire/xml.hpp"

namespace damson {
namespace {

constexpr std::string_view unit = "Second-";

void add_field(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ").append(value).append("\r\n");
}

std::string timeout_field() {
  return std::string{unit} + std::to_string(wished_subscription.count());
}

std::chrono::seconds read_timeout(std::string_view text) {
  text = ascii::trim(text);
  if (ascii::starts_with_ignoring_case(text, unit)) text.remove_prefix(unit.size());
  if (ascii::equal_ignoring_case(text, "infinite")) return longest_subscription;
  const auto seconds = ascii::parse_number<std::uint32_t>(text);
  if (!seconds) return wished_subscription;
  return std::clamp(std::chrono::seconds{*seconds}, shortest_subscription, longest_subscription);
}

}  // namespace

std::string make_subscribe(const http_target& events, const endpoint& callback,
                           std::string_view path) {
  std::string out = begin_http_request("SUBSCRIBE", events);
  add_field(out, "CALLBACK", "<http://" + host_header(callback) + std::string{path} + ">");
  add_field(out, "NT", "upnp:event");
  add_field(out, "TIMEOUT", timeout_field());
  return out + "\r\n";
}

std::string make_renewal(const http_target& events, std::string_view id) {
  std::string out = begin_http_request("SUBSCRIBE", events);
  add_field(out, "SID", id);
  add_field(out, "TIMEOUT", timeout_field());
  return out + "\r\n";
}

std::string make_unsubscribe(const http_target& events, std::string_view id) {
  std::string out = begin_http_request("UNSUBSCRIBE", events);
  add_field(out, "SID", id);
  return out + "\r\n";
}

std::expected<subscription, decode_error> decode_subscription(std::string_view id,
                                                              std::string_view timeout) {
  id = ascii::trim(id);
  if (id.empty()) return std::unexpected(decode_error::missing_field);
  if (id.size() > subscription_id_bytes) return std::unexpected(decode_error::too_long);
  if (!ascii::is_printable(id) || id.contains(' ')) {
    return std::unexpected(decode_error::bad_character);
  }
  return subscription{std::string{id}, read_timeout(timeout)};
}

bool is_event(const event_received& what) noexcept {
  return what.method == "NOTIFY" &&
         ascii::equal_ignoring_case(ascii::trim(what.notification_type), "upnp:event") &&
         ascii::equal_ignoring_case(ascii::trim(what.notification_sub_type), "upnp:propchange");
}

std::optional<std::uint32_t> event_sequence(const event_received& what) noexcept {
  return ascii::parse_number<std::uint32_t>(what.sequence);
}

std::expected<event_values, decode_error> decode_event(std::string_view body) {
  const auto document = xml::parse(body, engine_limits::event_bytes);
  if (!document) return std::unexpected(document.error());
  const pugi::xml_node root = document->document_element();
  if (!xml::is_named(root, "propertyset")) return std::unexpected(decode_error::wrong_document);
  event_values out;
  if (const auto node = xml::descendant(root, "ExternalIPAddress")) {
    const auto address = read_external_address(xml::text_of(node));
    if (address) out.external = *address;
  }
  if (const auto node = xml::descendant(root, "PortMappingNumberOfEntries")) {
    out.entries = ascii::parse_number<std::uint32_t>(xml::text_of(node));
  }
  return out;
}

}  // namespace damson
