#pragma once

/// The root descriptions that a UPnP gateway model serves (UPnP Device Architecture 1.0
/// section 2.1).

#include <string>

#include "sim/upnp_tree.hpp"

namespace damson::sim {

/// As the profile wants it, which may be no description at all.
std::string description_text(const upnp_profile& how, const upnp_site& where,
                             const upnp_device& root);

/// A Wi-Fi device without any service for mappings.
std::string wifi_description_text(const upnp_site& where);

}  // namespace damson::sim
