#include "sim/inspect.hpp"

#include <algorithm>
#include <string_view>

#include "sim/bytes.hpp"
#include "sim/message_text.hpp"
#include "sim/stun_server.hpp"

namespace damson::sim {

namespace {

constexpr std::size_t pcp_header_size = 24;
constexpr std::size_t pcp_map_size = 60;
constexpr std::size_t pcp_peer_size = 80;
constexpr std::byte response_bit{0x80};

bool starts_with(std::span<const std::byte> packet, std::uint8_t version) {
  return packet.size() >= 2 && packet[0] == std::byte{version};
}

std::uint8_t opcode_of(std::span<const std::byte> packet) {
  return std::to_integer<std::uint8_t>(packet[1] & ~response_bit);
}

bool is_response(std::span<const std::byte> packet) {
  return (packet[1] & response_bit) != std::byte{0};
}

std::optional<text_message> read_text(std::span<const std::byte> packet) {
  std::string text(packet.size(), '\0');
  std::ranges::transform(packet, text.begin(), [](std::byte b) { return static_cast<char>(b); });
  return read_message(text);
}

std::string field_text(const text_message& message, std::string_view name) {
  const std::string* const value = message.field(name);
  return value == nullptr ? "" : " " + *value;
}

/// The start line of an SSDP message, what it is about and where it leads; empty for anything else.
std::string describe_ssdp(std::span<const std::byte> packet) {
  const auto message = read_text(packet);
  if (!message) return {};
  return "ssdp " + message->start_line + field_text(*message, "NTS") + field_text(*message, "NT") +
         field_text(*message, "ST") + field_text(*message, "LOCATION");
}

pcp_map_view read_mapping(std::span<const std::byte> packet) {
  pcp_map_view view;
  view.response = is_response(packet);
  reader in(packet.subspan(3));
  const std::uint8_t result = in.u8();
  view.lifetime = in.u32();
  if (view.response) {
    view.result = result;
    view.epoch = in.u32();
    in.take(12);
  } else {
    view.client = in.address();
  }
  view.nonce = in.raw<12>();
  view.protocol = in.u8();
  in.take(3);
  view.internal_port = in.u16();
  view.external_port = in.u16();
  view.external_address = in.address();
  return view;
}

std::string describe_mapping(const pcp_map_view& map) {
  return std::string(map.response ? "response" : "request") +
         (map.response ? " result " + std::to_string(map.result) : "") + " nonce " +
         to_hex(map.nonce) + " protocol " + std::to_string(map.protocol) + " internal " +
         std::to_string(map.internal_port) + " external " + std::to_string(map.external_port) +
         " lifetime " + std::to_string(map.lifetime) +
         (map.response ? " epoch " + std::to_string(map.epoch) : "");
}

}  // namespace

bool is_pcp(std::span<const std::byte> packet) { return starts_with(packet, 2); }

bool is_pcp_announce(std::span<const std::byte> packet) {
  return is_pcp(packet) && packet.size() >= pcp_header_size && opcode_of(packet) == 0;
}

std::optional<pcp_map_view> read_pcp_map(std::span<const std::byte> packet) {
  if (!is_pcp(packet) || packet.size() < pcp_map_size || opcode_of(packet) != 1) {
    return std::nullopt;
  }
  return read_mapping(packet);
}

std::optional<pcp_peer_view> read_pcp_peer(std::span<const std::byte> packet) {
  if (!is_pcp(packet) || packet.size() < pcp_peer_size || opcode_of(packet) != 2) {
    return std::nullopt;
  }
  pcp_peer_view view{read_mapping(packet), {}};
  reader in(packet.subspan(pcp_map_size));
  view.remote.port = in.u16();
  in.u16();
  view.remote.address = in.address();
  return view;
}

bool is_nat_pmp(std::span<const std::byte> packet) { return starts_with(packet, 0); }

bool is_nat_pmp_address(std::span<const std::byte> packet) {
  return is_nat_pmp(packet) && opcode_of(packet) == 0;
}

std::optional<nat_pmp_map_view> read_nat_pmp_map(std::span<const std::byte> packet) {
  if (!is_nat_pmp(packet)) return std::nullopt;
  const std::uint8_t opcode = opcode_of(packet);
  if (opcode != 1 && opcode != 2) return std::nullopt;
  nat_pmp_map_view view;
  view.response = is_response(packet);
  view.transport = opcode == 2 ? transport::tcp : transport::udp;
  reader in(packet.subspan(2));
  view.result = in.u16();
  if (view.response) view.epoch = in.u32();
  view.internal_port = in.u16();
  view.external_port = in.u16();
  view.lifetime = in.u32();
  if (in.ran_out()) return std::nullopt;
  return view;
}

std::optional<std::string> ssdp_search_target(std::span<const std::byte> packet) {
  const auto message = read_text(packet);
  if (!message || !message->start_line.starts_with("M-SEARCH ")) return std::nullopt;
  const std::string* const target = message->field("ST");
  return target == nullptr ? std::nullopt : std::optional{*target};
}

std::string soap_action_of(std::string_view request) {
  const auto message = read_message(request);
  const std::string* const field = message ? message->field("SOAPAction") : nullptr;
  const std::size_t mark = field == nullptr ? std::string::npos : field->find('#');
  if (mark == std::string::npos) return {};
  const std::string action = field->substr(mark + 1);
  return action.substr(0, action.find('"'));
}

std::string_view soap_argument_of(std::string_view request, std::string_view name) {
  const std::size_t tag = request.find("<" + std::string{name} + ">");
  if (tag == std::string_view::npos) return {};
  const std::size_t begin = tag + name.size() + 2;
  return request.substr(begin, request.find('<', begin) - begin);
}

std::string describe_request(std::string_view request) {
  const std::string_view line = request.substr(0, request.find('\r'));
  const std::string action = soap_action_of(request);
  std::string out{line.substr(0, line.rfind(' '))};
  if (action.empty()) return out;
  out += " " + action;
  const auto tell = [&](std::string_view before, std::string_view argument) {
    const std::string_view value = soap_argument_of(request, argument);
    if (!value.empty()) out.append(before).append(value);
  };
  tell(" ", "NewProtocol");
  tell(" external ", "NewExternalPort");
  tell(" internal ", "NewInternalClient");
  tell(":", "NewInternalPort");
  tell(" lease ", "NewLeaseDuration");
  return out;
}

std::string describe_packet(std::span<const std::byte> packet) {
  // Begins as a mapping request of NAT-PMP does.
  if (is_stun_request(packet)) return "stun " + to_hex(packet);
  if (const auto map = read_pcp_map(packet)) return "pcp map " + describe_mapping(*map);
  if (const auto peer = read_pcp_peer(packet)) {
    return "pcp peer " + to_string(peer->remote) + " " + describe_mapping(peer->map);
  }
  if (const auto map = read_nat_pmp_map(packet)) {
    return std::string("nat-pmp map ") + (map->response ? "response" : "request") +
           (map->response ? " result " + std::to_string(map->result) : "") + " " +
           std::string(to_string(map->transport)) + " internal " +
           std::to_string(map->internal_port) + " external " + std::to_string(map->external_port) +
           " lifetime " + std::to_string(map->lifetime) +
           (map->response ? " epoch " + std::to_string(map->epoch) : "");
  }
  if (is_pcp_announce(packet)) return "pcp announce " + to_hex(packet);
  if (is_nat_pmp_address(packet)) return "nat-pmp address " + to_hex(packet);
  if (const std::string text = describe_ssdp(packet); !text.empty()) return text;
  return "other " + to_hex(packet);
}

std::string to_hex(std::span<const std::byte> data) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  out.reserve(data.size() * 2);
  for (const std::byte byte : data) {
    out += digits[std::to_integer<unsigned>(byte) >> 4U];
    out += digits[std::to_integer<unsigned>(byte) & 0xfU];
  }
  return out;
}

}  // namespace damson::sim
