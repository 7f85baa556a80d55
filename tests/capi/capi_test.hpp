#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include <plum/plum.h>

#include "interop/lab/sandbox.hpp"
#include "interop/lab/support.hpp"
#include "lan.hpp"
#include "plum_listener.hpp"

/// The fixture of the tests that have a network: skips where none can be built. Leaves the library
/// stopped, whatever the test did.
class capi_network : public testing::Test {
 protected:
  void SetUp() override {
    const std::optional<std::string>& why = lab::unavailable();
    if (why && lab::environment_flag("DAMSON_INTEROP_REQUIRED")) FAIL() << "no lab here: " << *why;
    if (why) GTEST_SKIP() << "no lab here: " << *why;
  }
  void TearDown() override { plum_cleanup(); }

  static void start() { start(quiet_config()); }
  static void start(const plum_config_t& config) {
    ASSERT_EQ(plum_init(&config), PLUM_ERR_SUCCESS);
  }
};
