#include "wire/upnp_refusal.hpp"

#include <algorithm>
#include <array>
#include <span>

namespace damson {
namespace {

/// Which actions a number is known from. A number that comes from elsewhere is not believed.
enum class action_group : std::uint8_t {
  any,
  adding,
  asking,
  asking_or_deleting,  ///< also about the whole table, or a range of it
  adding_pinhole,
  by_pinhole_id,
};

bool contains(action_group group, upnp_action action) noexcept {
  const bool asking = action == upnp_action::get_specific_port_mapping_entry;
  switch (group) {
    case action_group::any:
      return true;
    case action_group::adding:
      return action == upnp_action::add_port_mapping || action == upnp_action::add_any_port_mapping;
    case action_group::asking:
      return asking;
    case action_group::asking_or_deleting:
      return asking || action == upnp_action::delete_port_mapping ||
             action == upnp_action::get_generic_port_mapping_entry ||
             action == upnp_action::get_list_of_port_mappings ||
             action == upnp_action::delete_port_mapping_range;
    case action_group::adding_pinhole:
      return action == upnp_action::add_pinhole;
    case action_group::by_pinhole_id:
      return action == upnp_action::update_pinhole || action == upnp_action::delete_pinhole ||
             action == upnp_action::get_pinhole_packets ||
             action == upnp_action::check_pinhole_working;
  }
  return false;
}

struct error_row {
  std::int32_t code = 0;
  action_group group{};
  upnp_refusal meaning{};
  std::string_view name;
};

using enum action_group;
using enum upnp_refusal;

/// Of every service: UPnP Device Architecture 1.1 section 3.2.2. The first row that fits counts.
constexpr std::array architecture_errors{
    error_row{401, any, action_missing, "InvalidAction"},
    // Its number is all that can be wrong with such a request.
    error_row{402, by_pinhole_id, no_such_entry, "InvalidArgs"},
    error_row{402, any, invalid_arguments, "InvalidArgs"},
    error_row{403, any, action_missing, "OutOfSync"},
    error_row{404, any, action_missing, "InvalidVar"},
    error_row{501, asking, no_such_entry, "ActionFailed"},
    error_row{501, any, action_failed, "ActionFailed"},
    error_row{600, any, invalid_arguments, "ArgumentValueInvalid"},
    error_row{601, any, invalid_arguments, "ArgumentValueOutOfRange"},
    error_row{602, any, action_missing, "OptionalActionNotImplemented"},
    error_row{603, any, no_room, "OutOfMemory"},
    error_row{604, any, not_authorized, "HumanInterventionRequired"},
    error_row{605, any, invalid_arguments, "StringArgumentTooLong"},
    error_row{606, any, not_authorized, "ActionNotAuthorized"},
};

/// Of WANIPConnection and WANPPPConnection.
constexpr std::array connection_errors{
    error_row{713, asking_or_deleting, no_such_entry, "SpecifiedArrayIndexInvalid"},
    error_row{714, asking_or_deleting, no_such_entry, "NoSuchEntryInArray"},
    error_row{715, adding, remote_host_required, "WildCardNotPermittedInSrcIP"},
    error_row{716, adding, misread_request, "WildCardNotPermittedInExtPort"},
    error_row{718, adding, conflict, "ConflictInMappingEntry"},
    error_row{724, adding, same_ports_required, "SamePortValuesRequired"},
    error_row{725, adding, only_permanent_leases, "OnlyPermanentLeasesSupported"},
    error_row{726, adding, misread_request, "RemoteHostOnlySupportsWildcard"},
    error_row{727, adding, only_all_ports, "ExternalPortOnlySupportsWildcard"},
    error_row{728, adding, no_room, "NoPortMapsAvailable"},
    error_row{729, adding, conflict_with_other_mechanism, "ConflictWithOtherMechanisms"},
    error_row{730, asking_or_deleting, no_such_entry, "PortMappingNotFound"},
    error_row{731, any, not_authorized, "ReadOnly"},
    error_row{732, adding, misread_request, "WildCardNotPermittedInIntPort"},
    error_row{733, any, misread_request, "InconsistentParameters"},
};

/// Of WANIPv6FirewallControl (sections 2.5.1 to 2.5.7, Q-126).
constexpr std::array firewall_errors{
    error_row{701, adding_pinhole, no_room, "PinholeSpaceExhausted"},
    error_row{702, any, firewall_disabled, "FirewallDisabled"},
    error_row{703, any, not_authorized, "InboundPinholeNotAllowed"},
    error_row{704, by_pinhole_id, no_such_entry, "NoSuchEntry"},
    error_row{705, adding_pinhole, misread_request, "ProtocolNotSupported"},
    error_row{706, adding_pinhole, misread_request, "InternalPortWildcardingNotAllowed"},
    error_row{707, adding_pinhole, misread_request, "ProtocolWildcardingNotAllowed"},
    error_row{708, adding_pinhole, remote_host_required, "WildCardNotPermittedInSrcIP"},
    error_row{709, by_pinhole_id, no_traffic, "NoTrafficReceived"},
};

/// What a service has of its own.
std::span<const error_row> errors_of(service_kind service) noexcept {
  if (is_mapping_service(service)) return connection_errors;
  if (service == service_kind::wan_ipv6_firewall_control) return firewall_errors;
  return {};
}

const error_row* find_row(service_kind service, upnp_action action, std::int32_t code) noexcept {
  const auto fits = [action, code](const error_row& row) {
    return row.code == code && contains(row.group, action);
  };
  const auto* const general = std::ranges::find_if(architecture_errors, fits);
  if (general != architecture_errors.end()) return general;
  const auto special = std::ranges::find_if(errors_of(service), fits);
  return special == errors_of(service).end() ? nullptr : &*special;
}

}  // namespace

std::string_view to_string(upnp_refusal value) noexcept {
  switch (value) {
    case upnp_refusal::action_missing:
      return "action missing";
    case upnp_refusal::invalid_arguments:
      return "invalid arguments";
    case upnp_refusal::action_failed:
      return "action failed";
    case upnp_refusal::not_authorized:
      return "not authorized";
    case upnp_refusal::no_such_entry:
      return "no such entry";
    case upnp_refusal::remote_host_required:
      return "remote host required";
    case upnp_refusal::misread_request:
      return "request misread";
    case upnp_refusal::conflict:
      return "port taken";
    case upnp_refusal::conflict_with_other_mechanism:
      return "port taken by other means";
    case upnp_refusal::same_ports_required:
      return "equal ports required";
    case upnp_refusal::only_permanent_leases:
      return "only permanent leases";
    case upnp_refusal::only_all_ports:
      return "only all ports at once";
    case upnp_refusal::no_room:
      return "no room";
    case upnp_refusal::firewall_disabled:
      return "firewall disabled";
    case upnp_refusal::no_traffic:
      return "no traffic yet";
  }
  return "unknown refusal";
}

upnp_refusal interpret_upnp_error(service_kind service, upnp_action action,
                                  std::int32_t code) noexcept {
  const error_row* const row = find_row(service, action, code);
  return row == nullptr ? upnp_refusal::action_failed : row->meaning;
}

errc to_errc(upnp_refusal value) noexcept {
  switch (value) {
    case upnp_refusal::action_missing:
    case upnp_refusal::remote_host_required:
    case upnp_refusal::only_permanent_leases:
    case upnp_refusal::only_all_ports:
      return errc::not_supported;
    case upnp_refusal::invalid_arguments:
    case upnp_refusal::misread_request:
      return errc::malformed_request;
    case upnp_refusal::not_authorized:
      return errc::not_authorized;
    case upnp_refusal::conflict:
    case upnp_refusal::conflict_with_other_mechanism:
    case upnp_refusal::no_room:
      return errc::no_resources;
    case upnp_refusal::same_ports_required:
      return errc::external_not_available;
    case upnp_refusal::action_failed:
    case upnp_refusal::no_such_entry:
    case upnp_refusal::firewall_disabled:
    case upnp_refusal::no_traffic:
      break;
  }
  return errc::unusable_answer;
}

errc to_errc(service_kind service, upnp_action action, std::int32_t code) noexcept {
  return to_errc(interpret_upnp_error(service, action, code));
}

std::string upnp_error_name(service_kind service, upnp_action action, std::int32_t code) {
  const error_row* const row = find_row(service, action, code);
  const std::string number = std::to_string(code);
  return row == nullptr ? "error " + number : std::string{row->name} + " (" + number + ")";
}

}  // namespace damson
