#include "proto/gena_subscription.hpp"

#include <chrono>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace damson {
namespace {

using namespace std::chrono_literals;

constexpr time_point start{1'000h};
constexpr std::string_view id = "uuid:1";

class gena : public testing::Test {
 protected:
  gena() : tested_(where(), {*ip_address::parse("192.168.1.100"), 49'152}, "/secret", start) {}

  static http_target where() {
    return {{*ip_address::parse("192.168.1.1"), 5'000}, "/evt", "192.168.1.1:5000", "http://x/evt"};
  }

  /// Asks for it, which is granted for ten minutes.
  void subscribe() {
    tested_.ask();
    EXPECT_TRUE(tested_.on_response(200, id, "Second-600", start));
  }

  static event_received event(std::string_view number) {
    event_received out;
    out.method = "NOTIFY";
    out.target = "/secret";
    out.notification_type = "upnp:event";
    out.notification_sub_type = "upnp:propchange";
    out.subscription = id;
    out.sequence = number;
    out.body =
        "<propertyset><property><PortMappingNumberOfEntries>3</PortMappingNumberOfEntries>"
        "</property></propertyset>";
    return out;
  }

  /// "news", "gap", "nothing", or the status of a refusal.
  std::string hear(const event_received& what) {
    const auto heard = tested_.on_event(what);
    if (!heard) return std::to_string(heard.error());
    if (!*heard) return "nothing";
    return (*heard)->is_gap ? "gap" : "news";
  }

  gena_subscription tested_;
};

TEST_F(gena, is_asked_for_at_once_and_renewed_at_half_of_its_time) {
  EXPECT_EQ(tested_.next_due(), start);
  EXPECT_FALSE(tested_.is_held());
  EXPECT_TRUE(tested_.ask().contains("CALLBACK: <http://192.168.1.100:49152/secret>\r\n"));
  EXPECT_TRUE(tested_.is_open());
  EXPECT_EQ(tested_.next_due(), std::nullopt);
  EXPECT_TRUE(tested_.on_response(200, id, "Second-600", start + 1s));
  EXPECT_TRUE(tested_.is_held());
  EXPECT_EQ(tested_.next_due(), start + 301s);
  EXPECT_TRUE(tested_.ask().contains("SID: uuid:1\r\n"));
  EXPECT_TRUE(tested_.on_response(200, "", "Second-600", start + 301s)) << "the name is known";
  EXPECT_EQ(tested_.next_due(), start + 601s);
}

TEST_F(gena, is_asked_for_once_more_after_a_refusal_that_may_pass) {
  for (const std::uint16_t status : {std::uint16_t{412}, std::uint16_t{500}, std::uint16_t{503}}) {
    gena_subscription tested{where(), {}, "/", start};
    tested.ask();
    EXPECT_FALSE(tested.on_response(status, "", "", start));
    EXPECT_EQ(tested.next_due(), start + gena_subscription::refusal_pause) << status;
    tested.ask();
    EXPECT_FALSE(tested.on_response(status, "", "", start));
    EXPECT_EQ(tested.next_due(), std::nullopt) << status;
  }
}

TEST_F(gena, is_not_asked_for_again_after_other_refusals) {
  for (const std::uint16_t status : {std::uint16_t{404}, std::uint16_t{400}, std::uint16_t{302}}) {
    gena_subscription tested{where(), {}, "/", start};
    tested.ask();
    EXPECT_FALSE(tested.on_response(status, id, "Second-600", start));
    EXPECT_EQ(tested.next_due(), std::nullopt) << status;
    EXPECT_FALSE(tested.is_held());
  }
}

TEST_F(gena, is_none_without_a_name) {
  tested_.ask();
  EXPECT_FALSE(tested_.on_response(200, "", "Second-600", start));
  EXPECT_EQ(tested_.next_due(), std::nullopt);
  EXPECT_FALSE(tested_.is_held());
}

TEST_F(gena, is_made_anew_at_once_where_it_was_forgotten) {
  subscribe();
  tested_.ask();
  EXPECT_FALSE(tested_.on_response(412, "", "", start + 300s));
  EXPECT_FALSE(tested_.is_held());
  EXPECT_EQ(tested_.next_due(), start + 300s);
  EXPECT_TRUE(tested_.ask().contains("CALLBACK"));
  EXPECT_FALSE(tested_.on_response(412, "", "", start + 300s));
  EXPECT_EQ(tested_.next_due(), std::nullopt) << "once";
}

TEST_F(gena, is_never_asked_for_again_after_silence) {
  tested_.ask();
  tested_.on_silence(start + 3s);
  EXPECT_EQ(tested_.next_due(), std::nullopt);
}

TEST_F(gena, is_renewed_once_more_after_silence) {
  subscribe();
  tested_.ask();
  tested_.on_silence(start + 300s);
  EXPECT_EQ(tested_.next_due(), start + 450s) << "half of what is left";
  EXPECT_EQ(hear(event("0")), "news") << "it lives until its end";
  tested_.ask();
  tested_.on_silence(start + 450s);
  EXPECT_EQ(tested_.next_due(), std::nullopt);
}

TEST_F(gena, is_due_again_when_it_was_broken_off) {
  tested_.ask();
  tested_.on_broken_off(start + 1s);
  EXPECT_EQ(tested_.next_due(), start + 1s);
  EXPECT_FALSE(tested_.is_open());
}

TEST_F(gena, is_ended_by_its_name) {
  subscribe();
  EXPECT_TRUE(tested_.end().contains("SID: uuid:1\r\n"));
  EXPECT_FALSE(tested_.is_held());
  EXPECT_EQ(tested_.next_due(), std::nullopt);
  EXPECT_EQ(hear(event("0")), "412");
}

TEST_F(gena, hears_what_is_its_own) {
  EXPECT_EQ(hear(event("0")), "412") << "nothing was asked for";
  subscribe();
  auto other = event("0");
  other.subscription = "uuid:2";
  EXPECT_EQ(hear(other), "412");
  other.subscription = "";
  EXPECT_EQ(hear(other), "412");
  other = event("0");
  other.target = "/";
  EXPECT_EQ(hear(other), "404");
  other = event("0");
  other.method = "POST";
  EXPECT_EQ(hear(other), "405");
  other = event("0");
  other.notification_type = "upnp:rumour";
  EXPECT_EQ(hear(other), "412");
  EXPECT_EQ(hear(event("0")), "news");
  other = event("1");
  other.body = "<html/>";
  EXPECT_EQ(hear(other), "nothing");
  EXPECT_EQ(hear(event("1")), "news") << "what could not be read is not counted";
}

TEST_F(gena, hears_the_first_event_before_its_own_name) {
  tested_.ask();
  auto nameless = event("0");
  nameless.subscription = "";
  EXPECT_EQ(hear(nameless), "412");
  EXPECT_EQ(hear(event("0")), "news");
  EXPECT_TRUE(tested_.on_response(200, id, "Second-600", start));
  EXPECT_EQ(hear(event("1")), "news") << "and goes on from there";
}

TEST_F(gena, takes_numbers_for_a_hint_of_what_is_missing) {
  subscribe();
  EXPECT_EQ(hear(event("0")), "news");
  EXPECT_EQ(hear(event("1")), "news");
  EXPECT_EQ(hear(event("3")), "gap");
  EXPECT_EQ(hear(event("2")), "nothing") << "overtaken";
  EXPECT_EQ(hear(event("3")), "nothing") << "once more";
  EXPECT_EQ(hear(event("4")), "news");
  EXPECT_EQ(hear(event("")), "news") << "there are routers that do not count";
  EXPECT_EQ(hear(event("5")), "news");
}

TEST_F(gena, begins_with_a_gap_where_the_first_event_was_lost) {
  subscribe();
  EXPECT_EQ(hear(event("1")), "gap");
}

TEST_F(gena, counts_on_from_one_after_the_last_number) {  // UDA 1.0 section 4.2.1
  subscribe();
  EXPECT_EQ(hear(event("2147483647")), "gap");
  EXPECT_EQ(hear(event("4294967295")), "gap");
  EXPECT_EQ(hear(event("1")), "news");
  EXPECT_EQ(hear(event("4294967295")), "nothing");
  EXPECT_EQ(hear(event("2")), "news");
}

TEST_F(gena, counts_anew_in_each_subscription) {
  subscribe();
  EXPECT_EQ(hear(event("0")), "news");
  EXPECT_EQ(hear(event("1")), "news");
  tested_.ask();
  EXPECT_TRUE(tested_.on_response(200, id, "Second-600", start + 300s));
  EXPECT_EQ(hear(event("2")), "news") << "a renewal changes nothing";
  tested_.ask();
  EXPECT_FALSE(tested_.on_response(412, "", "", start + 600s));
  tested_.ask();
  EXPECT_EQ(hear(event("0")), "news");
}

}  // namespace
}  // namespace damson
