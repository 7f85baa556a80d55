// Unit tests of a program that opens a port: each has a simulated router of its own, on loopback.

#include <chrono>

#include <gtest/gtest.h>

#include <damson/damson.hpp>
#include <damson/testing.hpp>

namespace {

using namespace std::chrono_literals;

/// The program that is tested. It can be told where the router is.
struct server {
  explicit server(const damson::ip_address& router) : client({.gateway = router}) {}

  damson::client client;
  damson::mapping port = client.keep_open({.internal_port = 8080});
};

TEST(server, opens_its_port) {
  const damson::test_router router{"nat-pmp-only"};
  const server tested{router.address()};
  ASSERT_TRUE(router.wait_for_mappings(1, 10s));
  EXPECT_EQ(router.mappings().front().external_port, 8080);
}

TEST(server, is_reachable_again_after_the_router_has_restarted) {
  damson::test_router router;
  const server tested{router.address()};
  ASSERT_TRUE(router.wait_for_mappings(1, 10s));
  router.reboot();
  EXPECT_TRUE(router.wait_for_mappings(1, 30s));
}

TEST(server, gives_its_port_back) {
  const damson::test_router router{"upnp-only"};
  {
    const server tested{router.address()};
    ASSERT_TRUE(router.wait_for_mappings(1, 10s));
  }
  EXPECT_TRUE(router.mappings().empty());
}

}  // namespace
