#include "core/election.hpp"

#include <algorithm>
#include <array>

namespace damson::core {
namespace {

using std::chrono::nanoseconds;

/// 1, 2, 4, … for the first, second, third failure in a row.
std::int64_t doubled(unsigned in_a_row) noexcept {
  return std::int64_t{1} << (std::clamp(in_a_row, 1U, 16U) - 1);
}

/// How much a reason tells: the one that says most decides.
int weight(const protocol_failure& why) noexcept {
  switch (why.reason) {
    case errc::not_tried:
    case errc::protocol_excluded:
      return 0;
    case errc::version_refused:
      return 1;
    case errc::not_supported:
      // With a number it is the router's refusal of what was asked, else there is no such service.
      return why.result_code ? 4 : 1;
    case errc::no_answer:
      return 2;
    case errc::port_closed:
      return 3;
    default:
      return 4;
  }
}

/// Whether the protocol has words for what is wanted.
bool can_carry(protocol which, const map_request& wanted) noexcept {
  switch (which) {
    case protocol::pcp:
      return true;
    case protocol::nat_pmp:
      return wanted.families != ip_families::v6 && wanted.third_party.is_unspecified() &&
             !is_flow(wanted);
    case protocol::upnp:  // who opens a pinhole opens it for itself
      return (wanted.families != ip_families::v6 || wanted.third_party.is_unspecified()) &&
             !is_flow(wanted);
    case protocol::direct:
      return wanted.third_party.is_unspecified();
  }
  return false;
}

/// Nobody asked for a pause, because nobody said anything.
bool is_silence(errc reason) noexcept {
  return reason == errc::no_answer || reason == errc::port_closed || reason == errc::network_down;
}

/// PCP has one number for a full table and for a router without a public address. Another
/// port was tried before it counts, so what the router says elsewhere decides which of them it is.
bool is_ambiguous(const protocol_failure& why) noexcept {
  return why.protocol == protocol::pcp && why.reason == errc::no_resources;
}

}  // namespace

std::chrono::nanoseconds head_start(const std::optional<nanoseconds>& round_trip) {
  constexpr std::chrono::milliseconds shortest{10};
  if (!round_trip) return longest_head_start;
  return std::clamp<nanoseconds>(4 * *round_trip, shortest, longest_head_start);
}

bool allows(protocol_filter filter, protocol which) noexcept {
  switch (filter) {
    case protocol_filter::any:
      return true;
    case protocol_filter::pcp:
      return which == protocol::pcp || which == protocol::nat_pmp;
    case protocol_filter::upnp:
      return which == protocol::upnp;
    case protocol_filter::pcp_only:
      return which == protocol::pcp;
    case protocol_filter::nat_pmp_only:
      return which == protocol::nat_pmp;
  }
  return false;
}

bool allows(const map_request& wanted, protocol which) noexcept {
  return can_carry(which, wanted) && allows(wanted.protocols, which);
}

bool allows_any(const map_request& wanted) noexcept {
  return allows(wanted, protocol::pcp) || allows(wanted, protocol::nat_pmp) ||
         allows(wanted, protocol::upnp);
}

std::optional<protocol_filter> narrowed(protocol_filter a, protocol_filter b) noexcept {
  if (a == b || b == protocol_filter::any) return a;
  if (a == protocol_filter::any) return b;
  const auto is_one = [](protocol_filter which) {
    return which == protocol_filter::pcp_only || which == protocol_filter::nat_pmp_only;
  };
  if (a == protocol_filter::pcp && is_one(b)) return b;
  if (b == protocol_filter::pcp && is_one(a)) return a;
  return std::nullopt;
}

move next_move(const mapping& what, const availabilities& known) noexcept {
  const map_request& wanted = what.request;
  const bool pcp_allowed = allows(wanted, protocol::pcp);
  const bool pcp_out = !pcp_allowed || what.pcp.failed;
  const bool nat_pmp_allowed =
      allows(wanted, protocol::nat_pmp) && (known.pcp != availability::present || !pcp_allowed);
  const bool nat_pmp_out = !nat_pmp_allowed || what.nat_pmp.failed;
  const bool upnp_out = !allows(wanted, protocol::upnp) || what.upnp.failed;

  if (what.nat_pmp.under_way || what.upnp.under_way) return move::wait;
  const bool after_pcp = pcp_out || what.head_start_over;
  if (!nat_pmp_out && known.nat_pmp == availability::present && after_pcp) {
    return move::ask_nat_pmp;
  }
  const bool after_nat_pmp = nat_pmp_out || what.head_start_over;
  if (!upnp_out && known.upnp == availability::present && after_pcp && after_nat_pmp) {
    return move::ask_upnp;
  }
  return pcp_out && nat_pmp_out && upnp_out ? move::give_up : move::wait;
}

std::vector<protocol_report> account_of(const mapping& what, const gateway& router) {
  std::vector<protocol_report> account;
  const auto add = [&](protocol which, const asked& how) {
    if (!allows(what.request, which)) return;
    protocol_report line{.protocol = which,
                         .standing = protocol_standing::not_asked,
                         .server = how.begun ? router.server(which) : endpoint{},
                         .why = std::nullopt,
                         .answered_after = std::nullopt};
    if (how.answered_at) line.answered_after = *how.answered_at - what.attempt_began;
    if (what.info.protocol == which) {
      line.standing = protocol_standing::taken;
    } else if (how.failed && how.failed->reason != errc::not_tried) {
      line.standing = protocol_standing::failed;
      line.why = how.failed;
    } else if (how.begun) {
      line.standing = how.answered_at ? protocol_standing::answered : protocol_standing::asked;
    }
    account.push_back(std::move(line));
  };
  add(protocol::pcp, what.pcp);
  add(protocol::nat_pmp, what.nat_pmp);
  add(protocol::upnp, what.upnp);
  return account;
}

bool needs_address_question(const mapping& what, const gateway& router) noexcept {
  const map_request& wanted = what.request;
  if (!allows(wanted, protocol::nat_pmp) || router.nat_pmp() == availability::absent) return false;
  if (allows(wanted, protocol::pcp) && router.pcp_of_router() == availability::present) {
    return false;
  }
  return router.nat_pmp() == availability::unknown || !router.external_address();
}

bool is_refused_ambiguously(const mapping& what) noexcept {
  return what.pcp.failed && is_ambiguous(*what.pcp.failed);
}

failure explain(const mapping& what, const endpoint& server,
                const std::optional<ip_address>& outside) {
  failure account;
  account.external = outside.value_or(ip_address::any_v4());
  const auto add = [&](protocol which, const asked& how) {
    if (!allows(what.request, which)) return;
    if (how.failed) {
      account.protocols.push_back(*how.failed);
      return;
    }
    // A question that nobody answered; the one for the address is of no interest any more where PCP
    // is spoken.
    const bool speaks_pcp = what.pcp.failed ? what.pcp.failed->result_code.has_value()
                                            : what.pcp.answered_at.has_value();
    const bool is_idle = which == protocol::nat_pmp && speaks_pcp;
    const bool waits = how.under_way || (how.begun && !how.answered_at && !is_idle);
    account.protocols.push_back({.protocol = which,
                                 .reason = waits ? errc::no_answer : errc::not_tried,
                                 .result_code = std::nullopt,
                                 .server = which == protocol::upnp ? endpoint{} : server,
                                 .retry_after = std::nullopt});
  };
  add(protocol::pcp, what.pcp);
  add(protocol::nat_pmp, what.nat_pmp);
  add(protocol::upnp, what.upnp);

  const bool has_no_address =
      (outside && outside->is_unspecified()) ||
      std::ranges::count(account.protocols, errc::network_failure, &protocol_failure::reason) > 0;
  for (protocol_failure& each : account.protocols) {
    if (has_no_address && is_ambiguous(each)) each.reason = errc::network_failure;
  }

  const auto decides = std::ranges::max_element(
      account.protocols, {}, [](const protocol_failure& each) { return weight(each); });
  account.reason = decides->reason;
  return account;
}

bool was_all_silence(const failure& why) noexcept {
  return std::ranges::all_of(why.protocols, [](const protocol_failure& each) {
    return is_silence(each.reason) || each.reason == errc::not_tried;
  });
}

bool was_silent(const failure& why) noexcept {
  return std::ranges::any_of(why.protocols,
                             [](const protocol_failure& each) { return is_silence(each.reason); });
}

nanoseconds silence_pause(unsigned in_a_row, nanoseconds recheck_period,
                          random_source& random) noexcept {
  constexpr std::chrono::seconds first{5};
  const nanoseconds pause = std::min<nanoseconds>(first * doubled(in_a_row), recheck_period);
  return pause - random.uniform_duration({}, pause / 8);
}

nanoseconds refusal_pause(std::chrono::seconds asked_for, unsigned in_a_row,
                          nanoseconds recheck_period, random_source& random) noexcept {
  if (asked_for > recheck_period) {
    return asked_for + random.uniform_duration({}, nanoseconds{asked_for} / 8);
  }
  const nanoseconds pause = std::min<nanoseconds>(asked_for * doubled(in_a_row), recheck_period);
  return std::min<nanoseconds>(pause + random.uniform_duration({}, pause / 8), recheck_period);
}

}  // namespace damson::core
