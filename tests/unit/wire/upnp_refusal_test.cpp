#include "wire/upnp_refusal.hpp"

#include <array>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace damson {
namespace {

constexpr auto ip = service_kind::wan_ip_connection;
constexpr auto ppp = service_kind::wan_ppp_connection;
constexpr auto firewall = service_kind::wan_ipv6_firewall_control;
constexpr auto common = service_kind::wan_common_interface_config;

constexpr auto add = upnp_action::add_port_mapping;
constexpr auto add_any = upnp_action::add_any_port_mapping;
constexpr auto remove_entry = upnp_action::delete_port_mapping;
constexpr auto query = upnp_action::get_specific_port_mapping_entry;
constexpr auto get_address = upnp_action::get_external_ip_address;
constexpr auto get_status = upnp_action::get_status_info;
constexpr auto firewall_status = upnp_action::get_firewall_status;
constexpr auto add_hole = upnp_action::add_pinhole;
constexpr auto update_hole = upnp_action::update_pinhole;
constexpr auto remove_hole = upnp_action::delete_pinhole;
constexpr auto hole_packets = upnp_action::get_pinhole_packets;
constexpr auto check_hole = upnp_action::check_pinhole_working;

struct refusal_case {
  service_kind service;
  upnp_action action;
  std::int32_t code;
  upnp_refusal meaning;
  errc reason;
  std::string_view name;
};

constexpr auto refusal_cases = std::to_array<refusal_case>({
    // the action is not there
    {ip, add_any, 401, upnp_refusal::action_missing, errc::not_supported, "InvalidAction (401)"},
    {ip, add_any, 404, upnp_refusal::action_missing, errc::not_supported, "InvalidVar (404)"},
    {ip, query, 602, upnp_refusal::action_missing, errc::not_supported,
     "OptionalActionNotImplemented (602)"},
    {ppp, get_status, 403, upnp_refusal::action_missing, errc::not_supported, "OutOfSync (403)"},
    {firewall, add, 401, upnp_refusal::action_missing, errc::not_supported, "InvalidAction (401)"},

    //
    {ip, add, 402, upnp_refusal::invalid_arguments, errc::malformed_request, "InvalidArgs (402)"},
    {ip, add, 600, upnp_refusal::invalid_arguments, errc::malformed_request,
     "ArgumentValueInvalid (600)"},
    {ip, add, 601, upnp_refusal::invalid_arguments, errc::malformed_request,
     "ArgumentValueOutOfRange (601)"},
    {ip, add, 605, upnp_refusal::invalid_arguments, errc::malformed_request,
     "StringArgumentTooLong (605)"},

    // the catch-all, but of a question it says that there is no such entry
    {ip, add, 501, upnp_refusal::action_failed, errc::unusable_answer, "ActionFailed (501)"},
    {ip, add_any, 501, upnp_refusal::action_failed, errc::unusable_answer, "ActionFailed (501)"},
    {ip, query, 501, upnp_refusal::no_such_entry, errc::unusable_answer, "ActionFailed (501)"},
    {ip, remove_entry, 501, upnp_refusal::action_failed, errc::unusable_answer,
     "ActionFailed (501)"},
    {ip, get_address, 501, upnp_refusal::action_failed, errc::unusable_answer,
     "ActionFailed (501)"},

    //
    {ip, add, 606, upnp_refusal::not_authorized, errc::not_authorized, "ActionNotAuthorized (606)"},
    {ip, remove_entry, 606, upnp_refusal::not_authorized, errc::not_authorized,
     "ActionNotAuthorized (606)"},
    {ip, add, 604, upnp_refusal::not_authorized, errc::not_authorized,
     "HumanInterventionRequired (604)"},
    {ip, add, 603, upnp_refusal::no_room, errc::no_resources, "OutOfMemory (603)"},

    // gone already, or never there
    {ip, query, 713, upnp_refusal::no_such_entry, errc::unusable_answer,
     "SpecifiedArrayIndexInvalid (713)"},
    {ip, query, 714, upnp_refusal::no_such_entry, errc::unusable_answer,
     "NoSuchEntryInArray (714)"},
    {ppp, remove_entry, 714, upnp_refusal::no_such_entry, errc::unusable_answer,
     "NoSuchEntryInArray (714)"},
    {ip, remove_entry, 730, upnp_refusal::no_such_entry, errc::unusable_answer,
     "PortMappingNotFound (730)"},

    // Q-166..Q-169
    {ip, add, 715, upnp_refusal::remote_host_required, errc::not_supported,
     "WildCardNotPermittedInSrcIP (715)"},
    {ip, add, 716, upnp_refusal::misread_request, errc::malformed_request,
     "WildCardNotPermittedInExtPort (716)"},
    {ip, add, 718, upnp_refusal::conflict, errc::no_resources, "ConflictInMappingEntry (718)"},
    {ppp, add, 718, upnp_refusal::conflict, errc::no_resources, "ConflictInMappingEntry (718)"},
    {ip, add, 724, upnp_refusal::same_ports_required, errc::external_not_available,
     "SamePortValuesRequired (724)"},

    // Q-170..Q-177
    {ip, add, 725, upnp_refusal::only_permanent_leases, errc::not_supported,
     "OnlyPermanentLeasesSupported (725)"},
    {ip, add, 726, upnp_refusal::misread_request, errc::malformed_request,
     "RemoteHostOnlySupportsWildcard (726)"},
    {ip, add, 727, upnp_refusal::only_all_ports, errc::not_supported,
     "ExternalPortOnlySupportsWildcard (727)"},
    {ip, add_any, 728, upnp_refusal::no_room, errc::no_resources, "NoPortMapsAvailable (728)"},
    {ip, add, 729, upnp_refusal::conflict_with_other_mechanism, errc::no_resources,
     "ConflictWithOtherMechanisms (729)"},
    {ip, add, 731, upnp_refusal::not_authorized, errc::not_authorized, "ReadOnly (731)"},
    {ip, add, 732, upnp_refusal::misread_request, errc::malformed_request,
     "WildCardNotPermittedInIntPort (732)"},
    {ip, remove_entry, 733, upnp_refusal::misread_request, errc::malformed_request,
     "InconsistentParameters (733)"},

    // the firewall's own
    {firewall, add_hole, 402, upnp_refusal::invalid_arguments, errc::malformed_request,
     "InvalidArgs (402)"},
    {firewall, add_hole, 606, upnp_refusal::not_authorized, errc::not_authorized,
     "ActionNotAuthorized (606)"},
    {firewall, add_hole, 701, upnp_refusal::no_room, errc::no_resources,
     "PinholeSpaceExhausted (701)"},
    {firewall, add_hole, 702, upnp_refusal::firewall_disabled, errc::unusable_answer,
     "FirewallDisabled (702)"},
    {firewall, update_hole, 703, upnp_refusal::not_authorized, errc::not_authorized,
     "InboundPinholeNotAllowed (703)"},
    {firewall, update_hole, 704, upnp_refusal::no_such_entry, errc::unusable_answer,
     "NoSuchEntry (704)"},
    {firewall, remove_hole, 704, upnp_refusal::no_such_entry, errc::unusable_answer,
     "NoSuchEntry (704)"},
    {firewall, add_hole, 705, upnp_refusal::misread_request, errc::malformed_request,
     "ProtocolNotSupported (705)"},
    {firewall, add_hole, 706, upnp_refusal::misread_request, errc::malformed_request,
     "InternalPortWildcardingNotAllowed (706)"},
    {firewall, add_hole, 707, upnp_refusal::misread_request, errc::malformed_request,
     "ProtocolWildcardingNotAllowed (707)"},
    {firewall, add_hole, 708, upnp_refusal::remote_host_required, errc::not_supported,
     "WildCardNotPermittedInSrcIP (708)"},
    {firewall, check_hole, 709, upnp_refusal::no_traffic, errc::unusable_answer,
     "NoTrafficReceived (709)"},
    {firewall, check_hole, 602, upnp_refusal::action_missing, errc::not_supported,
     "OptionalActionNotImplemented (602)"},

    // of a number that is nobody's
    {firewall, update_hole, 402, upnp_refusal::no_such_entry, errc::unusable_answer,
     "InvalidArgs (402)"},
    {firewall, remove_hole, 402, upnp_refusal::no_such_entry, errc::unusable_answer,
     "InvalidArgs (402)"},
    {firewall, hole_packets, 402, upnp_refusal::no_such_entry, errc::unusable_answer,
     "InvalidArgs (402)"},

    // the same number from elsewhere means something else
    {firewall, firewall_status, 704, upnp_refusal::action_failed, errc::unusable_answer,
     "error 704"},
    {ip, add, 702, upnp_refusal::action_failed, errc::unusable_answer, "error 702"},
    {common, add_hole, 701, upnp_refusal::action_failed, errc::unusable_answer, "error 701"},
    {ip, query, 718, upnp_refusal::action_failed, errc::unusable_answer, "error 718"},
    {ip, get_address, 725, upnp_refusal::action_failed, errc::unusable_answer, "error 725"},
    {ip, add, 714, upnp_refusal::action_failed, errc::unusable_answer, "error 714"},
    {ip, remove_entry, 729, upnp_refusal::action_failed, errc::unusable_answer, "error 729"},
    {firewall, add, 718, upnp_refusal::action_failed, errc::unusable_answer, "error 718"},
    {firewall, add, 725, upnp_refusal::action_failed, errc::unusable_answer, "error 725"},
    {common, query, 714, upnp_refusal::action_failed, errc::unusable_answer, "error 714"},

    // vendors' own
    {ip, add, -911, upnp_refusal::action_failed, errc::unusable_answer, "error -911"},
    {ip, add, 0, upnp_refusal::action_failed, errc::unusable_answer, "error 0"},
    {ip, add, 799, upnp_refusal::action_failed, errc::unusable_answer, "error 799"},
    {ip, add, 2'147'483'647, upnp_refusal::action_failed, errc::unusable_answer,
     "error 2147483647"},
});

TEST(upnp_refusal, q_127_q_160_to_q_187_number_by_service_and_action) {
  for (const refusal_case& c : refusal_cases) {
    const std::string where = std::string{to_string(c.service)} + " " +
                              std::string{to_string(c.action)} + " " + std::to_string(c.code);
    EXPECT_EQ(to_string(interpret_upnp_error(c.service, c.action, c.code)), to_string(c.meaning))
        << where;
    EXPECT_EQ(to_errc(c.service, c.action, c.code), c.reason) << where;
    EXPECT_EQ(upnp_error_name(c.service, c.action, c.code), c.name) << where;
  }
}

TEST(upnp_refusal, each_has_a_name_of_its_own) {
  std::set<std::string_view> seen;
  for (const upnp_refusal refusal :
       {upnp_refusal::action_missing, upnp_refusal::invalid_arguments, upnp_refusal::action_failed,
        upnp_refusal::not_authorized, upnp_refusal::no_such_entry,
        upnp_refusal::remote_host_required, upnp_refusal::misread_request, upnp_refusal::conflict,
        upnp_refusal::conflict_with_other_mechanism, upnp_refusal::same_ports_required,
        upnp_refusal::only_permanent_leases, upnp_refusal::only_all_ports, upnp_refusal::no_room,
        upnp_refusal::firewall_disabled, upnp_refusal::no_traffic}) {
    EXPECT_TRUE(seen.insert(to_string(refusal)).second) << to_string(refusal);
  }
}

}  // namespace
}  // namespace damson
