#pragma once

/// The General Event Notification Architecture (UPnP Device Architecture 1.0 section 4): asking for
/// a service's events, and reading them. No state, and no judgement on the sender.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include <damson/engine.hpp>
#include <damson/types.hpp>

#include "wire/decode_error.hpp"
#include "wire/http_target.hpp"

namespace damson {

/// What is asked for. The router decides; half of what it grants is when to renew.
inline constexpr std::chrono::seconds wished_subscription{1'800};
/// Grants are believed within these bounds: a router that wants to be asked every second is not
/// asked as often, and none is believed to remember for longer than a day.
inline constexpr std::chrono::seconds shortest_subscription{30};
inline constexpr std::chrono::seconds longest_subscription = std::chrono::hours{24};
inline constexpr std::size_t subscription_id_bytes = 256;  ///< longer ones are refused

// Asking
// ----------------------------------------------------------------------------------------

/// SUBSCRIBE. `path` begins with a slash and is plain; the scope of the callback's address is not
/// sent.
std::string make_subscribe(const http_target& events, const endpoint& callback,
                           std::string_view path);

/// SUBSCRIBE to renew. Precondition: `id` comes out of `decode_subscription`.
std::string make_renewal(const http_target& events, std::string_view id);

/// UNSUBSCRIBE. Precondition: the same.
std::string make_unsubscribe(const http_target& events, std::string_view id);

// What comes back
// ----------------------------------------------------------------------------------------

struct subscription {
  std::string id;                   ///< SID: printable, without spaces
  std::chrono::seconds lifetime{};  ///< within the bounds above

  friend bool operator==(const subscription&, const subscription&) = default;
};

/// By the fields SID and TIMEOUT of a success. A TIMEOUT that is missing, or cannot be read, is
/// what was asked for; "infinite" is the longest.
///
/// Errors: `missing_field` without SID, `too_long`, `bad_character` (it goes back into a header:
///
std::expected<subscription, decode_error> decode_subscription(std::string_view id,
                                                              std::string_view timeout);

/// Whether the request is an event: a NOTIFY of upnp:event and upnp:propchange.
bool is_event(const event_received&) noexcept;

/// SEQ; empty when it is missing or no number.
std::optional<std::uint32_t> event_sequence(const event_received&) noexcept;

/// The state variables of WANIPConnection and WANPPPConnection that an event is about.
struct event_values {
  /// ExternalIPAddress; unspecified: the router has none. Empty as well where it is no address that
  /// a router could have.
  std::optional<ip_address> external;
  std::optional<std::uint32_t> entries;  ///< PortMappingNumberOfEntries

  friend bool operator==(const event_values&, const event_values&) = default;
};

/// Errors: those of `xml::parse`; `wrong_document` when its root element is not "propertyset". A
/// set without the two variables is no error.
std::expected<event_values, decode_error> decode_event(std::string_view body);

}  // namespace damson
