#pragma once

/// One open port, as a handle.

#include <cstdint>
#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/system/error_code.hpp>

#include <damson/engine.hpp>
#include <damson/error.hpp>

namespace damson {

/// What asynchronous operations complete with. Compares with `errc` and `next_step`. As a
/// `std::error_code`, to which it converts, its value is that of the `errc`; Boost's own number for
/// it is another one.
using error_code = boost::system::error_code;

namespace detail {
class client_state;
class mapping_state;
}  // namespace detail

/// Where a mapping stands, as of its last event.
enum class mapping_status : std::uint8_t {
  pending,  ///< not opened yet, and no reason told
  open,     ///< the port is open
  failed,   ///< could not be opened; a request that is kept open goes on trying
  lost,     ///< was open; work on it goes on
};

/// "pending", "open", "failed", "lost".
std::string_view to_string(mapping_status) noexcept;

/// Where one part of a mapping stands.
struct mapping_part {
  mapping_info info;  ///< as `mapping::info` has it
  mapping_status status = mapping_status::pending;
  /// Why it could not be opened; an empty reason where it is open or nothing was told yet.
  failure why;
  /// How its last `mapped` came about.
  std::vector<protocol_report> report;
};

/// Keeps a port open for as long as it lives. Move-only; empty when default-made, moved from,
/// released or detached, or when `async_map` failed. One from `client::keep_open` is not empty
/// while the port still is to be opened.
///
/// Destruction gives the port back without blocking: the delete is sent and repeated in the
/// background, on the client's executor, within the release bound (2 s). A handle may outlive its
/// client; the client's destructor or `async_close` then has released the mapping already.
///
/// Handlers run on their associated executor, by default the client's (the system executor where
/// the handle has none), and never inside the call that started the operation.
///
/// Threads: one handle is used by one thread at a time; two handles are independent.
class mapping {
 public:
  mapping() noexcept = default;
  mapping(mapping&& other) noexcept = default;
  mapping& operator=(mapping&& other) noexcept;
  mapping(const mapping&) = delete;
  mapping& operator=(const mapping&) = delete;
  ~mapping();

  /// Whether it holds a mapping.
  explicit operator bool() const noexcept { return state_ != nullptr && !failed_; }

  /// Names it in events and in `client::query`; `mapping_id::none` when empty. Never used again in
  /// this process.
  mapping_id id() const noexcept;

  /// `failed` when empty or removed. Of several parts: `open` when one of them is, else `pending`,
  /// `lost` or `failed`, the first of these that one of them is.
  mapping_status status() const;

  /// The mapping as of its last event: a copy. All defaults when empty, and but for the request's
  /// own facts before the first `mapped`. A renewal that changes nothing but the lifetime is no
  /// event. Of several parts: the first that is open, IPv4 before IPv6, else the first.
  mapping_info info() const;

  /// Why `async_map` failed, or the last `failed` of a request that is kept open, protocol by
  /// protocol; empty reasons when there was none, or the port was opened since. Of a port that is
  /// open, why `options::upstream` is none of its hops. Of several parts: of the first that has
  /// failed and has a router to ask, else of the first that has failed.
  failure why() const;

  /// How the last `mapped` came about (see `mapping_event::report`); empty before it. Of several
  /// parts: that of `info`.
  std::vector<protocol_report> report() const;

  /// Each part that there is, in the order of their numbers; of a request for one address that is
  /// the mapping itself. Told also when `async_map` has failed; empty when released or detached.
  std::vector<mapping_part> parts() const;

  /// Waits for the next `changed`, `lost`, `mapped` (regained, or still there after the router was
  /// out of reach) or `removed`; of a request that is kept open also for `failed` and the first
  /// `mapped`, and so of parts that came after `async_map` had completed.
  ///
  /// Signature: `void(error_code, mapping_event)`. Events that nobody waited for coalesce, those of
  /// each part for themselves: a waiter gets what is true now, never a stale intermediate;
  /// `removed` is never dropped and comes last.
  /// A wait that outlives the handle still gets its `removed`. Each event is told once: here, or by
  /// `client::async_next_event` if that waits and nobody does here.
  /// Errors: `errc::busy` when somebody waits already, or the handle was made with an
  /// `endpoint_handler`, `errc::closed` after `removed` was taken or
  /// on an empty handle, `operation_aborted` when cancelled. Cancellation: terminal, partial,
  /// total; nothing is lost.
  template <class CompletionToken>
  auto async_next_event(CompletionToken&& token) {
    return boost::asio::async_initiate<CompletionToken, void(error_code, mapping_event)>(
        [](auto handler, const std::shared_ptr<detail::mapping_state>& state) {
          start_next_event(state, std::move(handler));
        },
        token, state_);
  }

  /// Gives the port back and tells how it ended.
  ///
  /// Signature: `void(error_code, removal)`. Completes within the release bound (2 s). Errors:
  /// `errc::closed` on an empty handle. Cancellation only stops the waiting; the release goes on.
  template <class CompletionToken>
  auto async_release(CompletionToken&& token) && {
    return boost::asio::async_initiate<CompletionToken, void(error_code, removal)>(
        [](auto handler, mapping released) {
          start_release(std::move(released), std::move(handler));
        },
        token, std::move(*this));
  }

  /// Lets go of the mapping and leaves it to its lease: it is neither renewed nor deleted.
  void detach() noexcept;

 private:
  friend class detail::client_state;
  explicit mapping(std::shared_ptr<detail::mapping_state> state, bool failed) noexcept
      : state_(std::move(state)), failed_(failed) {}

  using event_handler = boost::asio::any_completion_handler<void(error_code, mapping_event)>;
  using release_handler = boost::asio::any_completion_handler<void(error_code, removal)>;
  static void start_next_event(const std::shared_ptr<detail::mapping_state>& state,
                               event_handler handler);
  static void start_release(mapping released, release_handler handler);
  void give_back(bool keep_lease) noexcept;

  std::shared_ptr<detail::mapping_state> state_;
  bool failed_ = false;
};

}  // namespace damson

template <>
struct boost::system::is_error_code_enum<damson::errc> : std::true_type {};
