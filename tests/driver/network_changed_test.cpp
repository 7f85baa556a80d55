// The network under a client becomes another one.

#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <fstream>
#include <string>
#include <string_view>

#include "client_fixture.hpp"
#include "new_network.hpp"

namespace damson {
namespace {

using namespace std::chrono_literals;

/// A host that the internet reaches without a router, so that there is none to be simulated.
void make_public_host() {
  ip({"link", "add", "near", "type", "veth", "peer", "name", "far"});
  for (const char* end : {"near", "far"}) ip({"link", "set", end, "addrgenmode", "none", "up"});
}

void have_address(const std::string& address) {
  ip({"addr", "add", address + "/24", "dev", "near"});
  ip({"route", "add", "default", "dev", "near", "src", address});
}

/// How many sockets hear of changes in this network namespace.
std::size_t watching_sockets() {
  std::size_t count = 0;
  std::ifstream file{"/proc/net/netlink"};
  for (std::string line; std::getline(file, line);)
    count += line.find(" 00000551 ") != std::string::npos ? 1 : 0;  // the groups
  return count;
}

/// As a sandbox does: no socket for notices, while asking is allowed. For the rest of the process.
void forbid_notices() {
  constexpr auto word = BPF_LD | BPF_W | BPF_ABS;
  constexpr auto equal = BPF_JMP | BPF_JEQ | BPF_K;
  constexpr auto verdict = BPF_RET | BPF_K;
  std::array<sock_filter, 8> program{{
      BPF_STMT(word, offsetof(seccomp_data, nr)),
      BPF_JUMP(equal, __NR_socket, 0, 5),
      BPF_STMT(word, offsetof(seccomp_data, args[0])),
      BPF_JUMP(equal, AF_NETLINK, 0, 3),
      BPF_STMT(word, offsetof(seccomp_data, args[1])),
      BPF_JUMP(equal, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, 1),
      BPF_STMT(verdict, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(verdict, SECCOMP_RET_ALLOW),
  }};
  const sock_fprog filter{.len = program.size(), .filter = program.data()};
  ASSERT_EQ(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
  ASSERT_EQ(::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter), 0);
}

using network_changed_test = client_fixture;

TEST_F(network_changed_test, is_noticed_without_a_word_of_the_program) {
  DAMSON_RUN_IN_NEW_NETWORK([this] {
    make_public_host();
    have_address("1.2.3.4");
    // Nothing but a notice comes within the patience of the test.
    client client{*io_, {.recheck_period = 24h}};
    auto [error, handle] = map(client);
    ASSERT_FALSE(error) << error.message();

    ip({"addr", "del", "1.2.3.4/24", "dev", "near"});
    auto told = next_event(handle);
    EXPECT_EQ(told.event.kind, event_kind::lost);
    EXPECT_EQ(told.event.why.reason, errc::network_changed);

    have_address("1.2.3.5");
    do told = next_event(handle);
    while (!told.error && told.event.kind != event_kind::mapped);
    EXPECT_TRUE(told.event.regained);
    EXPECT_EQ(to_string(told.event.info.external), "1.2.3.5:8080");

    ip({"link", "set", "near", "down"});
    told = next_event(handle);
    EXPECT_EQ(told.event.kind, event_kind::lost);
  });
}

TEST_F(network_changed_test, is_listened_for_while_there_is_work) {
  DAMSON_RUN_IN_NEW_NETWORK([this] {
    make_public_host();
    have_address("1.2.3.4");
    client client{*io_};
    client.network_changed();
    ASSERT_TRUE(run_out());
    EXPECT_EQ(watching_sockets(), 0U);
    for (int each = 0; each < 3; ++each) {
      auto [error, handle] = map(client);
      ASSERT_FALSE(error) << error.message();
      EXPECT_EQ(watching_sockets(), 1U);
      client.network_changed();
      EXPECT_TRUE(has_work());
      EXPECT_EQ(watching_sockets(), 1U);
      handle = mapping{};
      ASSERT_TRUE(run_out());
      EXPECT_EQ(watching_sockets(), 0U);
    }
    auto [error, handle] = map(client);
    ASSERT_FALSE(error) << error.message();
    client.async_close([](error_code) {});
    ASSERT_TRUE(run_out());
    EXPECT_EQ(watching_sockets(), 0U);
  });
}

TEST_F(network_changed_test, is_seen_at_rechecks_where_the_system_does_not_tell) {
  DAMSON_RUN_IN_NEW_NETWORK([this] {
    make_public_host();
    have_address("1.2.3.4");
    forbid_notices();
    int said = 0;
    const auto count = [&](log_level, std::string_view line) {
      said += line.find("rechecks only") != std::string_view::npos ? 1 : 0;
    };
    client client{*io_, {.recheck_period = 1s, .level = log_level::debug, .log = count}};
    auto [error, handle] = map(client);
    ASSERT_FALSE(error) << error.message();
    EXPECT_EQ(watching_sockets(), 0U);
    ip({"addr", "del", "1.2.3.4/24", "dev", "near"});
    EXPECT_EQ(next_event(handle).event.kind, event_kind::lost);
    EXPECT_EQ(said, 1);
  });
}

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
