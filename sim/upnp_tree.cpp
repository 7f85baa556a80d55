#include "sim/upnp_tree.hpp"

#include <array>
#include <utility>

namespace damson::sim {

namespace {

std::string urn(const upnp_profile& how, std::string_view category, std::string_view kind,
                std::uint8_t version) {
  return std::string{"urn:"} + (how.dslforum_names ? "dslforum-org:" : "schemas-upnp-org:") +
         std::string{category} + ":" + std::string{kind} + ":" + std::to_string(version);
}

/// The same for the same router and device at every start.
std::string uuid_of(const ip_address& lan, unsigned number) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string node;
  for (const auto byte : lan.to_v4()) {
    node += digits[byte >> 4U];
    node += digits[byte & 0xfU];
  }
  const std::string text = std::to_string(1000 + number);
  return "uuid:6f1d5a1e-7c2b-4a57-" + text + "-0000" + node;
}

std::string ordinal(std::size_t index) { return std::to_string(index + 1); }

std::string control_url(const upnp_profile& how, const upnp_site& where, const std::string& path) {
  if (how.control_url_text) return *how.control_url_text;
  switch (how.control_urls) {
    case control_url_shape::relative:
      return path.substr(where.folder.size());
    case control_url_shape::whole_url:
      return where.origin() + path;
    case control_url_shape::padded:
      return "\r\n      " + path + "\r\n    ";
    case control_url_shape::absolute_path:
    case control_url_shape::with_query:
      break;
  }
  return path;
}

void add_documents(const upnp_profile& how, const upnp_site& where, const std::string& short_name,
                   upnp_service& out) {
  out.scpd_path = where.folder + short_name + ".xml";
  if (how.serves_events) out.event_path = where.folder + "evt/" + short_name;
}

upnp_service plain_service(const upnp_profile& how, const upnp_site& where, upnp_role role,
                           const std::string& kind, const std::string& id) {
  upnp_service out;
  out.role = role;
  out.kind = kind;
  out.type = urn(how, "service", kind, 1);
  out.id = "urn:upnp-org:serviceId:" + id;
  out.path = where.folder + "ctl/" + id;
  out.control_url = out.path;
  add_documents(how, where, id, out);
  return out;
}

upnp_service connection_service(const upnp_profile& how, const upnp_site& where, std::size_t index,
                                std::uint8_t version) {
  const bool ip = how.connections[index].kind == wan_service::ip;
  const std::string short_name = (ip ? "WANIPConn" : "WANPPPConn") + ordinal(index);
  upnp_service out;
  out.role = upnp_role::connection;
  out.connection = index;
  out.kind = ip ? "WANIPConnection" : "WANPPPConnection";
  out.type = urn(how, "service", out.kind, version);
  out.id = "urn:upnp-org:serviceId:" + short_name;
  out.version = version;
  const bool query = how.control_urls == control_url_shape::with_query;
  out.path = where.folder + (query ? "control?" : "ctl/") + short_name;
  out.control_url = control_url(how, where, out.path);
  add_documents(how, where, short_name, out);
  return out;
}

class tree_builder {
 public:
  tree_builder(const upnp_profile& how, const upnp_site& where, std::uint8_t version)
      : how_(how), where_(where), version_(version) {}

  upnp_device root() {
    upnp_device out = device("InternetGatewayDevice");
    out.services.push_back(plain_service(how_, where_, upnp_role::layer3_forwarding,
                                         "Layer3Forwarding", "L3Forwarding1"));
    const std::size_t count = how_.connections.size();
    const std::size_t wans = how_.own_wan_devices && count > 0 ? count : 1;
    for (std::size_t i = 0; i < wans; ++i) {
      upnp_device wan = device("WANDevice");
      wan.services.push_back(plain_service(how_, where_, upnp_role::common_interface,
                                           "WANCommonInterfaceConfig",
                                           "WANCommonIFC" + ordinal(i)));
      const std::size_t first = how_.own_wan_devices ? i : 0;
      const std::size_t last = how_.own_wan_devices ? std::min(i + 1, count) : count;
      for (std::size_t c = first; c < last; ++c) {
        upnp_device connection = device("WANConnectionDevice");
        connection.services.push_back(connection_service(how_, where_, c, version_));
        if (version_ >= 2 && how_.ipv6_firewall) {
          connection.services.push_back(plain_service(how_, where_, upnp_role::firewall,
                                                      "WANIPv6FirewallControl",
                                                      "WANIPv6Firewall" + ordinal(c)));
        }
        wan.devices.push_back(std::move(connection));
      }
      out.devices.push_back(std::move(wan));
    }
    return out;
  }

 private:
  upnp_device device(const std::string& kind) {
    upnp_device out;
    out.kind = kind;
    out.version = version_;
    out.type = urn(how_, "device", kind, version_);
    out.uuid = uuid_of(where_.lan, made_++);
    return out;
  }

  const upnp_profile& how_;
  const upnp_site& where_;
  std::uint8_t version_;
  unsigned made_ = 0;
};

}  // namespace

std::string upnp_site::authority() const { return to_string(endpoint{alias.value_or(lan), port}); }

std::string upnp_site::origin() const { return "http://" + authority(); }

std::string upnp_site::description_path() const { return folder + "rootDesc.xml"; }

std::string upnp_site::wifi_path() const { return folder + "wps_device.xml"; }

std::uint8_t shown_version(const upnp_profile& how, std::string_view user_agent) {
  if (how.poses_as_v1) return 1;
  const bool microsoft = user_agent.contains("Microsoft") || user_agent.contains("FDSSDP");
  return how.v1_for_microsoft_agents && microsoft ? 1 : how.version;
}

upnp_device device_tree(const upnp_profile& how, const upnp_site& where, std::uint8_t version) {
  return tree_builder(how, where, version).root();
}

std::vector<upnp_service> services_of(const upnp_device& root) {
  std::vector<upnp_service> out = root.services;
  for (const auto& inner : root.devices) {
    const auto more = services_of(inner);
    out.insert(out.end(), more.begin(), more.end());
  }
  return out;
}

std::string wifi_device_type() { return "urn:schemas-wifialliance-org:device:WFADevice:1"; }

std::string wifi_device_uuid(const upnp_site& where) { return uuid_of(where.lan, 900); }

}  // namespace damson::sim
