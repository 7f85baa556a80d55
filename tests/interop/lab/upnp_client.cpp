#include "lab/upnp_client.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <string_view>

#include "lab/socket_address.hpp"

namespace lab {
namespace {

constexpr milliseconds fetch_limit{10'000};

}  // namespace

run_result upnpc(const net_namespace& where, const std::string& description_url,
                 const std::vector<std::string>& words) {
  std::vector<std::string> command{"upnpc"};
  if (!description_url.empty()) {
    command.emplace_back("-u");
    command.push_back(description_url);
  }
  command.insert(command.end(), words.begin(), words.end());
  return try_run(where, command);
}

std::string exchange(const net_namespace& where, const endpoint& at, std::string_view request) {
  const std::string host = to_string(at);
  const auto deadline = steady_clock::now() + fetch_limit;
  socket_address remote = encode(at);
  const unique_fd socket = open_socket(where, remote.storage.ss_family, transport::tcp);
  if (::connect(socket.get(), remote.pointer(), remote.length) != 0 && errno != EINPROGRESS)
    throw_errno("connect " + host);
  if (!poll_one(socket.get(), POLLOUT, deadline)) throw error("no connection to " + host);
  checked(static_cast<int>(::send(socket.get(), request.data(), request.size(), MSG_NOSIGNAL)),
          "a request to " + host);
  std::string answer;
  std::array<char, 4'096> part{};
  while (poll_one(socket.get(), POLLIN, deadline)) {
    const ssize_t got = ::recv(socket.get(), part.data(), part.size(), 0);
    // A server that has not read all of the request resets the connection behind its answer.
    if (got < 0 && (errno != ECONNRESET || answer.empty())) throw_errno("an answer from " + host);
    if (got <= 0) return answer;
    answer.append(part.data(), static_cast<std::size_t>(got));
  }
  throw error("no whole answer from " + host);
}

std::string fetch(const net_namespace& where, const std::string& url) {
  constexpr std::string_view scheme = "http://";
  const std::size_t slash = url.find('/', scheme.size());
  const std::string host = url.substr(scheme.size(), slash - scheme.size());
  return exchange(
      where, endpoint::parse(host),
      "GET " + url.substr(slash) + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n");
}

}  // namespace lab
