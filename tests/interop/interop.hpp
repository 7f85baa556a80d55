#pragma once

#include <gtest/gtest.h>

#include "lab/lab.hpp"

/// The fixture of every interop test: skips, with the reason, where no lab can be built. With
/// DAMSON_INTEROP_REQUIRED=1 in the environment that is a failure instead, for machines on which it
/// must never be missed.
class interop : public testing::Test {
 protected:
  void SetUp() override {
    const std::optional<std::string>& why = lab::unavailable();
    if (why && lab::environment_flag("DAMSON_INTEROP_REQUIRED")) FAIL() << "no lab here: " << *why;
    if (why) GTEST_SKIP() << "no lab here: " << *why;
  }

  /// Bytes from the WAN host reach this very listener through `at`, and its answer comes back.
  static testing::AssertionResult reaches(const lab::network& net, const lab::listener& server,
                                          const lab::endpoint& at) {
    const lab::probe_result result = lab::probe(net.wan(), server, at);
    return testing::AssertionResult(result.how == lab::reach::answered)
           << "from the WAN host to " << at << '/' << server.which() << ": " << result;
  }

  /// Nothing that the WAN host sends to `at` in a new flow reaches the listener.
  static testing::AssertionResult cut_off(const lab::network& net, const lab::listener& server,
                                          const lab::endpoint& at) {
    const lab::probe_result result = lab::probe(net.wan(), server, at, lab::cut_off_limit);
    return testing::AssertionResult(result.how == lab::reach::refused ||
                                    result.how == lab::reach::silent)
           << "from the WAN host to " << at << '/' << server.which() << ": " << result;
  }
};
