#include "wire/ssdp.hpp"

#include <algorithm>

#include "wire/ascii.hpp"
#include "wire/http_target.hpp"
#include "wire/upnp_urn.hpp"

namespace damson {
namespace {

using ascii::equal_ignoring_case;
using ascii::starts_with_ignoring_case;

struct header {
  std::string_view name;
  std::string_view value;
};

/// The header on a line; nothing where there is none, or where a line only goes on with the one
/// before it.
std::optional<header> parse_header(std::string_view line) noexcept {
  if (line.starts_with(' ') || line.starts_with('\t') || !line.contains(':')) return std::nullopt;
  const std::string_view name = ascii::trim(ascii::take_piece(line, ':'));
  if (name.empty()) return std::nullopt;
  return header{name, ascii::trim(line)};
}

/// The headers that mean something to us, as they came.
struct header_values {
  std::string_view location;
  std::string_view st;
  std::string_view nt;
  std::string_view nts;
  std::string_view usn;
  std::string_view server;
  std::string_view boot_id;

  void take(const header& h) noexcept {
    struct named_value {
      std::string_view name;
      std::string_view& value;
    };
    for (const named_value& known : {
             named_value{"location", location},
             named_value{"st", st},
             named_value{"nt", nt},
             named_value{"nts", nts},
             named_value{"usn", usn},
             named_value{"server", server},
             named_value{"bootid.upnp.org", boot_id},
         }) {
      if (known.value.empty() && equal_ignoring_case(h.name, known.name)) known.value = h.value;
    }
  }
};

enum class start_line : std::uint8_t { answer, notify, something_else };

start_line read_start_line(std::string_view line) noexcept {
  if (starts_with_ignoring_case(line, "NOTIFY ")) return start_line::notify;
  if (!starts_with_ignoring_case(line, "HTTP/")) return start_line::something_else;
  ascii::take_piece(line, ' ');
  line = ascii::trim(line);
  const std::string_view status = ascii::take_piece(line, ' ');
  return status == "200" ? start_line::answer : start_line::something_else;
}

std::optional<ssdp_kind> kind_of_notify(std::string_view nts) noexcept {
  if (equal_ignoring_case(nts, "ssdp:alive")) return ssdp_kind::alive;
  if (equal_ignoring_case(nts, "ssdp:byebye")) return ssdp_kind::byebye;
  return std::nullopt;
}

std::string printable_or_empty(std::string_view value) {
  return ascii::is_printable(value) ? std::string{value} : std::string{};
}

std::expected<ssdp_message, decode_error> interpret(start_line start,
                                                    const header_values& headers) {
  ssdp_message message;
  if (start == start_line::notify) {
    const auto kind = kind_of_notify(headers.nts);
    if (!kind) return std::unexpected(decode_error::not_a_response);
    message.kind = *kind;
  }
  message.target = printable_or_empty(start == start_line::answer ? headers.st : headers.nt);
  message.unique_name = printable_or_empty(headers.usn);
  message.server = headers.server;
  message.boot_id = ascii::parse_number<std::uint32_t>(headers.boot_id);
  if (message.kind == ssdp_kind::byebye) {
    if (message.target.empty() && message.unique_name.empty()) {
      return std::unexpected(decode_error::missing_field);
    }
    return message;
  }
  if (headers.location.empty()) return std::unexpected(decode_error::missing_field);
  if (!ascii::is_printable(headers.location)) return std::unexpected(decode_error::bad_character);
  message.location = headers.location;
  return message;
}

}  // namespace

std::string_view to_string(search_target value) noexcept {
  switch (value) {
    case search_target::gateway_1:
      return "urn:schemas-upnp-org:device:InternetGatewayDevice:1";
    case search_target::gateway_2:
      return "urn:schemas-upnp-org:device:InternetGatewayDevice:2";
    case search_target::ip_connection_1:
      return "urn:schemas-upnp-org:service:WANIPConnection:1";
    case search_target::ip_connection_2:
      return "urn:schemas-upnp-org:service:WANIPConnection:2";
    case search_target::ppp_connection_1:
      return "urn:schemas-upnp-org:service:WANPPPConnection:1";
    case search_target::root_device:
      return "upnp:rootdevice";
  }
  return "unknown target";
}

std::vector<std::byte> encode(const search_request& search) {
  std::string text = "M-SEARCH * HTTP/1.1\r\nHOST: ";
  text += host_header(search.destination);
  text += "\r\nMAN: \"ssdp:discover\"\r\nMX: ";
  text += std::to_string(ssdp_longest_delay.count());
  text += "\r\nST: ";
  text += to_string(search.target);
  text += "\r\n\r\n";
  const auto bytes = std::as_bytes(std::span{text});
  return {bytes.begin(), bytes.end()};
}

std::expected<ssdp_message, decode_error> decode_ssdp(std::span<const std::byte> datagram) {
  if (datagram.size() > ssdp_message_bytes) return std::unexpected(decode_error::too_long);
  std::string_view rest = ascii::as_text(datagram);
  const start_line start = read_start_line(ascii::take_piece(rest, '\n'));
  if (start == start_line::something_else) return std::unexpected(decode_error::not_a_response);

  header_values headers;
  for (std::size_t lines = 1; !rest.empty(); ++lines) {
    std::string_view line = ascii::take_piece(rest, '\n');
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) break;
    if (lines == ssdp_message_lines) return std::unexpected(decode_error::too_many_elements);
    if (const auto h = parse_header(line)) headers.take(*h);
  }
  return interpret(start, headers);
}

device_rank rank_of(const ssdp_message& message) noexcept {
  if (equal_ignoring_case(message.target, "upnp:rootdevice")) {
    return {device_likelihood::possible, 0};
  }
  const auto urn = parse_upnp_urn(message.target);
  if (urn && (urn->is("device", "InternetGatewayDevice") || urn->is("service", "WANIPConnection") ||
              urn->is("service", "WANPPPConnection"))) {
    return {device_likelihood::gateway, urn->version};
  }
  return {};
}

}  // namespace damson
