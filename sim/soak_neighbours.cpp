#include "sim/soak_neighbours.hpp"

#include <algorithm>
#include <span>
#include <string>

#include "sim/upnp_tree.hpp"

namespace damson::sim {

namespace {

constexpr std::uint8_t pcp_version = 2;
constexpr std::uint8_t map_opcode = 1;
constexpr std::uint8_t response_bit = 0x80;
constexpr std::string_view gateway_type = "urn:schemas-upnp-org:device:InternetGatewayDevice:1";

std::uint8_t iana_number(transport what) { return what == transport::tcp ? 6 : 17; }

std::uint32_t any_number(random_source& dice) {
  return static_cast<std::uint32_t>(dice.uniform(0, 0xffff'ffff));
}

bytes packed(const std::string& text) {
  const auto all = std::as_bytes(std::span{text});
  return {all.begin(), all.end()};
}

bytes pcp_map(const neighbours_wish& what) {
  writer out;
  out.u8(pcp_version).u8(map_opcode).u16(0).u32(what.lifetime).address(what.internal.address);
  out.raw(what.nonce).u8(iana_number(what.transport)).zeros(3);
  out.u16(what.internal.port).u16(what.external_port).address(ip_address::any_v4());
  return out.take();
}

bytes nat_pmp_map(const neighbours_wish& what) {
  writer out;
  out.u8(0).u8(what.transport == transport::tcp ? 2 : 1).u16(0);
  out.u16(what.internal.port).u16(what.external_port).u32(what.lifetime);
  return out.take();
}

std::string add_port_mapping(const neighbours_wish& what, const upnp_service& service) {
  std::string out =
      "<?xml version=\"1.0\"?>"
      "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\""
      " s:encodingStyle=\"http://schemas.xmlsoap.org/soap/encoding/\"><s:Body>"
      "<u:AddPortMapping xmlns:u=\"" +
      service.type + "\">";
  const auto add = [&out](std::string_view name, const std::string& value) {
    out.append("<").append(name).append(">").append(value);
    out.append("</").append(name).append(">");
  };
  add("NewRemoteHost", "");
  add("NewExternalPort", std::to_string(what.external_port));
  add("NewProtocol", what.transport == transport::tcp ? "TCP" : "UDP");
  add("NewInternalPort", std::to_string(what.internal.port));
  add("NewInternalClient", to_string(what.internal.address));
  add("NewEnabled", "1");
  add("NewPortMappingDescription", "neighbour");
  add("NewLeaseDuration", std::to_string(what.lifetime));
  return out + "</u:AddPortMapping></s:Body></s:Envelope>";
}

void ask_by_upnp(gateway& router, time_point now, const neighbours_wish& what) {
  const upnp_profile& how = router.behaviour().upnp;
  const upnp_site& site = router.upnp().site();
  const auto services = services_of(device_tree(how, site, shown_version(how, "")));
  const auto service = std::ranges::find(services, upnp_role::connection, &upnp_service::role);
  if (service == services.end()) return;
  const std::string body = add_port_mapping(what, *service);
  router.handle_http(now, {what.internal.address, 50'000},
                     "POST " + service->path + " HTTP/1.1\r\nHost: " + site.authority() +
                         "\r\nContent-Type: text/xml\r\nContent-Length: " +
                         std::to_string(body.size()) + "\r\nSOAPAction: \"" + service->type +
                         "#AddPortMapping\"\r\nConnection: close\r\n\r\n" + body);
}

}  // namespace

void ask_as_neighbour(gateway& router, time_point now, const neighbours_wish& what) {
  if (what.protocol == protocol::upnp) return ask_by_upnp(router, now, what);
  const bool is_pcp = what.protocol == protocol::pcp;
  router.handle(now, {{what.internal.address, 50'000},
                      {router.lan_address(), server_port},
                      is_pcp ? pcp_map(what) : nat_pmp_map(what)});
}

bytes forged_pcp_grant(random_source& dice, transport what, std::uint16_t internal_port) {
  nonce_bytes guess{};
  dice.fill(guess);
  writer out;
  out.u8(pcp_version).u8(response_bit | map_opcode).u16(0);
  out.u32(any_number(dice)).u32(any_number(dice)).zeros(12);
  out.raw(guess).u8(iana_number(what)).zeros(3).u16(internal_port);
  out.u16(static_cast<std::uint16_t>(dice.uniform(1, 65'535)));
  out.address(ip_address{ip_address::v4_bytes{203, 0, 113, 66}});
  return out.take();
}

bytes forged_nat_pmp_grant(random_source& dice, std::uint16_t internal_port) {
  writer out;
  out.u8(0).u8(response_bit | (dice.uniform(0, 1) == 0 ? 1 : 2)).u16(0).u32(any_number(dice));
  out.u16(internal_port).u16(static_cast<std::uint16_t>(dice.uniform(1, 65'535)));
  return out.u32(any_number(dice)).take();
}

bytes forged_announcement(random_source& dice) {
  const std::uint32_t epoch =
      dice.uniform(0, 1) == 0 ? static_cast<std::uint32_t>(dice.uniform(0, 10)) : any_number(dice);
  writer out;
  if (dice.uniform(0, 1) == 0) {
    out.u8(pcp_version).u8(response_bit).u16(0).u32(0).u32(epoch).zeros(12);
  } else {
    out.u8(0).u8(response_bit).u16(0).u32(epoch);
    out.v4_address(ip_address{ip_address::v4_bytes{203, 0, 113, 66}});
  }
  return out.take();
}

bytes forged_search_answer(std::string_view location) {
  return packed(
      "HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=1800\r\nST: " + std::string{gateway_type} +
      "\r\nUSN: uuid:00000000-0000-4000-8000-000000000066::" + std::string{gateway_type} +
      "\r\nEXT:\r\nSERVER: forged\r\nLOCATION: " + std::string{location} + "\r\n\r\n");
}

bytes forged_notify(std::string_view location, bool alive) {
  return packed(
      "NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nCACHE-CONTROL: max-age=1800"
      "\r\nLOCATION: " +
      std::string{location} + "\r\nSERVER: forged\r\nNT: " + std::string{gateway_type} +
      "\r\nUSN: uuid:00000000-0000-4000-8000-000000000066::" + std::string{gateway_type} +
      "\r\nNTS: " + (alive ? "ssdp:alive" : "ssdp:byebye") + "\r\n\r\n");
}

bytes forged_noise(random_source& dice) {
  bytes out(static_cast<std::size_t>(dice.uniform(0, 80)));
  dice.fill(out);
  if (out.size() > 4 && dice.uniform(0, 1) == 0) {
    const bool is_pcp = dice.uniform(0, 1) == 0;
    out[0] = std::byte{is_pcp ? pcp_version : std::uint8_t{0}};
    out[1] = dice.uniform(0, 1) == 0 ? std::byte{0x81} : std::byte{0x82};
    out[2] = out[3] = std::byte{0};
  }
  return out;
}

}  // namespace damson::sim
