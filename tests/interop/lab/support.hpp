#pragma once

#include <chrono>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lab {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

/// What the lab throws when it could not do what it was told; the text says what and why.
/// GoogleTest turns it into a failure of the test.
class error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Throws `error` with `what` and the text of the current `errno`.
[[noreturn]] void throw_errno(std::string_view what);

/// `result`, or `throw_errno(what)` when it is negative.
int checked(int result, std::string_view what);

/// An owned file descriptor.
class unique_fd {
 public:
  unique_fd() = default;
  explicit unique_fd(int fd) : fd_(fd) {}
  unique_fd(const unique_fd&) = delete;
  unique_fd& operator=(const unique_fd&) = delete;
  unique_fd(unique_fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  unique_fd& operator=(unique_fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~unique_fd() { reset(); }

  int get() const { return fd_; }
  void reset();

 private:
  int fd_ = -1;
};

/// The whole milliseconds left until `deadline`, rounded up, never negative: what poll() takes.
int poll_time(steady_clock::time_point deadline);

/// Waits until `fd` shows one of `events` or the deadline has passed; says whether it did.
bool poll_one(int fd, short events, steady_clock::time_point deadline);

/// A private directory in the temporary file system of the sandbox, removed with everything in it.
class scratch_directory {
 public:
  scratch_directory();
  scratch_directory(const scratch_directory&) = delete;
  scratch_directory& operator=(const scratch_directory&) = delete;
  ~scratch_directory();

  /// The full path of `name` in the directory.
  std::string file(std::string_view name) const { return path_ + "/" + std::string(name); }

 private:
  std::string path_;
};

/// Whether the environment variable is set to anything but nothing or "0".
bool environment_flag(const char* name);

/// The "NAME=value" entries of the environment, those of `own` in place of the ones with the same
/// names.
std::vector<std::string> environment_with(const std::vector<std::string>& own);

/// What exec() takes: pointers into `strings`, and a null pointer at the end.
std::vector<char*> exec_pointers(std::vector<std::string>& strings);

/// Writes a line to stderr, "lab: " in front, when DAMSON_TEST_VERBOSE is set.
void note(std::string_view text);

/// The path of a program on PATH or in the two system directories that the PATH of an unprivileged
/// user lacks; empty when it is not installed.
std::string find_tool(std::string_view name);

}  // namespace lab
