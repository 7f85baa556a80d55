#pragma once

/// One subscription to the events of a router's service (UPnP Device Architecture 1.0 section 4.1):
/// asked for, renewed, and ended. Some routers stop answering when they are asked, and
/// events are only hints, so there are few tries, and then none.

#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include <damson/engine.hpp>
#include <damson/types.hpp>

#include "wire/gena.hpp"

namespace damson {

class gena_subscription {
 public:
  /// After a refusal that may pass; one of a renewal is followed by another request at once.
  static constexpr std::chrono::seconds refusal_pause{30};

  /// Due at once. `where` is the service's event URL, `callback` the listener, `path` what nobody
  /// but the router is told: a slash and plain characters.
  gena_subscription(http_target where, const endpoint& callback, std::string path, time_point now);

  const http_target& where() const noexcept { return where_; }
  const endpoint& callback() const noexcept { return callback_; }

  /// When the next exchange is due; empty while one is open, and when nothing more is tried.
  std::optional<time_point> next_due() const noexcept { return open_ ? std::nullopt : next_; }
  /// The request that is due, whose exchange is open then. Precondition: none is.
  std::string ask();
  bool is_open() const noexcept { return open_.has_value(); }

  /// The open exchange's end. False where it brought nothing.
  bool on_response(std::uint16_t status, std::string_view id, std::string_view timeout,
                   time_point now);
  void on_silence(time_point now);
  /// It was broken off for something that matters more, and is due again.
  void on_broken_off(time_point now);

  /// Whether there is something to end. Precondition: no exchange is open.
  bool is_held() const noexcept { return !held_.empty(); }
  /// The request that ends it, which is gone then. Preconditions: it is held, no exchange is open.
  std::string end();

  /// What an event says that is ours and in order; empty for one that an earlier one has overtaken,
  /// or that says nothing of interest.
  struct news {
    event_values values;
    bool is_gap = false;  ///< others are missing before it
  };
  /// Errors: the status to answer with.
  std::expected<std::optional<news>, std::uint16_t> on_event(const event_received& what);

 private:
  enum class aim : std::uint8_t { subscribe, renew };

  void on_refused(std::uint16_t status, time_point now);
  bool is_ours(const event_received& what) const noexcept;

  http_target where_;
  endpoint callback_;
  std::string path_;
  std::optional<aim> open_;
  std::optional<time_point> next_;
  std::string held_;  ///< SID
  time_point ends_{};
  bool asked_anew_ = false;             ///< after a refusal, and not granted since
  bool was_silent_ = false;             ///< at the last renewal
  std::optional<std::uint32_t> heard_;  ///< SEQ of the last event
};

}  // namespace damson
