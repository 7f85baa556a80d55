#pragma once

/// The devices and services that a UPnP gateway model consists of, as its profile wants them.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <damson/types.hpp>

#include "sim/upnp_profile.hpp"

namespace damson::sim {

enum class upnp_role : std::uint8_t { layer3_forwarding, common_interface, connection, firewall };

struct upnp_service {
  upnp_role role{};
  std::size_t connection = 0;  ///< which of the profile's
  std::string kind;            ///< "WANIPConnection"
  std::string type;            ///< "urn:schemas-upnp-org:service:WANIPConnection:1"
  std::string id;              ///< "urn:upnp-org:serviceId:WANIPConn1"
  std::uint8_t version = 1;
  std::string path;         ///< what a request line has to name
  std::string control_url;  ///< the same as the description writes it
  std::string scpd_path;    ///< of its own description
  std::string event_path;   ///< of subscriptions; empty: none
};

struct upnp_device {
  std::string kind;  ///< "InternetGatewayDevice"
  std::string type;  ///< "urn:schemas-upnp-org:device:InternetGatewayDevice:1"
  std::string uuid;  ///< "uuid:..."
  std::uint8_t version = 1;
  std::vector<upnp_service> services;
  std::vector<upnp_device> devices;
};

/// What changes from one start of the router to the next, and what does not.
struct upnp_site {
  ip_address lan;
  std::uint16_t port = 0;
  std::string folder = "/";  ///< of the description and of all else
  /// The address under which a client knows it, if it is not `lan`.
  std::optional<ip_address> alias{};

  /// "192.168.1.1:5000"
  std::string authority() const;
  /// "http://192.168.1.1:5000"
  std::string origin() const;
  std::string description_path() const;
  /// Of the Wi-Fi device that some gateways are as well.
  std::string wifi_path() const;
};

/// The version that it shows to a user agent.
std::uint8_t shown_version(const upnp_profile& how, std::string_view user_agent);

/// The root device. `version` is the one shown.
upnp_device device_tree(const upnp_profile& how, const upnp_site& where, std::uint8_t version);

/// Every service of the device and of those in it.
std::vector<upnp_service> services_of(const upnp_device& root);

/// The type of the Wi-Fi device, and its name.
std::string wifi_device_type();
std::string wifi_device_uuid(const upnp_site& where);

}  // namespace damson::sim
