#pragma once

#include <expected>
#include <system_error>

#include <damson/engine.hpp>

namespace damson::net {

/// The default routes of this host, IPv4 and IPv6, and the addresses of its interfaces that are up,
/// as the kernel has them now. Asks the kernel only, so it returns within milliseconds.
///
/// Of a table that is longer than 1 MiB the beginning is read. Errors: the system's own,
/// such as permission_denied where a sandbox forbids asking.
std::expected<network_facts, std::error_code> read_network_facts();

}  // namespace damson::net
