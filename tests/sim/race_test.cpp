// Three protocols begin at once, and their answers come in every order.

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "scenario.hpp"

namespace damson::sim {
namespace {

/// How a message fares, every time that it is sent.
enum class pace : std::uint8_t {
  fast,        ///< as the link allows
  soon,        ///< 150 ms more: within PCP's head start
  after,       ///< 400 ms more: after it
  late,        ///< 2.5 s more
  first_lost,  ///< the first is lost, the second is fast
  lost,        ///< never arrives
};
using enum pace;

constexpr nanoseconds pcp_head_start = 250ms;
constexpr nanoseconds longest_delay = 2'500ms;

nanoseconds delay_of(pace how) {
  switch (how) {
    case soon:
      return 150ms;
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

constexpr std::array orders{
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

profile router_of(const order& how, tables kept, std::uint8_t version) {
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

constexpr std::array variants{variant{tables::one_for_all, 1}, variant{tables::one_for_all, 2},
                              variant{tables::apart, 1}, variant{tables::apart, 2}};

bool is_search(std::span<const std::byte> bytes) { return ssdp_search_target(bytes).has_value(); }

bool is_adding(const http_record& record) {
  const std::string action = soap_action_of(record.request);
  return action == "AddPortMapping" || action == "AddAnyPortMapping";
}

class race : public scenario {
 protected:
  /// What one world is about: the world, and who carries its messages.
  struct course {
    world* w = nullptr;
    std::unique_ptr<carrier> messages;
  };

  course begin_race(const order& how, const variant& what) {
    scene of;
    of.router = router_of(how, what.kept, what.version);
    world& w = begin(of);
    return {&w, std::make_unique<carrier>(w, how)};
  }

  /// Nobody makes a mapping before PCP is out or its head start over.
  static void expect_head_start(world& w, const order& how) {
    const bool pcp_is_out_early =
        how.router == speaker::no_pcp || how.router == speaker::upnp_refusing;
    for (const auto& map : nat_pmp_maps(w)) {
      EXPECT_GE(map.at, pcp_is_out_early ? nanoseconds{0} : pcp_head_start);
    }
    // NAT-PMP has the same head start over UPnP.
    const bool both_are_out_early = how.router == speaker::upnp_refusing;
    for (const auto& one : w.requests()) {
      EXPECT_TRUE(!is_adding(one) || both_are_out_early || one.at >= pcp_head_start);
    }
  }

  static void expect_one_rule(world& w, const order& how) {
    ASSERT_EQ(kinds(w), std::vector{event_kind::mapped});
    const mapping_info& info = w.events()[0].event.info;
    EXPECT_EQ(info.protocol, how.owner);
    EXPECT_EQ(info.external.address, wan_side);
    const nat_rule* rule = w.router().table().at_external(transport::tcp, info.external.port);
    ASSERT_NE(rule, nullptr);
    EXPECT_EQ(rule->internal, (endpoint{world::host_address, 8080}));
    // Of what a router made whose every word about it was lost, nobody can know.
    const bool one_is_unheard_of = how.pcp_answer == lost || how.map == lost;
    EXPECT_LE(w.router().rules().size(), one_is_unheard_of ? 2U : 1U);
  }
};

/// What was sent in protocols that a filter forbids.
std::size_t sent_outside(const world& w, protocol_filter filter) {
  const bool pcp_allowed =
      filter != protocol_filter::upnp && filter != protocol_filter::nat_pmp_only;
  const bool nat_pmp_allowed =
      filter == protocol_filter::pcp || filter == protocol_filter::nat_pmp_only;
  const bool upnp_allowed = filter == protocol_filter::upnp;
  std::size_t out = 0;
  if (!pcp_allowed) out += w.sent(is_pcp).size();
  if (!nat_pmp_allowed) out += w.sent(is_nat_pmp).size();
  if (!upnp_allowed) out += w.sent(is_search).size() + w.requests().size();
  return out;
}

TEST_F(race, ends_with_one_rule_and_the_right_owner) {
  for (const auto& how : orders) {
    for (const auto& what : variants) {
      SCOPED_TRACE(std::string(how.name) + ": " + what.name());
      const course run = begin_race(how, what);
      world& w = *run.w;
      const mapping_id id = w.create(request());
      w.run_for(30s);
      expect_head_start(w, how);
      expect_one_rule(w, how);
      w.courier = nullptr;
      w.http_courier = nullptr;
      w.release(id);
      w.run_for(2s);
      ASSERT_EQ(w.last_event(id)->event.kind, event_kind::removed);
      EXPECT_NE(w.last_event(id)->event.how, removal::left_to_expire);
      EXPECT_TRUE(w.router().rules().empty());
      EXPECT_EQ(w.mapping_count(), 0U);
    }
  }
}

/// Whether a request within this filter can be served in this order.
bool is_served(const order& how, protocol_filter filter) {
  const bool pcp_there = how.router == speaker::all || how.router == speaker::pcp_and_upnp;
  const bool nat_pmp_there = how.router == speaker::all || how.router == speaker::no_pcp;
  const bool by_pcp = pcp_there && how.pcp_request != lost && how.pcp_answer != lost;
  const bool by_nat_pmp = nat_pmp_there && how.map != lost && how.address != lost;
  // A PCP request that comes after NAT-PMP's is refused because of its mapping.
  const bool came_second = nat_pmp_there && how.pcp_request == after;
  switch (filter) {
    case protocol_filter::upnp:
      return how.search != lost;
    case protocol_filter::pcp_only:
      return by_pcp;
    case protocol_filter::nat_pmp_only:
      return by_nat_pmp;
    case protocol_filter::pcp:
      return by_nat_pmp || (by_pcp && !came_second);
    case protocol_filter::any:
      break;
  }
  return true;
}

TEST_F(race, never_falls_outside_of_the_filter) {
  for (const auto filter : {protocol_filter::upnp, protocol_filter::pcp, protocol_filter::pcp_only,
                            protocol_filter::nat_pmp_only}) {
    for (const auto& how : orders) {
      for (const auto& what : variants) {
        SCOPED_TRACE(std::string(how.name) + ": " + what.name() + ", filter " +
                     std::to_string(static_cast<int>(filter)));
        const course run = begin_race(how, what);
        world& w = *run.w;
        const mapping_id id = w.create(request(filter));
        w.run_for(30s);
        EXPECT_EQ(sent_outside(w, filter), 0U);
        EXPECT_EQ(kinds(w),
                  std::vector{is_served(how, filter) ? event_kind::mapped : event_kind::failed});
        EXPECT_LE(w.router().rules().size(), 1U);
        w.courier = nullptr;
        w.http_courier = nullptr;
        w.release(id);
        w.run_for(2s);
        EXPECT_EQ(w.last_event(id)->event.kind, event_kind::removed);
        EXPECT_TRUE(w.router().rules().empty());
        EXPECT_EQ(sent_outside(w, filter), 0U);
      }
    }
  }
}

/// When anything happened in the first seconds of a race that nobody interrupts.
std::set<nanoseconds> moments_of(const world& w) {
  constexpr nanoseconds last = 7s;
  std::set<nanoseconds> out{0ms};
  const auto add = [&](nanoseconds at) {
    if (at <= last) out.insert(at);
  };
  for (const auto& one : w.packets()) add(one.at);
  for (const auto& one : w.requests()) {
    add(one.at);
    if (one.served_at) add(*one.served_at);
    if (one.ended_at) add(*one.ended_at);
  }
  return out;
}

/// Whether a release has its answer within the release bound.
bool is_prompt(const order& how) {
  const std::array all{how.pcp_request, how.pcp_answer,  how.address, how.map,
                       how.search,      how.description, how.add,     how.verify};
  const bool speaks_pcp = how.router == speaker::all || how.router == speaker::pcp_and_upnp;
  return speaks_pcp && std::ranges::all_of(all, [](pace one) { return one <= after; });
}

TEST_F(race, leaves_nothing_when_it_is_called_off) {
  std::size_t called_off = 0;
  for (const auto& how : orders) {
    for (const auto& what : variants) {
      const course undisturbed = begin_race(how, what);
      undisturbed.w->create(request());
      undisturbed.w->run_for(7s);
      for (const nanoseconds at : moments_of(*undisturbed.w)) {
        SCOPED_TRACE(std::string(how.name) + ": " + what.name() + ", released at " +
                     std::to_string(at.count() / 1'000'000) + " ms");
        const course run = begin_race(how, what);
        world& w = *run.w;
        const mapping_id id = w.create(request());
        w.run_for(at);
        w.release(id);
        w.run_for(2s);
        ASSERT_EQ(w.count_events(event_kind::removed), 1U);
        ASSERT_EQ(w.last_event(id)->event.kind, event_kind::removed);
        EXPECT_EQ(w.mapping_count(), 0U);
        EXPECT_EQ(w.open_channels(), 0U);
        w.run_for(2 * longest_delay);
        ++called_off;
        if (w.last_event(id)->event.how == removal::left_to_expire) {
          EXPECT_FALSE(is_prompt(how));
          // What the router does after the last word to it, and what it has said in vain.
          const bool excused = how.add == late || how.map == lost;
          EXPECT_TRUE(w.router().rules().empty() || excused);
        } else {
          EXPECT_TRUE(w.router().rules().empty()) << to_string(w.last_event(id)->event.how);
        }
      }
    }
  }
  EXPECT_GT(called_off, 20 * orders.size());
}

}  // namespace
}  // namespace damson::sim
