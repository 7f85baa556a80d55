#pragma once

/// Counts what each thread has allocated and not freed. Whoever links this gets the global
/// `operator new` and `operator delete` replaced.

#include <cstdint>

namespace damson::sim {

/// Of the calling thread; less than nothing where it frees what others have allocated.
std::int64_t live_bytes();

}  // namespace damson::sim
