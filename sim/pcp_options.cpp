#include "sim/pcp_options.hpp"

namespace damson::sim {

namespace {

constexpr std::uint8_t option_third_party = 1;
constexpr std::uint8_t option_prefer_failure = 2;
constexpr std::uint8_t option_filter = 3;
constexpr std::uint8_t first_optional_option = 128;
/// The bits before the IPv4 address in a mapped one.
constexpr std::uint8_t v4_prefix = 96;
constexpr std::uint8_t longest_prefix = 128;

bool is_served(const profile& how, pcp_opcode opcode, std::uint8_t code) {
  switch (code) {
    case option_third_party:
      return opcode != pcp_opcode::announce && how.allows_third_party;
    case option_prefer_failure:
    case option_filter:
      return opcode == pcp_opcode::map && how.serves_map_options;
    case option_port_set:
      return opcode == pcp_opcode::map && how.largest_port_set != 0;
    default:
      return false;
  }
}

pcp_result read_third_party(reader data, std::size_t length, pcp_options& out) {
  if (length != 16 || out.third_party) return pcp_result::malformed_option;
  out.third_party = data.address();
  return pcp_result::success;
}

pcp_result read_prefer_failure(std::size_t length, pcp_options& out) {
  if (length != 0 || out.prefer_failure) return pcp_result::malformed_option;
  out.prefer_failure = true;
  return pcp_result::success;
}

pcp_result read_filter(reader data, std::size_t length, pcp_options& out) {
  if (length != 20) return pcp_result::malformed_option;
  data.u8();
  peer_filter filter;
  filter.prefix_length = data.u8();
  filter.port = data.u16();
  filter.address = data.address();
  if (filter.prefix_length == 0) {
    out.clears_filters = true;
    out.filters.clear();
    return pcp_result::success;
  }
  const bool cuts_the_mapping = filter.address.is_v4() && filter.prefix_length < v4_prefix;
  if (filter.prefix_length > longest_prefix || cuts_the_mapping) {
    return pcp_result::malformed_option;
  }
  out.filters.push_back(filter);
  return pcp_result::success;
}

/// The first internal port is that of the request (RFC 7753 section 4.1).
pcp_result read_port_set(reader data, std::size_t length, std::uint16_t internal_port,
                         pcp_options& out) {
  if (length != 5 || out.port_set != 1) return pcp_result::malformed_option;
  const std::uint16_t size = data.u16();
  if (size == 0 || data.u16() != internal_port) return pcp_result::malformed_option;
  out.port_set = size;
  return pcp_result::success;
}

pcp_result read_one(std::uint8_t code, std::span<const std::byte> data, std::size_t length,
                    std::uint16_t internal_port, pcp_options& out) {
  switch (code) {
    case option_third_party:
      return read_third_party(reader(data), length, out);
    case option_prefer_failure:
      return read_prefer_failure(length, out);
    case option_port_set:
      return read_port_set(reader(data), length, internal_port, out);
    default:
      return read_filter(reader(data), length, out);
  }
}

}  // namespace

pcp_options read_pcp_options(const profile& how, pcp_opcode opcode, std::uint16_t internal_port,
                             reader in) {
  pcp_options out;
  const auto judge = [&out](pcp_result result) {
    if (out.verdict == pcp_result::success) out.verdict = result;
  };
  while (in.remaining() > 0) {
    const std::uint8_t code = in.u8();
    in.u8();
    const auto length = in.u16();
    const auto data = in.take((std::size_t{length} + 3) / 4 * 4);
    if (in.ran_out()) {
      out.verdict = pcp_result::malformed_option;  // what follows cannot be told
      return out;
    }
    if (is_served(how, opcode, code)) {
      judge(read_one(code, data, length, internal_port, out));
      if (code == option_port_set) continue;
      const bytes head = writer{}.u8(code).u8(0).u16(length).take();
      out.obeyed.insert(out.obeyed.end(), head.begin(), head.end());
      out.obeyed.insert(out.obeyed.end(), data.begin(), data.end());
    } else if (code < first_optional_option) {
      judge(pcp_result::unsupported_option);
    }
  }
  // RFC 7753 section 4.1: the two do not go together.
  if (out.prefer_failure && out.port_set > 1) judge(pcp_result::malformed_option);
  return out;
}

}  // namespace damson::sim
