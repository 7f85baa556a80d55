// Which address of this host the router sees.

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include <boost/system/system_error.hpp>

#include <damson/client.hpp>

#include "new_network.hpp"
#include "test_router.hpp"

namespace damson {
namespace {

ip_address address(std::string_view text) { return ip_address::parse(text).value(); }

void lay_cable(const std::string& near, const std::string& far) {
  ip({"link", "add", near, "type", "veth", "peer", "name", far});
  ip({"link", "set", near, "up"});
  ip({"link", "set", far, "up"});
}

void is_the_one_on_the_way_to_the_router() {
  lay_cable("near", "far");
  lay_cable("near2", "far2");
  ip({"addr", "add", "192.168.77.10/24", "dev", "near"});
  ip({"addr", "add", "192.168.78.10/24", "dev", "near2"});
  ip({"route", "add", "default", "via", "192.168.78.1", "metric", "200"});
  ip({"route", "add", "default", "via", "192.168.77.1", "metric", "100"});
  error_code error = make_error_code(errc::busy);
  EXPECT_EQ(local_address({}, error), address("192.168.77.10"));
  EXPECT_FALSE(error) << error.message();
  EXPECT_EQ(local_address(), address("192.168.77.10"));

  options given;
  given.gateway = address("192.168.78.1");
  EXPECT_EQ(local_address(given), address("192.168.78.10")) << "towards the given router";
  given.local_address = address("192.168.78.99");
  EXPECT_EQ(local_address(given), address("192.168.78.99")) << "as given";
}

void is_the_public_one_where_no_router_is() {
  lay_cable("near", "far");
  ip({"addr", "add", "1.2.3.4/24", "dev", "near"});
  ip({"route", "add", "default", "dev", "near"});
  EXPECT_EQ(local_address(), address("1.2.3.4"));
}

void is_none_without_a_way_out() {
  lay_cable("near", "far");
  ip({"addr", "add", "192.168.77.10/24", "dev", "near"});
  error_code error;
  EXPECT_EQ(local_address({}, error), ip_address{});
  EXPECT_TRUE(error == errc::no_gateway) << error.message();
  try {
    static_cast<void>(local_address());
    ADD_FAILURE() << "there is one";
  } catch (const boost::system::system_error& thrown) {
    EXPECT_TRUE(thrown.code() == errc::no_gateway);
  }
  options unreachable;
  unreachable.gateway = address("10.9.8.7");
  EXPECT_EQ(local_address(unreachable, error), ip_address{});
  EXPECT_TRUE(error == errc::network_down) << error.message();
}

TEST(local_address, is_the_one_on_the_way_to_the_router) {
  DAMSON_RUN_IN_NEW_NETWORK(is_the_one_on_the_way_to_the_router);
}

TEST(local_address, is_the_public_one_where_no_router_is) {
  DAMSON_RUN_IN_NEW_NETWORK(is_the_public_one_where_no_router_is);
}

TEST(local_address, is_none_without_a_way_out) {
  DAMSON_RUN_IN_NEW_NETWORK(is_none_without_a_way_out);
}

TEST(local_address, sends_nothing) {
  const silent_router router;
  EXPECT_EQ(local_address(router.options()), address("127.0.0.1"));
  EXPECT_FALSE(router.was_asked());
}

}  // namespace
}  // namespace damson
