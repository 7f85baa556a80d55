#include "wire/stun.hpp"

#include <algorithm>
#include <utility>

#include "base/byte_reader.hpp"
#include "base/byte_writer.hpp"
#include "base/check.hpp"

namespace damson {
namespace {

// RFC 8489 sections 5 and 18.
constexpr std::uint16_t binding_request = 0x0001;
constexpr std::uint16_t binding_success = 0x0101;
constexpr std::uint16_t binding_error = 0x0111;
constexpr std::uint32_t magic_cookie = 0x2112'a442;
constexpr std::uint16_t mapped_address = 0x0001;
constexpr std::uint16_t xor_mapped_address = 0x0020;
constexpr std::uint16_t optional_from = 0x8000;
constexpr std::uint8_t family_v4 = 1;
constexpr std::uint8_t family_v6 = 2;

constexpr std::uint16_t response_class = 0x0100;  ///< of successes and errors (section 5)
constexpr std::size_t alignment = 4;

/// Of RFC 8489 and, up to 0x000b, of RFC 3489, whose servers send some each time.
bool is_known(std::uint16_t type) noexcept {
  constexpr std::array<std::uint16_t, 7> later{0x0014, 0x0015, 0x001c, 0x001d,
                                               0x001e, 0x0020, 0x0024};
  return (type >= 0x0001 && type <= 0x000b) || std::ranges::find(later, type) != later.end();
}

/// What the bytes of an address are changed with, so that routers which rewrite addresses wherever
/// they see them let it pass (section 14.2).
class mask {
 public:
  mask(bool is_used, const stun_transaction& of) noexcept {
    if (!is_used) return;
    for (std::size_t i = 0; i < 4; ++i) {
      bytes_[i] = static_cast<std::uint8_t>(magic_cookie >> (24 - 8 * i));
    }
    std::ranges::transform(of.bytes, bytes_.begin() + 4,
                           [](std::byte b) { return std::to_integer<std::uint8_t>(b); });
  }

  std::uint16_t port(std::uint16_t value) const noexcept {
    return static_cast<std::uint16_t>(value ^ (bytes_[0] << 8 | bytes_[1]));
  }
  template <std::size_t N>
  std::array<std::uint8_t, N> address(byte_reader& in) const noexcept {
    std::array<std::uint8_t, N> out{};
    for (std::size_t i = 0; i < N; ++i) out[i] = in.u8() ^ bytes_[i];
    return out;
  }

 private:
  std::array<std::uint8_t, 16> bytes_{};
};

/// The value of an attribute of `length` bytes; empty when it is none.
std::optional<endpoint> read_address(byte_reader& in, std::size_t length, const mask& with) {
  constexpr std::size_t v4_length = 8;
  constexpr std::size_t v6_length = 20;
  if (length != v4_length && length != v6_length) {
    in.skip((length + alignment - 1) / alignment * alignment);
    return std::nullopt;
  }
  in.skip(1);
  const std::uint8_t family = in.u8();
  endpoint out;
  out.port = with.port(in.u16());
  if (length == v4_length) {
    out.address = ip_address{with.address<4>(in)};
  } else {
    out.address = ip_address{with.address<16>(in)};
  }
  const bool is_right = family == (length == v4_length ? family_v4 : family_v6);
  return is_right ? std::optional{out} : std::nullopt;
}

struct attributes {
  std::optional<endpoint> mapped{};
  std::optional<endpoint> xor_mapped{};
};

std::expected<attributes, decode_error> read_attributes(byte_reader& in,
                                                        const stun_transaction& of) {
  attributes out;
  while (in.remaining() > 0) {
    const std::uint16_t type = in.u16();
    const std::size_t length = in.u16();
    if (type < optional_from && !is_known(type)) return std::unexpected(decode_error::bad_option);
    if (type == mapped_address || type == xor_mapped_address) {
      const auto value = read_address(in, length, mask{type == xor_mapped_address, of});
      if (!in.ok()) break;
      if (!value) return std::unexpected(decode_error::bad_value);
      auto& first = type == mapped_address ? out.mapped : out.xor_mapped;
      if (!first) first = value;
    } else {
      in.skip((length + alignment - 1) / alignment * alignment);
    }
  }
  if (!in.ok()) return std::unexpected(decode_error::bad_option);
  return out;
}

}  // namespace

std::vector<std::byte> encode_stun_request(const stun_transaction& of) {
  std::vector<std::byte> message(stun_header_bytes);
  byte_writer out{message};
  out.u16(binding_request);
  out.u16(0);  // the length of what follows the header
  out.u32(magic_cookie);
  out.bytes(of.bytes);
  DAMSON_ASSERT(out.ok() && out.remaining() == 0);
  return message;
}

std::expected<stun_response, decode_error> decode_stun_response(
    std::span<const std::byte> datagram) {
  if (datagram.size() < stun_header_bytes) return std::unexpected(decode_error::too_short);
  if (datagram.size() > stun_message_bytes) return std::unexpected(decode_error::too_long);
  if (datagram.size() % alignment != 0) return std::unexpected(decode_error::misaligned);

  byte_reader in{datagram};
  const std::uint16_t type = in.u16();
  const std::size_t length = in.u16();
  if (in.u32() != magic_cookie) return std::unexpected(decode_error::wrong_version);
  if ((type & response_class) == 0) return std::unexpected(decode_error::not_a_response);
  if (type != binding_success && type != binding_error) {
    return std::unexpected(decode_error::unknown_opcode);
  }
  stun_response response;
  response.of = {in.bytes<12>()};
  if (length != in.remaining()) return std::unexpected(decode_error::bad_value);

  const auto said = read_attributes(in, response.of);
  if (!said) return std::unexpected(said.error());
  if (type == binding_error) return response;
  response.seen = said->xor_mapped ? said->xor_mapped : said->mapped;
  if (!response.seen) return std::unexpected(decode_error::missing_field);
  return response;
}

}  // namespace damson
