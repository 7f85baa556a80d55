#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/system/error_code.hpp>

#include <damson/engine.hpp>

namespace damson::driver {

/// A datagram that came in. Borrowed.
struct incoming_datagram {
  endpoint from;
  std::span<const std::byte> bytes;
};

/// A datagram to be sent, to the channel's peer or, where it has none, to `to`.
struct outgoing_datagram {
  std::vector<std::byte> bytes;
  std::optional<endpoint> to{};
};

/// Takes what comes in on channels, on their executor.
class channel_listener {
 public:
  /// What has come in since the last call, one or more. Borrowed for the call.
  virtual void on_datagrams(channel_id channel, std::span<const incoming_datagram> arrived) = 0;

  /// After cannot_open the channel has closed itself; after the others it goes on.
  virtual void on_channel_error(channel_id channel, channel_error error) = 0;

 protected:
  ~channel_listener() = default;
};

/// What became of a datagram that was to be sent.
enum class send_result : std::uint8_t {
  sent,
  sent_after_refusal,  ///< sent, and an earlier one was answered by ICMP port unreachable
  lost,                ///< the system had no room for it just now
  refused,             ///< not sent; earlier ones were answered by ICMP port unreachable
  unreachable,         ///< not sent: no route, network down, or not permitted
};

/// One UDP socket that the engine asked for. All calls come from the executor, a strand.
class udp_channel : public std::enable_shared_from_this<udp_channel> {
 public:
  using error_code = boost::system::error_code;

  /// Bound and, if it has one peer, connected; nothing is received before `start`.
  static std::expected<std::shared_ptr<udp_channel>, error_code> open(
      const boost::asio::any_io_executor& executor, channel_id id,
      const std::variant<connected_channel, multicast_channel, search_channel>& what);

  udp_channel(const boost::asio::any_io_executor& executor, channel_id id);

  channel_id id() const noexcept { return id_; }

  /// The address and port that the socket is bound to.
  endpoint local() const;

  /// Receives until `pause` or `close`. A pending receive keeps the listener alive.
  void start(std::weak_ptr<channel_listener> listener);

  /// Tells now what has arrived, at most as much as a socket holds that nobody has widened. No
  /// effect before `start` or after `pause` and `close`.
  void read_what_is_there();

  /// Stops receiving; what arrives meanwhile waits in the socket.
  void pause();

  /// Nothing is told any more. May be called from within the listener.
  void close();

  /// To the channel's peer, or to `to` where it has none. No result is the channel's end.
  send_result send(std::span<const std::byte> bytes, const std::optional<endpoint>& to = {});

  /// The same for many, in one system call where the system takes them all; one result for each.
  std::vector<send_result> send(std::span<const outgoing_datagram> datagrams);

 private:
  error_code make_socket(int family);
  error_code open(const connected_channel& how);
  error_code open(const multicast_channel& how);
  error_code open(const search_channel& how);
  error_code bind(const endpoint& local);
  error_code join(const multicast_channel& how);
  error_code aim_multicast(const search_channel& how);
  std::size_t send_at_once(std::span<const outgoing_datagram> datagrams);
  void receive();
  void on_readable(const std::shared_ptr<channel_listener>& listener, const error_code& error);
  bool read(channel_listener& listener);
  void failed(channel_listener& listener, const error_code& error);

  channel_id id_;
  boost::asio::ip::udp::socket socket_;
  std::weak_ptr<channel_listener> listener_;
  bool started_ = false;
  bool receiving_ = false;  ///< a wait is pending; also for a while after `pause`
};

}  // namespace damson::driver
