#include <string>

#include "interop.hpp"
#include "lan_client.hpp"

// The real daemon on a router whose own outside address is not public: it maps nothing, and each
// protocol says so with another number.

namespace {

using damson::address_class;
using damson::errc;
using damson::protocol_filter;

constexpr std::uint16_t service_port = 8080;

class double_nat_test : public interop, public testing::WithParamInterface<protocol_filter> {
 protected:
  /// Gives the router this address outside instead of the lab's own. Before the daemon starts.
  static void move_outside(const lab::network& net, const std::string& address) {
    lab::run(net.router(), {"ip", "addr", "add", address + "/24", "dev", "wan0"});
    lab::run(net.router(),
             {"ip", "addr", "del", std::string(net.external_address()) + "/24", "dev", "wan0"});
  }
};

INSTANTIATE_TEST_SUITE_P(by, double_nat_test,
                         testing::Values(protocol_filter::any, protocol_filter::pcp,
                                         protocol_filter::nat_pmp_only, protocol_filter::upnp),
                         [](const auto& tested) -> std::string {
                           switch (tested.param) {
                             case protocol_filter::pcp:
                               return "pcp";
                             case protocol_filter::nat_pmp_only:
                               return "nat_pmp_only";
                             case protocol_filter::upnp:
                               return "upnp";
                             default:
                               return "any";
                           }
                         });

TEST_P(double_nat_test, is_told_as_a_router_without_a_public_address) {
  for (const char* const address : {"10.0.0.7", "100.64.0.7"}) {
    const lab::network net;
    move_outside(net, address);
    const lab::miniupnpd daemon(net);
    lan_client client(net);
    const auto failed = client.map({.internal_port = service_port, .protocols = GetParam()});
    ASSERT_TRUE(failed) << address;
    EXPECT_EQ(failed->reason, errc::network_failure) << to_string(*failed);
    EXPECT_EQ(net.port_mappings(), 0U);
  }
}

}  // namespace
