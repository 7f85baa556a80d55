#pragma once

/// What `make bench` measures. Figures are printed and never asserted: they are about the machine
/// as much as about the program.

#include <ctime>

namespace damson::bench {

/// CPU time of this process since it was made.
class stopwatch {
 public:
  double milliseconds() const {
    return 1e3 * static_cast<double>(std::clock() - began_) / CLOCKS_PER_SEC;
  }

 private:
  std::clock_t began_ = std::clock();
};

/// One host with ten mappings, for a day in virtual time, on a router of each protocol.
void simulated_day();

}  // namespace damson::bench
