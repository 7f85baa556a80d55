#pragma once

/// What a gateway tells the engine.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include <damson/engine.hpp>

#include "proto/map_purpose.hpp"

namespace damson::core {

enum class availability : std::uint8_t {
  unknown,
  present,  ///< it answered in this protocol
  absent,   ///< it answered that it does not speak it
};

struct map_outcome {
  enum class kind : std::uint8_t { granted, deleted, already_gone, refused, silent };
  kind what{};
  endpoint external{};                        ///< granted; NAT-PMP leaves the address unspecified
  std::uint16_t port_count = 1;               ///< granted: how many ports in a row, as one
  std::chrono::seconds lifetime{};            ///< granted
  bool permanent = false;                     ///< granted without a lifetime
  bool verified = false;                      ///< granted, and read back
  errc reason{};                              ///< refused, and silent where it is known
  std::optional<std::int32_t> result_code{};  ///< refused
  std::string router_text{};                  ///< refused: in its own words, made printable
  /// refused: as asked by the router, not below the floors
  std::chrono::seconds retry_after{};
};

namespace gateway_event {
struct channel_ready {};
struct channel_broken {
  channel_error error{};
};
/// What it speaks is known better than before.
struct learnt {};
struct map_answered {
  mapping_id mapping{};
  damson::protocol protocol{};
  map_purpose asked{};
  bool late = false;
  map_outcome outcome;
};
/// The NAT-PMP address question is answered, or will not be.
struct address_asked {
  bool answered = false;
};
/// It lost its state: the epoch says so (RFC 6887 section 8.5, RFC 6886 section 3.6). Where PCP is
/// another server's, only what that made is lost, or only what it did not make.
struct restarted {
  bool in_pcp = true;
  bool elsewhere = true;
};
/// The PCP server that was named in place of the gateway cannot be asked.
struct pcp_server_broken {
  errc reason{};
};
/// The PCP ANNOUNCE question is answered, or will not be.
struct checked {
  bool answered = false;
};
/// The UPnP device said its external address.
struct igd_address {};
/// The UPnP device may have lost its state: it has moved, or its uptime has fallen.
struct igd_doubtful {
  bool is_another = false;  ///< it is another device
  ip_address before{};      ///< than the one there, if so
};
/// The UPnP device answered the question whether it is there, or will not.
struct igd_checked {
  bool answered = false;
};
/// An entry was read back from the UPnP device.
struct igd_verified {
  mapping_id mapping{};
  std::optional<bool> is_there;  ///< empty: the device cannot be asked
};
/// The UPnP device has answered what it was asked for its own sake, or will not.
struct igd_read {};
/// The UPnP device is being asked whether it is there, because it said something; its entries may
/// be gone.
struct igd_hinted {
  bool entries = false;  ///< some are, as it said
};
}  // namespace gateway_event

using any_gateway_event =
    std::variant<gateway_event::channel_ready, gateway_event::channel_broken, gateway_event::learnt,
                 gateway_event::map_answered, gateway_event::address_asked,
                 gateway_event::restarted, gateway_event::pcp_server_broken, gateway_event::checked,
                 gateway_event::igd_address, gateway_event::igd_doubtful,
                 gateway_event::igd_checked, gateway_event::igd_verified, gateway_event::igd_read,
                 gateway_event::igd_hinted>;

}  // namespace damson::core
