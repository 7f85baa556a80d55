#include "lab/sandbox.hpp"

#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string_view>
#include <vector>

#include "lab/net_namespace.hpp"
#include "lab/process.hpp"
#include "lab/support.hpp"

namespace lab {
namespace {

constexpr const char* stage_variable = "DAMSON_LAB_STAGE";
constexpr std::string_view stage_init = "init ";
constexpr std::string_view stage_inside = "inside";
constexpr const char* this_program = "/proc/self/exe";

// Why the program is not inside; empty when it is.
std::string& reason_outside() {
  static std::string reason = "the program has not entered its sandbox";
  return reason;
}

std::vector<std::string> environment_of_stage(const std::string& stage) {
  return environment_with({std::string(stage_variable) + "=" + stage});
}

void write_file(const std::string& path, std::string_view text) {
  const unique_fd file(checked(::open(path.c_str(), O_WRONLY | O_CLOEXEC), "open " + path));
  if (::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    throw_errno("write " + path);
}

void map_to_root(pid_t child) {
  const std::string folder = "/proc/" + std::to_string(child) + "/";
  write_file(folder + "setgroups", "deny");
  write_file(folder + "uid_map", "0 " + std::to_string(::geteuid()) + " 1");
  write_file(folder + "gid_map", "0 " + std::to_string(::getegid()) + " 1");
}

int shell_status(int status) {
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int reap(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0)
    if (errno != EINTR) throw_errno("waitpid");
  return shell_status(status);
}

// Starts the first process of the new namespaces; -1 and errno when they are not to be had. A clone
// and not unshare(): that refuses a user namespace to a process with a second thread, and a
// sanitizer has one from the start. Nothing but system calls happens in the child before it
// executes.
pid_t clone_init(std::uint64_t namespaces, char** argv, int parent_end, int child_end) {
  std::vector<std::string> entries =
      environment_of_stage(std::string(stage_init) + std::to_string(child_end));
  const std::vector<char*> environment = exec_pointers(entries);
  clone_args arguments{};
  arguments.flags = namespaces;
  arguments.exit_signal = SIGCHLD;
  const long child = ::syscall(SYS_clone3, &arguments, sizeof arguments);
  if (child != 0) return static_cast<pid_t>(child);

  ::close(parent_end);
  char go = 0;
  if (::read(child_end, &go, 1) == 1 && ::fcntl(child_end, F_SETFD, 0) == 0)
    ::execve(this_program, argv, environment.data());
  ::_exit(127);
}

// Outside: returns why it did not work, else never.
std::string run_sandboxed(char** argv) {
  std::array<int, 2> ends{};
  checked(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), "socketpair");
  const unique_fd ours(ends[0]);
  unique_fd theirs(ends[1]);

  constexpr std::uint64_t namespaces = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET;
  const bool root = ::geteuid() == 0;
  bool user_namespace = !root;
  pid_t child = root ? clone_init(namespaces, argv, ours.get(), theirs.get()) : -1;
  if (child < 0) {
    user_namespace = true;
    child = clone_init(namespaces | CLONE_NEWUSER, argv, ours.get(), theirs.get());
  }
  if (child < 0) throw_errno("neither root nor an unprivileged user namespace to be had");
  theirs.reset();

  if (user_namespace) map_to_root(child);
  if (::send(ours.get(), "g", 1, MSG_NOSIGNAL) != 1) throw_errno("starting the sandbox");
  std::string answer;
  std::array<char, 256> part{};
  for (ssize_t got = 0; !answer.ends_with('\n');
       answer.append(part.data(), static_cast<std::size_t>(got)))
    if (got = ::read(ours.get(), part.data(), part.size()); got <= 0) break;

  const int status = reap(child);
  if (answer == "ready\n") ::_exit(status);
  if (answer.ends_with('\n')) answer.pop_back();
  return answer.empty() ? "the sandbox ended at once" : answer;
}

void mount_private() {
  const auto mount = [](const char* type, const char* where, unsigned long flags) {
    checked(::mount(type, where, type, flags, nullptr), std::string("cannot mount ") + where);
  };
  mount("none", "/", MS_REC | MS_PRIVATE);
  mount("proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC);
  mount("tmpfs", "/run", MS_NOSUID | MS_NODEV);
}

// The first process of the pid namespace: with its end the kernel ends everything in there. It
// stays apart from the program proper, because a first process is immune to abort() and to its own
// signals.
[[noreturn]] void run_init(char** argv, int outside) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  pollfd parent{.fd = outside, .events = 0, .revents = 0};
  if (::poll(&parent, 1, 0) != 0)
    ::_exit(127);  // the parent was gone before its death could be asked for as a signal
  ::fcntl(outside, F_SETFD, FD_CLOEXEC);

  pid_t child = 0;
  std::string answer = "ready\n";
  try {
    mount_private();
    std::vector<std::string> entries = environment_of_stage(std::string(stage_inside));
    const std::vector<char*> environment = exec_pointers(entries);
    if (const int failed =
            ::posix_spawn(&child, this_program, nullptr, nullptr, argv, environment.data());
        failed != 0) {
      errno = failed;
      throw_errno("executing the program again");
    }
  } catch (const error& failure) {
    answer = std::string(failure.what()) + "\n";
  }
  ::send(outside, answer.data(), answer.size(), MSG_NOSIGNAL);
  if (child == 0) ::_exit(127);

  for (;;) {
    int status = 0;
    if (::wait(&status) != child) continue;
    if (WIFSIGNALED(status))
      std::cerr << "lab: ended by signal " << WTERMSIG(status) << " ("
                << ::sigdescr_np(WTERMSIG(status)) << ")\n";
    ::_exit(shell_status(status));
  }
}

std::optional<std::string> find_obstacle() {
  if (!reason_outside().empty()) return reason_outside();
  for (const char* tool : {"ip", "nft", "miniupnpd"})
    if (find_tool(tool).empty()) return std::string(tool) + " is not installed";
  try {
    const net_namespace trial("trial");
    run(trial, {"ip", "link", "add", "type", "veth"});
    run(trial, {"ip", "link", "add", "type", "bridge"});
    run(trial, {"nft", "-f", "-"},
        "table inet trial {\n chain nat {\n  type nat hook postrouting priority 100;\n"
        "  meta nfproto ipv4 masquerade\n }\n}\n");
  } catch (const error& failure) {
    const std::string text = failure.what();
    return "the kernel lacks a part: " + text.substr(0, text.find('\n'));
  }
  return std::nullopt;
}

}  // namespace

void enter_sandbox(char** argv) {
  const char* variable = std::getenv(stage_variable);
  const std::string stage = variable != nullptr ? variable : "";
  if (stage.starts_with(stage_init)) run_init(argv, std::stoi(stage.substr(stage_init.size())));
  if (stage != stage_inside) {
    try {
      reason_outside() = run_sandboxed(argv);
    } catch (const error& failure) {
      reason_outside() = failure.what();
    }
    return;
  }
  ::unsetenv(stage_variable);
  // Daemons come back to the program that started them, which then can wait for their end.
  checked(::prctl(PR_SET_CHILD_SUBREAPER, 1), "prctl(PR_SET_CHILD_SUBREAPER)");
  reason_outside().clear();
}

const std::optional<std::string>& unavailable() {
  static const std::optional<std::string> obstacle = find_obstacle();
  return obstacle;
}

}  // namespace lab
