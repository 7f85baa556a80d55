#include "lab/contacts.hpp"

#include <algorithm>
#include <charconv>
#include <ranges>
#include <string>
#include <string_view>

#include "lab/process.hpp"

namespace lab {
namespace {

constexpr std::string_view table = R"(
table inet contacts {
  set tcp4 {
    typeof ip daddr . tcp dport
    flags dynamic
  }
  set tcp6 {
    typeof ip6 daddr . tcp dport
    flags dynamic
  }
  set udp4 {
    typeof ip daddr . udp dport
    flags dynamic
  }
  set udp6 {
    typeof ip6 daddr . udp dport
    flags dynamic
  }
  chain leaving {
    type filter hook output priority 0;
    tcp flags & (syn | ack) == syn add @tcp4 { ip daddr . tcp dport }
    tcp flags & (syn | ack) == syn add @tcp6 { ip6 daddr . tcp dport }
    add @udp4 { ip daddr . udp dport }
    add @udp6 { ip6 daddr . udp dport }
  }
}
)";

// "192.168.77.1 . 1900" as nft writes it, with white space around.
endpoint read_element(std::string_view text) {
  constexpr std::string_view space = " \t\n";
  const std::size_t dot = text.find(" . ");
  const std::size_t begin = text.find_first_not_of(space);
  const std::size_t end = text.find_last_not_of(space);
  endpoint result;
  if (dot != std::string_view::npos && begin < dot) {
    result.address = text.substr(begin, dot - begin);
    const char* const last = text.data() + end + 1;
    const auto [stopped, failure] = std::from_chars(text.data() + dot + 3, last, result.port);
    if (failure == std::errc{} && stopped == last) return result;
  }
  throw error("not an element of a set of nft: " + std::string(text));
}

void read_elements(std::string_view listing, std::vector<endpoint>& into) {
  constexpr std::string_view start = "elements = {";
  const std::size_t begin = listing.find(start);
  if (begin == std::string_view::npos) return;
  const std::string_view rest = listing.substr(begin + start.size());
  for (const auto element : rest.substr(0, rest.find('}')) | std::views::split(','))
    into.push_back(read_element({element.begin(), element.end()}));
}

}  // namespace

contacts::contacts(const net_namespace& host) : host_(host) {
  run(host_, {"nft", "-f", "-"}, std::string(table));
}

contacts::~contacts() { try_run(host_, {"nft", "delete", "table", "inet", "contacts"}); }

std::vector<endpoint> contacts::list(transport which) const {
  std::vector<endpoint> result;
  for (const char family : {'4', '6'}) {
    const std::string set = std::string(to_string(which)) + family;
    read_elements(run(host_, {"nft", "--numeric", "list", "set", "inet", "contacts", set}), result);
  }
  return result;
}

bool contacts::sent_to_port(std::uint16_t port) const {
  return std::ranges::any_of(datagrams(), [&](const endpoint& to) { return to.port == port; });
}

}  // namespace lab
