#include "sim/nat_pmp_server.hpp"

#include <chrono>

namespace damson::sim {

namespace {

constexpr std::uint8_t version = 0;
constexpr std::uint8_t response_bit = 0x80;
constexpr std::uint8_t opcode_address = 0;
constexpr std::uint8_t opcode_map_udp = 1;
constexpr std::uint8_t opcode_map_tcp = 2;
constexpr std::size_t map_size = 12;

struct map_request {
  std::uint8_t opcode = 0;
  std::uint16_t internal_port = 0;
  std::uint16_t external_port = 0;
  std::uint32_t lifetime = 0;
};

void put_header(writer& out, std::uint8_t opcode, nat_pmp_result result, std::uint32_t epoch) {
  out.u8(version).u8(response_bit | opcode).u16(static_cast<std::uint16_t>(result)).u32(epoch);
}

bytes header_only(const gateway_state& state, time_point now, std::uint8_t opcode,
                  nat_pmp_result result) {
  writer out;
  put_header(out, opcode, result, state.epoch(now));
  return out.take();
}

/// Serves one map request of full length.
class map_service {
 public:
  map_service(gateway_state& state, time_point now, const datagram& in, const map_request& request)
      : state_(state),
        now_(now),
        host_(in.from.address),
        request_(request),
        what_(request.opcode == opcode_map_tcp ? transport::tcp : transport::udp) {}

  bytes answer() {
    if (request_.lifetime == 0) return remove();
    if (request_.internal_port == 0) return refuse(nat_pmp_result::not_authorized);
    if (state_.how.refuses_nat_pmp_maps_with) return refuse(*state_.how.refuses_nat_pmp_maps_with);
    if (!state_.wan || state_.is_shut()) return refuse(nat_pmp_result::network_failure);
    const endpoint internal{host_, request_.internal_port};
    const nat_rule* rule = state_.rule_for(what_, internal, rule_owner::nat_pmp);
    if (rule != nullptr) {
      if (rule->owner != rule_owner::nat_pmp) return refuse(nat_pmp_result::not_authorized);
      return keep(*rule);
    }
    if (state_.is_full() || state_.quota_is_used(host_)) {
      return refuse(nat_pmp_result::out_of_resources);
    }
    const std::uint16_t wanted =
        request_.external_port != 0 ? request_.external_port : request_.internal_port;
    // The other transport's port of the same number is kept for the same host (RFC 6886
    // section 3.3).
    const std::uint16_t port = state_.choose_port(what_, wanted, host_);
    if (port == 0) return refuse(nat_pmp_result::out_of_resources);
    return keep({what_, port, rule_owner::nat_pmp, internal, {}, std::nullopt});
  }

 private:
  bytes remove() {
    if (request_.external_port != 0) {
      state_.complain(now_, "NAT-PMP delete with an external port (RFC 6886 section 3.4)");
    }
    if (request_.internal_port == 0) {
      state_.table.remove_all(what_, host_, rule_owner::nat_pmp);
      return reply(nat_pmp_result::success, 0, 0);
    }
    const endpoint internal{host_, request_.internal_port};
    const nat_rule* rule = state_.rule_for(what_, internal, rule_owner::nat_pmp);
    if (rule != nullptr && rule->owner != rule_owner::nat_pmp) {
      return refuse(nat_pmp_result::not_authorized);
    }
    if (rule == nullptr && state_.how.delete_of_nothing_fails) {
      return refuse(nat_pmp_result::not_authorized);
    }
    if (rule != nullptr) state_.table.remove_external(what_, rule->external_port);
    return reply(nat_pmp_result::success, 0, 0);
  }

  bytes keep(nat_rule rule) {
    const std::uint32_t lifetime = state_.grant(request_.lifetime, rule_owner::nat_pmp);
    rule.expires = now_ + std::chrono::seconds{lifetime};
    state_.table.put(rule);
    return reply(nat_pmp_result::success,
                 state_.how.answers_external_port.value_or(rule.external_port), lifetime);
  }

  bytes refuse(nat_pmp_result result) const {
    if (state_.how.nat_pmp_errors_are_short) {
      return header_only(state_, now_, request_.opcode, result);
    }
    const bool echo = state_.how.nat_pmp_errors_echo_request;
    return reply(result, echo ? request_.external_port : std::uint16_t{0},
                 echo ? request_.lifetime : 0U);
  }

  bytes reply(nat_pmp_result result, std::uint16_t external_port, std::uint32_t lifetime) const {
    writer out;
    put_header(out, request_.opcode, result, state_.epoch(now_));
    out.u16(state_.how.nat_pmp_answers_internal_port.value_or(request_.internal_port));
    out.u16(external_port).u32(lifetime);
    return out.take();
  }

  gateway_state& state_;
  time_point now_;
  const ip_address host_;
  const map_request& request_;
  const transport what_;
};

}  // namespace

bytes nat_pmp_address(const gateway_state& state, time_point now) {
  const bool failed =
      !state.wan || state.is_shut() ||
      (state.how.private_wan_is_failure && classify(*state.wan) != address_class::public_address);
  if (failed && state.how.nat_pmp_errors_are_short) {
    return header_only(state, now, opcode_address, nat_pmp_result::network_failure);
  }
  const bool known = !failed && !state.how.external_address_unknown;
  writer out;
  put_header(out, opcode_address,
             failed ? nat_pmp_result::network_failure : nat_pmp_result::success, state.epoch(now));
  out.v4_address(known ? *state.wan : ip_address{});
  return out.take();
}

std::optional<bytes> nat_pmp_answer(gateway_state& state, time_point now, const datagram& in) {
  if (in.bytes.size() < 2) return std::nullopt;
  reader body(in.bytes);
  const std::uint8_t its_version = body.u8();
  map_request request;
  request.opcode = body.u8();
  if ((request.opcode & response_bit) != 0) return std::nullopt;
  if (its_version != version) {
    return header_only(state, now, request.opcode, nat_pmp_result::unsupported_version);
  }
  if (request.opcode == opcode_address) {
    if (in.bytes.size() != 2) {
      state.complain(now, "NAT-PMP address request longer than 2 bytes (RFC 6886 section 3.2)");
    }
    return nat_pmp_address(state, now);
  }
  if (request.opcode != opcode_map_udp && request.opcode != opcode_map_tcp) {
    return header_only(state, now, request.opcode, nat_pmp_result::unsupported_opcode);
  }
  if (in.bytes.size() < map_size) return std::nullopt;
  if (in.bytes.size() > map_size) {
    state.complain(now, "NAT-PMP map request longer than 12 bytes (RFC 6886 section 3.3)");
  }
  if (body.u16() != 0) {
    state.complain(now, "NAT-PMP map request with reserved bits set (RFC 6886 section 3.3)");
  }
  request.internal_port = body.u16();
  request.external_port = body.u16();
  request.lifetime = body.u32();
  return map_service(state, now, in, request).answer();
}

}  // namespace damson::sim
