// What a client asks its router, on real sockets.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <utility>
#include <vector>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/use_future.hpp>

#include "client_fixture.hpp"

namespace damson {
namespace {

namespace asio = boost::asio;
using testing::IsEmpty;
using testing::SizeIs;

sim::profile upnp_only() {
  sim::profile how;
  how.speaks_pcp = how.speaks_nat_pmp = false;
  how.speaks_upnp = true;
  return how;
}

class router_question_test : public client_fixture {
 protected:
  template <class Result>
  struct outcome {
    error_code error;
    Result result;
  };

  /// Runs until what `begin` started is done.
  template <class Result, class Begin>
  outcome<Result> ask(const Begin& begin) {
    std::optional<outcome<Result>> out;
    begin([&](error_code error, Result result) { out.emplace(error, std::move(result)); });
    EXPECT_FALSE(out) << "never from within";
    EXPECT_TRUE(run_until([&] { return out.has_value(); }));
    return out.value_or(outcome<Result>{nothing_came(), {}});
  }

  using entries = std::vector<router_entry>;
};

constexpr router_entry_name tcp(std::uint16_t port) {
  return {.transport = transport::tcp, .external_port = port};
}

TEST_F(router_question_test, tells_and_deletes_what_is_there) {
  test_router router{upnp_only()};
  client client{*io_, router.options()};
  const map_result opened = map(client, request_for_8080);
  ASSERT_FALSE(opened.error) << opened.error.message();

  const auto all = ask<entries>([&](auto done) { client.async_list_entries(done); });
  EXPECT_FALSE(all.error) << all.error.message();
  ASSERT_THAT(all.result, SizeIs(1));
  EXPECT_EQ(all.result[0].internal.port, 8080);

  const router_entry_name name = all.result[0].name;
  const auto one = ask<router_entry>([&](auto done) { client.async_find_entry(name, done); });
  EXPECT_FALSE(one.error) << one.error.message();
  EXPECT_EQ(one.result, all.result[0]);

  const auto status = ask<router_status>([&](auto done) { client.async_read_status(done); });
  EXPECT_FALSE(status.error) << status.error.message();
  EXPECT_EQ(status.result.external, router_public_address);
  EXPECT_EQ(status.result.connection, "Connected");

  const auto gone = ask<router_entry>([&](auto done) { client.async_delete_entry(name, done); });
  EXPECT_FALSE(gone.error) << gone.error.message();
  EXPECT_EQ(gone.result.name, name);
  EXPECT_THAT(router.rules(), IsEmpty());

  const auto none =
      ask<entries>([&](auto done) { client.async_delete_range(transport::tcp, 1, 65'535, done); });
  EXPECT_FALSE(none.error) << none.error.message();
  EXPECT_THAT(none.result, IsEmpty());
}

TEST_F(router_question_test, tells_what_went_wrong) {
  const test_router router{upnp_only()};
  client client{*io_, router.options()};
  const auto one = ask<router_entry>([&](auto done) { client.async_find_entry(tcp(80), done); });
  EXPECT_TRUE(one.error == errc::mapping_gone) << one.error.message();
  const auto whole = ask<router_answered>(
      [&](auto done) { client.async_ask_router(router_questions::find_entry{tcp(80)}, done); });
  EXPECT_TRUE(whole.error == errc::mapping_gone);
  ASSERT_THAT(whole.result.why.protocols, SizeIs(1));
  EXPECT_EQ(whole.result.why.protocols[0].result_code, 714);
  const auto bad =
      ask<entries>([&](auto done) { client.async_delete_range(transport::tcp, 9, 8, done); });
  EXPECT_TRUE(bad.error == errc::invalid_argument) << bad.error.message();
}

TEST_F(router_question_test, keeps_the_context_running_until_it_is_cancelled) {
  const silent_router router;
  client client{*io_, router.options()};
  for (const auto type : {asio::cancellation_type::terminal, asio::cancellation_type::partial,
                          asio::cancellation_type::total}) {
    asio::cancellation_signal signal;
    std::optional<error_code> told;
    client.async_list_entries(asio::bind_cancellation_slot(
        signal.slot(), [&](error_code error, const entries&) { told = error; }));
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

TEST_F(router_question_test, ends_when_its_client_closes) {
  const silent_router router;
  std::optional<client> client{std::in_place, *io_, router.options()};
  std::optional<error_code> told;
  client->async_read_status([&](error_code error, const router_status&) { told = error; });
  io_->poll();
  client.reset();
  ASSERT_TRUE(run_out());
  ASSERT_TRUE(told);
  EXPECT_TRUE(*told == errc::closed) << told->message();
}

TEST_F(router_question_test, is_refused_by_a_closed_client) {
  const test_router router{upnp_only()};
  client client{*io_, router.options()};
  client.async_close([](error_code) {});
  const auto all = ask<entries>([&](auto done) { client.async_list_entries(done); });
  EXPECT_TRUE(all.error == errc::closed) << all.error.message();
}

TEST_F(router_question_test, dies_with_its_context) {
  const silent_router router;
  client client{*io_, router.options()};
  bool is_called = false;
  client.async_list_entries([&](error_code, const entries&) { is_called = true; });
  io_->poll();
  io_.reset();
  EXPECT_FALSE(is_called);
}

TEST_F(router_question_test, may_be_waited_for_by_a_future) {
  test_router router{upnp_only()};
  client client{router.options()};
  EXPECT_THAT(client.async_list_entries(asio::use_future).get(), IsEmpty());
  EXPECT_THROW(client.async_find_entry(tcp(80), asio::use_future).get(),
               boost::system::system_error);
}

}  // namespace
}  // namespace damson
