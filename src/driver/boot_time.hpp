#pragma once

#include <damson/types.hpp>

namespace damson::driver {

/// The time on CLOCK_BOOTTIME, which counts on while the host is suspended.
time_point boot_time_now() noexcept;

}  // namespace damson::driver
