#include "wire/pinhole_actions.hpp"

#include <array>
#include <optional>
#include <string>

#include "base/check.hpp"
#include "wire/ascii.hpp"
#include "wire/igd_actions.hpp"
#include "wire/lifetime_field.hpp"

namespace damson {
namespace {

constexpr std::chrono::seconds longest_lease = std::chrono::hours{24};

soap_request make_request(std::string_view service_type, upnp_action action,
                          std::span<const soap_argument> arguments) {
  return make_soap_request(service_type, to_string(action), arguments);
}

soap_request make_request_by_id(std::string_view service_type, upnp_action action,
                                std::uint16_t id) {
  const std::array arguments{soap_argument{"UniqueID", std::to_string(id)}};
  return make_request(service_type, action, arguments);
}

/// As IANA numbers them.
std::string_view protocol_number(transport value) noexcept {
  return value == transport::tcp ? "6" : "17";
}

std::string lease_text(std::chrono::seconds lease) {
  DAMSON_ASSERT(lease.count() > 0 && lease <= longest_lease);
  return std::to_string(lifetime_field(lease));
}

template <class Number>
std::expected<Number, soap_error> read_number(const http_answer& answer, std::string_view name) {
  const auto values = decode_soap(answer);
  if (!values) return std::unexpected(values.error());
  const auto text = values->find(name);
  if (!text) return std::unexpected(decode_error::missing_field);
  const auto number = ascii::parse_number<Number>(*text);
  if (!number) return std::unexpected(decode_error::bad_value);
  return *number;
}

/// UPnP Device Architecture 1.1 section 2.5.
std::expected<bool, soap_error> read_flag(const soap_values& values, std::string_view name) {
  const auto text = values.find(name);
  if (!text) return std::unexpected(decode_error::missing_field);
  for (const std::string_view yes : {"1", "true", "yes"}) {
    if (ascii::equal_ignoring_case(*text, yes)) return true;
  }
  for (const std::string_view no : {"0", "false", "no"}) {
    if (ascii::equal_ignoring_case(*text, no)) return false;
  }
  return std::unexpected(decode_error::bad_value);
}

}  // namespace

soap_request make_get_firewall_status(std::string_view service_type) {
  return make_request(service_type, upnp_action::get_firewall_status, {});
}

soap_request make_add_pinhole(std::string_view service_type, const pinhole_request& request) {
  DAMSON_ASSERT(request.internal_port != 0);
  DAMSON_ASSERT(request.internal_client.is_v6() && !request.internal_client.is_unspecified());
  const std::array arguments{
      soap_argument{"RemoteHost", ""},
      soap_argument{"RemotePort", "0"},
      soap_argument{"InternalClient", to_string(ip_address{request.internal_client.to_v6()})},
      soap_argument{"InternalPort", std::to_string(request.internal_port)},
      soap_argument{"Protocol", std::string{protocol_number(request.transport)}},
      soap_argument{"LeaseTime", lease_text(request.lease)}};
  return make_request(service_type, upnp_action::add_pinhole, arguments);
}

soap_request make_update_pinhole(std::string_view service_type, std::uint16_t id,
                                 std::chrono::seconds lease) {
  const std::array arguments{soap_argument{"UniqueID", std::to_string(id)},
                             soap_argument{"NewLeaseTime", lease_text(lease)}};
  return make_request(service_type, upnp_action::update_pinhole, arguments);
}

soap_request make_delete_pinhole(std::string_view service_type, std::uint16_t id) {
  return make_request_by_id(service_type, upnp_action::delete_pinhole, id);
}

soap_request make_get_pinhole_packets(std::string_view service_type, std::uint16_t id) {
  return make_request_by_id(service_type, upnp_action::get_pinhole_packets, id);
}

soap_request make_check_pinhole_working(std::string_view service_type, std::uint16_t id) {
  return make_request_by_id(service_type, upnp_action::check_pinhole_working, id);
}

std::expected<firewall_status, soap_error> decode_firewall_status(const http_answer& answer) {
  const auto values = decode_soap(answer);
  if (!values) return std::unexpected(values.error());
  const auto enabled = read_flag(*values, "FirewallEnabled");
  if (!enabled) return std::unexpected(enabled.error());
  const auto allowed = read_flag(*values, "InboundPinholeAllowed");
  if (!allowed) return std::unexpected(allowed.error());
  return firewall_status{.enabled = *enabled, .allows_pinholes = *allowed};
}

std::expected<std::uint16_t, soap_error> decode_pinhole_id(const http_answer& answer) {
  return read_number<std::uint16_t>(answer, "UniqueID");
}

std::expected<std::uint32_t, soap_error> decode_pinhole_packets(const http_answer& answer) {
  return read_number<std::uint32_t>(answer, "PinholePackets");
}

std::expected<bool, soap_error> decode_pinhole_working(const http_answer& answer) {
  const auto values = decode_soap(answer);
  if (!values) return std::unexpected(values.error());
  return read_flag(*values, "IsWorking");
}

}  // namespace damson
