#include "core/election.hpp"

#include <array>
#include <memory>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using damson::errc;
using damson::failure;
using damson::protocol;
using damson::protocol_failure;
using damson::protocol_filter;
using damson::core::allows;
using damson::core::availability;
using damson::core::explain;
using damson::core::mapping;
using damson::core::move;
using damson::core::narrowed;
using damson::core::next_move;
using damson::core::refusal_pause;
using damson::core::silence_pause;

/// On the heap: of one on the stack GCC 12 believes that parts are used before they are set.
std::unique_ptr<mapping> new_mapping() { return std::make_unique<mapping>(); }

protocol_failure failed(protocol which, errc reason) {
  return {.protocol = which, .reason = reason, .result_code = {}, .server = {}, .retry_after = {}};
}

TEST(election, filters_allow_what_they_say) {
  struct row {
    protocol_filter filter;
    bool pcp, nat_pmp, upnp, direct;
  };
  for (const row& each : {row{protocol_filter::any, true, true, true, true},
                          row{protocol_filter::pcp, true, true, false, false},
                          row{protocol_filter::upnp, false, false, true, false},
                          row{protocol_filter::pcp_only, true, false, false, false},
                          row{protocol_filter::nat_pmp_only, false, true, false, false}}) {
    EXPECT_EQ(allows(each.filter, protocol::pcp), each.pcp);
    EXPECT_EQ(allows(each.filter, protocol::nat_pmp), each.nat_pmp);
    EXPECT_EQ(allows(each.filter, protocol::upnp), each.upnp);
    EXPECT_EQ(allows(each.filter, protocol::direct), each.direct);
  }
}

// One moment of an attempt, and what has to come next.
struct moment {
  const char* name;
  protocol_filter filter;
  bool pcp_failed, head_start_over, nat_pmp_under_way, nat_pmp_failed;
  availability pcp, nat_pmp;
  move expected;
};

constexpr auto unknown = availability::unknown;
constexpr auto present = availability::present;
constexpr auto absent = availability::absent;
constexpr auto any = protocol_filter::any;
constexpr auto only_nat_pmp = protocol_filter::nat_pmp_only;
constexpr auto only_pcp = protocol_filter::pcp_only;

// clang-format off
constexpr auto moments = std::to_array<moment>({
  // name                                   filter        pcp    head   asked  nat-pmp pcp      nat-pmp
  //                                                      failed start         failed
  {"everything open",                       any,          false, false, false, false, unknown, unknown, move::wait},
  {"nat-pmp answered within the head start", any,         false, false, false, false, unknown, present, move::wait},
  {"nat-pmp answered, head start over",     any,          false, true,  false, false, unknown, present, move::ask_nat_pmp},
  {"head start over, nobody answered",      any,          false, true,  false, false, unknown, unknown, move::wait},
  {"nat-pmp is asked already",              any,          false, true,  true,  false, unknown, present, move::wait},
  {"pcp refused by version",                any,          true,  false, false, false, absent,  unknown, move::wait},
  {"pcp refused by version, nat-pmp there", any,          true,  false, false, false, absent,  present, move::ask_nat_pmp},
  {"pcp refused for good",                  any,          true,  false, false, false, present, present, move::give_up},
  {"pcp there: no nat-pmp",                 any,          false, true,  false, false, present, present, move::wait},
  {"both failed",                           any,          true,  true,  false, true,  unknown, unknown, move::give_up},
  {"nat-pmp failed, pcp may come",          any,          false, true,  false, true,  unknown, present, move::wait},
  {"pcp refused while nat-pmp is asked",    any,          true,  true,  true,  false, present, present, move::wait},
  {"nat-pmp only, not known yet",           only_nat_pmp, false, false, false, false, unknown, unknown, move::wait},
  {"nat-pmp only, there",                   only_nat_pmp, false, false, false, false, unknown, present, move::ask_nat_pmp},
  {"nat-pmp only, although pcp is there",   only_nat_pmp, false, false, false, false, present, present, move::ask_nat_pmp},
  {"nat-pmp only, failed",                  only_nat_pmp, false, false, false, true,  unknown, unknown, move::give_up},
  {"pcp only, silent so far",               only_pcp,     false, true,  false, false, unknown, present, move::wait},
  {"pcp only, failed",                      only_pcp,     true,  true,  false, false, unknown, present, move::give_up},
});
// clang-format on

TEST(election, two_filters_allow_what_both_allow) {
  constexpr std::array filters{protocol_filter::any, protocol_filter::pcp, protocol_filter::upnp,
                               protocol_filter::pcp_only, protocol_filter::nat_pmp_only};
  constexpr std::array protocols{protocol::pcp, protocol::nat_pmp, protocol::upnp};
  for (const auto a : filters) {
    for (const auto b : filters) {
      const auto both = narrowed(a, b);
      for (const auto which : protocols) {
        EXPECT_EQ(both && allows(*both, which), allows(a, which) && allows(b, which));
      }
      EXPECT_EQ(both, narrowed(b, a));
      // Without a router at all only where neither says a word.
      const bool both_any = a == protocol_filter::any && b == protocol_filter::any;
      EXPECT_EQ(both == protocol_filter::any, both_any);
    }
  }
}

TEST(election, next_move_follows_the_table) {
  for (const moment& each : moments) {
    const auto made = new_mapping();
    mapping& what = *made;
    what.request.protocols = each.filter;
    what.head_start_over = each.head_start_over;
    what.pcp.under_way = !each.pcp_failed;
    if (each.pcp_failed) what.pcp.failed = failed(protocol::pcp, errc::no_answer);
    what.nat_pmp.under_way = each.nat_pmp_under_way;
    if (each.nat_pmp_failed) what.nat_pmp.failed = failed(protocol::nat_pmp, errc::no_answer);
    what.upnp.failed = failed(protocol::upnp, errc::no_answer);
    EXPECT_EQ(next_move(what, {each.pcp, each.nat_pmp, availability::absent}), each.expected)
        << each.name;
  }
}

TEST(election, the_reason_that_says_most_decides) {
  struct row {
    errc pcp, nat_pmp, expected;
  };
  for (const row& each : {row{errc::no_answer, errc::no_answer, errc::no_answer},
                          row{errc::version_refused, errc::no_answer, errc::no_answer},
                          row{errc::version_refused, errc::network_failure, errc::network_failure},
                          row{errc::not_authorized, errc::port_closed, errc::not_authorized},
                          row{errc::port_closed, errc::no_answer, errc::port_closed}}) {
    const auto made = new_mapping();
    mapping& what = *made;
    what.pcp.failed = failed(protocol::pcp, each.pcp);
    what.nat_pmp.failed = failed(protocol::nat_pmp, each.nat_pmp);
    what.upnp.failed = failed(protocol::upnp, errc::not_tried);
    EXPECT_EQ(explain(what, {}).reason, each.expected);
  }
}

TEST(election, the_account_has_an_entry_for_each_protocol_that_is_allowed) {
  const auto made = new_mapping();
  mapping& what = *made;
  what.pcp.failed = failed(protocol::pcp, errc::not_authorized);
  const failure why = explain(what, {});
  ASSERT_EQ(why.protocols.size(), 3U);
  EXPECT_EQ(why.protocols[0].reason, errc::not_authorized);
  EXPECT_EQ(why.protocols[1].protocol, protocol::nat_pmp);
  EXPECT_EQ(why.protocols[1].reason, errc::not_tried);
  EXPECT_EQ(why.protocols[2].protocol, protocol::upnp);
  EXPECT_EQ(why.protocols[2].reason, errc::not_tried);
}

// PCP's NO_RESOURCES stands for a full table, and for a router without a public address.
TEST(election, no_resources_in_pcp_is_explained_by_what_is_said_elsewhere) {
  const auto none = damson::ip_address::any_v4();
  const auto home = damson::ip_address::parse("10.0.0.7");
  struct row {
    errc nat_pmp, upnp;
    std::optional<damson::ip_address> outside;
    errc expected;
  };
  for (const row& each :
       {row{errc::not_tried, errc::no_answer, std::nullopt, errc::no_resources},
        row{errc::not_tried, errc::no_answer, home, errc::no_resources},
        row{errc::not_tried, errc::no_answer, none, errc::network_failure},
        row{errc::not_tried, errc::network_failure, std::nullopt, errc::network_failure},
        row{errc::network_failure, errc::no_answer, home, errc::network_failure}}) {
    mapping what;
    what.pcp.failed = failed(protocol::pcp, errc::no_resources);
    what.nat_pmp.failed = failed(protocol::nat_pmp, each.nat_pmp);
    what.upnp.failed = failed(protocol::upnp, each.upnp);
    const failure why = explain(what, {}, each.outside);
    EXPECT_EQ(why.reason, each.expected);
    EXPECT_EQ(why.protocols[0].reason, each.expected);
    EXPECT_EQ(why.external, each.outside.value_or(none));
  }
  // UPnP has a number for a full table alone.
  mapping what;
  what.request.protocols = protocol_filter::upnp;
  what.upnp.failed = failed(protocol::upnp, errc::no_resources);
  EXPECT_EQ(explain(what, {}, none).reason, errc::no_resources);
}

struct pause_case {
  const char* what;
  std::chrono::seconds asked_for;
  unsigned in_a_row;
  std::chrono::nanoseconds recheck_period, shortest, longest;
};

constexpr auto silence_pauses = std::to_array<pause_case>({
    {"silence", {}, 1, 300s, 4375ms, 5s},
    {"silence again", {}, 2, 300s, 8750ms, 10s},
    {"silence for long", {}, 7, 300s, 262'500ms, 300s},
    {"silence for ever", {}, 4'000'000'000U, 300s, 262'500ms, 300s},
    {"a short recheck period", {}, 1, 2s, 1750ms, 2s},
});

constexpr auto refusal_pauses = std::to_array<pause_case>({
    {"a long refusal", 1800s, 1, 300s, 1800s, 2025s},
    {"a long refusal for ever", 1800s, 30, 300s, 1800s, 2025s},
    {"a short refusal", 30s, 1, 300s, 30s, 33'750ms},
    {"a short refusal again", 30s, 2, 300s, 60s, 67'500ms},
    {"a short refusal for long", 30s, 9, 300s, 300s, 300s},
});

void expect_within(const pause_case& row, std::chrono::nanoseconds pause) {
  EXPECT_GE(pause, row.shortest) << row.what;
  EXPECT_LE(pause, row.longest) << row.what;
}

TEST(election, pauses_follow_the_tables) {
  damson::random_source random(std::array<std::uint64_t, 4>{1, 2, 3, 4});
  for (int i = 0; i < 100; ++i) {
    for (const pause_case& each : silence_pauses) {
      expect_within(each, silence_pause(each.in_a_row, each.recheck_period, random));
    }
    for (const pause_case& each : refusal_pauses) {
      expect_within(each,
                    refusal_pause(each.asked_for, each.in_a_row, each.recheck_period, random));
    }
  }
}

struct upnp_moment {
  const char* name;
  bool pcp_failed, nat_pmp_failed, head_start_over;
  availability nat_pmp, upnp;
  damson::core::move expected;
};

TEST(election, upnp_comes_after_the_others_or_their_head_start) {
  using enum availability;
  using damson::core::move;
  for (const upnp_moment& each : {
           upnp_moment{"all open", false, false, false, unknown, present, move::wait},
           upnp_moment{"head start over", false, false, true, unknown, present, move::ask_upnp},
           upnp_moment{"but NAT-PMP is there", false, false, true, present, present,
                       move::ask_nat_pmp},
           upnp_moment{"PCP out, NAT-PMP not heard yet", true, false, false, unknown, present,
                       move::wait},
           upnp_moment{"both out", true, true, false, unknown, present, move::ask_upnp},
           upnp_moment{"NAT-PMP failed, PCP may come", false, true, false, unknown, present,
                       move::wait},
           upnp_moment{"both out, still searching", true, true, true, unknown, unknown, move::wait},
       }) {
    const auto made = new_mapping();
    mapping& what = *made;
    if (each.pcp_failed) what.pcp.failed = failed(protocol::pcp, errc::no_answer);
    if (each.nat_pmp_failed) what.nat_pmp.failed = failed(protocol::nat_pmp, errc::no_answer);
    what.head_start_over = each.head_start_over;
    EXPECT_EQ(next_move(what, {unknown, each.nat_pmp, each.upnp}), each.expected) << each.name;
  }
}

TEST(election, upnp_under_way_is_waited_for) {
  const auto made = new_mapping();
  mapping& what = *made;
  what.head_start_over = true;
  what.upnp.under_way = true;
  using enum availability;
  EXPECT_EQ(next_move(what, {unknown, present, present}), damson::core::move::wait);
}

}  // namespace
