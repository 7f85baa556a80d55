#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include <damson/types.hpp>

#include "lab/lab.hpp"

/// A network whose router, the real daemon, speaks one protocol, and the mishaps that the contract
/// of the library speaks of.
class contract_router {
 public:
  /// An internal port that nobody may map.
  static constexpr std::uint16_t forbidden_port = 9'999;

  explicit contract_router(damson::protocol only);
  contract_router(const contract_router&) = delete;
  contract_router& operator=(const contract_router&) = delete;

  const lab::network& net() const { return net_; }

  /// Where the WAN host knocks for a port of the router.
  lab::endpoint outside(std::uint16_t port) const { return {external_address_, port}; }
  const std::string& external_address() const { return external_address_; }

  /// From now on the router takes what is sent to itself and says nothing.
  void fall_silent() const;
  /// From now on it obeys, but what it says in PCP and NAT-PMP gets lost.
  void lose_answers() const;
  /// How many packets have met such a fate until recover() ends it.
  std::uint64_t intercepted() const;
  void recover() const;

  /// It is away for a while, which a client has noticed on return, and loses nothing. Over UPnP it
  /// restarts, because a client that finds no device looks for it for seconds.
  void be_away();

  /// It forgets its mappings and starts anew with another external address; `while_down` is called
  /// in between.
  void reboot(const std::function<void()>& while_down);

  /// Its provider gives it another address.
  void move();

  /// It forgets its mappings and starts anew, and this external port is not to be had any more.
  void reboot_without(std::uint16_t external_port);

  /// It forgets its mappings and starts anew, and until recover() makes others over UPnP only.
  void reboot_with_upnp_only();

 private:
  /// Until a packet is intercepted.
  void wait_for_packet() const;
  void wait_for_epoch(std::uint32_t seconds) const;
  /// Until a client, which has to ask now and then, has heard an epoch that shows the next restart.
  void grow_old() const;
  void replace_daemon();
  /// From now on, until recover(), these rules decide about the packets that arrive there.
  static void intercept(const lab::net_namespace& where, std::string_view rules);

  damson::protocol only_;
  lab::network net_;
  lab::miniupnpd_options options_;
  std::optional<lab::miniupnpd> daemon_;
  std::string external_address_;
  int moves_ = 0;
};
