#include "lab/network.hpp"

#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <filesystem>
#include <thread>

#include "lab/process.hpp"

namespace lab {
namespace {

constexpr milliseconds link_limit{30'000};
constexpr milliseconds poll_interval{1};

// The chains that miniupnpd is told to fill (see miniupnpd.cpp) and those that lead to them.
constexpr std::string_view router_rules = R"(
table inet filter {
  chain miniupnpd {
  }
  chain prerouting_miniupnpd {
  }
  chain postrouting_miniupnpd {
  }
  chain forward {
    type filter hook forward priority filter; policy drop;
    ct state established,related accept
    iifname "lan0" accept
    jump miniupnpd
  }
  chain prerouting {
    type nat hook prerouting priority dstnat;
    jump prerouting_miniupnpd
  }
  chain postrouting {
    type nat hook postrouting priority srcnat;
    jump postrouting_miniupnpd
    oifname "wan0" meta nfproto ipv4 masquerade
  }
}
)";

// Faults have a table of their own, in front of everything else, on both ends of the link: a reply
// dropped in the router's own output would come back to the daemon as an error of its send call.
constexpr std::string_view fault_table = R"(
table inet faults {
  chain arriving {
    type filter hook prerouting priority -400;
  }
}
)";

std::string fault(std::string_view rule) {
  return std::string(fault_table) + "add rule inet faults arriving " + std::string(rule) +
         " drop\n";
}

void apply_rules(const net_namespace& where, const std::string& rules) {
  run(where, {"nft", "-f", "-"}, rules);
}

void run_ip(const net_namespace& where, const std::string& commands) {
  run(where, {"ip", "-batch", "-"}, commands);
}

std::string prerouting(const net_namespace& router) {
  return run(router,
             {"nft", "--numeric", "list", "chain", "inet", "filter", "prerouting_miniupnpd"});
}

std::string add_address(std::string_view address, std::string_view prefix_length,
                        std::string_view device) {
  const bool v6 = address.find(':') != std::string_view::npos;
  const std::string command = "address add " + std::string(address) + std::string(prefix_length) +
                              " dev " + std::string(device);
  // Without it an IPv6 address is of no use for the first second or two.
  return command + (v6 ? " nodad\n" : "\n");
}

// Until the kernel has seen to the carrier in its own time, an interface loses what is sent through
// it.
void wait_until_running(const net_namespace& where, std::string_view device) {
  const unique_fd socket = in(where, [] {
    return unique_fd(checked(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket"));
  });
  ifreq request{};
  device.copy(request.ifr_name, sizeof request.ifr_name - 1);
  const steady_clock::time_point deadline = steady_clock::now() + link_limit;
  for (;; std::this_thread::sleep_for(poll_interval)) {
    checked(::ioctl(socket.get(), SIOCGIFFLAGS, &request), "SIOCGIFFLAGS");
    if ((request.ifr_flags & IFF_RUNNING) != 0) return;
    if (steady_clock::now() > deadline)
      throw error(std::string(device) + " of " + where.label() + " does not come up");
  }
}

}  // namespace

network::addresses network::addresses_for(const network_options& options) {
  if (options.lan == lan_kind::public_address)
    return {.lan = "1.2.3.10", .gateway = "1.2.3.1", .external = "1.2.4.1", .wan = "1.2.4.5"};
  if (options.second) {
    return {
        .lan = "192.168.78.10", .gateway = "192.168.78.1", .external = "1.2.5.4", .wan = "1.2.5.5"};
  }
  return {
      .lan = "192.168.77.10", .gateway = "192.168.77.1", .external = "1.2.3.4", .wan = "1.2.3.5"};
}

network::network(network_options options)
    : addresses_(addresses_for(options)),
      ipv6_(options.ipv6 && !options.second && std::filesystem::exists("/proc/sys/net/ipv6")) {
  for (const net_namespace* host : {&lan_, &router_, &wan_})
    if (ipv6_) host->set("net/ipv6/conf/default/accept_dad", "0");
  join_lan(options);
  join(router_, "wan0", wan_, "eth0");
  configure_router(options.lan);
  configure_lan(options.lan);
  configure_wan(options.lan);
  wait_until_running(lan_, "eth0");
  wait_until_running(router_, "lan0");
  wait_until_running(router_, "wan0");
  wait_until_running(wan_, "eth0");
}

void network::join_lan(const network_options& options) {
  if (options.neighbours == 0 && !options.second) {
    join(router_, "lan0", lan_, "eth0");
    return;
  }
  switch_.emplace("the LAN's switch");
  run_ip(*switch_, "link add switch0 type bridge mcast_snooping 0\nlink set switch0 up\n");
  lay_cable(router_, "lan0", "router");
  lay_cable(lan_, "eth0", "lan");
  for (std::size_t i = 0; i < options.neighbours; ++i) {
    const net_namespace& host = neighbours_.emplace_back("neighbour " + std::to_string(i));
    lay_cable(host, "eth0", "neighbour" + std::to_string(i));
    run_ip(host, "link set lo up\nlink set eth0 up\n" +
                     add_address(neighbour_address(i), "/24", "eth0") + "route add default via " +
                     std::string(addresses_.gateway) + "\n");
    wait_until_running(host, "eth0");
  }
}

void network::lay_cable(const net_namespace& host, std::string_view device,
                        const std::string& port) const {
  join(host, device, *switch_, port);
  run_ip(*switch_, "link set " + port + " master switch0 up\n");
}

void network::plug_in(const net_namespace& host, std::string_view device,
                      std::string_view address) const {
  lay_cable(host, device, "guest");
  run_ip(host, "link set " + std::string(device) + " up\n" + add_address(address, "/24", device));
  wait_until_running(host, device);
}

void network::unplug() const { run_ip(router_, "link set lan0 down\n"); }

void network::plug() const { run_ip(router_, "link set lan0 up\n"); }

std::string network::neighbour_address(std::size_t which) {
  return "192.168.77." + std::to_string(20 + which);
}

void network::configure_router(lan_kind kind) const {
  router_.set("net/ipv4/ip_forward", "1");
  // Tests ask a closed port more often than the kernel would answer.
  router_.set("net/ipv4/icmp_ratelimit", "0");
  std::string commands = "link set lo up\nlink set lan0 addrgenmode none up\nlink set wan0 up\n" +
                         add_address(addresses_.gateway, "/24", "lan0") +
                         add_address(addresses_.external, "/24", "wan0");
  if (ipv6_) {
    router_.set("net/ipv6/conf/all/forwarding", "1");
    router_.set("net/ipv6/icmp/ratelimit", "0");
    commands += add_address(gateway_link_local6, "/64", "lan0") +
                add_address(gateway_address6, "/64", "lan0") +
                add_address(external_address6, "/64", "wan0");
  }
  run_ip(router_, commands);
  if (kind != lan_kind::public_address) apply_rules(router_, std::string(router_rules));
}

void network::configure_lan(lan_kind kind) const {
  std::string commands =
      "link set lo up\nlink set eth0 up\n" + add_address(addresses_.lan, "/24", "eth0");
  if (ipv6_) commands += add_address(lan_address6, "/64", "eth0");
  if (kind != lan_kind::no_route) {
    commands += "route add default via " + std::string(addresses_.gateway) + "\n";
    if (ipv6_) commands += "route add ::/0 via " + std::string(gateway_link_local6) + " dev eth0\n";
  }
  run_ip(lan_, commands);
}

void network::configure_wan(lan_kind kind) const {
  std::string commands =
      "link set lo up\nlink set eth0 up\n" + add_address(addresses_.wan, "/24", "eth0");
  if (kind == lan_kind::public_address)
    commands += "route add 1.2.3.0/24 via " + std::string(addresses_.external) + "\n";
  if (ipv6_)
    commands += add_address(wan_address6, "/64", "eth0") + "route add 2001:db8:77::/64 via " +
                std::string(external_address6) + "\n";
  run_ip(wan_, commands);
}

std::string network::rules() const {
  return run(router_, {"nft", "list", "table", "inet", "filter"});
}

std::size_t network::port_mappings() const {
  const std::string listing = prerouting(router_);
  std::size_t count = 0;
  for (std::size_t at = 0; (at = listing.find(" dnat ", at)) != std::string::npos; ++at) ++count;
  return count;
}

bool network::leads_to(const endpoint& to) const {
  const std::string target = " dnat ip to " + to_string(to);
  const std::string listing = prerouting(router_);
  // A comment may follow.
  return listing.find(target + "\n") != std::string::npos ||
         listing.find(target + " ") != std::string::npos;
}

void network::flush_rules() const {
  apply_rules(router_,
              "flush chain inet filter miniupnpd\n"
              "flush chain inet filter prerouting_miniupnpd\n"
              "flush chain inet filter postrouting_miniupnpd\n");
}

void network::drop_5351() const { apply_rules(router_, fault("iifname lan0 udp dport 5351")); }

void network::drop_pcp() const {
  apply_rules(router_, fault("iifname lan0 udp dport 5351 @th,64,8 2"));
}

void network::loss(unsigned percent) const {
  const std::string chance = " numgen random mod 100 < " + std::to_string(percent);
  apply_rules(router_, fault("iifname lan0 udp dport 5351" + chance));
  apply_rules(lan_, fault("iifname eth0 udp sport 5351" + chance));
}

void network::drop_announcements() const {
  apply_rules(lan_, fault("iifname eth0 udp dport 5350"));
}

void network::drop_unicast_searches() const {
  apply_rules(router_, fault("iifname lan0 ip daddr " + std::string(addresses_.gateway) +
                             " udp dport 1900"));
}

void network::heal() const {
  const std::string flush = std::string(fault_table) + "flush chain inet faults arriving\n";
  apply_rules(router_, flush);
  apply_rules(lan_, flush);
}

}  // namespace lab
