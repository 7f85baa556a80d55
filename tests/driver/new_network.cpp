#include "new_network.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <vector>

namespace {

constexpr int body_passed = 0;
constexpr int body_failed = 1;
constexpr int no_network = 2;

bool write_file(const char* path, std::string_view text) {
  const int file = ::open(path, O_WRONLY | O_CLOEXEC);
  if (file < 0) return false;
  const bool written = ::write(file, text.data(), text.size()) == std::ssize(text);
  ::close(file);
  return written;
}

/// As root, or else as root of a user namespace.
bool enter_new_network() {
  if (::unshare(CLONE_NEWNET) == 0) return true;
  const auto user = std::to_string(::getuid());
  const auto group = std::to_string(::getgid());
  return ::unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0 &&
         write_file("/proc/self/setgroups", "deny") &&
         write_file("/proc/self/uid_map", "0 " + user + " 1") &&
         write_file("/proc/self/gid_map", "0 " + group + " 1");
}

/// The exit status, or nothing where it was no exit.
std::optional<int> wait_for(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? std::optional{WEXITSTATUS(status)} : std::nullopt;
}

}  // namespace

new_network_result in_new_network(const std::function<void()>& body) {
  static_cast<void>(std::fflush(nullptr));
  const pid_t child = ::fork();
  if (child < 0) return {.unavailable = std::string{"cannot fork: "} + std::strerror(errno)};
  if (child == 0) {
    int status = no_network;
    if (enter_new_network()) {
      ip({"link", "set", "lo", "up", "multicast", "on"});
      if (!testing::Test::HasFailure()) body();
      status = testing::Test::HasFailure() ? body_failed : body_passed;
    }
    static_cast<void>(std::fflush(nullptr));
    ::_exit(status);
  }
  const auto status = wait_for(child);
  if (status == no_network)
    return {.unavailable = "no network namespace to be had, neither as root nor as a user"};
  return {.passed = status == body_passed, .unavailable = std::nullopt};
}

void ip(std::initializer_list<std::string> arguments) {
  std::vector<std::string> words{"ip"};
  words.insert(words.end(), arguments);
  std::string line;
  std::vector<char*> pointers;
  for (auto& word : words) {
    pointers.push_back(word.data());
    line += word + ' ';
  }
  pointers.push_back(nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    ::execvp(pointers[0], pointers.data());
    ::_exit(127);
  }
  EXPECT_EQ(wait_for(child), 0) << line;
}
