// What the daemon tells by itself, heard by a client that wants to hear it. Its recheck is a day
// away, so whatever it finds out it was told.

#include <chrono>
#include <cstdint>
#include <iostream>
#include <string>
#include <string_view>
#include <thread>

#include "interop.hpp"
#include "lan_client.hpp"

namespace {

using namespace std::chrono_literals;
using damson::event_kind;
using damson::protocol;
using damson::removal;
using lab::steady_clock;

constexpr std::uint16_t service_port = 8080;
constexpr std::string_view other_address = "1.2.3.6";

class client_events_test : public interop {
 protected:
  /// A client that has its port open by UPnP.
  class client_with_port {
   public:
    explicit client_with_port(const lab::network& net)
        : client_(net, {.listens_to_events = true, .recheck_period = 24h}) {
      const auto failed = client_.map({.internal_port = service_port});
      EXPECT_FALSE(failed) << to_string(*failed);
      EXPECT_EQ(client_.info().protocol, protocol::upnp);
    }

    lan_client* operator->() { return &client_; }

    /// The next event is this.
    damson::mapping_event expect(event_kind kind, steady_clock::time_point since,
                                 std::string_view after) {
      auto event = client_.next_event();
      note(event, kind, since, after);
      return event;
    }

    /// The loss is told as well, unless it is over before anybody asks.
    void expect_regained(steady_clock::time_point since, std::string_view after) {
      auto event = client_.next_event();
      if (event.kind == event_kind::lost) event = client_.next_event();
      note(event, event_kind::mapped, since, after);
      EXPECT_TRUE(event.regained);
    }

   private:
    static void note(const damson::mapping_event& event, event_kind kind,
                     steady_clock::time_point since, std::string_view after) {
      EXPECT_EQ(to_string(event.kind), to_string(kind));
      const auto time =
          std::chrono::duration_cast<lab::milliseconds>(steady_clock::now() - since).count();
      std::cout << to_string(event.kind) << ' ' << time << " ms after " << after << '\n';
    }

    lan_client client_;
  };

  static void ip(const lab::network& net, const std::string& commands) {
    lab::run(net.router(), {"ip", "-batch", "-"}, commands);
  }

  /// Waits until the router has connected to the LAN host, and all connections are over.
  static bool has_told(const lab::network& net, const lab::contacts& by_router) {
    const auto end = steady_clock::now() + 30s;
    while (by_router.connections().empty() || !lab::run(net.router(), {"ss", "-Htn"}).empty()) {
      if (steady_clock::now() > end) return false;
      std::this_thread::sleep_for(10ms);
    }
    return true;
  }

  static lab::endpoint inside(const lab::network& net) { return {net.lan_address(), service_port}; }
};

TEST_F(client_events_test, another_outside_address_is_told_by_the_daemon) {
  const lab::network net;
  const lab::miniupnpd daemon(net, {.natpmp = false});
  const lab::listener server(net.lan(), lab::transport::tcp, service_port);
  const lab::contacts told(net.router());
  client_with_port client(net);
  EXPECT_EQ(to_string(client->info().external.address), net.external_address());
  ASSERT_TRUE(has_told(net, told)) << "the first event tells what is true then";

  const auto since = steady_clock::now();
  // In this order: while an event is on its way the daemon makes no other, so the first one has to
  // be news. What is true when the client asks is the new address.
  ip(net, "address del " + std::string(net.external_address()) + "/24 dev wan0\naddress add " +
              std::string(other_address) + "/24 dev wan0\n");
  const auto event = client.expect(event_kind::changed, since, "the router's address changed");
  EXPECT_EQ(to_string(event.info.external.address), other_address);
  EXPECT_TRUE(reaches(net, server, client->external()));
  EXPECT_EQ(client->release(), removal::deleted);
}

//
TEST_F(client_events_test, a_restart_is_told_by_the_daemon) {
  const lab::network net;
  lab::miniupnpd daemon(net, {.natpmp = false});
  const lab::listener server(net.lan(), lab::transport::tcp, service_port);
  client_with_port client(net);

  const auto since = steady_clock::now();
  daemon.kill();
  net.flush_rules();
  daemon.start();
  client.expect_regained(since, "the daemon was killed and started");
  EXPECT_TRUE(net.leads_to(inside(net)));
  EXPECT_TRUE(reaches(net, server, client->external()));
  EXPECT_EQ(client->release(), removal::deleted);
}

//
TEST_F(client_events_test, nobody_is_asked_for_events_unasked) {
  const lab::network net;
  const lab::miniupnpd daemon(net, {.natpmp = false});
  lan_client client(net, {.recheck_period = 1s});
  ASSERT_FALSE(client.map({.internal_port = service_port}));
  EXPECT_EQ(lab::run(net.lan(), {"ss", "-Hltn"}), "");
  EXPECT_EQ(lab::run(net.lan(), {"ss", "-Hlun"}).find("239.255.255.250"), std::string::npos);
  EXPECT_EQ(client.release(), removal::deleted);
}

}  // namespace
