#include "wire/router_actions.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <string>
#include <utility>

#include "base/check.hpp"
#include "base/log.hpp"
#include "wire/ascii.hpp"
#include "wire/xml.hpp"

namespace damson {
namespace {

/// The longest name of a host (RFC 1035 section 2.3.4).
constexpr std::size_t most_host_bytes = 253;
/// Of a list: nine for each of a thousand entries, with room to spare.
constexpr int most_list_elements = 16'384;

std::string protocol_name(transport value) { return value == transport::tcp ? "TCP" : "UDP"; }

constexpr bool is_of_a_host(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == ':' || c == '-' || c == '_' || c == '*';
}

std::vector<soap_argument> name_arguments(const router_entry_name& name) {
  DAMSON_ASSERT(is_sendable(name));
  return {{"NewRemoteHost", name.remote_host},
          {"NewExternalPort", std::to_string(name.external_port)},
          {"NewProtocol", protocol_name(name.transport)}};
}

std::vector<soap_argument> range_arguments(const port_range& range) {
  DAMSON_ASSERT(range.first != 0 && range.first <= range.last);
  return {{"NewStartPort", std::to_string(range.first)},
          {"NewEndPort", std::to_string(range.last)},
          {"NewProtocol", protocol_name(range.transport)},
          {"NewManage", range.of_everybody ? "1" : "0"}};
}

// Answers
// ----------------------------------------------------------------------------------------

/// The values of one entry, wherever they stand: "NewDescription" is the list's word for
/// "NewPortMappingDescription", and "NewLeaseTime" that for "NewLeaseDuration".
struct entry_texts {
  std::optional<std::string> port;
  std::optional<std::string> transport;
  std::string remote_host;
  std::string internal_port;
  std::string internal_client;
  std::string enabled;
  std::string description;
  std::string lease;
};

std::optional<transport> read_transport(std::string_view text) {
  text = ascii::trim(text);
  if (ascii::equal_ignoring_case(text, "TCP")) return transport::tcp;
  if (ascii::equal_ignoring_case(text, "UDP")) return transport::udp;
  return std::nullopt;
}

bool is_on(std::string_view text) {
  return !(text == "0" || ascii::equal_ignoring_case(text, "false") ||
           ascii::equal_ignoring_case(text, "no"));
}

/// 0 is for ever, or a router that does not know: nobody can tell.
std::optional<std::chrono::seconds> read_lease(std::string_view text) {
  const auto seconds = ascii::parse_number<std::uint32_t>(text);
  if (!seconds || *seconds == 0) return std::nullopt;
  return std::chrono::seconds{*seconds};
}

router_entry entry_of(router_entry_name name, const entry_texts& texts) {
  return {.name = std::move(name),
          .internal = {ip_address::parse(texts.internal_client).value_or(ip_address::any_v4()),
                       ascii::parse_number<std::uint16_t>(texts.internal_port).value_or(0)},
          .enabled = is_on(texts.enabled),
          .description = printable(texts.description),
          .lease = read_lease(texts.lease)};
}

std::expected<router_entry, decode_error> read_entry(const entry_texts& texts) {
  if (!texts.port || !texts.transport) return std::unexpected(decode_error::missing_field);
  const auto port = ascii::parse_number<std::uint16_t>(*texts.port);
  const auto what = read_transport(*texts.transport);
  if (!port || !what) return std::unexpected(decode_error::bad_value);
  router_entry entry = entry_of({*what, *port, printable(texts.remote_host)}, texts);
  const bool is_blank = *port == 0 && entry.internal.port == 0;
  if (is_blank) return std::unexpected(decode_error::missing_field);
  return entry;
}

/// By the names of an action's arguments.
entry_texts texts_of(const soap_values& values) {
  const auto text = [&](std::string_view name) {
    return std::string{values.find(name).value_or("")};
  };
  entry_texts out{.port = {},
                  .transport = {},
                  .remote_host = text("NewRemoteHost"),
                  .internal_port = text("NewInternalPort"),
                  .internal_client = text("NewInternalClient"),
                  .enabled = text("NewEnabled"),
                  .description = text("NewPortMappingDescription"),
                  .lease = text("NewLeaseDuration")};
  if (const auto port = values.find("NewExternalPort")) out.port = *port;
  if (const auto what = values.find("NewProtocol")) out.transport = *what;
  return out;
}

/// By the names of a list's elements (WANIPConnection:2 section 2.3.25).
entry_texts texts_of(const pugi::xml_node& entry) {
  entry_texts out{.port = {},
                  .transport = {},
                  .remote_host = xml::child_text(entry, "NewRemoteHost"),
                  .internal_port = xml::child_text(entry, "NewInternalPort"),
                  .internal_client = xml::child_text(entry, "NewInternalClient"),
                  .enabled = xml::child_text(entry, "NewEnabled"),
                  .description = xml::child_text(entry, "NewDescription"),
                  .lease = xml::child_text(entry, "NewLeaseTime")};
  if (const auto port = xml::child(entry, "NewExternalPort")) out.port = xml::text_of(port);
  if (const auto what = xml::child(entry, "NewProtocol")) out.transport = xml::text_of(what);
  return out;
}

std::expected<pugi::xml_document, decode_error> parse_list(std::string_view text) {
  return xml::parse(text, xml::limits{.bytes = port_listing_bytes,
                                      .elements = most_list_elements,
                                      .text = port_listing_bytes});
}

/// What was escaped once more than it should have been.
std::expected<pugi::xml_document, decode_error> parse_list_escaped_twice(std::string_view text) {
  const auto wrapped = parse_list("<list>" + std::string{text} + "</list>");
  if (!wrapped) return std::unexpected(wrapped.error());
  return parse_list(xml::text_of(wrapped->document_element()));
}

port_listing read_entries(const pugi::xml_document& document) {
  port_listing out;
  pugi::xml_node node = xml::next_below(document, document);
  for (; !node.empty(); node = xml::next_below(document, node)) {
    if (!xml::is_named(node, "PortMappingEntry")) continue;
    ++out.shown;
    if (auto entry = read_entry(texts_of(node))) out.entries.push_back(std::move(*entry));
  }
  return out;
}

std::optional<std::uint64_t> read_count(const soap_values& values, std::string_view name) {
  return ascii::parse_number<std::uint64_t>(values.find(name).value_or(""));
}

struct counter_row {
  upnp_action action{};
  std::string_view argument;
  std::optional<std::uint64_t> router_status::* member;
};

constexpr std::array counters{
    counter_row{upnp_action::get_total_bytes_sent, "NewTotalBytesSent", &router_status::bytes_sent},
    counter_row{upnp_action::get_total_bytes_received, "NewTotalBytesReceived",
                &router_status::bytes_received},
    counter_row{upnp_action::get_total_packets_sent, "NewTotalPacketsSent",
                &router_status::packets_sent},
    counter_row{upnp_action::get_total_packets_received, "NewTotalPacketsReceived",
                &router_status::packets_received},
};

}  // namespace

bool is_sendable(const router_entry_name& name) noexcept {
  return name.external_port != 0 && name.remote_host.size() <= most_host_bytes &&
         std::ranges::all_of(name.remote_host, is_of_a_host);
}

soap_request make_get_entry(std::string_view service_type, const router_entry_name& name) {
  return make_soap_request(service_type, to_string(upnp_action::get_specific_port_mapping_entry),
                           name_arguments(name));
}

soap_request make_delete_entry(std::string_view service_type, const router_entry_name& name) {
  return make_soap_request(service_type, to_string(upnp_action::delete_port_mapping),
                           name_arguments(name));
}

soap_request make_get_entry_at(std::string_view service_type, std::uint16_t index) {
  const std::array arguments{soap_argument{"NewPortMappingIndex", std::to_string(index)}};
  return make_soap_request(service_type, to_string(upnp_action::get_generic_port_mapping_entry),
                           arguments);
}

soap_request make_get_entries(std::string_view service_type, const port_range& range) {
  auto arguments = range_arguments(range);
  arguments.push_back({"NewNumberOfPorts", std::to_string(listed_at_once)});
  return make_soap_request(service_type, to_string(upnp_action::get_list_of_port_mappings),
                           arguments);
}

soap_request make_delete_entries(std::string_view service_type, const port_range& range) {
  return make_soap_request(service_type, to_string(upnp_action::delete_port_mapping_range),
                           range_arguments(range));
}

soap_request make_status_request(std::string_view service_type, upnp_action action) {
  return make_soap_request(service_type, to_string(action), {});
}

std::expected<router_entry, soap_error> decode_entry(const http_answer& answer,
                                                     const router_entry_name& name) {
  const auto values = decode_soap(answer);
  if (!values) return std::unexpected(values.error());
  if (!values->find("NewInternalPort") && !values->find("NewInternalClient")) {
    return std::unexpected(decode_error::missing_field);
  }
  return entry_of(name, texts_of(*values));
}

std::expected<router_entry, soap_error> decode_entry_at(const http_answer& answer) {
  const auto values = decode_soap(answer);
  if (!values) return std::unexpected(values.error());
  auto entry = read_entry(texts_of(*values));
  if (!entry) return std::unexpected(entry.error());
  return std::move(*entry);
}

std::expected<port_listing, soap_error> decode_entries(const http_answer& answer) {
  const auto values = decode_long_soap(answer, port_listing_bytes);
  if (!values) return std::unexpected(values.error());
  const std::string_view text = values->find("NewPortListing").value_or("");
  // Where it is no text, its elements stand in the answer itself.
  auto document = parse_list(text.empty() ? answer.body : text);
  if (!document && text.starts_with('&')) document = parse_list_escaped_twice(text);
  if (!document && text.empty()) return port_listing{};
  if (!document) return std::unexpected(document.error());
  return read_entries(*document);
}

std::expected<void, soap_error> read_external_address(const http_answer& answer,
                                                      router_status& into) {
  const auto address = decode_external_ip_address(answer);
  if (!address) return std::unexpected(address.error());
  into.external = *address;
  return {};
}

std::expected<void, soap_error> read_status_info(const http_answer& answer, router_status& into) {
  const auto values = decode_soap(answer);
  if (!values) return std::unexpected(values.error());
  into.connection = printable(values->find("NewConnectionStatus").value_or(""));
  into.last_error = printable(values->find("NewLastConnectionError").value_or(""));
  const auto uptime = ascii::parse_number<std::uint32_t>(values->find("NewUptime").value_or(""));
  if (uptime) into.uptime = std::chrono::seconds{*uptime};
  return {};
}

std::expected<void, soap_error> read_link_properties(const http_answer& answer,
                                                     router_status& into) {
  const auto values = decode_soap(answer);
  if (!values) return std::unexpected(values.error());
  into.access = printable(values->find("NewWANAccessType").value_or(""));
  into.link = printable(values->find("NewPhysicalLinkStatus").value_or(""));
  into.upstream_bits_per_second = read_count(*values, "NewLayer1UpstreamMaxBitRate");
  into.downstream_bits_per_second = read_count(*values, "NewLayer1DownstreamMaxBitRate");
  return {};
}

std::expected<void, soap_error> read_counter(const http_answer& answer, upnp_action which,
                                             router_status& into) {
  const auto* const row = std::ranges::find(counters, which, &counter_row::action);
  DAMSON_ASSERT(row != counters.end());
  const auto values = decode_soap(answer);
  if (!values) return std::unexpected(values.error());
  into.*(row->member) = read_count(*values, row->argument);
  return {};
}

}  // namespace damson
