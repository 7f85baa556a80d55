#pragma once

/// How many requests may be on their way to a server at once, when there are many to send.

#include <algorithm>
#include <cstddef>

namespace damson {

/// A window as TCP has it: grows with each answer, halves where an answer is missing, so that a
/// burst overruns neither the router nor the socket that the answers come back to.
///
/// A request counts from when it is sent until it is answered, given up or has to be repeated: who
/// is silent must not hold up the others for ever.
class send_window {
 public:
  static constexpr std::size_t initial = 64;
  static constexpr std::size_t least = 8;
  /// As many datagrams as a socket's receive buffer holds that nobody has widened, here and on a
  /// router: on Linux 212,992 bytes, of which each takes 1,280, and some are left for others.
  static constexpr std::size_t most = 128;

  bool has_room() const noexcept { return under_way_ < size_; }
  void sent() noexcept { ++under_way_; }
  void answered() noexcept {
    --under_way_;
    size_ = std::min(size_ + 1, most);
  }
  void lost() noexcept {
    --under_way_;
    size_ = std::max(size_ / 2, least);
  }
  /// Nobody waits for the answer any more.
  void withdrawn() noexcept { --under_way_; }

 private:
  std::size_t size_ = initial;
  std::size_t under_way_ = 0;
};

}  // namespace damson
