#include "sim/stun_server.hpp"

#include <array>
#include <string_view>

namespace damson::sim {

namespace {

constexpr std::uint32_t cookie = 0x2112a442;
using transaction = std::array<std::byte, 12>;

std::optional<transaction> read_request(std::span<const std::byte> packet) {
  reader in(packet);
  const bool is_binding = in.u16() == 0x0001;
  const bool is_whole = in.u16() == packet.size() - 20;
  const bool is_stun = in.u32() == cookie;
  const auto which = in.raw<12>();
  if (in.ran_out() || !is_binding || !is_whole || !is_stun) return std::nullopt;
  return which;
}

/// The header and the attributes, whose length is known now.
bytes message(std::uint16_t type, const transaction& which, const bytes& attributes) {
  writer out;
  out.u16(type).u16(static_cast<std::uint16_t>(attributes.size())).u32(cookie);
  return out.raw(which).raw(attributes).take();
}

void write_address(writer& out, std::uint16_t type, const endpoint& what) {
  const bool is_v4 = what.address.is_v4();
  out.u16(type).u16(is_v4 ? 8 : 20).u8(0).u8(is_v4 ? 1 : 2).u16(what.port);
  is_v4 ? out.v4_address(what.address) : out.address(what.address);
}

/// Port and address are XORed with cookie and transaction identifier (section 14.2).
void write_hidden_address(writer& out, const endpoint& what, const transaction& which) {
  const auto key = writer{}.u32(cookie).raw(which).take();
  writer plain;
  const bool is_v4 = what.address.is_v4();
  is_v4 ? plain.v4_address(what.address) : plain.address(what.address);
  bytes address = plain.take();
  for (std::size_t i = 0; i < address.size(); ++i) address[i] ^= key[i];
  out.u16(0x0020).u16(is_v4 ? 8 : 20).u8(0).u8(is_v4 ? 1 : 2);
  out.u16(static_cast<std::uint16_t>(what.port ^ (cookie >> 16U))).raw(address);
}

void write_text(writer& out, std::uint16_t type, std::string_view text) {
  out.u16(type).u16(static_cast<std::uint16_t>(text.size()));
  out.raw(std::as_bytes(std::span{text})).zeros((4 - text.size() % 4) % 4);
}

}  // namespace

std::optional<bytes> answer_stun(const stun_habits& how, const datagram& in) {
  const auto which = read_request(in.bytes);
  if (!which || !how.answers) return std::nullopt;
  writer out;
  if (how.refuses) {
    out.u16(0x0009).u16(4).u16(0).u8(5).u8(0);
    return message(0x0111, *which, out.take());
  }
  if (how.is_old) {
    write_address(out, 0x0001, in.from);
    write_address(out, 0x0004, in.to);
    write_address(out, 0x0005, {in.to.address, static_cast<std::uint16_t>(in.to.port + 1)});
  } else {
    write_text(out, 0x8022, "damson test");
    write_hidden_address(out, in.from, *which);
  }
  return message(0x0101, *which, out.take());
}

bool is_stun_request(std::span<const std::byte> packet) { return read_request(packet).has_value(); }

}  // namespace damson::sim
