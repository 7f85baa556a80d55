#include "test_router.hpp"

#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <string_view>

#include "driver/endpoints.hpp"

using namespace damson;

const ip_address router_public_address{ip_address::v4_bytes{1, 2, 3, 4}};

ip_address unused_loopback_address() {
  // Process ids have 22 bits on Linux at most; two are left, for the addresses of one program. The
  // highest bit keeps off 127.0.0.0/9, where the system's own services are.
  static std::atomic<std::uint32_t> used{0};
  const auto number = (static_cast<std::uint32_t>(::getpid()) << 1U | (used++ & 1U)) | 0x800000U;
  const auto byte = [number](unsigned shift) {
    return static_cast<std::uint8_t>(number >> shift & 0xffU);
  };
  return ip_address{ip_address::v4_bytes{127, byte(16), byte(8), byte(0)}};
}

options options_for(const ip_address& router) {
  options out;
  out.gateway = router;
  if (std::getenv("DAMSON_VERBOSE") != nullptr) {
    out.level = log_level::trace;
    out.log = [](log_level level, std::string_view line) {
      std::cerr << to_string(level) << ": " << line << '\n';
    };
  }
  return out;
}

silent_router::silent_router()
    : address_(unused_loopback_address()),
      socket_(io_, driver::to_asio(endpoint{address_, 5351})) {}

test_router::test_router(const sim::profile& how)
    : router_(how,
              {.address = unused_loopback_address(), .public_address = router_public_address}) {}
