#pragma once

/// What a UPnP device tells without being asked: the events of its service (GENA; UPnP Device
/// Architecture 1.0 section 4) and its announcements to the SSDP group (section 1.1). All of it can
/// be forged or lost, so it makes hints and nothing else; and none of it is missed where it does
/// not work.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include <damson/engine.hpp>

#include "core/context.hpp"
#include "core/uplink.hpp"
#include "proto/gena_subscription.hpp"
#include "proto/igd_probe.hpp"
#include "wire/ssdp.hpp"

namespace damson::core {

/// Why the device should be asked.
struct igd_hint {
  bool entries = false;  ///< some may be gone, and the others with them
};

class igd_events {
 public:
  /// `local`: the host's address that the device is asked from.
  igd_events(uplink where, const ip_address& local) : where_(std::move(where)), local_(local) {}

  /// A mapping lives on the device: listens, and wants to subscribe.
  void begin(context& ctx, const igd_device& device);
  /// The device was found again; `moved` as in `igd_event::found`.
  void on_found(context& ctx, const igd_device& device, bool moved);
  /// The device has lost its state, subscriptions included.
  void on_restarted(context& ctx) { subscribe_anew(ctx); }
  /// It could not be asked, so the next that is heard of it is news.
  void on_out_of_reach() noexcept { device_.is_gone = true; }
  /// The device confirmed that it has deleted an entry of ours.
  void on_deleted() noexcept { ++own_deletes_; }
  void close(context& ctx);

  /// No mapping is left. Whether there is something to wait for: the end of the subscription, once,
  /// if the device is free for it.
  bool leave(context& ctx, bool is_free);
  bool is_leaving() const noexcept { return exchange_ && leaving_; }

  /// The device can be asked for one thing at a time: with another exchange its own is
  /// broken off.
  void step_aside(context& ctx);
  /// Does what is due. `is_free`: nothing else is to be asked.
  void pump(context& ctx, bool is_free);
  std::optional<time_point> next_due() const noexcept;

  bool owns(channel_id channel) const noexcept {
    return channel == listener_ || channel == announcements_;
  }
  void on_opened(context& ctx, const channel_opened& what);
  void on_failed(context& ctx, const channel_failed& what);
  void on_datagram(context& ctx, const datagram_received& what);
  /// What events are compared with.
  struct known {
    const std::optional<ip_address>& external;  ///< as in `igd_client`
    bool is_deleting = false;                   ///< an entry, and the answer is under way
  };
  /// Answers it.
  void on_event(context& ctx, const event_received& what, const known& before);
  /// False when the exchange is none of its own.
  bool on_response(context& ctx, const http_response& what);
  bool on_failed(context& ctx, const http_failed& what);

  std::optional<igd_hint> take_hint() noexcept { return std::exchange(hint_, std::nullopt); }

 private:
  /// What announcements are compared with.
  struct identity {
    ip_address address;
    std::string unique_name;
    std::string location;
    std::optional<std::uint32_t> boot_id;
    bool is_gone = false;  ///< as it said, or as it was found
  };

  void subscribe_anew(context& ctx);
  void listen(context& ctx, const igd_device& device);
  void stop_listening(context& ctx);
  void break_off(context& ctx);
  bool are_fewer(std::uint32_t entries, bool is_deleting) noexcept;
  void send(context& ctx, std::string request);
  bool is_of_device(const ssdp_message& message) const noexcept;
  bool is_news(const ssdp_message& message);
  void suspect(bool entries) noexcept { hint_ = igd_hint{entries || (hint_ && hint_->entries)}; }

  uplink where_;
  ip_address local_;
  bool begun_ = false;
  bool leaving_ = false;
  identity device_{};
  std::optional<http_target> target_;  ///< of the subscription
  std::optional<channel_id> announcements_;
  std::optional<channel_id> listener_;  ///< asked for, or open
  std::optional<gena_subscription> subscription_;
  std::optional<http_id> exchange_;
  endpoint asked_{};
  time_point calm_from_{};                ///< when the device was last busy with something else
  unsigned silences_ = 0;                 ///< requests that were the first and not answered
  std::optional<std::uint32_t> entries_;  ///< as the device said last
  /// Since then; -1 where one was counted before its answer came.
  std::int64_t own_deletes_ = 0;
  std::optional<igd_hint> hint_;
};

}  // namespace damson::core
