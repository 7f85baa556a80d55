#pragma once

/// The actions of WANIPv6FirewallControl:1 that somebody needs who opens ports of its own, typed.
///
/// Wildcards have one spelling each: every remote host is an empty element, every remote
/// port 0; the internal end is always named.

#include <chrono>
#include <cstdint>
#include <expected>
#include <string_view>

#include <damson/types.hpp>

#include "wire/soap.hpp"

namespace damson {

/// A pinhole for everybody outside.
struct pinhole_request {
  damson::transport transport{};
  /// IPv6, and the address that the request is sent from, or strict routers refuse it. Its
  /// scope is not sent.
  ip_address internal_client;
  /// 1..65535.
  std::uint16_t internal_port = 0;
  /// 1 s..86400 s (section 2.3.7, Q-122).
  std::chrono::seconds lease{};

  friend bool operator==(const pinhole_request&, const pinhole_request&) = default;
};

// Requests, in the order of section 2.5. `id` is the UniqueID of a pinhole.

soap_request make_get_firewall_status(std::string_view service_type);
soap_request make_add_pinhole(std::string_view service_type, const pinhole_request&);
/// The lease as in `pinhole_request`; it is counted from now on.
soap_request make_update_pinhole(std::string_view service_type, std::uint16_t id,
                                 std::chrono::seconds lease);
soap_request make_delete_pinhole(std::string_view service_type, std::uint16_t id);
soap_request make_get_pinhole_packets(std::string_view service_type, std::uint16_t id);
soap_request make_check_pinhole_working(std::string_view service_type, std::uint16_t id);

// Answers; those without a reader here are acknowledgements.

struct firewall_status {
  bool enabled = false;
  bool allows_pinholes = false;  ///< InboundPinholeAllowed

  friend bool operator==(const firewall_status&, const firewall_status&) = default;
};

/// `missing_field` without one of the two, `bad_value` for what is no boolean of UPnP (0, 1, false,
/// true, no, yes, in any case).
std::expected<firewall_status, soap_error> decode_firewall_status(const http_answer&);

/// UniqueID; `missing_field` without it, `bad_value` for what is no number of 16 bits.
std::expected<std::uint16_t, soap_error> decode_pinhole_id(const http_answer&);

/// PinholePackets, a number of 32 bits. Errors as for the UniqueID.
std::expected<std::uint32_t, soap_error> decode_pinhole_packets(const http_answer&);

/// IsWorking. Errors as for the firewall's state.
std::expected<bool, soap_error> decode_pinhole_working(const http_answer&);

}  // namespace damson
