#include "lab/support.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <ranges>
#include <sstream>
#include <system_error>

namespace lab {

void throw_errno(std::string_view what) {
  const int number = errno;
  throw error(std::string(what) + ": " + std::generic_category().message(number));
}

int checked(int result, std::string_view what) {
  if (result < 0) throw_errno(what);
  return result;
}

void unique_fd::reset() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

int poll_time(steady_clock::time_point deadline) {
  const auto left = std::chrono::ceil<milliseconds>(deadline - steady_clock::now()).count();
  return left > 0 ? static_cast<int>(left) : 0;
}

bool poll_one(int fd, short events, steady_clock::time_point deadline) {
  pollfd entry{.fd = fd, .events = events, .revents = 0};
  for (;;) {
    const int ready = ::poll(&entry, 1, poll_time(deadline));
    if (ready >= 0) return ready > 0;
    if (errno != EINTR) throw_errno("poll");
  }
}

scratch_directory::scratch_directory() {
  std::string pattern = "/run/damson-lab-XXXXXX";
  if (::mkdtemp(pattern.data()) == nullptr) throw_errno("mkdtemp " + pattern);
  path_ = pattern;
}

scratch_directory::~scratch_directory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

bool environment_flag(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && !std::string_view(value).empty() && std::string_view(value) != "0";
}

std::vector<std::string> environment_with(const std::vector<std::string>& own) {
  const auto same_name = [](std::string_view left, std::string_view right) {
    return left.substr(0, left.find('=')) == right.substr(0, right.find('='));
  };
  std::vector<std::string> result = own;
  // The array is ended by a null pointer.
  for (const char* entry :
       std::ranges::subrange(environ, std::unreachable_sentinel) |
           std::views::take_while([](const char* each) { return each != nullptr; }))
    if (std::ranges::none_of(own, [&](const std::string& each) { return same_name(each, entry); }))
      result.emplace_back(entry);
  return result;
}

std::vector<char*> exec_pointers(std::vector<std::string>& strings) {
  std::vector<char*> result;
  result.reserve(strings.size() + 1);
  for (std::string& each : strings) result.push_back(each.data());
  result.push_back(nullptr);
  return result;
}

void note(std::string_view text) {
  static const bool verbose = environment_flag("DAMSON_TEST_VERBOSE");
  if (verbose) std::cerr << "lab: " + std::string(text) + "\n";
}

std::string find_tool(std::string_view name) {
  const char* path = std::getenv("PATH");
  std::istringstream folders(std::string(path != nullptr ? path : "/usr/bin:/bin") +
                             ":/usr/sbin:/sbin");
  for (std::string folder; std::getline(folders, folder, ':');) {
    std::string candidate = folder + "/" + std::string(name);
    if (!folder.empty() && ::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return {};
}

}  // namespace lab
