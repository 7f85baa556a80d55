#pragma once

/// The root description of a UPnP device (UPnP Device Architecture 1.1 section 2.3), as far as an
/// Internet Gateway Device is meant.
///
/// Looks for services, not for device types and their versions: gateways hide the one and misstate
/// the other.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "wire/decode_error.hpp"

namespace damson {

inline constexpr std::size_t description_bytes = std::size_t{256} * 1024;  ///< Q-132
inline constexpr std::size_t description_services = 32;                    ///< more are passed over
inline constexpr std::size_t description_name_bytes = 256;  ///< longer names for people are cut

enum class service_kind : std::uint8_t {
  wan_ip_connection,
  wan_ppp_connection,
  wan_ipv6_firewall_control,
  wan_common_interface_config,
};

/// "WANIPConnection", …
std::string_view to_string(service_kind) noexcept;

/// Whether it can map ports.
bool is_mapping_service(service_kind) noexcept;

struct igd_service {
  service_kind kind{};
  std::uint16_t version = 1;
  /// As it was written, for the SOAPAction header and the namespace of the body. Printable
  /// ASCII without spaces, quotes, `<`, `>`, `&`, `#` or `\`.
  std::string type;
  /// As it was written, trimmed, not empty, at most 2 KiB: see `resolve_url`.
  std::string control_url;
  /// The same, but may be empty.
  std::string event_url;

  friend bool operator==(const igd_service&, const igd_service&) = default;
};

struct igd_description {
  /// As it was written, trimmed; empty when there is none: see `description_base`.
  std::string url_base;
  /// In the order of the document, through all its devices; a gateway has one mapping service for
  /// each uplink and way of connecting, and the first need not be the live one.
  std::vector<igd_service> services;

  // Of the root device, for people: bytes as they came.
  std::string device_type;
  std::string friendly_name;
  std::string manufacturer;
  std::string model_name;
  std::string model_number;
  std::string unique_name;  ///< UDN

  friend bool operator==(const igd_description&, const igd_description&) = default;
};

/// Namespaces, prefixes and the case of names mean nothing. A service is passed over
/// when it is none of the four kinds, has no control URL, or its type could not be sent safely.
///
/// Errors: those of text that is no XML (web pages, cut off files: Q-99) or beyond the limits of
/// `wrong_document` when its root element is not "root". A description without any
/// service is no error.
std::expected<igd_description, decode_error> decode_igd_description(std::string_view body);

}  // namespace damson
