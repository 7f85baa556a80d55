#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include <damson/types.hpp>

namespace damson::cli {

/// "192.0.2.1:80" or "[2001:db8::1]:80"; with a port to be meant where none is said (0: none is)
/// also the bare address. Empty for anything else, for port 0, and for addresses that nobody has.
std::optional<endpoint> parse_endpoint(std::string_view text, std::uint16_t usual_port = 0);

}  // namespace damson::cli
