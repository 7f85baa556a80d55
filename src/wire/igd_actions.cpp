#include "wire/igd_actions.hpp"

#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

#include "base/check.hpp"
#include "wire/ascii.hpp"
#include "wire/lifetime_field.hpp"

namespace damson {
namespace {

using ascii::equal_ignoring_case;

constexpr std::string_view default_description = "damson";
constexpr ip_address broadcast_v4{ip_address::v4_bytes{255, 255, 255, 255}};

// Requests
// ----------------------------------------------------------------------------------------

/// In capitals, or some routers do not know it.
std::string_view protocol_name(transport value) noexcept {
  return value == transport::tcp ? "TCP" : "UDP";
}

/// The arguments that every action on one mapping begins with.
std::vector<soap_argument> key_arguments(const port_mapping_key& key) {
  DAMSON_ASSERT(key.external_port != 0);
  return {
      {"NewRemoteHost", ""},
      {"NewExternalPort", std::to_string(key.external_port)},
      {"NewProtocol", std::string{protocol_name(key.transport)}},
  };
}

std::vector<soap_argument> mapping_arguments(const port_mapping_request& request) {
  DAMSON_ASSERT(request.internal_port != 0);
  DAMSON_ASSERT(request.internal_client.is_v4() && !request.internal_client.is_unspecified());
  std::vector<soap_argument> arguments = key_arguments(request.key);
  arguments.push_back({"NewInternalPort", std::to_string(request.internal_port)});
  arguments.push_back({"NewInternalClient", to_string(request.internal_client)});
  arguments.push_back({"NewEnabled", "1"});
  arguments.push_back({"NewPortMappingDescription", safe_description(request.description)});
  arguments.push_back({"NewLeaseDuration", std::to_string(lifetime_field(request.lease))});
  return arguments;
}

soap_request make_request(std::string_view service_type, upnp_action action,
                          std::span<const soap_argument> arguments) {
  return make_soap_request(service_type, to_string(action), arguments);
}

constexpr bool is_safe_in_description(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == ' ' ||
         c == '.' || c == '-';
}

// Answers
// ----------------------------------------------------------------------------------------

std::expected<std::uint16_t, decode_error> read_port(std::optional<std::string_view> text) {
  if (!text) return std::unexpected(decode_error::missing_field);
  const auto port = ascii::parse_number<std::uint16_t>(*text);
  if (!port || *port == 0) return std::unexpected(decode_error::bad_value);
  return *port;
}

std::expected<ip_address, decode_error> read_address_v4(std::optional<std::string_view> text) {
  if (!text) return std::unexpected(decode_error::missing_field);
  const auto address = ip_address::parse(*text);
  if (!address || !address->is_v4()) return std::unexpected(decode_error::bad_value);
  return *address;
}

std::expected<std::optional<std::chrono::seconds>, decode_error> read_lease(
    std::optional<std::string_view> text) {
  if (!text || text->empty()) return std::nullopt;
  const auto seconds = ascii::parse_number<std::uint32_t>(*text);
  if (!seconds) return std::unexpected(decode_error::bad_value);
  return std::chrono::seconds(*seconds);
}

bool read_flag(std::optional<std::string_view> text) noexcept {
  return !text ||
         !(*text == "0" || equal_ignoring_case(*text, "false") || equal_ignoring_case(*text, "no"));
}

std::expected<port_mapping_entry, decode_error> read_entry(const soap_values& values) {
  const auto port = read_port(values.find("NewInternalPort"));
  if (!port) return std::unexpected(port.error());
  const auto client = read_address_v4(values.find("NewInternalClient"));
  if (!client) return std::unexpected(client.error());
  const auto lease = read_lease(values.find("NewLeaseDuration"));
  if (!lease) return std::unexpected(lease.error());
  return port_mapping_entry{
      .internal_port = *port,
      .internal_client = *client,
      .enabled = read_flag(values.find("NewEnabled")),
      .description = std::string{values.find("NewPortMappingDescription").value_or("")},
      .lease = *lease};
}

connection_state read_state(std::optional<std::string_view> text) noexcept {
  if (!text || text->empty()) return connection_state::unknown;
  const bool connected =
      equal_ignoring_case(*text, "Connected") || equal_ignoring_case(*text, "Up");
  return connected ? connection_state::connected : connection_state::not_connected;
}

}  // namespace

std::string_view to_string(upnp_action value) noexcept {
  switch (value) {
    case upnp_action::get_external_ip_address:
      return "GetExternalIPAddress";
    case upnp_action::add_port_mapping:
      return "AddPortMapping";
    case upnp_action::add_any_port_mapping:
      return "AddAnyPortMapping";
    case upnp_action::delete_port_mapping:
      return "DeletePortMapping";
    case upnp_action::get_specific_port_mapping_entry:
      return "GetSpecificPortMappingEntry";
    case upnp_action::get_status_info:
      return "GetStatusInfo";
    case upnp_action::get_generic_port_mapping_entry:
      return "GetGenericPortMappingEntry";
    case upnp_action::get_list_of_port_mappings:
      return "GetListOfPortMappings";
    case upnp_action::delete_port_mapping_range:
      return "DeletePortMappingRange";
    case upnp_action::get_common_link_properties:
      return "GetCommonLinkProperties";
    case upnp_action::get_total_bytes_sent:
      return "GetTotalBytesSent";
    case upnp_action::get_total_bytes_received:
      return "GetTotalBytesReceived";
    case upnp_action::get_total_packets_sent:
      return "GetTotalPacketsSent";
    case upnp_action::get_total_packets_received:
      return "GetTotalPacketsReceived";
    case upnp_action::get_firewall_status:
      return "GetFirewallStatus";
    case upnp_action::add_pinhole:
      return "AddPinhole";
    case upnp_action::update_pinhole:
      return "UpdatePinhole";
    case upnp_action::delete_pinhole:
      return "DeletePinhole";
    case upnp_action::get_pinhole_packets:
      return "GetPinholePackets";
    case upnp_action::check_pinhole_working:
      return "CheckPinholeWorking";
  }
  return "unknown action";
}

std::string safe_description(std::string_view wanted) {
  std::string out{ascii::trim(wanted).substr(0, mapping_description_bytes)};
  std::ranges::replace_if(out, std::not_fn(is_safe_in_description), '-');
  return out.empty() ? std::string{default_description} : out;
}

soap_request make_get_external_ip_address(std::string_view service_type) {
  return make_request(service_type, upnp_action::get_external_ip_address, {});
}

soap_request make_add_port_mapping(std::string_view service_type,
                                   const port_mapping_request& request) {
  return make_request(service_type, upnp_action::add_port_mapping, mapping_arguments(request));
}

soap_request make_add_any_port_mapping(std::string_view service_type,
                                       const port_mapping_request& request) {
  return make_request(service_type, upnp_action::add_any_port_mapping, mapping_arguments(request));
}

soap_request make_delete_port_mapping(std::string_view service_type, const port_mapping_key& key) {
  return make_request(service_type, upnp_action::delete_port_mapping, key_arguments(key));
}

soap_request make_get_specific_port_mapping_entry(std::string_view service_type,
                                                  const port_mapping_key& key) {
  return make_request(service_type, upnp_action::get_specific_port_mapping_entry,
                      key_arguments(key));
}

soap_request make_get_status_info(std::string_view service_type) {
  return make_request(service_type, upnp_action::get_status_info, {});
}

std::expected<ip_address, decode_error> read_external_address(
    std::optional<std::string_view> text) {
  if (text && text->empty()) return ip_address{};
  const auto address = read_address_v4(text);
  if (address && (address->is_loopback() || address->is_multicast() || *address == broadcast_v4)) {
    return std::unexpected(decode_error::bad_value);
  }
  return address;
}

std::expected<ip_address, soap_error> decode_external_ip_address(const http_answer& answer) {
  const auto values = decode_soap(answer);
  if (!values) return std::unexpected(values.error());
  const auto address = read_external_address(values->find("NewExternalIPAddress"));
  if (!address) return std::unexpected(address.error());
  return *address;
}

std::expected<void, soap_error> decode_acknowledgement(const http_answer& answer) {
  const auto values = decode_soap(answer);
  if (!values) return std::unexpected(values.error());
  return {};
}

std::expected<std::optional<std::uint16_t>, soap_error> decode_reserved_port(
    const http_answer& answer) {
  const auto values = decode_soap(answer);
  if (!values) return std::unexpected(values.error());
  auto text = values->find("NewReservedPort");
  if (!text) text = values->find("NewExternalPort");
  if (!text) return std::nullopt;
  const auto port = read_port(text);
  if (!port) return std::unexpected(port.error());
  return *port;
}

std::expected<port_mapping_entry, soap_error> decode_port_mapping_entry(const http_answer& answer) {
  const auto values = decode_soap(answer);
  if (!values) return std::unexpected(values.error());
  auto entry = read_entry(*values);
  if (!entry) return std::unexpected(entry.error());
  return std::move(*entry);
}

std::expected<connection_status, soap_error> decode_status_info(const http_answer& answer) {
  const auto values = decode_soap(answer);
  if (!values) return std::unexpected(values.error());
  connection_status status{.state = read_state(values->find("NewConnectionStatus")), .uptime = {}};
  const auto uptime = ascii::parse_number<std::uint32_t>(values->find("NewUptime").value_or(""));
  if (uptime) status.uptime = std::chrono::seconds(*uptime);
  return status;
}

}  // namespace damson
