#include "cli/endpoint_text.hpp"

#include <gtest/gtest.h>

namespace damson::cli {
namespace {

TEST(endpoint_text, reads_an_address_and_a_port) {
  for (const char* const text : {"192.0.2.1:80", "[2001:db8::1]:80", "192.0.2.1:65535"}) {
    const auto read = parse_endpoint(text);
    ASSERT_TRUE(read) << text;
    EXPECT_EQ(to_string(*read), text);
  }
}

TEST(endpoint_text, takes_the_usual_port_where_there_is_one) {
  EXPECT_EQ(to_string(parse_endpoint("192.0.2.1", 3478).value()), "192.0.2.1:3478");
  EXPECT_EQ(to_string(parse_endpoint("2001:db8::1", 3478).value()), "[2001:db8::1]:3478");
  EXPECT_EQ(to_string(parse_endpoint("[2001:db8::1]", 3478).value()), "[2001:db8::1]:3478");
  EXPECT_EQ(to_string(parse_endpoint("192.0.2.1:80", 3478).value()), "192.0.2.1:80");
  EXPECT_FALSE(parse_endpoint("192.0.2.1"));
  EXPECT_FALSE(parse_endpoint("2001:db8::1"));
  EXPECT_FALSE(parse_endpoint("[2001:db8::1]"));
}

TEST(endpoint_text, refuses_everything_else) {
  for (const char* const text :
       {"", ":", ":80", "192.0.2.1:", "192.0.2.1:0", "192.0.2.1:65536", "192.0.2.1:80x",
        "192.0.2.1: 80", "stun.example:80", "[192.0.2.1]:80", "[2001:db8::1", "[2001:db8::1]80",
        "[]:80", "0.0.0.0:80", "224.0.0.1:80", "[::]:80", "[ff02::1]:80"}) {
    EXPECT_FALSE(parse_endpoint(text, 3478)) << text;
  }
}

}  // namespace
}  // namespace damson::cli
