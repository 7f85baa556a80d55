#include "callback_server.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <string_view>

#include "lab/socket_address.hpp"
#include "sim/message_text.hpp"

namespace {

constexpr lab::milliseconds limit{10'000};

/// Whether the head is there, and as much of a body as it declares.
bool is_whole(const std::string& text) {
  const auto message = damson::sim::read_message(text);
  if (!message) return false;
  const std::string* const length = message->field("Content-Length");
  return length == nullptr || message->body.size() >= std::stoul(*length);
}

}  // namespace

callback_server::callback_server(const lab::net_namespace& where, std::uint16_t port)
    : socket_(lab::open_server(where, lab::transport::tcp, {"0.0.0.0", port})),
      stop_(lab::checked(::eventfd(0, EFD_CLOEXEC), "eventfd")),
      server_([this] { serve(); }) {}

callback_server::~callback_server() {
  ::eventfd_write(stop_.get(), 1);
  server_.join();
}

std::optional<std::string> callback_server::first() {
  std::unique_lock lock(mutex_);
  if (!changed_.wait_for(lock, limit, [this] { return !requests_.empty(); })) return std::nullopt;
  return requests_.front();
}

void callback_server::serve() {
  constexpr std::string_view reply = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
  for (;;) {
    std::array<pollfd, 2> entries{{{.fd = socket_.get(), .events = POLLIN, .revents = 0},
                                   {.fd = stop_.get(), .events = POLLIN, .revents = 0}}};
    if (::poll(entries.data(), entries.size(), -1) < 0) continue;
    if (entries[1].revents != 0) return;
    const lab::unique_fd connection(
        ::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    std::string text;
    std::array<char, 4'096> part{};
    const auto deadline = lab::steady_clock::now() + limit;
    while (!is_whole(text) && lab::poll_one(connection.get(), POLLIN, deadline)) {
      const ssize_t got = ::recv(connection.get(), part.data(), part.size(), 0);
      if (got <= 0) break;
      text.append(part.data(), static_cast<std::size_t>(got));
    }
    ::send(connection.get(), reply.data(), reply.size(), MSG_NOSIGNAL);
    const std::scoped_lock lock(mutex_);
    requests_.push_back(text);
    changed_.notify_all();
  }
}
