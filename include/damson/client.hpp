#pragma once

/// damson for programs that use Boost.Asio.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>

#include <damson/mapping.hpp>
#include <damson/options.hpp>
#include <damson/router.hpp>

namespace damson {

namespace detail {
class own_thread;
}

/// Called with the outside endpoint of a mapping; port 0: it has none (any more).
using endpoint_handler = std::function<void(const endpoint& external)>;

/// The address of this host as the router on the way out sees it: the one to tell peers on the same
/// network, and the one that mappings lead to. Needs no client. Sends nothing; reads the routing
/// table, so it takes microseconds.
///
/// `opts.gateway` is used as for a client; `opts.local_address`, where it is set, is returned as it
/// is. Errors: `errc::no_gateway` where no router is on the way out and no address is public,
/// `errc::network_down` where no socket can be connected to it, or the system's own when the
/// routing table cannot be read; the address is unspecified then.
ip_address local_address(const options& opts, error_code& error);
/// The same; throws boost::system::system_error.
ip_address local_address(const options& opts = {});

/// Finds the router, opens ports on it, keeps them open and gives them back.
///
/// Runs on the executor that it is given, or, without one, on a thread of its own. All its work
/// happens on a strand of its own, so it may be called from any thread. Handlers run on their
/// associated executor, by default the client's, and never inside the call that started the
/// operation. Nothing is sent before the first `async_map`, `keep_open`, `async_discover` or
/// question after the router. Any number of clients may live in one process; they share nothing.
///
/// A client keeps its io_context running while it has a mapping, opened or asked for, while it
/// discovers, asks the router and while it is closing; an idle one does not. It may be destroyed
/// after its execution context: the context's end takes its sockets and pending operations with it,
/// and mappings are left to their leases after one delete each (see the destructor). Operations
/// that are started after that never complete; their handlers are destroyed. Handles must not be
/// destroyed while another thread destroys the context.
class client {
 public:
  /// A client with a thread of its own, for programs without an event loop. Handlers run on that
  /// thread by default; an exception that leaves one ends the program. Throws std::system_error
  /// when the system has no thread, no randomness or no timer to give.
  explicit client(const options& opts = {});

  /// Throws std::system_error for want of randomness or a timer, else only std::bad_alloc.
  explicit client(const boost::asio::any_io_executor& executor, const options& opts = {});

  /// The same, on the executor of an execution context (an io_context, a thread_pool).
  template <class ExecutionContext>
    requires std::is_convertible_v<ExecutionContext&, boost::asio::execution_context&>
  explicit client(ExecutionContext& context, const options& opts = {})
      : client(boost::asio::any_io_executor(context.get_executor()), opts) {}

  client(const client&) = delete;
  client& operator=(const client&) = delete;

  /// Releases all mappings. What is still pending ends: `async_map`, `async_discover` and questions
  /// after the router with `errc::closed` at once; waits for events with `removed`, and
  /// `async_close`, when the work is done.
  ///
  /// On a given executor it does not block: the work stays there until it is done or the release
  /// bound (2 s) has passed. Where that executor's io_context is stopped, and at the end of any
  /// execution context, one delete is sent for each PCP and NAT-PMP mapping instead, and no answer
  /// waited for.
  ///
  /// On a thread of its own it blocks until all is done and that thread has ended, within the
  /// release bound unless a handler keeps the thread. What was posted until then has run; what
  /// keeps the thread's io_context busy beyond that, such as a timer of the program, is abandoned
  /// a tenth of a second later. It must not be called on that thread: the program is terminated
  /// then, with a line in the log.
  ~client();

  /// Empty after the execution context has ended.
  boost::asio::any_io_executor get_executor() const noexcept;

  /// Opens a port, at one of the host's addresses or at several (`map_request::families`,
  /// `map_request::every_uplink`).
  ///
  /// Requests of one client for the same transport and internal port share one mapping on the
  /// router, which is deleted with the last of them. The first decides which external port, address
  /// and lifetime are asked for. One whose protocols, `allow_permanent`, `prefer_failure` or
  /// `peers` forbid the way in which the port is open fails with `errc::already_mapped`. A request
  /// for a port whose delete is under way waits for that.
  ///
  /// Signature: `void(error_code, mapping)`. Completes when the port is open and the router
  /// has told its external address, or that it has none yet (unspecified until a `changed`); or
  /// with the `errc` that decided; the handle is empty then and its `why()` holds the reason for
  /// each protocol (take it with `as_tuple` where errors are thrown; futures cannot have it), and
  /// nothing is left behind on the router. A request with parts completes when each that it began
  /// with has its first result: well if any of them is open, else with the error that `why()`
  /// decides; `mapping::parts` tells of each. Errors: any `errc` from `no_gateway` to
  /// `limit_reached`, `errc::closed`, `operation_aborted`. Cancellation: terminal, partial, total;
  /// a grant that comes late is deleted.
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
  /// (`errc::invalid_argument`, `errc::protocol_excluded`, `errc::limit_reached`) fails once and is
  /// not tried again. On a client that is closed the first event is `removed`.
  mapping keep_open(const map_request& request);

  /// The same for most programs: calls back with the outside endpoint when it is known first and
  /// each time it is another one, and with port 0 when it is lost. On the client's executor, one
  /// call after the other. Of several parts it is that of `mapping::info`: the first that is open,
  /// IPv4 before IPv6. None begins after the handle was destroyed or released
  /// (one that has begun may still be going on in another thread). What changes again before it is
  /// told is told as it is then. Waits get no events of such a mapping, but for its `removed` by
  /// `client::async_next_event`. An exception that leaves `on_change` leaves the executor's
  /// `run()`.
  mapping keep_open(const map_request& request, endpoint_handler on_change);

  /// Where the mapping of this client stands; empty when there is none of that name, or it is being
  /// removed: from the call on that releases it or closes the client.
  std::optional<mapping_status> query(mapping_id which) const;

  /// Whether `query` has an answer.
  bool has(mapping_id which) const { return query(which).has_value(); }

  /// How many mappings were asked for and have not ended in `removed` yet; 0 after `async_close`.
  std::size_t active_count() const;

  /// Waits for the next event of any mapping of this client that nobody waits for on the mapping's
  /// own handle. `mapping_event::info.id` says whose it is.
  ///
  /// Signature: `void(error_code, mapping_event)`. What `mapping::async_next_event` says of pending
  /// events holds for each mapping. From the first wait on each mapping's `removed` is told, also
  /// where the handle is gone. The result of `async_map` is no event, and of a mapping that it did
  /// not hand out none is told. Errors: `errc::busy` when somebody waits already, `errc::closed`
  /// when the client is closed and all was told, `operation_aborted` when cancelled. Cancellation:
  /// terminal, partial, total; nothing is lost.
  template <class CompletionToken>
  auto async_next_event(CompletionToken&& token) {
    return boost::asio::async_initiate<CompletionToken, void(error_code, mapping_event)>(
        [](auto handler, const std::shared_ptr<detail::client_state>& state) {
          start_next_event(state, std::move(handler));
        },
        token, state_);
  }

  /// Asks who is there: which router, speaking what, and why not the rest. Makes no mapping.
  ///
  /// Signature: `void(error_code, discovery)`. Takes until each protocol that `options::protocols`
  /// and `protocols` allow has answered or is out: 4 s where somebody is silent, and at most
  /// `options::discovery_timeout`. Errors: `errc::no_gateway` (the result holds what is known all
  /// the same), `errc::closed`, `operation_aborted`. Cancellation: terminal, partial, total.
  template <class CompletionToken>
  auto async_discover(protocol_filter protocols, CompletionToken&& token) {
    return boost::asio::async_initiate<CompletionToken, void(error_code, discovery)>(
        [](auto handler, const std::shared_ptr<detail::client_state>& state,
           protocol_filter filter) { start_discover(state, filter, std::move(handler)); },
        token, state_, protocols);
  }

  // ---- The router itself
  //
  // Questions for UPnP routers, which alone have words for them. They go to the router on the way
  // out (`options::gateway`, or the next hop), one after another, and are answered within 5 min,
  // mostly far sooner. Errors of all: `errc::no_gateway`, `errc::network_down`, `errc::no_answer`
  // (nobody of use answered the search, or the router fell silent), `errc::port_closed`,
  // `errc::not_supported`, `errc::not_authorized`, `errc::unusable_answer`,
  // `errc::protocol_excluded` (`options::protocols` is without UPnP), `errc::limit_reached` (more
  // than `engine_limits::router_questions` at a time), `errc::network_changed` (the way out is
  // another one now), `errc::timed_out`, `errc::closed`, `operation_aborted`. With an error the
  // result is what was known until then. Cancellation: terminal, partial, total; a delete that was
  // sent may be obeyed.

  /// All entries that the router shows, whoever made them, in its own order.
  ///
  /// Signature: `void(error_code, std::vector<router_entry>)`. GetListOfPortMappings of
  /// WANIPConnection:2 (section 2.5.22) where that works, else GetGenericPortMappingEntry
  /// (WANIPConnection:1 section 2.4.14) until the router has no more. `errc::limit_reached` also
  /// where it shows more than `engine_limits::router_entries`.
  template <class CompletionToken>
  auto async_list_entries(CompletionToken&& token) {
    return initiate<void(error_code, std::vector<router_entry>)>(
        token, router_questions::list_entries{}, state_);
  }

  /// One entry of exactly this name, whoever made it.
  ///
  /// Signature: `void(error_code, router_entry)`. GetSpecificPortMappingEntry (WANIPConnection:1
  /// section 2.4.15). Also `errc::mapping_gone`: there is none; `errc::invalid_argument`: port 0,
  /// or a remote host that is no address or name.
  template <class CompletionToken>
  auto async_find_entry(const router_entry_name& name, CompletionToken&& token) {
    return initiate<void(error_code, router_entry)>(token, router_questions::find_entry{name},
                                                    state_);
  }

  /// What the router says about its way out: address, connection, link, what it has counted.
  ///
  /// Signature: `void(error_code, router_status)`. GetExternalIPAddress and GetStatusInfo, and of
  /// WANCommonInterfaceConfig:1 GetCommonLinkProperties and the four totals. What a router does not
  /// know is left empty, and is no error.
  template <class CompletionToken>
  auto async_read_status(CompletionToken&& token) {
    return initiate<void(error_code, router_status)>(token, router_questions::read_status{},
                                                     state_);
  }

  /// Deletes the entry of exactly this name, whoever made it: the only way to touch what is not
  /// this host's. A mapping of this client whose entry it is is made again at the next recheck.
  ///
  /// Signature: `void(error_code, router_entry)`: what was deleted; only its name where the router
  /// could not be asked what it was. DeletePortMapping (WANIPConnection:1 section 2.4.17). Also
  /// `errc::mapping_gone`: there is none; `errc::not_authorized`: the router keeps it, most often
  /// because another host made it; `errc::invalid_argument` as for `async_find_entry`.
  template <class CompletionToken>
  auto async_delete_entry(const router_entry_name& name, CompletionToken&& token) {
    return initiate<void(error_code, router_entry)>(token, router_questions::delete_entry{name},
                                                    state_);
  }

  /// Deletes what leads to this host, whichever program made it, at the external ports `first` to
  /// `last` (1..65535, `first` not above `last`). Entries of other hosts are left alone.
  ///
  /// Signature: `void(error_code, std::vector<router_entry>)`: what was deleted, none where there
  /// was nothing. The entries are read first; those at ports in a row go with one
  /// DeletePortMappingRange (WANIPConnection:2 section 2.5.21) where the router has it, the others
  /// with one DeletePortMapping each. With an error the others were deleted all the same. Also
  /// `errc::invalid_argument`.
  template <class CompletionToken>
  auto async_delete_range(damson::transport transport, std::uint16_t first, std::uint16_t last,
                          CompletionToken&& token) {
    return initiate<void(error_code, std::vector<router_entry>)>(
        token, router_questions::delete_range{transport, first, last}, state_);
  }

  /// Any of these questions, with the whole answer: also the router's own number and words where it
  /// refused (`router_answered::why`).
  ///
  /// Signature: `void(error_code, router_answered)`.
  template <class CompletionToken>
  auto async_ask_router(const router_question& what, CompletionToken&& token) {
    return initiate<void(error_code, router_answered)>(token, what, state_);
  }

  /// Routes and addresses are looked at now. Seldom needed: while it has work the client hears of
  /// changes from the system, and where a sandbox forbids that it looks at each recheck.
  void network_changed();

  /// Releases all mappings and closes the client for good.
  ///
  /// Signature: `void(error_code)`. Completes within the release bound (2 s), at once when there is
  /// nothing to release or the client is closed already. Events that nobody has waited for yet can
  /// still be waited for afterwards. Cancellation only stops the waiting.
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
  using event_handler = boost::asio::any_completion_handler<void(error_code, mapping_event)>;
  using discover_handler = boost::asio::any_completion_handler<void(error_code, discovery)>;
  using close_handler = boost::asio::any_completion_handler<void(error_code)>;
  static void start_map(const std::shared_ptr<detail::client_state>& state,
                        const map_request& request, map_handler handler);
  static void start_next_event(const std::shared_ptr<detail::client_state>& state,
                               event_handler handler);
  static void start_discover(const std::shared_ptr<detail::client_state>& state,
                             protocol_filter protocols, discover_handler handler);
  using answer_handler = boost::asio::any_completion_handler<void(error_code, router_answered)>;
  using entries_handler =
      boost::asio::any_completion_handler<void(error_code, std::vector<router_entry>)>;
  using entry_handler = boost::asio::any_completion_handler<void(error_code, router_entry)>;
  using status_handler = boost::asio::any_completion_handler<void(error_code, router_status)>;
  static void start_question(const std::shared_ptr<detail::client_state>& state,
                             const router_question& what, answer_handler handler);
  static void start_question(const std::shared_ptr<detail::client_state>& state,
                             const router_question& what, entries_handler handler);
  static void start_question(const std::shared_ptr<detail::client_state>& state,
                             const router_question& what, entry_handler handler);
  static void start_question(const std::shared_ptr<detail::client_state>& state,
                             const router_question& what, status_handler handler);
  template <class Signature, class CompletionToken>
  static auto initiate(CompletionToken& token, const router_question& what,
                       const std::shared_ptr<detail::client_state>& state) {
    return boost::asio::async_initiate<CompletionToken, Signature>(
        [](auto handler, const std::shared_ptr<detail::client_state>& of,
           const router_question& asked) {
          start_question(of, asked,
                         boost::asio::any_completion_handler<Signature>(std::move(handler)));
        },
        token, state, what);
  }
  static void start_close(const std::shared_ptr<detail::client_state>& state,
                          close_handler handler);

  std::unique_ptr<detail::own_thread> thread_;  ///< null on a given executor
  std::shared_ptr<detail::client_state> state_;
};

}  // namespace damson
