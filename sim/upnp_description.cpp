#include "sim/upnp_description.hpp"

#include <algorithm>
#include <string_view>

#include "sim/xml_text.hpp"

namespace damson::sim {

namespace {

constexpr std::string_view declaration = "<?xml version=\"1.0\"?>\r\n";

/// Writes elements in the dialect of a profile.
class element_writer {
 public:
  explicit element_writer(const upnp_profile& how) : how_(how) {}

  void open(std::string_view name) { out_ += "<" + spelled(name) + ">\r\n"; }
  void close(std::string_view name) { out_ += "</" + spelled(name) + ">\r\n"; }

  void leaf(std::string_view name, std::string_view value) {
    out_ += "<" + spelled(name) + ">";
    out_ += how_.comments_and_cdata ? "<![CDATA[" + std::string{value} + "]]>" : xml_escaped(value);
    out_ += "</" + spelled(name) + ">\r\n";
  }

  void comment(std::string_view text) {
    if (how_.comments_and_cdata) out_ += "<!-- " + std::string{text} + " -->\r\n";
  }

  void root(std::string_view space) {
    out_ = declaration;
    out_ += "<" + spelled("root");
    out_ += how_.prefixed_elements ? " xmlns:igd=\"" : " xmlns=\"";
    out_ += space;
    out_ += "\">\r\n";
  }

  std::string take() { return std::move(out_); }

 private:
  std::string spelled(std::string_view name) const {
    std::string out{name};
    if (how_.lower_case_elements) {
      std::ranges::transform(out, out.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
      });
    }
    return how_.prefixed_elements ? "igd:" + out : out;
  }

  const upnp_profile& how_;
  std::string out_;
};

void write_service(element_writer& out, const upnp_service& service) {
  out.open("service");
  out.comment("<controlURL>/not/this/one</controlURL>");
  out.leaf("serviceType", service.type);
  out.leaf("serviceId", service.id);
  out.leaf("SCPDURL", service.scpd_path);
  out.leaf("controlURL", service.control_url);
  out.leaf("eventSubURL", service.event_path);
  out.close("service");
}

void write_device(element_writer& out, const upnp_profile& how, const upnp_device& device) {
  out.open("device");
  out.leaf("deviceType", device.type);
  out.leaf("friendlyName", device.kind);
  out.leaf("manufacturer", "Somebody & Sons");
  out.leaf("modelName", "Router in a box");
  out.leaf("modelNumber", how.stray_bytes ? "\xf0\x5f\xf0" : "1");
  out.leaf("UDN", device.uuid);
  if (!device.services.empty()) {
    out.open("serviceList");
    for (const auto& service : device.services) write_service(out, service);
    out.close("serviceList");
  }
  if (!device.devices.empty()) {
    out.open("deviceList");
    for (const auto& inner : device.devices) write_device(out, how, inner);
    out.close("deviceList");
  }
  out.close("device");
}

std::string root_namespace(const upnp_profile& how) {
  if (how.fault == description_fault::odd_namespace) return "urn:nobody-at-all:thing-0-0";
  return how.dslforum_names ? "urn:dslforum-org:device-1-0" : "urn:schemas-upnp-org:device-1-0";
}

void write_url_base(element_writer& out, const upnp_profile& how, const upnp_site& where) {
  if (how.url_base_text) {
    out.leaf("URLBase", *how.url_base_text);
    return;
  }
  // Where the description is in a folder, a relative control URL is in the same one.
  const std::string folder = where.folder.substr(0, where.folder.size() - 1);
  switch (how.url_base) {
    case url_base_kind::absent:
      break;
    case url_base_kind::present:
      out.leaf("URLBase", where.origin() + (folder.empty() ? "" : folder + "/"));
      break;
    case url_base_kind::with_slash:
      out.leaf("URLBase", where.origin() + folder + "/");
      break;
    case url_base_kind::empty:
      out.leaf("URLBase", "");
      break;
  }
}

/// The first control URL of a mapping service is cut in two, and all after it is gone.
std::string cut(std::string text, const upnp_device& root) {
  for (const auto& service : services_of(root)) {
    if (service.role != upnp_role::connection) continue;
    const std::size_t type = text.find(service.type);
    const std::size_t url = text.find(service.control_url, type);
    if (url != std::string::npos) text.resize(url + service.control_url.size() / 2);
    break;
  }
  return text;
}

}  // namespace

std::string description_text(const upnp_profile& how, const upnp_site& where,
                             const upnp_device& root) {
  if (how.description_text) return *how.description_text;
  if (how.fault == description_fault::status_line) return "status=ok";
  if (how.fault == description_fault::html) {
    return "<html><head><title>Router</title></head><body><p>Log "
           "in<br></body></html>";
  }
  element_writer out(how);
  out.root(root_namespace(how));
  out.open("specVersion");
  out.leaf("major", "1");
  out.leaf("minor", root.version == 1 ? "0" : "1");
  out.close("specVersion");
  write_url_base(out, how, where);
  write_device(out, how, root);
  out.close("root");
  const std::string text = out.take();
  return how.fault == description_fault::cut ? cut(text, root) : text;
}

std::string wifi_description_text(const upnp_site& where) {
  const upnp_profile plain;
  element_writer out(plain);
  out.root("urn:schemas-upnp-org:device-1-0");
  out.open("specVersion");
  out.leaf("major", "1");
  out.leaf("minor", "0");
  out.close("specVersion");
  out.open("device");
  out.leaf("deviceType", wifi_device_type());
  out.leaf("friendlyName", "WFADevice");
  out.leaf("UDN", wifi_device_uuid(where));
  out.open("serviceList");
  upnp_service service;
  service.kind = "WFAWLANConfig";
  service.type = "urn:schemas-wifialliance-org:service:WFAWLANConfig:1";
  service.id = "urn:wifialliance-org:serviceId:WFAWLANConfig1";
  service.control_url = "/wps_control";
  service.scpd_path = "/wps_scpd.xml";
  service.event_path = "/wps_event";
  write_service(out, service);
  out.close("serviceList");
  out.close("device");
  out.close("root");
  return out.take();
}

}  // namespace damson::sim
