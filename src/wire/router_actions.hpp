#pragma once

/// The actions that tell of a router's whole table and of its way out, and that delete by name:
/// WANIPConnection:1 and :2, WANPPPConnection:1 and WANCommonInterfaceConfig:1.
///
/// What comes back is for people and programs to look at, and most of it may be missing: only what
/// names an entry has to be readable. Texts are made printable.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string_view>
#include <vector>

#include <damson/router.hpp>
#include <damson/types.hpp>

#include "wire/igd_actions.hpp"
#include "wire/soap.hpp"

namespace damson {

/// How many entries GetListOfPortMappings is asked for at once.
inline constexpr std::uint16_t listed_at_once = 250;
/// Of its answer: Q-132. Some routers send a thousand entries, whatever they were asked for
///
inline constexpr std::size_t port_listing_bytes = std::size_t{1024} * 1024;

/// Whether it may be sent as the name of an entry: a port from 1 on, and as the remote host
/// nothing, or what an address or a host's name is made of.
bool is_sendable(const router_entry_name&) noexcept;

/// External ports `first` to `last`, both from 1 on: a start of 0 is refused by some, and
/// so is a range the wrong way round.
struct port_range {
  damson::transport transport{};
  std::uint16_t first = 1;
  std::uint16_t last = 65'535;
  /// NewManage: those of everybody, which a router may refuse to who has not shown who he is.
  bool of_everybody = false;

  bool holds(const router_entry_name& name) const noexcept {
    return name.transport == transport && name.external_port >= first && name.external_port <= last;
  }
};

// Requests; the service type as in igd_actions.hpp
// ----------------------------------------------------------------------------------------

/// Precondition of both: `is_sendable`.
soap_request make_get_entry(std::string_view service_type, const router_entry_name&);
soap_request make_delete_entry(std::string_view service_type, const router_entry_name&);

/// GetGenericPortMappingEntry
soap_request make_get_entry_at(std::string_view service_type, std::uint16_t index);
/// GetListOfPortMappings, `listed_at_once`.
soap_request make_get_entries(std::string_view service_type, const port_range&);
/// DeletePortMappingRange
soap_request make_delete_entries(std::string_view service_type, const port_range&);

/// GetCommonLinkProperties, GetTotalBytesSent, …: those without arguments.
soap_request make_status_request(std::string_view service_type, upnp_action);

// Answers
// ----------------------------------------------------------------------------------------

/// Of `make_get_entry`: the name is what was asked for.
std::expected<router_entry, soap_error> decode_entry(const http_answer&,
                                                     const router_entry_name& name);

/// Of `make_get_entry_at`. `missing_field` where it has no external port or transport, or is all
/// empty, as some routers answer beyond the end; `bad_value` where one of the two cannot be read.
std::expected<router_entry, soap_error> decode_entry_at(const http_answer&);

struct port_listing {
  std::vector<router_entry> entries;
  std::size_t shown = 0;  ///< with those that could not be read
};

/// The list is a document of its own inside of an argument, as CDATA or escaped, on some routers
/// twice or not at all. A success without one is an empty list.
std::expected<port_listing, soap_error> decode_entries(const http_answer&);

/// Each puts what the answer says into the status: nothing in it is an error.
std::expected<void, soap_error> read_external_address(const http_answer&, router_status& into);
std::expected<void, soap_error> read_status_info(const http_answer&, router_status& into);
std::expected<void, soap_error> read_link_properties(const http_answer&, router_status& into);
/// GetTotalBytesSent, … Precondition: `which` is one of the four.
std::expected<void, soap_error> read_counter(const http_answer&, upnp_action which,
                                             router_status& into);

}  // namespace damson
