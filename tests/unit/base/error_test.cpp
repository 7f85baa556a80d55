#include <array>
#include <chrono>
#include <set>
#include <string>
#include <string_view>
#include <system_error>

#include <gtest/gtest.h>

#include <damson/error.hpp>

namespace damson {
namespace {

struct step_case {
  errc code;
  next_step step;
};

constexpr std::array step_cases{
    step_case{errc::no_gateway, next_step::tell_owner},
    step_case{errc::network_down, next_step::retry},
    step_case{errc::port_closed, next_step::fall_back},
    step_case{errc::no_answer, next_step::fall_back},
    step_case{errc::version_refused, next_step::fall_back},
    step_case{errc::not_supported, next_step::fall_back},
    step_case{errc::not_authorized, next_step::tell_owner},
    step_case{errc::malformed_request, next_step::fall_back},
    step_case{errc::network_failure, next_step::tell_owner},
    step_case{errc::no_resources, next_step::retry},
    step_case{errc::quota_exceeded, next_step::retry},
    step_case{errc::external_not_available, next_step::fix_call},
    step_case{errc::address_mismatch, next_step::tell_owner},
    step_case{errc::lease_not_supported, next_step::fix_call},
    step_case{errc::unusable_answer, next_step::fall_back},
    step_case{errc::lease_expired, next_step::retry},
    step_case{errc::gateway_restarted, next_step::retry},
    step_case{errc::mapping_gone, next_step::retry},
    step_case{errc::network_changed, next_step::retry},
    step_case{errc::protocol_excluded, next_step::fix_call},
    step_case{errc::not_tried, next_step::retry},
    step_case{errc::timed_out, next_step::retry},
    step_case{errc::invalid_argument, next_step::fix_call},
    step_case{errc::already_mapped, next_step::fix_call},
    step_case{errc::limit_reached, next_step::fix_call},
    step_case{errc::busy, next_step::fix_call},
    step_case{errc::closed, next_step::fix_call},
};

// Without this a code added at the end would go untested.
static_assert(step_cases.size() == static_cast<std::size_t>(errc::closed));

constexpr std::array all_steps{next_step::retry, next_step::fall_back, next_step::fix_call,
                               next_step::tell_owner};

TEST(errc, each_has_one_next_step) {
  for (const step_case& c : step_cases) {
    EXPECT_EQ(next_step_of(c.code), c.step) << describe(c.code);
    const std::error_code code = c.code;
    for (const next_step step : all_steps) {
      EXPECT_EQ(code == step, step == c.step) << describe(c.code);
      EXPECT_EQ(code == std::error_condition{step}, step == c.step) << describe(c.code);
    }
  }
}

TEST(errc, each_says_what_happened_in_words_of_its_own) {
  std::set<std::string_view> seen;
  for (const step_case& c : step_cases) {
    const std::string_view text = describe(c.code);
    EXPECT_TRUE(seen.insert(text).second) << text;
    EXPECT_GT(text.size(), 15U) << text;
    EXPECT_NE(text, "unknown error");
    EXPECT_NE(text.back(), '.') << text;
    EXPECT_EQ(text.find('\n'), std::string_view::npos) << text;
    EXPECT_EQ(std::error_code{c.code}.message(), text);
  }
}

TEST(errc, becomes_an_error_code_by_itself) {
  const std::error_code code = errc::no_answer;
  EXPECT_TRUE(code);
  EXPECT_EQ(code.value(), 4);
  EXPECT_EQ(&code.category(), &category());
  EXPECT_EQ(std::string_view{code.category().name()}, "damson");
  EXPECT_EQ(code, errc::no_answer);
  EXPECT_NE(code, errc::port_closed);
  EXPECT_NE(code, std::errc::timed_out);
}

TEST(errc, numbers_without_a_name_have_no_next_step) {
  constexpr int next = static_cast<int>(errc::closed) + 1;
  for (const int value : {0, next, 255, 1'000, -1}) {
    const std::error_code code{value, category()};
    for (const next_step step : all_steps) EXPECT_NE(code, step) << value;
  }
  EXPECT_EQ(describe(errc{}), "no error");
  EXPECT_EQ(describe(static_cast<errc>(next)), "unknown error");
  EXPECT_EQ((std::error_code{next, category()}.message()), "unknown error");
}

TEST(next_step, becomes_an_error_condition_by_itself) {
  const std::error_condition condition = next_step::tell_owner;
  EXPECT_EQ(&condition.category(), &next_step_category());
  EXPECT_EQ(std::string_view{condition.category().name()}, "damson.next_step");
  std::set<std::string> seen;
  for (const next_step step : all_steps) {
    EXPECT_TRUE(seen.insert(std::error_condition{step}.message()).second);
  }
  EXPECT_FALSE(seen.contains("unknown next step"));
  EXPECT_EQ((std::error_condition{99, next_step_category()}.message()), "unknown next step");
}

TEST(failure, tells_what_each_protocol_said_in_one_line) {
  const endpoint router{ip_address::parse("192.168.1.1").value(), 5351};
  failure why;
  why.reason = errc::not_authorized;
  why.protocols.resize(3);
  why.protocols[0].protocol = protocol::pcp;
  why.protocols[0].reason = errc::not_authorized;
  why.protocols[0].result_code = 2;
  why.protocols[0].server = router;
  why.protocols[0].retry_after = std::chrono::seconds{1'800};
  why.protocols[1].protocol = protocol::nat_pmp;
  why.protocols[1].reason = errc::no_answer;
  why.protocols[1].server = router;
  why.protocols[2].protocol = protocol::upnp;
  why.protocols[2].reason = errc::protocol_excluded;
  EXPECT_EQ(to_string(why.protocols[0]),
            "pcp: the router's settings do not allow it "
            "(192.168.1.1:5351, result 2, not again for 1800 s)");
  EXPECT_EQ(to_string(why),
            "the router's settings do not allow it; "
            "pcp: the router's settings do not allow it "
            "(192.168.1.1:5351, result 2, not again for 1800 s); "
            "nat-pmp: the router did not answer (192.168.1.1:5351); "
            "upnp: the request does not allow this protocol");
  EXPECT_EQ(to_string(failure{}), "no error");
  const failure behind_nat{.reason = errc::network_failure,
                           .protocols = {},
                           .external = ip_address::parse("10.0.0.7").value()};
  EXPECT_EQ(behind_nat.external_class(), address_class::private_address);
  EXPECT_EQ(to_string(behind_nat),
            "the router has no public address of its own: no uplink, or another NAT before it; "
            "the outside address is 10.0.0.7 (private)");
}

}  // namespace
}  // namespace damson
