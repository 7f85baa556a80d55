#pragma once

/// The actions of WANIPv6FirewallControl:1, on the pinholes of a gateway model.

#include "sim/upnp_action_call.hpp"

namespace damson::sim {

action_result get_firewall_status(action_call& call);
action_result get_outbound_pinhole_timeout(action_call& call);
action_result add_pinhole(action_call& call);
action_result update_pinhole(action_call& call);
action_result delete_pinhole(action_call& call);
action_result get_pinhole_packets(action_call& call);
action_result check_pinhole_working(action_call& call);

}  // namespace damson::sim
