#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lab/network.hpp"
#include "lab/process.hpp"

namespace lab {

struct miniupnpd_options {
  bool natpmp = true;  ///< PCP as well: the daemon has one switch for both.
  bool upnp = true;
  bool igd_v1 = false;  ///< Describes itself and its services as version 1.
  bool secure = true;   ///< UPnP clients may map ports to themselves only.
  /// Lines for its configuration file, in front of the permission of the lab (ports from 1024 up):
  /// "deny 0-65535 0.0.0.0/0 0-65535" refuses every mapping, "deny 8080 0.0.0.0/0 0-65535" makes it
  /// give another external port than 8080.
  std::vector<std::string> extra{};
};

/// Debian's miniupnpd on the router of a network. Its rules go into the three chains of
/// network::rules(); it leaves them there when it ends, whichever way.
///
/// It runs as a daemon; with MINIUPNPD_VERBOSE=1 in the environment it stays in the foreground,
/// writes its log to stderr, and is many times slower.
class miniupnpd {
 public:
  /// Started and answering when the constructor returns.
  explicit miniupnpd(const network& where, miniupnpd_options options = {});
  miniupnpd(const miniupnpd&) = delete;
  miniupnpd& operator=(const miniupnpd&) = delete;
  ~miniupnpd();

  /// Starts it (again): its epoch is 0, its HTTP port another one, and it announces itself once.
  /// Returns when it answers.
  void start();

  /// Ends it by SIGTERM or by SIGKILL and waits for its end; no-op when it is not running. A reboot
  /// of the router is kill(), network::flush_rules(), start().
  void stop();
  void kill();

  bool running() const { return pid_ > 0; }

  /// Its PCP epoch in seconds, asked for by a bare ANNOUNCE request from the LAN host (RFC 6887
  /// section 14.1). Nothing when no valid answer comes within the limit.
  std::optional<std::uint32_t> pcp_epoch(milliseconds limit = milliseconds{3000}) const;

  /// Where its description is, by its answer to a search from the LAN host.
  std::string description_url() const;
  /// The port of it, which is another one after each start, but for a rare chance.
  std::uint16_t http_port() const;
  /// Starts it (again) and sees to it that its HTTP port is not this one.
  void restart_elsewhere(std::uint16_t taboo);

  /// Waits until the PCP epoch has reached this value.
  void wait_for_epoch(std::uint32_t seconds) const;
  /// Whoever has heard this epoch sees the next restart, if an answer comes within 8 s (PCP: 31 s).
  /// After a lower one the restart may be within the tolerance of RFC 6887 section 8.5 and RFC 6886
  /// section 3.6: the new epoch comes close to where the old one would be.
  static constexpr std::uint32_t telling_epoch = 5;

 private:
  void write_configuration() const;
  void launch();
  bool answers() const;
  void end(int signal);
  bool has_ended(bool block);

  const network& network_;
  miniupnpd_options options_;
  scratch_directory files_;
  unsigned starts_ = 0;
  std::unique_ptr<process> foreground_;
  pid_t pid_ = -1;
};

}  // namespace lab
