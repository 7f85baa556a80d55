#include "lab/probe.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <random>
#include <sstream>

#include "lab/socket_address.hpp"

namespace lab {
namespace {

constexpr milliseconds connection_limit{1'000};
constexpr std::size_t line_limit = 256;
// Below the range the kernel takes ports from, above the ports that tests listen on and map.
constexpr std::uint16_t first_probe_port = 20'000;

std::uint64_t random_number() {
  std::random_device device;
  return (std::uint64_t{device()} << 32) | device();
}

// A port that no probe of this program had before.
void bind_fresh_port(const unique_fd& socket, int family) {
  static std::atomic<std::uint16_t> next = first_probe_port;
  for (;;) {
    const endpoint any{family == AF_INET6 ? "::" : "0.0.0.0", next++};
    socket_address local = encode(any);
    if (::bind(socket.get(), local.pointer(), local.length) == 0) return;
    if (errno != EADDRINUSE) throw_errno("bind " + to_string(any));
  }
}

bool is_refusal(int number) {
  return number == ECONNREFUSED || number == ECONNRESET || number == EHOSTUNREACH ||
         number == ENETUNREACH || number == EACCES || number == EPERM;
}

// Reads until `text` ends with a newline; false at the deadline, the end of the stream or an error.
bool read_line(int socket, std::string& text, steady_clock::time_point deadline) {
  std::array<char, line_limit> part{};
  while (!text.ends_with('\n') && text.size() < line_limit) {
    if (!poll_one(socket, POLLIN, deadline)) return false;
    const ssize_t got = ::recv(socket, part.data(), part.size(), 0);
    if (got <= 0) return false;
    text.append(part.data(), static_cast<std::size_t>(got));
  }
  return text.ends_with('\n');
}

probe_result judge(const listener& target, std::uint64_t number, const std::string& answer) {
  std::istringstream words(answer);
  std::string token;
  std::string from;
  std::uint64_t echoed = 0;
  if (words >> token >> echoed >> from && token == target.token() && echoed == number)
    return {.how = reach::answered, .seen_from = endpoint::parse(from)};
  return {.how = reach::stranger, .seen_from = {}};
}

probe_result failed(int number) {
  if (is_refusal(number)) return {.how = reach::refused, .seen_from = {}};
  errno = number;
  throw_errno("probe");
}

probe_result probe_stream(const unique_fd& socket, const listener& target, socket_address remote,
                          std::uint64_t number, steady_clock::time_point deadline) {
  if (::connect(socket.get(), remote.pointer(), remote.length) != 0) {
    if (errno != EINPROGRESS) return failed(errno);
    if (!poll_one(socket.get(), POLLOUT, deadline)) return {};
    int number_of_error = 0;
    socklen_t length = sizeof number_of_error;
    ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &number_of_error, &length);
    if (number_of_error != 0) return failed(number_of_error);
  }
  const std::string request = "probe " + std::to_string(number) + "\n";
  if (::send(socket.get(), request.data(), request.size(), MSG_NOSIGNAL) < 0) return failed(errno);
  std::string answer;
  if (!read_line(socket.get(), answer, deadline)) return {};
  return judge(target, number, answer);
}

udp_answer ask_on(const unique_fd& socket, socket_address remote,
                  const std::vector<std::uint8_t>& request, steady_clock::time_point deadline,
                  milliseconds pause = milliseconds{50}) {
  if (::connect(socket.get(), remote.pointer(), remote.length) != 0) {
    if (is_refusal(errno)) return {.how = reach::refused, .bytes = {}};
    throw_errno("connect " + to_string(decode(remote)));
  }
  std::vector<std::uint8_t> answer(2'048);
  do {
    ssize_t done = ::send(socket.get(), request.data(), request.size(), MSG_NOSIGNAL);
    if (done >= 0) {
      const auto next = std::min(deadline, steady_clock::now() + pause);
      if (!poll_one(socket.get(), POLLIN, next)) continue;
      done = ::recv(socket.get(), answer.data(), answer.size(), 0);
    }
    if (done < 0 && is_refusal(errno)) return {.how = reach::refused, .bytes = {}};
    if (done < 0) throw_errno("asking " + to_string(decode(remote)));
    answer.resize(static_cast<std::size_t>(done));
    return {.how = reach::answered, .bytes = std::move(answer)};
  } while (steady_clock::now() < deadline);
  return {};
}

probe_result probe_datagram(const unique_fd& socket, const listener& target,
                            const socket_address& remote, std::uint64_t number,
                            steady_clock::time_point deadline) {
  const std::string request = "probe " + std::to_string(number) + "\n";
  const udp_answer got = ask_on(socket, remote, {request.begin(), request.end()}, deadline);
  if (got.how != reach::answered) return {.how = got.how, .seen_from = {}};
  return judge(target, number, {got.bytes.begin(), got.bytes.end()});
}

}  // namespace

std::string_view to_string(transport which) { return which == transport::tcp ? "tcp" : "udp"; }

std::string to_string(const endpoint& where) {
  const bool v6 = where.address.find(':') != std::string::npos;
  return (v6 ? "[" + where.address + "]" : where.address) + ":" + std::to_string(where.port);
}

std::ostream& operator<<(std::ostream& stream, const endpoint& where) {
  return stream << to_string(where);
}

std::ostream& operator<<(std::ostream& stream, transport which) {
  return stream << to_string(which);
}

std::ostream& operator<<(std::ostream& stream, const probe_result& result) {
  switch (result.how) {
    case reach::answered:
      stream << "answered, seen from " << result.seen_from;
      break;
    case reach::one_way:
      stream << "arrived, but the answer did not come back";
      break;
    case reach::stranger:
      stream << "somebody else answered";
      break;
    case reach::refused:
      stream << "refused";
      break;
    case reach::silent:
      stream << "silent";
      break;
  }
  return stream << " (" << result.ms << " ms)";
}

endpoint endpoint::parse(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  endpoint result;
  if (colon != std::string_view::npos) {
    std::string_view address = text.substr(0, colon);
    if (address.starts_with('[') && address.ends_with(']'))
      address = address.substr(1, address.size() - 2);
    result.address = address;
    const char* end = text.data() + text.size();
    const auto [stopped, failure] = std::from_chars(text.data() + colon + 1, end, result.port);
    if (failure == std::errc{} && stopped == end) {
      encode(result);
      return result;
    }
  }
  throw error("not an endpoint: " + std::string(text));
}

listener::listener(const net_namespace& where, transport which, std::uint16_t port,
                   const std::string& address)
    : which_(which), stop_(checked(::eventfd(0, EFD_CLOEXEC), "eventfd")) {
  std::ostringstream token;
  token << "damson-lab-" << std::hex << random_number();
  token_ = token.str();
  socket_ = open_server(where, which, {address, port});
  port_ = bound_to(socket_).port;
  server_ = std::thread([this] { serve(); });
}

listener::~listener() {
  ::eventfd_write(stop_.get(), 1);
  server_.join();
}

bool listener::heard(std::uint64_t request) const {
  const std::scoped_lock lock(mutex_);
  return heard_.contains(request);
}

void listener::serve() {
  std::array<pollfd, 2> entries{{{.fd = socket_.get(), .events = POLLIN, .revents = 0},
                                 {.fd = stop_.get(), .events = POLLIN, .revents = 0}}};
  for (;;) {
    if (::poll(entries.data(), entries.size(), -1) < 0) continue;
    if (entries[1].revents != 0) return;
    if (which_ == transport::tcp)
      serve_stream();
    else
      serve_datagram();
  }
}

void listener::serve_stream() {
  socket_address remote;
  const unique_fd connection(
      ::accept4(socket_.get(), remote.pointer(), &remote.length, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (connection.get() < 0) return;
  count_arrival();
  std::string request;
  if (!read_line(connection.get(), request, steady_clock::now() + connection_limit)) return;
  if (const std::optional<std::string> reply = answer(request, decode(remote)))
    ::send(connection.get(), reply->data(), reply->size(), MSG_NOSIGNAL);
}

void listener::serve_datagram() {
  std::array<char, line_limit> request{};
  socket_address remote;
  const ssize_t got = ::recvfrom(socket_.get(), request.data(), request.size(), 0, remote.pointer(),
                                 &remote.length);
  if (got < 0) return;
  count_arrival();
  if (const std::optional<std::string> reply =
          answer({request.data(), static_cast<std::size_t>(got)}, decode(remote)))
    ::sendto(socket_.get(), reply->data(), reply->size(), MSG_NOSIGNAL, remote.pointer(),
             remote.length);
}

void listener::count_arrival() {
  const std::scoped_lock lock(mutex_);
  ++arrivals_;
}

std::size_t listener::arrivals() const {
  const std::scoped_lock lock(mutex_);
  return arrivals_;
}

std::optional<std::string> listener::answer(std::string_view request, const endpoint& from) {
  std::istringstream words{std::string(request)};
  std::string verb;
  std::uint64_t number = 0;
  if (!(words >> verb >> number) || verb != "probe") return std::nullopt;
  const std::scoped_lock lock(mutex_);
  heard_.insert(number);
  return token_ + " " + std::to_string(number) + " " + to_string(from) + "\n";
}

probe_result probe(const net_namespace& from, const listener& target, const endpoint& at,
                   milliseconds limit) {
  const steady_clock::time_point start = steady_clock::now();
  const std::uint64_t number = random_number();
  const socket_address remote = encode(at);
  const unique_fd socket = open_socket(from, remote.storage.ss_family, target.which());
  bind_fresh_port(socket, remote.storage.ss_family);
  probe_result result = target.which() == transport::tcp
                            ? probe_stream(socket, target, remote, number, start + limit)
                            : probe_datagram(socket, target, remote, number, start + limit);
  if (result.how != reach::answered && target.heard(number)) result.how = reach::one_way;
  result.ms = std::chrono::round<milliseconds>(steady_clock::now() - start).count();
  std::ostringstream line;
  line << "probe from " << from.label() << " to " << at << '/' << target.which() << ": " << result;
  note(line.str());
  return result;
}

udp_answer ask(const net_namespace& from, const endpoint& at,
               const std::vector<std::uint8_t>& request, milliseconds limit, milliseconds pause) {
  const socket_address remote = encode(at);
  const unique_fd socket = open_socket(from, remote.storage.ss_family, transport::udp);
  return ask_on(socket, remote, request, steady_clock::now() + limit, pause);
}

}  // namespace lab
