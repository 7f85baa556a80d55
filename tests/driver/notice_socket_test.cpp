#include "net/notice_socket.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "new_network.hpp"

namespace damson::net {
namespace {

/// Opened before the test changes anything.
class open_socket {
 public:
  open_socket() {
    const auto opened = open_notice_socket();
    EXPECT_TRUE(opened) << opened.error().message();
    socket_ = opened.value_or(-1);
  }
  open_socket(const open_socket&) = delete;
  open_socket& operator=(const open_socket&) = delete;
  ~open_socket() { ::close(socket_); }

  int get() const { return socket_; }

  /// All that waits. Notices are there when the change is done.
  heard read() {
    heard all = heard::nothing;
    for (pollfd wait{socket_, POLLIN, 0}; ::poll(&wait, 1, 0) > 0;) {
      const heard some = read_notices(socket_, parser_);
      if (some == heard::broken) return some;
      if (some == heard::news) all = some;
    }
    return all;
  }

 private:
  int socket_ = -1;
  notice_parser parser_;
};

bool is_up(const char* link) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> out{
      ::popen((std::string{"ip -oneline link show "} + link).c_str(), "re"), ::pclose};
  std::string text(1'000, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), out.get()));
  return text.contains("state UP");
}

/// That both ends have a carrier the kernel finds, and tells, after the command has ended.
void make_link() {
  ip({"link", "add", "near", "type", "veth", "peer", "name", "far"});
  for (const char* end : {"near", "far"}) ip({"link", "set", end, "addrgenmode", "none", "up"});
  ip({"addr", "add", "192.168.77.10/24", "dev", "near"});
  const auto too_late = std::chrono::steady_clock::now() + std::chrono::seconds{10};
  while (!is_up("near") || !is_up("far")) {
    ASSERT_LT(std::chrono::steady_clock::now(), too_late) << "no carrier";
  }
}

/// Many routes that lead nowhere of interest.
void add_dull_routes(int count) {
  const std::string script = testing::TempDir() + "damson_dull_routes";
  std::string lines;
  for (int each = 0; each < count; ++each) {
    lines += "route add 10." + std::to_string(each / 256) + '.' + std::to_string(each % 256) +
             ".0/24 via 192.168.77.2\n";
  }
  std::ofstream{script} << lines;
  ip({"-batch", script});
  std::filesystem::remove(script);
}

void hear_each_change() {
  open_socket socket;
  EXPECT_EQ(socket.read(), heard::nothing);
  make_link();
  EXPECT_EQ(socket.read(), heard::news) << "links and an address";
  EXPECT_EQ(socket.read(), heard::nothing);
  ip({"route", "add", "default", "via", "192.168.77.1"});
  EXPECT_EQ(socket.read(), heard::news) << "a default route";
  ip({"route", "replace", "default", "via", "192.168.77.2"});
  EXPECT_EQ(socket.read(), heard::news) << "another router";
  ip({"addr", "add", "192.168.77.11/24", "dev", "near"});
  EXPECT_EQ(socket.read(), heard::news) << "another address";
  ip({"addr", "add", "2001:db8:77::10/64", "dev", "near", "nodad"});
  ip({"-6", "route", "add", "default", "via", "fe80::1", "dev", "near"});
  EXPECT_EQ(socket.read(), heard::news) << "IPv6";
  ip({"link", "set", "near", "down"});
  EXPECT_EQ(socket.read(), heard::news) << "a link down";
  ip({"link", "del", "near"});
  EXPECT_EQ(socket.read(), heard::news) << "a link gone";
}

void not_hear_what_does_not_matter() {
  make_link();
  open_socket socket;
  add_dull_routes(100);
  ip({"neigh", "add", "192.168.77.9", "lladdr", "02:00:00:00:00:09", "dev", "near"});
  EXPECT_EQ(socket.read(), heard::nothing);
}

void take_lost_notices_for_news() {
  open_socket socket;
  make_link();
  EXPECT_EQ(socket.read(), heard::news);
  const int smallest = 1;
  ASSERT_EQ(::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUF, &smallest, sizeof smallest), 0);
  add_dull_routes(1'000);
  ip({"link", "set", "near", "down"});  // which nobody hears
  EXPECT_EQ(socket.read(), heard::news);
  EXPECT_EQ(socket.read(), heard::nothing) << "and goes on";
  ip({"link", "set", "near", "up"});
  EXPECT_EQ(socket.read(), heard::news);
}

TEST(notice_socket, hears_each_change) { DAMSON_RUN_IN_NEW_NETWORK(hear_each_change); }

TEST(notice_socket, does_not_hear_what_does_not_matter) {
  DAMSON_RUN_IN_NEW_NETWORK(not_hear_what_does_not_matter);
}

TEST(notice_socket, takes_lost_notices_for_news) {
  DAMSON_RUN_IN_NEW_NETWORK(take_lost_notices_for_news);
}

TEST(notice_socket, is_not_inherited_and_does_not_block) {
  const open_socket socket;
  EXPECT_NE(::fcntl(socket.get(), F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_NE(::fcntl(socket.get(), F_GETFL) & O_NONBLOCK, 0);
}

}  // namespace
}  // namespace damson::net
