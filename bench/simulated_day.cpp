#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <iomanip>
#include <iostream>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "benchmarks.hpp"
#include "sim/profiles.hpp"
#include "sim/world.hpp"

namespace damson::bench {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t mappings = 10;
constexpr int repetitions = 9;

struct day {
  double cpu = 0;             ///< ms, the router's and the link's share included
  std::size_t datagrams = 0;  ///< that the host sent
  std::size_t exchanges = 0;  ///< HTTP
  std::size_t wake_ups = 0;   ///< by the engine's deadline
};

/// Each step of the world is looked at, and those counted in which the deadline was reached that
/// the engine had named before.
std::size_t run_and_count_wake_ups(sim::world& w, std::chrono::nanoseconds span) {
  std::size_t count = 0;
  auto deadline = w.engine_deadline();
  w.run_until(
      [&] {
        if (deadline && w.clock() >= *deadline) ++count;
        deadline = w.engine_deadline();
        return false;
      },
      span);
  return count;
}

day live_through(const sim::profile& router) {
  const stopwatch watch;
  sim::scene what;
  what.router = router;
  sim::world w(what);
  for (std::size_t i = 0; i < mappings; ++i) {
    map_request wanted;
    wanted.transport = i % 2 == 0 ? transport::tcp : transport::udp;
    wanted.internal_port = static_cast<std::uint16_t>(8'000 + i);
    w.create(wanted);
  }
  day out;
  out.wake_ups = run_and_count_wake_ups(w, 24h);
  out.cpu = watch.milliseconds();
  if (w.count_events(event_kind::mapped) != mappings)
    throw std::runtime_error("not all are mapped");
  out.datagrams = w.sent_count();
  out.exchanges = w.requests().size();
  return out;
}

/// The one with the median CPU time.
day median_of(const sim::profile& router) {
  std::array<day, repetitions> days;
  std::ranges::generate(days, [&] { return live_through(router); });
  std::ranges::sort(days, {}, &day::cpu);
  return days.at(repetitions / 2);
}

}  // namespace

void simulated_day() {
  std::cout << "A simulated day of one host with " << mappings << " mappings (median of "
            << repetitions << ", the simulated router included)\n"
            << std::left << std::setw(14) << "router" << std::right << std::setw(10) << "CPU ms"
            << std::setw(12) << "datagrams" << std::setw(8) << "HTTP" << std::setw(10) << "wake-ups"
            << '\n';
  for (const std::string_view name : {"strict", "nat-pmp-only", "upnp-only", "igd2"}) {
    const sim::named_profile* router = sim::find_profile(name);
    if (router == nullptr) throw std::runtime_error("no router " + std::string{name});
    const day it = median_of(router->how);
    std::cout << std::left << std::setw(14) << name << std::right << std::fixed
              << std::setprecision(1) << std::setw(10) << it.cpu << std::setw(12) << it.datagrams
              << std::setw(8) << it.exchanges << std::setw(10) << it.wake_ups << '\n';
  }
}

}  // namespace damson::bench
