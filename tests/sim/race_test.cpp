// Three protocols begin at once, and their answers come in every order.

#include "race.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "scenario.hpp"

namespace damson::sim {
namespace {

using namespace races;

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
        const bool served = is_served(how, filter);
        std::vector<event_kind> told = kinds(w);
        // A second attempt may fail for another reason, which is told as well.
        if (!served) told.erase(std::ranges::unique(told).begin(), told.end());
        EXPECT_EQ(told, std::vector{served ? event_kind::mapped : event_kind::failed});
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

/// With another mapping alive the engine goes on, and with it what is left to be done.
TEST_F(race, leaves_a_bystander_alone_when_it_is_called_off) {
  for (const auto& how : orders) {
    for (const auto& what : {variants.front(), variants.back()}) {
      const course undisturbed = begin_race(how, what);
      undisturbed.w->create(request(9090));
      undisturbed.w->create(request());
      undisturbed.w->run_for(7s);
      for (const nanoseconds at : moments_of(*undisturbed.w)) {
        SCOPED_TRACE(std::string(how.name) + ": " + what.name() + ", released at " +
                     std::to_string(at.count() / 1'000'000) + " ms");
        const course run = begin_race(how, what);
        world& w = *run.w;
        const mapping_id bystander = w.create(request(9090));
        const mapping_id id = w.create(request());
        w.run_for(at);
        w.release(id);
        w.run_for(2s);
        ASSERT_EQ(w.last_event(id)->event.kind, event_kind::removed);
        w.run_for(28s);
        EXPECT_EQ(w.last_event(bystander)->event.kind, event_kind::mapped);
        EXPECT_TRUE(router_holds(w, 9090));
        EXPECT_TRUE(!router_holds(w, 8080) || how.map == lost);
        EXPECT_EQ(w.count_events(event_kind::removed), 1U);
      }
    }
  }
}

/// Nor does giving up a mapping but not its lease take that back.
TEST_F(race, between_a_renewal_and_giving_up_leaves_the_lease) {
  const order alone{.name = "UPnP alone", .router = speaker::upnp_refusing, .owner = upnp};
  for (const auto& what : variants) {
    for (const bool is_alone : {true, false}) {
      SCOPED_TRACE(what.name() + (is_alone ? ", alone" : ""));
      const course run = begin_race(alone, what);
      world& w = *run.w;
      if (!is_alone) w.create(request(9090));
      w.run_for(10s);
      const mapping_id id = w.create(request());
      ASSERT_TRUE(w.run_until([&] { return router_holds(w, 8080); }, 5s));
      w.run_for(1s);
      const auto renewals = [&] {
        return std::ranges::count_if(w.requests(), [](const http_record& one) {
          return is_adding(one) && one.request.contains(">8080<");
        });
      };
      const auto before = renewals();
      ASSERT_TRUE(w.run_until([&] { return renewals() > before; }, 2h));
      w.release(id, true);
      w.run_for(10s);
      EXPECT_EQ(w.last_event(id)->event.how, removal::left_to_expire);
      EXPECT_TRUE(router_holds(w, 8080));
    }
  }
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
