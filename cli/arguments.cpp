#include "arguments.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <utility>
#include <vector>

#include <damson/engine.hpp>
#include <damson/version.hpp>

#include "argument_readers.hpp"
#include "endpoint_text.hpp"
#include "router_words.hpp"
#include "text.hpp"

namespace damson::cli {
namespace {

/// Everything as it was typed; an empty string where it was not.
struct map_words {
  std::string port;
  std::string external;
  std::vector<std::string> peers;
  std::string third_party;
  std::string lifetime;
  std::string protocol;
  std::string interface_name;
  std::string gateway;
  std::string upstream;
  std::string stun;
  std::vector<std::string> pcp_servers;
  std::string remote_peer;
  std::string timeout;
  bool ipv4 = false;
  bool ipv6 = false;
  bool every_uplink = false;
  bool prefer_failure = false;
  bool all_or_nothing = false;
};

/// The same for `damson gateway`.
struct gateway_words {
  std::string profile;
  std::string listen;
  std::string wan;
  std::string control;
  std::string pcp_port;
  std::string http_port;
  std::string lease;
  bool no_multicast = false;
};

constexpr std::int64_t largest_port = 65'535;
constexpr std::int64_t most_ports = engine_limits::parts;
constexpr std::int64_t largest_lifetime = 4'294'967'295;
constexpr std::chrono::hours longest_timeout{24};

template <class Number>
std::optional<Number> read_number(std::string_view text) {
  Number number{};
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{} || stop != end) {
    return std::nullopt;
  }
  return number;
}

std::int64_t read_integer(std::string_view what, std::string_view text, std::int64_t largest,
                          std::int64_t smallest = 1) {
  const std::optional<std::int64_t> number = read_number<std::int64_t>(text);
  if (!number || *number < smallest || *number > largest) {
    throw bad_value(std::string{what} + " must be a whole number from " + std::to_string(smallest) +
                    " to " + std::to_string(largest) + ", not '" + printable(text) + "'");
  }
  return *number;
}

}  // namespace

std::uint16_t read_port(std::string_view what, std::string_view text) {
  return static_cast<std::uint16_t>(read_integer(what, text, largest_port));
}

transport read_transport(std::string_view text) {
  for (const transport candidate : {transport::tcp, transport::udp}) {
    if (text == to_string(candidate)) return candidate;
  }
  throw bad_value("the transport must be tcp or udp, not '" + printable(text) + "'");
}

namespace {

/// PORT, or PORT-LAST for all from the one to the other.
void read_ports(std::string_view text, map_request& request) {
  const std::size_t dash = text.find('-', 1);
  request.internal_port = read_port("PORT", text.substr(0, dash));
  if (dash == std::string_view::npos) {
    return;
  }
  const std::int64_t first = request.internal_port;
  const std::int64_t last = read_integer("LAST", text.substr(dash + 1), largest_port, first);
  if (last - first >= most_ports) {
    throw bad_value("PORT-LAST may be " + std::to_string(most_ports) + " ports at most, not " +
                    std::to_string(last - first + 1));
  }
  request.port_count = static_cast<std::uint16_t>(last - first + 1);
}

/// The ports, and behind them /tcp, /udp or /tcp+udp.
void read_service(std::string_view text, map_request& request) {
  const std::size_t slash = text.find('/');
  read_ports(text.substr(0, slash), request);
  if (slash == std::string_view::npos) {
    return;
  }
  const std::string_view name = text.substr(slash + 1);
  if (name == "tcp+udp") {
    request.both_transports = true;
    return;
  }
  if (name != "tcp" && name != "udp") {
    throw bad_value("the transport must be tcp, udp or tcp+udp, not '" + printable(name) + "'");
  }
  request.transport = read_transport(name);
}

/// Each port of each transport and family is a part, and there is a limit to those.
void check_ports(const map_request& request) {
  const bool in_both = request.families == ip_families::both;
  const std::int64_t most = most_ports / (request.both_transports ? 2 : 1) / (in_both ? 2 : 1);
  if (request.port_count > most) {
    throw bad_value("PORT-LAST may be " + std::to_string(most) +
                    " ports at most over both transports or families, not " +
                    std::to_string(request.port_count));
  }
  if (request.external_port + std::int64_t{request.port_count} - 1 > largest_port) {
    throw bad_value("--external leaves no room for " + std::to_string(request.port_count) +
                    " ports below 65536");
  }
  if (request.all_or_nothing && request.port_count == 1 && !request.both_transports) {
    throw bad_value(
        "--all-or-nothing is about several ports, so PORT must be PORT-LAST or /tcp+udp");
  }
}

protocol_filter read_protocol(std::string_view text) {
  using namespace std::string_view_literals;
  static constexpr std::array names{
      std::pair{"any"sv, protocol_filter::any},
      std::pair{"pcp"sv, protocol_filter::pcp},
      std::pair{"upnp"sv, protocol_filter::upnp},
      std::pair{"pcp-only"sv, protocol_filter::pcp_only},
      std::pair{"nat-pmp"sv, protocol_filter::nat_pmp_only},
  };
  for (const auto& [name, filter] : names) {
    if (text == name) {
      return filter;
    }
  }
  throw bad_value("--protocol must be any, pcp, upnp, pcp-only or nat-pmp, not '" +
                  printable(text) + "'");
}

/// 0 is any that is free.
std::uint16_t read_own_port(std::string_view what, std::string_view text) {
  return static_cast<std::uint16_t>(read_integer(what, text, largest_port, 0));
}

/// As Linux allows them.
std::string read_interface(std::string_view text) {
  constexpr std::size_t longest_name = 15;
  const bool is_name = text.size() <= longest_name && text != "." && text != ".." &&
                       text.find_first_of("/: \t\n") == std::string_view::npos;
  if (!is_name) {
    throw bad_value("--interface must be the name of a network interface, such as eth0, not '" +
                    printable(text) + "'");
  }
  return std::string{text};
}

}  // namespace

/// `--gateway` and `--upstream`
ip_address read_router(const std::string& name, std::string_view text, ip_families families) {
  const std::optional<ip_address> address = ip_address::parse(text);
  if (!address || address->is_unspecified() || address->is_multicast()) {
    throw bad_value(name + " must be the " + (name == "--pcp-server" ? "server" : "router") +
                    "'s IP address, not '" + printable(text) + "'");
  }
  const bool is_asked_for =
      families == ip_families::both || address->is_v4() == (families == ip_families::v4);
  if (!is_asked_for) {
    throw bad_value(name + " must be an " +
                    (families == ip_families::v4 ? "IPv4 address without --ipv6, not '"
                                                 : "IPv6 address with --ipv6, not '") +
                    printable(text) + "'");
  }
  return *address;
}

namespace {

/// Port 3478 (RFC 8489 section 18.6) where none is said.
endpoint read_stun_server(std::string_view text, ip_families families) {
  constexpr std::uint16_t usual_port = 3478;
  const std::optional<endpoint> server = parse_endpoint(text, usual_port);
  if (!server) {
    throw bad_value("--stun must be the server's IP address, or one with :PORT, not '" +
                    printable(text) + "'");
  }
  if (families != ip_families::both && server->address.is_v4() != (families == ip_families::v4)) {
    throw bad_value("--stun must be of the one family that is asked for, not '" + printable(text) +
                    "'");
  }
  return *server;
}

std::vector<ip_address> read_pcp_servers(const std::vector<std::string>& words,
                                         ip_families families) {
  if (words.size() > engine_limits::pcp_servers) {
    throw bad_value("--pcp-server can be given " + std::to_string(engine_limits::pcp_servers) +
                    " times at most");
  }
  std::vector<ip_address> out;
  for (const std::string& each : words) out.push_back(read_router("--pcp-server", each, families));
  return out;
}

/// The other end of a flow, of which only PCP knows.
void read_remote_peer(std::string_view text, map_request& request) {
  const std::optional<endpoint> peer = parse_endpoint(text);
  if (!peer) {
    throw bad_value("--remote-peer must be ADDRESS:PORT, not '" + printable(text) + "'");
  }
  request.remote_peer = *peer;
  if (request.families == ip_families::both ||
      peer->address.is_v4() != (request.families == ip_families::v4)) {
    throw bad_value("--remote-peer must be of the one family that is asked for, not '" +
                    printable(text) + "'");
  }
  if (request.port_count > 1 || request.both_transports) {
    throw bad_value(
        "--remote-peer is about the flow of one port, so PORT must be one of one transport");
  }
  if (request.protocols == protocol_filter::nat_pmp_only ||
      request.protocols == protocol_filter::upnp) {
    throw bad_value("--remote-peer is nothing but PCP's, so --protocol must be another");
  }
  if (request.prefer_failure || !request.peers.empty()) {
    throw bad_value(
        "--remote-peer opens nothing, so it goes with neither --peer nor "
        "--prefer-failure");
  }
}

/// ADDRESS, or ADDRESS/BITS for a network.
peer_range read_peer(std::string_view text) {
  const std::size_t slash = text.find('/');
  const std::optional<ip_address> address = ip_address::parse(text.substr(0, slash));
  if (!address) {
    throw bad_value("--peer must be an IP address, or one with /BITS, not '" + printable(text) +
                    "'");
  }
  const std::int64_t bits = address->is_v4() ? 32 : 128;
  peer_range out{.address = *address, .prefix_length = static_cast<std::uint8_t>(bits)};
  if (slash != std::string_view::npos) {
    const std::int64_t fewest = address->is_v4() ? 0 : 1;  // as PCP can say it
    out.prefix_length = static_cast<std::uint8_t>(
        read_integer("the bits of --peer", text.substr(slash + 1), bits, fewest));
  }
  return out;
}

peer_list read_peers(const std::vector<std::string>& words) {
  if (words.size() > peer_list::capacity) {
    throw bad_value("--peer can be given " + std::to_string(peer_list::capacity) +
                    " times at most");
  }
  peer_list out;
  for (const std::string& each : words) out.push_back(read_peer(each));
  return out;
}

ip_address read_third_party(std::string_view text, ip_families families) {
  const std::optional<ip_address> address = ip_address::parse(text);
  if (!address || address->is_unspecified() || address->is_multicast()) {
    throw bad_value("--third-party must be the IP address of another host, not '" +
                    printable(text) + "'");
  }
  if (families == ip_families::both || address->is_v4() != (families == ip_families::v4)) {
    throw bad_value("--third-party must be of the one family that is asked for, not '" +
                    printable(text) + "'");
  }
  return *address;
}

std::chrono::milliseconds read_timeout(std::string_view text) {
  const std::optional<double> seconds = read_number<double>(text);
  // Written so that NaN fails too.
  constexpr std::chrono::duration<double> largest = longest_timeout;
  if (!seconds || !(*seconds >= 0.001 && *seconds <= largest.count())) {
    throw bad_value("--timeout must be seconds from 0.001 to 86400, not '" + printable(text) + "'");
  }
  return std::chrono::milliseconds{std::llround(*seconds * 1000)};
}

map_request read_request(const map_words& words) {
  map_request request;
  read_service(words.port, request);
  if (!words.external.empty()) {
    request.external_port = read_port("--external", words.external);
  }
  if (!words.lifetime.empty()) {
    request.lifetime =
        std::chrono::seconds{read_integer("--lifetime", words.lifetime, largest_lifetime)};
  }
  if (!words.protocol.empty()) {
    request.protocols = read_protocol(words.protocol);
  }
  if (!words.timeout.empty()) {
    request.timeout = read_timeout(words.timeout);
  }
  if (!words.interface_name.empty()) {
    request.interface_name = read_interface(words.interface_name);
  }
  request.every_uplink = words.every_uplink;
  if (words.ipv6) {
    request.families = words.ipv4 ? ip_families::both : ip_families::v6;
    if (request.protocols == protocol_filter::nat_pmp_only) {
      throw bad_value("--ipv6 is nothing that NAT-PMP knows, so --protocol must be another");
    }
  }
  request.prefer_failure = words.prefer_failure;
  if (request.prefer_failure && request.external_port == 0) {
    request.external_port = request.internal_port;
  }
  request.all_or_nothing = words.all_or_nothing;
  check_ports(request);
  request.peers = read_peers(words.peers);
  if (!words.remote_peer.empty()) read_remote_peer(words.remote_peer, request);
  if (!words.third_party.empty()) {
    request.third_party = read_third_party(words.third_party, request.families);
    if (request.protocols == protocol_filter::nat_pmp_only) {
      throw bad_value("--third-party is nothing that NAT-PMP knows, so --protocol must be another");
    }
  }
  return request;
}

ip_address read_host(std::string_view text, const std::string& otherwise) {
  const std::optional<ip_address> address = ip_address::parse(text);
  if (!address || !address->is_v4() || address->is_unspecified() || address->is_multicast()) {
    throw bad_value(otherwise + ", not '" + printable(text) + "'");
  }
  return *address;
}

void read_words(const gateway_words& words, gateway_arguments& out) {
  if (!words.profile.empty()) {
    out.profile = words.profile;
  }
  if (!words.listen.empty()) {
    out.listen = read_host(words.listen, "--listen must be the IPv4 address of one interface");
  }
  if (words.wan == "none") {
    out.public_address.emplace();
  } else if (!words.wan.empty()) {
    out.public_address.emplace(
        read_host(words.wan, "--wan must be the router's public IPv4 address, or none"));
  }
  out.control = words.control;
  if (!words.pcp_port.empty()) {
    out.mapping_port = read_own_port("--pcp-port", words.pcp_port);
  }
  if (!words.http_port.empty()) {
    out.http_port = read_own_port("--http-port", words.http_port);
  }
  if (!words.lease.empty()) {
    out.lease = std::chrono::seconds{read_integer("--lease", words.lease, largest_lifetime - 1)};
  }
  out.multicast = !words.no_multicast;
}

log_level level_of(int verbosity, std::string_view damson_verbose) {
  static constexpr std::array levels{log_level::warning, log_level::info, log_level::debug,
                                     log_level::trace};
  const auto index = static_cast<std::size_t>(std::clamp(verbosity, 0, 3));
  const bool wanted = !damson_verbose.empty() && damson_verbose != "0";
  return wanted ? std::min(levels.at(index), log_level::debug) : levels.at(index);
}

}  // namespace

CLI::Option* add_value(CLI::App& app, const std::string& name, std::string& value,
                       const std::string& argument, const std::string& help) {
  // An empty value would look like an option that was not given.
  return app.add_option(name, value, help)->option_text(argument)->check([](const std::string& v) {
    return v.empty() ? std::string{"a value is missing"} : std::string{};
  });
}

namespace {

void describe_map(CLI::App& map, map_words& words, map_arguments& arguments, bool& no_permanent) {
  add_value(map, "PORT", words.port, "[-LAST][/tcp|/udp|/tcp+udp]",
            "The port that the program here listens on, or all from PORT to LAST\n"
            "(transport: default tcp)")
      ->required();
  add_value(map, "--external", words.external, "PORT",
            "The port wanted outside, of several the first (a wish; default: the same)");
  map.add_flag("--all-or-nothing", words.all_or_nothing,
               "Of several ports, fail rather than have only some, or others outside than in a\n"
               "row and the same for both transports")
      ->disable_flag_override();
  map.add_flag("--prefer-failure", words.prefer_failure,
               "Fail rather than take another port outside than that")
      ->disable_flag_override();
  map.add_option("--peer", words.peers,
                 "Who may come in, where the router can filter (up to four times;\n"
                 "default: everybody)")
      ->option_text("ADDRESS[/BITS]")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  add_value(map, "--remote-peer", words.remote_peer, "ADDRESS:PORT",
            "Open nothing, but keep the mapping of an outbound flow to there alive (PCP only)");
  add_value(map, "--third-party", words.third_party, "ADDRESS",
            "Another host to open the port for, where the router allows it");
  add_value(map, "--lifetime", words.lifetime, "SECONDS",
            "The lease to ask for; it is renewed in time (default: 7200)");
  add_value(map, "--protocol", words.protocol, "any|pcp|upnp|pcp-only|nat-pmp",
            "How to ask the router; pcp includes NAT-PMP (default: any)");
  add_value(map, "--interface", words.interface_name, "NAME",
            "The interface to go out by (default: that of the default route)");
  add_value(map, "--gateway", words.gateway, "ADDRESS",
            "The router's address (default: the next hop of the default route)");
  add_value(map, "--upstream", words.upstream, "ADDRESS",
            "The router beyond that one, where there are two NATs in a row: asked as well");
  map.add_option(
         "--pcp-server", words.pcp_servers,
         "Whom to ask in PCP instead, for example those that DHCP gave you; the next where\n"
         "one is silent (up to eight times)")
      ->option_text("ADDRESS")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  add_value(map, "--stun", words.stun, "ADDRESS[:PORT]",
            "A STUN server on the internet, to compare what it sees with what the router says");
  map.add_flag("--ipv4", words.ipv4, "Open the port of this host's IPv4 address (the default)")
      ->disable_flag_override();
  map.add_flag("--ipv6", words.ipv6,
               "Open the port of this host's IPv6 address in the router's firewall; with --ipv4\n"
               "as well")
      ->disable_flag_override();
  map.add_flag("--every-uplink", words.every_uplink,
               "By every default route there is, and to each stable IPv6 address")
      ->disable_flag_override();
  map.add_flag("--events", arguments.events,
               "Ask a UPnP router to tell of changes, to hear of them at once; some routers stop\n"
               "answering when they are asked")
      ->disable_flag_override();
  add_value(map, "--timeout", words.timeout, "SECONDS",
            "Give up after this, decimals allowed (default: 30)");
  map.add_flag("--wait", arguments.wait,
               "Do not give up: say why not, and try again until the port is open")
      ->disable_flag_override();
  map.add_flag("--no-permanent", no_permanent,
               "Refuse a mapping without a lease, which is all that some UPnP routers make")
      ->disable_flag_override();
  map.add_flag("--once", arguments.once, "Exit when the port is open and leave it to its lease")
      ->disable_flag_override();
  map.add_flag("--json", arguments.json, "Print one JSON object a line")->disable_flag_override();
  map.footer(
      "The port stays open until SIGINT (Ctrl-C) or SIGTERM; a second signal exits at once and\n"
      "leaves it to its lease.\n"
      "Exit codes: 0 done, 1 could not map, 2 wrong usage.\n"
      "\n"
      "Examples:\n"
      "  damson map 8080/tcp\n"
      "  damson map 51820/udp --external 40000 --json\n"
      "  damson map 8080 --wait --protocol upnp\n"
      "  damson map 443 --ipv6\n"
      "  damson map 6881/tcp+udp --all-or-nothing\n"
      "  damson map 50000-50007/udp\n"
      "  damson map 443 --ipv4 --ipv6 --every-uplink\n"
      "  damson map 22 --gateway 192.168.1.1 --protocol pcp --once --lifetime 3600");
}

void describe_demo(CLI::App& demo) {
  demo.footer(
      "Starts small routers on loopback addresses, opens a port on each with the ordinary client,\n"
      "shows which protocols were asked and which was taken, restarts the last router, gives the\n"
      "port back, and shows the router's table at each step.\n"
      "Nothing leaves this computer.\n"
      "\n"
      "Example:\n"
      "  damson demo");
}

void describe_gateway(CLI::App& gateway, gateway_words& words, gateway_arguments& arguments) {
  add_value(gateway, "--profile", words.profile, "NAME",
            "The kind of router to be (default: all, which speaks everything)");
  gateway
      .add_flag("--list-profiles", arguments.list_profiles,
                "Print the profiles: name, entries of docs/quirks.md, what it does")
      ->disable_flag_override();
  add_value(gateway, "--listen", words.listen, "ADDRESS",
            "The router's own address (default: a free one in 127.0.0.0/8)");
  add_value(gateway, "--wan", words.wan, "ADDRESS|none",
            "The public address (default: 1.2.3.4, which clients take for public)");
  add_value(gateway, "--control", words.control, "PATH",
            "Make a Unix socket there that takes commands, a line each; 'help' lists them");
  add_value(gateway, "--pcp-port", words.pcp_port, "PORT",
            "UDP port of PCP and NAT-PMP, 0 for any (default: 5351)");
  add_value(gateway, "--http-port", words.http_port, "PORT",
            "TCP port of UPnP, 0 for any (default: 5000)");
  add_value(gateway, "--lease", words.lease, "SECONDS",
            "Grant this, whatever is asked for (default: as the profile says)");
  gateway
      .add_flag("--no-multicast", words.no_multicast,
                "Hear only UPnP searches that are sent to the router's own address")
      ->disable_flag_override();
  gateway.add_flag("--json", arguments.json, "Print one JSON object a line")
      ->disable_flag_override();
  gateway.footer(
      "A simulated router on real ports, for tests of any program that opens ports, until SIGINT\n"
      "(Ctrl-C) or SIGTERM. Prints where it is, and each mapping that is opened or closed.\n"
      "It opens nothing: traffic does not pass through it.\n"
      "Exit codes: 0 done, 1 could not start, 2 wrong usage.\n"
      "\n"
      "Examples:\n"
      "  damson gateway\n"
      "  damson gateway --profile nat-pmp-only --listen 192.168.1.1\n"
      "  damson gateway --control /tmp/router & echo reboot | nc -NU /tmp/router");
}

/// In our words; those of the parser take several lines or speak of its own types.
std::string explain(const CLI::ParseError& error, const CLI::App& app) {
  std::string text = printable(error.what());
  const std::string option = text.substr(0, text.find(": "));
  if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr) {
    return app.got_subcommand("delete-range") ? "no FIRST-LAST was given" : "no PORT was given";
  }
  if (const auto rest = app.remaining(true);
      dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr && !rest.empty()) {
    return "unknown argument '" + printable(rest.front()) + "'";
  }
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr) {
    if (const std::size_t flag = text.find(" was given a disallowed flag override");
        flag != std::string::npos) {
      return "--" + text.substr(0, flag) + " takes no value";
    }
    return option + (text.ends_with("missing") ? " needs a value" : " was given more than once");
  }
  return text;
}

std::string usage_line(const std::string& what, const CLI::App& app) {
  std::string command = "damson";
  for (const std::string name :
       {"map", "demo", "gateway", "list", "status", "delete", "delete-range"}) {
    command += app.got_subcommand(name) ? " " + name : "";
  }
  return "damson: " + what + ". Try: " + command + " --help";
}

map_arguments read_words(const map_words& typed, map_arguments arguments) {
  const bool allow_permanent = arguments.request.allow_permanent;
  arguments.request = read_request(typed);
  arguments.request.allow_permanent = allow_permanent;
  if (arguments.wait) {
    // What is told meanwhile is why each protocol fails, not that time passes.
    if (!typed.timeout.empty()) {
      throw bad_value("--wait never gives up, so --timeout has no meaning with it");
    }
    arguments.request.timeout = longest_timeout;
  }
  if (!typed.gateway.empty()) {
    arguments.gateway = read_router("--gateway", typed.gateway, arguments.request.families);
  }
  if (!typed.upstream.empty()) {
    arguments.upstream = read_router("--upstream", typed.upstream, arguments.request.families);
  }
  arguments.pcp_servers = read_pcp_servers(typed.pcp_servers, arguments.request.families);
  if (!typed.stun.empty()) {
    arguments.stun_server = read_stun_server(typed.stun, arguments.request.families);
  }
  return arguments;
}

}  // namespace

command parse_arguments(std::span<const std::string> words, std::string_view damson_verbose) {
  CLI::App app{"Opens ports on your router, keeps them open and gives them back.", "damson"};
  app.set_version_flag("--version", std::string{"damson "} + library_version());
  app.require_subcommand(0, 1);
  app.get_formatter()->label("SUBCOMMAND", "COMMAND");
  app.get_formatter()->label("TEXT", "");
  app.get_formatter()->label("REQUIRED", "");
  app.footer(
      "Examples:\n"
      "  damson map 8080/tcp    open TCP port 8080 on your router until Ctrl-C\n"
      "  damson list            see what the router has open\n"
      "  damson demo            see it done on a router inside the program\n"
      "  damson gateway         be a router, for tests of other programs\n"
      "  damson map --help      everything that map can do");
  CLI::App& map = *app.add_subcommand("map", "Open a port on the router and keep it open");
  CLI::App& demo = *app.add_subcommand("demo", "See it done on a simulated router, on loopback");

  CLI::App& gateway =
      *app.add_subcommand("gateway", "Be a router for tests: simulated, on real ports");

  map_words typed;
  map_arguments arguments;
  gateway_words gateway_typed;
  gateway_arguments of_gateway;
  int verbosity = 0;
  bool no_permanent = false;
  describe_map(map, typed, arguments, no_permanent);
  describe_demo(demo);
  describe_gateway(gateway, gateway_typed, of_gateway);
  router_words of_router;
  of_router.describe(app);
  gateway.group("Commands");
  std::vector<CLI::App*> verbose_ones = of_router.commands();
  verbose_ones.insert(verbose_ones.end(), {&map, &demo});
  for (CLI::App* const subcommand : verbose_ones) {
    subcommand->group("Commands");
    subcommand->add_flag("-v,--verbose", verbosity, "More about what is done: -v, -vv, -vvv")
        ->disable_flag_override();
  }

  try {
    std::vector<std::string> reversed(words.rbegin(), words.rend());
    app.parse(std::move(reversed));
    if (demo.parsed()) {
      return demo_arguments{.level = level_of(verbosity, damson_verbose)};
    }
    if (gateway.parsed()) {
      read_words(gateway_typed, of_gateway);
      return of_gateway;
    }
    if (of_router.parsed()) {
      router_arguments out = of_router.read();
      out.level = level_of(verbosity, damson_verbose);
      return out;
    }
    if (!map.parsed()) {
      throw bad_value("no command was given");
    }
    arguments.request.allow_permanent = !no_permanent;
    arguments.level = level_of(verbosity, damson_verbose);
    return read_words(typed, arguments);
  } catch (const CLI::CallForHelp&) {
    return text_to_print{.text = app.help()};
  } catch (const CLI::CallForVersion& version) {
    return text_to_print{.text = std::string{version.what()} + "\n"};
  } catch (const CLI::ParseError& error) {
    return usage_error{.line = usage_line(explain(error, app), app)};
  } catch (const bad_value& error) {
    return usage_error{.line = usage_line(error.what(), app)};
  }
}

}  // namespace damson::cli
