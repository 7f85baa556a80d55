#pragma once

/// The PCP servers that the program names instead of the gateway, one of which is asked at a time
/// (RFC 7488 section 3.1): the next one when it says nothing, until one answers, which is kept.

#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include <damson/engine.hpp>

#include "core/context.hpp"
#include "core/uplink.hpp"
#include "wire/pcp.hpp"

namespace damson::core {

class pcp_servers {
 public:
  /// Those of the options that are of the gateway's family. Beyond another router there are none.
  void take(const options& opts, const uplink& where);

  bool any() const noexcept { return !servers_.empty(); }
  /// Precondition: any.
  endpoint current() const noexcept { return {servers_[at_], pcp_server_port}; }

  /// Has a channel to the current one, now or soon.
  void open(context& ctx, const ip_address& local);
  void close(context& ctx);
  bool is_open() const noexcept { return is_open_; }
  /// Precondition: is open.
  channel_id channel() const noexcept { return *channel_; }
  bool owns(channel_id channel) const noexcept { return channel_ == channel; }
  /// False: it was open before.
  bool on_opened() noexcept { return !std::exchange(is_open_, true); }
  void on_failed(channel_error error) noexcept;

  /// The current one has said something.
  void answered() noexcept;
  /// Whether it ever has.
  bool has_answered() const noexcept { return has_answered_; }
  /// Goes on to the next, without a channel yet. False where all were asked in vain: then it is the
  /// first one's turn, another time.
  bool next(context& ctx);

 private:
  std::vector<ip_address> servers_;
  std::size_t at_ = 0;
  std::size_t in_vain_ = 0;  ///< how many in a row said nothing
  bool has_answered_ = false;
  std::optional<channel_id> channel_;
  bool is_open_ = false;
};

}  // namespace damson::core
