// How HTTP exchanges reach the outside world and the engine.

#include "driver/engine_pump.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "test_router.hpp"
#include "waiting.hpp"
#include "web_server.hpp"

namespace damson::driver {

/// Acts in the engine's name: no engine can be made to ask for what a test wants.
class engine_pump_probe {
 public:
  template <class Order>
  static void act(engine_pump& pump, Order order) {
    pump.act(std::move(order));
  }
  static std::size_t exchanges(const engine_pump& pump) { return pump.exchanges_.size(); }
  /// An engine ignores the results of exchanges that it never asked for, and counts them.
  static std::uint64_t ignored(const engine_pump& pump) {
    return pump.engine_.counters().inputs_ignored;
  }
};

namespace {

namespace asio = boost::asio;
using probe = engine_pump_probe;

struct program final : engine_observer {
  void on_event(mapping_event event) override { events.push_back(std::move(event)); }
  void on_discovered(discovered /*result*/) override {}
  void on_router_answered(router_answered /*answer*/) override {}
  void on_engine_closed() override { exchanges_when_closed = probe::exchanges(*pump); }

  std::optional<engine_pump> pump;
  std::vector<mapping_event> events;
  std::optional<std::size_t> exchanges_when_closed;
};

class engine_pump_test : public testing::Test {
 protected:
  engine_pump_test() {
    constexpr std::array<std::uint64_t, 4> seed{1, 2, 3, 4};
    program_->pump.emplace(io_.get_executor(), router_.options(), seed);
    program_->pump->attach(program_);
  }

  engine_pump& pump() { return *program_->pump; }

  static send_http order_to(const web_server& server, std::uint64_t id = 1) {
    return {.id = http_id{id},
            .remote = server.where(),
            .local = {},
            .head_and_body = "GET / HTTP/1.1\r\n\r\n",
            .body_limit = 100,
            .deadline = patience};
  }

  void ask(web_server& server, std::uint64_t id = 1) {
    probe::act(pump(), order_to(server, id));
    EXPECT_TRUE(run_until(io_, [&] { return !server.received().empty(); }));
  }

  bool is_over(const web_server& server) {
    return run_until(io_, [&] { return server.ended().has_value(); });
  }

  silent_router router_;
  asio::io_context io_;
  std::shared_ptr<program> program_ = std::make_shared<program>();
};

TEST_F(engine_pump_test, brings_answers_to_the_engine) {
  web_server server{io_};
  ask(server);
  EXPECT_EQ(probe::exchanges(pump()), 1U);
  server.send("HTTP/1.1 204 No Content\r\n\r\n");
  EXPECT_TRUE(run_until(io_, [&] { return probe::ignored(pump()) == 1; }));
  EXPECT_EQ(probe::exchanges(pump()), 0U);
}

TEST_F(engine_pump_test, brings_failures_to_the_engine) {
  web_server server{io_};
  ask(server);
  server.finish();
  EXPECT_TRUE(run_until(io_, [&] { return probe::ignored(pump()) == 1; }));
  EXPECT_EQ(probe::exchanges(pump()), 0U);
}

TEST_F(engine_pump_test, cancels_one_of_several_exchanges) {
  web_server first{io_};
  web_server second{io_};
  ask(first, 1);
  ask(second, 2);
  probe::act(pump(), cancel_http{http_id{1}});
  probe::act(pump(), cancel_http{http_id{3}});  // never asked for
  EXPECT_TRUE(is_over(first));
  EXPECT_FALSE(second.ended());
  EXPECT_EQ(probe::exchanges(pump()), 1U);
  EXPECT_EQ(probe::ignored(pump()), 0U);
}

TEST_F(engine_pump_test, breaks_off_exchanges_to_rest_and_tells_the_engine_later) {
  pump().put(create_mapping{mapping_id{1}, request_for_8080});
  web_server server{io_};
  ask(server);
  ASSERT_FALSE(server.ended());
  pump().put(release_mapping{mapping_id{1}});
  EXPECT_TRUE(is_over(server));
  ASSERT_FALSE(program_->events.empty());
  EXPECT_EQ(program_->events.back().kind, event_kind::removed);
  EXPECT_EQ(probe::exchanges(pump()), 0U);
  EXPECT_EQ(probe::ignored(pump()), 0U);

  pump().put(time_passed{});
  EXPECT_EQ(probe::ignored(pump()), 1U);
}

TEST_F(engine_pump_test, tells_nothing_of_what_is_cancelled_after_it_was_broken_off) {
  web_server server{io_};
  ask(server);
  pump().put(time_passed{});
  EXPECT_TRUE(is_over(server));
  probe::act(pump(), cancel_http{http_id{1}});
  pump().put(time_passed{});
  EXPECT_EQ(probe::ignored(pump()), 0U);
}

TEST_F(engine_pump_test, ends_exchanges_with_the_engine) {
  pump().put(create_mapping{mapping_id{1}, request_for_8080});
  web_server server{io_};
  ask(server);
  pump().put(close_engine{});
  EXPECT_TRUE(run_until(io_, [&] { return program_->exchanges_when_closed.has_value(); }));
  EXPECT_EQ(program_->exchanges_when_closed, 0U);
  EXPECT_TRUE(is_over(server));
  EXPECT_EQ(probe::ignored(pump()), 0U);
}

TEST_F(engine_pump_test, ends_exchanges_when_it_is_destroyed) {
  web_server server{io_};
  ask(server);
  server.send("HTTP/1.1 204 No Content\r\n\r\n");
  program_->pump.reset();
  EXPECT_TRUE(is_over(server));
}

}  // namespace
}  // namespace damson::driver
