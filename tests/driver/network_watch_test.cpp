#include "driver/network_watch.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "netlink_bytes.hpp"
#include "waiting.hpp"

namespace damson::driver {
namespace {

using namespace std::chrono_literals;
using testing::SizeIs;
using clock = std::chrono::steady_clock;

/// RTM_NEWROUTE of an IPv4 route to a network with a prefix of that length.
netlink_bytes route_notice(std::uint8_t prefix_length) {
  return message(24, netlink_bytes{}
                         .u8(2)  // rtm_family: AF_INET
                         .u8(prefix_length)
                         .u8(0)     // rtm_src_len
                         .u8(0)     // rtm_tos
                         .u8(254)   // rtm_table: main
                         .u8(16)    // rtm_protocol: DHCP
                         .u8(0)     // rtm_scope: universe
                         .u8(1)     // rtm_type: unicast
                         .u32(0));  // rtm_flags
}

struct program final : network_listener {
  void on_network_notice() override {
    told_at.push_back(clock::now());
    if (then) then();
  }

  std::vector<clock::time_point> told_at;
  std::function<void()> then;
};

/// In the kernel's place stands the other end of a socket pair.
class network_watch_test : public testing::Test {
 protected:
  network_watch_test() {
    std::array<int, 2> ends{-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()),
              0);
    kernel_ = ends[0];
    watch_ = std::make_shared<network_watch>(io_.get_executor(), ends[1]);
    watch_->start(program_);
  }

  void TearDown() override { hang_up(); }

  void say(const netlink_bytes& what) const {
    static_cast<void>(::send(kernel_, what.get().data(), what.size(), MSG_NOSIGNAL));
  }
  void say_news() const { say(route_notice(0)); }
  void hang_up() {
    if (kernel_ >= 0) ::close(kernel_);
    kernel_ = -1;
  }

  bool run_until_told(std::size_t times) {
    return run_until(io_, [&] { return program_->told_at.size() >= times; });
  }
  void run_for(std::chrono::milliseconds time) {
    io_.restart();
    io_.run_for(time);
  }
  /// Nothing keeps the io_context running.
  bool runs_out() {
    run_for(patience);
    return io_.stopped();
  }

  boost::asio::io_context io_;
  std::shared_ptr<program> program_ = std::make_shared<program>();
  std::shared_ptr<network_watch> watch_;
  int kernel_ = -1;
};

TEST_F(network_watch_test, tells_once_of_what_comes_together) {
  const auto began = clock::now();
  for (int each = 0; each < 10; ++each) say_news();
  ASSERT_TRUE(run_until_told(1));
  EXPECT_GE(program_->told_at[0] - began, network_watch::settling_time);
  run_for(network_watch::between_looks * 2);
  EXPECT_THAT(program_->told_at, SizeIs(1));
}

TEST_F(network_watch_test, says_nothing_of_what_does_not_matter) {
  for (int each = 0; each < 200; ++each) say(route_notice(24));
  run_for(network_watch::settling_time * 2);
  EXPECT_THAT(program_->told_at, SizeIs(0));
  say_news();
  EXPECT_TRUE(run_until_told(1));
}

TEST_F(network_watch_test, tells_of_what_comes_during_a_look) {
  program_->then = [this] {
    if (program_->told_at.size() == 1) say_news();
  };
  say_news();
  ASSERT_TRUE(run_until_told(2));
  EXPECT_GE(program_->told_at[1] - program_->told_at[0], network_watch::between_looks);
}

TEST_F(network_watch_test, tells_of_a_flood_four_times_a_second_at_most) {
  const auto end = clock::now() + 1s;
  while (clock::now() < end) {
    for (int each = 0; each < 100; ++each) say_news();
    run_for(1ms);
  }
  EXPECT_GE(program_->told_at.size(), 2U);
  EXPECT_LE(program_->told_at.size(), 5U);
}

TEST_F(network_watch_test, is_silent_once_it_is_closed) {
  say_news();
  run_for(network_watch::settling_time / 2);
  watch_->close();
  EXPECT_FALSE(watch_->is_open());
  EXPECT_TRUE(runs_out());
  EXPECT_THAT(program_->told_at, SizeIs(0));
}

TEST_F(network_watch_test, may_be_closed_by_who_is_told) {
  program_->then = [this] { watch_->close(); };
  say_news();
  EXPECT_TRUE(runs_out());
  EXPECT_THAT(program_->told_at, SizeIs(1));
}

TEST_F(network_watch_test, closes_when_its_socket_breaks) {
  run_for(1ms);
  hang_up();
  EXPECT_TRUE(runs_out());
  EXPECT_FALSE(watch_->is_open());
  EXPECT_THAT(program_->told_at, SizeIs(0));
}

TEST_F(network_watch_test, keeps_its_listener_alive_until_it_is_closed) {
  const std::weak_ptr<program> listener = program_;
  program_.reset();
  run_for(1ms);
  EXPECT_FALSE(listener.expired());
  watch_->close();
  EXPECT_TRUE(runs_out());
  EXPECT_TRUE(listener.expired());
}

}  // namespace
}  // namespace damson::driver
