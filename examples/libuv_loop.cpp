// Opens a TCP port with the engine in a loop of libuv.
//
// The engine is told the time, the network and what arrives, and says what to send. PCP and NAT-PMP
// need no more than the UDP handles here. UPnP would need a search socket and an HTTP client; so
// `map_request::protocols` leaves it out, and engine_job.hpp says to what asks for them all the
// same that there are none.

#include <uv.h>

#include <csignal>
#include <deque>
#include <exception>
#include <map>
#include <memory>
#include <span>
#include <utility>
#include <variant>

#include "engine_job.hpp"

namespace {

class uv_driver;

/// A UDP handle; libuv has it until it says that it is closed.
struct udp_channel {
  uv_udp_t handle{};
  uv_driver* driver = nullptr;
  damson::channel_id id{};
  datagram_buffer bytes{};
};

void close(auto& handle, uv_close_cb on_closed) {
  void* base = &handle;
  uv_close(static_cast<uv_handle_t*>(base), on_closed);
}

class uv_driver {
 public:
  uv_driver(uv_loop_t* loop, const job& work)
      : loop_(loop), job_(work), engine_(work.options, random_seed()) {
    uv_timer_init(loop_, &timer_);
    timer_.data = this;
    for (const auto& [signal, number] : {std::pair{&interrupt_, SIGINT}, {&terminate_, SIGTERM}}) {
      uv_signal_init(loop_, signal);
      signal->data = this;
      const auto stop = [](uv_signal_t* of, int) { driver_of(of).put(damson::close_engine{}); };
      uv_signal_start(signal, stop, number);
    }
  }

  /// One thing that happened, and all that follows from it.
  void put(damson::input what) {
    for (inputs_.push_back(std::move(what)); !inputs_.empty(); inputs_.pop_front()) {
      engine_.handle(damson::boot_time_now(), inputs_.front());
      while (auto out = engine_.poll()) std::visit([this](const auto& order) { act(order); }, *out);
    }
    const int wait = wait_for(engine_.deadline());
    uv_timer_stop(&timer_);
    if (wait < 0) return;
    uv_update_time(loop_);
    const auto on_time = [](uv_timer_t* of) { driver_of(of).put(damson::time_passed{}); };
    uv_timer_start(&timer_, on_time, static_cast<unsigned>(wait), 0);
  }

  int exit_status() const { return job_.exit_status(); }

 private:
  static uv_driver& driver_of(const auto* handle) { return *static_cast<uv_driver*>(handle->data); }

  static void on_received(uv_udp_t* handle, ssize_t length, const uv_buf_t* /*buffer*/,
                          const sockaddr* from, unsigned /*flags*/) {
    const auto& [ignored, driver, id, bytes] = *static_cast<udp_channel*>(handle->data);
    if (length < 0)
      driver->put(damson::channel_failed{id, channel_error_of(static_cast<int>(-length))});
    else if (from != nullptr)  // else there is nothing left to read
      driver->put(damson::datagram_received{
          id, from_socket(from), std::span{bytes}.first(static_cast<std::size_t>(length))});
  }

  // What the engine asks for. Answers wait in `inputs_` until it has said everything.

  void act(const damson::open_channel& order) {
    using enum damson::channel_error;
    const int socket = open_socket(order);
    if (socket < 0) {
      inputs_.emplace_back(damson::channel_failed{order.channel, cannot_open});
      return;
    }
    auto* channel = std::make_unique<udp_channel>().release();
    channels_.emplace(order.channel, channel);
    channel->handle.data = channel;
    channel->driver = this;
    channel->id = order.channel;
    uv_udp_init(loop_, &channel->handle);
    uv_udp_open(&channel->handle, socket);
    const auto take_buffer = [](uv_handle_t* of, std::size_t, uv_buf_t* buffer) {
      void* begin = static_cast<udp_channel*>(of->data)->bytes.data();
      *buffer = uv_buf_init(static_cast<char*>(begin), sizeof(datagram_buffer));
    };
    uv_udp_recv_start(&channel->handle, take_buffer, on_received);
    inputs_.emplace_back(damson::channel_opened{order.channel, local_endpoint(socket)});
  }

  void act(const damson::close_channel& order) {
    const auto channel = channels_.extract(order.channel);
    if (!channel) return;
    close(channel.mapped()->handle, [](uv_handle_t* of) {
      const std::unique_ptr<udp_channel> gone{static_cast<udp_channel*>(of->data)};
    });
  }

  void act(damson::send_datagram order) {
    void* begin = order.bytes.data();
    const auto bytes =
        uv_buf_init(static_cast<char*>(begin), static_cast<unsigned>(order.bytes.size()));
    const int sent = uv_udp_try_send(&channels_.at(order.channel)->handle, &bytes, 1, nullptr);
    if (sent < 0 && sent != UV_EAGAIN)
      inputs_.emplace_back(damson::channel_failed{order.channel, channel_error_of(-sent)});
  }

  /// Without handles the loop ends.
  void act(damson::engine_closed /*order*/) {
    while (!channels_.empty()) act(damson::close_channel{channels_.begin()->first});
    close(interrupt_, nullptr);
    close(terminate_, nullptr);
    close(timer_, nullptr);
  }

  void act(const auto& order) {
    if (auto answer = job_.answer(order)) inputs_.push_back(std::move(*answer));
  }

  uv_loop_t* loop_;
  engine_job job_;
  damson::engine engine_;
  std::deque<damson::input> inputs_;
  std::map<damson::channel_id, udp_channel*> channels_;
  uv_timer_t timer_{};
  uv_signal_t interrupt_{};
  uv_signal_t terminate_{};
};

}  // namespace

int main(int argc, char** argv) try {
  job work = read_arguments(argc, argv);
  work.request.protocols = damson::protocol_filter::pcp;
  uv_driver driver{uv_default_loop(), work};
  driver.put(damson::create_mapping{the_port, work.request});
  uv_run(uv_default_loop(), UV_RUN_DEFAULT);
  uv_loop_close(uv_default_loop());
  return driver.exit_status();
} catch (const std::exception& error) {
  std::cerr << error.what() << '\n';
  return EXIT_FAILURE;
}
