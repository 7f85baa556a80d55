#include "terminal.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

namespace damson::cli {
namespace {

int descriptor_of(stream where) { return where == stream::out ? STDOUT_FILENO : STDERR_FILENO; }

bool write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(descriptor, text.data(), text.size());
    if (written >= 0) {
      text.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      // Somebody who shares the terminal made it non-blocking.
      pollfd ready{.fd = descriptor, .events = POLLOUT, .revents = 0};
      if (::poll(&ready, 1, -1) < 0 && errno != EINTR) {
        return false;
      }
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

}  // namespace

void prepare_streams() {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(descriptor, F_GETFD) == -1 && errno == EBADF) {
      // open() returns the lowest free number, which is this one. Read-only: a closed standard
      // output stays an output that cannot be written to, instead of silently swallowing
      // everything.
      static_cast<void>(::open("/dev/null", O_RDONLY));
    }
  }
  static_cast<void>(std::signal(SIGPIPE, SIG_IGN));
}

bool is_terminal(stream where) { return ::isatty(descriptor_of(where)) == 1; }

bool write_line(stream where, std::string_view text) {
  // One write, so that lines of several processes on one descriptor do not mix.
  std::string line{text};
  line += '\n';
  return write_all(descriptor_of(where), line);
}

void status_line::show(std::string_view text) {
  if (!enabled_) {
    return;
  }
  std::string line = "\r" + std::string{text};
  if (shown_.size() > text.size()) {
    line.append(shown_.size() - text.size(), ' ');
  }
  shown_ = text;
  write_all(STDERR_FILENO, line);
}

void status_line::clear() {
  if (!enabled_ || shown_.empty()) {
    return;
  }
  const std::string blank = "\r" + std::string(shown_.size(), ' ') + "\r";
  shown_.clear();
  write_all(STDERR_FILENO, blank);
}

}  // namespace damson::cli
