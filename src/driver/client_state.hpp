#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/strand.hpp>

#include <damson/client.hpp>
#include <damson/engine.hpp>
#include <damson/mapping.hpp>
#include <damson/options.hpp>

#include "driver/engine_pump.hpp"
#include "driver/mapping_state.hpp"

namespace damson::driver {
class client_registry;
}

namespace damson::detail {

/// What stands behind a client and its handles. Lives until the last of them is gone and no
/// operation is pending any more.
///
/// The public functions may be called from any thread; they post to the client's strand, where
/// everything else happens.
class client_state final : public driver::engine_observer,
                           public std::enable_shared_from_this<client_state> {
 public:
  using close_signature = void(error_code);

  static std::shared_ptr<client_state> make(const boost::asio::any_io_executor& executor,
                                            const options& opts);
  client_state(const client_state&) = delete;
  client_state& operator=(const client_state&) = delete;
  ~client_state();

  /// Empty after the context has ended.
  boost::asio::any_io_executor executor() const noexcept;

  mapping keep_open(const map_request& request);
  void map(const map_request& request,
           driver::pending_operation<mapping_state::map_signature>::handler_type handler);
  void close(driver::pending_operation<close_signature>::handler_type handler);
  void next_event(const std::shared_ptr<mapping_state>& of,
                  driver::pending_operation<mapping_state::event_signature>::handler_type handler);
  void release(const std::shared_ptr<mapping_state>& what,
               driver::pending_operation<mapping_state::release_signature>::handler_type handler);
  void release(mapping_id what, bool keep_lease) noexcept;

  /// The client object is gone: closes, and nobody waits for it.
  void abandon() noexcept;

  /// The context is about to end: destroys everything that belongs to it, all pending operations
  /// among it. Later calls do nothing.
  void lose_context();

 private:
  /// What must not outlive the context.
  struct context_part {
    context_part(const boost::asio::any_io_executor& executor, const options& opts);

    boost::asio::any_io_executor executor;
    boost::asio::strand<boost::asio::any_io_executor> strand;
    driver::engine_pump pump;
  };

  client_state(const boost::asio::any_io_executor& executor, const options& opts);

  void on_event(mapping_event event) override;
  void on_engine_closed() override;

  template <class Function>
  void on_strand(Function function);
  template <class Function>
  void on_strand_if_possible(Function function) noexcept;
  template <class Handler, class Function>
  void on_cancel(const Handler& handler, const Function& function);
  driver::wait_ticket next_ticket();

  void begin_map(mapping_id id, const map_request& request,
                 wait<mapping_state::map_signature> waiter);
  void begin_keeping(const std::shared_ptr<mapping_state>& state, const map_request& request);
  void begin_close();
  void first_result(const std::shared_ptr<mapping_state>& state,
                    wait<mapping_state::map_signature> waiter, const mapping_event& event);
  void cancel_map(mapping_id id);
  void cancel_close(driver::wait_ticket ticket);

  std::unique_ptr<context_part> context_;
  driver::client_registry* registry_ = nullptr;
  std::unordered_map<mapping_id, std::shared_ptr<mapping_state>> mappings_;
  std::vector<std::unique_ptr<wait<close_signature>>> close_waits_;
  std::atomic<std::uint64_t> last_mapping_{0};
  std::atomic<std::uint64_t> last_ticket_{0};
  bool closing_ = false;
  bool closed_ = false;
};

}  // namespace damson::detail
