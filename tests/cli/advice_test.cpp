#include "cli/advice.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string_view>

namespace damson::cli {
namespace {

// The compiler warns about an enumerator that the switch forgets; this says that the words are any
// good.
TEST(advice, has_a_name_and_a_hint_for_every_code) {
  constexpr auto first = static_cast<unsigned>(errc::no_gateway);
  constexpr auto last = static_cast<unsigned>(errc::closed);
  std::set<std::string_view> names;
  for (unsigned value = first; value <= last; ++value) {
    const auto code = static_cast<errc>(value);
    const std::string_view name = name_of(code);
    const std::string_view hint = advice_for(code);
    SCOPED_TRACE(value);
    EXPECT_FALSE(name.empty());
    EXPECT_EQ(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_"), std::string_view::npos);
    EXPECT_TRUE(names.insert(name).second) << name << " stands for two codes";
    ASSERT_FALSE(hint.empty());
    EXPECT_LE(hint.size(), 120U);
    EXPECT_NE(hint.back(), '.');
    EXPECT_EQ(hint.find('\n'), std::string_view::npos);
  }
}

TEST(advice, has_nothing_for_values_that_are_no_code) {
  for (const unsigned value : {0U, static_cast<unsigned>(errc::closed) + 1, 255U}) {
    EXPECT_EQ(name_of(static_cast<errc>(value)), "");
    EXPECT_EQ(advice_for(static_cast<errc>(value)), "");
  }
}

TEST(advice, names_are_the_enumerators) {
  EXPECT_EQ(name_of(errc::no_gateway), "no_gateway");
  EXPECT_EQ(name_of(errc::port_closed), "port_closed");
  EXPECT_EQ(name_of(errc::external_not_available), "external_not_available");
  EXPECT_EQ(name_of(errc::closed), "closed");
}

TEST(advice, does_not_blame_the_router_for_what_this_version_lacks) {
  protocol_failure upnp;
  upnp.protocol = protocol::upnp;
  upnp.reason = errc::not_supported;
  protocol_failure pcp = upnp;
  pcp.protocol = protocol::pcp;
  EXPECT_EQ(explanation_of(upnp), "this version of damson does not speak UPnP");
  EXPECT_EQ(explanation_of(pcp), describe(errc::not_supported));
  EXPECT_EQ(advice_for({.reason = errc::not_supported, .protocols = {upnp}}), "--protocol any");
  EXPECT_EQ(advice_for({.reason = errc::not_supported, .protocols = {pcp, upnp}}),
            advice_for(errc::not_supported));
}

}  // namespace
}  // namespace damson::cli
