#pragma once

/// The actions of WANIPConnection and WANPPPConnection, versions 1 and 2, and the few of the
/// services beside them, on the NAT table of a gateway model.

#include <optional>
#include <string_view>

#include <damson/types.hpp>

#include "sim/gateway_state.hpp"
#include "sim/upnp_soap.hpp"
#include "sim/upnp_tree.hpp"

namespace damson::sim {

struct action_result {
  int code = 0;  ///< of the fault; 0 is success
  soap_arguments out;
};

/// What an action is called with, besides its arguments.
struct action_context {
  time_point now;
  time_point booted;
  ip_address sender;
  const upnp_service& service;
  std::string_view default_connection;  ///< what Layer3Forwarding names
};

/// Serves one call. Unknown actions, arguments that are not exactly those of the action in their
/// order, and values that are none are refused.
action_result perform(gateway_state& state, const action_context& context, const soap_call& call);

}  // namespace damson::sim
