// The commands of the control socket, without the socket.

#include "cli/router_control.hpp"

#include <gmock/gmock.h>

#include <chrono>
#include <ostream>
#include <string>

#include <boost/json.hpp>

#include <damson/testing.hpp>

namespace damson::cli {
namespace {

namespace json = boost::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

json::object reply(test_router& router, const std::string& line) {
  const std::string text = obey(router, line);
  EXPECT_THAT(text, Not(HasSubstr("\n")));
  return json::parse(text).as_object();
}

json::object accepted(test_router& router, const std::string& line) {
  json::object out = reply(router, line);
  EXPECT_TRUE(out.at("ok").as_bool()) << line << ": " << json::serialize(out);
  return out;
}

std::string text(const json::object& from, std::string_view name) {
  return json::value_to<std::string>(from.at(name));
}

TEST(router_control, tells_where_the_router_is) {
  test_router router{"all"};
  const std::string address = to_string(router.address());
  const json::object status = accepted(router, "status");
  EXPECT_EQ(text(status, "profile"), "all");
  EXPECT_EQ(text(status, "address"), address);
  EXPECT_EQ(text(status, "mapping"), address + ":5351");
  EXPECT_EQ(text(status, "description_url"), router.description_url());
  EXPECT_EQ(text(status, "public_address"), "1.2.3.4");
  EXPECT_TRUE(status.at("plugged").as_bool());
}

TEST(router_control, shows_and_forgets_mappings) {
  test_router router{"strict"};
  json::array open = accepted(router, "occupy tcp 8080 192.0.2.9:80").at("mappings").as_array();
  ASSERT_THAT(open, SizeIs(1));
  EXPECT_EQ(json::serialize(open[0]),
            R"({"transport":"tcp","external_port":8080,"internal":"192.0.2.9:80",)"
            R"("protocol":null,"time_left":null,"description":""})");
  EXPECT_EQ(accepted(router, "mappings").at("mappings").as_array(), open);
  EXPECT_THAT(accepted(router, "forget tcp 8080").at("mappings").as_array(), IsEmpty());
  accepted(router, "forget all");
}

TEST(router_control, does_to_the_router_what_it_says) {
  test_router router{"all"};
  const std::string url = router.description_url();
  EXPECT_NE(text(accepted(router, "reboot"), "description_url"), url) << "the web server moves";
  accepted(router, "reboot keep");
  EXPECT_EQ(text(accepted(router, "address 203.0.113.9"), "public_address"), "203.0.113.9");
  EXPECT_TRUE(accepted(router, "address none").at("public_address").is_null());
  EXPECT_EQ(router.public_address(), std::nullopt);
  EXPECT_TRUE(accepted(router, "stop mapping").at("mapping").is_null());
  EXPECT_EQ(router.mapping_port(), 0);
  EXPECT_FALSE(accepted(router, "start mapping").at("mapping").is_null());
  EXPECT_TRUE(accepted(router, "stop web").at("description_url").is_null());
  accepted(router, "stop search");
  accepted(router, "start search");
  EXPECT_FALSE(accepted(router, "start web").at("description_url").is_null());
  EXPECT_FALSE(accepted(router, "unplug").at("plugged").as_bool());
  EXPECT_FALSE(router.is_plugged());
  EXPECT_TRUE(accepted(router, "plug").at("plugged").as_bool());
  EXPECT_EQ(text(accepted(router, "profile nat-pmp-only"), "profile"), "nat-pmp-only");
  EXPECT_EQ(router.profile(), "nat-pmp-only");
}

TEST(router_control, tells_what_was_wrong_and_what_was_counted) {
  test_router router;
  EXPECT_THAT(accepted(router, "complaints").at("complaints").as_array(), IsEmpty());
  const json::object traffic = accepted(router, "traffic");
  for (const char* const name : {"pcp_requests", "nat_pmp_requests", "other_requests", "searches",
                                 "http_requests", "datagrams_sent", "unheard"}) {
    EXPECT_EQ(traffic.at(name).to_number<int>(), 0) << name;
  }
}

TEST(router_control, names_every_command_there_is) {
  test_router router;
  const json::array all = accepted(router, "help").at("commands").as_array();
  for (const json::value& each : all) {
    const std::string usage = json::value_to<std::string>(each);
    const std::string reply = obey(router, usage.substr(0, usage.find(' ')));
    EXPECT_THAT(reply, Not(HasSubstr("there is no command"))) << usage;
  }
  EXPECT_THAT(all, SizeIs(14));
}

TEST(router_control, passes_over_blanks) {
  test_router router;
  accepted(router, "  address \t 203.0.113.9 \r");
  EXPECT_EQ(to_string(router.public_address().value()), "203.0.113.9");
}

struct wrong_command {
  const char* line;
  const char* error;
};

std::ostream& operator<<(std::ostream& out, const wrong_command& what) { return out << what.line; }

class wrong_control : public ::testing::TestWithParam<wrong_command> {};

TEST_P(wrong_control, gets_an_error_and_changes_nothing) {
  test_router router;
  router.occupy(transport::tcp, 80, {ip_address{ip_address::v4_bytes{192, 0, 2, 9}}, 80});
  const std::string status = obey(router, "status");
  const std::string mappings = obey(router, "mappings");
  const json::object out = reply(router, GetParam().line);
  EXPECT_FALSE(out.at("ok").as_bool());
  EXPECT_THAT(text(out, "error"), HasSubstr(GetParam().error));
  EXPECT_EQ(obey(router, "status"), status);
  EXPECT_EQ(obey(router, "mappings"), mappings);
}

INSTANTIATE_TEST_SUITE_P(
    table, wrong_control,
    ::testing::Values(
        wrong_command{"", "the line is empty; try 'help'"},
        wrong_command{"restart", "there is no command 'restart'; try 'help'"},
        wrong_command{"\xff\xfe\x01", "there is no command '"},
        wrong_command{"status now", "the command is: status"},
        wrong_command{"reboot later", "reboot takes nothing or 'keep', not 'later'"},
        wrong_command{"address", "the command is: address ADDRESS|none"},
        wrong_command{"address 1.2.3", "an address must be IPv4"},
        wrong_command{"address ::1", "an address must be IPv4"},
        wrong_command{"address 224.0.0.1", "the public address must be an IPv4 address"},
        wrong_command{"stop everything", "the service must be mapping, search or web"},
        wrong_command{"profile upnp-onli", "the nearest are upnp-only"},
        wrong_command{"profile natpmp", "the nearest are nat-pmp-only"},
        wrong_command{"forget", "the command is: forget tcp|udp PORT, or all"},
        wrong_command{"forget some", "forget needs 'all', or a transport and an external port"},
        wrong_command{"forget tcp 81", "there is no mapping of tcp 81"},
        wrong_command{"forget udp 80", "there is no mapping of udp 80"},
        wrong_command{"forget sctp 80", "the transport must be tcp or udp, not 'sctp'"},
        wrong_command{"forget tcp 65616", "a port must be a whole number from 1 to 65535"},
        wrong_command{"occupy tcp 81 192.0.2.1", "a host's port must be ADDRESS:PORT"},
        wrong_command{"occupy tcp 0 192.0.2.1:80", "not '0'"}));

}  // namespace
}  // namespace damson::cli
