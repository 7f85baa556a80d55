#pragma once

#include <chrono>

#include <boost/asio/io_context.hpp>

/// Far longer than anything here takes on the slowest machine, so that only a failure reaches it.
inline constexpr std::chrono::seconds patience{60};

/// Runs handlers until the condition holds. False when it never will: no handler is left, or
/// patience.
template <class Condition>
bool run_until(boost::asio::io_context& io, Condition holds) {
  const auto end = std::chrono::steady_clock::now() + patience;
  while (!holds()) {
    if (io.stopped()) io.restart();
    if (io.run_one_until(end) == 0) return holds();
  }
  return true;
}
