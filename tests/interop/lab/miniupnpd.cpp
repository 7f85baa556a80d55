#include "lab/miniupnpd.hpp"

#include <arpa/inet.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <string_view>
#include <thread>

#include "lab/probe.hpp"

namespace lab {
namespace {

constexpr milliseconds start_limit{30'000};
constexpr milliseconds stop_limit{30'000};
constexpr milliseconds poll_interval{2};
constexpr milliseconds answer_limit{500};
constexpr milliseconds search_limit{3'000};
constexpr std::uint16_t pcp_port = 5351;
constexpr std::uint16_t ssdp_port = 1900;

// RFC 6887 section 7.1: version 2, opcode ANNOUNCE, no lifetime, the client's address as an
// IPv4-mapped one. Nothing follows this header (section 14.1).
std::vector<std::uint8_t> announce_request(std::string_view client) {
  in_addr address{};
  if (::inet_pton(AF_INET, std::string(client).c_str(), &address) != 1)
    throw error("not an IPv4 address: " + std::string(client));
  std::vector<std::uint8_t> request(24);
  request[0] = 2;
  request[18] = 0xff;
  request[19] = 0xff;
  std::memcpy(&request[20], &address, sizeof address);
  return request;
}

std::optional<std::uint32_t> announced_epoch(const std::vector<std::uint8_t>& answer) {
  constexpr std::uint8_t announce_response = 0x80;
  if (answer.size() < 24 || answer[0] != 2 || answer[1] != announce_response || answer[3] != 0)
    return std::nullopt;
  return std::uint32_t{answer[8]} << 24 | std::uint32_t{answer[9]} << 16 |
         std::uint32_t{answer[10]} << 8 | std::uint32_t{answer[11]};
}

std::vector<std::uint8_t> search_request(std::string_view host) {
  const std::string text = "M-SEARCH * HTTP/1.1\r\nHOST: " + std::string(host) +
                           ":1900\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\n"
                           "ST: upnp:rootdevice\r\n\r\n";
  return {text.begin(), text.end()};
}

}  // namespace

miniupnpd::miniupnpd(const network& where, miniupnpd_options options)
    : network_(where), options_(std::move(options)) {
  write_configuration();
  start();
}

miniupnpd::~miniupnpd() {
  try {
    kill();
  } catch (const error& failure) {
    note(failure.what());
  }
}

void miniupnpd::write_configuration() const {
  const auto yes_no = [](bool value) { return value ? "yes\n" : "no\n"; };
  std::ofstream file(files_.file("conf"));
  file << "ext_ifname=wan0\n"
          // The interface and not its address, or IPv6 stays off.
          "listening_ip=lan0\n"
       << (network_.ipv6() ? "ext_ifname6=wan0\n" : "")
       << "enable_natpmp=" << yes_no(options_.natpmp) << "enable_upnp=" << yes_no(options_.upnp)
       << "secure_mode=" << yes_no(options_.secure)
       << "force_igd_desc_v1=" << yes_no(options_.igd_v1)
       << "port=0\n"
          // Else the epoch is the uptime of the machine, and no restart would show.
          "system_uptime=no\n"
          "uuid=9f0a7c1e-5d3b-4c55-8a77-6d5a1c2f4b10\n"
          "upnp_table_name=filter\n"
          "upnp_nat_table_name=filter\n"
          "upnp_forward_chain=miniupnpd\n"
          "upnp_nat_chain=prerouting_miniupnpd\n"
          "upnp_nat_postrouting_chain=postrouting_miniupnpd\n";
  for (const std::string& line : options_.extra) file << line << '\n';
  // The first rule that fits decides.
  file << "allow 1024-65535 0.0.0.0/0 1024-65535\n";
  if (!file.flush()) throw error("cannot write the configuration of miniupnpd");
}

void miniupnpd::start() {
  if (running()) return;
  launch();
  const steady_clock::time_point deadline = steady_clock::now() + start_limit;
  while (!answers()) {
    if (has_ended(false))
      throw error("miniupnpd ended at its start (MINIUPNPD_VERBOSE=1 shows its log)");
    if (steady_clock::now() > deadline)
      throw error("miniupnpd does not answer (MINIUPNPD_VERBOSE=1 shows its log)");
  }
}

void miniupnpd::launch() {
  // A fresh one for each start: the daemon refuses to start over that of a living process.
  const std::string pid_file = files_.file("pid." + std::to_string(++starts_));
  std::vector<std::string> command{"miniupnpd", "-f", files_.file("conf"), "-P", pid_file};
  if (environment_flag("MINIUPNPD_VERBOSE")) {
    command.emplace_back("-d");
    foreground_ = std::make_unique<process>(
        network_.router(), command,
        process_options{.input = {}, .environment = {}, .inherit_stderr = true});
    pid_ = foreground_->pid();
    return;
  }
  run(network_.router(), command);
  const steady_clock::time_point deadline = steady_clock::now() + start_limit;
  for (std::string line; pid_ <= 0; std::this_thread::sleep_for(poll_interval)) {
    std::ifstream file(pid_file);
    if (std::getline(file, line) && !file.eof())
      pid_ = static_cast<pid_t>(std::stol(line));
    else if (steady_clock::now() > deadline)
      throw error("miniupnpd has written no pid file (MINIUPNPD_VERBOSE=1 shows its log)");
  }
}

// Asked on the router itself, where the faults of network do not reach.
bool miniupnpd::answers() const {
  const std::string_view gateway = network_.gateway_address();
  const udp_answer answer =
      options_.natpmp
          ? ask(network_.router(), {gateway, pcp_port}, {0, 0}, answer_limit)
          : ask(network_.lan(), {gateway, ssdp_port}, search_request(gateway), answer_limit);
  if (answer.how == reach::refused) std::this_thread::sleep_for(poll_interval);
  return answer.how == reach::answered;
}

void miniupnpd::stop() { end(SIGTERM); }

void miniupnpd::kill() { end(SIGKILL); }

void miniupnpd::end(int signal) {
  if (!running()) return;
  ::kill(pid_, signal);
  const steady_clock::time_point deadline = steady_clock::now() + stop_limit;
  while (!has_ended(signal == SIGKILL)) {
    if (steady_clock::now() > deadline) throw error("miniupnpd does not end");
    std::this_thread::sleep_for(poll_interval);
  }
}

bool miniupnpd::has_ended(bool block) {
  if (!running()) return true;
  if (foreground_) {
    if (!foreground_->wait(block ? stop_limit : milliseconds{0})) return false;
    foreground_.reset();
  } else if (const pid_t result = ::waitpid(pid_, nullptr, block ? 0 : WNOHANG);
             result == 0 || (result < 0 && errno == EINTR)) {
    // A child of this program, though a daemon: the sandbox made it the one that orphans come to.
    return false;
  }
  pid_ = -1;
  return true;
}

std::optional<std::uint32_t> miniupnpd::pcp_epoch(milliseconds limit) const {
  const udp_answer answer = ask(network_.lan(), {network_.gateway_address(), pcp_port},
                                announce_request(network_.lan_address()), limit);
  return announced_epoch(answer.bytes);
}

std::string miniupnpd::description_url() const {
  constexpr std::string_view field = "\r\nLOCATION: ";
  const std::string_view gateway = network_.gateway_address();
  const udp_answer answer =
      ask(network_.lan(), {gateway, ssdp_port}, search_request(gateway), search_limit);
  const std::string text(answer.bytes.begin(), answer.bytes.end());
  const std::size_t begin = text.find(field);
  if (begin == std::string::npos) throw error("miniupnpd answers no search");
  const std::size_t url = begin + field.size();
  return text.substr(url, text.find('\r', url) - url);
}

std::uint16_t miniupnpd::http_port() const {
  constexpr std::string_view scheme = "http://";
  const std::string authority = description_url().substr(scheme.size());
  return endpoint::parse(authority.substr(0, authority.find('/'))).port;
}

void miniupnpd::restart_elsewhere(std::uint16_t taboo) {
  do {
    kill();
    start();
  } while (http_port() == taboo);
}

void miniupnpd::wait_for_epoch(std::uint32_t seconds) const {
  const steady_clock::time_point deadline =
      steady_clock::now() + std::chrono::seconds(seconds) + start_limit;
  while (pcp_epoch().value_or(0) < seconds) {
    if (steady_clock::now() > deadline) throw error("the epoch of miniupnpd does not grow");
    std::this_thread::sleep_for(milliseconds{20});
  }
}

}  // namespace lab
