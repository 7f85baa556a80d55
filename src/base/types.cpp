#include <damson/types.hpp>

#include <ostream>
#include <string>
#include <string_view>

namespace damson {

std::string_view to_string(transport value) noexcept {
  switch (value) {
    case transport::tcp:
      return "tcp";
    case transport::udp:
      return "udp";
  }
  return "unknown transport";
}

std::string_view to_string(protocol value) noexcept {
  switch (value) {
    case protocol::pcp:
      return "pcp";
    case protocol::nat_pmp:
      return "nat-pmp";
    case protocol::upnp:
      return "upnp";
    case protocol::direct:
      return "direct";
  }
  return "unknown protocol";
}

std::string_view to_string(address_class value) noexcept {
  switch (value) {
    case address_class::unknown:
      return "unknown";
    case address_class::public_address:
      return "public";
    case address_class::private_address:
      return "private";
    case address_class::carrier_nat:
      return "cgnat";
    case address_class::reserved:
      return "reserved";
  }
  return "unknown class";
}

std::string to_string(const endpoint& value) {
  const std::string address = to_string(value.address);
  const std::string port = std::to_string(value.port);
  if (value.address.is_v4()) return address + ":" + port;
  return "[" + address + "]:" + port;
}

std::ostream& operator<<(std::ostream& out, transport value) { return out << to_string(value); }

std::ostream& operator<<(std::ostream& out, protocol value) { return out << to_string(value); }

std::ostream& operator<<(std::ostream& out, address_class value) { return out << to_string(value); }

std::ostream& operator<<(std::ostream& out, const ip_address& value) {
  return out << to_string(value);
}

std::ostream& operator<<(std::ostream& out, const endpoint& value) {
  return out << to_string(value);
}

}  // namespace damson
