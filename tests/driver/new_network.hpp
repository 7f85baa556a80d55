#pragma once

#include <functional>
#include <initializer_list>
#include <optional>
#include <string>

/// How a test body in a network of its own ended.
struct new_network_result {
  bool passed = false;
  /// Why there was no network to be had; the body did not run.
  std::optional<std::string> unavailable;
};

/// Runs a test body in a child process with a network namespace of its own, in which only the
/// loopback interface is there, and up. Failures of the body are printed by the child. To be called
/// while the process has one thread.
new_network_result in_new_network(const std::function<void()>& body);

/// Runs the ip tool with these arguments; a failure of it is one of the test.
void ip(std::initializer_list<std::string> arguments);

#define DAMSON_RUN_IN_NEW_NETWORK(...)                           \
  const new_network_result result = in_new_network(__VA_ARGS__); \
  if (result.unavailable) GTEST_SKIP() << *result.unavailable;   \
  EXPECT_TRUE(result.passed)
