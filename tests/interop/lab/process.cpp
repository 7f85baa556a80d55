#include "lab/process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

namespace lab {
namespace {

constexpr milliseconds run_limit{10'000};
// How long output may still come after the program's end: a daemon it left behind can hold the
// pipes.
constexpr milliseconds drain_limit{1'000};

// A file and not a pipe, so that nothing has to be fed and nothing can raise SIGPIPE.
unique_fd make_input(std::string_view text) {
  unique_fd file(checked(::memfd_create("input", MFD_CLOEXEC), "memfd_create"));
  if (::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    throw_errno("writing the input of a program");
  ::lseek(file.get(), 0, SEEK_SET);
  return file;
}

struct pipe_ends {
  unique_fd read;
  unique_fd write;
};

pipe_ends make_pipe() {
  std::array<int, 2> ends{};
  checked(::pipe2(ends.data(), O_CLOEXEC), "pipe2");
  return {.read = unique_fd(ends[0]), .write = unique_fd(ends[1])};
}

class spawn_actions {
 public:
  spawn_actions() { ::posix_spawn_file_actions_init(&actions_); }
  spawn_actions(const spawn_actions&) = delete;
  spawn_actions& operator=(const spawn_actions&) = delete;
  ~spawn_actions() { ::posix_spawn_file_actions_destroy(&actions_); }

  void put(const unique_fd& from, int to) {
    ::posix_spawn_file_actions_adddup2(&actions_, from.get(), to);
  }
  // Sockets that code under test opened without close-on-exec must not live on in a daemon.
  void close_others() { ::posix_spawn_file_actions_addclosefrom_np(&actions_, 3); }
  const posix_spawn_file_actions_t* get() const { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_{};
};

}  // namespace

process::process(const net_namespace& where, std::vector<std::string> command,
                 const process_options& options)
    : command_(std::move(command)), stop_(checked(::eventfd(0, EFD_CLOEXEC), "eventfd")) {
  spawn(where, options);
  collector_ = std::thread([this] { collect(); });
}

process::~process() {
  if (!status_) {
    ::kill(pid_, SIGKILL);
    reap();
  }
  ::eventfd_write(stop_.get(), 1);
  collector_.join();
}

void process::spawn(const net_namespace& where, const process_options& options) {
  const std::string program = command_.front().find('/') == std::string::npos
                                  ? find_tool(command_.front())
                                  : command_.front();
  if (program.empty()) throw error(command_.front() + " is not installed");
  pipe_ends out = make_pipe();
  pipe_ends err = make_pipe();
  const unique_fd input = make_input(options.input);
  spawn_actions actions;
  actions.put(input, STDIN_FILENO);
  actions.put(out.write, STDOUT_FILENO);
  if (!options.inherit_stderr) actions.put(err.write, STDERR_FILENO);
  actions.close_others();

  std::vector<std::string> environment = environment_with(options.environment);
  const std::vector<char*> arguments = exec_pointers(command_);
  const std::vector<char*> variables = exec_pointers(environment);
  // No parent-death signal: it would come with the end of this thread. The pid namespace sees to
  // it.
  in(where, [&] {
    errno = ::posix_spawn(&pid_, program.c_str(), actions.get(), nullptr, arguments.data(),
                          variables.data());
    if (errno != 0) throw_errno("cannot run " + command_line(command_));
  });
  pidfd_ = unique_fd(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  checked(pidfd_.get(), "pidfd_open");
  stdout_ = std::move(out.read);
  stderr_ = std::move(err.read);
}

void process::collect() {
  std::array<pollfd, 3> entries{{{.fd = stdout_.get(), .events = POLLIN, .revents = 0},
                                 {.fd = stderr_.get(), .events = POLLIN, .revents = 0},
                                 {.fd = stop_.get(), .events = POLLIN, .revents = 0}}};
  std::array<char, 4096> part{};
  while (entries[0].fd >= 0 || entries[1].fd >= 0) {
    if (::poll(entries.data(), entries.size(), -1) < 0 && errno != EINTR) break;
    if (entries[2].revents != 0) break;
    for (std::size_t i = 0; i < 2; ++i) {
      if (entries[i].revents == 0) continue;
      const ssize_t got = ::read(entries[i].fd, part.data(), part.size());
      if (got <= 0) {
        entries[i].fd = -1;
        continue;
      }
      const std::scoped_lock lock(mutex_);
      (i == 0 ? out_ : err_).append(part.data(), static_cast<std::size_t>(got));
      changed_.notify_all();
    }
  }
  const std::scoped_lock lock(mutex_);
  ended_ = true;
  changed_.notify_all();
}

void process::send_signal(int signal) {
  if (!status_) checked(::kill(pid_, signal), "kill " + command_line(command_));
}

std::optional<std::string> process::read_line(milliseconds limit) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, limit,
                    [this] { return ended_ || out_.find('\n', read_) != std::string::npos; });
  const std::size_t end = out_.find('\n', read_);
  if (end == std::string::npos) return std::nullopt;
  std::string line = out_.substr(read_, end - read_);
  read_ = end + 1;
  return line;
}

void process::reap() {
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0)
    if (errno != EINTR) throw_errno("waitpid");
  status_ = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

std::optional<int> process::wait(milliseconds limit) {
  if (status_) return status_;
  if (!poll_one(pidfd_.get(), POLLIN, steady_clock::now() + limit)) return std::nullopt;
  reap();
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, drain_limit, [this] { return ended_; });
  return status_;
}

std::string process::out() const {
  const std::scoped_lock lock(mutex_);
  return out_;
}

std::string process::err() const {
  const std::scoped_lock lock(mutex_);
  return err_;
}

run_result try_run(const net_namespace& where, const std::vector<std::string>& command,
                   const std::string& input) {
  process child(where, command, {.input = input, .environment = {}});
  const std::optional<int> status = child.wait(run_limit);
  if (!status) throw error("does not end: " + command_line(command) + "\n" + child.err());
  return {.status = *status, .out = child.out(), .err = child.err()};
}

std::string run(const net_namespace& where, const std::vector<std::string>& command,
                const std::string& input) {
  run_result result = try_run(where, command, input);
  if (result.status != 0)
    throw error(command_line(command) + " in " + where.label() + ": status " +
                std::to_string(result.status) + ": " + result.err +
                (input.empty() ? "" : "with the input:\n" + input));
  return std::move(result.out);
}

std::string command_line(const std::vector<std::string>& command) {
  std::string line;
  for (const std::string& word : command) line += (line.empty() ? "" : " ") + word;
  return line;
}

}  // namespace lab
