#pragma once

/// Watches that an engine keeps the contract that <damson/engine.hpp> states.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <unordered_map>

#include <damson/engine.hpp>

namespace damson::sim {

/// Thrown where the engine, or the test, broke the contract.
class contract_broken : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

/// Told of everything that goes in and comes out; throws `contract_broken` with a clear text.
class contract_watch {
 public:
  void on_input(time_point now, const input& what);
  void on_output(const output& what);
  /// After a drain.
  void on_drained(time_point now, const engine& watched);

  bool closed() const noexcept { return closed_; }
  std::size_t alive() const noexcept { return alive_; }

 private:
  enum class channel_state : std::uint8_t { asked, open, gone };
  enum class exchange_state : std::uint8_t { open, over };
  enum class mapping_state : std::uint8_t { created, up, down, removed };

  void on_send(const send_datagram& send);
  void on_request(const send_http& request);
  void end_exchange(http_id id);
  void on_event(const mapping_event& event);
  void end_discovery(discovery_id id, bool is_answer);
  [[noreturn]] void fail(const std::string& what) const;

  time_point now_{};
  std::unordered_map<std::uint32_t, channel_state> channels_;
  std::unordered_map<std::uint64_t, exchange_state> exchanges_;
  std::unordered_map<std::uint64_t, mapping_state> mappings_;
  std::unordered_map<std::uint64_t, bool> ever_up_;
  std::unordered_map<std::uint64_t, bool> discoveries_;  ///< whether each is still wanted
  std::size_t wanted_discoveries_ = 0;
  std::size_t alive_ = 0;
  std::size_t outputs_in_drain_ = 0;
  bool closing_ = false;
  bool closed_ = false;
};

}  // namespace damson::sim
