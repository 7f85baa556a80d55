// What the thread sanitizer must not report in this program.

#if defined(__SANITIZE_THREAD__)

/// The reference count of a thrown exception lives in the C++ library, which is not instrumented: a
/// future that hands an exception to another thread looks like a race there.
extern "C" __attribute__((visibility("default"))) const char* __tsan_default_suppressions() {
  return "race:std::__exception_ptr::exception_ptr::_M_release\n";
}

#endif
