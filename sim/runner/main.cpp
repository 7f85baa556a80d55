// damson-sim: whole lives of a client in virtual time, each made out of one number.

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <exception>
#include <iomanip>
#include <iostream>
#include <mutex>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <CLI/CLI.hpp>

#include "sim/exhaustive.hpp"
#include "sim/profiles.hpp"
#include "sim/runner/live_bytes.hpp"
#include "sim/soak.hpp"

namespace {

using damson::sim::find_profile;
using damson::sim::live;
using damson::sim::live_bytes;
using damson::sim::named_profile;
using damson::sim::profiles;
using damson::sim::soak_outcome;
using damson::sim::soak_settings;

struct arguments {
  std::uint64_t first = 1;
  std::uint64_t last = 1;
  std::optional<double> hours;
  const named_profile* router = nullptr;
  bool trace = false;
  unsigned jobs = 1;

  std::uint64_t count() const { return last - first + 1; }
};

std::string hexadecimal(std::uint64_t value) {
  std::ostringstream out;
  out << std::hex << std::setw(16) << std::setfill('0') << value;
  return out.str();
}

/// So many lives are longer than nanoseconds can count.
using hours = std::chrono::duration<double, std::ratio<3'600>>;
constexpr double hours_in_a_year = 8'766;

/// What all threads add to.
struct totals {
  std::mutex mutex;
  std::uint64_t seeds = 0;
  std::uint64_t broken = 0;
  std::uint64_t happenings = 0;
  std::uint64_t traces = 0;  ///< the hash of each seed, in whatever order they end
  hours simulated{};
};

void report_broken(const arguments& what, std::uint64_t seed, const soak_outcome& life) {
  std::cout << "seed " << seed << " (" << life.router << ") is broken: " << *life.broken << '\n'
            << life.last_lines << "again: damson-sim --seed " << seed;
  if (what.hours) std::cout << " --hours " << *what.hours;
  if (what.router != nullptr) std::cout << " --profile " << what.router->name;
  std::cout << " --trace\n";
}

void show_progress(const totals& so_far, std::uint64_t all) {
  if (::isatty(STDERR_FILENO) == 0) return;
  std::cerr << '\r' << so_far.seeds << " of " << all << " seeds, " << so_far.broken << " broken ";
}

void work(const arguments& what, std::atomic<std::uint64_t>& next, totals& all) {
  std::optional<std::chrono::seconds> trouble;
  if (what.hours) trouble = std::chrono::seconds{static_cast<std::int64_t>(*what.hours * 3'600)};
  for (std::uint64_t nth = next++; nth < what.count(); nth = next++) {
    const std::uint64_t seed = what.first + nth;
    const soak_outcome life = live({.seed = seed,
                                    .trouble = trouble,
                                    .router = what.router,
                                    .keeps_transcript = what.trace,
                                    .live_bytes = live_bytes});
    const std::lock_guard lock{all.mutex};
    ++all.seeds;
    all.happenings += life.happenings;
    all.traces += life.trace_hash * (2 * seed + 1);
    all.simulated += life.simulated;
    if (what.trace) std::cout << life.transcript;
    if (life.broken) {
      ++all.broken;
      report_broken(what, seed, life);
    } else if (what.first == what.last) {
      std::cout << "seed " << seed << " (" << life.router << "): " << hours{life.simulated}.count()
                << " h, " << life.happenings << " happenings, trace "
                << hexadecimal(life.trace_hash) << '\n';
    }
    if (all.seeds % 100 == 0) show_progress(all, what.count());
  }
}

int run(const arguments& what) {
  const auto began = std::chrono::steady_clock::now();
  std::atomic<std::uint64_t> next{0};
  totals all;
  {
    std::vector<std::jthread> workers;
    for (unsigned i = 0; i < what.jobs; ++i) workers.emplace_back([&] { work(what, next, all); });
  }
  if (::isatty(STDERR_FILENO) != 0) std::cerr << '\r';
  const double cpu = static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
  const double wall =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  std::cout << std::fixed << std::setprecision(1) << all.seeds << " seeds, " << all.broken
            << " broken; " << all.simulated.count() / hours_in_a_year << " simulated years, "
            << all.happenings << " happenings, traces " << hexadecimal(all.traces) << "; "
            << static_cast<double>(all.seeds) / wall << " seeds a second, "
            << all.simulated.count() / cpu << " simulated hours a CPU second\n";
  return all.broken == 0 ? 0 : 1;
}

int run_exhaustive(std::size_t longest) {
  const auto all = damson::sim::live_all(longest);
  std::cout << all.lives << " orders of up to " << longest << " events, " << all.broken
            << " broken; " << static_cast<double>(std::clock()) / CLOCKS_PER_SEC
            << " s of CPU time\n";
  if (all.first) std::cout << "the first: " << *all.first << '\n';
  return all.broken == 0 ? 0 : 1;
}

std::uint64_t number_of(const std::string& text) {
  std::uint64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [read_to, error] = std::from_chars(text.data(), end, value);
  if (error == std::errc::result_out_of_range) {
    throw CLI::ValidationError("'" + text + "' is too large for a seed");
  }
  if (error != std::errc{} || read_to != end) {
    throw CLI::ValidationError("'" + text + "' is no number");
  }
  return value;
}

void read_seeds(const std::string& text, arguments& into) {
  const auto dots = text.find("..");
  into.first = number_of(text.substr(0, dots));
  into.last = dots == std::string::npos ? into.first : number_of(text.substr(dots + 2));
  if (into.last < into.first) throw CLI::ValidationError("--seeds A..B wants A up to B");
  if (into.count() == 0) throw CLI::ValidationError("these are too many seeds");
}

void list_profiles() {
  std::size_t longest = 0;
  for (const auto& each : profiles()) longest = std::max(longest, each.name.size());
  for (const auto& each : profiles()) {
    std::cout << std::left << std::setw(static_cast<int>(longest) + 2) << each.name << each.says
              << (each.quirks.empty() ? "" : " (") << each.quirks
              << (each.quirks.empty() ? "" : ")") << '\n';
  }
}

}  // namespace

int main(int argc, char** argv) {
  arguments what;
  std::string seeds = "1..1000";
  std::string router;
  bool list = false;
  std::size_t longest = 0;
  CLI::App app{
      "Lets clients live through trouble in virtual time, one for each seed, then heals everything "
      "and demands what must hold.",
      "damson-sim"};
  app.add_option("--seed,--seeds", seeds, "One seed, N, or many, A..B")->capture_default_str();
  app.add_option("--hours", what.hours, "Of trouble in each life; else each seed decides")
      ->check(CLI::Range(0.01, 1e6));
  app.add_option("--profile", router, "The router; else each seed picks one");
  app.add_option("--jobs", what.jobs, "Threads")->capture_default_str()->check(CLI::Range(1, 64));
  app.add_flag("--trace", what.trace, "Print every packet, exchange and event");
  app.add_option("--exhaustive", longest,
                 "Instead: every order of up to so many events on the smallest worlds")
      ->check(CLI::Range(1, 8));
  app.add_flag("--list-profiles", list, "Print the routers there are");
  try {
    app.parse(argc, argv);
    if (list) {
      list_profiles();
      return 0;
    }
    if (longest > 0) return run_exhaustive(longest);
    read_seeds(seeds, what);
    if (!router.empty()) {
      what.router = find_profile(router);
      if (what.router == nullptr) {
        throw CLI::ValidationError("no profile '" + router + "'; see --list-profiles");
      }
    }
    return run(what);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  } catch (const std::exception& error) {
    std::cerr << "damson-sim: " << error.what() << '\n';
    return 2;
  }
}
