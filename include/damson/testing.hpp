#pragma once

/// A router for unit tests: one of the simulator's, on real sockets, for the program under test.
///
/// It needs its own target, `damson::testing`, and is not part of `damson.hpp`. Any client of PCP,
/// NAT-PMP or UPnP-IGD can be tested with it, not only damson's:
///
///     damson::test_router router{"nat-pmp-only"};
///     my_server server{router.address()};            // options::gateway of damson's client
///     EXPECT_TRUE(router.wait_for_mappings(1, 5s));
///     EXPECT_EQ(router.mappings().front().external_port, 8080);

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <damson/types.hpp>

namespace damson {

/// A kind of router that can be simulated.
struct router_profile {
  std::string name;    ///< "nat-pmp-only"
  std::string quirks;  ///< the entries of docs/quirks.md that it stands for: "Q-34 Q-35"; or empty
  std::string says;    ///< what it does, in a few words
};

/// All of them: the strict one, and one for each way in which real routers differ.
std::vector<router_profile> router_profiles();

/// What can be chosen of a `test_router`.
struct test_router_options {
  /// The router's own, IPv4. Unset: one in 127.0.0.0/8 on which nobody has a router, so that tests
  /// run side by side, each with the standard ports that most clients cannot be told otherwise.
  std::optional<ip_address> address{};

  /// The address outside. Unset: the router has no uplink. By default one that clients take for
  /// public: many pass over a router that has a private, reserved or documentation address there.
  std::optional<ip_address> public_address{ip_address{ip_address::v4_bytes{1, 2, 3, 4}}};

  /// The UDP port of PCP and NAT-PMP; 0: any that is free. damson's client knows the standard one
  /// only.
  std::uint16_t mapping_port = 5351;

  /// The TCP port of the UPnP web server; 0: any that is free. Where it is taken the next free one
  /// is had, and after a restart it is another one, if the profile says nothing else.
  std::uint16_t http_port = 5000;

  /// Whether it hears UPnP searches that are sent to the group 239.255.255.250 on the interface
  /// with its address, for clients that cannot be told where the router is, and announces itself
  /// to that group. On loopback the searches of all programs are heard; without, only those sent
  /// to the router's own address.
  bool multicast = false;

  /// Every lease that is granted, whatever was asked for, 1 s at least: a short one has the program
  /// renew within the test. Unset: as the profile says, often two minutes at least.
  std::optional<std::chrono::seconds> lease{};

  /// How long the router has been running. One that has just been switched on cannot be seen to
  /// start again, because its clock does not fall then.
  std::chrono::seconds uptime{86'400};

  /// Called on the router's thread after anything has happened to it, a packet that came included.
  /// Must be quick, and not call the router.
  std::function<void()> on_event{};
};

/// A simulated router on real UDP and TCP ports, in a thread of its own, from its construction to
/// its destruction. It is strict where its profile does not say otherwise, and writes down what a
/// client does that it must not (see `complaints`).
///
/// All calls may come from any thread. They return when what they say has happened.
class test_router {
 public:
  using clock = std::chrono::steady_clock;

  /// What a router runs on its ports.
  enum class service : std::uint8_t {
    mapping,  ///< PCP and NAT-PMP
    search,   ///< UPnP's discovery, SSDP
    web,      ///< UPnP's descriptions and control
  };

  /// One port that is open.
  struct mapping {
    damson::transport transport{};
    std::uint16_t external_port = 0;
    endpoint internal;
    std::optional<protocol> made_with{};  ///< empty: by `occupy`
    /// Of the lease, rounded up. Empty: it has no end.
    std::optional<std::chrono::seconds> time_left{};
    std::string description{};  ///< as UPnP clients give one

    friend bool operator==(const mapping&, const mapping&) = default;
  };

  /// What came in and went out since the start.
  struct counters {
    std::uint64_t pcp_requests = 0;
    std::uint64_t nat_pmp_requests = 0;
    std::uint64_t other_requests = 0;  ///< to the port of both, in neither
    std::uint64_t searches = 0;        ///< whatever comes to port 1900
    std::uint64_t http_requests = 0;
    std::uint64_t datagrams_sent = 0;  ///< answers and announcements
    std::uint64_t unheard = 0;         ///< packets and requests that came without the cable
  };

  /// Throws std::invalid_argument when there is no such profile (the text names the nearest), or
  /// an option makes no sense; std::system_error when a port cannot be opened (the text names it).
  explicit test_router(std::string_view profile = "all", const test_router_options& how = {});
  test_router(const test_router&) = delete;
  test_router& operator=(const test_router&) = delete;
  ~test_router();

  /// Of the router itself: where requests go, `options::gateway` of damson's client.
  const ip_address& address() const noexcept;
  /// By its name.
  std::string profile() const;
  /// The address outside; empty without an uplink.
  std::optional<ip_address> public_address() const;
  /// Of PCP and NAT-PMP; 0 while it is closed.
  std::uint16_t mapping_port() const;
  /// Whether its cable is in (see `set_plugged`).
  bool is_plugged() const;
  /// Of the UPnP description; empty while there is no web server.
  std::string description_url() const;

  /// What is open, by transport and external port.
  std::vector<mapping> mappings() const;
  /// What clients did that they must not, oldest first, in words.
  std::vector<std::string> complaints() const;
  counters traffic() const;

  /// Waits until the condition holds for what is open. It is looked at on the caller's thread: at
  /// once, and after each thing that happens to the router. False when it still does not hold at
  /// the end of the time.
  bool wait_for(const std::function<bool(const std::vector<mapping>&)>& condition,
                std::chrono::milliseconds time) const;
  /// Waits until so many are open, neither more nor less.
  bool wait_for_mappings(std::size_t count, std::chrono::milliseconds time) const;

  /// Switches it off and on: its clock starts again, which it announces, the web server is on
  /// another port, and unless `keep_mappings` it has forgotten what was open, but for what `occupy`
  /// did.
  void reboot(bool keep_mappings = false);

  /// Another address outside, or none where the uplink is lost. What is open stays open.
  void set_public_address(const std::optional<ip_address>& address);

  /// Another profile, from now on; what is open stays open. Throws std::invalid_argument as the
  /// constructor does, and std::system_error when the profile has ports that cannot be opened.
  void set_profile(std::string_view name);

  /// Closes the ports of a service, so that requests are refused, or opens them again, if the
  /// profile has them. Throws std::system_error when they cannot be opened; they stay closed then.
  void set_serving(service which, bool serving);

  /// Pulls the cable, or plugs it in again. Without it the router hears and says nothing, while its
  /// leases run on. TCP connections are taken (by the system), but not answered.
  void set_plugged(bool plugged);

  /// Forgets a mapping without telling anybody; false when there is none.
  bool forget(transport what, std::uint16_t external_port);
  /// Forgets all mappings but what `occupy` did.
  void forget_all();

  /// Opens a port as the household does by hand: no protocol can take or close it. Throws
  /// std::invalid_argument for port 0, outside or inside.
  void occupy(transport what, std::uint16_t external_port, const endpoint& internal);

 private:
  class state;
  std::unique_ptr<state> state_;
};

/// "mapping", "search", "web".
std::string_view to_string(test_router::service) noexcept;

}  // namespace damson
