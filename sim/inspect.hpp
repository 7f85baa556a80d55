#pragma once

/// Reads packets for checks and transcripts: what a client asked, in words.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <damson/types.hpp>

#include "sim/nat_table.hpp"

namespace damson::sim {

/// A PCP MAP, request or response.
struct pcp_map_view {
  bool response = false;
  std::uint8_t result = 0;
  std::uint32_t lifetime = 0;
  std::uint32_t epoch = 0;  ///< of a response
  ip_address client;        ///< of a request
  nonce_bytes nonce{};
  std::uint8_t protocol = 0;
  std::uint16_t internal_port = 0;
  std::uint16_t external_port = 0;
  ip_address external_address;
};

/// A PCP PEER, request or response.
struct pcp_peer_view {
  pcp_map_view map;  ///< what it has in common with MAP
  endpoint remote;
};

/// A NAT-PMP map, request or response of full length.
struct nat_pmp_map_view {
  bool response = false;
  damson::transport transport{};
  std::uint16_t result = 0;
  std::uint32_t epoch = 0;  ///< of a response
  std::uint16_t internal_port = 0;
  std::uint16_t external_port = 0;
  std::uint32_t lifetime = 0;
};

bool is_pcp(std::span<const std::byte> packet);
bool is_pcp_announce(std::span<const std::byte> packet);
std::optional<pcp_map_view> read_pcp_map(std::span<const std::byte> packet);
std::optional<pcp_peer_view> read_pcp_peer(std::span<const std::byte> packet);

bool is_nat_pmp(std::span<const std::byte> packet);
bool is_nat_pmp_address(std::span<const std::byte> packet);
std::optional<nat_pmp_map_view> read_nat_pmp_map(std::span<const std::byte> packet);

/// What an SSDP search is for; empty for anything else.
std::optional<std::string> ssdp_search_target(std::span<const std::byte> packet);

/// The action that an HTTP request calls, as its SOAPAction field names it; empty for others.
std::string soap_action_of(std::string_view request);

/// What the first element of that name holds, in the request of an action; empty where there is
/// none.
std::string_view soap_argument_of(std::string_view request, std::string_view name);

/// The method and the path of an HTTP request, and the action with the ports that it is about.
std::string describe_request(std::string_view request);

/// One line, for people.
std::string describe_packet(std::span<const std::byte> packet);

/// Hexadecimal without spaces.
std::string to_hex(std::span<const std::byte> data);

}  // namespace damson::sim
