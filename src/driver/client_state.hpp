#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <variant>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/strand.hpp>

#include <damson/client.hpp>
#include <damson/engine.hpp>
#include <damson/mapping.hpp>
#include <damson/options.hpp>

#include "base/log.hpp"
#include "driver/client_events.hpp"
#include "driver/engine_pump.hpp"
#include "driver/locking_executor.hpp"
#include "driver/mapping_registry.hpp"
#include "driver/mapping_state.hpp"

namespace damson::driver {
class client_registry;
}

namespace damson::detail {

/// What stands behind a client and its handles. Lives until the last of them is gone and no
/// operation is pending any more.
///
/// The public functions may be called from any thread; they post to the client's strand, where
/// everything else happens. Where nobody runs the strand any more, what has to be done all the same
/// is done in the caller's thread, behind the strand's gate.
class client_state final : public driver::engine_observer,
                           public std::enable_shared_from_this<client_state> {
 public:
  using close_signature = void(error_code);
  using discover_signature = void(error_code, discovery);
  using answer_signature = void(error_code, router_answered);
  using entries_signature = void(error_code, std::vector<router_entry>);
  using entry_signature = void(error_code, router_entry);
  using status_signature = void(error_code, router_status);
  template <class Signature>
  using handler_of = typename driver::pending_operation<Signature>::handler_type;

  static std::shared_ptr<client_state> make(const boost::asio::any_io_executor& executor,
                                            const options& opts);
  client_state(const client_state&) = delete;
  client_state& operator=(const client_state&) = delete;
  ~client_state();

  const logger& log() const noexcept { return log_; }

  /// Empty after the context has ended.
  boost::asio::any_io_executor executor() const noexcept;

  mapping keep_open(const map_request& request, endpoint_handler on_change);
  void map(const map_request& request, handler_of<mapping_state::map_signature> handler);
  void close(handler_of<close_signature> handler);
  void discover(protocol_filter protocols, handler_of<discover_signature> handler);
  template <class Signature>
  void ask(const router_question& what, handler_of<Signature> handler);
  void network_changed();
  void next_event(handler_of<mapping_state::event_signature> handler);
  void next_event(const std::shared_ptr<mapping_state>& of,
                  handler_of<mapping_state::event_signature> handler);
  void release(const std::shared_ptr<mapping_state>& what,
               handler_of<mapping_state::release_signature> handler);
  void release(const std::shared_ptr<mapping_state>& what, bool keep_lease) noexcept;

  std::optional<mapping_status> query(mapping_id which) const { return mappings_.query(which); }
  std::size_t active_count() const { return mappings_.size(); }

  /// The client object is gone: closes, and nobody waits for it. False: it could not even begin.
  bool abandon() noexcept;

  /// Waits until what `abandon` began is done. From then on calls complete on the system executor,
  /// so that the context's thread can end. Not to be called on the strand.
  void wait_until_closed() noexcept;

  /// The context is about to end: sends what can be sent yet, and destroys everything that belongs
  /// to the context, all pending operations among it. Later calls do nothing, or, after
  /// `wait_until_closed`, what they do on a closed client.
  void lose_context();

 private:
  friend class client_state_probe;  // of the tests

  /// What must not outlive the context.
  struct context_part {
    context_part(const boost::asio::any_io_executor& executor, const options& opts,
                 std::shared_ptr<driver::gate> gate);

    boost::asio::any_io_executor executor;
    boost::asio::strand<driver::locking_executor> strand;
    driver::engine_pump pump;
  };

  /// Whether a function has to be done also where nobody runs the strand for the time being.
  enum class urgency : std::uint8_t { can_wait, now_if_stopped };

  client_state(const boost::asio::any_io_executor& executor, const options& opts);

  void on_event(mapping_event event) override;
  void on_discovered(discovered result) override;
  void on_router_answered(router_answered answer) override;
  void on_engine_closed() override;

  template <class Function>
  void on_strand(Function function, urgency when = urgency::can_wait);
  template <class Signature, class Function>
  void start(driver::wait_ticket ticket, handler_of<Signature> handler, Function function,
             urgency when = urgency::can_wait);
  template <class Handler, class Function>
  void on_cancel(const Handler& handler, const Function& function);
  bool is_stopped() const;
  static driver::wait_ticket next_ticket();

  void put(input what);
  void begin_map(const std::shared_ptr<mapping_state>& state, const map_request& request,
                 wait<mapping_state::map_signature> waiter);
  void begin_keeping(const std::shared_ptr<mapping_state>& state, const map_request& request);
  void begin_discovery(discovery_id id, protocol_filter protocols, wait<discover_signature> waiter);
  /// A question after the router, by what its asker wants to hear of the answer.
  using question_wait = std::variant<wait<answer_signature>, wait<entries_signature>,
                                     wait<entry_signature>, wait<status_signature>>;

  void begin_question(router_question_id id, const router_question& what, question_wait waiter);
  static void complete(question_wait waiter, const error_code& error, router_answered answer);
  void cancel_question(router_question_id id);
  std::optional<question_wait> take_question(router_question_id id);
  void begin_close();
  void let_go(mapping_state& what, bool keep_lease);
  void first_result(const std::shared_ptr<mapping_state>& state,
                    wait<mapping_state::map_signature> waiter, event_kind kind);
  void tell(const std::shared_ptr<mapping_state>& of, mapping_event event);
  void cancel_map(mapping_id id);
  void cancel_discovery(discovery_id id);
  void cancel_close(driver::wait_ticket ticket);
  std::optional<wait<discover_signature>> take_discovery(discovery_id id);

  const logger log_;
  const std::shared_ptr<driver::gate> gate_ = std::make_shared<driver::gate>();
  mapping_registry mappings_;
  std::atomic<bool> over_{false};  ///< the engine has closed

  /// Changed behind both the gate and the mutex, so either is enough for reading. Whoever holds the
  /// mutex does nothing but post; where that fails, handlers may be destroyed that call again.
  mutable std::recursive_mutex context_mutex_;
  std::unique_ptr<context_part> context_;
  bool context_is_ending_ = false;  ///< functions are done in the caller's thread

  // Behind the gate.
  driver::client_registry* registry_ = nullptr;
  client_events events_;
  std::unordered_map<discovery_id, wait<discover_signature>> discoveries_;
  std::unordered_map<router_question_id, question_wait> questions_;
  std::vector<std::unique_ptr<wait<close_signature>>> close_waits_;
  bool closing_ = false;
};

}  // namespace damson::detail
