#include "lab/nft_gateway.hpp"

#include <chrono>
#include <optional>

namespace lab {
namespace {

constexpr milliseconds limit{10'000};
constexpr milliseconds poll_interval{5};

/// The value of a member of a flat JSON object, without its quotation marks.
std::string member(std::string_view line, std::string_view name) {
  const std::string key = "\"" + std::string(name) + "\":";
  std::size_t begin = line.find(key);
  if (begin == std::string_view::npos) return {};
  begin += key.size();
  const bool is_text = line[begin] == '"';
  begin += is_text ? 1 : 0;
  const std::size_t end = line.find_first_of(is_text ? "\"" : ",}", begin);
  return std::string(line.substr(begin, end - begin));
}

}  // namespace

nft_gateway::nft_gateway(const network& where, std::string_view tool, std::string_view external)
    : network_(where),
      program_(where.router(),
               {std::string(tool), "gateway", "--json", "--listen",
                std::string(where.gateway_address()), "--wan", std::string(external)}) {
  const std::string first = program_.read_line(limit).value_or("");
  if (member(first, "event") != "serving") throw error("damson gateway does not serve: " + first);
  follower_ = std::jthread([this](const std::stop_token& stop) { follow(stop); });
}

nft_gateway::~nft_gateway() {
  follower_.request_stop();
  follower_.join();
  try {
    network_.flush_rules();
  } catch (const error& failure) {
    lab::note(failure.what());
  }
}

void nft_gateway::follow(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const std::optional<std::string> line = program_.read_line(poll_interval);
    if (line) note(*line);
  }
}

void nft_gateway::note(std::string_view line) {
  const std::string event = member(line, "event");
  const std::pair key{member(line, "transport"), member(line, "external_port")};
  if (event == "opened") {
    rules_[key] = endpoint::parse(member(line, "internal"));
  } else if (event == "closed") {
    rules_.erase(key);
  } else {
    return;
  }
  apply();
}

/// All of them in one transaction, so that none is missing for a moment.
void nft_gateway::apply() const {
  std::string commands =
      "flush chain inet filter miniupnpd\n"
      "flush chain inet filter prerouting_miniupnpd\n";
  for (const auto& [key, to] : rules_) {
    const auto& [transport, port] = key;
    commands += "add rule inet filter prerouting_miniupnpd iifname wan0 " + transport + " dport " +
                port + " dnat ip to " + to_string(to) + "\n" +
                "add rule inet filter miniupnpd ip daddr " + to.address + " " + transport +
                " dport " + std::to_string(to.port) + " accept\n";
  }
  run(network_.router(), {"nft", "-f", "-"}, commands);
}

void nft_gateway::await(std::size_t mappings) const {
  const steady_clock::time_point deadline = steady_clock::now() + limit;
  while (network_.port_mappings() != mappings) {
    if (steady_clock::now() > deadline) throw error("the kernel has not the gateway's mappings");
    std::this_thread::sleep_for(poll_interval);
  }
}

}  // namespace lab
