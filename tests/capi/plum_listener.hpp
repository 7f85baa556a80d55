#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <plum/plum.h>

/// One call of a mapping's callback.
struct plum_call {
  int id = 0;
  plum_state_t state{};
  plum_mapping_t mapping{};
  std::thread::id thread{};

  std::string host() const { return mapping.external_host; }
};

/// What a mapping's `user_ptr` points to: notes the calls.
class plum_listener {
 public:
  using reaction = std::function<void(const plum_call&)>;

  /// The reaction is called from inside the callback.
  explicit plum_listener(reaction react = {}) : react_(std::move(react)) {}
  plum_listener(const plum_listener&) = delete;
  plum_listener& operator=(const plum_listener&) = delete;
  /// Stops the library, which otherwise would go on calling it.
  ~plum_listener();

  static void callback(int id, plum_state_t state, const plum_mapping_t* mapping);

  /// Asks for a mapping whose calls come here.
  int create(std::uint16_t port, std::uint16_t external_port = 0, const char* external_host = "",
             plum_ip_protocol_t protocol = PLUM_IP_PROTOCOL_TCP);

  /// The next call that nobody took yet; fails the test and gives a call with id 0 where none comes
  /// within thirty seconds.
  plum_call next();
  /// All calls so far.
  std::vector<plum_call> calls() const;
  std::size_t count(plum_state_t state) const;

 private:
  void note(const plum_call& call);

  reaction react_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<plum_call> calls_;
  std::size_t taken_ = 0;
};

/// A configuration that says nothing to standard output unless DAMSON_VERBOSE=1 is in the
/// environment.
plum_config_t quiet_config();

/// Where a mapping stands; nothing where it is none.
std::optional<plum_state_t> state_of(int id);

/// Whether something comes true within thirty seconds.
bool eventually(const std::function<bool()>& holds);
