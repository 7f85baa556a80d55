#pragma once

/// damson for programs that use Boost.Asio.

#include <cstddef>
#include <memory>
#include <utility>

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>

#include <damson/mapping.hpp>
#include <damson/options.hpp>

namespace damson {

/// Finds the router, opens ports on it, keeps them open and gives them back.
///
/// Runs on the executor that it is given and makes no threads. All its work happens on a strand of
/// its own, so it may be called from any thread. Handlers run on their associated executor, by
/// default the client's, and never inside the call that started the operation. Nothing is sent
/// before the first `async_map` or `keep_open`. Any number of clients may live in one process; they
/// share nothing.
///
/// A client keeps its io_context running while it has a mapping, opened or asked for, and while it
/// is closing; an idle one does not. It may be destroyed after its execution context: the context's
/// end takes its sockets and pending operations with it, and leaves mappings to their leases.
class client {
 public:
  /// Throws std::system_error when the system has no randomness to give, else only std::bad_alloc.
  explicit client(const boost::asio::any_io_executor& executor, const options& opts = {});

  /// The same, on the executor of an execution context (an io_context, a thread_pool).
  template <class ExecutionContext>
    requires std::is_convertible_v<ExecutionContext&, boost::asio::execution_context&>
  explicit client(ExecutionContext& context, const options& opts = {})
      : client(boost::asio::any_io_executor(context.get_executor()), opts) {}

  client(const client&) = delete;
  client& operator=(const client&) = delete;

  /// Releases all mappings without blocking; the work for it stays on the executor until it is done
  /// or the release bound (2 s) has passed. What is still pending ends: `async_map` with
  /// `errc::closed` at once; waits on handles with `removed`, and `async_close`, when the work is
  /// done.
  ~client();

  /// Empty after the execution context has ended.
  boost::asio::any_io_executor get_executor() const noexcept;

  /// Opens a port.
  ///
  /// Signature: `void(error_code, mapping)`. Completes when the port is open and the router
  /// has told its external address, or that it has none yet (unspecified until a `changed`); or
  /// with the `errc` that decided; the handle is empty then and its `why()` holds the reason for
  /// each protocol (take it with `as_tuple` where errors are thrown), and nothing is left behind on
  /// the router. Errors: any `errc` from `no_gateway` to `limit_reached`, `errc::closed`,
  /// `operation_aborted`. Cancellation: terminal, partial, total; a grant that comes late is
  /// deleted.
  template <class CompletionToken>
  auto async_map(const map_request& request, CompletionToken&& token) {
    return boost::asio::async_initiate<CompletionToken, void(error_code, mapping)>(
        [](auto handler, const std::shared_ptr<detail::client_state>& state,
           const map_request& what) { start_map(state, what, std::move(handler)); },
        token, state_, request);
  }

  /// Asks for a port, and goes on asking until it is open: for programs that wait for their router.
  ///
  /// Returns at once. The handle holds the request, and `mapping::async_next_event` tells what
  /// becomes of it: `failed` with the reason for each protocol while it cannot be opened, `mapped`
  /// when it is, and from then on what happens to it, as with `async_map`. Tries come after pauses
  /// of 5 s, doubled each time up to `options::recheck_period`, or as long as the router asked for.
  /// `map_request::timeout` bounds the wait for the first word only. What makes no sense
  /// (`errc::invalid_argument`, `errc::limit_reached`) fails once and is not tried again. On a
  /// client that is closed the first event is `removed`.
  mapping keep_open(const map_request& request);

  /// Releases all mappings and closes the client for good.
  ///
  /// Signature: `void(error_code)`. Completes within the release bound (2 s), at once when there is
  /// nothing to release or the client is closed already. Cancellation only stops the waiting.
  template <class CompletionToken>
  auto async_close(CompletionToken&& token) {
    return boost::asio::async_initiate<CompletionToken, void(error_code)>(
        [](auto handler, const std::shared_ptr<detail::client_state>& state) {
          start_close(state, std::move(handler));
        },
        token, state_);
  }

 private:
  using map_handler = boost::asio::any_completion_handler<void(error_code, mapping)>;
  using close_handler = boost::asio::any_completion_handler<void(error_code)>;
  static void start_map(const std::shared_ptr<detail::client_state>& state,
                        const map_request& request, map_handler handler);
  static void start_close(const std::shared_ptr<detail::client_state>& state,
                          close_handler handler);

  std::shared_ptr<detail::client_state> state_;
};

}  // namespace damson
