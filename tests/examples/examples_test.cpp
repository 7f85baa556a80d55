// Each example against a simulated router on a loopback address.

#include <gmock/gmock.h>

#include <chrono>
#include <csignal>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "tests/cli/child_process.hpp"
#include "tests/cli/test_router.hpp"
#include "tests/driver/new_network.hpp"

namespace damson::examples {
namespace {

using cli::child_process;
using cli::test_router;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

struct program {
  std::string_view name;
  std::string_view path;
};

void PrintTo(const program& which, std::ostream* out) { *out << which.name; }

class example : public testing::TestWithParam<program> {
 protected:
  void SetUp() override {
    if (GetParam().path.empty()) GTEST_SKIP() << "not built, because libuv was not found";
  }

  static std::vector<std::string> command(const std::vector<std::string>& words) {
    std::vector<std::string> out{std::string{GetParam().path}};
    out.insert(out.end(), words.begin(), words.end());
    return out;
  }
};

TEST_P(example, opens_the_port_and_gives_it_back) {
  test_router router;
  child_process child{command({"--once", "--gateway", router.address(), "8081"})};
  EXPECT_EQ(child.wait(), 0) << child.errors();
  EXPECT_EQ(child.output(),
            "127.0.0.1:8081 is open as 1.2.3.4:8081 through pcp\ngiven back: deleted\n");
  EXPECT_THAT(router.rules(), IsEmpty());
}

TEST_P(example, keeps_the_port_open_until_a_signal) {
  for (const int signal : {SIGINT, SIGTERM}) {
    test_router router;
    child_process child{command({"--gateway", router.address()})};
    EXPECT_THAT(child.wait_for_line("is open"), HasSubstr("127.0.0.1:8080 is open as"));
    EXPECT_THAT(router.rules(), SizeIs(1));
    child.signal(signal);
    EXPECT_EQ(child.wait(), 0) << child.errors();
    EXPECT_THAT(child.output(), HasSubstr("\ngiven back: deleted\n"));
    EXPECT_THAT(router.rules(), IsEmpty());
  }
}

/// The host's clock decides when a router is looked at again; a lease that is short enough has it
/// asked within a second.
sim::profile short_leases() {
  sim::profile how;
  how.min_lifetime = how.max_lifetime = std::chrono::seconds{2};
  how.announcements = 0;
  how.address_change_resets_epoch = false;
  return how;
}

TEST_P(example, says_what_changes) {
  test_router router{short_leases()};
  child_process child{command({"--gateway", router.address()})};
  ASSERT_THAT(child.wait_for_line("is open as 1.2.3.4:8080"), Not(IsEmpty()));
  router.change([](sim::gateway& model, time_point now) {
    model.set_public_address(now, ip_address{ip_address::v4_bytes{198, 51, 100, 23}});
  });
  EXPECT_THAT(child.wait_for_line("is open as 198.51.100.23:8080"), HasSubstr("through pcp"));
  child.signal(SIGINT);
  EXPECT_EQ(child.wait(), 0) << child.errors();
  EXPECT_THAT(router.rules(), IsEmpty());
}

void fail_where_nobody_listens(const std::vector<std::string>& command) {
  child_process child{command};
  EXPECT_EQ(child.wait(), 1);
  EXPECT_THAT(child.output(), Not(HasSubstr("is open as")));
  EXPECT_THAT(child.errors(), AllOf(HasSubstr("not open: "), HasSubstr("127.9.9.9:5351")));
}

// In a network of its own, because a search for UPnP devices may find the routers of other tests.
TEST_P(example, says_why_it_failed) {
  DAMSON_RUN_IN_NEW_NETWORK([] { fail_where_nobody_listens(command({"--gateway", "127.9.9.9"})); });
}

TEST_P(example, refuses_what_makes_no_sense) {
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"0"}, {"65536"}, {"80x"}, {"--gateway"}, {"--gateway", "router"}, {"--help"}}) {
    child_process child{command(words)};
    EXPECT_EQ(child.wait(), 2);
    EXPECT_THAT(child.output(), IsEmpty());
    EXPECT_THAT(child.errors(), HasSubstr("usage: "));
  }
}

INSTANTIATE_TEST_SUITE_P(
    all, example,
    testing::Values(program{.name = "callbacks", .path = DAMSON_EXAMPLE_CALLBACKS},
                    program{.name = "futures", .path = DAMSON_EXAMPLE_FUTURES},
                    program{.name = "coroutine", .path = DAMSON_EXAMPLE_COROUTINE},
                    program{.name = "poll_loop", .path = DAMSON_EXAMPLE_POLL_LOOP},
                    program{.name = "libuv_loop", .path = DAMSON_EXAMPLE_LIBUV_LOOP}),
    [](const auto& which) { return std::string{which.param.name}; });

}  // namespace
}  // namespace damson::examples
