#pragma once

/// The discovery side of a UPnP gateway model (UPnP Device Architecture 1.1 section 1).

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/bytes.hpp"
#include "sim/upnp_tree.hpp"

namespace damson::sim {

inline constexpr std::uint16_t ssdp_port = 1900;
inline constexpr ip_address ssdp_group{ip_address::v4_bytes{239, 255, 255, 250}};
/// Of the link and of the site (UDA 1.1 annex A).
inline constexpr std::array ssdp_groups_v6{
    ip_address{ip_address::v6_bytes{0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x0c}},
    ip_address{ip_address::v6_bytes{0xff, 0x05, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x0c}}};

bool is_ssdp_group(const ip_address& address);

/// A search that is well formed.
struct ssdp_search {
  std::string target;
  std::uint32_t wait = 0;  ///< MX in s, at most 5 (UDA 1.1 section 1.3.2)
};

/// Empty where silence is due: unquoted MAN, no MX, a foreign HOST, no empty line, anything after
/// it. `own` is the router's address, which unicast searches name.
std::optional<ssdp_search> read_search(std::span<const std::byte> packet, const ip_address& own);

/// What is said about the device in answers and announcements.
struct ssdp_voice {
  const upnp_profile& how;
  const upnp_site& where;
  std::uint32_t boot_id = 1;
};

/// The answers to a search for `target`, in the order in which they are sent; none where nothing
/// matches.
std::vector<bytes> search_answers(const ssdp_voice& voice, std::string_view target);

/// One NOTIFY for each device and service, `alive` or byebye, as they go to this group.
std::vector<bytes> notifications(const ssdp_voice& voice, const ip_address& group, bool alive);

}  // namespace damson::sim
