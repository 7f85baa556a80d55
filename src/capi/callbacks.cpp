#include "capi/callbacks.hpp"

#include <atomic>
#include <cstdlib>
#include <new>
#include <utility>

namespace damson::capi {
namespace {

std::atomic<bool>& ended() noexcept {
  static std::atomic<bool> value{false};
  return value;
}

bool& inside() noexcept {
  thread_local bool value = false;
  return value;
}

}  // namespace

bool in_callback() noexcept { return inside(); }

// Handlers of exit and destructors of static objects run in the reverse order of their coming, so
// this one runs before anything goes that was there when the library was started.
void end_callbacks_at_exit() {
  static const bool arranged = [] {
    if (std::atexit([] { ended() = true; }) != 0) throw std::bad_alloc{};
    return true;
  }();
  static_cast<void>(arranged);
}

void resume_callbacks() noexcept { ended() = false; }

bool callbacks_have_ended() noexcept { return ended(); }

callback_scope::callback_scope() noexcept : before_(std::exchange(inside(), true)) {}

callback_scope::~callback_scope() { inside() = before_; }

}  // namespace damson::capi
