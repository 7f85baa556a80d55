#include "driver/udp_channel.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <tuple>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/system/system_category.hpp>

#include "driver/endpoints.hpp"

// Since Linux 4.20; the C library's headers are older on some systems.
#ifndef IPV6_MULTICAST_ALL
#define IPV6_MULTICAST_ALL 29
#endif

namespace damson::driver {

namespace asio = boost::asio;
using asio::ip::udp;
using boost::system::error_code;

namespace {

/// What an error of a UDP socket means for the channel.
enum class verdict : std::uint8_t {
  passing,  ///< out of memory or the like
  refused,
  unreachable,
  broken,  ///< nobody knows what it takes to make the socket work again
};

/// Errors that ICMP brings are told once each, by whatever call comes next.
verdict judge(const error_code& error) {
  switch (error.value()) {
    case EAGAIN:
    case EINTR:
    case ENOBUFS:
    case ENOMEM:
      return verdict::passing;
    case ECONNREFUSED:
      return verdict::refused;
    case EACCES:
    case EADDRNOTAVAIL:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case EMSGSIZE:
    case ENETDOWN:
    case ENETUNREACH:
    case ENONET:
    case ENOPROTOOPT:
    case EOPNOTSUPP:
    case EPERM:
    case EPROTO:
      return verdict::unreachable;
    default:
      return verdict::broken;
  }
}

/// Datagrams in one system call.
constexpr std::size_t most_at_once = 16;

template <class Value>
error_code set_option(int socket, int level, int name, const Value& value) {
  if (::setsockopt(socket, level, name, &value, sizeof value) == 0) return {};
  return {errno, boost::system::system_category()};
}

}  // namespace

udp_channel::udp_channel(const asio::any_io_executor& executor, channel_id id)
    : id_(id), socket_(executor) {}

std::expected<std::shared_ptr<udp_channel>, error_code> udp_channel::open(
    const asio::any_io_executor& executor, channel_id id,
    const std::variant<connected_channel, multicast_channel, search_channel>& what) {
  auto channel = std::make_shared<udp_channel>(executor, id);
  const error_code error = std::visit([&](const auto& how) { return channel->open(how); }, what);
  if (error) return std::unexpected{error};
  return channel;
}

/// Made by hand because Asio's sockets would be inherited by programs that this one starts.
error_code udp_channel::make_socket(int family) {
  const int handle = ::socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_UDP);
  if (handle < 0) return {errno, boost::system::system_category()};
  error_code error;
  std::ignore = socket_.assign(family == AF_INET ? udp::v4() : udp::v6(), handle, error);
  if (error) {
    ::close(handle);
    return error;
  }
  if (family == AF_INET6) error = set_option(handle, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  if (!error) std::ignore = socket_.non_blocking(true, error);
  return error;
}

error_code udp_channel::bind(const endpoint& local) {
  error_code error;
  std::ignore = socket_.bind(to_asio(local), error);
  return error;
}

error_code udp_channel::open(const connected_channel& how) {
  const auto remote = to_asio(how.remote);
  error_code error = make_socket(remote.protocol().family());
  if (!error && !how.local.is_unspecified()) error = bind({how.local, 0});
  if (!error) std::ignore = socket_.connect(remote, error);
  return error;
}

/// Bound to the group's address, so that no unicast arrives; shared with other programs that listen
/// for announcements.
error_code udp_channel::open(const multicast_channel& how) {
  error_code error = make_socket(how.group.address.is_v4() ? AF_INET : AF_INET6);
  if (!error) error = set_option(socket_.native_handle(), SOL_SOCKET, SO_REUSEADDR, 1);
  endpoint group = how.group;
  if (group.address.is_v6())  // a link-local group needs its link
    group.address = ip_address{group.address.to_v6(), how.interface_index};
  if (!error) error = bind(group);
  if (!error) error = join(how);
  return error;
}

/// Without the "all" options off, the socket would hear what other sockets of this host have joined
/// on other interfaces.
error_code udp_channel::join(const multicast_channel& how) {
  const int handle = socket_.native_handle();
  if (how.group.address.is_v6()) {
    // Kernels that do not know the option cannot be told; what comes too much is dropped as a
    // stranger's.
    const auto ignored = set_option(handle, IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0);
    static_cast<void>(ignored);
    ipv6_mreq membership{};
    const auto group = asio::ip::address_v6{how.group.address.to_v6()}.to_bytes();
    std::ranges::copy(group, std::begin(membership.ipv6mr_multiaddr.s6_addr));
    membership.ipv6mr_interface = how.interface_index;
    return set_option(handle, IPPROTO_IPV6, IPV6_JOIN_GROUP, membership);
  }
  if (const auto error = set_option(handle, IPPROTO_IP, IP_MULTICAST_ALL, 0)) return error;
  ip_mreqn membership{};
  membership.imr_multiaddr.s_addr = htonl(to_asio(how.group.address).to_v4().to_uint());
  if (how.local.is_v4())
    membership.imr_address.s_addr = htonl(to_asio(how.local).to_v4().to_uint());
  membership.imr_ifindex = static_cast<int>(how.interface_index);
  return set_option(handle, IPPROTO_IP, IP_ADD_MEMBERSHIP, membership);
}

/// Not connected, because nobody knows who will answer; and on a port of its own, because 1900 may
/// be taken.
error_code udp_channel::open(const search_channel& how) {
  error_code error = make_socket(how.local.is_v4() ? AF_INET : AF_INET6);
  if (!error) error = bind({how.local, 0});
  if (!error) error = aim_multicast(how);
  return error;
}

/// Else it would leave on the interface of a route that nobody asked for.
error_code udp_channel::aim_multicast(const search_channel& how) {
  const int handle = socket_.native_handle();
  const int hops = how.multicast_hops;
  if (how.local.is_v6()) {
    const auto index = how.interface_index != 0 ? how.interface_index : how.local.scope();
    error_code error = set_option(handle, IPPROTO_IPV6, IPV6_MULTICAST_IF, static_cast<int>(index));
    if (!error) error = set_option(handle, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, hops);
    if (!error) error = set_option(handle, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 1);
    return error;
  }
  ip_mreqn way{};
  way.imr_address.s_addr = htonl(to_asio(how.local).to_v4().to_uint());
  way.imr_ifindex = static_cast<int>(how.interface_index);
  error_code error = set_option(handle, IPPROTO_IP, IP_MULTICAST_IF, way);
  if (!error) error = set_option(handle, IPPROTO_IP, IP_MULTICAST_TTL, hops);
  if (!error) error = set_option(handle, IPPROTO_IP, IP_MULTICAST_LOOP, 1);
  return error;
}

endpoint udp_channel::local() const {
  error_code error;
  const auto where = socket_.local_endpoint(error);
  return error ? endpoint{} : from_asio(where);
}

void udp_channel::start(std::weak_ptr<channel_listener> listener) {
  listener_ = std::move(listener);
  started_ = true;
  if (!receiving_) receive();
}

void udp_channel::pause() {
  started_ = false;
  error_code ignored;
  std::ignore = socket_.cancel(ignored);
}

void udp_channel::close() {
  started_ = false;
  error_code ignored;
  std::ignore = socket_.close(ignored);
}

void udp_channel::receive() {
  receiving_ = true;
  socket_.async_wait(udp::socket::wait_read,
                     [self = shared_from_this(), listener = listener_.lock()](
                         const error_code& error) { self->on_readable(listener, error); });
}

void udp_channel::on_readable(const std::shared_ptr<channel_listener>& listener,
                              const error_code& error) {
  receiving_ = false;
  if (!started_ || listener == nullptr) return;
  if (!error)
    read(*listener);
  else if (error != asio::error::operation_aborted)
    failed(*listener, error);
  // The listener may have paused or closed the channel, or paused and started it again.
  if (started_ && !receiving_) receive();
}

/// All that is there, up to a number, in one system call.
/// Whether there may be more.
bool udp_channel::read(channel_listener& listener) {
  // One byte more than the longest datagram would do to see that one is too long.
  std::array<std::array<std::byte, engine_limits::search_answer_bytes + 1>, most_at_once> buffers;
  static_assert(sizeof(buffers[0]) > engine_limits::datagram_bytes);
  std::array<iovec, most_at_once> parts{};
  std::array<sockaddr_storage, most_at_once> senders{};
  std::array<mmsghdr, most_at_once> messages{};
  for (std::size_t i = 0; i < most_at_once; ++i) {
    parts.at(i) = {.iov_base = buffers.at(i).data(), .iov_len = buffers.at(i).size()};
    msghdr& header = messages.at(i).msg_hdr;
    header.msg_iov = &parts.at(i);
    header.msg_iovlen = 1;
    header.msg_name = &senders.at(i);
    header.msg_namelen = sizeof senders.at(i);
  }
  const int count =
      ::recvmmsg(socket_.native_handle(), messages.data(), most_at_once, MSG_DONTWAIT, nullptr);
  if (count < 0) {
    failed(listener, {errno, boost::system::system_category()});
    return false;
  }
  std::array<incoming_datagram, most_at_once> arrived;
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
    udp::endpoint from;
    std::memcpy(from.data(), &senders.at(i),
                std::min<std::size_t>(messages.at(i).msg_hdr.msg_namelen, from.capacity()));
    arrived.at(i) = {from_asio(from), std::span{buffers.at(i)}.first(messages.at(i).msg_len)};
  }
  listener.on_datagrams(id_, std::span{arrived}.first(static_cast<std::size_t>(count)));
  return started_ && static_cast<std::size_t>(count) == most_at_once;
}

void udp_channel::read_what_is_there() {
  constexpr std::size_t most = 256;
  const auto listener = listener_.lock();
  if (!started_ || listener == nullptr) return;
  for (std::size_t heard = 0; heard < most && read(*listener); heard += most_at_once) {
  }
}

void udp_channel::failed(channel_listener& listener, const error_code& error) {
  switch (judge(error)) {
    case verdict::passing:
      break;
    case verdict::refused:
      listener.on_channel_error(id_, channel_error::refused);
      break;
    case verdict::unreachable:
      listener.on_channel_error(id_, channel_error::unreachable);
      break;
    case verdict::broken:
      close();
      listener.on_channel_error(id_, channel_error::cannot_open);
      break;
  }
}

send_result udp_channel::send(std::span<const std::byte> bytes, const std::optional<endpoint>& to) {
  const asio::const_buffer buffer{bytes.data(), bytes.size()};
  error_code error;
  const auto try_to_send = [&] {
    if (to)
      socket_.send_to(buffer, to_asio(*to), 0, error);
    else
      socket_.send(buffer, 0, error);
  };
  try_to_send();
  if (error == asio::error::connection_refused) {
    // That was the answer to an earlier datagram, and it must not cost this one.
    try_to_send();
    if (!error) return send_result::sent_after_refusal;
    if (judge(error) != verdict::unreachable) return send_result::refused;
  }
  if (!error) return send_result::sent;
  return judge(error) == verdict::passing ? send_result::lost : send_result::unreachable;
}

std::vector<send_result> udp_channel::send(std::span<const outgoing_datagram> datagrams) {
  std::vector<send_result> out;
  out.reserve(datagrams.size());
  while (!datagrams.empty()) {
    const std::size_t taken = datagrams.size() > 1 ? send_at_once(datagrams) : 0;
    out.insert(out.end(), taken, send_result::sent);
    datagrams = datagrams.subspan(taken);
    // What the system did not take, for whatever reason, is tried on its own.
    if (datagrams.empty() || taken == most_at_once) continue;
    out.push_back(send(datagrams.front().bytes, datagrams.front().to));
    datagrams = datagrams.subspan(1);
  }
  return out;
}

/// How many of the first were sent.
std::size_t udp_channel::send_at_once(std::span<const outgoing_datagram> datagrams) {
  const std::size_t count = std::min(datagrams.size(), most_at_once);
  std::array<iovec, most_at_once> parts{};
  std::array<udp::endpoint, most_at_once> targets;
  std::array<mmsghdr, most_at_once> messages{};
  for (std::size_t i = 0; i < count; ++i) {
    const outgoing_datagram& each = datagrams[i];
    // The system does not write to what is sent.
    parts.at(i) = {.iov_base = const_cast<std::byte*>(each.bytes.data()),
                   .iov_len = each.bytes.size()};
    msghdr& header = messages.at(i).msg_hdr;
    header.msg_iov = &parts.at(i);
    header.msg_iovlen = 1;
    if (!each.to) continue;
    targets.at(i) = to_asio(*each.to);
    header.msg_name = targets.at(i).data();
    header.msg_namelen = static_cast<socklen_t>(targets.at(i).size());
  }
  const int sent =
      ::sendmmsg(socket_.native_handle(), messages.data(), static_cast<unsigned>(count), 0);
  return sent < 0 ? 0 : static_cast<std::size_t>(sent);
}

}  // namespace damson::driver
