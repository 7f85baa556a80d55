// DummyTLS through the interface, with a name service and a web server of the test's own.

#include <gmock/gmock.h>
#include <sys/mount.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <optional>
#include <string>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/udp.hpp>

#include "any_number.h"
#include "capi_test.hpp"
#include "web_site.hpp"

namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;
using testing::SizeIs;

/// Its own hosts file, and a name service on the host that takes every question and answers none.
class capi_dummytls : public capi_network {
 protected:
  void SetUp() override {
    capi_network::SetUp();
    if (IsSkipped()) return;
    folder_.emplace();
    show("/etc/hosts",
         "127.0.0.1 localhost example.test\n"
         "1.2.3.4 1-2-3-4.example.test\n"
         "2001:db8::1 2001-db8--1.example.test\n"
         "5.6.7.8 1-2-3-4.elsewhere.test\n");
    show("/etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:30 attempts:1\n");
    show("/etc/nsswitch.conf", "hosts: files dns\n");
    net_.emplace();
    silence_.emplace(io_,
                     boost::asio::ip::udp::endpoint{boost::asio::ip::address_v4::loopback(), 53});
  }
  void TearDown() override {
    capi_network::TearDown();
    for (const std::string& path : shown_) ::umount2(path.c_str(), MNT_DETACH);
  }

  /// To be seen by this program alone, which has a mount namespace of its own.
  void show(const std::string& path, const std::string& text) {
    const std::string file = folder_->file(path.substr(path.rfind('/') + 1));
    std::ofstream{file} << text;
    ASSERT_EQ(::mount(file.c_str(), path.c_str(), nullptr, MS_BIND, nullptr), 0) << path;
    shown_.push_back(path);
  }

  static void start_with(const char* domain) {
    plum_config_t config = quiet_config();
    config.dummytls_domain = domain;
    start(config);
  }

  std::optional<lab::scratch_directory> folder_;
  std::vector<std::string> shown_;
  std::optional<lan> net_;
  boost::asio::io_context io_;
  std::optional<boost::asio::ip::udp::socket> silence_;
};

TEST_F(capi_dummytls, names_the_host_in_results) {
  // The domain is copied.
  std::string domain = "example.test";
  start_with(domain.c_str());
  domain.assign(domain.size(), 'x');
  plum_listener listener;
  const int id = listener.create(8080);
  const plum_call mapped = listener.next();
  EXPECT_EQ(mapped.state, PLUM_STATE_SUCCESS);
  EXPECT_EQ(mapped.host(), "1-2-3-4.example.test");
  EXPECT_EQ(mapped.mapping.external_port, 8080);
  plum_mapping_t queried{};
  EXPECT_EQ(plum_query_mapping(id, nullptr, &queried), PLUM_ERR_SUCCESS);
  EXPECT_STREQ(queried.external_host, "1-2-3-4.example.test");
}

TEST_F(capi_dummytls, gives_the_address_where_the_name_leads_elsewhere) {
  start_with("elsewhere.test");
  plum_listener listener;
  ASSERT_GT(listener.create(8080), 0);
  const plum_call mapped = listener.next();
  EXPECT_EQ(mapped.state, PLUM_STATE_SUCCESS);
  EXPECT_EQ(mapped.host(), "1.2.3.4");
}

TEST_F(capi_dummytls, gives_the_address_after_two_seconds_where_the_name_service_is_silent) {
  start_with("unknown.test");
  plum_listener listener;
  const auto begin = steady_clock::now();
  const int id = listener.create(8080);
  EXPECT_TRUE(eventually([&] { return !net_->rules().empty(); }));
  EXPECT_EQ(state_of(id), PLUM_STATE_PENDING);
  const plum_call mapped = listener.next();
  EXPECT_EQ(mapped.state, PLUM_STATE_SUCCESS);
  EXPECT_EQ(mapped.host(), "1.2.3.4");
  EXPECT_GE(steady_clock::now() - begin, 2s);
  EXPECT_LT(steady_clock::now() - begin, 4s);
  // The question is out still, and nobody waits for it.
  const auto end = steady_clock::now();
  EXPECT_EQ(plum_cleanup(), PLUM_ERR_SUCCESS);
  EXPECT_LT(steady_clock::now() - end, 1s);
}

TEST_F(capi_dummytls, looks_for_the_names_of_several_mappings_at_once) {
  start_with("unknown.test");
  plum_listener listener;
  const auto begin = steady_clock::now();
  for (std::uint16_t port = 8080; port < 8083; ++port) ASSERT_GT(listener.create(port), 0);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(listener.next().state, PLUM_STATE_SUCCESS);
  EXPECT_LT(steady_clock::now() - begin, 4s);
}

TEST_F(capi_dummytls, tells_no_success_of_what_was_destroyed_while_the_name_was_looked_up) {
  start_with("unknown.test");
  plum_listener listener;
  const int id = listener.create(8080);
  EXPECT_TRUE(eventually([&] { return !net_->rules().empty(); }));
  EXPECT_EQ(plum_destroy_mapping(id), PLUM_ERR_SUCCESS);
  EXPECT_EQ(listener.next().state, PLUM_STATE_DESTROYED);
  ASSERT_EQ(plum_cleanup(), PLUM_ERR_SUCCESS);
  EXPECT_THAT(listener.calls(), SizeIs(1));
}

TEST_F(capi_dummytls, gives_the_name_of_any_address_that_it_leads_to) {
  start_with("example.test");
  std::array<char, PLUM_MAX_HOST_LEN> buffer{};
  EXPECT_EQ(plum_get_dummytls_host("1.2.3.4", buffer.data(), buffer.size()), 20);
  EXPECT_STREQ(buffer.data(), "1-2-3-4.example.test");
  EXPECT_EQ(plum_get_dummytls_host("2001:db8::1", buffer.data(), buffer.size()), 24);
  EXPECT_STREQ(buffer.data(), "2001-db8--1.example.test");
  EXPECT_EQ(plum_get_dummytls_host("1.2.3.4", nullptr, 0), 20);
  EXPECT_EQ(plum_get_dummytls_host("1.2.3.4", buffer.data(), 8), 20);
  EXPECT_STREQ(buffer.data(), "1-2-3-4");

  EXPECT_EQ(plum_get_dummytls_host(nullptr, buffer.data(), buffer.size()), PLUM_ERR_INVALID);
  EXPECT_EQ(plum_get_dummytls_host("1.2.3", buffer.data(), buffer.size()), PLUM_ERR_INVALID);
  EXPECT_EQ(plum_get_dummytls_host("1.2.3.4", nullptr, 8), PLUM_ERR_INVALID);
}

TEST_F(capi_dummytls, gives_no_name_that_leads_elsewhere) {
  start_with("elsewhere.test");
  std::array<char, PLUM_MAX_HOST_LEN> buffer{};
  EXPECT_EQ(plum_get_dummytls_host("1.2.3.4", buffer.data(), buffer.size()), PLUM_ERR_FAILED);
  EXPECT_STREQ(buffer.data(), "");
}

TEST_F(capi_dummytls, gives_the_files_of_the_domain) {
  web_site site{"127.0.0.1", 80};
  site.set_file("/cert.pem", "certificate");
  site.set_file("/chain.pem", "the chain");
  site.set_file("/fullchain.pem", "certificate and chain");
  start_with("example.test");
  std::array<char, 64> buffer{};
  EXPECT_EQ(plum_get_dummytls_certificate(PLUM_DUMMYTLS_PEM_CERT, nullptr, 0), 11);
  EXPECT_EQ(plum_get_dummytls_certificate(PLUM_DUMMYTLS_PEM_CERT, buffer.data(), buffer.size()),
            11);
  EXPECT_STREQ(buffer.data(), "certificate");
  EXPECT_EQ(plum_get_dummytls_certificate(PLUM_DUMMYTLS_PEM_CHAIN, buffer.data(), 4), 9);
  EXPECT_STREQ(buffer.data(), "the");
  EXPECT_EQ(
      plum_get_dummytls_certificate(PLUM_DUMMYTLS_PEM_FULLCHAIN, buffer.data(), buffer.size()), 21);
  EXPECT_THAT(site.requests(), SizeIs(4));

  EXPECT_EQ(plum_get_dummytls_certificate(PLUM_DUMMYTLS_PEM_PRIVKEY, buffer.data(), buffer.size()),
            PLUM_ERR_NOT_AVAIL);
  EXPECT_EQ(plum_get_dummytls_certificate(PLUM_DUMMYTLS_PEM_CERT, nullptr, 1), PLUM_ERR_INVALID);
  EXPECT_EQ(certificate_of_type(4), PLUM_ERR_INVALID);
  EXPECT_EQ(certificate_of_type(-1), PLUM_ERR_INVALID);
}

TEST_F(capi_dummytls, fails_without_a_domain) {
  for (const char* none : {static_cast<const char*>(nullptr), ""}) {
    start_with(none);
    std::array<char, PLUM_MAX_HOST_LEN> buffer{};
    EXPECT_EQ(plum_get_dummytls_host("1.2.3.4", buffer.data(), buffer.size()), PLUM_ERR_FAILED);
    EXPECT_EQ(plum_get_dummytls_certificate(PLUM_DUMMYTLS_PEM_CERT, buffer.data(), buffer.size()),
              PLUM_ERR_FAILED);
    ASSERT_EQ(plum_cleanup(), PLUM_ERR_SUCCESS);
  }
}

}  // namespace
