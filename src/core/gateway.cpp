#include "core/gateway.hpp"

#include <algorithm>

#include "wire/response_kind.hpp"

namespace damson::core {
namespace {

/// The groups of all hosts, where routers announce that they have restarted.
constexpr ip_address all_hosts{ip_address::v4_bytes{224, 0, 0, 1}};
constexpr ip_address all_nodes{
    ip_address::v6_bytes{0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};

/// Hints lead to a check this often at most.
constexpr std::chrono::seconds check_gap{10};

// Errors are believed to last at least this long, whatever the router says.
constexpr std::chrono::seconds short_error_floor{30};
constexpr std::chrono::seconds long_error_floor = std::chrono::minutes{30};
constexpr std::chrono::seconds longest_error = std::chrono::hours{24};

/// An external address that can be told to somebody.
bool is_plausible(const ip_address& external) {
  return !external.is_unspecified() && !external.is_loopback() && !external.is_multicast();
}

const retransmit_schedule& pcp_schedule(map_purpose why) {
  switch (why) {
    case map_purpose::create:
      return schedules::first_contact;
    case map_purpose::renew:
      return schedules::renewal;
    case map_purpose::remove:
      break;
  }
  return schedules::release;
}

map_outcome outcome_of(const pcp_client::answer& answer) {
  if (answer.result == pcp_result::success) {
    if (answer.lifetime.count() == 0) return {.what = map_outcome::kind::deleted};
    return {.what = map_outcome::kind::granted,
            .external = answer.external,
            .port_count = answer.port_count,
            .lifetime = answer.lifetime};
  }
  const auto floor = is_short_lifetime(answer.result) ? short_error_floor : long_error_floor;
  return {.what = map_outcome::kind::refused,
          .reason = to_errc(answer.result),
          .result_code = static_cast<std::int32_t>(answer.result),
          .retry_after = std::clamp(answer.lifetime, floor, longest_error)};
}

map_outcome outcome_of(const natpmp_response& response) {
  if (response.result == natpmp_result::success && response.grant) {
    if (response.grant->lifetime.count() == 0) return {.what = map_outcome::kind::deleted};
    return {.what = map_outcome::kind::granted,
            .external = {ip_address::any_v4(), response.grant->external_port},
            .lifetime = response.grant->lifetime};
  }
  // RFC 6886 gives errors no lifetime; what corresponds to PCP's short ones is short here.
  const bool is_short = response.result == natpmp_result::network_failure ||
                        response.result == natpmp_result::out_of_resources;
  return {.what = map_outcome::kind::refused,
          .reason = to_errc(response.result),
          .result_code = static_cast<std::int32_t>(response.result),
          .retry_after = is_short ? short_error_floor : long_error_floor};
}

}  // namespace

void gateway::open(context& ctx, const network_facts& facts, bool listens) {
  look_around(facts);
  listens_ = listens && !where_.is_upstream();
  servers_.take(ctx.opts, where_);
  requests_ = ctx.new_channel();
  ctx.outputs.emplace_back(open_channel{
      .channel = requests_,
      .what = connected_channel{.local = where_.local, .remote = server()},
  });
}

void gateway::close(context& ctx) {
  if (!never_opened_) ctx.outputs.emplace_back(close_channel{requests_});
  if (announcements_) ctx.outputs.emplace_back(close_channel{*announcements_});
  servers_.close(ctx);
  if (igd_) igd_->close(ctx);
  for (const timer each :
       {timer::pcp_turn, timer::nat_pmp_try, timer::check_try, timer::hint, timer::address_retry}) {
    ctx.timers.cancel(key(each));
  }
}

void gateway::look_around(const network_facts& facts) {
  own_addresses_ = facts.addresses;
  if (igd_) igd_->move_to(place_for_search());
}

search_place gateway::place_for_search() const {
  search_place place{.gateway = *where_.gateway,
                     .from = where_.local,
                     .interface_index = where_.interface_index,
                     .on_link = {},
                     .own_addresses = {},
                     .user_addresses = {},
                     .only_gateway = where_.is_upstream()};
  const bool by_link_local = place.gateway.is_v6() && place.gateway.is_link_local();
  for (const interface_address& each : own_addresses_) {
    place.own_addresses.push_back(each.address);
    const bool on_this_link =
        where_.interface_index == 0 || each.interface_index == where_.interface_index;
    if (!on_this_link || each.address.family() != place.gateway.family()) continue;
    place.on_link.push_back({each.address, each.prefix_length});
    if (by_link_local && each.address.is_link_local()) place.from = each.address;
  }
  if (where_.is_named) place.user_addresses.push_back(*where_.gateway);
  return place;
}

bool gateway::owns(channel_id channel) const noexcept {
  return channel == requests_ || channel == announcements_ || servers_.owns(channel) ||
         (igd_ && igd_->owns(channel));
}

std::vector<any_gateway_event> gateway::take_events() {
  auto all = std::exchange(events_, {});
  if (igd_) {
    auto more = igd_->take_events();
    all.insert(all.end(), more.begin(), more.end());
  }
  return all;
}

void gateway::forget_what_it_speaks() noexcept {
  lacks_port_sets_ = false;
  round_trip_.reset();
  pcp_availability_ = availability::unknown;
  nat_pmp_availability_ = availability::unknown;
}

void gateway::allow(allowed_protocols more) noexcept {
  allowed_.pcp = allowed_.pcp || more.pcp;
  allowed_.nat_pmp = allowed_.nat_pmp || more.nat_pmp;
}

// ---------------------------------------------------------------------------------------------
// Asking

void gateway::ask_pcp(context& ctx, mapping_id mapping, map_purpose why,
                      const pcp_map_request& request) {
  const bool may_go_at_once = why == map_purpose::remove || !pcp_.any_waiting();
  pcp_.ask(mapping, why, request, pcp_schedule(why));
  const auto next = may_go_at_once ? pcp_.admit(ctx.now) : std::nullopt;
  pump_pcp(ctx, next.value_or(mapping));
  if (next && next != mapping) pump_pcp(ctx, mapping);
}

bool gateway::withdraw_pcp(context& ctx, mapping_id mapping) {
  if (!pcp_.is_waiting(mapping)) return false;
  pcp_.forget(mapping);
  pump_pcp(ctx, mapping);
  return true;
}

void gateway::drop_in_pcp(context& ctx, const pcp_map_request& request) {
  if (may_send_in_pcp()) send_in_pcp(ctx, encode(request));
}

void gateway::ask_nat_pmp(context& ctx, mapping_id mapping, map_purpose why,
                          const natpmp_map_request& request, time_point needed_by) {
  // A renewal that waits holds up all others, so it waits no longer than a first contact.
  const auto& schedule = why == map_purpose::remove ? schedules::release : schedules::first_contact;
  nat_pmp_.ask({.mapping = mapping, .why = why, .map = request}, schedule, needed_by, ctx.now);
  pump_nat_pmp(ctx);
}

void gateway::drop_in_nat_pmp(context& ctx, const natpmp_map_request& request) {
  send(ctx, encode(request));
}

void gateway::ask_address(context& ctx) {
  if (nat_pmp_.address_open()) return;
  nat_pmp_.ask({}, schedules::first_contact, ctx.now, ctx.now);
  pump_nat_pmp(ctx);
}

void gateway::check(context& ctx) {
  last_check_ = ctx.now;
  const bool in_pcp = allowed_.pcp && (pcp_availability_ == availability::present ||
                                       (pcp_availability_ == availability::unknown &&
                                        nat_pmp_availability_ != availability::present) ||
                                       !allowed_.nat_pmp);
  const bool in_both = servers_.any() && nat_pmp_availability_ == availability::present;
  if (!in_pcp || in_both) ask_address(ctx);
  if (!in_pcp) return;
  pcp_.check(local_, schedules::release, ctx.now);
  pump_check(ctx);
}

void gateway::ask_whether_it_speaks_pcp(context& ctx) {
  pcp_.check(local_, schedules::first_contact, ctx.now);
  pump_check(ctx);
}

void gateway::give_up_pcp(context& ctx, mapping_id mapping) {
  pcp_.give_up(mapping);
  pump_pcp(ctx, mapping);
  next_turn_in_pcp(ctx);
}

void gateway::extend_pcp(context& ctx, mapping_id mapping, time_point until) {
  pcp_.extend(mapping, until);
  pump_pcp(ctx, mapping);
}

void gateway::extend_nat_pmp(context& ctx, mapping_id mapping, time_point until) {
  nat_pmp_.extend(mapping, until);
  pump_nat_pmp(ctx);
}

bool gateway::withdraw_nat_pmp(context& ctx, mapping_id mapping) {
  if (nat_pmp_.in_flight() == mapping || !nat_pmp_.forget(mapping)) return false;
  pump_nat_pmp(ctx);
  return true;
}

void gateway::forget_nat_pmp(context& ctx, mapping_id mapping) {
  // The next one is sent when all that happens now has happened: many may be forgotten at once.
  if (nat_pmp_.forget(mapping)) ctx.timers.set(key(timer::nat_pmp_try), ctx.now);
}

void gateway::stop_repeating(context& ctx, mapping_id mapping) {
  ctx.timers.cancel({timer::pcp_try, mapping, id_});
}

void gateway::forget(context& ctx, mapping_id mapping, std::uint16_t keep_port) {
  pcp_.forget(mapping);
  pump_pcp(ctx, mapping);
  next_turn_in_pcp(ctx);
  forget_nat_pmp(ctx, mapping);
  if (igd_) igd_->forget(ctx, mapping, keep_port);
}

std::optional<std::chrono::nanoseconds> gateway::round_trip() const noexcept {
  const auto in_upnp = igd_ ? igd_->round_trip() : std::nullopt;
  if (!round_trip_ || !in_upnp) return round_trip_ ? round_trip_ : in_upnp;
  return std::min(*round_trip_, *in_upnp);
}

std::optional<ip_address> gateway::external_address() const noexcept {
  return told_address_ && !told_address_->is_unspecified() ? told_address_ : std::nullopt;
}

std::optional<ip_address> gateway::outside() const noexcept {
  const bool is_told_in_upnp = igd_ && igd_->external_address();
  return external_address() || !is_told_in_upnp ? told_address_ : igd_->external_address();
}

bool gateway::must_wait_for_address(context& ctx) {
  if (external_address() || ctx.timers.is_set(key(timer::address_retry))) return false;
  ask_address(ctx);
  return true;
}

// ---------------------------------------------------------------------------------------------
// Sending, and waiting

void gateway::send(context& ctx, std::vector<std::byte> bytes) {
  ++ctx.counters.datagrams_sent;
  ctx.outputs.emplace_back(send_datagram{.channel = requests_, .bytes = std::move(bytes)});
}

void gateway::pump_pcp(context& ctx, mapping_id mapping) {
  if (!may_send_in_pcp()) {
    ctx.timers.cancel({timer::pcp_try, mapping, id_});
    if (pcp_.is_open(mapping)) servers_.open(ctx, local_);
    return;
  }
  auto todo = pcp_.due(mapping, ctx.now, ctx.random);
  if (!todo.send.empty()) send_in_pcp(ctx, std::move(todo.send));
  if (todo.silent) {
    tell_silent(mapping);
    // Where nobody has answered the first, nobody is there for the others.
    if (pcp_availability_ == availability::unknown) {
      for (const mapping_id each : pcp_.give_up_waiting()) tell_silent(each);
    }
  }
  if (todo.silent || !todo.send.empty()) next_turn_in_pcp(ctx);
  const timer_key next_try{timer::pcp_try, mapping, id_};
  if (const auto next = pcp_.next_due(mapping)) {
    ctx.timers.set(next_try, *next);
  } else {
    ctx.timers.cancel(next_try);
  }
}

void gateway::tell_silent(mapping_id mapping) {
  events_.emplace_back(gateway_event::map_answered{.mapping = mapping,
                                                   .protocol = protocol::pcp,
                                                   .asked = pcp_.asked_for(mapping),
                                                   .late = false,
                                                   .outcome = {.what = map_outcome::kind::silent}});
}

void gateway::admit_pcp(context& ctx) {
  while (const auto next = pcp_.admit(ctx.now)) pump_pcp(ctx, *next);
}

/// The next ones are sent when all that happens now has happened: many may be forgotten at once.
void gateway::next_turn_in_pcp(context& ctx) {
  if (pcp_.any_waiting() && pcp_.has_room()) ctx.timers.set(key(timer::pcp_turn), ctx.now);
}

void gateway::pump_check(context& ctx) {
  if (!may_send_in_pcp()) {
    ctx.timers.cancel(key(timer::check_try));
    if (pcp_.check_open()) servers_.open(ctx, local_);
    return;
  }
  auto todo = pcp_.check_due(ctx.now, ctx.random);
  if (!todo.send.empty()) send_in_pcp(ctx, std::move(todo.send));
  if (todo.silent) events_.emplace_back(gateway_event::checked{.answered = false});
  if (const auto next = pcp_.check_next_due()) {
    ctx.timers.set(key(timer::check_try), *next);
  } else {
    ctx.timers.cancel(key(timer::check_try));
  }
}

void gateway::pump_nat_pmp(context& ctx) {
  auto next = nat_pmp_.next_due();
  while (next && *next <= ctx.now) {
    const bool was_asked = nat_pmp_.tries(mapping_id::none) > 0;
    auto todo = nat_pmp_.due(ctx.now, ctx.random);
    if (!todo.send.empty()) send(ctx, std::move(todo.send));
    if (!was_asked && nat_pmp_.tries(mapping_id::none) > 0) address_sent_at_ = ctx.now;
    if (todo.silent && todo.silent->is_address_question()) {
      events_.emplace_back(gateway_event::address_asked{.answered = false});
    } else if (todo.silent) {
      events_.emplace_back(
          gateway_event::map_answered{.mapping = todo.silent->mapping,
                                      .protocol = protocol::nat_pmp,
                                      .asked = todo.silent->why,
                                      .late = false,
                                      .outcome = {.what = map_outcome::kind::silent}});
    }
    next = nat_pmp_.next_due();
  }
  if (next) {
    ctx.timers.set(key(timer::nat_pmp_try), *next);
  } else {
    ctx.timers.cancel(key(timer::nat_pmp_try));
  }
}

void gateway::on_timer(context& ctx, const timer_key& due) {
  switch (due.name) {
    case timer::pcp_try:
      return pump_pcp(ctx, due.mapping);
    case timer::pcp_turn:
      return admit_pcp(ctx);
    case timer::nat_pmp_try:
      return pump_nat_pmp(ctx);
    case timer::check_try:
      return pump_check(ctx);
    case timer::hint:
      return follow_hints(ctx);
    case timer::address_retry:
      return ask_address(ctx);
    case timer::igd:
      return igd_->on_timer(ctx);
    default:
      return;
  }
}

// ---------------------------------------------------------------------------------------------
// Hearing

void gateway::on_opened(context& ctx, const channel_opened& what) {
  if (igd_ && igd_->owns(what.channel)) return igd_->on_opened(ctx, what);
  if (servers_.owns(what.channel)) return on_pcp_server_opened(ctx);
  if (what.channel != requests_ || ready_) return;
  ready_ = true;
  local_ = where_.is_upstream() ? where_.client : what.local.address;
  igd_.emplace(ctx, where_, place_for_search(), what.local.address, id_);
  events_.emplace_back(gateway_event::channel_ready{});
  if (!listens_) return;
  announcements_ = ctx.new_channel();
  ctx.outputs.emplace_back(open_channel{
      .channel = *announcements_,
      .what = multicast_channel{.group = {local_.is_v4() ? all_hosts : all_nodes, pcp_client_port},
                                .local = local_,
                                .interface_index = where_.interface_index},
  });
}

void gateway::on_failed(context& ctx, const channel_failed& what) {
  if (igd_ && igd_->owns(what.channel)) return igd_->on_failed(ctx, what);
  if (servers_.owns(what.channel)) return on_pcp_server_failed(ctx, what.error);
  if (what.channel == announcements_) {
    // Others may hold the port and not share it: the recheck does without announcements.
    ctx.log.log(log_level::info, "announcements on port ", pcp_client_port, " cannot be heard");
    if (what.error == channel_error::cannot_open) announcements_.reset();
    return;
  }
  never_opened_ = what.error == channel_error::cannot_open;
  events_.emplace_back(gateway_event::channel_broken{what.error});
  if (what.error != channel_error::refused) return;
  end_questions();
  pump_check(ctx);
  pump_nat_pmp(ctx);
}

/// Nobody listens there: questions of our own end; requests of mappings are the engine's.
void gateway::end_questions() {
  if (pcp_.check_open() && !servers_.any()) {
    pcp_.stop_check();
    events_.emplace_back(gateway_event::checked{.answered = false});
  }
  if (nat_pmp_.forget(mapping_id::none)) {
    events_.emplace_back(gateway_event::address_asked{.answered = false});
  }
}

bool gateway::on_response(context& ctx, const http_response& what) {
  return igd_ && igd_->on_response(ctx, what);
}

bool gateway::on_failed(context& ctx, const http_failed& what) {
  return igd_ && igd_->on_failed(ctx, what);
}

void gateway::on_datagram(context& ctx, const datagram_received& what) {
  if (igd_ && igd_->owns(what.channel)) {
    igd_->on_datagram(ctx, what);
    return take_hint_of_device(ctx);
  }
  ++ctx.counters.datagrams_received;
  if (!is_expected(what)) {
    ++ctx.counters.datagrams_stranger;
    ctx.log.log(log_level::debug, "a datagram of ", what.from, " is not the router's");
    return;
  }
  if (what.channel == announcements_) return on_announcement(ctx, what);
  if (servers_.owns(what.channel)) return on_pcp_server_datagram(ctx, what);
  switch (classify_response(what.bytes)) {
    case response_kind::malformed:
    case response_kind::not_a_response:
      ++ctx.counters.datagrams_malformed;
      return;
    case response_kind::pcp:
      return servers_.any() ? on_pcp_of_router(ctx, what.bytes) : on_pcp(ctx, what.bytes);
    case response_kind::natpmp:
      return on_natpmp(ctx, what.bytes);
    case response_kind::pcp_other_version:
    case response_kind::natpmp_refuses_pcp:
      return on_pcp_refused_by_version(ctx, what.bytes);
  }
}

// A restart ends both epochs; seen in one protocol, it must not be seen again in the other.

void gateway::heard_in_pcp(context& ctx, std::uint32_t epoch) {
  last_answer_ = ctx.now;
  if (servers_.any()) servers_.answered();
  if (pcp_.observe_epoch(epoch, ctx.now) != epoch_verdict::restarted) return;
  if (!servers_.any()) nat_pmp_.forget_epoch();
  on_restarted(ctx, {.elsewhere = !servers_.any()});
}

void gateway::heard_in_nat_pmp(context& ctx, std::uint32_t epoch) {
  last_answer_ = ctx.now;
  if (nat_pmp_.observe_epoch(epoch, ctx.now) != epoch_verdict::restarted) return;
  if (!servers_.any()) pcp_.forget_epoch();
  on_restarted(ctx, {.in_pcp = !servers_.any()});
}

void gateway::on_restarted(context& ctx, gateway_event::restarted what) {
  ++ctx.counters.reboots_seen;
  const endpoint who = what.elsewhere ? server() : server(protocol::pcp);
  ctx.log.log(log_level::info, "router ", who.address, " has restarted");
  if (what.elsewhere) told_address_.reset();
  if (what.in_pcp) lacks_port_sets_ = false;
  events_.emplace_back(what);
}

void gateway::learn(availability& which, availability what) {
  if (std::exchange(which, what) != what) events_.emplace_back(gateway_event::learnt{});
}

/// A server that answers NAT-PMP in version 2 speaks PCP and no NAT-PMP. The opcode is the
/// one that was asked; that, and the length of the request, is all that a clipped answer has to
/// match.
bool gateway::on_answer_of_a_pcp_server(context& ctx, std::span<const std::byte> bytes) {
  const auto opcode = std::to_integer<std::uint8_t>(bytes[1]) & 0x7fU;
  const auto refused = nat_pmp_.take_in_flight(static_cast<natpmp_opcode>(opcode), ctx.now);
  if (!refused) return false;
  last_answer_ = ctx.now;
  learn(nat_pmp_availability_, availability::absent);
  if (!servers_.any()) learn(pcp_availability_, availability::present);
  if (refused->is_address_question()) {
    events_.emplace_back(gateway_event::address_asked{.answered = false});
  } else {
    events_.emplace_back(gateway_event::map_answered{
        .mapping = refused->mapping,
        .protocol = protocol::nat_pmp,
        .asked = refused->why,
        .late = false,
        .outcome = {.what = map_outcome::kind::refused, .reason = errc::version_refused}});
  }
  pump_nat_pmp(ctx);
  return true;
}

void gateway::on_pcp(context& ctx, std::span<const std::byte> bytes) {
  const auto response = decode_pcp_response(bytes);
  const bool is_clipped = !response && bytes.size() == nat_pmp_.in_flight_bytes();
  if (!response || response->result == pcp_result::unsupp_version) {
    if ((is_clipped || response) && on_answer_of_a_pcp_server(ctx, bytes)) return;
    ++(response ? ctx.counters.datagrams_unmatched : ctx.counters.datagrams_malformed);
    return;
  }
  if (response->opcode == pcp_opcode::announce && pcp_.check_open()) {
    pcp_.stop_check();
    pump_check(ctx);
    heard_in_pcp(ctx, response->epoch);
    learn(pcp_availability_, availability::present);
    events_.emplace_back(gateway_event::checked{.answered = true});
    return;
  }
  const auto answer = pcp_.match(*response);
  if (!answer) {
    ++ctx.counters.datagrams_unmatched;
    return;
  }
  heard_in_pcp(ctx, response->epoch);
  learn(pcp_availability_, availability::present);
  events_.emplace_back(gateway_event::map_answered{.mapping = answer->mapping,
                                                   .protocol = protocol::pcp,
                                                   .asked = answer->asked,
                                                   .late = answer->late,
                                                   .outcome = outcome_of(*answer)});
  pump_pcp(ctx, answer->mapping);
  next_turn_in_pcp(ctx);
}

/// "Unsupported version" answers whatever PCP request is open; a server that has
/// answered PCP before is believed more than a datagram without a nonce. Many requests have many
/// refusals, so where PCP was asked it is never taken for an answer to NAT-PMP.
void gateway::on_pcp_refused_by_version(context& ctx, std::span<const std::byte> bytes) {
  if (pcp_.any_open() && pcp_availability_ == availability::unknown) {
    last_answer_ = ctx.now;
    if (pcp_.check_open()) {
      pcp_.stop_check();
      pump_check(ctx);
      events_.emplace_back(gateway_event::checked{.answered = true});
    }
    learn(pcp_availability_, availability::absent);
    return;
  }
  if (!allowed_.pcp && classify_response(bytes) == response_kind::natpmp_refuses_pcp) {
    return on_natpmp(ctx, bytes);
  }
  ++ctx.counters.datagrams_unmatched;
}

void gateway::on_natpmp(context& ctx, std::span<const std::byte> bytes) {
  const auto response = decode_natpmp_response(bytes);
  if (!response) {
    ++ctx.counters.datagrams_malformed;
    return;
  }
  const auto answer = nat_pmp_.match(*response, ctx.now);
  if (!answer) {
    ++ctx.counters.datagrams_unmatched;
    return;
  }
  heard_in_nat_pmp(ctx, response->epoch);
  const bool speaks_it = response->result != natpmp_result::unsupported_version;
  if (answer->asked.is_address_question()) {
    note_round_trip(ctx);
    if (speaks_it) on_address_answer(ctx, *response);
    events_.emplace_back(gateway_event::address_asked{.answered = speaks_it});
  } else {
    events_.emplace_back(gateway_event::map_answered{.mapping = answer->asked.mapping,
                                                     .protocol = protocol::nat_pmp,
                                                     .asked = answer->asked.why,
                                                     .late = false,
                                                     .outcome = outcome_of(*response)});
  }
  learn(nat_pmp_availability_, speaks_it ? availability::present : availability::absent);
  pump_nat_pmp(ctx);
}

/// Of a question that was repeated it counts from the first time, so it is never too short.
void gateway::note_round_trip(context& ctx) {
  if (!address_sent_at_) return;
  const auto took = ctx.now - *std::exchange(address_sent_at_, std::nullopt);
  round_trip_ = std::min(round_trip_.value_or(took), took);
}

void gateway::on_address_answer(context& ctx, const natpmp_response& response) {
  const bool says_none =
      response.result == natpmp_result::network_failure || response.external_address;
  told_address_ = says_none ? std::optional{ip_address::any_v4()} : std::nullopt;
  if (response.external_address && is_plausible(*response.external_address)) {
    told_address_ = response.external_address;
    address_pause_ = std::chrono::seconds{1};
    ctx.timers.cancel(key(timer::address_retry));
    return;
  }
  // The router has no address (yet): ask again with back-off.
  ctx.timers.set(key(timer::address_retry), ctx.now + address_pause_);
  address_pause_ =
      std::min(address_pause_ * 2,
               std::chrono::duration_cast<std::chrono::seconds>(ctx.opts.recheck_period));
  address_pause_ = std::max(address_pause_, std::chrono::seconds{1});
}

/// A restarted router, or a changed external address. Anybody on the link can forge it, so it is a
/// hint: it leads to a question, and only the answer changes anything.
void gateway::on_announcement(context& ctx, const datagram_received& what) {
  const auto is_announcement = [&] {
    switch (classify_response(what.bytes)) {
      case response_kind::pcp: {
        const auto response = decode_pcp_response(what.bytes);
        return response && response->opcode == pcp_opcode::announce &&
               response->result == pcp_result::success;
      }
      case response_kind::natpmp: {
        const auto response = decode_natpmp_response(what.bytes);
        return response && response->opcode == natpmp_opcode::address &&
               response->result == natpmp_result::success;
      }
      default:
        return false;
    }
  };
  if (!is_announcement()) {
    ++ctx.counters.datagrams_malformed;
    return;
  }
  ctx.log.log(log_level::debug, "router ", what.from.address, " announces itself");
  is_server_hinted_ = true;
  on_hint(ctx);
}

void gateway::on_event(context& ctx, const event_received& what) {
  igd_->on_event(ctx, what);
  take_hint_of_device(ctx);
}

void gateway::take_hint_of_device(context& ctx) {
  const auto hint = igd_->take_hint();
  if (!hint) return;
  device_hint_ = igd_hint{hint->entries || (device_hint_ && device_hint_->entries)};
  on_hint(ctx);
}

void gateway::on_hint(context& ctx) {
  ++ctx.counters.announcements;
  if (!last_check_ || ctx.now - *last_check_ >= check_gap) return follow_hints(ctx);
  ctx.timers.set(key(timer::hint), *last_check_ + check_gap);
}

/// One check for all of them, whatever they came by.
void gateway::follow_hints(context& ctx) {
  const auto of_device = std::exchange(device_hint_, std::nullopt);
  if (std::exchange(is_server_hinted_, false)) check(ctx);
  if (!of_device) return;
  last_check_ = ctx.now;
  igd_->check(ctx);
  events_.emplace_back(gateway_event::igd_hinted{of_device->entries});
}

}  // namespace damson::core
