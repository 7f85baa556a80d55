// `damson gateway` as a program: what it prints, its control socket, its end.

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json.hpp>

#include "child_process.hpp"
#include "unix_client.hpp"

namespace damson::cli {
namespace {

namespace json = boost::json;
using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::MatchesRegex;
using testing::Not;
using testing::StartsWith;

/// A folder of its own for each test, removed with what is in it.
class gateway_program : public testing::Test {
 protected:
  gateway_program() {
    std::string name = (std::filesystem::temp_directory_path() / "damson-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
    folder_ = name;
    control_ = (folder_ / "control").string();
  }
  ~gateway_program() override { std::filesystem::remove_all(folder_); }

  static std::vector<std::string> gateway(const std::vector<std::string>& more = {}) {
    std::vector<std::string> out{DAMSON_TOOL, "gateway", "--no-multicast"};
    out.insert(out.end(), more.begin(), more.end());
    return out;
  }

  static json::object serving(child_process& child) {
    const std::string line = child.wait_for_line("serving");
    return line.empty() ? json::object{} : json::parse(line).as_object();
  }

  static std::string text(const json::object& from, std::string_view name) {
    return json::value_to<std::string>(from.at(name));
  }

  std::filesystem::path folder_;
  std::string control_;
};

TEST_F(gateway_program, serves_a_client_and_tells_what_is_opened_and_closed) {
  child_process router{gateway({"--json"})};
  const std::string address = text(serving(router), "address");
  child_process client{{DAMSON_TOOL, "map", "8080", "--gateway", address}};
  EXPECT_THAT(client.wait_for_line("is open"), HasSubstr("1.2.3.4:8080 through pcp"));
  const std::string opened = router.wait_for_line("opened");
  EXPECT_THAT(opened, StartsWith(R"({"event":"opened","transport":"tcp","external_port":8080,)"
                                 R"("internal":"127.0.0.1:8080","protocol":"pcp","time_left":)"));
  client.signal(SIGINT);
  EXPECT_EQ(client.wait(), 0) << client.errors();
  EXPECT_THAT(router.wait_for_line("closed"),
              StartsWith(R"({"event":"closed","transport":"tcp",)"));
  router.signal(SIGTERM);
  EXPECT_EQ(router.wait(), 0);
  EXPECT_THAT(router.errors(), IsEmpty());
}

// The recheck would tell it in five minutes.
TEST_F(gateway_program, tells_a_client_that_wants_events_of_another_address) {
  child_process router{
      gateway({"--json", "--profile", "upnp-only", "--http-port", "0", "--control", control_})};
  const std::string address = text(serving(router), "address");
  child_process client{{DAMSON_TOOL, "map", "8080", "--events", "--json", "--gateway", address}};
  EXPECT_THAT(client.wait_for_line("mapped"), HasSubstr(R"("external":"1.2.3.4:8080")"));
  EXPECT_THAT(unix_client{control_}.ask("address 203.0.113.9"), StartsWith(R"({"ok":true)"));
  EXPECT_THAT(client.wait_for_line("changed"), HasSubstr(R"("external":"203.0.113.9:8080")"));
  client.signal(SIGINT);
  EXPECT_EQ(client.wait(), 0) << client.errors();
  EXPECT_THAT(client.output(), HasSubstr(R"("how":"deleted")"));
}

TEST_F(gateway_program, speaks_to_people) {
  child_process router{gateway({"--profile", "nat-pmp-only", "--wan", "203.0.113.1", "--lease",
                                "1000", "--control", control_})};
  const std::string first = router.wait_for_line("A router");
  EXPECT_THAT(first, MatchesRegex("A router \\(nat-pmp-only\\) at 127\\.[0-9.]+"));
  const std::string address = first.substr(first.rfind(' ') + 1);
  EXPECT_THAT(router.wait_for_line("control socket"), EndsWith(control_));
  EXPECT_THAT(router.output(), AllOf(HasSubstr("  PCP and NAT-PMP   " + address + ":5351\n"),
                                     HasSubstr("  UPnP              closed\n"),
                                     HasSubstr("  public address    203.0.113.1\n")));
  child_process client{{DAMSON_TOOL, "map", "8080", "--once", "--gateway", address}};
  EXPECT_EQ(client.wait(), 0) << client.errors();
  EXPECT_EQ(router.wait_for_line("opened"),
            "opened: tcp 203.0.113.1:8080 -> 127.0.0.1:8080 with nat-pmp, ends in 1000 s");
  router.signal(SIGINT);
  EXPECT_EQ(router.wait(), 0);
}

TEST_F(gateway_program, lists_its_profiles) {
  child_process table{gateway({"--list-profiles"})};
  EXPECT_EQ(table.wait(), 0);
  EXPECT_THAT(table.output(), AllOf(StartsWith("strict "), HasSubstr("\nnat-pmp-only "),
                                    HasSubstr(" Q-20 "), HasSubstr("eight bytes")));
  child_process lines{gateway({"--list-profiles", "--json"})};
  EXPECT_EQ(lines.wait(), 0);
  EXPECT_THAT(lines.output(), StartsWith(R"({"name":"strict","quirks":")"));
  EXPECT_THAT(lines.output(), HasSubstr("\n"
                                        R"({"name":"nat-pmp-only","quirks":"Q-20","says":)"));
  EXPECT_EQ(std::ranges::count(lines.output(), '\n'), std::ranges::count(table.output(), '\n'));
}

TEST_F(gateway_program, shares_an_address_by_other_ports) {
  child_process first{gateway({"--json"})};
  const std::string address = text(serving(first), "address");
  child_process taken{gateway({"--listen", address})};
  EXPECT_EQ(taken.wait(), 1);
  EXPECT_THAT(
      taken.errors(),
      AllOf(StartsWith("damson: the router could not start: UDP port " + address + ":5351"),
            HasSubstr("in use. Try: another --listen address"), EndsWith("--http-port 0\n")));
  child_process second{
      gateway({"--json", "--listen", address, "--pcp-port", "0", "--http-port", "0"})};
  EXPECT_THAT(text(serving(second), "mapping"),
              AllOf(StartsWith(address + ":"), Not(EndsWith(":5351"))));
}

TEST_F(gateway_program, says_what_is_wrong_with_its_start) {
  child_process unknown{gateway({"--profile", "upnp-olny"})};
  EXPECT_EQ(unknown.wait(), 2);
  EXPECT_THAT(unknown.errors(), AllOf(HasSubstr("'upnp-olny'; the nearest are upnp-only, "),
                                      EndsWith(". Try: damson gateway --list-profiles\n")));
  child_process elsewhere{gateway({"--listen", "192.0.2.1"})};
  EXPECT_EQ(elsewhere.wait(), 1);
  EXPECT_THAT(elsewhere.errors(), AllOf(HasSubstr("UDP port 192.0.2.1:5351: "),
                                        HasSubstr(". Try: --listen with an address of this host")));
}

TEST_F(gateway_program, ends_when_nobody_can_read_it) {
  child_process router{gateway(), {.environment = {}, .closed_output = true}};
  EXPECT_EQ(router.wait(), 1);
  EXPECT_THAT(router.errors(), HasSubstr("damson: could not write to standard output. Try: "));
}

TEST_F(gateway_program, obeys_on_its_control_socket) {
  child_process router{gateway({"--json", "--control", control_})};
  const json::object start = serving(router);
  EXPECT_EQ(text(start, "control"), control_);
  struct stat file{};
  ASSERT_EQ(::stat(control_.c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 07777U, 0600U);

  unix_client one{control_};
  unix_client other{control_};
  EXPECT_THAT(one.ask("occupy udp 53 192.0.2.9:53"), StartsWith(R"({"ok":true,"mappings":[{)"));
  EXPECT_THAT(other.ask("mappings"), HasSubstr(R"("internal":"192.0.2.9:53")"));
  EXPECT_THAT(other.ask("nonsense"), StartsWith(R"({"ok":false,"error":)"));
  EXPECT_THAT(router.wait_for_line("opened"), HasSubstr(R"("protocol":null)"));
  other.send("address 203.0.113.9\nstatus\nforget udp 53");
  other.end_sending();
  EXPECT_THAT(other.read_line().value_or(""), HasSubstr(R"("public_address":"203.0.113.9")"));
  EXPECT_THAT(other.read_line().value_or(""), HasSubstr(R"("public_address":"203.0.113.9")"));
  EXPECT_EQ(other.read_line(), R"({"ok":true,"mappings":[]})") << "a last line without its end";
  EXPECT_EQ(other.read_line(), std::nullopt);

  router.signal(SIGTERM);
  EXPECT_EQ(router.wait(), 0) << "with a connection still open";
  EXPECT_EQ(one.read_line(), std::nullopt);
  EXPECT_FALSE(std::filesystem::exists(control_));
}

TEST_F(gateway_program, reads_no_line_without_end) {
  child_process router{gateway({"--json", "--control", control_})};
  serving(router);
  unix_client client{control_};
  client.send(std::string(100'000, 'a'));
  EXPECT_EQ(client.read_line(), R"({"ok":false,"error":"a line has 4096 bytes at most"})");
  EXPECT_EQ(client.read_line(), std::nullopt);
  EXPECT_THAT(unix_client{control_}.ask("status"), StartsWith(R"({"ok":true)"));
}

TEST_F(gateway_program, takes_so_many_connections_at_a_time) {
  child_process router{gateway({"--json", "--control", control_})};
  serving(router);
  std::vector<std::unique_ptr<unix_client>> all;
  for (int i = 0; i < 16; ++i) {
    all.push_back(std::make_unique<unix_client>(control_));
    EXPECT_THAT(all.back()->ask("status"), StartsWith(R"({"ok":true)"));
  }
  unix_client late{control_};
  late.send("status\n");
  for (int i = 0; i < 10; ++i) EXPECT_THAT(all.front()->ask("status"), Not(IsEmpty()));
  EXPECT_FALSE(late.has_something_to_read());
  all.pop_back();
  EXPECT_THAT(late.read_line().value_or(""), StartsWith(R"({"ok":true)"));
}

TEST_F(gateway_program, refuses_the_control_socket_of_another) {
  child_process first{gateway({"--json", "--control", control_})};
  serving(first);
  child_process second{gateway({"--control", control_})};
  EXPECT_EQ(second.wait(), 1);
  EXPECT_THAT(second.errors(),
              AllOf(HasSubstr("the control socket " + control_ + " cannot be made"),
                    HasSubstr("another program listens there. Try: ")));
  EXPECT_THAT(unix_client{control_}.ask("status"), StartsWith(R"({"ok":true)"));
}

TEST_F(gateway_program, replaces_a_control_socket_that_was_left) {
  {
    child_process killed{gateway({"--json", "--control", control_})};
    serving(killed);
    killed.signal(SIGKILL);
    EXPECT_EQ(killed.wait(), 128 + SIGKILL);
  }
  ASSERT_TRUE(std::filesystem::exists(control_));
  child_process next{gateway({"--json", "--control", control_})};
  serving(next);
  EXPECT_THAT(unix_client{control_}.ask("status"), StartsWith(R"({"ok":true)"));
}

TEST_F(gateway_program, leaves_alone_what_is_no_socket_of_its_own) {
  std::ofstream{control_} << "precious";
  child_process refused{gateway({"--control", control_})};
  EXPECT_EQ(refused.wait(), 1);
  EXPECT_THAT(refused.errors(), HasSubstr("a file of that name which is no socket"));
  EXPECT_EQ(std::filesystem::file_size(control_), 8U);

  const std::string moved = (folder_ / "moved").string();
  child_process router{gateway({"--json", "--control", moved})};
  serving(router);
  std::filesystem::remove(moved);
  std::ofstream{moved} << "precious";
  router.signal(SIGTERM);
  EXPECT_EQ(router.wait(), 0);
  EXPECT_TRUE(std::filesystem::exists(moved));
}

TEST_F(gateway_program, says_why_a_control_socket_cannot_be_made) {
  child_process nowhere{gateway({"--control", (folder_ / "no" / "such").string()})};
  EXPECT_EQ(nowhere.wait(), 1);
  EXPECT_THAT(nowhere.errors(), HasSubstr("No such file or directory. Try: a path in a directory"));
  child_process too_long{gateway({"--control", std::string(200, 'a')})};
  EXPECT_EQ(too_long.wait(), 1);
  EXPECT_THAT(too_long.errors(), HasSubstr("its path must have 1 to 107 bytes. Try: a shorter"));
}

}  // namespace
}  // namespace damson::cli
