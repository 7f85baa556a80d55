// The end of the process without plum_cleanup, and C programs from their beginning to their end.

#include <gmock/gmock.h>

#include <chrono>
#include <cstdlib>
#include <string>

#include "capi_test.hpp"
#include "interop/lab/process.hpp"

namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

class capi_program : public capi_network {};

class capi_exit : public capi_network, public testing::WithParamInterface<const char*> {};

TEST_P(capi_exit, neither_hangs_nor_crashes) {
  lan net;
  for (int round = 0; round < 10; ++round) {
    // What the last one left to its lease is not ours to change.
    net.change([](damson::sim::gateway& router, damson::time_point) { router.forget_all(); });
    lab::process program(net.host(), {DAMSON_EXIT_PROGRAM, GetParam()});
    ASSERT_EQ(program.wait(20s), 7) << program.out() << program.err();
    EXPECT_EQ(program.err(), "");
    // No callback begins once the process exits, unless somebody stops the library all the same.
    const std::string way = GetParam();
    if (way == "destroy-at-exit") {
      EXPECT_EQ(program.out(), "two are gone\n");
    }
    if (way == "cleanup-at-exit") {
      EXPECT_THAT(program.out(), HasSubstr("destroyed\n"));
      EXPECT_THAT(program.out(), HasSubstr("cleanup 0\n"));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(ways, capi_exit,
                         testing::Values("return", "exit", "exit-while-pending", "exit-in-callback",
                                         "callback-stuck", "destroy-and-exit", "destroy-at-exit",
                                         "cleanup-at-exit"),
                         [](const testing::TestParamInfo<const char*>& way) {
                           std::string name = way.param;
                           for (char& c : name) c = c == '-' ? '_' : c;
                           return name;
                         });

void expect_success(const lan& net, const std::string& program) {
  const lab::run_result result = lab::try_run(net.host(), {program});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(result.out, "local 192.168.77.10\nexternal 1.2.3.4 8080\ndone\n");
}

TEST_F(capi_program, in_c99_opens_a_port_and_gives_it_back) {
  expect_success(lan{}, DAMSON_PROGRAM_C99);
}

TEST_F(capi_program, in_c11_opens_a_port_and_gives_it_back) {
  expect_success(lan{}, DAMSON_PROGRAM_C11);
}

TEST_F(capi_program, that_was_written_for_an_older_interface_opens_a_port) {
  const lan net;
  const lab::run_result result = lab::try_run(net.host(), {DAMSON_OLDER_PROGRAM});
  EXPECT_EQ(result.status, 0) << result.out << result.err;
}

// The library of another name is found, and is this one.
TEST_F(capi_program, that_was_linked_to_another_library_gets_this_one_through_a_symbolic_link) {
  const lan net;
  const lab::scratch_directory folder;
  lab::run(net.host(), {"ln", "-s", DAMSON_PLUM_LIBRARY, folder.file("libplum.so.0")});
  const std::string path = "LD_LIBRARY_PATH=" + folder.file("");
  lab::process program(net.host(), {DAMSON_MOVED_PROGRAM}, {.input = {}, .environment = {path}});
  EXPECT_EQ(program.wait(20s), 0) << program.err();
  EXPECT_EQ(program.out(), "local 192.168.77.10\nexternal 1.2.3.4 8080\ndone\n");
}

TEST_F(capi_program, that_was_linked_to_another_library_gets_this_one_by_preloading) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "what the address sanitizer needs has to be loaded first";
#endif
  const lan net;
  const std::string path = std::string{"LD_LIBRARY_PATH="} + DAMSON_STAND_IN_FOLDER;
  const std::string preload = std::string{"LD_PRELOAD="} + DAMSON_PLUM_LIBRARY;
  lab::process program(net.host(), {DAMSON_MOVED_PROGRAM},
                       {.input = {}, .environment = {path, preload}});
  EXPECT_EQ(program.wait(20s), 0) << program.err();
  EXPECT_EQ(program.out(), "local 192.168.77.10\nexternal 1.2.3.4 8080\ndone\n");
}

}  // namespace
