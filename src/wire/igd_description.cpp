#include "wire/igd_description.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "wire/ascii.hpp"
#include "wire/upnp_urn.hpp"
#include "wire/xml.hpp"

namespace damson {
namespace {

constexpr std::size_t most_type_bytes = 256;

constexpr std::array service_kinds{
    service_kind::wan_ip_connection,
    service_kind::wan_ppp_connection,
    service_kind::wan_ipv6_firewall_control,
    service_kind::wan_common_interface_config,
};

/// The type goes back to the device inside a quoted header and an XML attribute.
bool is_safe_type(std::string_view type) noexcept {
  return type.size() <= most_type_bytes && ascii::is_printable(type) &&
         type.find_first_of(" \"'<>&#\\") == std::string_view::npos;
}

std::optional<igd_service> read_service(const pugi::xml_node& element) {
  igd_service service;
  service.type = xml::child_text(element, "serviceType");
  const auto urn = parse_upnp_urn(service.type);
  if (!urn || !is_safe_type(service.type)) return std::nullopt;
  const auto* const kind = std::ranges::find_if(service_kinds, [&urn](service_kind candidate) {
    return urn->is("service", to_string(candidate));
  });
  if (kind == service_kinds.end()) return std::nullopt;
  service.kind = *kind;
  service.version = urn->version;
  service.control_url = xml::child_text(element, "controlURL");
  service.event_url = xml::child_text(element, "eventSubURL");
  if (service.control_url.empty()) return std::nullopt;
  return service;
}

std::vector<igd_service> read_services(const pugi::xml_node& root) {
  std::vector<igd_service> services;
  for (pugi::xml_node node = xml::next_below(root, root);
       !node.empty() && services.size() < description_services;
       node = xml::next_below(root, node)) {
    if (!xml::is_named(node, "service")) continue;
    if (auto service = read_service(node)) services.push_back(std::move(*service));
  }
  return services;
}

std::string name_for_people(const pugi::xml_node& device, std::string_view element) {
  return xml::child_text(device, element).substr(0, description_name_bytes);
}

}  // namespace

std::string_view to_string(service_kind value) noexcept {
  switch (value) {
    case service_kind::wan_ip_connection:
      return "WANIPConnection";
    case service_kind::wan_ppp_connection:
      return "WANPPPConnection";
    case service_kind::wan_ipv6_firewall_control:
      return "WANIPv6FirewallControl";
    case service_kind::wan_common_interface_config:
      return "WANCommonInterfaceConfig";
  }
  return "unknown service";
}

bool is_mapping_service(service_kind value) noexcept {
  return value == service_kind::wan_ip_connection || value == service_kind::wan_ppp_connection;
}

std::expected<igd_description, decode_error> decode_igd_description(std::string_view body) {
  const auto document = xml::parse(body, description_bytes);
  if (!document) return std::unexpected(document.error());
  const pugi::xml_node root = document->document_element();
  if (!xml::is_named(root, "root")) return std::unexpected(decode_error::wrong_document);

  const pugi::xml_node device = xml::child(root, "device");
  igd_description description;
  description.url_base = xml::child_text(root, "URLBase");
  description.services = read_services(root);
  description.device_type = name_for_people(device, "deviceType");
  description.friendly_name = name_for_people(device, "friendlyName");
  description.manufacturer = name_for_people(device, "manufacturer");
  description.model_name = name_for_people(device, "modelName");
  description.model_number = name_for_people(device, "modelNumber");
  description.unique_name = name_for_people(device, "UDN");
  return description;
}

}  // namespace damson
