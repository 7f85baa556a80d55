#pragma once

/// The actions that the services of a UPnP gateway model have: what each takes and gives, and the
/// variables behind that.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/upnp_action_call.hpp"

namespace damson::sim {

struct action_argument {
  std::string_view name;
  std::string_view variable;  ///< the related one
};

struct action_definition {
  std::string_view service;  ///< "WANIPConnection"; empty: that and WANPPPConnection
  std::string_view name;
  std::uint8_t version = 1;  ///< of the service that has it first
  std::span<const action_argument> in;
  std::span<const action_argument> out;
  action_result (*serve)(action_call&) = nullptr;
};

struct state_variable {
  std::string_view name;
  std::string_view type;  ///< "ui2"
  bool evented = false;
};

/// Those of the service in its version that the profile has not left out.
std::vector<action_definition> actions_of(const upnp_profile& how, const upnp_service& service);
/// Those behind these actions, and those that are evented.
std::vector<state_variable> variables_of(const upnp_profile& how, const upnp_service& service);

/// The evented variables of the service and their values, in the order of its definition.
soap_arguments evented_values(const gateway_state& state, const action_context& context);

struct action_outcome {
  int code = 0;  ///< of the fault; 0 is success
  soap_arguments out;
};

/// Serves one call. Unknown actions, arguments that are not exactly those of the action in their
/// order, and values that are none are refused.
action_outcome perform(gateway_state& state, const action_context& context, const soap_call& call);

}  // namespace damson::sim
