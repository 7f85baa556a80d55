#pragma once

#include <cstdint>
#include <expected>
#include <system_error>

#include "net/notice_parser.hpp"

namespace damson::net {

/// Opens a socket on which the kernel tells of changes of links, addresses and routes. It does not
/// block, and is not inherited by other programs. Errors: the system's own, where a sandbox or
/// Android forbids it.
std::expected<int, std::error_code> open_notice_socket();

enum class heard : std::uint8_t {
  nothing,  ///< that matters; there may be more to read
  news,     ///< the network facts may be others now, or notices were lost
  broken,   ///< the socket is of no use any more
};

/// Reads what waits in the socket, but no more than 64 notices, so that a flood does not keep the
/// caller from other work.
heard read_notices(int socket, notice_parser& parser);

}  // namespace damson::net
