#pragma once

/// Orders in which the answers of three protocols come that begin at once.

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "scenario.hpp"

namespace damson::sim::races {

/// How a message fares, every time that it is sent.
enum class pace : std::uint8_t {
  fast,        ///< as the link allows
  soon,        ///< 6 ms more: within PCP's head start
  after,       ///< 400 ms more: after it
  late,        ///< 2.5 s more
  first_lost,  ///< the first is lost, the second is fast
  lost,        ///< never arrives
};
using enum pace;

inline constexpr nanoseconds pcp_head_start = 10ms;  ///< where the router is near
inline constexpr nanoseconds longest_delay = 2'500ms;

inline nanoseconds delay_of(pace how) {
  switch (how) {
    case soon:
      return 6ms;
    case after:
      return 400ms;
    case late:
      return longest_delay;
    default:
      return 0ms;
  }
}

enum class speaker : std::uint8_t { all, no_pcp, pcp_and_upnp, upnp_refusing, upnp_silent };

/// What the router's table makes of two protocols with one target.
enum class tables : std::uint8_t { one_for_all, apart };

struct order {
  std::string_view name;
  speaker router = speaker::all;
  pace pcp_request = fast;
  pace pcp_answer = fast;
  pace address = fast;      ///< NAT-PMP's external address
  pace map = fast;          ///< NAT-PMP's grant
  pace search = fast;       ///< SSDP's answers
  pace description = fast;  ///< and the answer about the external address
  pace add = fast;          ///< AddPortMapping's answer
  pace verify = fast;       ///< the answers of GetSpecificPortMappingEntry
  bool other_port = false;  ///< each protocol gets another external port
  protocol owner = protocol::pcp;
};

using enum protocol;

inline constexpr std::array orders{
    // PCP in time always wins, whoever else is fast.
    order{.name = "all are fast"},
    order{.name = "PCP last, within its head start", .pcp_answer = soon},
    order{.name = "PCP's request is slow, within its head start", .pcp_request = soon},
    order{.name = "PCP alone is fast",
          .address = late,
          .map = late,
          .search = late,
          .description = late},
    order{.name = "PCP alone answers", .address = lost, .map = lost, .search = lost},
    order{.name = "PCP in time, and another port than UPnP would give",
          .pcp_answer = soon,
          .other_port = true},
    order{.name = "PCP's second try, within the time that the others take",
          .pcp_request = first_lost,
          .address = after,
          .search = after},

    // PCP after its head start: who was there has it.
    order{.name = "PCP's request after the head start, NAT-PMP there",
          .pcp_request = after,
          .owner = nat_pmp},
    order{.name = "PCP's request late, NAT-PMP there", .pcp_request = late, .owner = nat_pmp},
    order{.name = "PCP's request lost, NAT-PMP there", .pcp_request = lost, .owner = nat_pmp},
    order{.name = "PCP's request late, NAT-PMP slow",
          .pcp_request = late,
          .address = soon,
          .map = soon,
          .owner = nat_pmp},
    // NAT-PMP made it, so the router refuses PCP, but nobody was told.
    order{.name = "PCP's request after the head start, NAT-PMP's grant lost",
          .pcp_request = after,
          .map = lost,
          .owner = upnp},
    order{.name = "PCP's request late, NAT-PMP silent, UPnP there",
          .pcp_request = late,
          .address = lost,
          .owner = upnp},
    order{.name = "PCP's request lost, NAT-PMP silent, UPnP there",
          .pcp_request = lost,
          .address = lost,
          .owner = upnp},
    order{.name = "PCP's request late, NAT-PMP silent, UPnP slow",
          .pcp_request = late,
          .address = lost,
          .search = after,
          .description = soon,
          .owner = upnp},
    order{.name = "PCP overtakes an AddPortMapping under way",
          .router = speaker::pcp_and_upnp,
          .pcp_answer = after,
          .add = late},
    order{.name = "PCP overtakes the reading back",
          .router = speaker::pcp_and_upnp,
          .pcp_answer = after,
          .verify = after},
    order{.name = "PCP overtakes a device's description",
          .router = speaker::pcp_and_upnp,
          .pcp_answer = after,
          .description = late},
    order{.name = "PCP's grant comes after UPnP's",
          .router = speaker::pcp_and_upnp,
          .pcp_answer = after,
          .owner = upnp},
    order{.name = "PCP's grant comes seconds after UPnP's",
          .router = speaker::pcp_and_upnp,
          .pcp_answer = late,
          .owner = upnp},
    order{.name = "PCP's grant never comes, UPnP's does",
          .router = speaker::pcp_and_upnp,
          .pcp_answer = lost,
          .owner = upnp},
    order{.name = "PCP's grant after UPnP's, of another port",
          .router = speaker::pcp_and_upnp,
          .pcp_answer = after,
          .other_port = true,
          .owner = upnp},
    order{.name = "PCP's grant seconds after UPnP's, of another port",
          .router = speaker::pcp_and_upnp,
          .pcp_answer = late,
          .other_port = true,
          .owner = upnp},
    order{.name = "PCP's request after UPnP's grant",
          .router = speaker::pcp_and_upnp,
          .pcp_request = after,
          .owner = upnp},
    order{.name = "PCP's request seconds after UPnP's grant, of another port",
          .router = speaker::pcp_and_upnp,
          .pcp_request = late,
          .other_port = true,
          .owner = upnp},
    order{.name = "PCP overtakes an AddPortMapping of another port",
          .router = speaker::pcp_and_upnp,
          .pcp_answer = after,
          .add = late,
          .other_port = true},
    order{.name = "PCP overtakes the reading back of another port",
          .router = speaker::pcp_and_upnp,
          .pcp_answer = after,
          .verify = late,
          .other_port = true},

    // Without PCP: NAT-PMP before UPnP for as long as the head start lasts.
    order{.name = "NAT-PMP and UPnP are fast", .router = speaker::no_pcp, .owner = nat_pmp},
    order{.name = "NAT-PMP last, within the head start",
          .router = speaker::no_pcp,
          .address = soon,
          .map = late,
          .owner = nat_pmp},
    order{.name = "NAT-PMP's answer after UPnP was asked",
          .router = speaker::no_pcp,
          .address = after,
          .owner = upnp},
    order{.name = "NAT-PMP's answer while UPnP is asked",
          .router = speaker::no_pcp,
          .address = after,
          .add = late,
          .verify = late,
          .owner = upnp},
    order{.name = "NAT-PMP's grant lost, UPnP there",
          .router = speaker::no_pcp,
          .map = lost,
          .owner = upnp},
    order{.name = "NAT-PMP's first grant lost",
          .router = speaker::no_pcp,
          .map = first_lost,
          .owner = nat_pmp},

    // UPnP alone.
    order{.name = "the port refuses", .router = speaker::upnp_refusing, .owner = upnp},
    order{.name = "the port is silent", .router = speaker::upnp_silent, .owner = upnp},
    order{.name = "the port is silent, and UPnP is slow",
          .router = speaker::upnp_silent,
          .search = late,
          .description = late,
          .add = late,
          .verify = late,
          .owner = upnp},
    order{.name = "the first search is lost",
          .router = speaker::upnp_refusing,
          .search = first_lost,
          .owner = upnp},
    order{.name = "AddPortMapping's first answer is lost",
          .router = speaker::upnp_refusing,
          .add = first_lost,
          .owner = upnp},
    order{.name = "the first reading back is lost",
          .router = speaker::upnp_silent,
          .verify = first_lost,
          .owner = upnp},
};
static_assert(orders.size() >= 20);

/// Carries messages as the order says, each kind on its own.
class carrier {
 public:
  carrier(world& w, const order& how) : how_(&how) {
    w.courier = [this, &w](const packet_record& record) { return carry(record, w); };
    w.http_courier = [this](const http_record& record) { return treat(record); };
  }

 private:
  enum class kind : std::uint8_t {
    pcp_request,
    pcp_answer,
    address,
    map,
    search,
    get,
    add,
    verify
  };

  std::optional<nanoseconds> carry(const packet_record& record, world& w) {
    const auto& bytes = record.datagram.bytes;
    const nanoseconds latency = w.link().latency;
    if (record.way == direction::to_router) {
      if (!is_pcp(bytes)) return latency;
      return timed(latency, kind::pcp_request, how_->pcp_request);
    }
    if (is_pcp(bytes)) return timed(latency, kind::pcp_answer, how_->pcp_answer);
    if (is_nat_pmp_address(bytes)) return timed(latency, kind::address, how_->address);
    if (is_nat_pmp(bytes)) return timed(latency, kind::map, how_->map);
    return timed(latency, kind::search, how_->search);
  }

  std::optional<nanoseconds> timed(nanoseconds latency, kind what, pace how) {
    const bool is_first = seen_.insert(what).second;
    if (how == lost || (how == first_lost && is_first)) return std::nullopt;
    return latency + delay_of(how);
  }

  http_treatment treat(const http_record& record) {
    const std::string action = soap_action_of(record.request);
    kind what = kind::get;
    pace how = how_->description;
    if (action == "AddPortMapping" || action == "AddAnyPortMapping") {
      what = kind::add;
      how = how_->add;
    } else if (action == "GetSpecificPortMappingEntry") {
      what = kind::verify;
      how = how_->verify;
    }
    const bool is_first = seen_.insert(what).second;
    http_treatment out;
    out.processing = delay_of(how);
    if (how == lost || (how == first_lost && is_first)) {
      out.end = http_treatment::outcome::breaks_after;
    }
    return out;
  }

  const order* how_;
  std::set<kind> seen_;
};

inline profile router_of(const order& how, tables kept, std::uint8_t version) {
  profile out;
  out.speaks_upnp = true;
  out.upnp.version = version;
  out.upnp.one_rule_for_all_protocols = kept == tables::one_for_all;
  if (how.other_port) out.external_port = port_policy::own_choice;
  switch (how.router) {
    case speaker::all:
      break;
    case speaker::no_pcp:
      out.speaks_pcp = false;
      break;
    case speaker::pcp_and_upnp:
      out.speaks_nat_pmp = false;
      break;
    case speaker::upnp_refusing:
    case speaker::upnp_silent:
      out.speaks_pcp = out.speaks_nat_pmp = false;
      out.closed_port_refuses = how.router == speaker::upnp_refusing;
      break;
  }
  return out;
}

struct variant {
  tables kept{};
  std::uint8_t version = 1;

  std::string name() const {
    return std::string(kept == tables::one_for_all ? "one table" : "tables apart") + ", version " +
           std::to_string(version);
  }
};

inline constexpr std::array variants{variant{tables::one_for_all, 1},
                                     variant{tables::one_for_all, 2}, variant{tables::apart, 1},
                                     variant{tables::apart, 2}};

}  // namespace damson::sim::races
