#include "sim/socket_event_carrier.hpp"

#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/tcp_stream.hpp>

#include "sim/socket_endpoint.hpp"

namespace damson::sim {

namespace asio = boost::asio;
namespace beast = boost::beast;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr std::size_t subscription_limit = 64;
constexpr std::size_t waiting_bytes_limit = 65'536;
constexpr std::size_t answer_limit = 4'096;
constexpr std::string_view head_end = "\r\n\r\n";

/// What is on its way to one subscriber, and waits for that. Pending operations keep it alive.
class subscriber_line : public std::enable_shared_from_this<subscriber_line> {
 public:
  subscriber_line(asio::any_io_executor executor, const ip_address& lan,
                  std::chrono::milliseconds patience, std::function<void()> idle)
      : stream_(std::move(executor)), lan_(lan), patience_(patience), idle_(std::move(idle)) {}

  void add(event_message event) {
    waiting_bytes_ += event.request.size();
    waiting_.push_back(std::move(event));
    if (!on_its_way_) next();
    while (waiting_.size() > socket_event_carrier::waiting_limit ||
           waiting_bytes_ > waiting_bytes_limit) {
      waiting_bytes_ -= waiting_.front().request.size();
      waiting_.pop_front();
    }
  }

  void cut() {
    idle_ = nullptr;
    waiting_.clear();
    stream_.close();
  }

 private:
  void next() {
    on_its_way_ = !waiting_.empty();
    if (!on_its_way_) {
      if (idle_) std::exchange(idle_, nullptr)();
      return;
    }
    const endpoint to = waiting_.front().to;
    text_ = std::move(waiting_.front().request);
    waiting_bytes_ -= text_.size();
    waiting_.pop_front();
    const auto from = to_asio<tcp>({lan_, 0});
    error_code error;
    auto& socket = stream_.socket();
    std::ignore = socket.open(from.protocol(), error);
    if (!error) std::ignore = socket.bind(from, error);
    if (error) {
      asio::post(stream_.get_executor(), [self = shared_from_this()] { self->finish(); });
      return;
    }
    // One deadline for all that follows.
    stream_.expires_after(patience_);
    stream_.async_connect(to_asio<tcp>(to), [self = shared_from_this()](const error_code& failure) {
      if (failure)
        self->finish();
      else
        self->write();
    });
  }

  void write() {
    asio::async_write(stream_, asio::buffer(text_),
                      [self = shared_from_this()](const error_code& error, std::size_t /*length*/) {
                        self->text_.clear();
                        if (error)
                          self->finish();
                        else
                          self->read();
                      });
  }

  /// The answer is waited for, because the next event must not overtake this one, and means
  /// nothing.
  void read() {
    asio::async_read_until(stream_, asio::dynamic_buffer(text_, answer_limit), head_end,
                           [self = shared_from_this()](const error_code& /*error*/,
                                                       std::size_t /*length*/) { self->finish(); });
  }

  void finish() {
    stream_.close();
    next();
  }

  beast::tcp_stream stream_;
  ip_address lan_;
  std::chrono::milliseconds patience_;
  std::function<void()> idle_;  ///< called once, when nothing is left
  std::deque<event_message> waiting_;
  std::size_t waiting_bytes_ = 0;
  std::string text_;  ///< the request, then the answer
  bool on_its_way_ = false;
};

}  // namespace

class socket_event_carrier::carrier : public std::enable_shared_from_this<carrier> {
 public:
  carrier(asio::any_io_executor executor, const ip_address& lan, std::chrono::milliseconds patience)
      : executor_(std::move(executor)), lan_(lan), patience_(patience) {}

  void carry(std::vector<event_message> events) {
    for (event_message& each : events) {
      const auto found = lines_.find(each.sid);
      if (found != lines_.end())
        found->second->add(std::move(each));
      else if (lines_.size() < subscription_limit)
        begin(std::move(each));
    }
  }

  void drop() {
    for (const auto& [sid, line] : std::exchange(lines_, {})) line->cut();
  }

 private:
  void begin(event_message event) {
    const std::string sid = event.sid;
    const auto line = std::make_shared<subscriber_line>(executor_, lan_, patience_,
                                                        [weak = weak_from_this(), sid] {
                                                          if (const auto self = weak.lock())
                                                            self->lines_.erase(sid);
                                                        });
    lines_.emplace(sid, line);
    line->add(std::move(event));
  }

  asio::any_io_executor executor_;
  ip_address lan_;
  std::chrono::milliseconds patience_;
  std::map<std::string, std::shared_ptr<subscriber_line>, std::less<>> lines_;  ///< by SID
};

socket_event_carrier::socket_event_carrier(const asio::any_io_executor& executor,
                                           const ip_address& lan,
                                           std::chrono::milliseconds patience)
    : carrier_(std::make_shared<carrier>(executor, lan, patience)) {}

socket_event_carrier::~socket_event_carrier() { carrier_->drop(); }

void socket_event_carrier::carry(std::vector<event_message> events) {
  carrier_->carry(std::move(events));
}

void socket_event_carrier::drop() { carrier_->drop(); }

}  // namespace damson::sim
