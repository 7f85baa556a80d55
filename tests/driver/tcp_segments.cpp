#include "tcp_segments.hpp"

// The kernel's header, whose tcp_info has the member. It cannot be used together with the C
// library's, which Asio includes.
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstddef>

std::optional<unsigned> data_segments_received(int socket) {
  tcp_info info{};
  socklen_t length = sizeof info;
  if (::getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &length) != 0 ||
      length < offsetof(tcp_info, tcpi_data_segs_in) + sizeof info.tcpi_data_segs_in)
    return std::nullopt;
  return info.tcpi_data_segs_in;
}
