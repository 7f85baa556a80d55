#include "driver/os_random.hpp"

#include <sys/random.h>

#include <cerrno>
#include <cstddef>
#include <span>
#include <system_error>

namespace damson::driver {

std::array<std::uint64_t, 4> random_seed() {
  std::array<std::uint64_t, 4> seed{};
  std::span<std::byte> rest = std::as_writable_bytes(std::span{seed});
  while (!rest.empty()) {
    const auto got = ::getrandom(rest.data(), rest.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw std::system_error{errno, std::system_category(), "getrandom"};
    rest = rest.subspan(static_cast<std::size_t>(got));
  }
  return seed;
}

}  // namespace damson::driver
