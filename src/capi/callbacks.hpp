#pragma once

namespace damson::capi {

/// Whether the caller is inside a callback of the program, on the library's thread.
bool in_callback() noexcept;

/// From the first call on, callbacks end with the process: once it exits, none begins any more,
/// because what they refer to is being destroyed while the library's thread goes on. Throws
/// std::bad_alloc.
void end_callbacks_at_exit();

/// Somebody stops the library properly although the process exits, and so wants to be told.
void resume_callbacks() noexcept;

bool callbacks_have_ended() noexcept;

/// Marks the running thread as inside a callback for as long as it lives.
class callback_scope {
 public:
  callback_scope() noexcept;
  callback_scope(const callback_scope&) = delete;
  callback_scope& operator=(const callback_scope&) = delete;
  ~callback_scope();

 private:
  bool before_;
};

/// Calls back the program, unless it is too late for that.
template <class Callback>
void call_back(Callback callback) {
  if (callbacks_have_ended()) return;
  const callback_scope inside;
  callback();
}

}  // namespace damson::capi
