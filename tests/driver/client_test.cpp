// The client against a gateway model on a loopback address.

#include <damson/client.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_future.hpp>

#include "client_fixture.hpp"
#include "new_network.hpp"

namespace damson {
namespace {

namespace asio = boost::asio;
using testing::IsEmpty;
using testing::SizeIs;

constexpr map_request pcp_for_8080 = pcp_for(8080);

class client_test : public client_fixture {};

TEST_F(client_test, opens_a_port_and_gives_it_back) {
  test_router router;
  client client{*io_, router.options()};
  auto [error, handle] = map(client);
  ASSERT_FALSE(error) << error.message() << ": " << to_string(handle.why());
  ASSERT_TRUE(handle);
  const auto info = handle.info();
  EXPECT_EQ(info.transport, transport::tcp);
  EXPECT_EQ(info.protocol, protocol::pcp);
  EXPECT_EQ(info.internal, (endpoint{ip_address{ip_address::v4_bytes{127, 0, 0, 1}}, 8080}));
  EXPECT_EQ(info.external, (endpoint{router_public_address, 8080}));
  EXPECT_EQ(info.lifetime, std::chrono::seconds{7200});
  EXPECT_EQ(info.gateway, router.address());
  EXPECT_GT(info.elapsed, std::chrono::nanoseconds{0});
  EXPECT_THAT(handle.why().protocols, IsEmpty());
  ASSERT_THAT(router.rules(), SizeIs(1));
  EXPECT_EQ(router.rules()[0].internal.port, 8080);

  std::optional<std::pair<error_code, removal>> released;
  std::move(handle).async_release(
      [&](error_code release_error, removal how) { released.emplace(release_error, how); });
  EXPECT_FALSE(handle);  // NOLINT(bugprone-use-after-move): what it is then
  ASSERT_TRUE(run_until([&] { return released.has_value(); }));
  EXPECT_FALSE(released->first);
  EXPECT_EQ(released->second, removal::deleted);
  EXPECT_THAT(router.rules(), IsEmpty());
  EXPECT_THAT(router.complaints(), IsEmpty());
}

TEST_F(client_test, speaks_nat_pmp_to_a_router_that_knows_nothing_else) {
  sim::profile how;
  how.speaks_pcp = false;
  test_router router{how};
  client client{*io_, router.options()};
  auto [error, handle] = map(client);
  ASSERT_FALSE(error) << error.message() << ": " << to_string(handle.why());
  EXPECT_EQ(handle.info().protocol, protocol::nat_pmp);
  EXPECT_EQ(handle.info().external.address, router_public_address);
  ASSERT_THAT(router.rules(), SizeIs(1));
  EXPECT_EQ(router.rules()[0].owner, sim::rule_owner::nat_pmp);
}

TEST_F(client_test, keeps_the_context_running_while_a_port_is_open_and_no_longer) {
  test_router router;
  client client{*io_, router.options()};
  EXPECT_FALSE(has_work()) << "an idle client";
  auto handle = map(client).mapping;
  ASSERT_TRUE(handle);
  EXPECT_TRUE(has_work());
  {
    const mapping gone = std::move(handle);
  }
  ASSERT_TRUE(run_out());
  EXPECT_THAT(router.rules(), IsEmpty());

  auto again = map(client);
  EXPECT_FALSE(again.error) << again.error.message();
  EXPECT_TRUE(has_work());
  again.mapping.detach();
  ASSERT_TRUE(run_out());
}

TEST_F(client_test, leaves_a_detached_mapping_to_its_lease) {
  test_router router;
  client client{*io_, router.options()};
  auto handle = map(client).mapping;
  handle.detach();
  EXPECT_FALSE(handle);
  ASSERT_TRUE(run_out());
  EXPECT_THAT(router.rules(), SizeIs(1));
}

TEST_F(client_test, releases_what_is_assigned_over) {
  test_router router;
  client client{*io_, router.options()};
  auto first = map(client).mapping;
  auto second = map(client, {.transport = transport::udp, .internal_port = 9090}).mapping;
  ASSERT_THAT(router.rules(), SizeIs(2));
  first = std::move(second);
  ASSERT_TRUE(run_until([&] { return router.rules().size() == 1; }));
  EXPECT_EQ(router.rules()[0].internal.port, 9090);
  EXPECT_TRUE(first);
}

TEST_F(client_test, says_why_it_was_refused) {
  sim::profile how;
  how.speaks_nat_pmp = false;
  how.refuses_maps_with = sim::pcp_result::not_authorized;
  test_router router{how};
  client client{*io_, router.options()};
  auto [error, handle] = map(client, pcp_for_8080);
  EXPECT_TRUE(error == errc::not_authorized) << error.message();
  EXPECT_TRUE(error == next_step::tell_owner);
  EXPECT_FALSE(handle);
  const auto why = handle.why();
  EXPECT_EQ(why.reason, errc::not_authorized);
  ASSERT_FALSE(why.protocols.empty());
  EXPECT_EQ(why.protocols[0].protocol, protocol::pcp);
  EXPECT_EQ(why.protocols[0].result_code, 2);
  EXPECT_EQ(handle.info(), mapping_info{});
  ASSERT_TRUE(run_out()) << "nothing is left to do";
  EXPECT_THAT(router.rules(), IsEmpty());
}

/// NAT-PMP knows no IPv6, so nothing is asked for in it.
constexpr map_request in_both_families() {
  return {.internal_port = 8080,
          .families = ip_families::both,
          .protocols = protocol_filter::nat_pmp_only};
}

TEST_F(client_test, opens_what_parts_can_be_opened) {
  test_router router;
  client client{*io_, router.options()};
  auto [error, handle] = map(client, in_both_families());
  ASSERT_FALSE(error) << error.message() << ": " << to_string(handle.why());
  EXPECT_EQ(handle.status(), mapping_status::open);
  EXPECT_EQ(handle.info().part, 1U);
  EXPECT_EQ(handle.why().reason, errc::protocol_excluded) << "of the other part";
  const auto parts = handle.parts();
  ASSERT_THAT(parts, SizeIs(2));
  EXPECT_EQ(parts[0].status, mapping_status::open);
  EXPECT_EQ(parts[0].info.external, (endpoint{router_public_address, 8080}));
  EXPECT_EQ(parts[0].info.interface_name, "lo");
  EXPECT_EQ(parts[1].status, mapping_status::failed);
  EXPECT_TRUE(parts[1].info.internal.address.is_v6());
  EXPECT_EQ(client.active_count(), 1U);
  EXPECT_THAT(router.rules(), SizeIs(1));
  std::optional<removal> how;
  std::move(handle).async_release([&](error_code, removal end) { how = end; });
  ASSERT_TRUE(run_until([&] { return how.has_value(); }));
  EXPECT_EQ(how, removal::deleted);
  EXPECT_THAT(router.rules(), IsEmpty());
  ASSERT_TRUE(run_out());
}

TEST_F(client_test, fails_where_no_part_can_be_opened) {
  sim::profile how;
  how.speaks_pcp = false;
  how.refuses_nat_pmp_maps_with = sim::nat_pmp_result::not_authorized;
  test_router router{how};
  client client{*io_, router.options()};
  auto [error, handle] = map(client, in_both_families());
  EXPECT_TRUE(error == errc::not_authorized) << error.message();
  EXPECT_FALSE(handle);
  const auto parts = handle.parts();
  ASSERT_THAT(parts, SizeIs(2));
  EXPECT_EQ(parts[0].why.reason, errc::not_authorized);
  EXPECT_EQ(parts[1].why.reason, errc::protocol_excluded);
  ASSERT_TRUE(run_out()) << "nothing is left to do";
}

TEST_F(client_test, fails_at_once_where_nothing_listens) {
  client client{*io_, options_for(unused_loopback_address())};
  const auto begin = std::chrono::steady_clock::now();
  const auto [error, handle] = map(client, pcp_for_8080);
  EXPECT_TRUE(error == errc::port_closed) << error.message() << ": " << to_string(handle.why());
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds{3});
  ASSERT_TRUE(run_out());
}

TEST_F(client_test, refuses_a_request_that_makes_no_sense) {
  const test_router router;
  client client{*io_, router.options()};
  const std::vector<map_request> requests{
      {.internal_port = 0},
      {.internal_port = 8080, .lifetime = std::chrono::seconds{0}},
      {.internal_port = 8080, .timeout = std::chrono::milliseconds{0}}};
  for (const auto& request : requests) {
    const auto [error, handle] = map(client, request);
    EXPECT_TRUE(error == errc::invalid_argument) << error.message();
    EXPECT_TRUE(error == next_step::fix_call);
    EXPECT_FALSE(handle);
  }
  EXPECT_FALSE(has_work());
}

TEST_F(client_test, tells_the_end_of_a_mapping) {
  const test_router router;
  client client{*io_, router.options()};
  auto handle = map(client).mapping;
  ASSERT_TRUE(handle);
  client.async_close([](error_code) {});
  const auto [error, event] = next_event(handle);
  EXPECT_FALSE(error);
  EXPECT_EQ(event.kind, event_kind::removed);
  EXPECT_EQ(event.how, removal::deleted);
  EXPECT_EQ(event.info.external.port, 8080);
  EXPECT_TRUE(next_event(handle).error == errc::closed);
  EXPECT_EQ(handle.info().external.port, 8080) << "as last granted";
}

TEST_F(client_test, hears_that_the_router_has_another_address) {
  // In a network of its own, since announcements go to all programs of a host.
  DAMSON_RUN_IN_NEW_NETWORK([this] {
    sim::profile how;
    how.epoch_start = 1'000;  // so that it is seen to fall
    test_router router{how};
    client client{*io_, router.options()};
    auto handle = map(client).mapping;
    ASSERT_TRUE(handle);
    const ip_address other{ip_address::v4_bytes{1, 2, 3, 5}};
    router.change([&](sim::gateway& model, time_point now) {
      model.behaviour().epoch_start = 0;
      model.set_public_address(now, other);
    });
    for (auto told = next_event(handle); told.event.info.external.address != other;
         told = next_event(handle))
      ASSERT_FALSE(told.error) << told.error.message();
    EXPECT_EQ(handle.info().external, (endpoint{other, 8080}));
  });
}

TEST_F(client_test, answers_for_empty_handles) {
  mapping empty;
  EXPECT_FALSE(empty);
  EXPECT_EQ(empty.info(), mapping_info{});
  EXPECT_EQ(empty.why(), failure{});
  empty.detach();
  auto event = empty.async_next_event(asio::use_future);
  EXPECT_THROW(event.get(), boost::system::system_error);
  auto release = std::move(empty).async_release(asio::use_future);
  try {
    release.get();
    ADD_FAILURE() << "released nothing";
  } catch (const boost::system::system_error& error) {
    EXPECT_TRUE(error.code() == errc::closed);
  }
}

TEST_F(client_test, answers_for_a_handle_whose_mapping_failed) {
  client client{*io_, options_for(unused_loopback_address())};
  auto handle = map(client, pcp_for_8080).mapping;
  std::vector<error_code> told;
  handle.async_next_event([&](error_code error, const mapping_event&) { told.push_back(error); });
  std::move(handle).async_release([&](error_code error, removal) { told.push_back(error); });
  ASSERT_TRUE(run_until([&] { return told.size() == 2; }));
  EXPECT_TRUE(told[0] == errc::closed);
  EXPECT_TRUE(told[1] == errc::closed);
}

TEST_F(client_test, tells_how_the_protocol_was_chosen) {
  sim::profile how;
  how.speaks_pcp = false;
  const test_router router{how};
  client client{*io_, router.options()};
  const auto [error, handle] = map(client);
  ASSERT_FALSE(error) << error.message();
  const auto report = handle.report();
  ASSERT_THAT(report, SizeIs(3));
  EXPECT_EQ(report[0].protocol, protocol::pcp);
  EXPECT_EQ(report[0].standing, protocol_standing::failed);
  ASSERT_TRUE(report[0].why);
  EXPECT_EQ(report[0].why->reason, errc::version_refused);
  EXPECT_EQ(report[1].protocol, protocol::nat_pmp);
  EXPECT_EQ(report[1].standing, protocol_standing::taken);
  ASSERT_TRUE(report[1].answered_after);
  EXPECT_LE(*report[1].answered_after, handle.info().elapsed);
  EXPECT_EQ(report[2].protocol, protocol::upnp);
  EXPECT_THAT(mapping{}.report(), IsEmpty());
}

// Keeping open

class kept_open_test : public client_fixture {};

TEST_F(kept_open_test, asks_until_the_router_grants) {
  test_router router{closed_router()};
  auto opts = router.options();
  opts.recheck_period = std::chrono::seconds{1};  // and so the longest pause
  client client{*io_, opts};
  auto handle = client.keep_open(pcp_for_8080);
  EXPECT_TRUE(handle);
  EXPECT_EQ(handle.info().internal.port, 8080);
  EXPECT_THAT(handle.report(), IsEmpty());

  const auto first = next_event(handle);
  ASSERT_FALSE(first.error) << first.error.message();
  EXPECT_EQ(first.event.kind, event_kind::failed);
  EXPECT_EQ(first.event.why.reason, errc::port_closed);
  EXPECT_TRUE(handle);
  EXPECT_EQ(handle.why(), first.event.why);

  router.change([](sim::gateway& model, time_point) { model.behaviour().speaks_pcp = true; });
  auto second = next_event(handle);
  while (!second.error && second.event.kind == event_kind::failed) second = next_event(handle);
  ASSERT_FALSE(second.error) << second.error.message();
  EXPECT_EQ(second.event.kind, event_kind::mapped);
  EXPECT_FALSE(second.event.regained);
  EXPECT_THAT(second.event.report, SizeIs(2));
  EXPECT_EQ(handle.report(), second.event.report);
  EXPECT_EQ(handle.info(), second.event.info);
  EXPECT_EQ(handle.why(), failure{});
  ASSERT_THAT(router.rules(), SizeIs(1));

  {
    const mapping gone = std::move(handle);
  }
  ASSERT_TRUE(run_out());
  EXPECT_THAT(router.rules(), IsEmpty());
}

TEST_F(kept_open_test, needs_no_waiter) {
  test_router router;
  client client{*io_, router.options()};
  const auto handle = client.keep_open(pcp_for_8080);
  ASSERT_TRUE(run_until([&] { return handle.info().external.port != 0; }));
  EXPECT_THAT(router.rules(), SizeIs(1));
}

TEST_F(kept_open_test, ends_with_its_handle) {
  const test_router router{closed_router()};
  client client{*io_, router.options()};
  {
    auto handle = client.keep_open(pcp_for_8080);
    EXPECT_EQ(next_event(handle).event.kind, event_kind::failed);
    EXPECT_TRUE(has_work()) << "it goes on";
  }
  ASSERT_TRUE(run_out());

  auto released = client.keep_open(pcp_for_8080);
  std::optional<std::pair<error_code, removal>> told;
  std::move(released).async_release(
      [&](error_code error, removal how) { told.emplace(error, how); });
  ASSERT_TRUE(run_out());
  ASSERT_TRUE(told);
  EXPECT_FALSE(told->first) << told->first.message();
  EXPECT_EQ(told->second, removal::already_gone);
}

TEST_F(kept_open_test, fails_once_where_the_request_makes_no_sense) {
  const test_router router;
  client client{*io_, router.options()};
  auto handle = client.keep_open({.internal_port = 0});
  const auto told = next_event(handle);
  EXPECT_EQ(told.event.kind, event_kind::failed);
  EXPECT_EQ(told.event.why.reason, errc::invalid_argument);
}

TEST_F(kept_open_test, is_over_when_its_client_closes) {
  const test_router router{closed_router()};
  client client{*io_, router.options()};
  auto handle = client.keep_open(pcp_for_8080);
  EXPECT_EQ(next_event(handle).event.kind, event_kind::failed);
  client.async_close([](error_code) {});
  EXPECT_EQ(next_event(handle).event.kind, event_kind::removed);

  auto late = client.keep_open(pcp_for_8080);
  const auto told = next_event(late);
  EXPECT_FALSE(told.error);
  EXPECT_EQ(told.event.kind, event_kind::removed);
  EXPECT_EQ(told.event.how, removal::already_gone);
  EXPECT_EQ(told.event.info.internal.port, 8080);
  EXPECT_TRUE(next_event(late).error == errc::closed);
}

// Cancelling

TEST_F(client_test, stops_mapping_when_cancelled) {
  const silent_router router;
  client client{*io_, router.options()};
  std::uint16_t port = 8080;
  for (const auto type : {asio::cancellation_type::terminal, asio::cancellation_type::partial,
                          asio::cancellation_type::total}) {
    asio::cancellation_signal signal;
    std::optional<error_code> told;
    client.async_map(
        {.internal_port = port++},
        asio::bind_cancellation_slot(signal.slot(), [&](error_code error, const mapping& handle) {
          told = error;
          EXPECT_FALSE(handle);
        }));
    io_->restart();
    io_->poll();
    ASSERT_FALSE(told);
    signal.emit(type);
    EXPECT_FALSE(told) << "never from within";
    const auto begin = std::chrono::steady_clock::now();
    ASSERT_TRUE(run_until([&] { return told.has_value(); }));
    EXPECT_EQ(*told, asio::error::operation_aborted);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds{1});
  }
  EXPECT_TRUE(router.was_asked());
  ASSERT_TRUE(run_out()) << "the release is bounded too";
}

TEST_F(client_test, may_be_cancelled_before_it_has_begun) {
  const silent_router router;
  client client{*io_, router.options()};
  asio::cancellation_signal signal;
  std::optional<error_code> told;
  client.async_map(request_for_8080,
                   asio::bind_cancellation_slot(
                       signal.slot(), [&](error_code error, const mapping&) { told = error; }));
  signal.emit(asio::cancellation_type::total);
  ASSERT_TRUE(run_out());
  EXPECT_EQ(told, asio::error::operation_aborted);
}

TEST_F(client_test, keeps_the_mapping_when_only_a_wait_is_cancelled) {
  test_router router;
  client client{*io_, router.options()};
  auto handle = map(client).mapping;
  asio::cancellation_signal signal;
  std::optional<error_code> told;
  handle.async_next_event(asio::bind_cancellation_slot(
      signal.slot(), [&](error_code error, const mapping_event&) { told = error; }));
  signal.emit(asio::cancellation_type::total);
  ASSERT_TRUE(run_until([&] { return told.has_value(); }));
  EXPECT_EQ(*told, asio::error::operation_aborted);
  EXPECT_TRUE(handle);
  EXPECT_THAT(router.rules(), SizeIs(1));
}

TEST_F(client_test, goes_on_releasing_when_only_the_wait_is_cancelled) {
  test_router router;
  client client{*io_, router.options()};
  auto handle = map(client).mapping;
  asio::cancellation_signal signal;
  std::optional<error_code> told;
  std::move(handle).async_release(asio::bind_cancellation_slot(
      signal.slot(), [&](error_code error, removal) { told = error; }));
  signal.emit(asio::cancellation_type::terminal);
  ASSERT_TRUE(run_out());
  ASSERT_TRUE(told.has_value());
  EXPECT_EQ(*told, asio::error::operation_aborted);
  EXPECT_THAT(router.rules(), IsEmpty());
}

TEST_F(client_test, takes_a_cancellation_that_comes_too_late) {
  test_router router;
  client client{*io_, router.options()};
  asio::cancellation_signal signal;
  std::optional<map_result> result;
  client.async_map(request_for_8080, asio::bind_cancellation_slot(
                                         signal.slot(), [&](error_code error, mapping handle) {
                                           result.emplace(error, std::move(handle));
                                         }));
  ASSERT_TRUE(run_until([&] { return result.has_value(); }));
  signal.emit(asio::cancellation_type::total);
  io_->poll();
  EXPECT_FALSE(result->error);
  EXPECT_TRUE(result->mapping);
  EXPECT_THAT(router.rules(), SizeIs(1));
}

// Closing

TEST_F(client_test, closes_once_and_for_all) {
  test_router router;
  client client{*io_, router.options()};
  const auto handle = map(client).mapping;
  std::vector<error_code> told;
  const auto tell = [&](error_code error) { told.push_back(error); };
  client.async_close(tell);
  client.async_close(tell);
  EXPECT_TRUE(told.empty()) << "never from within";
  ASSERT_TRUE(run_out());
  client.async_close(tell);
  ASSERT_TRUE(run_out());
  ASSERT_THAT(told, SizeIs(3));
  for (const auto& error : told) EXPECT_FALSE(error) << error.message();
  EXPECT_THAT(router.rules(), IsEmpty());

  const auto after = map(client);
  EXPECT_TRUE(after.error == errc::closed);
  ASSERT_TRUE(run_out());
}

TEST_F(client_test, closes_although_nobody_waits_for_it_any_more) {
  test_router router;
  client client{*io_, router.options()};
  const auto handle = map(client).mapping;
  asio::cancellation_signal signal;
  std::optional<error_code> told;
  client.async_close(
      asio::bind_cancellation_slot(signal.slot(), [&](error_code error) { told = error; }));
  signal.emit(asio::cancellation_type::partial);
  ASSERT_TRUE(run_out());
  EXPECT_EQ(told, asio::error::operation_aborted);
  EXPECT_THAT(router.rules(), IsEmpty());
}

TEST_F(client_test, ends_pending_requests_when_it_closes) {
  const silent_router router;
  std::optional<client> client{std::in_place, *io_, router.options()};
  std::optional<error_code> told;
  client->async_map(request_for_8080, [&](error_code error, const mapping&) { told = error; });
  ASSERT_TRUE(run_until([&] { return router.was_asked(); }));
  client.reset();
  const auto begin = std::chrono::steady_clock::now();
  ASSERT_TRUE(run_until([&] { return told.has_value(); }));
  EXPECT_TRUE(*told == errc::closed);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds{1});
  ASSERT_TRUE(run_out());
}

// Threads

TEST_F(client_test, may_be_called_from_any_thread) {
  constexpr unsigned threads = 4;
  constexpr unsigned rounds = 25;
  test_router router;
  asio::thread_pool pool{2};
  std::atomic<unsigned> failures{0};
  {
    client client{pool, router.options()};
    std::vector<std::thread> callers;
    callers.reserve(threads);
    for (unsigned caller = 0; caller < threads; ++caller) {
      callers.emplace_back([&, caller] {
        for (unsigned round = 0; round < rounds; ++round) {
          const auto port = static_cast<std::uint16_t>(10'000 + caller * rounds + round);
          try {
            auto handle = client
                              .async_map({.transport = transport::udp, .internal_port = port},
                                         asio::use_future)
                              .get();
            failures += handle.info().external.port == port ? 0 : 1;
            if (round % 3 == 0) std::move(handle).async_release(asio::use_future).get();
          } catch (const boost::system::system_error& error) {
            ++failures;
            ADD_FAILURE() << error.what();
          }
        }
      });
    }
    for (auto& caller : callers) caller.join();
    client.async_close(asio::use_future).get();
    EXPECT_THAT(router.rules(), IsEmpty());
  }
  pool.join();
  EXPECT_EQ(failures, 0U);
}

}  // namespace
}  // namespace damson
