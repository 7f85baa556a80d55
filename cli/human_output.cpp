#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "advice.hpp"
#include "output.hpp"
#include "text.hpp"

namespace damson::cli {
namespace {

/// "tcp 192.168.1.20:8080", of a part "tcp 192.168.1.20:8080 by eth0".
std::string name(const mapping_info& info) {
  const bool is_part = info.part != 0;
  std::string out{to_string(info.transport)};
  if (!info.internal.address.is_unspecified()) {
    out += " " + to_string(info.internal);
  } else {
    out += " " + std::to_string(info.internal.port);
    if (is_part) out += info.internal.address.is_v4() ? " over IPv4" : " over IPv6";
  }
  if (is_part && !info.interface_name.empty()) {
    out += " by " + printable(info.interface_name.text());
  }
  return out;
}

std::string outside(const endpoint& external) {
  if (!external.address.is_unspecified()) {
    return to_string(external);
  }
  return "port " + std::to_string(external.port) + " of an address that the router did not tell";
}

std::string lease(const mapping_info& info) {
  if (info.protocol == protocol::direct) {
    return "no lease";
  }
  if (info.permanent) {
    return "permanent";
  }
  return "lease " + std::to_string(info.lifetime.count()) + " s";
}

/// "pcp", or of two routers "pcp at 192.168.1.1 (192.168.0.2:8080) and upnp at 192.168.0.1"
std::string way(const mapping_info& info) {
  if (info.hops.size() < 2) {
    return std::string{to_string(info.protocol)};
  }
  const mapping_hop& first = info.hops.begin()[0];
  const mapping_hop& second = info.hops.begin()[1];
  const auto at = [](const mapping_hop& hop) {
    return std::string{to_string(hop.protocol)} + " at " + to_string(hop.gateway);
  };
  return at(first) + " (" + to_string(first.external) + ") and " + at(second);
}

/// "198.51.100.7:8080 through pcp, lease 7200 s"
std::string grant(const mapping_info& info) {
  const bool is_upnp =
      info.protocol == protocol::upnp || std::ranges::any_of(info.hops, [](const auto& hop) {
        return hop.protocol == protocol::upnp;
      });
  return outside(info.external) + " through " + way(info) + ", " + lease(info) +
         (is_upnp && !info.verified ? ", not verified" : "");
}

std::string mapped(const report& what) {
  const mapping_info& info = what.event.info;
  if (info.protocol == protocol::direct) {
    return name(info) + " needs no router: the address is public (" + short_duration(what.elapsed) +
           ")";
  }
  if (what.was_never_lost) {
    return name(info) + " is still open as " + grant(info) + "; the router had been out of reach";
  }
  return name(info) + " is open " + (what.event.regained ? "again " : "") + "as " + grant(info) +
         " (" + short_duration(what.elapsed) + ")";
}

/// Whether nothing is news but from where the host is seen.
bool is_only_seen(const mapping_info& now, mapping_info before) {
  if (now.seen_address == before.seen_address) {
    return false;
  }
  before.seen_address = now.seen_address;
  before.elapsed = now.elapsed;
  return before == now;
}

/// "tcp 192.168.1.20:8080 is open as 198.51.100.7:8080, and seen from the internet as 203.0.113.9"
std::string seen(const mapping_info& info) {
  const bool is_same = info.seen_address == info.external.address;
  return name(info) + " is open as " + outside(info.external) +
         (is_same ? ", and the internet sees this host there"
                  : ", and the internet sees this host as " + to_string(info.seen_address));
}

std::string changed(const mapping_info& now, const mapping_info& before) {
  if (is_only_seen(now, before)) {
    return seen(now);
  }
  std::string old;
  const auto add = [&old](const std::string& part) { old += (old.empty() ? "" : ", ") + part; };
  if (now.internal != before.internal) {
    add(to_string(before.internal));
  }
  if (now.external != before.external) {
    add(outside(before.external));
  }
  if (way(now) != way(before)) {
    add(way(before));
  }
  if (now.lifetime != before.lifetime || now.permanent != before.permanent) {
    add(lease(before));
  }
  return name(now) + " is now open as " + grant(now) +
         (old.empty() ? "" : " (before: " + old + ")");
}

std::string removed(const report& what) {
  const mapping_info& info = what.event.info;
  const std::string took = " (" + short_duration(what.elapsed) + ")";
  if (info.protocol == protocol::direct) {
    return name(info) + " is watched no longer; there was nothing to give back" + took;
  }
  switch (what.event.how) {
    case removal::deleted:
      return name(info) + " is closed: deleted from the router" + took;
    case removal::already_gone:
      return name(info) + " is closed: the router had it no more" + took;
    case removal::left_to_expire:
      return name(info) + " was given up, but the router did not confirm it and may keep it open " +
             (info.permanent ? "until it is deleted there"
                             : "for up to " + std::to_string(info.lifetime.count()) + " s") +
             took;
    case removal::still_shared:
      return name(info) + " stays open for another request of this program" + took;
  }
  std::unreachable();
}

/// Whether two protocols failed in one way, so that one phrase tells both.
bool is_same(const protocol_failure& a, const protocol_failure& b) {
  return explanation_of(a) == explanation_of(b) && a.result_code == b.result_code &&
         a.server == b.server && a.retry_after == b.retry_after;
}

/// "pcp, nat-pmp at 192.168.1.1:5351: the router did not answer", without what `decided` says
/// already.
std::string phrase(const std::string& protocols, const protocol_failure& tried, errc decided) {
  std::string out = protocols;
  if (!tried.server.address.is_unspecified()) {
    out += " at " + to_string(tried.server);
  }
  if (explanation_of(tried) != describe(decided)) {
    out += ": " + std::string{explanation_of(tried)};
  }
  if (tried.result_code) {
    out += (tried.protocol == protocol::upnp ? ", error " : ", result ") +
           std::to_string(*tried.result_code);
  }
  if (!tried.router_text.empty()) {
    out += " (\"" + tried.router_text + "\")";
  }
  if (tried.retry_after) {
    out += ", not again for " + std::to_string(tried.retry_after->count()) + " s";
  }
  return out;
}

/// The reason that decided and, in parentheses, what each protocol has to say.
std::string account_of(const failure& why) {
  if (why.protocols.size() == 1 && why.protocols.front().reason == why.reason &&
      explanation_of(why.protocols.front()) != describe(why.reason)) {
    return std::string{explanation_of(why.protocols.front())};
  }
  std::string phrases;
  for (auto tried = why.protocols.begin(); tried != why.protocols.end();) {
    const protocol_failure& first = *tried;
    std::string protocols;
    for (; tried != why.protocols.end() && is_same(first, *tried); ++tried) {
      protocols += (protocols.empty() ? "" : ", ") + std::string{to_string(tried->protocol)};
    }
    phrases += (phrases.empty() ? "" : "; ") + phrase(protocols, first, why.reason);
  }
  const std::string details = phrases.empty() ? "" : " (" + phrases + ")";
  const std::string predicament = predicament_of(why.external);
  // What it says in general is said more exactly then.
  if (why.reason == errc::network_failure && !predicament.empty()) return predicament + details;
  return std::string{describe(why.reason)} + details +
         (predicament.empty() ? "" : "; " + predicament);
}

/// "tcp 8080", of a part as `name` has it.
std::string name(const map_failure& what) {
  return what.where.part != 0 ? name(what.where)
                              : std::string{to_string(what.request.transport)} + " " +
                                    std::to_string(what.request.internal_port);
}

/// " on the router at 192.168.1.1", when it is known which one was meant.
std::string place(const map_failure& what) {
  const auto asked = std::ranges::find_if(what.why.protocols, [](const protocol_failure& tried) {
    return !tried.server.address.is_unspecified();
  });
  if (asked != what.why.protocols.end()) {
    return " on the router at " + to_string(asked->server.address);
  }
  return what.gateway ? " on the router at " + to_string(*what.gateway) : std::string{};
}

std::string retry_hint(const failure& why) {
  const auto longest = std::ranges::max_element(why.protocols, {}, &protocol_failure::retry_after);
  if (longest == why.protocols.end() || !longest->retry_after) {
    return {};
  }
  return ", or again in " + std::to_string(longest->retry_after->count()) + " s";
}

}  // namespace

std::string human_line(const report& what) {
  switch (what.event.kind) {
    case event_kind::mapped:
      return mapped(what);
    case event_kind::changed:
      return changed(what.event.info, what.before);
    case event_kind::lost:
      if (what.event.gone) {
        return name(what.event.info) + " has no way out any more";
      }
      return name(what.event.info) + " is not open any more: " + account_of(what.event.why) +
             "; trying again";
    case event_kind::failed:
      return name(what.event.info) + " could not be opened: " + account_of(what.event.why) +
             "; trying again";
    case event_kind::removed:
      return removed(what);
  }
  std::unreachable();
}

std::string human_line(const map_failure& what) {
  const std::string what_failed = name(what) + place(what);
  if (what.interrupted) {
    return "damson: interrupted before " + what_failed + " was open. Try: the same again";
  }
  const std::string what_now =
      what.is_waiting ? "; trying again until it can be. Try: " : ". Try: ";
  return "damson: could not open " + what_failed + ": " + account_of(what.why) + what_now +
         advice_for(what.why, what.request.protocols, what.gateway.has_value()) +
         (what.is_waiting ? std::string{} : retry_hint(what.why));
}

std::string warning_line(const mapping_info& open, const failure& why) {
  const std::string predicament = predicament_of(open.external.address);
  const std::string beyond = why.reason == errc{}
                                 ? std::string{}
                                 : "; the router beyond it was asked in vain: " + account_of(why);
  return predicament.empty()
             ? std::string{}
             : "damson: " + name(open) + " may not be reachable from the internet; " + predicament +
                   beyond + ". Try: " +
                   advice_for_open_port(open.transport, open.external, why.reason != errc{});
}

std::string seen_line(const mapping_info& open) {
  const ip_address& told = open.external.address;
  if (open.seen_address.is_unspecified() || told.is_unspecified() || open.seen_address == told) {
    return {};
  }
  return "damson: " + name(open) +
         " may not be reachable from the internet; this host is seen there as " +
         to_string(open.seen_address) + ", not as " + to_string(told) +
         ": there is another NAT on the way, or the router does not know its own address. Try: " +
         std::string{advice_for_unseen_address()};
}

std::string unfiltered_line(const mapping_info& open) {
  return "damson: " + name(open) +
         " is open to everybody: the router does not filter by --peer. Try: have the program check "
         "who comes";
}

std::string human_line(const protocol_report& of) {
  const std::string name{to_string(of.protocol)};
  const std::string after =
      of.answered_after ? " after " + short_duration(*of.answered_after) : std::string{};
  switch (of.standing) {
    case protocol_standing::not_asked:
      return name + " was not asked: it was not its turn yet";
    case protocol_standing::asked:
      return name + " was asked and had not answered yet";
    case protocol_standing::answered:
      return name + " answered" + after + ", and was not needed";
    case protocol_standing::taken:
      return name + " answered" + after + " and was taken";
    case protocol_standing::failed:
      return phrase(name + " was out" + after, of.why.value_or(protocol_failure{}), errc{});
  }
  std::unreachable();
}

}  // namespace damson::cli
