#include <libmnl/libmnl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <system_error>
#include <vector>

#include <damson/network.hpp>

#include "net/netlink_parser.hpp"

namespace damson {

namespace {

using net::dump_progress;
using net::netlink_parser;

constexpr std::uint32_t sequence = 1;
constexpr std::size_t most_bytes = std::size_t{1} << 20;
constexpr int most_readings = 4;

std::error_code last_error() { return {errno, std::system_category()}; }

class netlink_socket {
 public:
  netlink_socket() : handle_(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)) {}
  netlink_socket(const netlink_socket&) = delete;
  netlink_socket& operator=(const netlink_socket&) = delete;
  ~netlink_socket() {
    if (handle_ >= 0) ::close(handle_);
  }

  /// Not bound, since Android forbids that: sending gives it an address.
  std::error_code ask(std::uint16_t type, std::uint8_t family) const {
    // The kernel makes a dump as it is being read, so nothing is waited for; the limit only keeps a
    // surprise from blocking the program for good.
    const timeval limit{.tv_sec = 2, .tv_usec = 0};
    if (handle_ < 0 || ::setsockopt(handle_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0)
      return last_error();

    alignas(nlmsghdr) std::array<std::byte, 64> buffer{};
    nlmsghdr* request = mnl_nlmsg_put_header(buffer.data());
    request->nlmsg_type = type;
    request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    request->nlmsg_seq = sequence;
    auto* body = static_cast<rtgenmsg*>(mnl_nlmsg_put_extra_header(request, sizeof(rtgenmsg)));
    body->rtgen_family = family;

    sockaddr_nl kernel{};
    kernel.nl_family = AF_NETLINK;
    const void* to = &kernel;
    const auto sent = ::sendto(handle_, request, request->nlmsg_len, 0,
                               static_cast<const sockaddr*>(to), sizeof kernel);
    return sent < 0 ? last_error() : std::error_code{};
  }

  /// One datagram from the kernel; what others send is passed over.
  std::expected<std::span<const std::byte>, std::error_code> receive(
      std::span<std::byte> buffer) const {
    for (;;) {
      sockaddr_nl from{};
      iovec part{.iov_base = buffer.data(), .iov_len = buffer.size()};
      msghdr message{};
      message.msg_name = &from;
      message.msg_namelen = sizeof from;
      message.msg_iov = &part;
      message.msg_iovlen = 1;
      const auto length = ::recvmsg(handle_, &message, 0);
      if (length < 0 && errno == EINTR) continue;
      if (length < 0) return std::unexpected{last_error()};
      if ((message.msg_flags & MSG_TRUNC) != 0)
        return std::unexpected{make_error_code(std::errc::message_size)};
      if (message.msg_namelen == sizeof from && from.nl_pid == 0)
        return std::span<const std::byte>{buffer}.first(static_cast<std::size_t>(length));
    }
  }

 private:
  int handle_;
};

/// Each dump has a socket of its own, so that one which is left unfinished cannot get into the
/// next.
std::error_code read_dump(netlink_parser& parser, std::uint16_t type, std::uint8_t family) {
  const netlink_socket socket;
  if (const auto error = socket.ask(type, family)) return error;
  std::vector<std::byte> buffer(std::size_t{64} * 1024);
  for (std::size_t total = 0; total < most_bytes;) {
    const auto datagram = socket.receive(buffer);
    if (!datagram) return datagram.error();
    const auto progress = parser.add(*datagram, sequence);
    if (!progress) return progress.error();
    if (*progress == dump_progress::done) return {};
    total += datagram->size();
  }
  return {};
}

std::error_code read_dumps(netlink_parser& parser) {
  const auto link_error = read_dump(parser, RTM_GETLINK, AF_UNSPEC);
  // Android keeps links from programs and shows them addresses and routes.
  if (link_error && link_error != std::errc::permission_denied &&
      link_error != std::errc::operation_not_permitted)
    return link_error;
  if (const auto error = read_dump(parser, RTM_GETADDR, AF_UNSPEC)) return error;
  if (const auto error = read_dump(parser, RTM_GETROUTE, AF_INET)) return error;
  return read_dump(parser, RTM_GETROUTE, AF_INET6);
}

}  // namespace

network_facts read_network_facts(std::error_code& error) {
  for (int reading = 1;; ++reading) {
    netlink_parser parser;
    error = read_dumps(parser);
    if (error) return {};
    // Where the tables change all the time, the last reading is better than none: the default route
    // is seldom what changes.
    if (!parser.interrupted() || reading == most_readings) return parser.facts();
  }
}

}  // namespace damson
