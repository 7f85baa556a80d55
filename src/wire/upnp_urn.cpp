#include "wire/upnp_urn.hpp"

#include "wire/ascii.hpp"

namespace damson {

using ascii::equal_ignoring_case;

bool upnp_urn::is(std::string_view wanted_category, std::string_view wanted_name) const noexcept {
  return (equal_ignoring_case(domain, "schemas-upnp-org") ||
          equal_ignoring_case(domain, "dslforum-org")) &&
         equal_ignoring_case(category, wanted_category) && equal_ignoring_case(name, wanted_name);
}

std::optional<upnp_urn> parse_upnp_urn(std::string_view text) noexcept {
  std::string_view rest = ascii::trim(text);
  if (!equal_ignoring_case(ascii::take_piece(rest, ':'), "urn")) return std::nullopt;
  upnp_urn urn;
  urn.domain = ascii::take_piece(rest, ':');
  urn.category = ascii::take_piece(rest, ':');
  urn.name = ascii::take_piece(rest, ':');
  if (urn.domain.empty() || urn.category.empty() || urn.name.empty()) return std::nullopt;
  if (rest.empty()) return urn;
  const auto version = ascii::parse_number<std::uint16_t>(rest);
  if (!version) return std::nullopt;
  urn.version = *version;
  return urn;
}

}  // namespace damson
