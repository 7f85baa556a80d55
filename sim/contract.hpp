#pragma once

/// Watches that an engine keeps the contract that <damson/engine.hpp> states.

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include <damson/engine.hpp>

namespace damson::sim {

/// Thrown where the engine, or the test, broke the contract.
class contract_broken : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

/// Told of everything that goes in and comes out; throws `contract_broken` with a clear text.
///
/// It remembers what is there, and of what has ended only that the numbers of channels and
/// exchanges go up: so it can watch for years.
class contract_watch {
 public:
  void on_input(time_point now, const input& what);
  void on_output(const output& what);
  /// After a drain.
  void on_drained(time_point now, const engine& watched);

  bool closed() const noexcept { return closed_; }
  std::size_t alive() const noexcept { return mappings_.size(); }

 private:
  enum class channel_state : std::uint8_t { asked, open };
  enum class mapping_state : std::uint8_t { created, up, down };
  struct mapping {
    mapping_state state = mapping_state::created;
    bool ever_up = false;
  };

  /// By their numbers; 0 is the mapping as a whole.
  using parts = std::map<std::uint32_t, mapping>;

  void on_open(channel_id channel);
  void on_send(const send_datagram& send);
  void on_request(const send_http& request);
  void on_event(const mapping_event& event);
  void on_answer(const router_answered& answer);
  [[noreturn]] void fail(const std::string& what) const;

  time_point now_{};
  std::unordered_map<std::uint32_t, channel_state> channels_;
  std::unordered_set<std::uint64_t> exchanges_;
  std::unordered_set<std::uint64_t> events_;  ///< that have no answer yet
  std::unordered_map<std::uint64_t, parts> mappings_;
  std::unordered_set<std::uint64_t> discoveries_;
  std::unordered_set<std::uint64_t> questions_;
  std::uint32_t last_channel_ = 0;
  std::uint64_t last_exchange_ = 0;
  std::uint64_t last_mapping_ = 0;
  std::uint64_t last_discovery_ = 0;
  std::uint64_t last_question_ = 0;
  std::size_t outputs_in_drain_ = 0;
  bool closing_ = false;
  bool closed_ = false;
};

}  // namespace damson::sim
