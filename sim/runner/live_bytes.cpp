#include "sim/runner/live_bytes.hpp"

#include <malloc.h>

#include <cstddef>
#include <cstdlib>
#include <new>

// The aligned forms are left as they are: nothing here is aligned more than usual. Those of arrays
// and of known sizes call these. The one that does not throw would as well, but not under
// AddressSanitizer, which then takes the release (ours) for one of another kind.

namespace {

thread_local std::int64_t live = 0;

}  // namespace

void* operator new(std::size_t size) {
  void* const out = operator new(size, std::nothrow);
  if (out == nullptr) throw std::bad_alloc{};
  return out;
}

void* operator new(std::size_t size, const std::nothrow_t& /*tag*/) noexcept {
  void* const out = std::malloc(size == 0 ? 1 : size);
  if (out != nullptr) live += static_cast<std::int64_t>(malloc_usable_size(out));
  return out;
}

void operator delete(void* what) noexcept {
  if (what == nullptr) return;
  live -= static_cast<std::int64_t>(malloc_usable_size(what));
  std::free(what);
}

void operator delete(void* what, std::size_t /*size*/) noexcept { operator delete(what); }

namespace damson::sim {

std::int64_t live_bytes() { return live; }

}  // namespace damson::sim
