// A host with two uplinks: two real routers, each behind its own NAT. Ports are opened on the right
// one, or on both, and follow what happens to the ways out. Nobody tells the client but the system;
// its recheck is hours away.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "interop.hpp"
#include "lan_client.hpp"

namespace {

using namespace std::chrono_literals;
using damson::errc;
using damson::event_kind;
using damson::mapping_event;
using damson::mapping_info;
using damson::mapping_part;
using damson::mapping_status;
using damson::protocol;
using lab::steady_clock;

constexpr std::uint16_t service_port = 8080;

class two_uplinks : public interop, public testing::WithParamInterface<protocol> {
 protected:
  void SetUp() override {
    interop::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    first_ = std::make_unique<lab::network>();
    second_ = std::make_unique<lab::network>(lab::network_options{.second = true});
    second_->plug_in(host(), "eth1", "192.168.78.30");
    // What comes in by one uplink is answered by it, and is not dropped for coming by the other one
    // than the default route's.
    for (const char* const device : {"all", "default", "eth0", "eth1"}) {
      host().set("net/ipv4/conf/" + std::string(device) + "/rp_filter", "0");
    }
    ip("route add default via 192.168.78.1 dev eth1 metric 200\n" + answers_by_eth1());
    ip("rule add from 192.168.78.0/24 lookup 78\n");
    first_daemon_ = std::make_unique<lab::miniupnpd>(*first_, speaking());
    second_daemon_ = std::make_unique<lab::miniupnpd>(*second_, speaking());
    server_ = std::make_unique<lab::listener>(host(), lab::transport::tcp, service_port,
                                              first_->ipv6() ? "::" : "0.0.0.0");
    client_ = std::make_unique<lan_client>(*first_, damson::options{.recheck_period = 24h});
  }

  static std::string answers_by_eth1() {
    return "route add default via 192.168.78.1 dev eth1 table 78\n";
  }
  static lab::miniupnpd_options speaking() { return {.natpmp = GetParam() == protocol::pcp}; }

  const lab::net_namespace& host() const { return first_->lan(); }
  void ip(const std::string& commands) const { lab::run(host(), {"ip", "-batch", "-"}, commands); }

  /// Opens the port by every uplink.
  void open_on_all(damson::ip_families families = damson::ip_families::v4) {
    const auto failed =
        client_->map({.internal_port = service_port, .families = families, .every_uplink = true});
    ASSERT_FALSE(failed) << to_string(*failed);
  }

  std::optional<mapping_info> open_by(std::string_view device) const {
    for (const mapping_part& each : client_->parts()) {
      const bool is_wanted = each.status == mapping_status::open &&
                             each.info.interface_name.text() == device &&
                             each.info.internal.address.is_v4();
      if (is_wanted) return each.info;
    }
    return std::nullopt;
  }

  /// Somebody outside gets in by this uplink.
  testing::AssertionResult reached_by(std::string_view device) const {
    const auto open = open_by(device);
    if (!open) return testing::AssertionFailure() << "nothing is open by " << device;
    const lab::network& net = device == "eth1" ? *second_ : *first_;
    if (to_string(open->external.address) != net.external_address()) {
      return testing::AssertionFailure() << to_string(open->external) << " is another router's";
    }
    return reaches(net, *server_, lab::endpoint::parse(to_string(open->external)));
  }

  /// The next event of that kind; tries that fail meanwhile are passed over.
  mapping_event expect(event_kind kind, std::string_view device) {
    auto event = client_->next_event();
    while (event.kind == event_kind::failed) event = client_->next_event();
    EXPECT_EQ(to_string(event.kind), to_string(kind));
    EXPECT_EQ(event.info.interface_name.text(), device);
    return event;
  }

  static void print(steady_clock::time_point since, std::string_view after) {
    const auto time =
        std::chrono::duration_cast<lab::milliseconds>(steady_clock::now() - since).count();
    std::cout << "open again through " << to_string(GetParam()) << ' ' << time << " ms after "
              << after << '\n';
  }

  std::unique_ptr<lab::network> first_;
  std::unique_ptr<lab::network> second_;
  std::unique_ptr<lab::miniupnpd> first_daemon_;
  std::unique_ptr<lab::miniupnpd> second_daemon_;
  std::unique_ptr<lab::listener> server_;
  std::unique_ptr<lan_client> client_;
};

INSTANTIATE_TEST_SUITE_P(all, two_uplinks, testing::Values(protocol::pcp, protocol::upnp),
                         [](const auto& tested) { return std::string(to_string(tested.param)); });

TEST_P(two_uplinks, the_one_that_is_named_has_the_mapping) {
  const auto failed =
      client_->map({.internal_port = service_port, .interface_name = std::string_view{"eth1"}});
  ASSERT_FALSE(failed) << to_string(*failed);
  EXPECT_EQ(client_->info().protocol, GetParam());
  EXPECT_TRUE(reached_by("eth1"));
  EXPECT_EQ(first_->port_mappings(), 0U);
  EXPECT_EQ(client_->release(), damson::removal::deleted);
  EXPECT_EQ(second_->port_mappings(), 0U);
}

TEST_P(two_uplinks, both_have_the_mapping_where_that_is_asked_for) {
  open_on_all();
  EXPECT_EQ(client_->parts().size(), 2U);
  EXPECT_TRUE(reached_by("eth0"));
  EXPECT_TRUE(reached_by("eth1"));
  EXPECT_EQ(to_string(client_->info().external.address), first_->external_address());
  EXPECT_EQ(client_->release(), damson::removal::deleted);
  EXPECT_EQ(first_->port_mappings(), 0U);
  EXPECT_EQ(second_->port_mappings(), 0U);
}

TEST_P(two_uplinks, both_families_are_opened_by_one_request) {
  if (!first_->ipv6()) GTEST_SKIP() << "the kernel has no IPv6";
  open_on_all(damson::ip_families::both);
  const lab::endpoint in_v6{lab::network::lan_address6, service_port};
  EXPECT_EQ(client_->parts().size(), 3U);
  EXPECT_TRUE(reached_by("eth0"));
  EXPECT_TRUE(reached_by("eth1"));
  EXPECT_TRUE(reaches(*first_, *server_, in_v6));
  EXPECT_EQ(client_->release(), damson::removal::deleted);
  EXPECT_TRUE(cut_off(*first_, *server_, in_v6));
  EXPECT_EQ(first_->port_mappings(), 0U);
  EXPECT_EQ(second_->port_mappings(), 0U);
}

TEST_P(two_uplinks, one_that_is_cut_and_comes_back_is_used_at_once) {
  open_on_all();
  ip("link set eth1 down\n");
  const auto lost = expect(event_kind::lost, "eth1");
  EXPECT_TRUE(lost.gone);
  EXPECT_EQ(lost.why.reason, errc::network_changed);
  EXPECT_TRUE(reached_by("eth0"));
  EXPECT_EQ(second_->port_mappings(), 1U) << "nobody was told";
  // The address stays, the routes do not.
  ip("link set eth1 up\nroute add default via 192.168.78.1 dev eth1 metric 200\n" +
     answers_by_eth1());
  const auto since = steady_clock::now();
  const auto regained = expect(event_kind::mapped, "eth1");
  print(since, "the second uplink came back");
  EXPECT_TRUE(regained.regained);
  EXPECT_EQ(regained.info.part, lost.info.part) << "with the same nonce, it is the same mapping";
  EXPECT_TRUE(reached_by("eth0"));
  EXPECT_TRUE(reached_by("eth1"));
  EXPECT_EQ(client_->release(), damson::removal::deleted);
  EXPECT_EQ(second_->port_mappings(), 0U);
}

TEST_P(two_uplinks, the_one_with_the_default_route_has_the_mapping) {
  const auto failed = client_->map({.internal_port = service_port});
  ASSERT_FALSE(failed) << to_string(*failed);
  EXPECT_TRUE(reached_by("eth0"));
  ip("route add default via 192.168.77.1 dev eth0 metric 300\n"
     "route del default via 192.168.77.1 dev eth0 metric 0\n");
  const auto since = steady_clock::now();
  EXPECT_EQ(expect(event_kind::lost, "eth0").why.reason, errc::network_changed);
  EXPECT_TRUE(expect(event_kind::mapped, "eth1").regained);
  print(since, "the default route moved to the second uplink");
  EXPECT_TRUE(reached_by("eth1"));
}

TEST_P(two_uplinks, both_keep_the_mapping_when_the_default_route_moves) {
  open_on_all();
  ip("route add default via 192.168.77.1 dev eth0 metric 300\n"
     "route del default via 192.168.77.1 dev eth0 metric 0\n");
  // The next thing to be told is about this.
  ip("link set eth1 down\n");
  expect(event_kind::lost, "eth1");
  EXPECT_TRUE(reached_by("eth0"));
}

TEST_P(two_uplinks, another_address_by_dhcp_is_mapped_at_once) {
  open_on_all();
  // What the kernel sees of it: routes go with the address.
  ip("address del 192.168.78.30/24 dev eth1\n"
     "address add 192.168.78.31/24 dev eth1\n"
     "route add default via 192.168.78.1 dev eth1 metric 200\n"
     "route replace default via 192.168.78.1 dev eth1 table 78\n");
  const auto since = steady_clock::now();
  const auto lost = expect(event_kind::lost, "eth1");
  EXPECT_TRUE(lost.gone);
  const auto opened = expect(event_kind::mapped, "eth1");
  print(since, "the second uplink gave another address");
  EXPECT_FALSE(opened.regained);
  EXPECT_NE(opened.info.part, lost.info.part);
  EXPECT_EQ(to_string(opened.info.internal), "192.168.78.31:8080");
  EXPECT_TRUE(reached_by("eth0"));
  EXPECT_TRUE(reached_by("eth1"));
  EXPECT_EQ(client_->release(), damson::removal::left_to_expire) << "for the old address";
}

}  // namespace
