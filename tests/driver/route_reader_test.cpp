#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <net/if.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>

#include <damson/network.hpp>

#include "new_network.hpp"

namespace damson {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::Field;
using testing::IsEmpty;
using testing::Not;
using testing::UnorderedElementsAre;

ip_address address(std::string_view text) { return ip_address::parse(text).value(); }

/// Two ends of a cable in one host.
void lay_cable(const std::string& near, const std::string& far) {
  ip({"link", "add", near, "type", "veth", "peer", "name", far});
  // Or an address would be "tentative" for the first seconds.
  for (const auto& end : {near, far}) ip({"link", "set", end, "addrgenmode", "none"});
  ip({"link", "set", near, "up"});
  ip({"link", "set", far, "up"});
}

void read_what_ip_has_set() {
  lay_cable("near", "far");
  const auto index = ::if_nametoindex("near");
  ip({"addr", "add", "192.168.77.10/24", "dev", "near"});
  ip({"addr", "add", "2001:db8:77::10/64", "dev", "near", "nodad"});
  ip({"addr", "add", "fe80::10/64", "dev", "near", "nodad"});
  ip({"route", "add", "default", "via", "192.168.77.1", "metric", "100"});
  ip({"route", "add", "10.0.0.0/8", "via", "192.168.77.2"});
  ip({"route", "add", "blackhole", "default", "metric", "5000"});
  ip({"route", "add", "default", "via", "192.168.77.3", "table", "100"});
  ip({"-6", "route", "add", "default", "via", "fe80::1", "dev", "near", "metric", "1024"});
  ip({"-6", "route", "add", "unreachable", "default", "metric", "5000"});

  std::error_code error;
  const auto facts = read_network_facts(error);
  ASSERT_FALSE(error) << error.message();
  const default_route v4{.gateway = address("192.168.77.1"),
                         .interface_index = index,
                         .metric = 100,
                         .preferred_source = std::nullopt};
  const default_route v6{.gateway = ip_address{address("fe80::1").to_v6(), index},
                         .interface_index = index,
                         .metric = 1024,
                         .preferred_source = std::nullopt};
  EXPECT_THAT(facts.routes, ElementsAre(v4, v6));

  const interface_address own_v4{.address = address("192.168.77.10"),
                                 .prefix_length = 24,
                                 .interface_index = index,
                                 .interface_name = "near",
                                 .temporary = false,
                                 .deprecated = false};
  auto own_v6 = own_v4;
  own_v6.address = address("2001:db8:77::10");
  own_v6.prefix_length = 64;
  auto link_local = own_v6;
  link_local.address = ip_address{address("fe80::10").to_v6(), index};
  EXPECT_THAT(facts.addresses, Contains(own_v4));
  EXPECT_THAT(facts.addresses, Contains(own_v6));
  EXPECT_THAT(facts.addresses, Contains(link_local));
}

void read_two_next_hops() {
  lay_cable("near", "far");
  lay_cable("near2", "far2");
  ip({"addr", "add", "192.168.77.10/24", "dev", "near"});
  ip({"addr", "add", "192.168.78.10/24", "dev", "near2"});
  ip({"route", "add", "default", "nexthop", "via", "192.168.77.1", "nexthop", "via",
      "192.168.78.1"});
  std::error_code error;
  const auto facts = read_network_facts(error);
  ASSERT_FALSE(error) << error.message();
  EXPECT_THAT(facts.routes,
              UnorderedElementsAre(Field(&default_route::gateway, address("192.168.77.1")),
                                   Field(&default_route::gateway, address("192.168.78.1"))));
}

void read_nothing_of_links_that_are_down() {
  lay_cable("near", "far");
  ip({"addr", "add", "192.168.77.10/24", "dev", "near"});
  ip({"route", "add", "default", "via", "192.168.77.1"});
  ip({"link", "set", "far", "down"});  // near loses its carrier and stays up
  // The kernel notices that at a time of its own, and of the route before the link.
  const auto has_address = Contains(Field(&interface_address::address, address("192.168.77.10")));
  std::error_code error;
  auto facts = read_network_facts(error);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{10};
  const auto is_noticed = [&] {
    return facts.routes.empty() && !testing::Matches(has_address)(facts.addresses);
  };
  while (!error && !is_noticed() && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::yield();
    facts = read_network_facts(error);
  }
  ASSERT_FALSE(error) << error.message();
  EXPECT_THAT(facts.routes, IsEmpty());
  EXPECT_THAT(facts.addresses, Not(has_address));
}

void find_the_default_route_among_many() {
  lay_cable("near", "far");
  ip({"addr", "add", "192.168.77.10/24", "dev", "near"});
  const std::string script = testing::TempDir() + "damson_many_routes";
  std::string lines;
  for (int high = 0; high < 16; ++high) {
    for (int low = 0; low < 256; ++low) {
      lines += "route add 10." + std::to_string(high) + '.' + std::to_string(low) +
               ".0/24 via 192.168.77.2\n";
    }
  }
  std::ofstream{script} << lines;
  ip({"-batch", script});
  std::filesystem::remove(script);
  ip({"route", "add", "default", "via", "192.168.77.1"});
  std::error_code error;
  const auto facts = read_network_facts(error);
  ASSERT_FALSE(error) << error.message();
  EXPECT_THAT(facts.routes, ElementsAre(Field(&default_route::gateway, address("192.168.77.1"))));
}

TEST(route_reader, reads_what_the_kernel_was_told) {
  DAMSON_RUN_IN_NEW_NETWORK(read_what_ip_has_set);
}

TEST(route_reader, makes_a_route_of_every_next_hop) {
  DAMSON_RUN_IN_NEW_NETWORK(read_two_next_hops);
}

TEST(route_reader, leaves_out_what_is_on_links_that_are_down) {
  DAMSON_RUN_IN_NEW_NETWORK(read_nothing_of_links_that_are_down);
}

TEST(route_reader, finds_the_default_route_among_many) {
  DAMSON_RUN_IN_NEW_NETWORK(find_the_default_route_among_many);
}

TEST(route_reader, works_on_this_host) {
  std::error_code error;
  const auto facts = read_network_facts(error);
  ASSERT_FALSE(error) << error.message();
  EXPECT_THAT(facts.addresses, Contains(Field(&interface_address::address, address("127.0.0.1"))));
}

}  // namespace
}  // namespace damson
