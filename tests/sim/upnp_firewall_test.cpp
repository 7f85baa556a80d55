// WANIPv6FirewallControl of the gateway model, against the service definition of version 1.

#include <chrono>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "upnp_requests.hpp"

namespace damson::sim {
namespace {

using namespace std::chrono_literals;

constexpr ip_address v6(std::uint8_t last) {
  return ip_address{
      ip_address::v6_bytes{0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last}};
}

constexpr ip_address lan_v6 = v6(1);
constexpr ip_address host_v6 = v6(0x64);
constexpr ip_address other_v6 = v6(0x65);
constexpr endpoint from_outside{v6(9), 1'000};

/// What AddPinhole asks for; the defaults are TCP 8080 of the standard host, for an hour.
struct wanted_pinhole {
  std::string remote_host{};
  std::string remote_port = "0";
  std::string client = "2001:db8::64";
  std::string port = "8080";
  std::string protocol = "6";
  std::string lease = "3600";

  arguments all() const {
    arguments out = ends();
    out.emplace_back("LeaseTime", lease);
    return out;
  }
  arguments ends() const {
    return {{"RemoteHost", remote_host},
            {"RemotePort", remote_port},
            {"InternalClient", client},
            {"InternalPort", port},
            {"Protocol", protocol}};
  }
};

class upnp_firewall : public upnp_router {
 protected:
  upnp_firewall() {
    how().version = 2;
    router().set_lan_v6({lan_v6});
  }

  std::string ask_firewall(std::string_view action, const arguments& in = {},
                           time_point when = start, const ip_address& sender = host_v6) {
    constexpr std::string_view type = "urn:schemas-upnp-org:service:WANIPv6FirewallControl:1";
    return ask(post("/ctl/WANIPv6Firewall1", type, action, envelope(type, action, in),
                    "[2001:db8::1]:5000"),
               when, sender)
        .message.body;
  }

  std::string code(std::string_view action, const arguments& in = {}, time_point when = start,
                   const ip_address& sender = host_v6) {
    return code_in(ask_firewall(action, in, when, sender));
  }

  std::string add_hole(const wanted_pinhole& what, time_point when = start,
                       const ip_address& sender = host_v6) {
    return code("AddPinhole", what.all(), when, sender);
  }

  bool gets_in(const endpoint& to, time_point when = start, transport what = transport::tcp) {
    return router().pass_in(when, what, from_outside, to).has_value();
  }

  static arguments id(std::string_view text) { return {{"UniqueID", std::string{text}}}; }
  static arguments longer(std::string_view text, std::string_view lease) {
    return {{"UniqueID", std::string{text}}, {"NewLeaseTime", std::string{lease}}};
  }
};

TEST_F(upnp_firewall, opens_and_closes) {
  EXPECT_FALSE(gets_in({host_v6, 8080}));
  EXPECT_EQ(element_of(ask_firewall("AddPinhole", wanted_pinhole{}.all()), "UniqueID"), "1");
  EXPECT_TRUE(gets_in({host_v6, 8080}));
  EXPECT_FALSE(gets_in({host_v6, 8081}));
  EXPECT_FALSE(gets_in({other_v6, 8080}));
  EXPECT_FALSE(gets_in({host_v6, 8080}, start, transport::udp));
  EXPECT_EQ(code("DeletePinhole", id("1")), "0");
  EXPECT_FALSE(gets_in({host_v6, 8080}));
  EXPECT_EQ(code("DeletePinhole", id("1")), "704");
  EXPECT_TRUE(router().complaints().empty()) << router().complaints().front().what;
}

TEST_F(upnp_firewall, ends_leases_and_makes_them_longer) {
  EXPECT_EQ(add_hole({}), "0");
  EXPECT_EQ(router().deadline(), start + 900s) << "the next NOTIFY";
  EXPECT_TRUE(gets_in({host_v6, 8080}, start + 59min));
  EXPECT_EQ(code("UpdatePinhole", longer("1", "7200"), start + 59min), "0");
  EXPECT_TRUE(gets_in({host_v6, 8080}, start + 2h));
  EXPECT_FALSE(gets_in({host_v6, 8080}, start + 3h));
  EXPECT_EQ(code("UpdatePinhole", longer("1", "7200"), start + 3h), "704");
}

TEST_F(upnp_firewall, knows_a_pinhole_by_its_ends) {
  EXPECT_EQ(add_hole({}), "0");
  EXPECT_EQ(
      element_of(ask_firewall("AddPinhole", wanted_pinhole{.lease = "86400"}.all()), "UniqueID"),
      "1");
  EXPECT_EQ(router().pinholes().holes().at(0).expires, start + 24h);
  EXPECT_EQ(
      element_of(ask_firewall("AddPinhole", wanted_pinhole{.protocol = "17"}.all()), "UniqueID"),
      "2");
  EXPECT_EQ(
      element_of(ask_firewall("AddPinhole", wanted_pinhole{.remote_port = "1"}.all()), "UniqueID"),
      "3");
  EXPECT_EQ(router().pinholes().size(), 3U);
}

TEST_F(upnp_firewall, lets_in_only_whom_it_names) {
  EXPECT_EQ(add_hole({.remote_host = "2001:db8::9", .remote_port = "1000"}), "0");
  EXPECT_TRUE(gets_in({host_v6, 8080}));
  EXPECT_FALSE(
      router().pass_in(start, transport::tcp, {v6(9), 1'001}, {host_v6, 8080}).has_value());
  EXPECT_FALSE(
      router().pass_in(start, transport::tcp, {v6(10), 1'000}, {host_v6, 8080}).has_value());
}

TEST_F(upnp_firewall, refuses_what_is_no_pinhole) {
  EXPECT_EQ(add_hole({.remote_host = "*"}), "402") << "Q-123";
  EXPECT_EQ(add_hole({.remote_host = "203.0.113.9"}), "402");
  EXPECT_EQ(add_hole({.remote_port = "65536"}), "402");
  EXPECT_EQ(add_hole({.client = ""}), "402");
  EXPECT_EQ(add_hole({.client = "host.lan"}), "402");
  EXPECT_EQ(add_hole({.client = "192.168.1.100"}), "402");
  EXPECT_EQ(add_hole({.port = "0"}), "706");
  EXPECT_EQ(add_hole({.protocol = "65535"}), "707");
  EXPECT_EQ(add_hole({.protocol = "132"}), "705");
  EXPECT_EQ(add_hole({.protocol = "TCP"}), "402");
  for (const std::string lease : {"0", "86401", "-1", ""}) {
    EXPECT_EQ(add_hole({.lease = lease}), "402") << lease;
  }
  EXPECT_EQ(router().pinholes().size(), 0U);
  EXPECT_EQ(add_hole({.lease = "1"}), "0");
  EXPECT_EQ(code("UpdatePinhole", longer("1", "0")), "402");
  EXPECT_EQ(code("UpdatePinhole", longer("1", "86401")), "402");
  EXPECT_EQ(code("UpdatePinhole", longer("one", "60")), "402");
  EXPECT_EQ(code("UpdatePinhole", longer("2", "60")), "704");
  EXPECT_EQ(code("DeletePinhole", id("")), "402");
}

TEST_F(upnp_firewall, serves_the_address_itself_only) {
  EXPECT_EQ(add_hole({.client = "2001:db8::65"}), "606");
  EXPECT_EQ(add_hole({}, start, host), "606") << "a connection over IPv4 shows no IPv6 address";
  EXPECT_EQ(add_hole({}), "0");
  EXPECT_EQ(code("UpdatePinhole", longer("1", "60"), start, other_v6), "606");
  EXPECT_EQ(code("DeletePinhole", id("1"), start, other_v6), "606");
  EXPECT_EQ(code("GetPinholePackets", id("1"), start, other_v6), "606");
  EXPECT_EQ(code("CheckPinholeWorking", id("1"), start, other_v6), "606");
  how().secure_mode = false;
  EXPECT_EQ(add_hole({.client = "2001:db8::65"}), "0");
  EXPECT_EQ(code("DeletePinhole", id("1"), start, other_v6), "0");
}

TEST_F(upnp_firewall, counts_packets) {
  EXPECT_EQ(add_hole({}), "0");
  EXPECT_EQ(element_of(ask_firewall("GetPinholePackets", id("1")), "PinholePackets"), "0");
  EXPECT_EQ(code("CheckPinholeWorking", id("1")), "709") << "Q-126: nobody has come yet";
  EXPECT_TRUE(gets_in({host_v6, 8080}));
  EXPECT_TRUE(gets_in({host_v6, 8080}));
  EXPECT_EQ(element_of(ask_firewall("GetPinholePackets", id("1")), "PinholePackets"), "2");
  EXPECT_EQ(element_of(ask_firewall("CheckPinholeWorking", id("1")), "IsWorking"), "1");
  EXPECT_EQ(code("GetPinholePackets", id("2")), "704");
  EXPECT_EQ(code("CheckPinholeWorking", id("2")), "704");
}

TEST_F(upnp_firewall, tells_its_status_and_its_patience) {
  std::string status = ask_firewall("GetFirewallStatus");
  EXPECT_EQ(element_of(status, "FirewallEnabled"), "1");
  EXPECT_EQ(element_of(status, "InboundPinholeAllowed"), "1");
  const auto timeout = [this](const wanted_pinhole& what) {
    return ask_firewall("GetOutboundPinholeTimeout", what.ends());
  };
  EXPECT_EQ(element_of(timeout({}), "OutboundPinholeTimeout"), "7440");
  EXPECT_EQ(element_of(timeout({.protocol = "17"}), "OutboundPinholeTimeout"), "300");
  EXPECT_EQ(code_in(timeout({.protocol = "1"})), "705");

  EXPECT_EQ(add_hole({}), "0");
  behave_as("pinholes-forbidden");
  status = ask_firewall("GetFirewallStatus");
  EXPECT_EQ(element_of(status, "FirewallEnabled"), "1");
  EXPECT_EQ(element_of(status, "InboundPinholeAllowed"), "0");
  EXPECT_EQ(add_hole({}), "703");
  EXPECT_EQ(code("UpdatePinhole", longer("1", "60")), "703");
  EXPECT_EQ(code("CheckPinholeWorking", id("1")), "703");

  behave_as("ipv6-firewall-off");
  EXPECT_EQ(element_of(ask_firewall("GetFirewallStatus"), "FirewallEnabled"), "0");
  EXPECT_EQ(add_hole({}), "702");
  EXPECT_EQ(code_in(timeout({})), "702");
  EXPECT_TRUE(gets_in({other_v6, 9})) << "nothing is blocked";
}

TEST_F(upnp_firewall, refuses_as_its_profile_says) {
  how().refuses_low_ports = true;
  EXPECT_EQ(add_hole({.port = "80"}), "606");
  behave_as("pinholes-want-remote-host");
  EXPECT_EQ(add_hole({}), "708");
  behave_as("igd2");
  router().behaviour().rules_per_host = 1;
  EXPECT_EQ(add_hole({}), "0");
  EXPECT_EQ(add_hole({.port = "8081"}), "701");
  EXPECT_TRUE(ask_firewall("AddPinhole", wanted_pinhole{.port = "8081"}.all())
                  .contains("<errorDescription>PinholeSpaceExhausted</errorDescription>"))
      << "Q-127: the same number means something else elsewhere";
  EXPECT_EQ(add_hole({}), "0") << "the one that is there can be had again";
  behave_as("pinholes-stay");
  EXPECT_EQ(code("DeletePinhole", id("1")), "606");
  EXPECT_EQ(code("UpdatePinhole", longer("1", "1")), "0");
  EXPECT_FALSE(gets_in({host_v6, 8080}, start + 1s));
}

TEST_F(upnp_firewall, shares_its_table_and_not_its_pinholes_with_pcp) {
  const datagram pcp{{host_v6, 40'000},
                     {lan_v6, 5351},
                     packet({
                         "02 01 0000 00000e10",                  // MAP, 3600 s
                         "20010db8 00000000 00000000 00000064",  // client address
                         "0102030405060708090a0b0c 06 000000",   // nonce, TCP
                         "1f90 1f90",                            // ports 8080
                         "00000000 00000000 00000000 00000000",  // suggested address: any
                     })};
  router().behaviour().speaks_pcp = true;
  EXPECT_EQ(router().handle(start, pcp).at(0).bytes[3], std::byte{0});
  EXPECT_EQ(code("DeletePinhole", id("1")), "704") << "PCP's";
  EXPECT_EQ(add_hole({}), "0");
  EXPECT_EQ(router().pinholes().size(), 2U);
}

TEST_F(upnp_firewall, is_there_in_version_2_only_and_not_in_all_of_them) {
  const auto described = [this] {
    return ask(get("/rootDesc.xml")).message.body.contains("WANIPv6FirewallControl:1");
  };
  EXPECT_TRUE(described());
  behave_as("no-ipv6-firewall");
  EXPECT_FALSE(described());
  behave_as("poses-as-v1");
  EXPECT_FALSE(described());
}

// Discovery over IPv6.

TEST_F(upnp_firewall, is_found_over_ipv6_under_the_address_that_fits) {
  const ip_address link_local{
      ip_address::v6_bytes{0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 2};
  const ip_address link_host{
      ip_address::v6_bytes{0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x64}, 2};
  router().set_lan_v6({link_local, lan_v6});
  const auto location = [&](const ip_address& sender, const ip_address& to,
                            std::string_view named) {
    const auto out = router().handle(
        start, {{sender, 50'000}, {to, 1900}, bytes_of(search_for("upnp:rootdevice", named))});
    if (out.size() != 1) return std::string{"(none)"};
    EXPECT_TRUE(out[0].from.address.is_v6());
    const std::string text = text_of(out[0].bytes);
    const std::size_t begin = text.find("LOCATION: ") + 10;
    return text.substr(begin, text.find('\r', begin) - begin);
  };
  const std::string global = "http://[2001:db8::1]:5000/rootDesc.xml";
  EXPECT_EQ(location(host_v6, ssdp_groups_v6[0], "[FF02::C]:1900"), global);
  EXPECT_EQ(location(host_v6, ssdp_groups_v6[1], "[ff05::c]:1900"), global);
  EXPECT_EQ(location(link_host, ssdp_groups_v6[0], "[FF02::C]:1900"),
            "http://[fe80::1]:5000/rootDesc.xml");
  EXPECT_EQ(location(host_v6, lan_v6, "[2001:db8::1]:1900"), global);
  EXPECT_EQ(location(host_v6, lan_v6, "[2001:db8::2]:1900"), "(none)");

  router().announce_upnp(start);
  std::size_t to_link = 0;
  std::size_t to_site = 0;
  for (const datagram& one : router().advance(start)) {
    if (one.to == endpoint{ssdp_groups_v6[0], 1900}) {
      EXPECT_EQ(one.from, (endpoint{link_local, 1900}));
      EXPECT_TRUE(text_of(one.bytes).contains("HOST: [ff02::c]:1900\r\n"));
      ++to_link;
    } else if (one.to == endpoint{ssdp_groups_v6[1], 1900}) {
      EXPECT_TRUE(text_of(one.bytes).contains("LOCATION: " + global + "\r\n"));
      ++to_site;
    }
  }
  EXPECT_EQ(to_link, 11U);  // one more service than version 1 has
  EXPECT_EQ(to_site, 11U);
}

}  // namespace
}  // namespace damson::sim
