#pragma once

#include <sys/types.h>

#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "lab/net_namespace.hpp"
#include "lab/support.hpp"

namespace lab {

struct process_options {
  /// What the program reads on its standard input before the end of file.
  std::string input;
  /// "NAME=value" entries, put in place of or added to those of this program.
  std::vector<std::string> environment;
  /// Leaves its standard error where that of the test goes, instead of collecting it.
  bool inherit_stderr = false;
};

/// A program running in a namespace. Its output is collected all the time, so it never waits for a
/// reader. It is killed and reaped with this object, and, being in the sandbox's pid namespace,
/// with the test in any case.
///
///     lab::process tool(net.lan(), {DAMSON_TOOL, "map", "8080/tcp", "--json"});
///     std::optional<std::string> line = tool.read_line(5s);   // {"event":"mapped", …}
///     tool.send_signal(SIGINT);
///     EXPECT_EQ(tool.wait(3s), 0) << tool.err();
class process {
 public:
  /// `command[0]` is a path, or a name to be found as find_tool() does. Throws when it cannot be
  /// run.
  process(const net_namespace& where, std::vector<std::string> command,
          const process_options& options = {});
  process(const process&) = delete;
  process& operator=(const process&) = delete;
  ~process();

  pid_t pid() const { return pid_; }
  void send_signal(int signal);

  /// The next line of its standard output without the newline, as soon as it is there; nothing when
  /// `limit` is over or the output has ended before.
  std::optional<std::string> read_line(milliseconds limit);

  /// Waits for its end, at most `limit`; then the exit status as a shell shows it (128 + signal
  /// when it was killed), and out() and err() are complete. Nothing when it is still running.
  std::optional<int> wait(milliseconds limit);

  /// All it has written so far.
  std::string out() const;
  std::string err() const;

 private:
  void spawn(const net_namespace& where, const process_options& options);
  void collect();
  void reap();

  std::vector<std::string> command_;
  pid_t pid_ = -1;
  unique_fd pidfd_;
  std::optional<int> status_;
  unique_fd stdout_;
  unique_fd stderr_;
  unique_fd stop_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::string out_;
  std::string err_;
  std::size_t read_ = 0;
  bool ended_ = false;
  std::thread collector_;
};

struct run_result {
  int status = 0;  ///< As process::wait() gives it.
  std::string out;
  std::string err;
};

/// Runs a program to its end, at most ten seconds, with `input` as its standard input.
run_result try_run(const net_namespace& where, const std::vector<std::string>& command,
                   const std::string& input = {});

/// The same for a program that has to succeed: returns what it wrote to its standard output; throws
/// `error` with the command line, the input and what it wrote to standard error when it failed.
std::string run(const net_namespace& where, const std::vector<std::string>& command,
                const std::string& input = {});

/// The words of a command with a space between.
std::string command_line(const std::vector<std::string>& command);

}  // namespace lab
