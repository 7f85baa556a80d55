#pragma once

#include <optional>
#include <string>

namespace lab {

/// Moves the program into mount, pid and network namespaces of its own (and a user namespace when
/// it is not root), where it has a /proc and a /run of its own and may make what it likes. However
/// the program ends, SIGKILL included, every process, namespace and file that it made there ends
/// with it, and any number of such programs run side by side.
///
/// To be called first in main(), before any thread, with the arguments as they came: the program is
/// executed again, twice. Inside, the call returns once everything is there; the two processes
/// outside (the one that was started, and the first of the pid namespace) stay in this call and
/// pass the exit status on: 128 + signal when a signal ended the program. When namespaces are not
/// to be had, the call returns as well, and unavailable() says why.
///
/// Under a debugger or valgrind, make the sandbox by hand and say so:
///
///     unshare -Urnmpf --mount-proc sh -c 'mount -t tmpfs run /run &&
///       DAMSON_LAB_STAGE=inside exec gdb ./damson_interop_tests'
void enter_sandbox(char** argv);

/// Why no lab can be built here, in one line: not inside a sandbox, a tool that is not installed, a
/// kernel without veth pairs, bridges or nftables NAT. Nothing when it can.
const std::optional<std::string>& unavailable();

}  // namespace lab
