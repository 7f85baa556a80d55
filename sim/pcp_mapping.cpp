#include "sim/pcp_mapping.hpp"

#include <algorithm>
#include <chrono>
#include <optional>
#include <span>
#include <utility>

namespace damson::sim {

namespace {

constexpr std::uint8_t version = 2;
constexpr std::uint8_t response_bit = 0x80;
constexpr std::size_t largest = 1'100;
constexpr std::uint8_t iana_tcp = 6;
constexpr std::uint8_t iana_udp = 17;

bool is_short_error(pcp_result result) {
  return result == pcp_result::network_failure || result == pcp_result::no_resources ||
         result == pcp_result::user_exceeded_quota;
}

std::uint32_t error_lifetime(const profile& how, pcp_result result) {
  if (how.error_lifetime) return *how.error_lifetime;
  const auto wait = is_short_error(result) ? how.short_error : how.long_error;
  return static_cast<std::uint32_t>(wait.count());
}

std::optional<transport> transport_of(std::uint8_t protocol) {
  if (protocol == iana_tcp) return transport::tcp;
  if (protocol == iana_udp) return transport::udp;
  return std::nullopt;
}

/// Serves one MAP or PEER; what both have in common.
class mapping_service {
 public:
  mapping_service(gateway_state& state, time_point now, const datagram& in, pcp_opcode opcode,
                  std::uint32_t lifetime, reader body)
      : state_(state), now_(now), in_(in), opcode_(opcode), lifetime_(lifetime) {
    nonce_ = body.raw<12>();
    protocol_ = body.u8();
    if (body.raw<3>() != std::array<std::byte, 3>{}) complain_of_reserved_bits();
    internal_ = {in.from.address, body.u16()};
    suggested_.port = body.u16();
    suggested_.address = body.address();
    if (opcode == pcp_opcode::peer) {
      remote_.port = body.u16();
      if (body.u16() != 0) complain_of_reserved_bits();
      remote_.address = body.address();
    }
    options_ = read_pcp_options(state.how, opcode, internal_.port, body);
  }

  bytes answer() {
    if (options_.verdict != pcp_result::success) return refuse(options_.verdict);
    if (options_.third_party) {
      // Its own address there is a mistake (RFC 6887 section 13.1, Q-32).
      const bool own = options_.third_party->to_v6() == in_.from.address.to_v6();
      if (own || options_.third_party->is_unspecified()) {
        return refuse(pcp_result::malformed_request);
      }
      internal_.address = *options_.third_party;
    }
    const auto what = transport_of(protocol_);
    if (!what) return refuse(pcp_result::unsupported_protocol);
    if (internal_.port == 0) return refuse(pcp_result::malformed_request);
    what_ = *what;
    if (opcode_ == pcp_opcode::peer) return peer();
    if (options_.prefer_failure && suggested_.port == 0 && !wants_address()) {
      return refuse(pcp_result::malformed_option);
    }
    return internal_.address.is_v6() ? open() : map();
  }

 private:
  bool wants_address() const { return !suggested_.address.is_unspecified(); }

  void complain_of_reserved_bits() {
    state_.complain(now_, opcode_ == pcp_opcode::map
                              ? "PCP MAP with reserved bits set (RFC 6887 section 11.1)"
                              : "PCP PEER with reserved bits set (RFC 6887 section 12.1)");
  }

  bytes refuse(pcp_result result) const { return pcp_error(state_, now_, in_.bytes, result); }

  /// The nonce is the key (RFC 6887 section 11.3, Q-25); the lifetime tells how long that rule has
  /// yet to live.
  bytes refuse_stranger(const std::optional<time_point>& expires) const {
    if (state_.how.error_lifetime || !expires) return refuse(pcp_result::not_authorized);
    const auto left = std::chrono::ceil<std::chrono::seconds>(*expires - now_);
    return pcp_error(state_, now_, in_.bytes, pcp_result::not_authorized, true,
                     static_cast<std::uint32_t>(left.count()));
  }

  // MAP through the NAT.

  bytes map() {
    const nat_rule* rule = state_.rule_for(what_, internal_, rule_owner::pcp);
    if (rule != nullptr && (rule->owner != rule_owner::pcp || rule->nonce != nonce_)) {
      return refuse_stranger(rule->expires);
    }
    if (rule != nullptr && rule->set_begins != 0 && options_.port_set == 1) {
      state_.complain(now_,
                      "a port set renewed or deleted without PORT_SET (RFC 7753 section 4.3)");
    }
    if (lifetime_ == 0) {
      const auto all = rule == nullptr ? std::vector<nat_rule>{} : state_.table.set_of(*rule);
      return remove(rule != nullptr, [&] {
        for (const nat_rule& each : all) state_.table.remove_external(what_, each.external_port);
      });
    }
    if (state_.how.refuses_maps_with) return refuse(*state_.how.refuses_maps_with);
    if (state_.is_shut()) return refuse(pcp_result::no_resources);
    if (!state_.wan) return refuse(pcp_result::network_failure);
    if (rule == nullptr) return create();
    return renewal_is_refused() ? refuse(pcp_result::no_resources) : keep(*rule);
  }

  template <class Remove>
  bytes remove(bool is_there, Remove&& remove_it) {
    if (suggested_.port != 0 || wants_address()) {
      state_.complain(now_, "PCP delete with a suggested port or address (RFC 6887 section 15)");
    }
    if (!is_there && state_.how.delete_of_nothing_fails) return refuse(pcp_result::no_resources);
    if (is_there) remove_it();
    return success(0, suggested_.port, suggested_.address);
  }

  bool renewal_is_refused() {
    if (state_.how.refused_renewals == 0) return false;
    --state_.how.refused_renewals;
    return true;
  }

  std::optional<pcp_result> no_room() const {
    if (state_.is_full()) return pcp_result::no_resources;
    if (state_.quota_is_used(internal_.address)) return pcp_result::user_exceeded_quota;
    return std::nullopt;
  }

  bytes create() {
    if (const auto full = no_room()) return refuse(*full);
    if (auto made = create_set()) return *made;
    // An endpoint that has flows keeps the port that they have (RFC 6887 section 11.3).
    const nat_flow* flow = state_.table.flow_of(what_, internal_);
    const bool flow_has_it =
        flow != nullptr && state_.table.at_external(what_, flow->external_port) == nullptr;
    const std::uint16_t wanted = suggested_.port != 0 ? suggested_.port : internal_.port;
    const bool taken = flow_has_it ? flow->external_port != wanted
                                   : !state_.table.is_free(what_, wanted, std::nullopt);
    const bool other_address = wants_address() && suggested_.address != *state_.wan;
    if (options_.prefer_failure && !state_.how.ignores_prefer_failure &&
        ((taken && suggested_.port != 0) || other_address)) {
      return refuse(pcp_result::cannot_provide_external);
    }
    if (taken && suggested_.port != 0 && state_.how.taken_port_is_no_resources) {
      return refuse(pcp_result::no_resources);
    }
    const std::uint16_t port =
        flow_has_it ? flow->external_port : state_.choose_port(what_, wanted, std::nullopt);
    if (port == 0) return refuse(pcp_result::no_resources);
    return keep({what_, port, rule_owner::pcp, internal_, nonce_, std::nullopt});
  }

  /// How many ports in a row can be mapped as one. Those that are mapped already are not.
  std::uint16_t room_for_set() const {
    std::uint16_t size = std::min(options_.port_set, state_.how.largest_port_set);
    const std::size_t used = state_.table.size() + state_.pinholes.size();
    size = static_cast<std::uint16_t>(
        std::min<std::size_t>(size, std::size_t{state_.how.max_rules} - used));
    if (state_.how.rules_per_host) {
      const std::size_t left =
          *state_.how.rules_per_host - state_.table.count_of(internal_.address);
      size = static_cast<std::uint16_t>(std::min<std::size_t>(size, left));
    }
    for (std::uint16_t after = 1; after < size; ++after) {
      const std::uint32_t port = std::uint32_t{internal_.port} + after;
      const endpoint next{internal_.address, static_cast<std::uint16_t>(port)};
      if (port > 0xffff || state_.table.at_internal(what_, next) != nullptr) return after;
    }
    return size;
  }

  /// Empty where it is one port only, which is no set (RFC 7753 section 4.2).
  std::optional<bytes> create_set() {
    const std::uint16_t wanted = suggested_.port != 0 ? suggested_.port : internal_.port;
    for (std::uint16_t size = room_for_set(); size > 1;
         size = static_cast<std::uint16_t>(size / 2)) {
      const std::uint16_t base = state_.table.free_row(what_, wanted, size);
      if (base == 0) continue;
      for (std::uint16_t after = 0; after < size; ++after) {
        nat_rule rule{what_,           static_cast<std::uint16_t>(base + after),
                      rule_owner::pcp, internal_,
                      nonce_,          now_ + std::chrono::seconds{1}};
        rule.internal.port = static_cast<std::uint16_t>(internal_.port + after);
        rule.set_begins = internal_.port;
        state_.table.put(rule);
      }
      return keep(*state_.table.at_external(what_, base));
    }
    return std::nullopt;
  }

  /// A set is kept as a whole (RFC 7753 section 4.3).
  bytes keep(nat_rule rule) {
    if (!take_filters(rule.filters)) return refuse(pcp_result::excessive_remote_peers);
    const std::uint32_t lifetime = state_.grant(lifetime_, rule_owner::pcp);
    rule.expires = now_ + std::chrono::seconds{lifetime};
    const auto all = state_.table.set_of(rule);
    if (all.size() > 1) set_size_ = static_cast<std::uint16_t>(all.size());
    for (nat_rule each : all) {
      each.filters = rule.filters;
      each.expires = rule.expires;
      state_.table.put(each);
    }
    return success(lifetime, state_.how.answers_external_port.value_or(rule.external_port),
                   *state_.wan);
  }

  /// Adds those of the request to what there is, after a zero prefix has cleared it (RFC 6887
  /// section 13.3). False where they are too many.
  bool take_filters(std::vector<peer_filter>& has) const {
    if (state_.how.ignores_filters) return true;
    std::vector<peer_filter> all = options_.clears_filters ? std::vector<peer_filter>{} : has;
    for (const peer_filter& one : options_.filters) {
      if (std::ranges::count(all, one) == 0) all.push_back(one);
    }
    if (all.size() > state_.how.max_filters) return false;
    has = std::move(all);
    return true;
  }

  // MAP through the firewall, which leaves address and port as they are.

  bytes open() {
    const pinhole* found =
        state_.pinholes.find(rule_owner::pcp, what_, internal_, {ip_address::any_v6(), 0});
    if (found != nullptr && found->nonce != nonce_) return refuse_stranger(found->expires);
    if (lifetime_ == 0) {
      const bool stays = found != nullptr && found->renewed && state_.how.renewed_pinhole_stays;
      if (stays) return refuse(pcp_result::not_authorized);
      const std::uint16_t id = found == nullptr ? std::uint16_t{0} : found->id;
      return remove(found != nullptr, [&] { state_.pinholes.remove(id); });
    }
    if (state_.how.refuses_maps_with) return refuse(*state_.how.refuses_maps_with);
    if (found != nullptr && renewal_is_refused()) return refuse(pcp_result::no_resources);
    if (const auto full = no_room(); full && found == nullptr) return refuse(*full);
    const bool other_port = suggested_.port != 0 && suggested_.port != internal_.port;
    const bool other_address =
        wants_address() && suggested_.address.to_v6() != internal_.address.to_v6();
    if (options_.prefer_failure && (other_port || other_address)) {
      return refuse(pcp_result::cannot_provide_external);
    }
    pinhole hole;
    if (found != nullptr) hole = *found;
    hole.renewed = found != nullptr;
    hole.owner = rule_owner::pcp;
    hole.transport = what_;
    hole.internal = internal_;
    hole.nonce = nonce_;
    if (!take_filters(hole.filters)) return refuse(pcp_result::excessive_remote_peers);
    const std::uint32_t lifetime = state_.grant(lifetime_, rule_owner::pcp);
    hole.expires = now_ + std::chrono::seconds{lifetime};
    const bool renewed_without_port = found != nullptr && state_.how.renewed_pinhole_echoes_port;
    if (state_.pinholes.put(std::move(hole)) == 0) return refuse(pcp_result::no_resources);
    return success(lifetime, renewed_without_port ? suggested_.port : internal_.port,
                   internal_.address);
  }

  // PEER.

  bytes peer() {
    if (remote_.port == 0 || remote_.address.is_unspecified()) {
      return refuse(pcp_result::malformed_request);
    }
    const bool through_nat = internal_.address.is_v4();
    if (!through_nat || remote_.address.is_v6()) {
      return refuse(pcp_result::unsupported_opcode);  // there is nothing to keep alive there
    }
    if (!state_.wan) return refuse(pcp_result::network_failure);
    const nat_flow* found = state_.table.flow(what_, internal_, remote_);
    if (found != nullptr && found->nonce != nonce_) return refuse_stranger(found->expires);
    if (lifetime_ == 0) {
      // A router need not be able to do that (RFC 6887 section 12.1); this one is.
      if (found != nullptr) state_.table.remove_flow(*found);
      return success(0, suggested_.port, suggested_.address);
    }
    if (const auto full = no_room(); full && found == nullptr) return refuse(*full);
    nat_flow flow{what_, internal_, remote_, 0, nonce_, now_};
    if (found != nullptr) {
      flow = *found;  // and what is suggested for it does not matter any more
    } else {
      flow.external_port = port_for_flow();
      // There is nothing but what was suggested (RFC 6887 section 7.4).
      const bool other_port = suggested_.port != 0 && suggested_.port != flow.external_port;
      const bool other_address = wants_address() && suggested_.address != *state_.wan;
      if (flow.external_port == 0 || other_port || other_address) {
        return refuse(pcp_result::cannot_provide_external);
      }
    }
    // A PEER does not shorten what there is (RFC 6887 section 12.3).
    const auto granted = now_ + std::chrono::seconds{state_.grant(lifetime_, rule_owner::pcp)};
    flow.expires = std::max(flow.expires, granted);
    state_.table.put_flow(flow);
    const auto left = std::chrono::ceil<std::chrono::seconds>(flow.expires - now_);
    return success(static_cast<std::uint32_t>(left.count()), flow.external_port, *state_.wan);
  }

  /// The port that the endpoint's other mappings have, else one as for a MAP.
  std::uint16_t port_for_flow() {
    if (const nat_flow* other = state_.table.flow_of(what_, internal_)) return other->external_port;
    if (const nat_rule* rule = state_.table.at_internal(what_, internal_)) {
      return rule->external_port;
    }
    const std::uint16_t wanted = suggested_.port != 0 ? suggested_.port : internal_.port;
    return state_.choose_port(what_, wanted, std::nullopt);
  }

  bytes success(std::uint32_t lifetime, std::uint16_t port, const ip_address& address) const {
    writer out;
    put_pcp_header(out, state_, now_, opcode_, pcp_result::success, lifetime);
    out.zeros(12);
    out.raw(nonce_).u8(protocol_).zeros(3);
    out.u16(internal_.port).u16(port).address(address);
    if (opcode_ == pcp_opcode::peer) out.u16(remote_.port).u16(0).address(remote_.address);
    out.raw(options_.obeyed);
    if (set_size_ > 1) {
      out.u8(option_port_set).u8(0).u16(5).u16(set_size_).u16(internal_.port).zeros(4);
    }
    return out.take();
  }

  gateway_state& state_;
  time_point now_;
  const datagram& in_;
  pcp_opcode opcode_;
  std::uint32_t lifetime_;
  nonce_bytes nonce_{};
  std::uint8_t protocol_ = 0;
  transport what_{};
  endpoint internal_;
  endpoint suggested_;
  endpoint remote_;
  pcp_options options_;
  std::uint16_t set_size_ = 1;
};

}  // namespace

void put_pcp_header(writer& out, const gateway_state& state, time_point now, pcp_opcode opcode,
                    pcp_result result, std::uint32_t lifetime) {
  out.u8(version).u8(response_bit | std::to_underlying(opcode)).u8(0);
  out.u8(std::to_underlying(result)).u32(lifetime).u32(state.epoch(now));
}

bytes pcp_error(const gateway_state& state, time_point now, const bytes& request, pcp_result result,
                bool parsed, std::uint32_t lifetime) {
  const std::size_t copied = std::min(request.size(), largest);
  const std::size_t size = std::max((copied + 3) / 4 * 4, pcp_header_size);
  const auto opcode = std::to_integer<std::uint8_t>(request[1] & std::byte{0x7f});
  writer out;
  put_pcp_header(out, state, now, pcp_opcode{opcode}, result, lifetime);
  bytes padded(request.begin(), request.begin() + static_cast<std::ptrdiff_t>(copied));
  padded.resize(size);
  if (parsed) {
    out.zeros(12);
  } else {
    out.raw(std::span(padded).subspan(12, 12));
  }
  out.raw(std::span(padded).subspan(pcp_header_size));
  return out.take();
}

bytes pcp_error(const gateway_state& state, time_point now, const bytes& request, pcp_result result,
                bool parsed) {
  return pcp_error(state, now, request, result, parsed, error_lifetime(state.how, result));
}

bytes pcp_map_answer(gateway_state& state, time_point now, const datagram& in,
                     std::uint32_t lifetime, reader body) {
  return mapping_service(state, now, in, pcp_opcode::map, lifetime, body).answer();
}

bytes pcp_peer_answer(gateway_state& state, time_point now, const datagram& in,
                      std::uint32_t lifetime, reader body) {
  return mapping_service(state, now, in, pcp_opcode::peer, lifetime, body).answer();
}

}  // namespace damson::sim
