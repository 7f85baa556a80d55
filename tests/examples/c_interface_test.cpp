// The C example, which finds the router through the default route as every program does.

#include <gmock/gmock.h>

#include <csignal>
#include <string>
#include <vector>

#include "routed_network.hpp"
#include "tests/cli/child_process.hpp"
#include "tests/driver/new_network.hpp"

namespace damson::examples {
namespace {

using cli::child_process;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

void open_and_give_back() {
  routed_network network;
  child_process child{{DAMSON_EXAMPLE_C_INTERFACE, "--once", "8081"}};
  EXPECT_EQ(child.wait(), 0) << child.errors();
  EXPECT_EQ(child.output(), "port 8081 is open as 198.51.100.7:8081 through pcp\ngiven back\n");
  EXPECT_THAT(network.rules(), IsEmpty());
}

void keep_open_until_a_signal() {
  routed_network network;
  child_process child{{DAMSON_EXAMPLE_C_INTERFACE}};
  EXPECT_THAT(child.wait_for_line("is open"), HasSubstr("198.51.100.7:8080"));
  EXPECT_THAT(network.rules(), SizeIs(1));
  child.signal(SIGINT);
  EXPECT_EQ(child.wait(), 0) << child.errors();
  EXPECT_THAT(child.output(), HasSubstr("\ngiven back\n"));
  EXPECT_THAT(network.rules(), IsEmpty());
}

void say_that_there_is_no_router() {
  child_process child{{DAMSON_EXAMPLE_C_INTERFACE, "--once"}};
  EXPECT_EQ(child.wait(), 1);
  EXPECT_EQ(child.output(), "not open; trying again until Ctrl-C\ngiven back\n");
}

TEST(c_example, opens_the_port_and_gives_it_back) { DAMSON_RUN_IN_NEW_NETWORK(open_and_give_back); }

TEST(c_example, keeps_the_port_open_until_a_signal) {
  DAMSON_RUN_IN_NEW_NETWORK(keep_open_until_a_signal);
}

TEST(c_example, says_that_there_is_no_router) {
  DAMSON_RUN_IN_NEW_NETWORK(say_that_there_is_no_router);
}

TEST(c_example, refuses_what_makes_no_sense) {
  for (const std::string word : {"0", "65536", "80x", "--help"}) {
    child_process child{{DAMSON_EXAMPLE_C_INTERFACE, word}};
    EXPECT_EQ(child.wait(), 2);
    EXPECT_THAT(child.errors(), HasSubstr("usage: "));
  }
}

}  // namespace
}  // namespace damson::examples
