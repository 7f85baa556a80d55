#include "endpoint_text.hpp"

#include <charconv>

namespace damson::cli {
namespace {

/// 0: none.
std::uint16_t read_port(std::string_view text) {
  std::uint16_t port = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, port);
  return error == std::errc{} && stop == end ? port : std::uint16_t{0};
}

/// An address in brackets may be an IPv6 one only.
std::optional<endpoint> together(std::string_view host, bool is_bracketed, std::uint16_t port) {
  const std::optional<ip_address> address = ip_address::parse(host);
  if (port == 0 || !address || address->is_unspecified() || address->is_multicast() ||
      (is_bracketed && !address->is_v6())) {
    return std::nullopt;
  }
  return endpoint{*address, port};
}

}  // namespace

std::optional<endpoint> parse_endpoint(std::string_view text, std::uint16_t usual_port) {
  const std::size_t close = text.starts_with('[') ? text.find(']') : std::string_view::npos;
  if (close != std::string_view::npos) {
    const std::string_view host = text.substr(1, close - 1);
    const std::string_view rest = text.substr(close + 1);
    if (!rest.empty() && !rest.starts_with(':')) {
      return std::nullopt;
    }
    return together(host, true, rest.empty() ? usual_port : read_port(rest.substr(1)));
  }
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos || text.find(':', colon + 1) != std::string_view::npos) {
    return together(text, false, usual_port);
  }
  return together(text.substr(0, colon), false, read_port(text.substr(colon + 1)));
}

}  // namespace damson::cli
