#include <gtest/gtest.h>

#include <cstddef>
#include <span>
#include <vector>

#include "interop/lab/sandbox.hpp"

int main(int argc, char** argv) {
  // GoogleTest takes its own arguments out; the program inside the sandbox needs all of them.
  const std::span all(argv, static_cast<std::size_t>(argc) + 1);
  std::vector<char*> arguments(all.begin(), all.end());
  testing::InitGoogleTest(&argc, argv);
  if (!GTEST_FLAG_GET(list_tests)) lab::enter_sandbox(arguments.data());
  return RUN_ALL_TESTS();
}
