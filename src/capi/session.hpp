#pragma once

#include <chrono>
#include <cstdint>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include <boost/asio/steady_timer.hpp>

#include <damson/client.hpp>
#include <damson/mapping.hpp>
#include <damson/options.hpp>

#include <plum/plum.h>

#include "capi/dummytls.hpp"

namespace damson::capi {

/// What plum_init is told, in our words.
struct session_options {
  options client;
  std::string dummytls_domain;  ///< empty: none
};

/// What plum_query_mapping tells.
struct mapping_answer {
  plum_state_t state;
  plum_mapping_t mapping;
};

/// The library between plum_init and plum_cleanup: one client with a thread of its own, and what
/// becomes of its mappings turned into callbacks.
///
/// May be called from any thread. No lock is held while the program is called back, or while the
/// client is asked for more than to note something down.
class session : public std::enable_shared_from_this<session> {
 public:
  /// How long SUCCESS waits for the name service.
  static constexpr std::chrono::seconds host_limit{2};

  /// Throws std::system_error, std::bad_alloc. The lines of the log go where `opts` say.
  static std::shared_ptr<session> start(const session_options& opts);
  session(const session&) = delete;
  session& operator=(const session&) = delete;
  ~session() = default;

  /// False, and nothing happens, where it is stopping.
  bool create(int id, const plum_mapping_t& request, plum_mapping_callback_t callback);
  std::optional<mapping_answer> query(int id) const;
  /// False where there is no such mapping.
  bool destroy(int id);

  /// Ends all mappings and returns when their callbacks have returned and the client is gone. To be
  /// called once, and not from a callback.
  void stop();

  /// Null without a domain.
  const std::shared_ptr<dummytls>& names() const noexcept { return names_; }

 private:
  struct entry;
  class executor_gate;

  explicit session(const session_options& opts);

  map_request request_for(const plum_mapping_t& wanted) const;
  entry* find(int id);
  void wait();
  void on_event(const mapping_event& event);
  void on_removed(int id);
  static void on_failure(entry& what, std::unique_lock<std::mutex>& lock);
  void on_success(entry& what, const mapping_info& info, std::unique_lock<std::mutex>& lock);
  void begin_host_check(entry& what);
  void end_host_check(int id, std::uint64_t check, const std::string* host);
  static void tell_success(entry& what, const std::string* host,
                           std::unique_lock<std::mutex>& lock);
  static void tell(entry& what, plum_state_t state, std::unique_lock<std::mutex>& lock);

  options opts_;
  std::shared_ptr<dummytls> names_;
  std::shared_ptr<executor_gate> gate_;
  std::promise<void> all_told_;

  mutable std::mutex mutex_;
  bool stopping_ = false;
  std::uint64_t last_check_ = 0;
  std::unordered_map<int, entry> entries_;
  std::unordered_map<mapping_id, int> ids_;
  std::optional<client> client_;
};

}  // namespace damson::capi
