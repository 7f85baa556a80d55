#pragma once

/// The service descriptions that a UPnP gateway model serves (UPnP Device Architecture 1.0
/// section 2.3), made of the same table that its calls go by.

#include <string>

#include "sim/upnp_tree.hpp"

namespace damson::sim {

std::string scpd_text(const upnp_profile& how, const upnp_service& service);

}  // namespace damson::sim
