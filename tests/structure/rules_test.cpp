#include "rules.hpp"

#include <gmock/gmock.h>

#include <array>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace damson::structure {
namespace {

using testing::AllOf;
using testing::Each;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

/// A tree in which every header that the cases include exists.
source_tree tree_with(const std::string& path, const std::string& text) {
  source_tree tree;
  for (const char* const header :
       {"include/damson/types.hpp", "include/damson/client.hpp", "include/compat/plum/plum.h",
        "src/base/check.hpp", "src/base/byte_reader.hpp", "src/base/byte_writer.hpp",
        "src/wire/pcp.hpp", "src/proto/pcp_client.hpp", "src/core/engine.hpp", "src/net/route.hpp",
        "src/driver/pump.hpp", "src/state/store.hpp", "sim/gateway.hpp", "sim/socket_gateway.hpp",
        "cli/arguments.hpp", "tests/interop/lab/daemon.hpp"}) {
    tree.emplace(header, "#pragma once\n");
  }
  tree.insert_or_assign(path, text);
  return tree;
}

struct include_case {
  std::string_view from;
  std::string_view include;
};

std::vector<violation> violations_of(const include_case& c) {
  return check_includes(
      tree_with(std::string{c.from}, "\n#include " + std::string{c.include} + "\n"));
}

TEST(include_direction, lets_each_folder_use_what_stands_below_it) {
  static constexpr auto cases = std::to_array<include_case>({
      {.from = "include/damson/options.hpp", .include = "<vector>"},
      {.from = "include/damson/options.hpp", .include = "<damson/types.hpp>"},
      {.from = "include/damson/mapping.hpp", .include = "<boost/asio/any_io_executor.hpp>"},
      {.from = "include/damson/mapping.hpp", .include = "<damson/types.hpp>"},
      {.from = "include/compat/plum/plum.h", .include = "<stdint.h>"},
      {.from = "src/base/rng.cpp", .include = "<damson/types.hpp>"},
      {.from = "src/base/rng.cpp", .include = "\"base/check.hpp\""},
      {.from = "src/wire/ssdp.cpp", .include = "\"base/byte_reader.hpp\""},
      {.from = "src/wire/ssdp.cpp", .include = "<boost/url/parse.hpp>"},
      {.from = "src/wire/ssdp.cpp", .include = "<pugixml.hpp>"},
      {.from = "src/proto/epoch.cpp", .include = "\"wire/pcp.hpp\""},
      {.from = "src/core/renewal.cpp", .include = "\"proto/pcp_client.hpp\""},
      {.from = "src/net/linux.cpp", .include = "<libmnl/libmnl.h>"},
      {.from = "src/net/linux.cpp", .include = "<linux/rtnetlink.h>"},
      {.from = "src/driver/udp.cpp", .include = "<boost/asio/ip/udp.hpp>"},
      {.from = "src/driver/udp.cpp", .include = "<netinet/in.h>"},
      {.from = "src/driver/udp.cpp", .include = "\"net/route.hpp\""},
      {.from = "src/driver/udp.cpp", .include = "\"core/engine.hpp\""},
      {.from = "src/capi/plum.cpp", .include = "<plum/plum.h>"},
      {.from = "src/capi/plum.cpp", .include = "<damson/client.hpp>"},
      {.from = "src/capi/http_fetch.cpp", .include = "<boost/beast/http/read.hpp>"},
      {.from = "cli/main.cpp", .include = "\"arguments.hpp\""},
      {.from = "cli/main.cpp", .include = "\"sim/socket_gateway.hpp\""},
      {.from = "cli/main.cpp", .include = "<CLI/CLI.hpp>"},
      {.from = "cli/main.cpp", .include = "<unistd.h>"},
      {.from = "sim/nat.cpp", .include = "\"base/check.hpp\""},
      {.from = "sim/socket_loop.cpp", .include = "<boost/asio/ip/udp.hpp>"},
      {.from = "tests/driver/udp_test.cpp", .include = "\"driver/pump.hpp\""},
      {.from = "tests/interop/nat_test.cpp", .include = "\"lab/daemon.hpp\""},
      {.from = "tests/interop/lab/other.cpp", .include = "\"lab/daemon.hpp\""},
      {.from = "tests/interop/nat_test.cpp", .include = "<sys/wait.h>"},
      {.from = "examples/port_mapping.cpp", .include = "<damson/client.hpp>"},
  });
  for (const include_case& c : cases) {
    EXPECT_THAT(violations_of(c), IsEmpty());
  }
}

TEST(include_direction, refuses_every_other_way) {
  static constexpr auto cases = std::to_array<include_case>({
      {.from = "include/damson/options.hpp", .include = "<boost/system/error_code.hpp>"},
      {.from = "include/damson/options.hpp", .include = "<damson/client.hpp>"},
      {.from = "include/damson/options.hpp", .include = "\"base/check.hpp\""},
      {.from = "include/damson/options.hpp", .include = "<netinet/in.h>"},
      {.from = "include/damson/mapping.hpp", .include = "\"core/engine.hpp\""},
      {.from = "include/damson/mapping.hpp", .include = "<boost/beast/http.hpp>"},
      {.from = "include/compat/plum/plum.h", .include = "<damson/types.hpp>"},
      {.from = "src/base/rng.cpp", .include = "\"wire/pcp.hpp\""},
      {.from = "src/base/rng.cpp", .include = "<damson/client.hpp>"},
      {.from = "src/base/rng.cpp", .include = "<unistd.h>"},
      {.from = "src/wire/ssdp.cpp", .include = "\"proto/pcp_client.hpp\""},
      {.from = "src/wire/ssdp.cpp", .include = "<arpa/inet.h>"},
      {.from = "src/wire/ssdp.cpp", .include = "<boost/asio/ip/address.hpp>"},
      {.from = "src/proto/epoch.cpp", .include = "\"core/engine.hpp\""},
      {.from = "src/proto/epoch.cpp", .include = "<pugixml.hpp>"},
      {.from = "src/core/renewal.cpp", .include = "\"driver/pump.hpp\""},
      {.from = "src/core/renewal.cpp", .include = "\"net/route.hpp\""},
      {.from = "src/core/renewal.cpp", .include = "<boost/asio.hpp>"},
      {.from = "src/core/renewal.cpp", .include = "<sys/socket.h>"},
      {.from = "src/net/linux.cpp", .include = "\"core/engine.hpp\""},
      {.from = "src/net/linux.cpp", .include = "<boost/asio.hpp>"},
      {.from = "src/driver/udp.cpp", .include = "\"wire/pcp.hpp\""},
      {.from = "src/driver/udp.cpp", .include = "\"sim/gateway.hpp\""},
      {.from = "src/driver/udp.cpp", .include = "<plum/plum.h>"},
      {.from = "src/capi/plum.cpp", .include = "\"driver/pump.hpp\""},
      {.from = "src/capi/plum.cpp", .include = "\"core/engine.hpp\""},
      {.from = "src/capi/plum.cpp", .include = "\"base/check.hpp\""},
      {.from = "cli/main.cpp", .include = "\"core/engine.hpp\""},
      {.from = "cli/main.cpp", .include = "\"src/core/engine.hpp\""},
      {.from = "sim/nat.cpp", .include = "\"wire/pcp.hpp\""},
      {.from = "sim/nat.cpp", .include = "\"sim/socket_gateway.hpp\""},
      {.from = "sim/nat.cpp", .include = "<boost/asio.hpp>"},
      {.from = "sim/socket_loop.cpp", .include = "\"proto/pcp_client.hpp\""},
      {.from = "examples/port_mapping.cpp", .include = "\"base/check.hpp\""},
      {.from = "src/invented/x.cpp", .include = "<vector>"},
      {.from = "tests/unit/x.cpp", .include = "\"base/misspelt.hpp\""},
      {.from = "tests/unit/x.cpp", .include = "\"lab/daemon.hpp\""},
      {.from = "tests/unit/x.cpp", .include = "\"../base/check.hpp\""},
      {.from = "tests/unit/x.cpp", .include = "</usr/include/stdio.h>"},
      {.from = "tests/unit/x.cpp", .include = "A_MACRO"},
  });
  for (const include_case& c : cases) {
    EXPECT_THAT(violations_of(c),
                ElementsAre(AllOf(Field(&violation::path, c.from), Field(&violation::line, 2U))))
        << c.from << " includes " << c.include;
  }
}

TEST(banned_calls, are_found_in_the_engine_and_in_the_models) {
  static constexpr auto lines = std::to_array<std::string_view>({
      "auto t = std::chrono::steady_clock::now();",
      "auto t = clock_type :: now ();",
      "auto t = std::time(nullptr);",
      "auto t = ::time(nullptr);",
      "clock_gettime(CLOCK_BOOTTIME, &t);",
      "std::thread t{f};",
      "std::jthread t{f};",
      "auto f = std::async(g);",
      "thread_local int n = 0;",
      "std::this_thread::yield();",
      "sleep(1);",
      "std::mutex m;",
      "std::atomic<int> n;",
      "std::condition_variable c;",
      "std::random_device d;",
      "int n = rand();",
      "int n = std::rand();",
      "auto v = std::getenv(\"HOME\");",
      "int s = socket(AF_INET, SOCK_DGRAM, 0);",
      "std::cout << 1;",
      "std::cerr << 1;",
      "printf(\"%d\", n);",
      "std::fprintf(stderr, \"%d\", n);",
      "std::puts(\"done\");",
      "#include <thread>",
      "#include <mutex>",
      "#include <atomic>",
      "#include <iostream>",
      "#include <ctime>",
  });
  for (const std::string_view line : lines) {
    for (const char* const path : {"include/damson/types.hpp", "src/base/x.cpp", "src/wire/x.cpp",
                                   "src/proto/x.hpp", "src/core/x.cpp", "sim/x.cpp"}) {
      EXPECT_THAT(check_banned_calls({{path, "\n\n" + std::string{line} + "\n"}}),
                  AllOf(Not(IsEmpty()),
                        Each(AllOf(Field(&violation::path, path), Field(&violation::line, 3U)))))
          << path << ": " << line;
    }
  }
}

TEST(banned_calls, are_free_elsewhere) {
  const std::string text = "#include <thread>\nauto t = std::chrono::steady_clock::now();\n";
  for (const char* const path : {"src/net/x.cpp", "src/driver/x.cpp", "cli/x.cpp",
                                 "tests/unit/x.cpp", "sim/socket_x.cpp", "docs/x.md"}) {
    EXPECT_THAT(check_banned_calls({{path, text}}), IsEmpty()) << path;
  }
}

TEST(banned_calls, are_told_from_harmless_words) {
  const std::string text =
      "// std::thread, rand(), std::cout\n"
      "const char* text = \"printf(now())\";\n"
      "void handle(time_point now);\n"
      "auto t = clock.now();\n"
      "auto u = link->random();\n"
      "int time = 1; int rand = 2; int thread_count = 3;\n"
      "#include <chrono>\n"
      "#include <cstdlib>\n"
      "int n = std::snprintf(out, size, \"%d\", 1);\n";
  EXPECT_THAT(check_banned_calls({{"src/core/x.cpp", text}}), IsEmpty());
}

TEST(simulator_reach, sees_through_any_number_of_headers) {
  source_tree tree = tree_with("sim/gateway.hpp", "#include \"base/a.hpp\"\n");
  tree["src/base/a.hpp"] = "#include \"base/b.hpp\"\n";
  tree["src/base/b.hpp"] = "#include \"base/a.hpp\"\n";
  EXPECT_THAT(check_simulator_reach(tree), IsEmpty());

  for (const char* const codec : {"base/byte_reader.hpp", "base/byte_writer.hpp", "wire/pcp.hpp",
                                  "proto/pcp_client.hpp", "core/engine.hpp"}) {
    tree["src/base/b.hpp"] = "#include \"" + std::string{codec} + "\"\n";
    EXPECT_THAT(check_simulator_reach(tree),
                ElementsAre(AllOf(Field(&violation::path, "sim/gateway.hpp"),
                                  Field(&violation::what, HasSubstr(codec)))));
  }
}

TEST(machine_paths, are_found_in_any_text_file) {
  for (const std::string& line : {std::string{"/ho"
                                              "me/somebody/x"},
                                  std::string{"see \"/wo"
                                              "rk/x\""},
                                  std::string{"PATH=/usr/bin:/ro"
                                              "ot/bin"},
                                  std::string{"`/Us"
                                              "ers/somebody`"},
                                  std::string{"C:\\Us"
                                              "ers\\somebody"}}) {
    EXPECT_THAT(check_machine_paths({{"docs/x.md", "\n" + line + "\n"}}),
                ElementsAre(Field(&violation::line, 2U)))
        << line;
  }
}

TEST(machine_paths, are_told_from_addresses_and_relative_paths) {
  const std::string text =
      "https://example.org/home/page ../work/x build/root/ ${dir}/work/ /usr/share/root/x\n"
      "the work/home balance\n";
  EXPECT_THAT(check_machine_paths({{"docs/x.md", text}}), IsEmpty());
}

TEST(violation, is_printed_as_compilers_do) {
  std::ostringstream out;
  out << violation{.path = "src/core/x.cpp", .line = 3, .what = "why"};
  EXPECT_EQ(out.str(), "src/core/x.cpp:3: why");
}

}  // namespace
}  // namespace damson::structure
