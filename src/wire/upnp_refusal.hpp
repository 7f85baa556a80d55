#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <damson/error.hpp>

#include "wire/igd_actions.hpp"
#include "wire/igd_description.hpp"

namespace damson {

/// What a router means by the number of a UPnP error: one meaning for each thing that can be done
/// about it.
enum class upnp_refusal : std::uint8_t {
  /// The router has no such action, or it is switched off: do without, and remember that.
  action_missing,
  /// When adding: another lease may be taken.
  invalid_arguments,
  /// Anything at all. When adding: another external port, or a lease of 0, may be taken (Q-162,
  ///
  action_failed,
  /// Policy. When adding: an external port of 1024 or more may be allowed.
  not_authorized,
  /// When deleting: done. When asking: the entry is not there, which does not mean that the port is
  /// free.
  no_such_entry,
  /// The router maps for one remote host only.
  remote_host_required,
  /// The router complains of something that is never sent.
  misread_request,
  /// The port is taken, perhaps by an older mapping of our own: ask for the entry.
  conflict,
  /// The port is taken by something that is no mapping: another one, and never delete.
  conflict_with_other_mechanism,
  /// The external port must be the internal one.
  same_ports_required,
  /// Only with a lease of 0.
  only_permanent_leases,
  /// The router forwards all ports or none.
  only_all_ports,
  /// No room, or no free port.
  no_room,
  /// The firewall is off, so nothing has to be opened.
  firewall_disabled,
  /// Nobody has come through the pinhole yet, which is there.
  no_traffic,
};

/// A few words for the log.
std::string_view to_string(upnp_refusal) noexcept;

/// Numbers of 700 and above mean different things to different services, and some to different
/// actions, so none is read without both. Unknown and negative ones are `action_failed`.
upnp_refusal interpret_upnp_error(service_kind, upnp_action, std::int32_t code) noexcept;

/// Our word for it, for the case that nothing more can be done.
errc to_errc(upnp_refusal) noexcept;
errc to_errc(service_kind, upnp_action, std::int32_t code) noexcept;

/// "ConflictInMappingEntry (718)"; "error -911" for numbers without a name.
std::string upnp_error_name(service_kind, upnp_action, std::int32_t code);

}  // namespace damson
