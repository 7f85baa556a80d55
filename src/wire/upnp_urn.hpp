#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace damson {

/// The type of a device or service taken apart: "urn:schemas-upnp-org:service:WANIPConnection:2".
/// Borrows the text that it was read from.
struct upnp_urn {
  std::string_view domain;
  std::string_view category;  ///< "device" or "service"
  std::string_view name;
  std::uint16_t version = 1;  ///< 1 where none is written

  /// Whether this is that type in any version, of the UPnP Forum or the older DSL Forum, in
  /// any case.
  bool is(std::string_view wanted_category, std::string_view wanted_name) const noexcept;
};

/// Empty when the text is no such URN. White space around it does no harm.
std::optional<upnp_urn> parse_upnp_urn(std::string_view text) noexcept;

}  // namespace damson
