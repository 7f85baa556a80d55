#include "sim/pcp_server.hpp"

#include <algorithm>
#include <chrono>
#include <span>

namespace damson::sim {

namespace {

constexpr std::uint8_t version = 2;
constexpr std::uint8_t response_bit = 0x80;
constexpr std::uint8_t opcode_announce = 0;
constexpr std::uint8_t opcode_map = 1;
constexpr std::size_t header_size = 24;
constexpr std::size_t map_size = 60;
constexpr std::size_t largest = 1'100;
constexpr std::uint8_t option_prefer_failure = 2;
constexpr std::uint8_t first_optional_option = 128;
constexpr std::uint8_t iana_tcp = 6;
constexpr std::uint8_t iana_udp = 17;

struct map_request {
  std::uint32_t lifetime = 0;
  nonce_bytes nonce{};
  std::uint8_t protocol = 0;
  std::uint16_t internal_port = 0;
  std::uint16_t suggested_port = 0;
  ip_address suggested_address;
  bool prefer_failure = false;
};

struct options_found {
  pcp_result verdict = pcp_result::success;
  bool prefer_failure = false;
};

bool is_short_error(pcp_result result) {
  return result == pcp_result::network_failure || result == pcp_result::no_resources ||
         result == pcp_result::user_exceeded_quota;
}

std::uint32_t error_lifetime(const profile& how, pcp_result result) {
  if (how.error_lifetime) return *how.error_lifetime;
  const auto wait = is_short_error(result) ? how.short_error : how.long_error;
  return static_cast<std::uint32_t>(wait.count());
}

void put_header(writer& out, std::uint8_t opcode, pcp_result result, std::uint32_t lifetime,
                std::uint32_t epoch) {
  out.u8(version).u8(response_bit | opcode).u8(0).u8(static_cast<std::uint8_t>(result));
  out.u32(lifetime).u32(epoch);
}

/// The request with the fields that are the server's replaced (RFC 6887 section 8.2). `parsed`
/// tells whether it was understood: where it was not, the last 12 bytes of its client address stay.
bytes error_answer(const gateway_state& state, time_point now, const bytes& request,
                   pcp_result result, std::uint32_t lifetime, bool parsed = true) {
  const std::size_t copied = std::min(request.size(), largest);
  const std::size_t size = std::max((copied + 3) / 4 * 4, header_size);
  const auto opcode = std::to_integer<std::uint8_t>(request[1] & std::byte{0x7f});
  writer out;
  put_header(out, opcode, result, lifetime, state.epoch(now));
  bytes padded(request.begin(), request.begin() + static_cast<std::ptrdiff_t>(copied));
  padded.resize(size);
  if (parsed) {
    out.zeros(12);
  } else {
    out.raw(std::span(padded).subspan(12, 12));
  }
  out.raw(std::span(padded).subspan(header_size));
  return out.take();
}

bytes error_answer(const gateway_state& state, time_point now, const bytes& request,
                   pcp_result result, bool parsed = true) {
  return error_answer(state, now, request, result, error_lifetime(state.how, result), parsed);
}

/// Walks the options that follow a MAP (RFC 6887 section 7.3).
options_found read_options(reader in) {
  options_found found;
  while (in.remaining() > 0) {
    const std::uint8_t code = in.u8();
    in.u8();
    const std::size_t length = in.u16();
    in.take((length + 3) / 4 * 4);
    if (in.ran_out()) return {pcp_result::malformed_option, false};
    if (code == option_prefer_failure) {
      if (length != 0 || found.prefer_failure) return {pcp_result::malformed_option, false};
      found.prefer_failure = true;
    } else if (code < first_optional_option && found.verdict == pcp_result::success) {
      found.verdict = pcp_result::unsupported_option;
    }
  }
  return found;
}

std::optional<transport> transport_of(std::uint8_t protocol) {
  if (protocol == iana_tcp) return transport::tcp;
  if (protocol == iana_udp) return transport::udp;
  return std::nullopt;
}

/// Serves one well-formed MAP.
class map_service {
 public:
  map_service(gateway_state& state, time_point now, const datagram& in, const map_request& request)
      : state_(state), now_(now), in_(in), request_(request) {}

  bytes answer() {
    const auto what = transport_of(request_.protocol);
    if (!what) return refuse(pcp_result::unsupported_protocol);
    if (request_.internal_port == 0) return refuse(pcp_result::malformed_request);
    const bool wants_address = !request_.suggested_address.is_unspecified();
    if (request_.prefer_failure && request_.suggested_port == 0 && !wants_address) {
      return refuse(pcp_result::malformed_option);
    }
    const endpoint internal{in_.from.address, request_.internal_port};
    const nat_rule* rule = state_.rule_for(*what, internal, rule_owner::pcp);
    if (rule != nullptr && (rule->owner != rule_owner::pcp || rule->nonce != request_.nonce)) {
      return refuse_stranger(*rule);
    }
    if (request_.lifetime == 0) return remove(*what, rule);
    if (state_.how.refuses_maps_with) return refuse(*state_.how.refuses_maps_with);
    if (!state_.wan) return refuse(pcp_result::network_failure);
    return rule != nullptr ? renew(*rule) : create(*what, internal);
  }

 private:
  bytes refuse(pcp_result result) const { return error_answer(state_, now_, in_.bytes, result); }

  /// The nonce is the key (RFC 6887 section 11.3, Q-25); the lifetime tells how long that rule has
  /// yet to live.
  bytes refuse_stranger(const nat_rule& rule) const {
    if (state_.how.error_lifetime || !rule.expires) return refuse(pcp_result::not_authorized);
    const auto left = std::chrono::ceil<std::chrono::seconds>(*rule.expires - now_);
    return error_answer(state_, now_, in_.bytes, pcp_result::not_authorized,
                        static_cast<std::uint32_t>(left.count()));
  }

  bytes remove(transport what, const nat_rule* rule) {
    if (request_.suggested_port != 0 || !request_.suggested_address.is_unspecified()) {
      state_.complain(now_, "PCP delete with a suggested port or address (RFC 6887 section 15)");
    }
    if (rule == nullptr && state_.how.delete_of_nothing_fails) {
      return refuse(pcp_result::no_resources);
    }
    if (rule != nullptr) state_.table.remove_external(what, rule->external_port);
    return success(0, request_.suggested_port, request_.suggested_address);
  }

  bytes renew(const nat_rule& rule) {
    if (state_.how.refused_renewals > 0) {
      --state_.how.refused_renewals;
      return refuse(pcp_result::no_resources);
    }
    return keep(rule);
  }

  bytes create(transport what, const endpoint& internal) {
    if (state_.table.size() >= state_.how.max_rules) return refuse(pcp_result::no_resources);
    const auto quota = state_.how.rules_per_host;
    if (quota && state_.table.count_of(internal.address) >= *quota) {
      return refuse(pcp_result::user_exceeded_quota);
    }
    const ip_address& address = request_.suggested_address;
    const std::uint16_t wanted =
        request_.suggested_port != 0 ? request_.suggested_port : request_.internal_port;
    const bool taken = !state_.table.is_free(what, wanted, std::nullopt);
    const bool other_address = !address.is_unspecified() && address != *state_.wan;
    if (request_.prefer_failure && (taken || other_address)) {
      return refuse(pcp_result::cannot_provide_external);
    }
    if (taken && request_.suggested_port != 0 && state_.how.taken_port_is_no_resources) {
      return refuse(pcp_result::no_resources);
    }
    const std::uint16_t port = state_.choose_port(what, wanted, std::nullopt);
    if (port == 0) return refuse(pcp_result::no_resources);
    return keep({what, port, rule_owner::pcp, internal, request_.nonce, std::nullopt});
  }

  bytes keep(nat_rule rule) {
    const std::uint32_t lifetime = state_.grant(request_.lifetime);
    rule.expires = now_ + std::chrono::seconds{lifetime};
    state_.table.put(rule);
    return success(lifetime, state_.how.answers_external_port.value_or(rule.external_port),
                   *state_.wan);
  }

  bytes success(std::uint32_t lifetime, std::uint16_t port, const ip_address& address) const {
    writer out;
    put_header(out, opcode_map, pcp_result::success, lifetime, state_.epoch(now_));
    out.zeros(12);
    out.raw(request_.nonce).u8(request_.protocol).zeros(3);
    out.u16(request_.internal_port).u16(port).address(address);
    // Options that were obeyed are repeated (RFC 6887 section 7.3).
    if (request_.prefer_failure) out.u8(option_prefer_failure).u8(0).u16(0);
    return out.take();
  }

  gateway_state& state_;
  time_point now_;
  const datagram& in_;
  const map_request& request_;
};

bytes answer_map(gateway_state& state, time_point now, const datagram& in, std::uint32_t lifetime,
                 reader body) {
  map_request request;
  request.lifetime = lifetime;
  request.nonce = body.raw<12>();
  request.protocol = body.u8();
  const auto reserved = body.raw<3>();
  if (reserved != decltype(reserved){}) {
    state.complain(now, "PCP MAP with reserved bits set (RFC 6887 section 11.1)");
  }
  request.internal_port = body.u16();
  request.suggested_port = body.u16();
  request.suggested_address = body.address();
  const options_found options = read_options(body);
  if (options.verdict != pcp_result::success) {
    return error_answer(state, now, in.bytes, options.verdict);
  }
  request.prefer_failure = options.prefer_failure;
  return map_service(state, now, in, request).answer();
}

std::optional<bytes> answer_announce(gateway_state& state, time_point now, const datagram& in,
                                     std::uint32_t lifetime, reader body) {
  const options_found options = read_options(body);
  if (options.verdict != pcp_result::success) {
    return error_answer(state, now, in.bytes, options.verdict);
  }
  // No option goes with ANNOUNCE (RFC 6887 section 14.1).
  if (options.prefer_failure) {
    return error_answer(state, now, in.bytes, pcp_result::unsupported_option);
  }
  if (lifetime != 0) {
    state.complain(now, "PCP ANNOUNCE with a lifetime (RFC 6887 section 14.1)");
  }
  if (!state.how.answers_announce_requests) return std::nullopt;
  return pcp_announcement(state, now);
}

}  // namespace

bytes pcp_announcement(const gateway_state& state, time_point now) {
  writer out;
  put_header(out, opcode_announce, pcp_result::success, 0, state.epoch(now));
  out.zeros(12);
  return out.take();
}

std::optional<bytes> pcp_answer(gateway_state& state, time_point now, const datagram& in) {
  if (in.bytes.size() < 2) return std::nullopt;
  reader body(in.bytes);
  const std::uint8_t its_version = body.u8();
  const std::uint8_t code = body.u8();
  if ((code & response_bit) != 0) return std::nullopt;
  if (its_version != version || state.how.pcp_version != version) {
    bytes refusal = error_answer(state, now, in.bytes, pcp_result::unsupported_version, false);
    refusal[0] = std::byte{state.how.pcp_version};
    return refusal;
  }
  const std::size_t size = in.bytes.size();
  if (size < header_size || size > largest || size % 4 != 0) {
    return error_answer(state, now, in.bytes, pcp_result::malformed_request, false);
  }
  if (body.u16() != 0) {
    state.complain(now, "PCP header with reserved bits set (RFC 6887 section 7.1)");
  }
  const std::uint32_t lifetime = body.u32();
  const ip_address client = body.address();
  // A scope is the host's own affair and not in the packet, so the bytes are what is compared.
  if (client.to_v6() != in.from.address.to_v6()) {
    return error_answer(state, now, in.bytes, pcp_result::address_mismatch);
  }
  if (code == opcode_announce) return answer_announce(state, now, in, lifetime, body);
  if (code != opcode_map) {
    return error_answer(state, now, in.bytes, pcp_result::unsupported_opcode);
  }
  if (size < map_size) {
    return error_answer(state, now, in.bytes, pcp_result::malformed_request, false);
  }
  return answer_map(state, now, in, lifetime, body);
}

}  // namespace damson::sim
