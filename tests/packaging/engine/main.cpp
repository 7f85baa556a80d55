#include <array>
#include <cstdint>
#include <iostream>
#include <optional>
#include <system_error>
#include <variant>

#include <damson/engine.hpp>
#include <damson/network.hpp>

int main() {
  const std::array<std::uint64_t, 4> seed{1, 2, 3, 4};
  damson::engine engine{{}, seed};
  engine.handle(damson::boot_time_now(),
                damson::create_mapping{damson::mapping_id{1}, {.internal_port = 8080}});
  const auto first = engine.poll();
  std::error_code error;
  const auto facts = damson::read_network_facts(error);
  std::cout << facts.addresses.size() << " addresses\n";
  return first && std::holds_alternative<damson::look_at_network>(*first) && !error ? 0 : 1;
}
