#pragma once

/// The actions of WANIPConnection and WANPPPConnection that are about mappings, versions 1 and 2,
/// on the NAT table of a gateway model.

#include "sim/upnp_action_call.hpp"

namespace damson::sim {

action_result add_port_mapping(action_call& call);
action_result add_any_port_mapping(action_call& call);
action_result delete_port_mapping(action_call& call);
action_result delete_port_mapping_range(action_call& call);
action_result get_specific_port_mapping_entry(action_call& call);
action_result get_generic_port_mapping_entry(action_call& call);
action_result get_list_of_port_mappings(action_call& call);

}  // namespace damson::sim
