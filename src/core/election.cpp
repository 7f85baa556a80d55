#include "core/election.hpp"

#include <algorithm>
#include <array>

namespace damson::core {
namespace {

/// How much a reason tells: the one that says most decides.
int weight(errc reason) noexcept {
  switch (reason) {
    case errc::not_tried:
    case errc::protocol_excluded:
      return 0;
    case errc::not_supported:
    case errc::version_refused:
      return 1;
    case errc::no_answer:
      return 2;
    case errc::port_closed:
      return 3;
    default:
      return 4;
  }
}

std::optional<std::chrono::seconds> asked_pause(const failure& why) noexcept {
  std::optional<std::chrono::seconds> shortest;
  for (const auto& each : why.protocols) {
    if (each.retry_after && (!shortest || *each.retry_after < *shortest)) {
      shortest = each.retry_after;
    }
  }
  return shortest;
}

}  // namespace

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

move next_move(const mapping& what, availability pcp, availability nat_pmp) noexcept {
  const protocol_filter filter = what.request.protocols;
  const bool pcp_allowed = allows(filter, protocol::pcp);
  const bool pcp_out = !pcp_allowed || what.pcp.failed;
  const bool nat_pmp_allowed =
      allows(filter, protocol::nat_pmp) && (pcp != availability::present || !pcp_allowed);
  const bool nat_pmp_out = !nat_pmp_allowed || what.nat_pmp.failed;

  if (what.nat_pmp.under_way) return move::wait;
  if (!nat_pmp_out && nat_pmp == availability::present && (pcp_out || what.head_start_over)) {
    return move::ask_nat_pmp;
  }
  return pcp_out && nat_pmp_out ? move::give_up : move::wait;
}

bool needs_address_question(const mapping& what, const gateway& router) noexcept {
  const protocol_filter filter = what.request.protocols;
  if (!allows(filter, protocol::nat_pmp) || router.nat_pmp() == availability::absent) return false;
  if (allows(filter, protocol::pcp) && router.pcp() == availability::present) return false;
  return router.nat_pmp() == availability::unknown || !router.external_address();
}

failure explain(const mapping& what, const endpoint& server) {
  failure account;
  const auto add = [&](protocol which, const asked& how) {
    if (!allows(what.request.protocols, which)) return;
    if (how.failed) {
      account.protocols.push_back(*how.failed);
      return;
    }
    account.protocols.push_back({.protocol = which,
                                 .reason = how.under_way ? errc::no_answer : errc::not_tried,
                                 .result_code = std::nullopt,
                                 .server = server,
                                 .retry_after = std::nullopt});
  };
  add(protocol::pcp, what.pcp);
  add(protocol::nat_pmp, what.nat_pmp);
  // This version does not speak UPnP.
  add(protocol::upnp, {.under_way = false,
                       .failed = protocol_failure{.protocol = protocol::upnp,
                                                  .reason = errc::not_supported,
                                                  .result_code = std::nullopt,
                                                  .server = {},
                                                  .retry_after = std::nullopt}});

  const auto decides = std::ranges::max_element(
      account.protocols, {}, [](const protocol_failure& each) { return weight(each.reason); });
  account.reason = decides->reason;
  return account;
}

bool was_refused(const failure& why) noexcept { return asked_pause(why).has_value(); }

std::chrono::nanoseconds retry_pause(const failure& why, unsigned failures,
                                     std::chrono::nanoseconds recheck_period,
                                     random_source& random) noexcept {
  using std::chrono::nanoseconds;
  constexpr std::chrono::seconds first{5};
  constexpr std::chrono::hours longest{24};
  const auto factor = std::int64_t{1} << (std::clamp(failures, 1U, 16U) - 1);
  const auto asked_for = asked_pause(why);
  if (!asked_for) {
    const nanoseconds pause = std::min<nanoseconds>(first * factor, recheck_period);
    return pause - random.uniform_duration({}, pause / 8);
  }
  if (*asked_for > recheck_period) {
    const nanoseconds pause = std::min<nanoseconds>(*asked_for * factor, longest);
    return pause + random.uniform_duration({}, pause / 8);
  }
  const nanoseconds pause = std::min<nanoseconds>(*asked_for * factor, recheck_period);
  return std::min<nanoseconds>(pause + random.uniform_duration({}, pause / 8), recheck_period);
}

}  // namespace damson::core
