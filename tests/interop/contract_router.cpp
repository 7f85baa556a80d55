#include "contract_router.hpp"

#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <thread>
#include <utility>

namespace {

using namespace std::chrono_literals;

constexpr auto limit = 30s;

// Beside the faults of lab::network, which stay: with them a router speaks NAT-PMP alone.
constexpr std::string_view no_table = "table inet contract\ndelete table inet contract\n";

void apply_rules(const lab::net_namespace& where, const std::string& rules) {
  lab::run(where, {"nft", "-f", "-"}, rules);
}

}  // namespace

contract_router::contract_router(damson::protocol only)
    : only_(only),
      options_({.natpmp = only != damson::protocol::upnp,
                .extra = {"deny 0-65535 0.0.0.0/0 " + std::to_string(forbidden_port) + "-" +
                          std::to_string(forbidden_port)}}),
      daemon_(std::in_place, net_, options_),
      external_address_(net_.external_address()) {
  if (only == damson::protocol::nat_pmp) net_.drop_pcp();
}

void contract_router::intercept(const lab::net_namespace& where, std::string_view rules) {
  apply_rules(where, std::string(no_table) +
                         "table inet contract {\n chain arriving {\n"
                         "  type filter hook input priority -400\n" +
                         std::string(rules) + " }\n}\n");
}

void contract_router::fall_silent() const {
  intercept(net_.router(), "  iifname lan0 meta l4proto { tcp, udp } counter drop\n");
}

void contract_router::lose_answers() const {
  intercept(net_.lan(), "  iifname eth0 udp sport 5351 counter drop\n");
}

std::uint64_t contract_router::intercepted() const {
  constexpr std::string_view field = "counter packets ";
  std::uint64_t sum = 0;
  for (const lab::net_namespace* where : {&net_.router(), &net_.lan()}) {
    const std::string listing = lab::try_run(*where, {"nft", "list", "ruleset"}).out;
    const std::size_t table = listing.find("table inet contract");
    if (table == std::string::npos) continue;
    for (std::size_t at = table; (at = listing.find(field, at)) != std::string::npos;) {
      at += field.size();
      sum += std::strtoull(listing.c_str() + at, nullptr, 10);
    }
  }
  return sum;
}

void contract_router::recover() const {
  apply_rules(net_.router(), std::string(no_table));
  apply_rules(net_.lan(), std::string(no_table));
}

void contract_router::be_away() {
  if (only_ == damson::protocol::upnp) return daemon_->restart_elsewhere(daemon_->http_port());
  intercept(net_.router(), "  iifname lan0 udp dport 5351 counter reject\n");
  wait_for_packet();
  recover();
}

void contract_router::wait_for_packet() const {
  const auto deadline = lab::steady_clock::now() + limit;
  while (intercepted() == 0) {
    if (lab::steady_clock::now() > deadline) throw lab::error("nobody asks for the router");
    std::this_thread::sleep_for(20ms);
  }
}

void contract_router::wait_for_epoch(std::uint32_t seconds) const {
  const auto deadline = lab::steady_clock::now() + limit;
  for (;; std::this_thread::sleep_for(20ms)) {
    // RFC 6886 section 3.2: the address is asked for, and the epoch comes with it. Asked on the
    // router itself, where no fault reaches.
    const auto answer = lab::ask(net_.router(), {net_.gateway_address(), 5351}, {0, 0}, 1s).bytes;
    if (answer.size() == 12 && (answer[4] | answer[5] | answer[6]) == 0 && answer[7] >= seconds)
      return;
    if (lab::steady_clock::now() > deadline) throw lab::error("the router's epoch does not grow");
  }
}

// What the router counts is of no use before a client has heard it, and a busy one asks late.
// Announcements are no answers: they go to everybody.
void contract_router::grow_old() const {
  if (only_ == damson::protocol::upnp) return;
  wait_for_epoch(lab::miniupnpd::telling_epoch);
  intercept(net_.lan(), "  iifname eth0 udp sport 5351 meta pkttype host counter\n");
  wait_for_packet();
  recover();
}

void contract_router::reboot(const std::function<void()>& while_down) {
  grow_old();
  const std::uint16_t http_port = daemon_->http_port();
  daemon_->kill();
  net_.flush_rules();
  while_down();
  move();
  daemon_->restart_elsewhere(http_port);
}

void contract_router::replace_daemon() {
  const std::uint16_t http_port = daemon_->http_port();
  daemon_.reset();
  net_.flush_rules();
  daemon_.emplace(net_, options_);
  if (daemon_->http_port() == http_port) daemon_->restart_elsewhere(http_port);
}

void contract_router::reboot_without(std::uint16_t external_port) {
  grow_old();
  options_.extra.push_back("deny " + std::to_string(external_port) + " 0.0.0.0/0 0-65535");
  replace_daemon();
}

void contract_router::reboot_with_upnp_only() {
  grow_old();
  // In both protocols the second byte is the opcode, and 0 that of a mere question.
  intercept(net_.router(), "  iifname lan0 udp dport 5351 @th,72,8 1-2 counter reject\n");
  replace_daemon();
}

void contract_router::move() {
  const std::string former = external_address_;
  external_address_ = "1.2.3." + std::to_string(6 + moves_++);
  // Else the second address of a network goes with the first.
  net_.router().set("net/ipv4/conf/all/promote_secondaries", "1");
  lab::run(net_.router(), {"ip", "-batch", "-"},
           "address add " + external_address_ + "/24 dev wan0\naddress del " + former +
               "/24 dev wan0\n");
}
