// A program that knows that the network is another one.

#include <gtest/gtest.h>

#include <optional>
#include <utility>

#include "client_fixture.hpp"
#include "new_network.hpp"

namespace damson {
namespace {

using network_changed_test = client_fixture;

TEST_F(network_changed_test, is_looked_at_at_once) {
  DAMSON_RUN_IN_NEW_NETWORK([this] {
    ip({"link", "add", "near", "type", "veth", "peer", "name", "far"});
    for (const char* end : {"near", "far"}) ip({"link", "set", end, "up"});
    ip({"addr", "add", "192.168.77.10/24", "dev", "near"});
    client client{*io_};
    auto handle = client.keep_open(request_for_8080);
    auto told = next_event(handle);
    EXPECT_EQ(told.event.kind, event_kind::failed);
    EXPECT_EQ(told.event.why.reason, errc::no_gateway);

    // With a public address there is no router to ask, and no need to.
    ip({"addr", "add", "1.2.3.4/24", "dev", "near"});
    ip({"route", "add", "default", "dev", "near", "src", "1.2.3.4"});
    const auto begin = std::chrono::steady_clock::now();
    client.network_changed();
    told = next_event(handle);
    EXPECT_EQ(told.event.kind, event_kind::mapped);
    EXPECT_EQ(told.event.info.protocol, protocol::direct);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds{3});
  });
}

TEST_F(network_changed_test, is_of_no_matter_to_idle_and_closed_clients) {
  const test_router router;
  client client{*io_, router.options()};
  client.network_changed();
  ASSERT_TRUE(run_out()) << "it does not keep the context running";
  auto handle = map(client, pcp_for(8080)).mapping;
  ASSERT_TRUE(handle);
  client.network_changed();
  handle = mapping{};
  ASSERT_TRUE(run_out());
  client.async_close([](error_code) {});
  client.network_changed();
  ASSERT_TRUE(run_out());
  client.network_changed();
  ASSERT_TRUE(run_out());
  io_.reset();
  client.network_changed();
}

}  // namespace
}  // namespace damson
