#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace damson::cli {

/// A descriptor that is closed with its owner.
class unique_descriptor {
 public:
  unique_descriptor() = default;
  explicit unique_descriptor(int number) : number_(number) {}
  unique_descriptor(unique_descriptor&& other) noexcept;
  unique_descriptor& operator=(unique_descriptor&& other) noexcept;
  unique_descriptor(const unique_descriptor&) = delete;
  unique_descriptor& operator=(const unique_descriptor&) = delete;
  ~unique_descriptor() { close(); }

  int get() const { return number_; }
  explicit operator bool() const { return number_ >= 0; }
  void close();

 private:
  int number_ = -1;
};

/// How a program's standard streams are set up.
struct child_setup {
  std::vector<std::string> environment;  ///< "NAME=value", besides what is inherited
  bool terminal_for_errors = false;      ///< standard error is a terminal of its own
  bool closed_output = false;            ///< standard output is no open descriptor
};

/// A program that was started, with its standard output and error in pipes; killed when it outlives
/// its owner. Waits end as soon as what they wait for is there, and only else after a generous
/// time.
class child_process {
 public:
  child_process(const std::vector<std::string>& command, const child_setup& setup = {});
  child_process(const child_process&) = delete;
  child_process& operator=(const child_process&) = delete;
  ~child_process();

  void signal(int number) const;

  /// Waits until a whole line that contains `text` was read from standard output, and returns the
  /// line; empty when the program ended or went silent before.
  std::string wait_for_line(std::string_view text);
  /// The same on standard error.
  std::string wait_for_error_line(std::string_view text);
  /// Waits until standard error contains the text, on whatever line.
  bool wait_for_error_text(std::string_view text);

  /// Nobody reads standard output any more.
  void close_output() { output_.end.close(); }

  /// Reads both streams to their ends and returns the exit code, or 128 and the signal's number.
  /// Empty when the program did not end.
  std::optional<int> wait();

  /// Everything read up to now.
  const std::string& output() const { return output_.text; }
  const std::string& errors() const { return errors_.text; }

 private:
  struct captured {
    unique_descriptor end;
    std::string text;
    std::size_t searched = 0;
  };
  using clock = std::chrono::steady_clock;

  bool read_some(clock::time_point deadline);
  std::string next_line_with(captured& from, std::string_view text);

  pid_t id_ = -1;
  captured output_;
  captured errors_;
};

}  // namespace damson::cli
