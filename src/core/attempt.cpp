/// Asking for a mapping: PCP first, NAT-PMP when PCP is out, then UPnP, until one grants or all
/// have failed.

#include <algorithm>
#include <utility>

#include "core/keeper.hpp"
#include "proto/igd_mapping.hpp"

namespace damson::core {
namespace {

/// Everything can wait for so long for its turn in NAT-PMP, where one request goes at a time and a
/// silent router takes seconds for each; only deletes cannot. So a lease is extended so much before
/// it ends, but after the others if that was tried and not answered.
constexpr std::chrono::minutes longest_turn{1};

time_point needed_by(const mapping& what, map_purpose why, time_point now) {
  switch (why) {
    case map_purpose::remove:
      return now - longest_turn;
    case map_purpose::renew:
      if (!what.lease) break;
      return what.lease->lease_end() - (what.was_unheard ? longest_turn / 2 : longest_turn);
    case map_purpose::create:
      break;
  }
  return now + longest_turn;
}

/// Refusals that may be about the wanted external port rather than about us.
bool may_be_the_port(errc reason) noexcept {
  return reason == errc::no_resources || reason == errc::external_not_available;
}

errc reason_of_silence(const mapping& what, const map_outcome& outcome) noexcept {
  if (outcome.reason != errc{}) return outcome.reason;
  return what.nonsense ? errc::unusable_answer : errc::no_answer;
}

ip_address internal_address(const map_request& wanted, const gateway& router) {
  return wanted.third_party.is_unspecified() ? router.local() : wanted.third_party;
}

/// Naming oneself is an error.
std::optional<ip_address> third_party(const map_request& wanted, const gateway& router) {
  const ip_address internal = internal_address(wanted, router);
  return internal == router.local() ? std::nullopt : std::optional{internal};
}

/// A server that does not take THIRD_PARTY forbids to map for another host.
errc reason_of(const map_request& wanted, protocol which, const map_outcome& outcome) {
  const bool is_forbidden =
      which == protocol::pcp && !wanted.third_party.is_unspecified() &&
      outcome.result_code == static_cast<std::uint32_t>(pcp_result::unsupp_option);
  return is_forbidden ? errc::not_authorized : outcome.reason;
}

/// Can be done without: another port is noticed here, and the filter is a wish.
bool has_options(const map_request& wanted) noexcept {
  return wanted.prefer_failure || !wanted.peers.empty();
}

bool is_about_options(protocol which, const map_outcome& outcome) noexcept {
  return which == protocol::pcp && outcome.result_code &&
         is_about_options(static_cast<pcp_result>(*outcome.result_code));
}

/// A router that lost its epoch may still have the mapping, and for PCP it is somebody else's then
/// as long as its lease lasts, its own protocol is asked first.
bool belongs_to(const mapping& what, protocol which, time_point now) {
  const bool lasts = what.info.permanent || (what.lease && now < what.lease->lease_end());
  return what.told_lost && what.info.protocol == which && lasts && !what.last_failure;
}

/// As far as a UPnP device said last time.
bool lacked_an_uplink(const mapping& what) {
  return what.last_failure &&
         std::ranges::any_of(what.last_failure->protocols, [](const protocol_failure& each) {
           return each.protocol == protocol::upnp && each.reason == errc::network_failure;
         });
}

endpoint suggestion(const mapping& what) {
  const map_request& wanted = what.request;
  if (what.any_port) return {};
  // A flow has its port, and a server refuses another one (RFC 6887 section 12.3).
  if (is_flow(wanted) && what.info.external.port == 0) {
    return {wanted.external_address, wanted.external_port};
  }
  // What was granted is no condition: the address may be another one by now.
  if (wanted.prefer_failure) return {wanted.external_address, wanted.external_port};
  if (what.info.external.port != 0) return what.info.external;
  return {wanted.external_address,
          wanted.external_port != 0 ? wanted.external_port : wanted.internal_port};
}

}  // namespace

/// Begins an attempt as soon as the network is known.
void keeper::want(context& ctx, mapping& what) {
  cancel_attempt_timers(ctx, what.id);
  table_.move_to(what, phase::waiting);
  if (seen_.is_fresh(ctx)) {
    begin(ctx, what);
  } else {
    seen_.look(ctx);
  }
  want_members(ctx, what);
}

void keeper::begin_waiting(context& ctx) {
  for_each([](const mapping& each) { return each.phase == phase::waiting; },
           [&](mapping& each) { begin(ctx, each); });
}

void keeper::begin(context& ctx, mapping& what) {
  // One mapping for a port at a time: this one waits until the one before is gone.
  if (const mapping* other = table_.find_other(what);
      other != nullptr && other->phase == phase::releasing) {
    return;
  }

  what.info.interface_name = uplink_ ? uplink_->name() : interface_name{};
  if (uplink_ && uplink_->is_direct() && allows(what.request, protocol::direct)) {
    if (will_do(what.request, {uplink_->local, what.request.internal_port})) {
      return hold_direct(ctx, what);
    }
    what.pcp = what.nat_pmp = what.upnp = {};
    return attempt_failed(ctx, what, {errc::external_not_available, {}});
  }
  if (!uplink_ || !uplink_->gateway) {
    what.pcp = what.nat_pmp = what.upnp = {};
    return attempt_failed(ctx, what, {errc::no_gateway, {}});
  }
  if (!gateway_) open_gateway(ctx);
  if (gateway_->is_ready() && !is_left_to_a_set(ctx, what)) begin_on_gateway(ctx, what);
}

void keeper::begin_on_gateway(context& ctx, mapping& what) {
  // After silence it may be another device by now, unless it serves other mappings.
  const bool alone = table_.count(phase::mapped) == 0 && table_.count(phase::asking) == 0 &&
                     table_.count(phase::releasing) == 0;
  const bool was_silent = what.last_failure && was_all_silence(*what.last_failure);
  if ((was_silent || what.told_lost) && alone) gateway_->forget_what_it_speaks();
  // A UPnP device that is gone is noticed at the next action; of one with two connections
  // the dead one may have been taken, because the other did not answer then.
  if (may_be_deceived(what)) {
    gateway_->igd().search_past_device(ctx);
  } else if ((was_silent || lacked_an_uplink(what)) && alone) {
    gateway_->igd().forget_device(ctx);
  }

  const map_request& wanted = what.request;
  table_.move_to(what, phase::asking);
  what.attempt_began = ctx.now;
  what.pcp_open_before = what.pcp_open;
  what.nat_pmp_open_before = what.nat_pmp_open;
  what.pcp = what.nat_pmp = what.upnp = {};
  what.head_start_over = what.any_port = what.address_missing = what.nonsense = false;
  what.giving_back.reset();
  what.pcp_options_refused = false;
  what.info.internal.address = internal_address(wanted, *gateway_);
  gateway_->allow(
      {.pcp = allows(wanted, protocol::pcp), .nat_pmp = allows(wanted, protocol::nat_pmp)});

  ctx.timers.set({timer::attempt_end, what.id}, ctx.now + ctx.opts.discovery_timeout);
  // What PCP made is PCP's to make again: the others come in only when PCP has failed.
  if (!belongs_to(what, protocol::pcp, ctx.now)) {
    ctx.timers.set({timer::head_start, what.id}, ctx.now + head_start(gateway_->round_trip()));
  }
  if (allows(wanted, protocol::pcp)) begin_in_pcp(ctx, what);
  if (allows(wanted, protocol::nat_pmp)) begin_in_nat_pmp(ctx, what);
  if (allows(wanted, protocol::upnp)) begin_in_upnp(ctx, what);
  note_answers(ctx, what);
  reconsider(ctx, what);
}

/// A second choice that refused it and holds nothing: a device that only poses as the router
/// . Or the router's dead connection, which shows what the live one holds.
bool keeper::may_be_deceived(const mapping& what) {
  const bool was_refused = std::ranges::any_of(
      what.refusals, [](const auto& each) { return each.why.protocol == protocol::upnp; });
  if (!was_refused || !gateway_->igd().has_second_choice()) return false;
  if (gateway_->igd().is_dead_connection()) return true;
  return std::ranges::none_of(
      table_.ids(), [&](mapping_id id) { return table_.find(id)->is_held_by(protocol::upnp); });
}

/// A refusal stands for as long as the router wanted; the other protocols need not wait for that.
bool keeper::is_refused_still(context& ctx, mapping& what, protocol which) {
  for (const auto& each : what.refusals) {
    if (each.why.protocol != which || each.until <= ctx.now) continue;
    what.attempt(which).failed = each.why;
    what.attempt(which).failed->retry_after =
        std::chrono::ceil<std::chrono::seconds>(each.until - ctx.now);
    return true;
  }
  return false;
}

void keeper::begin_in_pcp(context& ctx, mapping& what) {
  if (is_refused_still(ctx, what, protocol::pcp)) return;
  const bool is_of_another =
      belongs_to(what, protocol::nat_pmp, ctx.now) || belongs_to(what, protocol::upnp, ctx.now);
  if (gateway_->pcp() == availability::absent) {
    set_failed(ctx, what, protocol::pcp, errc::version_refused);
  } else if (is_of_another && gateway_->pcp() != availability::present) {
    set_failed(ctx, what, protocol::pcp, errc::not_tried);
  } else {
    ask_pcp(ctx, what, map_purpose::create);
  }
}

void keeper::begin_in_nat_pmp(context& ctx, mapping& what) {
  if (is_refused_still(ctx, what, protocol::nat_pmp)) return;
  if (gateway_->nat_pmp() == availability::absent) {
    set_failed(ctx, what, protocol::nat_pmp, errc::version_refused);
  } else if (belongs_to(what, protocol::upnp, ctx.now) &&
             gateway_->nat_pmp() != availability::present) {
    set_failed(ctx, what, protocol::nat_pmp, errc::not_tried);
  } else if (needs_address_question(what, *gateway_)) {
    what.nat_pmp.begun = true;
    gateway_->ask_address(ctx);
  }
}

/// The router is known to be near. It never ends at once: an answer in PCP may have arrived
/// already, and be told next.
void keeper::shorten_head_start(context& ctx, mapping& what) {
  const auto ends = ctx.timers.at({timer::head_start, what.id});
  const time_point sooner = what.attempt_began + head_start(gateway_->round_trip());
  if (!ends || *ends <= sooner) return;
  ctx.timers.set({timer::head_start, what.id},
                 std::max(sooner, ctx.now + std::chrono::nanoseconds{1}));
}

void keeper::begin_in_upnp(context& ctx, mapping& what) {
  if (is_refused_still(ctx, what, protocol::upnp)) return;
  what.upnp.begun = true;
  // One round is enough where nobody answered before, and where the device did.
  gateway_->igd().find(ctx, what.silences > 0 || lacked_an_uplink(what));
}

void keeper::reconsider(context& ctx, mapping& what) {
  if (what.phase != phase::asking || what.address_missing || what.giving_back) return;
  switch (next_move(what, {gateway_->pcp_of_router(), gateway_->nat_pmp(), gateway_->upnp()})) {
    case move::wait:
      return;
    case move::ask_nat_pmp:
      return ask_nat_pmp(ctx, what, map_purpose::create);
    case move::ask_upnp:
      return ask_upnp(ctx, what, map_purpose::create);
    case move::give_up:
      if (is_refused_ambiguously(what) && gateway_->is_asking_address()) return;
      return attempt_failed(ctx, what, account(what));
  }
}

void keeper::ask(context& ctx, mapping& what, protocol which, map_purpose why) {
  switch (which) {
    case protocol::pcp:
      return ask_pcp(ctx, what, why);
    case protocol::nat_pmp:
      return ask_nat_pmp(ctx, what, why);
    case protocol::upnp:
      return ask_upnp(ctx, what, why);
    case protocol::direct:
      return;
  }
}

pcp_map_request keeper::pcp_request(const mapping& what, map_purpose why) const {
  const bool remove = why == map_purpose::remove;
  const bool has_options = !remove && !what.pcp_options_refused;
  return {.client = gateway_->local(),
          .lifetime = remove ? std::chrono::seconds{0} : what.request.lifetime,
          .nonce = what.nonce,
          .transport = what.request.transport,
          .internal_port = what.request.internal_port,
          .suggested_external = suggestion(what),
          .prefer_failure = has_options && what.request.prefer_failure && what.set_size == 1,
          .peers = has_options ? what.request.peers : peer_list{},
          .third_party = third_party(what.request, *gateway_),
          .port_count = what.set_size,
          .remote_peer =
              is_flow(what.request) ? std::optional{what.request.remote_peer} : std::nullopt};
}

void keeper::ask_pcp(context& ctx, mapping& what, map_purpose why) {
  ctx.log.log(log_level::debug, "pcp: ", to_string(why), ' ', what.request.transport, ' ',
              what.request.internal_port, " at ", gateway_->server(protocol::pcp).address);
  const bool remove = why == map_purpose::remove;
  if (!remove && (!what.pcp_open || what.pcp_options_refused)) {
    what.set_size = set_size_to_ask(what);
  }
  what.pcp.begun = what.pcp.under_way = true;
  what.pcp_open = true;
  gateway_->ask_pcp(ctx, what.id, why, pcp_request(what, why));
}

void keeper::ask_nat_pmp(context& ctx, mapping& what, map_purpose why) {
  ctx.log.log(log_level::debug, "nat-pmp: ", to_string(why), ' ', what.request.transport, ' ',
              what.request.internal_port, " at ", gateway_->server().address);
  what.nat_pmp.begun = what.nat_pmp.under_way = true;
  what.nat_pmp_open = true;
  const bool remove = why == map_purpose::remove;
  gateway_->ask_nat_pmp(ctx, what.id, why,
                        {.transport = what.request.transport,
                         .internal_port = what.request.internal_port,
                         .suggested_external_port = suggestion(what).port,
                         .lifetime = remove ? std::chrono::seconds{0} : what.request.lifetime},
                        needed_by(what, why, ctx.now));
  if (why == map_purpose::create && gateway_->last_answer() >= what.attempt_began) {
    gateway_->extend_nat_pmp(ctx, what.id, ctx.now + ctx.opts.mapping_timeout);
  }
}

void keeper::ask_upnp(context& ctx, mapping& what, map_purpose why) {
  ctx.log.log(log_level::debug, "upnp: ", to_string(why), ' ', what.request.transport, ' ',
              what.request.internal_port, " at ", gateway_->igd().server());
  if (why == map_purpose::remove) {
    return gateway_->igd().remove(ctx, what.id, {what.upnp_port, what.request.transport});
  }
  // What was perhaps made before is made sure of, instead of a second one.
  if (!what.upnp_open) what.upnp_port = 0;
  const std::uint16_t held = what.upnp_port;
  what.upnp.begun = what.upnp.under_way = true;
  what.upnp_open = true;
  what.upnp_wanted = held != 0 ? held : port_to_want(ctx, what);
  gateway_->igd().map(
      ctx, what.id, why,
      {.transport = what.request.transport,
       .internal = {internal_address(what.request, *gateway_), what.request.internal_port},
       .external_port = what.upnp_wanted,
       .lease = upnp_lease(what.request.lifetime, family_of(what.request)),
       .allow_permanent = what.request.allow_permanent,
       .exact_port = what.request.prefer_failure,
       .held_port = held,
       .held_lease = why == map_purpose::renew ? what.info.lifetime : std::chrono::seconds{0}});
}

/// Not one that another mapping of ours has or is after: to the router both are this host's, so
/// each would take it from the other. Where no other will do, the router is asked whose it is.
std::uint16_t keeper::port_to_want(context& ctx, const mapping& what) {
  const std::uint16_t suggested = suggestion(what).port;
  std::uint16_t wanted = suggested != 0 ? suggested : what.request.internal_port;
  if (what.request.prefer_failure) return wanted;
  const auto is_anothers = [&](std::uint16_t port) {
    bool found = false;
    for_each(
        [&](const mapping& each) {
          const bool is_other =
              each.id != what.id && each.request.transport == what.request.transport;
          const bool is_had = each.is_held() && each.info.external.port == port;
          return is_other &&
                 (is_had || (each.upnp_open &&
                             (each.upnp_port != 0 ? each.upnp_port : each.upnp_wanted) == port));
        },
        [&](const mapping&) { found = true; });
    return found;
  };
  for (int i = 0; i < 8 && is_anothers(wanted); ++i) {
    wanted = random_external_port(ctx.random);
  }
  return wanted;
}

void keeper::on_attempt_answer(context& ctx, mapping& what,
                               const gateway_event::map_answered& answer) {
  if (answer.asked == map_purpose::remove) return on_given_back(ctx, what, answer);
  if (answer.asked != map_purpose::create) return;
  switch (answer.outcome.what) {
    case map_outcome::kind::granted:
      return on_granted(ctx, what, answer.protocol, answer.outcome);
    case map_outcome::kind::refused:
      return on_attempt_refused(ctx, what, answer.protocol, answer.outcome);
    case map_outcome::kind::silent:
      if (answer.protocol == protocol::pcp && ask_next_pcp_server(ctx)) return;
      if (answer.protocol == protocol::upnp) {
        what.upnp_port = answer.outcome.external.port;
        what.upnp_open = what.upnp_port != 0;
      }
      // Those that still waited for their turn when the router was given up have made nothing.
      if (answer.protocol == protocol::pcp && gateway_->pcp_tries(what.id) == 0) {
        what.pcp_open = what.pcp_open_before;
      }
      set_failed(ctx, what, answer.protocol, reason_of_silence(what, answer.outcome));
      return reconsider(ctx, what);
    case map_outcome::kind::already_gone:
    case map_outcome::kind::deleted:
      // Of an earlier delete, so the request goes on; or of a server that grants 0 s.
      what.nonsense = true;
      return;
  }
}

void keeper::on_attempt_refused(context& ctx, mapping& what, protocol which,
                                const map_outcome& outcome) {
  if (what.set_size > 1 && is_about_options(which, outcome)) {
    gateway_->note_no_port_sets();
    what.set_size = 1;
    return ask_pcp(ctx, what, map_purpose::create);
  }
  if (has_options(what.request) && is_about_options(which, outcome) &&
      !std::exchange(what.pcp_options_refused, true)) {
    return ask_pcp(ctx, what, map_purpose::create);
  }
  // UPnP has tried other ports itself.
  const bool may_move = which != protocol::upnp && !what.request.prefer_failure;
  if (may_move && may_be_the_port(outcome.reason) && !what.any_port) {
    what.any_port = true;
    return ask(ctx, what, which, map_purpose::create);
  }
  what.open(which) = may_be_made_yet(ctx, what, which);
  set_failed(ctx, what, which, reason_of(what.request, which, outcome));
  auto& failed = what.attempt(which).failed;
  failed->result_code = outcome.result_code;
  failed->router_text = outcome.router_text;
  failed->retry_after = outcome.retry_after;
  reconsider(ctx, what);
}

/// Although it was refused: by another copy of the request, which finds room when it arrives; or by
/// an action of UPnP, and then it is being deleted.
bool keeper::may_be_made_yet(const context& ctx, const mapping& what, protocol which) const {
  if (which == protocol::pcp) return gateway_->may_be_overtaken_in_pcp(ctx, what.id);
  if (which == protocol::nat_pmp) return gateway_->may_be_overtaken_in_nat_pmp(ctx, what.request);
  return gateway_->igd().is_removing(what.id);
}

void keeper::set_failed(context& ctx, mapping& what, protocol which, errc reason) {
  asked& how = what.attempt(which);
  if (how.failed) return;
  how.under_way = false;
  if (!how.answered_at) how.answered_at = ctx.now;
  how.failed = protocol_failure{.protocol = which,
                                .reason = reason,
                                .result_code = std::nullopt,
                                .server = gateway_->server(which),
                                .retry_after = std::nullopt};
}

/// All have failed: after a pause it is tried again.
void keeper::attempt_failed(context& ctx, mapping& what, const failure& why) {
  what.last_failure = why;
  cancel_attempt_timers(ctx, what.id);
  table_.move_to(what, phase::pausing);
  if (gateway_) {
    gateway_->give_up_pcp(ctx, what.id);
    gateway_->forget_nat_pmp(ctx, what.id);
    if (gateway_->is_ready()) gateway_->igd().withdraw(ctx, what.id, 0);
  }
  ctx.timers.set({timer::retry, what.id}, retry_at(ctx, what, why));
  tell(what, event_kind::failed, {.why = why});
}

/// When a refusal ends, or when it is time to ask again who was silent.
time_point keeper::retry_at(context& ctx, mapping& what, const failure& why) {
  for (const protocol_failure& each : why.protocols) note_refusal(ctx, what, each);
  const bool silent = was_silent(why) || what.refusals.empty();
  what.silences = silent ? what.silences + 1 : 0;
  time_point at = time_point::max();
  if (silent) {
    at = ctx.now + silence_pause(what.silences, ctx.opts.recheck_period, ctx.random);
  }
  for (const auto& each : what.refusals) at = std::min(at, each.until);
  return at;
}

void keeper::note_refusal(context& ctx, mapping& what, const protocol_failure& why) {
  const auto before = std::ranges::find_if(
      what.refusals, [&](const auto& each) { return each.why.protocol == why.protocol; });
  if (!why.retry_after) {
    if (before != what.refusals.end()) what.refusals.erase(before);
    return;
  }
  const bool is_first = before == what.refusals.end();
  if (!is_first && before->until > ctx.now) return;  // it was not asked again
  auto& noted = is_first ? what.refusals.emplace_back() : *before;
  if (!is_first) ++noted.in_a_row;
  noted.why = why;
  noted.until = ctx.now + refusal_pause(*why.retry_after, noted.in_a_row, ctx.opts.recheck_period,
                                        ctx.random);
}

}  // namespace damson::core
