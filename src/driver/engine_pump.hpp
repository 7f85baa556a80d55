#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/executor_work_guard.hpp>

#include <damson/engine.hpp>
#include <damson/options.hpp>

#include "base/log.hpp"
#include "driver/boot_timer.hpp"
#include "driver/event_listener.hpp"
#include "driver/http_exchange.hpp"
#include "driver/network_watch.hpp"
#include "driver/udp_channel.hpp"

namespace damson::driver {

/// Takes what the engine tells the program. Called within `engine_pump::put`, so whatever it makes
/// the engine do waits until that is through.
class engine_observer {
 public:
  virtual void on_event(mapping_event event) = 0;
  virtual void on_discovered(discovered result) = 0;
  virtual void on_router_answered(router_answered answer) = 0;
  virtual void on_engine_closed() = 0;

 protected:
  ~engine_observer() = default;
};

/// The outside world of one engine: gives it time, datagrams, HTTP answers and network facts, and
/// acts on what it says.
///
/// Everything happens on one strand. While the engine is busy, the pump holds work on the executor,
/// receives, listens, keeps a timer and watches the network; else it rests, so that an idle client
/// does not keep an io_context running. What reaches a resting channel waits in its socket. HTTP
/// exchanges cannot wait: resting ends them, and the engine is told so (`http_error::broken`)
/// before its next input.
class engine_pump final : private channel_listener,
                          private http_listener,
                          private event_observer,
                          private network_listener {
 public:
  /// `strand` serialises all handlers and all calls. Throws std::system_error when the system has
  /// no timer to give.
  engine_pump(boost::asio::any_io_executor strand, const options& opts,
              std::span<const std::uint64_t, 4> seed);
  engine_pump(const engine_pump&) = delete;
  engine_pump& operator=(const engine_pump&) = delete;
  ~engine_pump();

  /// To be called before anything else. `observer` owns the pump, and pending operations keep it
  /// alive.
  void attach(const std::shared_ptr<engine_observer>& observer);

  /// Gives the engine an input and acts on its outputs; within an observer's call, later.
  /// Spans must last for the call, so datagrams and HTTP answers come from outside of one only.
  void put(input what);

  /// Tells the engine what the network looks like now.
  void look();

  /// The executor will run nothing any more: leaves these mappings to their leases, has the engine
  /// close, sends the datagrams that it wants sent for that, and does nothing else for it. What it
  /// would tell goes untold.
  void say_last_words(std::span<const mapping_id> to_keep);

 private:
  friend class engine_pump_probe;  // of the tests

  void on_datagrams(channel_id channel, std::span<const incoming_datagram> arrived) override;
  void on_channel_error(channel_id channel, channel_error error) override;
  void on_http_response(const http_response& answer) override;
  void on_http_failed(const http_failed& failure) override;
  std::uint16_t on_event(event_received what) override;
  void on_listener_failed(channel_id channel) override;
  void on_network_notice() override;

  void act(look_at_network);
  void act(const open_channel& order);
  void act(const close_channel& order);
  void act(send_datagram order);
  void act(send_http order);
  void act(const cancel_http& order);
  void act(const listen_for_events& order);
  void act(const answer_event& order);
  void act(router_answered&& answer);
  void act(mapping_event event);
  void act(discovered result);
  void act(engine_closed);

  void hear_what_is_there();
  time_point time_of(const input& what) const;
  void take(input what);
  void drain();
  void send_out();
  void note_sent(channel_id channel, send_result how);
  void rest_or_work();
  void break_off_exchanges();
  void read_network();
  bool watch_network();
  void stop_watching();
  void arm_timer();
  template <class Listener>
  std::weak_ptr<Listener> as_listener();

  boost::asio::any_io_executor strand_;
  logger log_;
  engine engine_;
  std::weak_ptr<engine_observer> observer_;
  std::unordered_map<channel_id, std::shared_ptr<udp_channel>> channels_;
  std::unordered_map<channel_id, std::shared_ptr<event_listener>> event_listeners_;
  std::uint64_t events_ = 0;                   ///< that came in
  std::optional<std::uint16_t> event_answer_;  ///< to the one that the engine is told of
  std::unordered_map<http_id, std::shared_ptr<http_exchange>> exchanges_;
  network_facts facts_;  ///< as last read
  std::shared_ptr<network_watch> watch_;
  bool told_of_no_watch_ = false;
  std::deque<input> waiting_;
  std::unordered_map<channel_id, std::vector<outgoing_datagram>> to_send_;  ///< of this drain
  boot_timer timer_;
  std::optional<time_point> armed_for_;
  std::optional<boost::asio::executor_work_guard<boost::asio::any_io_executor>> work_;
  bool draining_ = false;
  bool closed_ = false;
};

}  // namespace damson::driver
