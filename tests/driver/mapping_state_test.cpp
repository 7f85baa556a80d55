// What a handle's user is told of what happened while nobody waited.

#include "driver/mapping_state.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>

namespace damson::detail {
namespace {

namespace asio = boost::asio;

mapping_event event_of(event_kind kind, std::uint16_t external_port = 0) {
  mapping_event out;
  out.kind = kind;
  out.info.external.port = external_port;
  out.regained = kind == event_kind::mapped;
  return out;
}

class mapping_state_test : public testing::Test {
 protected:
  struct outcome {
    error_code error;
    mapping_event event;
  };

  void wait(std::uint64_t ticket = 1) {
    state_.wait_for_event({driver::wait_ticket{ticket},
                           {[this](error_code error, mapping_event event) {
                              told_.push_back({error, std::move(event)});
                            },
                            io_.get_executor()}});
  }

  void run() {
    io_.restart();
    io_.poll();
  }

  asio::io_context io_;
  mapping_state state_{nullptr, mapping_id{1}, map_request{}};
  std::vector<outcome> told_;
};

TEST_F(mapping_state_test, tells_the_waiter) {
  wait();
  state_.tell(event_of(event_kind::lost));
  EXPECT_TRUE(told_.empty()) << "never from within";
  run();
  ASSERT_EQ(told_.size(), 1U);
  EXPECT_FALSE(told_[0].error);
  EXPECT_EQ(told_[0].event.kind, event_kind::lost);
}

TEST_F(mapping_state_test, keeps_the_latest_event_for_who_comes_later) {
  state_.tell(event_of(event_kind::changed, 1'000));
  state_.tell(event_of(event_kind::changed, 2'000));
  wait();
  run();
  ASSERT_EQ(told_.size(), 1U);
  EXPECT_EQ(told_[0].event.info.external.port, 2'000);
  wait();
  run();
  EXPECT_EQ(told_.size(), 1U) << "told once";
}

TEST_F(mapping_state_test, forgets_a_loss_that_is_over) {
  state_.tell(event_of(event_kind::lost));
  state_.tell(event_of(event_kind::mapped, 3'000));
  wait();
  run();
  ASSERT_EQ(told_.size(), 1U);
  EXPECT_EQ(told_[0].event.kind, event_kind::mapped);
  EXPECT_EQ(told_[0].event.info.external.port, 3'000);
}

TEST_F(mapping_state_test, tells_that_a_loss_is_over_even_after_a_change) {
  wait();
  state_.tell(event_of(event_kind::lost));
  state_.tell(event_of(event_kind::mapped, 3'000));
  state_.tell(event_of(event_kind::changed, 4'000));
  wait();
  run();
  ASSERT_EQ(told_.size(), 2U);
  EXPECT_EQ(told_[0].event.kind, event_kind::lost);
  EXPECT_EQ(told_[1].event.kind, event_kind::mapped);
  EXPECT_TRUE(told_[1].event.regained);
  EXPECT_EQ(told_[1].event.info.external.port, 4'000);
}

TEST_F(mapping_state_test, tells_who_comes_late_how_it_began) {
  auto first = event_of(event_kind::mapped, 1'000);
  first.regained = false;
  first.report = {{.protocol = protocol::upnp, .standing = protocol_standing::taken}};
  for (const auto later : {event_kind::mapped, event_kind::changed}) {
    state_.tell(first);
    state_.tell(event_of(later, 2'000));
    wait();
    run();
    ASSERT_EQ(told_.size(), 1U);
    EXPECT_EQ(told_[0].event.kind, event_kind::mapped);
    EXPECT_FALSE(told_[0].event.regained);
    EXPECT_EQ(told_[0].event.info.external.port, 2'000);
    EXPECT_EQ(told_[0].event.report, first.report);
    told_.clear();
  }
}

TEST_F(mapping_state_test, notes_what_the_handle_tells) {
  auto failed = event_of(event_kind::failed);
  failed.why.reason = errc::no_answer;
  state_.note(failed);
  EXPECT_EQ(state_.why().reason, errc::no_answer);
  auto mapped = event_of(event_kind::mapped, 1'000);
  mapped.report = {{.protocol = protocol::pcp, .standing = protocol_standing::taken}};
  state_.note(mapped);
  EXPECT_EQ(state_.why(), failure{});
  EXPECT_EQ(state_.report(), mapped.report);
  EXPECT_EQ(state_.info().external.port, 1'000);
  state_.note(event_of(event_kind::changed, 2'000));
  EXPECT_EQ(state_.info().external.port, 2'000);
  state_.note(event_of(event_kind::removed));
  EXPECT_EQ(state_.info().external.port, 2'000) << "as last granted";
  state_.note(event_of(event_kind::mapped, 3'000));
  EXPECT_EQ(state_.report(), mapped.report) << "a confirmation has none of its own";
}

TEST_F(mapping_state_test, tells_the_end_last_and_once) {
  state_.tell(event_of(event_kind::lost));
  state_.tell(event_of(event_kind::removed));
  wait();
  wait(2);
  run();
  ASSERT_EQ(told_.size(), 2U);
  EXPECT_EQ(told_[0].event.kind, event_kind::removed);
  EXPECT_TRUE(told_[1].error == errc::closed);
}

TEST_F(mapping_state_test, has_one_waiter_at_a_time) {
  wait(1);
  wait(2);
  run();
  ASSERT_EQ(told_.size(), 1U);
  EXPECT_TRUE(told_[0].error == errc::busy);
  state_.tell(event_of(event_kind::lost));
  run();
  ASSERT_EQ(told_.size(), 2U);
  EXPECT_FALSE(told_[1].error);
}

TEST_F(mapping_state_test, loses_nothing_by_a_cancelled_wait) {
  wait(1);
  EXPECT_TRUE(state_.cancel(driver::wait_ticket{1}));
  state_.tell(event_of(event_kind::changed, 1'000));
  run();
  ASSERT_EQ(told_.size(), 1U);
  EXPECT_EQ(told_[0].error, asio::error::operation_aborted);
  wait(2);
  EXPECT_FALSE(state_.cancel(driver::wait_ticket{1})) << "too late, and not meant for this wait";
  run();
  ASSERT_EQ(told_.size(), 2U);
  EXPECT_EQ(told_[1].event.info.external.port, 1'000);
}

TEST_F(mapping_state_test, tells_how_a_release_ended) {
  std::vector<std::pair<error_code, removal>> told;
  const auto wait_for_removal = [&] {
    state_.wait_for_removal({driver::wait_ticket{5},
                             {[&](error_code error, removal how) { told.emplace_back(error, how); },
                              io_.get_executor()}});
  };
  wait_for_removal();
  auto end = event_of(event_kind::removed);
  end.how = removal::already_gone;
  state_.tell(end);
  wait_for_removal();
  run();
  ASSERT_EQ(told.size(), 2U);
  for (const auto& [error, how] : told) {
    EXPECT_FALSE(error);
    EXPECT_EQ(how, removal::already_gone);
  }
}

TEST_F(mapping_state_test, holds_the_executor_of_a_waiter) {
  wait();
  io_.restart();
  io_.poll();
  EXPECT_FALSE(io_.stopped());
  state_.drop_waits();
  io_.restart();
  io_.poll();
  EXPECT_TRUE(io_.stopped());
  EXPECT_TRUE(told_.empty());
}

// -------------------------------------------------------------------------------------------------
// Parts

mapping_event of_part(std::uint32_t part, event_kind kind, const char* own = "192.168.1.20") {
  mapping_event out = event_of(kind, static_cast<std::uint16_t>(1'000 + part));
  out.info.part = part;
  out.info.internal = {ip_address::parse(own).value(), 8'080};
  out.info.external.address = ip_address::parse("198.51.100.7").value();
  if (kind == event_kind::failed) out.why.reason = errc::no_answer;
  return out;
}

TEST_F(mapping_state_test, keeps_one_event_of_each_part) {
  state_.tell(of_part(1, event_kind::mapped));
  state_.tell(of_part(2, event_kind::lost));
  state_.tell(of_part(1, event_kind::changed));
  wait();
  wait();
  wait();
  run();
  ASSERT_EQ(told_.size(), 2U) << "the third waits";
  EXPECT_EQ(told_[0].event.info.part, 1U);
  EXPECT_EQ(told_[0].event.kind, event_kind::mapped);
  EXPECT_EQ(told_[1].event.info.part, 2U);
}

TEST_F(mapping_state_test, tells_nothing_of_parts_after_the_end) {
  state_.tell(of_part(1, event_kind::mapped));
  state_.tell(of_part(2, event_kind::mapped));
  state_.tell(event_of(event_kind::removed));
  wait();
  wait(2);
  run();
  ASSERT_EQ(told_.size(), 2U);
  EXPECT_EQ(told_[0].event.kind, event_kind::removed);
  EXPECT_TRUE(told_[1].error == errc::closed);
}

TEST_F(mapping_state_test, stands_for_the_first_part_that_is_open_in_ipv4) {
  EXPECT_EQ(state_.status(), mapping_status::pending);
  state_.note(of_part(3, event_kind::mapped, "2001:db8::20"));
  EXPECT_EQ(state_.info().part, 3U);
  state_.note(of_part(1, event_kind::failed));
  EXPECT_EQ(state_.status(), mapping_status::open);
  EXPECT_EQ(state_.info().part, 3U);
  EXPECT_EQ(state_.why().reason, errc::no_answer);
  state_.note(of_part(4, event_kind::mapped));
  EXPECT_EQ(state_.info().part, 4U) << "IPv4";
  EXPECT_EQ(state_.external().port, 1'004);
  const auto parts = state_.parts();
  ASSERT_EQ(parts.size(), 3U);
  EXPECT_EQ(parts[0].info.part, 1U);
  EXPECT_EQ(parts[0].status, mapping_status::failed);
  EXPECT_EQ(parts[2].info.part, 4U);
  state_.note(of_part(4, event_kind::lost));
  EXPECT_EQ(state_.external().port, 1'003);
}

TEST_F(mapping_state_test, is_nowhere_outside_until_an_address_is_known) {
  EXPECT_EQ(state_.external(), endpoint{});
  auto event = event_of(event_kind::mapped, 8'080);
  state_.note(event);
  EXPECT_EQ(state_.external(), endpoint{});
  event.kind = event_kind::changed;
  event.info.external.address = ip_address::parse("198.51.100.7").value();
  state_.note(event);
  EXPECT_EQ(state_.external(), event.info.external);
  state_.note(event_of(event_kind::lost, 8'080));
  EXPECT_EQ(state_.external(), endpoint{});
}

TEST_F(mapping_state_test, forgets_parts_that_are_gone) {
  state_.note(of_part(1, event_kind::mapped));
  state_.note(of_part(2, event_kind::mapped));
  auto gone = of_part(1, event_kind::lost);
  gone.gone = true;
  gone.why.reason = errc::network_changed;
  state_.note(gone);
  ASSERT_EQ(state_.parts().size(), 1U);
  EXPECT_EQ(state_.status(), mapping_status::open);
  gone.info.part = 2;
  state_.note(gone);
  EXPECT_EQ(state_.status(), mapping_status::lost);
  EXPECT_EQ(state_.why().reason, errc::network_changed);
  EXPECT_EQ(state_.info().part, 0U);
  state_.note(of_part(2, event_kind::mapped));
  ASSERT_EQ(state_.parts().size(), 1U);
  EXPECT_EQ(state_.external().port, 1'002);
}

}  // namespace
}  // namespace damson::detail
