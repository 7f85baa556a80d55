// Whom an event is told: who waits for the mapping, or for any mapping, or whoever asks first.

#include "driver/client_events.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>

#include "client_fixture.hpp"
#include "driver/client_state.hpp"

namespace damson::detail {

class client_state_probe {
 public:
  static std::size_t kept_events(const client_state& state) { return state.events_.kept(); }
};

namespace {

namespace asio = boost::asio;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

mapping_event event_of(event_kind kind, std::uint16_t external_port = 0) {
  mapping_event out;
  out.kind = kind;
  out.info.external.port = external_port;
  return out;
}

class client_events_test : public testing::Test {
 protected:
  struct outcome {
    error_code error;
    mapping_event event;
  };

  static std::shared_ptr<mapping_state> make(std::uint64_t id) {
    return std::make_shared<mapping_state>(nullptr, mapping_id{id}, map_request{});
  }

  wait<client_events::signature> waiter(std::vector<outcome>& told, std::uint64_t ticket) {
    return {driver::wait_ticket{ticket},
            {[&told](error_code error, mapping_event event) {
               told.push_back({error, std::move(event)});
             },
             io_.get_executor()}};
  }
  void wait_for_any(std::uint64_t ticket = 1) { events_.wait_for_any(waiter(any_, ticket)); }
  void wait_for(const std::shared_ptr<mapping_state>& of) {
    events_.wait_for(of, waiter(own_, 100));
  }

  void run() {
    io_.restart();
    io_.poll();
  }

  asio::io_context io_;
  client_events events_;
  std::vector<outcome> any_;
  std::vector<outcome> own_;
};

TEST_F(client_events_test, tells_the_waiter_of_the_mapping_first) {
  const auto mapping = make(1);
  wait_for_any();
  wait_for(mapping);
  events_.tell(mapping, event_of(event_kind::lost));
  run();
  EXPECT_THAT(own_, SizeIs(1));
  EXPECT_THAT(any_, IsEmpty());
  events_.tell(mapping, event_of(event_kind::removed));
  EXPECT_THAT(any_, IsEmpty()) << "never from within";
  run();
  EXPECT_THAT(own_, SizeIs(1));
  ASSERT_THAT(any_, SizeIs(1));
  EXPECT_EQ(any_[0].event.kind, event_kind::removed);
}

TEST_F(client_events_test, keeps_one_event_of_each_mapping) {
  const auto first = make(1);
  const auto second = make(2);
  events_.tell(first, event_of(event_kind::changed, 1'000));
  events_.tell(second, event_of(event_kind::changed, 2'000));
  events_.tell(first, event_of(event_kind::changed, 1'001));
  EXPECT_EQ(events_.kept(), 2U);
  for (std::uint64_t ticket = 1; ticket <= 3; ++ticket) wait_for_any(ticket);
  run();
  ASSERT_THAT(any_, SizeIs(2)) << "the third waits";
  EXPECT_EQ(any_[0].event.info.external.port, 1'001) << "what is true now, of who came first";
  EXPECT_EQ(any_[1].event.info.external.port, 2'000);
}

TEST_F(client_events_test, tells_of_each_part_of_a_mapping) {
  const auto mapping = make(1);
  for (const std::uint32_t part : {1U, 2U}) {
    auto event = event_of(event_kind::mapped, 1'000);
    event.info.part = part;
    events_.tell(mapping, std::move(event));
  }
  EXPECT_EQ(events_.kept(), 1U);
  wait_for_any(1);
  wait_for_any(2);
  run();
  ASSERT_THAT(any_, SizeIs(2));
  EXPECT_EQ(any_[0].event.info.part, 1U);
  EXPECT_EQ(any_[1].event.info.part, 2U);
  EXPECT_EQ(events_.kept(), 0U);
}

TEST_F(client_events_test, tells_each_event_once) {
  const auto mapping = make(1);
  events_.tell(mapping, event_of(event_kind::lost));
  wait_for(mapping);
  wait_for_any();
  run();
  EXPECT_THAT(own_, SizeIs(1));
  EXPECT_THAT(any_, IsEmpty());
  EXPECT_EQ(events_.kept(), 0U);

  events_.tell(mapping, event_of(event_kind::removed));
  wait_for(mapping);
  run();
  ASSERT_THAT(any_, SizeIs(1));
  EXPECT_EQ(any_[0].event.kind, event_kind::removed);
  ASSERT_THAT(own_, SizeIs(2));
  EXPECT_TRUE(own_[1].error == errc::closed) << "its end was told";
}

TEST_F(client_events_test, has_one_waiter_at_a_time) {
  wait_for_any(1);
  wait_for_any(2);
  run();
  ASSERT_THAT(any_, SizeIs(1));
  EXPECT_TRUE(any_[0].error == errc::busy);
  events_.tell(make(1), event_of(event_kind::lost));
  run();
  ASSERT_THAT(any_, SizeIs(2));
  EXPECT_FALSE(any_[1].error);
}

TEST_F(client_events_test, loses_nothing_by_a_cancelled_wait) {
  wait_for_any(1);
  events_.cancel(driver::wait_ticket{1});
  run();
  ASSERT_THAT(any_, SizeIs(1));
  EXPECT_EQ(any_[0].error, asio::error::operation_aborted);
  events_.tell(make(1), event_of(event_kind::changed, 1'000));
  wait_for_any(2);
  events_.cancel(driver::wait_ticket{1});
  run();
  ASSERT_THAT(any_, SizeIs(2));
  EXPECT_EQ(any_[1].event.info.external.port, 1'000);
}

TEST_F(client_events_test, keeps_nothing_for_handles_that_are_gone_before_anybody_waits) {
  const auto mapping = make(1);
  events_.tell(mapping, event_of(event_kind::lost));
  EXPECT_EQ(events_.kept(), 1U);
  mapping->end_handle(handle_fate::released);
  events_.on_handle_gone(*mapping);
  EXPECT_EQ(events_.kept(), 0U);
  events_.tell(mapping, event_of(event_kind::removed));
  EXPECT_EQ(events_.kept(), 0U);
}

TEST_F(client_events_test, keeps_the_end_of_every_mapping_once_somebody_waited) {
  wait_for_any(1);
  events_.cancel(driver::wait_ticket{1});
  for (std::uint64_t id = 1; id <= 3; ++id) {
    const auto mapping = make(id);
    mapping->end_handle(handle_fate::released);
    events_.on_handle_gone(*mapping);
    auto end = event_of(event_kind::removed);
    end.info.id = mapping->id();
    events_.tell(mapping, end);
  }
  events_.close();
  for (std::uint64_t ticket = 2; ticket <= 5; ++ticket) wait_for_any(ticket);
  run();
  ASSERT_THAT(any_, SizeIs(5));
  for (std::uint64_t id = 1; id <= 3; ++id) {
    EXPECT_EQ(any_[id].event.kind, event_kind::removed);
    EXPECT_EQ(any_[id].event.info.id, mapping_id{id});
  }
  EXPECT_TRUE(any_[4].error == errc::closed) << "all was told";
}

TEST_F(client_events_test, ends_a_wait_when_nothing_can_come_any_more) {
  wait_for_any();
  events_.close();
  run();
  ASSERT_THAT(any_, SizeIs(1));
  EXPECT_TRUE(any_[0].error == errc::closed);
}

TEST_F(client_events_test, keeps_nothing_when_nobody_can_ask) {
  const auto mapping = make(1);
  events_.tell(mapping, event_of(event_kind::lost));
  events_.stop_keeping();
  EXPECT_EQ(events_.kept(), 0U);
  events_.tell(mapping, event_of(event_kind::removed));
  EXPECT_EQ(events_.kept(), 0U);
  wait_for(mapping);
  run();
  ASSERT_THAT(own_, SizeIs(1)) << "but the handle can";
  EXPECT_EQ(own_[0].event.kind, event_kind::removed);
}

TEST_F(client_events_test, tells_nothing_of_what_no_handle_was_ever_given_for) {
  const auto mapping = make(1);
  wait_for_any();
  mapping->give_up();
  events_.tell(mapping, event_of(event_kind::removed));
  run();
  EXPECT_THAT(any_, IsEmpty());
}

// The same through a client

using client_event_wait_test = client_fixture;

TEST_F(client_event_wait_test, hears_of_every_mapping) {
  const test_router router;
  client client{*io_, router.options()};
  auto first = client.keep_open(pcp_for(1000));
  const auto second = client.keep_open(pcp_for(1001));
  std::vector<mapping_id> told;
  for (int event = 0; event < 2; ++event) {
    const auto next = next_event(client);
    EXPECT_FALSE(next.error);
    EXPECT_EQ(next.event.kind, event_kind::mapped);
    told.push_back(next.event.info.id);
  }
  EXPECT_THAT(told, testing::UnorderedElementsAre(first.id(), second.id()));

  const auto first_id = first.id();
  first = {};
  const auto end = next_event(client);
  EXPECT_EQ(end.event.kind, event_kind::removed);
  EXPECT_EQ(end.event.info.id, first_id);
  EXPECT_EQ(end.event.how, removal::deleted);

  client.async_close([](error_code) {});
  const auto last = next_event(client);
  EXPECT_EQ(last.event.kind, event_kind::removed);
  EXPECT_EQ(last.event.info.id, second.id());
  EXPECT_TRUE(next_event(client).error == errc::closed);
  EXPECT_TRUE(next_event(client).error == errc::closed) << "and so for ever";
}

TEST_F(client_event_wait_test, is_told_no_results_of_async_map) {
  const test_router router;
  client client{*io_, router.options()};
  std::vector<event_kind> told;
  client.async_next_event(
      [&](error_code, const mapping_event& event) { told.push_back(event.kind); });
  EXPECT_TRUE(map(client, {.internal_port = 0}).error == errc::invalid_argument);
  asio::cancellation_signal signal;
  std::optional<error_code> aborted;
  client.async_map(pcp_for(1000),
                   asio::bind_cancellation_slot(
                       signal.slot(), [&](error_code error, const mapping&) { aborted = error; }));
  signal.emit(asio::cancellation_type::total);
  ASSERT_TRUE(run_until([&] { return aborted.has_value(); }));
  {
    const auto opened = map(client, pcp_for(1001));
    EXPECT_FALSE(opened.error);
    EXPECT_THAT(told, IsEmpty());
  }
  ASSERT_TRUE(run_until([&] { return !told.empty(); }));
  EXPECT_THAT(told, ElementsAre(event_kind::removed));
}

TEST_F(client_event_wait_test, completes_never_from_within_and_may_be_cancelled) {
  const test_router router;
  client client{*io_, router.options()};
  for (const auto type : {asio::cancellation_type::terminal, asio::cancellation_type::partial,
                          asio::cancellation_type::total}) {
    asio::cancellation_signal signal;
    std::optional<error_code> told;
    client.async_next_event(asio::bind_cancellation_slot(
        signal.slot(), [&](error_code error, const mapping_event&) { told = error; }));
    std::optional<error_code> second;
    client.async_next_event([&](error_code error, const mapping_event&) { second = error; });
    EXPECT_FALSE(second);
    ASSERT_TRUE(run_until([&] { return second.has_value(); }));
    EXPECT_TRUE(*second == errc::busy);
    signal.emit(type);
    EXPECT_FALSE(told);
    ASSERT_TRUE(run_until([&] { return told.has_value(); }));
    EXPECT_EQ(*told, asio::error::operation_aborted);
  }
}

TEST_F(client_event_wait_test, ends_with_its_client) {
  const test_router router;
  std::optional<client> client{std::in_place, *io_, router.options()};
  std::optional<error_code> told;
  client->async_next_event([&](error_code error, const mapping_event&) { told = error; });
  client.reset();
  ASSERT_TRUE(run_out());
  ASSERT_TRUE(told);
  EXPECT_TRUE(*told == errc::closed);
}

TEST_F(client_event_wait_test, costs_nothing_where_it_is_not_used) {
  constexpr int mappings = 10'000;
  const silent_router router;
  const auto state = client_state::make(io_->get_executor(), router.options());
  for (int round = 0; round < mappings; ++round) {
    std::optional<mapping> handle{state->keep_open({.internal_port = 0}, {})};
    io_->restart();
    io_->poll();
    ASSERT_EQ(client_state_probe::kept_events(*state), 1U) << "that it failed";
    handle.reset();
    io_->restart();
    io_->poll();
    ASSERT_EQ(client_state_probe::kept_events(*state), 0U);
    ASSERT_EQ(state->active_count(), 0U);
  }
  EXPECT_EQ(state.use_count(), 1) << "nothing holds on to it";
}

TEST_F(client_event_wait_test, leaves_nothing_behind_that_nobody_asked_for) {
  const test_router router;
  auto state = client_state::make(io_->get_executor(), router.options());
  const std::weak_ptr<client_state> watch = state;
  state->next_event([](error_code, const mapping_event&) {});
  for (std::uint16_t port = 1000; port < 1005; ++port) {
    const mapping gone = state->keep_open(pcp_for(port), {});
  }
  ASSERT_TRUE(run_until([&] { return state->active_count() == 0; }));
  EXPECT_EQ(client_state_probe::kept_events(*state), 4U);
  state->abandon();
  state.reset();
  ASSERT_TRUE(run_out());
  EXPECT_TRUE(watch.expired());
}

}  // namespace
}  // namespace damson::detail
