// Who is there, without a mapping.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <utility>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/error.hpp>

#include "client_fixture.hpp"
#include "new_network.hpp"

namespace damson {
namespace {

namespace asio = boost::asio;
using testing::IsEmpty;
using testing::SizeIs;

class discover_test : public client_fixture {
 protected:
  struct outcome {
    error_code error;
    discovery found;
  };

  outcome discover(client& by, protocol_filter protocols) {
    std::optional<outcome> result;
    by.async_discover(protocols, [&](error_code error, discovery found) {
      result.emplace(error, std::move(found));
    });
    EXPECT_FALSE(result) << "never from within";
    EXPECT_TRUE(run_until([&] { return result.has_value(); }));
    return result.value_or(outcome{nothing_came(), {}});
  }
};

TEST_F(discover_test, tells_who_is_there) {
  test_router router;
  client client{*io_, router.options()};
  const auto [error, found] = discover(client, protocol_filter::pcp);
  EXPECT_FALSE(error) << error.message();
  EXPECT_EQ(found.gateway, router.address());
  EXPECT_EQ(found.local, (ip_address{ip_address::v4_bytes{127, 0, 0, 1}}));
  EXPECT_EQ(found.external, router_public_address);
  ASSERT_FALSE(found.protocols.empty());
  EXPECT_EQ(found.protocols[0].protocol, protocol::pcp);
  EXPECT_EQ(found.protocols[0].standing, protocol_standing::answered);
  EXPECT_THAT(router.rules(), IsEmpty()) << "no mapping is made";
  EXPECT_EQ(client.active_count(), 0U);
  ASSERT_TRUE(run_out()) << "nothing is left to do";
}

TEST_F(discover_test, tells_why_somebody_is_not) {
  const test_router router{closed_router()};
  client client{*io_, router.options()};
  const auto [error, found] = discover(client, protocol_filter::pcp);
  EXPECT_FALSE(error) << error.message();
  EXPECT_EQ(found.gateway, router.address());
  ASSERT_THAT(found.protocols, SizeIs(2));
  for (const auto& each : found.protocols) {
    EXPECT_EQ(each.standing, protocol_standing::failed);
    ASSERT_TRUE(each.why);
    EXPECT_EQ(each.why->reason, errc::port_closed);
  }
}

TEST_F(discover_test, tells_that_there_is_no_router) {
  DAMSON_RUN_IN_NEW_NETWORK([this] {
    client client{*io_};
    const auto [error, found] = discover(client, protocol_filter::any);
    EXPECT_TRUE(error == errc::no_gateway) << error.message();
    EXPECT_EQ(found.gateway, ip_address{});
    EXPECT_THAT(found.protocols, IsEmpty());
    ASSERT_TRUE(run_out());
  });
}

TEST_F(discover_test, several_may_be_under_way) {
  const test_router router;
  client client{*io_, router.options()};
  int completed = 0;
  for (int each = 0; each < 3; ++each) {
    client.async_discover(protocol_filter::pcp, [&](error_code error, const discovery& found) {
      EXPECT_FALSE(error) << error.message();
      EXPECT_EQ(found.gateway, router.address());
      ++completed;
    });
  }
  ASSERT_TRUE(run_until([&] { return completed == 3; }));
}

TEST_F(discover_test, keeps_the_context_running_until_it_is_cancelled) {
  const silent_router router;
  client client{*io_, router.options()};
  for (const auto type : {asio::cancellation_type::terminal, asio::cancellation_type::partial,
                          asio::cancellation_type::total}) {
    asio::cancellation_signal signal;
    std::optional<error_code> told;
    client.async_discover(
        protocol_filter::pcp,
        asio::bind_cancellation_slot(signal.slot(),
                                     [&](error_code error, const discovery&) { told = error; }));
    EXPECT_TRUE(has_work());
    ASSERT_FALSE(told);
    signal.emit(type);
    EXPECT_FALSE(told) << "never from within";
    const auto begin = std::chrono::steady_clock::now();
    ASSERT_TRUE(run_out());
    ASSERT_TRUE(told);
    EXPECT_EQ(*told, asio::error::operation_aborted);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds{1});
  }
}

TEST_F(discover_test, ends_when_its_client_closes) {
  const silent_router router;
  std::optional<client> client{std::in_place, *io_, router.options()};
  std::optional<error_code> told;
  client->async_discover(protocol_filter::pcp,
                         [&](error_code error, const discovery&) { told = error; });
  io_->poll();
  client.reset();
  const auto begin = std::chrono::steady_clock::now();
  ASSERT_TRUE(run_out());
  ASSERT_TRUE(told);
  EXPECT_TRUE(*told == errc::closed) << told->message();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds{1});
}

TEST_F(discover_test, is_refused_by_a_closed_client) {
  const test_router router;
  client client{*io_, router.options()};
  client.async_close([](error_code) {});
  EXPECT_TRUE(discover(client, protocol_filter::any).error == errc::closed);
}

}  // namespace
}  // namespace damson
