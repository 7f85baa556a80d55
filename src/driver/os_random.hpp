#pragma once

#include <array>
#include <cstdint>

namespace damson::driver {

/// 256 random bits from the system. Throws std::system_error when it has none to give.
std::array<std::uint64_t, 4> random_seed();

}  // namespace damson::driver
