#include "cli/advice.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>
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

protocol_failure tried(protocol which, errc reason, const char* server = "192.0.2.1") {
  return {.protocol = which,
          .reason = reason,
          .result_code = {},
          .server = {.address = ip_address::parse(server).value(), .port = 5351},
          .retry_after = {}};
}

protocol_failure without_server(protocol which, errc reason) {
  return {.protocol = which, .reason = reason, .result_code = {}, .server = {}, .retry_after = {}};
}

TEST(advice, tells_a_search_that_found_nothing_from_a_device_that_says_no) {
  EXPECT_EQ(explanation_of(without_server(protocol::upnp, errc::no_answer)),
            "no device answered the search");
  EXPECT_EQ(explanation_of(without_server(protocol::upnp, errc::not_supported)),
            "no device that answered can map ports");
  EXPECT_EQ(explanation_of(without_server(protocol::upnp, errc::unusable_answer)),
            "no device that answered made sense");
  for (const errc reason : {errc::no_answer, errc::not_supported, errc::unusable_answer}) {
    EXPECT_EQ(explanation_of(tried(protocol::upnp, reason)), describe(reason));
    EXPECT_EQ(explanation_of(without_server(protocol::pcp, reason)), describe(reason));
  }
}

TEST(advice, says_of_a_protocol_that_nobody_asked_that_nobody_did) {
  EXPECT_EQ(explanation_of(tried(protocol::nat_pmp, errc::not_tried)), "it was not asked");
}

TEST(advice, doubts_the_address_where_all_is_silent) {
  const failure silence{.reason = errc::no_answer,
                        .protocols = {tried(protocol::pcp, errc::no_answer),
                                      tried(protocol::nat_pmp, errc::no_answer),
                                      without_server(protocol::upnp, errc::no_answer)}};
  EXPECT_EQ(advice_for(silence, protocol_filter::any, true),
            "check that --gateway is a router's address and that it is on, or switch on UPnP, PCP "
            "or NAT-PMP in its settings");
  EXPECT_EQ(advice_for(silence, protocol_filter::any, false),
            "check that the router is on, or switch on UPnP, PCP or NAT-PMP in its settings, or "
            "--gateway ADDRESS");
  const failure too_short{.reason = errc::timed_out, .protocols = silence.protocols};
  EXPECT_EQ(advice_for(too_short, protocol_filter::any, true),
            "a longer --timeout, or check that --gateway is a router's address and that it is on");
  EXPECT_EQ(advice_for(too_short, protocol_filter::any, false), advice_for(errc::timed_out));
  const failure unreachable{.reason = errc::network_down,
                            .protocols = {tried(protocol::pcp, errc::network_down)}};
  EXPECT_EQ(advice_for(unreachable, protocol_filter::any, true),
            "check that --gateway is a router's address and that it is on, or this host's network "
            "and firewall");
  EXPECT_EQ(advice_for(unreachable, protocol_filter::any, false), advice_for(errc::network_down));
}

TEST(advice, trusts_the_address_where_somebody_refuses) {
  const failure refused{.reason = errc::port_closed,
                        .protocols = {tried(protocol::pcp, errc::port_closed),
                                      without_server(protocol::upnp, errc::no_answer)}};
  EXPECT_EQ(advice_for(refused, protocol_filter::any, false), advice_for(errc::port_closed));
  EXPECT_EQ(advice_for(refused, protocol_filter::any, true),
            "switch on UPnP, PCP or NAT-PMP in the router's settings, or another --gateway "
            "ADDRESS");
  const failure too_short{.reason = errc::timed_out, .protocols = refused.protocols};
  EXPECT_EQ(advice_for(too_short, protocol_filter::any, true), advice_for(errc::timed_out));
}

TEST(advice, offers_the_other_protocols_only_where_they_were_left_out) {
  const failure refused{.reason = errc::port_closed,
                        .protocols = {tried(protocol::pcp, errc::port_closed)}};
  const auto first_words = [&](protocol_filter asked) {
    return advice_for(refused, asked, false).substr(0, 43);
  };
  EXPECT_EQ(first_words(protocol_filter::pcp), "--protocol any, switch on PCP or NAT-PMP in");
  EXPECT_EQ(first_words(protocol_filter::upnp), "--protocol any, switch on UPnP in the route");
  EXPECT_EQ(first_words(protocol_filter::pcp_only), "--protocol any, switch on PCP in the router");
  EXPECT_EQ(first_words(protocol_filter::nat_pmp_only),
            "--protocol any, switch on NAT-PMP in the ro");

  const failure unknown{.reason = errc::not_supported,
                        .protocols = {without_server(protocol::upnp, errc::not_supported)}};
  EXPECT_EQ(advice_for(unknown, protocol_filter::upnp, false),
            "--protocol any, or newer firmware for the router");
  EXPECT_EQ(advice_for(unknown, protocol_filter::any, false), "newer firmware for the router");
}

TEST(advice, names_the_option_that_forbids_what_the_router_can_do) {
  const failure refused{.reason = errc::lease_not_supported,
                        .protocols = {tried(protocol::upnp, errc::lease_not_supported)}};
  EXPECT_EQ(advice_for(refused, protocol_filter::any, false),
            "the same without --no-permanent; it then stays until it is deleted");
}

}  // namespace
}  // namespace damson::cli
