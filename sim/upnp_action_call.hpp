#pragma once

/// One call of an action of a UPnP gateway model, on its way to what serves it.

#include <string>
#include <string_view>
#include <vector>

#include <damson/types.hpp>

#include "sim/gateway_state.hpp"
#include "sim/upnp_soap.hpp"
#include "sim/upnp_tree.hpp"

namespace damson::sim {

/// What an action is called with, besides its arguments.
struct action_context {
  time_point now;
  time_point booted;
  ip_address sender;
  const upnp_service& service;
  /// The connections as Layer3Forwarding names them, in the order of the profile.
  std::vector<std::string> connections;
};

/// `call` has exactly the arguments of its action.
struct action_call {
  gateway_state& state;
  const action_context& context;
  const soap_call& call;

  const std::string& value(std::string_view name) const;
  const upnp_profile& how() const { return state.how.upnp; }
};

struct action_result {
  int code = 0;                  ///< of the fault; 0 is success
  std::vector<std::string> out;  ///< the values, in the order of the action's results
};

/// Whether a connection works, and the address that it has, working or not.
bool connection_is_up(const gateway_state& state, std::size_t connection);
const std::optional<ip_address>& connection_address(const gateway_state& state,
                                                    std::size_t connection);

}  // namespace damson::sim
