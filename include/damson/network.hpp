#pragma once

/// What a program that drives the engine itself has to ask the operating system for: the time, and
/// what the host's network looks like. `client` asks for itself.
///
/// Standard library only. All functions are thread-safe.

#include <system_error>

#include <damson/engine.hpp>
#include <damson/types.hpp>

namespace damson {

/// The time for `engine::handle`: CLOCK_BOOTTIME, which counts on while the host is suspended.
time_point boot_time_now() noexcept;

/// The facts for `network_changed`: the default routes of this host, IPv4 and IPv6, and the
/// addresses of its interfaces that are up, as the kernel has them now. Asks the kernel only, so it
/// returns within milliseconds.
///
/// Of a table that is longer than 1 MiB the beginning is read. Errors: the system's own, such as
/// `std::errc::permission_denied` where a sandbox forbids asking; the facts are empty then, and
/// what was true before is more likely than a host without a network. Throws std::bad_alloc only.
network_facts read_network_facts(std::error_code& error);

}  // namespace damson
