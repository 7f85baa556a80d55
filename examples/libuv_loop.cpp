// Opens a TCP port with the engine in a loop of libuv.
//
// The engine is told the time, the network and what arrives, and says what to send. PCP and NAT-PMP
// need no more than the UDP handles here. UPnP would need a search socket and an HTTP client; so
// `map_request::protocols` leaves it out, and whatever asks for them all the same is told that
// there are none.

#include <uv.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <exception>
#include <iostream>
#include <map>
#include <memory>
#include <span>
#include <system_error>
#include <utility>
#include <variant>

#include <damson/engine.hpp>
#include <damson/network.hpp>

#include "job.hpp"
#include "socket_address.hpp"

namespace {

constexpr damson::mapping_id the_port{1};

class uv_driver;

/// A UDP handle; libuv has it until it says that it is closed.
struct udp_channel {
  uv_udp_t handle{};
  damson::channel_id id{};
  uv_driver* driver = nullptr;
  std::array<char, damson::engine_limits::search_answer_bytes + 1> buffer{};
};

template <class Handle>
uv_handle_t* base(Handle& handle) {
  void* begin = &handle;
  return static_cast<uv_handle_t*>(begin);
}

class uv_driver {
 public:
  uv_driver(uv_loop_t* loop, const job& work)
      : loop_(loop), work_(work), engine_(work.options, random_seed()) {
    uv_timer_init(loop_, &timer_);
    timer_.data = this;
    for (std::size_t i = 0; i < signals_.size(); ++i) {
      uv_signal_init(loop_, &signals_[i]);
      signals_[i].data = this;
      const auto give_back = [](uv_signal_t* signal, int) {
        static_cast<uv_driver*>(signal->data)->put(damson::close_engine{});
      };
      uv_signal_start(&signals_[i], give_back, i == 0 ? SIGINT : SIGTERM);
    }
  }

  /// One thing that happened, and all that follows from it.
  void put(damson::input what) {
    inputs_.push_back(std::move(what));
    while (!inputs_.empty()) {
      engine_.handle(damson::boot_time_now(), inputs_.front());
      inputs_.pop_front();
      while (auto out = engine_.poll()) std::visit([this](const auto& order) { act(order); }, *out);
    }
    if (!closed_) arm_timer();
  }

  int status() const { return status_; }

 private:
  void arm_timer() {
    const auto deadline = engine_.deadline();
    if (!deadline) {
      uv_timer_stop(&timer_);
      return;
    }
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(*deadline - damson::boot_time_now());
    uv_update_time(loop_);
    const auto on_time = [](uv_timer_t* timer) {
      static_cast<uv_driver*>(timer->data)->put(damson::time_passed{});
    };
    uv_timer_start(&timer_, on_time,
                   static_cast<std::uint64_t>(std::max<std::int64_t>(left.count(), 0)), 0);
  }

  static damson::channel_error meaning(int error) {
    return error == UV_ECONNREFUSED ? damson::channel_error::refused
                                    : damson::channel_error::unreachable;
  }

  static void on_received(uv_udp_t* handle, ssize_t length, const uv_buf_t* buffer,
                          const sockaddr* from, unsigned /*flags*/) {
    auto& channel = *static_cast<udp_channel*>(handle->data);
    if (length < 0)
      channel.driver->put(damson::channel_failed{channel.id, meaning(static_cast<int>(length))});
    else if (from != nullptr)
      channel.driver->put(damson::datagram_received{
          channel.id, from_socket(from),
          std::as_bytes(std::span{buffer->base, static_cast<std::size_t>(length)})});
  }

  // What the engine asks for. Answers wait in `inputs_` until it has said everything.

  void act(damson::look_at_network /*order*/) {
    std::error_code error;
    auto facts = damson::read_network_facts(error);
    if (error) std::cerr << "cannot read routes and addresses: " << error.message() << '\n';
    inputs_.emplace_back(damson::network_changed{std::move(facts)});
  }

  void act(const damson::open_channel& order) {
    const auto* how = std::get_if<damson::connected_channel>(&order.what);
    if (how == nullptr) {  // a search, or announcements of the router, which only save time
      inputs_.emplace_back(
          damson::channel_failed{order.channel, damson::channel_error::cannot_open});
      return;
    }
    udp_channel* const channel = std::make_unique<udp_channel>().release();
    channel->id = order.channel;
    channel->driver = this;
    uv_udp_init(loop_, &channel->handle);
    channel->handle.data = channel;
    channels_.emplace(order.channel, channel);
    auto local = to_socket({.address = how->local, .port = 0});
    const auto remote = to_socket(how->remote);
    const auto take_buffer = [](uv_handle_t* handle, std::size_t, uv_buf_t* buffer) {
      auto& bytes = static_cast<udp_channel*>(handle->data)->buffer;
      *buffer = uv_buf_init(bytes.data(), static_cast<unsigned>(bytes.size()));
    };
    int length = sizeof local.storage;
    if (uv_udp_bind(&channel->handle, local.get(), 0) != 0 ||
        uv_udp_connect(&channel->handle, remote.get()) != 0 ||
        uv_udp_getsockname(&channel->handle, local.get(), &length) != 0 ||
        uv_udp_recv_start(&channel->handle, take_buffer, on_received) != 0) {
      act(damson::close_channel{order.channel});
      inputs_.emplace_back(
          damson::channel_failed{order.channel, damson::channel_error::cannot_open});
      return;
    }
    inputs_.emplace_back(damson::channel_opened{order.channel, from_socket(local.get())});
  }

  void act(const damson::close_channel& order) {
    const auto found = channels_.find(order.channel);
    if (found == channels_.end()) return;
    uv_close(base(found->second->handle), [](uv_handle_t* handle) {
      const std::unique_ptr<udp_channel> gone{static_cast<udp_channel*>(handle->data)};
    });
    channels_.erase(found);
  }

  void act(const damson::send_datagram& order) {
    const auto found = channels_.find(order.channel);
    if (found == channels_.end()) return;
    auto bytes = order.bytes;
    void* begin = bytes.data();
    const uv_buf_t buffer =
        uv_buf_init(static_cast<char*>(begin), static_cast<unsigned>(bytes.size()));
    const int sent = uv_udp_try_send(&found->second->handle, &buffer, 1, nullptr);
    if (sent < 0 && sent != UV_EAGAIN)
      inputs_.emplace_back(damson::channel_failed{order.channel, meaning(sent)});
  }

  void act(const damson::send_http& order) {
    inputs_.emplace_back(damson::http_failed{order.id, damson::http_error::unreachable});
  }

  void act(const damson::mapping_event& event) {
    const bool was_never_open =
        event.kind == damson::event_kind::removed && status_ != EXIT_SUCCESS;
    if (!was_never_open) tell(event);
    if (event.kind == damson::event_kind::mapped) status_ = EXIT_SUCCESS;
    if (is_last_word(event, work_)) inputs_.emplace_back(damson::close_engine{});
  }

  /// Without handles the loop ends.
  void act(damson::engine_closed /*order*/) {
    closed_ = true;
    while (!channels_.empty()) act(damson::close_channel{channels_.begin()->first});
    for (auto& signal : signals_) uv_close(base(signal), nullptr);
    uv_close(base(timer_), nullptr);
  }

  void act(const auto& /*order*/) {}  // the end of exchanges and discoveries that never began

  uv_loop_t* loop_;
  const job& work_;
  damson::engine engine_;
  std::deque<damson::input> inputs_;
  std::map<damson::channel_id, udp_channel*> channels_;
  uv_timer_t timer_{};
  std::array<uv_signal_t, 2> signals_{};
  bool closed_ = false;
  int status_ = EXIT_FAILURE;
};

}  // namespace

int main(int argc, char** argv) try {
  job work = read_arguments(argc, argv);
  work.request.protocols = damson::protocol_filter::pcp;
  uv_driver driver{uv_default_loop(), work};
  driver.put(damson::create_mapping{the_port, work.request});
  uv_run(uv_default_loop(), UV_RUN_DEFAULT);
  uv_loop_close(uv_default_loop());
  return driver.status();
} catch (const std::exception& error) {
  std::cerr << error.what() << '\n';
  return EXIT_FAILURE;
}
