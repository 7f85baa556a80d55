#include "net/notice_socket.hpp"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <span>

namespace damson::net {

namespace {

constexpr int most_notices = 64;

}  // namespace

std::expected<int, std::error_code> open_notice_socket() {
  const auto last_error = [] { return std::error_code{errno, std::system_category()}; };
  const int handle = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
  if (handle < 0) return std::unexpected{last_error()};
  sockaddr_nl own{};
  own.nl_family = AF_NETLINK;
  own.nl_groups =
      RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE;
  const void* address = &own;
  if (::bind(handle, static_cast<const sockaddr*>(address), sizeof own) == 0) return handle;
  const auto error = last_error();
  ::close(handle);
  return std::unexpected{error};
}

heard read_notices(int socket, notice_parser& parser) {
  alignas(nlmsghdr) std::array<std::byte, std::size_t{16} * 1'024> buffer{};
  bool news = false;
  for (int count = 0; count < most_notices; ++count) {
    sockaddr_nl from{};
    iovec part{.iov_base = buffer.data(), .iov_len = buffer.size()};
    msghdr message{};
    message.msg_name = &from;
    message.msg_namelen = sizeof from;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    const auto length = ::recvmsg(socket, &message, 0);
    if (length == 0) return heard::broken;
    if (length < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) break;
      // The queue was full, and notices are lost.
      if (errno != ENOBUFS) return heard::broken;
      parser.forget();
      news = true;
      continue;
    }
    // Other programs can send to the socket as well.
    if (from.nl_pid != 0) continue;
    const auto notice = std::span{buffer}.first(static_cast<std::size_t>(length));
    news = (message.msg_flags & MSG_TRUNC) != 0 || parser.may_matter(notice) || news;
  }
  return news ? heard::news : heard::nothing;
}

}  // namespace damson::net
