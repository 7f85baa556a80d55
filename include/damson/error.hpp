#pragma once

/// Why a port could not be opened, or was lost: codes, what the caller can do about each, and the
/// account of every protocol that was asked.
///
/// Standard library only. `std::error_code`, and what converts to it as Boost's does, compare with
/// `errc` and `next_step`.

#include <chrono>
#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <damson/types.hpp>

namespace damson {

/// What went wrong. 0 is success and has no name.
enum class errc : std::uint8_t {
  no_gateway = 1,     ///< the host has no default route with a router behind it
  network_down,       ///< the router cannot be reached from here: no route, link down, send refused
  port_closed,        ///< the router answered with ICMP that nothing listens on its control port
  no_answer,          ///< silence for the whole of the protocol's schedule
  version_refused,    ///< the router answered in, or asks for, a protocol version we do not speak
  not_supported,      ///< the router does not know this operation, option or transport
  not_authorized,     ///< the router's policy forbids it (RFC 6887 NOT_AUTHORIZED, RFC 6886 code 2)
  malformed_request,  ///< the router found our request malformed
  network_failure,    ///< the router has no public address of its own (no uplink, or a NAT before
                      ///< it: `failure::external_class`)
  no_resources,       ///< the router is out of table space, or the external port is taken
  quota_exceeded,     ///< the router's quota for this host is used up
  external_not_available,  ///< the wanted external address or port cannot be had
  address_mismatch,        ///< there is another NAT between this host and the router
  lease_not_supported,     ///< the router makes permanent mappings only, which the request forbids
  unusable_answer,    ///< the router granted something that cannot be used (port 0, lifetime 0)
  lease_expired,      ///< the lease ran out and no renewal was answered
  gateway_restarted,  ///< the router lost its state (epoch, RFC 6887 section 8.5)
  mapping_gone,       ///< the router was asked and no longer has the mapping
  network_changed,    ///< the router or the host's address is another one now
  protocol_excluded,  ///< the request does not allow this protocol
  not_tried,          ///< the attempt ended before this protocol was asked
  timed_out,          ///< the request's own time-out passed first
  invalid_argument,   ///< the request makes no sense; nothing was sent
  already_mapped,     ///< this client has the port mapped in a way that this request does not allow
  limit_reached,      ///< the client holds as many mappings as it can
  busy,               ///< somebody is already waiting for the next event
  closed,             ///< the client is closed or closing
};

/// What the caller can do about it; every `errc` is equivalent to exactly one.
enum class next_step : std::uint8_t {
  retry = 1,   ///< the same request may succeed later
  fall_back,   ///< this router will not do it this way: another protocol, or a relay
  fix_call,    ///< the program's own mistake
  tell_owner,  ///< somebody has to change a setting of the router, or of the network
};

/// "damson"; messages say what happened.
const std::error_category& category() noexcept;
/// "damson.next_step".
const std::error_category& next_step_category() noexcept;

std::error_code make_error_code(errc) noexcept;
std::error_condition make_error_condition(next_step) noexcept;

/// What to do about an error.
next_step next_step_of(errc) noexcept;

/// One plain sentence without a full stop, for people.
std::string_view describe(errc) noexcept;

/// How one protocol failed for one mapping.
struct protocol_failure {
  damson::protocol protocol{};
  errc reason{};
  /// The router's own number: a PCP or NAT-PMP result code, or a UPnP error code, which may be
  /// negative.
  std::optional<std::int32_t> result_code{};
  /// The router's own words, where it used some (UPnP errorDescription): printable ASCII, what was
  /// not is written as \n, \r, \t or \xHH; at most 500 bytes.
  std::string router_text{};
  /// The server that was asked; unspecified when none was.
  endpoint server{};
  /// Not before this has passed will the same request be sent again by itself.
  std::optional<std::chrono::seconds> retry_after{};

  friend bool operator==(const protocol_failure&, const protocol_failure&) = default;
};

/// Why a mapping could not be made: the reason that decides, and one entry for each protocol.
struct failure {
  errc reason{};
  std::vector<protocol_failure> protocols;
  /// The router's outside address, where it told one although it made nothing; else unspecified.
  ip_address external{};

  /// What that address is worth. With `errc::network_failure` the router made nothing because of a
  /// second NAT before it where this is `private_address`, and of a provider's for `carrier_nat`.
  address_class external_class() const noexcept { return classify(external); }

  friend bool operator==(const failure&, const failure&) = default;
};

/// "pcp: nothing listens on the router's port (192.168.1.1:5351)", for instance.
std::string to_string(const protocol_failure&);
/// The reason and, after it, each protocol's and what the outside address is worth; one line.
std::string to_string(const failure&);

}  // namespace damson

template <>
struct std::is_error_code_enum<damson::errc> : std::true_type {};
template <>
struct std::is_error_condition_enum<damson::next_step> : std::true_type {};
