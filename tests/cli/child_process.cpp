#include "child_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace damson::cli {
namespace {

constexpr std::chrono::seconds patience{30};

int checked(int result, const char* what) {
  if (result < 0) {
    throw std::system_error(errno, std::generic_category(), what);
  }
  return result;
}

/// The reading and the writing end.
std::pair<unique_descriptor, unique_descriptor> make_pipe() {
  std::array<int, 2> ends{};
  checked(::pipe2(ends.data(), O_CLOEXEC), "pipe2");
  return {unique_descriptor{ends[0]}, unique_descriptor{ends[1]}};
}

/// The two ends of a pseudo-terminal: ours, and the program's.
std::pair<unique_descriptor, unique_descriptor> make_terminal() {
  unique_descriptor ours{checked(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), "posix_openpt")};
  checked(::grantpt(ours.get()), "grantpt");
  checked(::unlockpt(ours.get()), "unlockpt");
  std::array<char, 128> name{};
  if (::ptsname_r(ours.get(), name.data(), name.size()) != 0) {
    throw std::runtime_error("ptsname_r");
  }
  unique_descriptor theirs{
      checked(::open(name.data(), O_RDWR | O_NOCTTY | O_CLOEXEC), "open terminal")};
  return {std::move(ours), std::move(theirs)};
}

std::vector<char*> pointers_to(std::vector<std::string>& words) {
  std::vector<char*> out;
  out.reserve(words.size() + 1);
  for (std::string& word : words) {
    out.push_back(word.data());
  }
  out.push_back(nullptr);
  return out;
}

std::vector<std::string> environment_with(const std::vector<std::string>& extra) {
  std::vector<std::string> out = extra;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    // What the person who runs the tests wants to see of the library is not what the program is to
    // say.
    if (!std::string_view{*variable}.starts_with("DAMSON_VERBOSE=")) {
      out.emplace_back(*variable);
    }
  }
  return out;
}

}  // namespace

unique_descriptor::unique_descriptor(unique_descriptor&& other) noexcept
    : number_(std::exchange(other.number_, -1)) {}

unique_descriptor& unique_descriptor::operator=(unique_descriptor&& other) noexcept {
  close();
  number_ = std::exchange(other.number_, -1);
  return *this;
}

void unique_descriptor::close() {
  if (number_ >= 0) {
    ::close(std::exchange(number_, -1));
  }
}

child_process::child_process(const std::vector<std::string>& command, const child_setup& setup) {
  auto [output, output_theirs] = make_pipe();
  auto [errors, errors_theirs] = setup.terminal_for_errors ? make_terminal() : make_pipe();
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  if (setup.closed_output) {
    ::posix_spawn_file_actions_addclose(&actions, STDOUT_FILENO);
  } else {
    ::posix_spawn_file_actions_adddup2(&actions, output_theirs.get(), STDOUT_FILENO);
  }
  ::posix_spawn_file_actions_adddup2(&actions, errors_theirs.get(), STDERR_FILENO);
  std::vector<std::string> words = command;
  std::vector<std::string> variables = environment_with(setup.environment);
  const int failed = ::posix_spawn(&id_, words.front().c_str(), &actions, nullptr,
                                   pointers_to(words).data(), pointers_to(variables).data());
  ::posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) {
    throw std::system_error(failed, std::generic_category(), "posix_spawn " + words.front());
  }
  output_.end = std::move(output);
  errors_.end = std::move(errors);
}

child_process::~child_process() {
  if (id_ > 0) {
    ::kill(id_, SIGKILL);
    ::waitpid(id_, nullptr, 0);
  }
}

void child_process::signal(int number) const {
  if (id_ > 0) {
    ::kill(id_, number);
  }
}

bool child_process::read_some(clock::time_point deadline) {
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(deadline - clock::now()).count();
  std::array<pollfd, 2> ready{};
  const std::array<captured*, 2> streams{&output_, &errors_};
  for (std::size_t i = 0; i < streams.size(); ++i) {
    // poll() passes over negative numbers.
    ready.at(i) = {.fd = streams.at(i)->end.get(), .events = POLLIN, .revents = 0};
  }
  if ((!output_.end && !errors_.end) || left <= 0 ||
      ::poll(ready.data(), ready.size(), static_cast<int>(left)) <= 0) {
    return false;
  }
  for (std::size_t i = 0; i < streams.size(); ++i) {
    if (ready.at(i).revents == 0) {
      continue;
    }
    std::array<char, 4096> buffer{};
    const ssize_t count = ::read(streams.at(i)->end.get(), buffer.data(), buffer.size());
    if (count > 0) {
      streams.at(i)->text.append(buffer.data(), static_cast<std::size_t>(count));
    } else {
      streams.at(i)->end.close();
    }
  }
  return true;
}

std::string child_process::next_line_with(captured& from, std::string_view text) {
  const auto deadline = clock::now() + patience;
  do {
    for (std::size_t end = 0; (end = from.text.find('\n', from.searched)) != std::string::npos;) {
      const std::string line = from.text.substr(from.searched, end - from.searched);
      from.searched = end + 1;
      if (line.find(text) != std::string::npos) {
        return line;
      }
    }
  } while (read_some(deadline));
  return {};
}

std::string child_process::wait_for_line(std::string_view text) {
  return next_line_with(output_, text);
}

std::string child_process::wait_for_error_line(std::string_view text) {
  return next_line_with(errors_, text);
}

bool child_process::wait_for_error_text(std::string_view text) {
  const auto deadline = clock::now() + patience;
  while (errors_.text.find(text) == std::string::npos) {
    if (!read_some(deadline)) {
      return false;
    }
  }
  return true;
}

std::optional<int> child_process::wait() {
  const auto deadline = clock::now() + patience;
  while (read_some(deadline)) {
  }
  if (output_.end || errors_.end) {
    return std::nullopt;
  }
  // Both streams ended, so the program is ending, unless it closed them and stays.
  const unique_descriptor process{
      checked(static_cast<int>(::syscall(SYS_pidfd_open, id_, 0)), "pidfd_open")};
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - clock::now());
  pollfd ended{.fd = process.get(), .events = POLLIN, .revents = 0};
  if (::poll(&ended, 1, std::max(static_cast<int>(left.count()), 0)) <= 0) {
    return std::nullopt;
  }
  int status = 0;
  checked(::waitpid(id_, &status, 0), "waitpid");
  id_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace damson::cli
