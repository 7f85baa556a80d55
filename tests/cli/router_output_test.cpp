#include "cli/router_output.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace damson::cli {
namespace {

using namespace std::chrono_literals;

router_entry entry() {
  return {.name = {transport::tcp, 8080, ""},
          .internal = {*ip_address::parse("192.168.1.20"), 80},
          .description = "web",
          .lease = 3512s};
}

router_entry odd_entry() {
  return {.name = {transport::udp, 51820, "203.0.113.5"},
          .internal = {ip_address{}, 9},
          .enabled = false,
          .description = "a\\x1b[2Jb"};
}

TEST(router_output, lists_entries_in_a_table) {
  EXPECT_EQ(human_table({entry(), odd_entry()}),
            "     OUTSIDE  INSIDE           FROM         LEASE      DESCRIPTION\n"
            "tcp  8080     192.168.1.20:80  anybody      3512 s     web\n"
            "udp  51820    ?:9 (off)        203.0.113.5  none told  a\\x1b[2Jb");
  EXPECT_EQ(human_table({}), "the router has no entries");
}

TEST(router_output, says_what_was_deleted) {
  EXPECT_EQ(human_deleted(entry()), "tcp 8080 is deleted: it led to 192.168.1.20:80 (\"web\")");
  EXPECT_EQ(human_deleted({.name = {transport::udp, 9, "203.0.113.5"}}),
            "udp 9 for 203.0.113.5 is deleted");
}

TEST(router_output, says_what_the_router_told_of_itself) {
  router_status status;
  status.server = {*ip_address::parse("192.168.1.1"), 5000};
  status.connection = "Connected";
  status.uptime = 60s;
  status.bytes_sent = 7;
  EXPECT_EQ(human_text(status),
            "router            192.168.1.1:5000\n"
            "outside address   not told\n"
            "connection        Connected\n"
            "up for            60 s\n"
            "bytes sent        7");
}

TEST(router_output, says_what_went_wrong) {
  question_failure what{
      .asked = router_questions::delete_entry{{transport::tcp, 80, ""}},
      .why = {.reason = errc::mapping_gone,
              .protocols = {{.protocol = protocol::upnp,
                             .reason = errc::mapping_gone,
                             .result_code = 714,
                             .router_text = "NoSuchEntryInArray",
                             .server = {*ip_address::parse("192.168.1.1"), 5000}}}}};
  EXPECT_EQ(human_line(what),
            "damson: could not delete tcp 80 at 192.168.1.1: it has no such entry, error 714 "
            "(\"NoSuchEntryInArray\"). Try: damson list");
  what.interrupted = true;
  EXPECT_EQ(human_line(what),
            "damson: interrupted before it could delete tcp 80. Try: the same again");
  EXPECT_EQ(json_line(what), R"({"event":"failed","reason":"interrupted","reasons":[]})");
  const question_failure nobody{.asked = router_questions::list_entries{},
                                .why = {.reason = errc::no_gateway, .protocols = {}}};
  EXPECT_TRUE(human_line(nobody).starts_with("damson: could not list what the router has open: "));
}

TEST(router_output, is_an_object_a_line) {
  EXPECT_EQ(json_line(entry(), "entry"),
            R"({"event":"entry","transport":"tcp","external_port":8080,"remote_host":null,)"
            R"("internal":"192.168.1.20:80","enabled":true,"lease":3512,"description":"web"})");
  EXPECT_EQ(json_line(odd_entry(), "deleted"),
            R"({"event":"deleted","transport":"udp","external_port":51820,)"
            R"("remote_host":"203.0.113.5","internal":"0.0.0.0:9","enabled":false,"lease":null,)"
            R"("description":"a\\x1b[2Jb"})");
  router_status status;
  status.external = *ip_address::parse("100.64.0.1");
  status.bytes_received = 18'446'744'073'709'551'615U;
  EXPECT_EQ(json_line(status),
            R"({"event":"status","server":null,"external_address":"100.64.0.1",)"
            R"("external_class":"cgnat","connection":null,"last_error":null,"uptime":null,)"
            R"("link":null,"access":null,"upstream_bits_per_second":null,)"
            R"("downstream_bits_per_second":null,"bytes_sent":null,)"
            R"("bytes_received":18446744073709551615,"packets_sent":null,)"
            R"("packets_received":null})");
}

}  // namespace
}  // namespace damson::cli
