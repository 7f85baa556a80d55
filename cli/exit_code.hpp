#pragma once

namespace damson::cli {

/// What the tool's exit codes mean.
inline constexpr int exit_done = 0;
inline constexpr int exit_failed = 1;
inline constexpr int exit_usage = 2;

}  // namespace damson::cli
