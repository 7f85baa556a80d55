#pragma once

/// The messages of the Simple Service Discovery Protocol (UPnP Device Architecture 1.1 section 1),
/// as values: what we ask, and what devices answer or announce.
///
/// No state, and no judgement on the sender: whose answers count is its reader's business,
/// but the source port never is.

#include <array>
#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <damson/types.hpp>

#include "wire/decode_error.hpp"

namespace damson {

inline constexpr std::uint16_t ssdp_port = 1900;
inline constexpr ip_address ssdp_group_v4{ip_address::v4_bytes{239, 255, 255, 250}};
/// ff02::c and ff05::c, in the order of asking. Sending to the first needs a scope.
inline constexpr ip_address ssdp_group_link_local{
    ip_address::v6_bytes{0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x0c}};
inline constexpr ip_address ssdp_group_site_local{
    ip_address::v6_bytes{0xff, 0x05, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x0c}};

/// A device may put off its answer for so long (MX); listen a second longer.
inline constexpr std::chrono::seconds ssdp_longest_delay{2};

inline constexpr std::size_t ssdp_message_bytes = 2048;  ///< longer ones are dropped (Q-80)
inline constexpr std::size_t ssdp_message_lines = 64;

/// What a search asks for.
enum class search_target : std::uint8_t {
  gateway_1,
  gateway_2,
  ip_connection_1,
  ip_connection_2,
  ppp_connection_1,
  root_device,  ///< everything, for gateways that answer to no other name
};

/// In the order of asking. "ssdp:all" is not among them: devices exist that answer it with the
/// first thing they are, and it is not their gateway.
inline constexpr std::array search_targets{
    search_target::gateway_1,       search_target::gateway_2,        search_target::ip_connection_1,
    search_target::ip_connection_2, search_target::ppp_connection_1, search_target::root_device,
};

/// As it stands in the ST header.
std::string_view to_string(search_target) noexcept;

/// An M-SEARCH. Spelled for the strictest readers known: quoted MAN, MX even to one device, HOST
/// with its port, one empty line and nothing after it.
struct search_request {
  search_target target{};
  /// Where it is sent: a group, or one device. The scope of the address is not sent.
  endpoint destination;

  friend bool operator==(const search_request&, const search_request&) = default;
};

std::vector<std::byte> encode(const search_request&);

enum class ssdp_kind : std::uint8_t {
  answer,  ///< to a search
  alive,   ///< NOTIFY: the device is there
  byebye,  ///< NOTIFY: the device goes
};

struct ssdp_message {
  ssdp_kind kind{};
  /// Where the description is: printable ASCII, nothing more is known of it. Empty in a byebye.
  std::string location;
  /// ST of an answer, NT of a NOTIFY; empty when it is missing or not printable.
  std::string target;
  /// Empty when it is missing or not printable.
  std::string unique_name;
  /// For people: bytes as they came.
  std::string server;
  /// BOOTID.UPNP.ORG: another one means that the device has restarted.
  std::optional<std::uint32_t> boot_id;

  friend bool operator==(const ssdp_message&, const ssdp_message&) = default;
};

/// Tolerant of spelling: names in any case, with or without white space around names and
/// values, lines that end in LF alone, a missing empty line or line end at the end, lines that are
/// no headers. Of several headers of one name the first that is not empty counts.
///
/// Errors: `too_long`; `too_many_elements` (more than 64 lines); `not_a_response` for searches of
/// others, status codes other than 200 and unknown NOTIFYs; `missing_field` without a LOCATION
/// where there must be one, or with nothing that tells who says byebye; `bad_character` in the
/// LOCATION.
std::expected<ssdp_message, decode_error> decode_ssdp(std::span<const std::byte> datagram);

enum class device_likelihood : std::uint8_t {
  unlikely,  ///< something else, such as the Wi-Fi set-up device of many routers (Q-70)
  possible,  ///< a device of its own that says no more
  gateway,
};

/// How much a message promises: more is greater. Only for the order of asking, because what a
/// device says about its version here need not be true; its description decides.
struct device_rank {
  device_likelihood likelihood{};
  std::uint16_t version = 0;  ///< of a gateway or connection; else 0

  friend constexpr auto operator<=>(const device_rank&, const device_rank&) noexcept = default;
};

/// By ST or NT up to the version, which need not be the one that was searched for.
device_rank rank_of(const ssdp_message&) noexcept;

}  // namespace damson
