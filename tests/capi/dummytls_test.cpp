// DummyTLS against a local web server and a name service of the test's own.

#include "capi/dummytls.hpp"

#include <gmock/gmock.h>

#include <atomic>
#include <chrono>
#include <future>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "web_site.hpp"

namespace damson::capi {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;
using testing::Each;
using testing::HasSubstr;
using testing::SizeIs;

ip_address address(const char* text) { return ip_address::parse(text).value(); }

/// What the names of the test lead to.
resolve_function leading(std::map<std::string, std::vector<ip_address>> names) {
  return [names = std::move(names)](const std::string& host) {
    const auto found = names.find(host);
    return found == names.end() ? std::vector<ip_address>{} : found->second;
  };
}

TEST(capi_dummytls_domain, is_a_host_name_that_an_address_fits_in_front_of) {
  EXPECT_TRUE(is_domain("example.org"));
  EXPECT_TRUE(is_domain("a"));
  EXPECT_TRUE(is_domain("127.0.0.1"));
  EXPECT_TRUE(is_domain("x_y-z.Example"));
  EXPECT_FALSE(is_domain(""));
  EXPECT_FALSE(is_domain("."));
  EXPECT_FALSE(is_domain("example.org."));
  EXPECT_FALSE(is_domain("example..org"));
  EXPECT_FALSE(is_domain("example org"));
  EXPECT_FALSE(is_domain("example.org/path"));
  EXPECT_FALSE(is_domain("example.org:80"));
  EXPECT_FALSE(is_domain("example.org\r\nX: y"));
  EXPECT_FALSE(is_domain(std::string(64, 'a')));
  std::string longest;
  while (longest.size() < 236) longest += "a.";
  EXPECT_TRUE(is_domain(longest + "a"));
  EXPECT_FALSE(is_domain(longest + "aa"));
}

TEST(capi_dummytls_host, has_dashes_for_dots_and_colons) {
  const dummytls names{"example.org"};
  EXPECT_EQ(names.name_of(address("192.0.2.7")), "192-0-2-7.example.org");
  EXPECT_EQ(names.name_of(address("2001:db8::1")), "2001-db8--1.example.org");
}

TEST(capi_dummytls_host, is_given_only_if_it_leads_to_the_address_and_nowhere_else) {
  dummytls names{
      "example.org",
      {.resolve = leading({{"192-0-2-1.example.org", {address("192.0.2.1")}},
                           {"192-0-2-2.example.org", {address("192.0.2.9")}},
                           {"192-0-2-3.example.org", {address("192.0.2.3"), address("192.0.2.9")}},
                           {"2001-db8--1.example.org", {address("2001:db8::1")}}}),
       .http_port = 80,
       .now = steady_clock::now}};
  EXPECT_EQ(names.host(address("192.0.2.1")), "192-0-2-1.example.org");
  EXPECT_EQ(names.host(address("2001:db8::1")), "2001-db8--1.example.org");
  EXPECT_EQ(names.host(address("192.0.2.2")), std::nullopt);
  EXPECT_EQ(names.host(address("192.0.2.3")), std::nullopt);
  EXPECT_EQ(names.host(address("192.0.2.4")), std::nullopt);
}

TEST(capi_dummytls_host, that_is_too_long_is_none) {
  std::string domain;
  while (domain.size() < 236) domain += "a.";
  domain += 'a';
  dummytls names{domain,
                 {.resolve = [](const std::string&) { return std::vector{address("2001:db8::1")}; },
                  .http_port = 80,
                  .now = steady_clock::now}};
  EXPECT_EQ(names.host(address("2001:db8:1111:2222:3333:4444:5555:6666")), std::nullopt);
}

TEST(capi_dummytls_host, is_waited_for_five_seconds_at_most) {
  std::promise<void> end;
  dummytls names{"example.org",
                 {.resolve =
                      [ended = end.get_future().share()](const std::string&) {
                        ended.wait();
                        return std::vector<ip_address>{};
                      },
                  .http_port = 80,
                  .now = steady_clock::now}};
  const auto begin = steady_clock::now();
  EXPECT_EQ(names.host(address("192.0.2.1")), std::nullopt);
  EXPECT_GE(steady_clock::now() - begin, 5s);
  EXPECT_LT(steady_clock::now() - begin, 8s);
  end.set_value();
}

TEST(capi_dummytls_fetch, is_one_for_all_who_ask_meanwhile) {
  constexpr int callers = 4;
  std::atomic<int> looked_up{0};
  std::atomic<int> asked_for_time{0};
  std::promise<void> end;
  dummytls names{"example.org",
                 {.resolve =
                      [&looked_up, ended = end.get_future().share()](const std::string&) {
                        ++looked_up;
                        ended.wait();
                        return std::vector<ip_address>{};
                      },
                  .http_port = 80,
                  .now =
                      [&] {
                        ++asked_for_time;
                        return steady_clock::now();
                      }}};
  std::vector<std::future<std::optional<std::string>>> answers;
  answers.reserve(callers);
  for (int i = 0; i < callers; ++i)
    answers.push_back(
        std::async(std::launch::async, [&] { return names.file(dummytls_file::cert); }));
  // Each looks whether what is kept is fresh, and the fetch notes when it began: as long as it
  // lasts, which is long enough, nobody queues for that.
  const auto limit = steady_clock::now() + dummytls::fetch_limit / 2;
  while (asked_for_time <= callers && steady_clock::now() < limit) std::this_thread::yield();
  EXPECT_GT(asked_for_time, callers);
  end.set_value();
  for (auto& each : answers) EXPECT_EQ(each.get(), std::nullopt);
  EXPECT_EQ(looked_up, 1);
}

class capi_dummytls_files : public testing::Test {
 protected:
  void SetUp() override {
    site_.set_file("/cert.pem", "the certificate");
    site_.set_file("/chain.pem", "the chain");
    site_.set_file("/fullchain.pem", "both");
    site_.set_file("/privkey.pem", "the key");
  }

  web_site site_;
  steady_clock::time_point now_ = steady_clock::now();
  dummytls names_{"example.org",
                  {.resolve = leading({{"example.org", {site_.where().address}}}),
                   .http_port = site_.where().port,
                   .now = [this] { return now_; }}};
};

TEST_F(capi_dummytls_files, are_what_the_domain_holds) {
  EXPECT_EQ(names_.file(dummytls_file::cert), "the certificate");
  EXPECT_EQ(names_.file(dummytls_file::chain), "the chain");
  EXPECT_EQ(names_.file(dummytls_file::full_chain), "both");
  EXPECT_EQ(names_.file(dummytls_file::private_key), "the key");
  EXPECT_THAT(site_.requests(), Each(HasSubstr("\r\nHost: example.org\r\n")));
}

TEST_F(capi_dummytls_files, are_fetched_together_and_kept_for_an_hour) {
  EXPECT_EQ(names_.file(dummytls_file::cert), "the certificate");
  site_.set_file("/cert.pem", "another certificate");
  site_.set_file("/privkey.pem", "another key");
  now_ += 59min;
  EXPECT_EQ(names_.file(dummytls_file::private_key), "the key");
  EXPECT_EQ(names_.file(dummytls_file::cert), "the certificate");
  EXPECT_THAT(site_.requests(), SizeIs(4));
  now_ += 2min;
  EXPECT_EQ(names_.file(dummytls_file::private_key), "another key");
  EXPECT_EQ(names_.file(dummytls_file::cert), "another certificate");
  EXPECT_THAT(site_.requests(), SizeIs(8));
}

TEST_F(capi_dummytls_files, that_could_not_be_had_are_asked_for_again) {
  site_.set_answer("/chain.pem", "HTTP/1.1 503 Not now\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(names_.file(dummytls_file::chain), std::nullopt);
  EXPECT_EQ(names_.file(dummytls_file::cert), "the certificate");
  site_.set_file("/chain.pem", "the chain");
  EXPECT_EQ(names_.file(dummytls_file::chain), "the chain");
}

TEST_F(capi_dummytls_files, are_not_looked_for_elsewhere) {
  site_.set_answer("/cert.pem",
                   "HTTP/1.1 302 Found\r\nLocation: /chain.pem\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(names_.file(dummytls_file::cert), std::nullopt);
}

TEST_F(capi_dummytls_files, are_limited_to_64_kib) {
  site_.set_file("/cert.pem", std::string(longest_file, 'x'));
  site_.set_file("/chain.pem", std::string(longest_file + 1, 'x'));
  EXPECT_EQ(names_.file(dummytls_file::cert), std::string(longest_file, 'x'));
  EXPECT_EQ(names_.file(dummytls_file::chain), std::nullopt);
}

TEST_F(capi_dummytls_files, are_none_where_no_http_is_spoken) {
  site_.set_answer("/cert.pem", "220 mail.example.org ESMTP\r\n\r\n");
  EXPECT_EQ(names_.file(dummytls_file::cert), std::nullopt);
}

TEST_F(capi_dummytls_files, come_from_the_first_server_that_has_any) {
  dummytls names{
      "example.org",
      {.resolve = leading({{"example.org", {address("127.0.0.9"), address("127.0.0.1")}}}),
       .http_port = site_.where().port,
       .now = steady_clock::now}};
  EXPECT_EQ(names.file(dummytls_file::cert), "the certificate");
}

TEST_F(capi_dummytls_files, come_from_another_server_where_the_first_is_silent) {
  web_site silent{"127.0.0.9", site_.where().port};
  for (const char* target : {"/cert.pem", "/chain.pem", "/fullchain.pem", "/privkey.pem"})
    silent.set_answer(target, "");
  dummytls names{
      "example.org",
      {.resolve = leading({{"example.org", {silent.where().address, site_.where().address}}}),
       .http_port = site_.where().port,
       .now = steady_clock::now}};
  EXPECT_EQ(names.file(dummytls_file::cert), "the certificate");
  EXPECT_THAT(silent.requests(), SizeIs(1));
}

TEST_F(capi_dummytls_files, are_none_where_the_domain_has_no_address) {
  dummytls names{"example.org",
                 {.resolve = leading({}), .http_port = 80, .now = steady_clock::now}};
  EXPECT_EQ(names.file(dummytls_file::cert), std::nullopt);
}

TEST_F(capi_dummytls_files, are_waited_for_until_the_deadline_only) {
  site_.set_answer("/cert.pem", "");
  const auto begin = steady_clock::now();
  EXPECT_EQ(fetch_file({.server = site_.where(), .host = "example.org", .target = "/cert.pem"},
                       begin + 200ms),
            std::nullopt);
  EXPECT_GE(steady_clock::now() - begin, 200ms);
  EXPECT_LT(steady_clock::now() - begin, 5s);
}

}  // namespace
}  // namespace damson::capi
