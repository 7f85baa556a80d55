#pragma once

/// Where an HTTP request may go.
///
/// Anybody on the local network can answer a search, and every URL of a device is its own word. So
/// one rule stands between all of them (LOCATION, URLBase, control URLs, redirects) and the first
/// connection: plain HTTP, an address instead of a name, and
///  - IPv4: only the address that the answer came from;
///  - IPv6: the address that the answer came from, with the URL's port and path, whatever address
///    the URL names (its scope is known, that of the URL is not: Q-84);
///  - an address that the user gave: as it is.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>

#include <damson/types.hpp>

namespace damson {

/// Longer URLs are refused, never cut.
inline constexpr std::size_t url_bytes = 2048;

/// Why a URL leads nowhere.
enum class url_refusal : std::uint8_t {
  too_long,           ///< more than `url_bytes`, as it came or once it is absolute
  malformed,          ///< not a URL (RFC 3986), or with characters that no URL has (Q-140)
  not_http,           ///< another scheme, or a relative URL and nothing that it is relative to
  names_user,         ///< has a user name in it
  host_name,          ///< a name, or an address in other than its plain form
  bad_port,           ///< 0, or above 65535
  forbidden_address,  ///< loopback, unspecified, multicast, IPv4 link-local, or our own
  other_host,         ///< not the address that the answer came from
};

/// A few words for the log.
std::string_view to_string(url_refusal) noexcept;

/// What a device's URLs are judged by. Borrows both lists.
struct url_rule {
  /// The source of the answer that brought LOCATION, with its scope.
  ip_address answered_from;
  std::span<const ip_address> own_addresses{};
  /// What the user named: not asked for anything else. Also how a test reaches a gateway on
  /// loopback.
  std::span<const ip_address> user_addresses{};
};

/// Where to connect, and what to say there.
struct http_target {
  endpoint server;
  /// For the request line: path and query, never empty, never with white space or a fragment.
  std::string path;
  /// For the Host header: see `host_header`.
  std::string host;
  /// The absolute URL as the device wrote it, which other URLs are relative to. Not where to
  /// connect.
  std::string url;

  friend bool operator==(const http_target&, const http_target&) = default;
};

/// Where a URL leads that may be relative to `base` (an absolute one; empty when there is none), by
/// RFC 3986 section 5. White space around it does no harm; the query is kept.
std::expected<http_target, url_refusal> resolve_url(std::string_view url, std::string_view base,
                                                    const url_rule& rule);

/// What the URLs of a description are relative to: the URLBase that it declares, if it is not empty
/// and passes the rule, else the URL it was fetched from.
std::string description_base(std::string_view declared, std::string_view location,
                             const url_rule& rule);

/// An address and its port, always both, with brackets around IPv6 and never a scope: gateways that
/// fear DNS rebinding answer to nothing else.
std::string host_header(const endpoint& server);

}  // namespace damson
