#pragma once

/// Assertions of the engine contract (see <damson/engine.hpp>).
///
/// Checked where NDEBUG is not defined (debug builds) or DAMSON_CHECKS is (simulation builds); in
/// other builds the condition is compiled but not evaluated. For contracts between our own parts
/// only: what comes from the network or from the program is validated, never asserted.

namespace damson {

/// Writes "file:line: text" to stderr and aborts.
[[noreturn]] void assertion_failed(const char* file, int line, const char* text) noexcept;

}  // namespace damson

#if !defined(NDEBUG) || defined(DAMSON_CHECKS)
#define DAMSON_ASSERT(condition) \
  ((condition) ? static_cast<void>(0) : ::damson::assertion_failed(__FILE__, __LINE__, #condition))
#else
#define DAMSON_ASSERT(condition) static_cast<void>(sizeof(!(condition)))
#endif
