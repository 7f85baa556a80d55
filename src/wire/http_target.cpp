#include "wire/http_target.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

#include "wire/ascii.hpp"

namespace damson {
namespace {

namespace urls = boost::urls;

constexpr std::uint16_t http_port = 80;

/// The URL without the zone of an IPv6 host ("[fe80::1%eth0]", RFC 6874), which means something on
/// the device only, and which Boost.URL does not read.
std::string without_zone(std::string_view url) {
  std::string out{url};
  const std::size_t host = url.find_first_of(":/?#");
  if (host == std::string_view::npos || !url.substr(host).starts_with("://[")) return out;
  const std::size_t end = url.find(']', host);
  const std::size_t zone = url.find('%', host);
  if (end != std::string_view::npos && zone < end) out.erase(zone, end - zone);
  return out;
}

std::string_view view(boost::core::string_view text) noexcept { return {text.data(), text.size()}; }

/// What comes before a colon is a scheme, unless something else has begun before it.
bool has_scheme(std::string_view url) noexcept {
  const std::size_t end = url.find_first_of(":/?#");
  return end != std::string_view::npos && url[end] == ':';
}

/// A relative URL, or an absolute one of HTTP, taken apart; without its fragment. Borrows the text.
///
/// Stands in front of what Boost.URL 1.81 does with the rest: other schemes without a path ("x:#")
/// break its assertions, and "http://192.0.2.1:80x/" has a path of "x/" to it.
std::expected<urls::url_view, url_refusal> parse(std::string_view text) {
  text = text.substr(0, text.find('#'));
  if (has_scheme(text) && !ascii::starts_with_ignoring_case(text, "http://")) {
    return std::unexpected(url_refusal::not_http);
  }
  const auto url = urls::parse_uri_reference(text);
  if (!url) return std::unexpected(url_refusal::malformed);
  const std::string_view path = view(url->encoded_path());
  if (url->has_authority() && !path.empty() && !path.starts_with('/')) {
    return std::unexpected(url_refusal::malformed);
  }
  return *url;
}

// Resolution, RFC 3986 section 5.2. That of Boost.URL 1.81 decodes escapes on the way ("%2f"
// becomes a slash), and leaves ".." at the root.
// ----------------------------------------------------------------------------------------

/// Section 5.2.4; the path begins with a slash.
std::string remove_dot_segments(std::string_view path) {
  std::string out;
  while (!path.empty()) {
    path.remove_prefix(1);
    const std::size_t end = std::min(path.find('/'), path.size());
    const std::string_view segment = path.substr(0, end);
    path.remove_prefix(end);
    if (segment == "..") out.erase(std::min(out.rfind('/'), out.size()));
    if (segment != "." && segment != "..") {
      out += '/';
      out += segment;
    } else if (path.empty()) {
      out += '/';
    }
  }
  return out;
}

/// Section 5.2.3, for a relative path.
std::string merge(const urls::url_view& base, std::string_view path) {
  const std::string_view folder = view(base.encoded_path());
  std::string out{folder.substr(0, folder.rfind('/') + 1)};
  if (out.empty()) out = "/";
  return out += path;
}

/// Section 5.2.2, for HTTP only; without the fragment.
std::string resolve(const urls::url_view& base, const urls::url_view& reference) {
  const urls::url_view& authority = reference.has_authority() ? reference : base;
  const std::string_view path = view(reference.encoded_path());
  const bool same_path = !reference.has_authority() && path.empty();
  const urls::url_view& query = same_path && !reference.has_query() ? base : reference;

  std::string out = "http://";
  out += view(authority.encoded_authority());
  if (same_path) {
    out += remove_dot_segments(view(base.encoded_path()));
  } else {
    out += remove_dot_segments(
        reference.has_authority() || path.starts_with('/') ? std::string{path} : merge(base, path));
  }
  if (query.has_query()) {
    out += '?';
    out += view(query.encoded_query());
  }
  return out;
}

std::expected<std::string, url_refusal> make_absolute(std::string_view text,
                                                      std::string_view base) {
  const std::string reference_text = without_zone(text);
  const auto reference = parse(reference_text);
  if (!reference) return std::unexpected(reference.error());
  if (reference->has_scheme()) return resolve(*reference, *reference);
  const std::string base_text = without_zone(base);
  const auto base_url = parse(base_text);
  if (!base_url) return std::unexpected(base_url.error());
  if (!base_url->has_scheme()) return std::unexpected(url_refusal::not_http);
  return resolve(*base_url, *reference);
}

// The rule
// ----------------------------------------------------------------------------------------

std::expected<ip_address, url_refusal> literal_host(const urls::url_view& url) {
  switch (url.host_type()) {
    case urls::host_type::ipv4:
      return ip_address{ip_address::v4_bytes{url.host_ipv4_address().to_bytes()}};
    case urls::host_type::ipv6:
      return ip_address{ip_address::v6_bytes{url.host_ipv6_address().to_bytes()}};
    case urls::host_type::none:
    case urls::host_type::name:
    case urls::host_type::ipvfuture:
      break;
  }
  return std::unexpected(url_refusal::host_name);
}

/// Reads the text: Boost.URL's own number is modulo 65536.
std::optional<std::uint16_t> port_of(const urls::url_view& url) {
  if (url.port().empty()) return http_port;
  const auto port = ascii::parse_number<std::uint16_t>(url.port());
  return port == 0 ? std::nullopt : port;
}

/// Without scopes: a URL cannot know them.
bool same_address(const ip_address& a, const ip_address& b) noexcept {
  return a.to_v6() == b.to_v6();
}

const ip_address* find_address(std::span<const ip_address> list, const ip_address& wanted) {
  const auto found = std::ranges::find_if(
      list, [&wanted](const ip_address& a) { return same_address(a, wanted); });
  return found == list.end() ? nullptr : &*found;
}

bool is_forbidden(const ip_address& address, const url_rule& rule) {
  if (find_address(rule.user_addresses, address) != nullptr) return false;
  return address.is_unspecified() || address.is_loopback() || address.is_multicast() ||
         (address.is_v4() && address.is_link_local()) ||
         find_address(rule.own_addresses, address) != nullptr;
}

/// The address to connect to for a URL that names `named`.
std::expected<ip_address, url_refusal> allowed_address(const ip_address& named,
                                                       const url_rule& rule) {
  if (const ip_address* const given = find_address(rule.user_addresses, named)) {
    const bool scope_is_known_better =
        given->scope() == 0 && same_address(*given, rule.answered_from);
    return scope_is_known_better ? rule.answered_from : *given;
  }
  const ip_address address = rule.answered_from.is_v6() ? rule.answered_from : named;
  if (is_forbidden(address, rule)) return std::unexpected(url_refusal::forbidden_address);
  if (address != rule.answered_from) return std::unexpected(url_refusal::other_host);
  return address;
}

/// Path and query.
std::string request_target(const urls::url_view& url) {
  std::string target{view(url.encoded_path())};
  if (target.empty()) target = "/";
  if (url.has_query()) {
    target += '?';
    target += view(url.encoded_query());
  }
  return target;
}

}  // namespace

std::string_view to_string(url_refusal value) noexcept {
  switch (value) {
    case url_refusal::too_long:
      return "too long";
    case url_refusal::malformed:
      return "malformed";
    case url_refusal::not_http:
      return "not http";
    case url_refusal::names_user:
      return "names a user";
    case url_refusal::host_name:
      return "not a plain address";
    case url_refusal::bad_port:
      return "bad port";
    case url_refusal::forbidden_address:
      return "forbidden address";
    case url_refusal::other_host:
      return "another host";
  }
  return "unknown refusal";
}

std::expected<http_target, url_refusal> resolve_url(std::string_view url, std::string_view base,
                                                    const url_rule& rule) {
  const std::string_view text = ascii::trim(url);
  if (text.size() > url_bytes || base.size() > url_bytes) {
    return std::unexpected(url_refusal::too_long);
  }
  auto text_of_url = make_absolute(text, ascii::trim(base));
  if (!text_of_url) return std::unexpected(text_of_url.error());
  if (text_of_url->size() > url_bytes) return std::unexpected(url_refusal::too_long);
  const auto absolute = parse(*text_of_url);
  if (!absolute) return std::unexpected(absolute.error());
  if (absolute->has_userinfo()) return std::unexpected(url_refusal::names_user);
  const auto named = literal_host(*absolute);
  if (!named) return std::unexpected(named.error());
  const auto port = port_of(*absolute);
  if (!port) return std::unexpected(url_refusal::bad_port);
  const auto address = allowed_address(*named, rule);
  if (!address) return std::unexpected(address.error());

  const endpoint server{*address, *port};
  return http_target{.server = server,
                     .path = request_target(*absolute),
                     .host = host_header(server),
                     .url = std::move(*text_of_url)};
}

std::string description_base(std::string_view declared, std::string_view location,
                             const url_rule& rule) {
  if (!ascii::trim(declared).empty()) {
    if (auto target = resolve_url(declared, location, rule)) return std::move(target->url);
  }
  return std::string{location};
}

std::string host_header(const endpoint& server) {
  const ip_address& address = server.address;
  return to_string(endpoint{address.is_v4() ? address : ip_address{address.to_v6()}, server.port});
}

}  // namespace damson
