// Events of the gateway model on real sockets (UPnP Device Architecture 1.0 section 4), and its
// announcements to the SSDP group.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/multicast.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>

#include "driver/endpoints.hpp"
#include "new_network.hpp"
#include "sim/socket_event_carrier.hpp"
#include "sim/socket_gateway.hpp"
#include "test_router.hpp"
#include "waiting.hpp"

namespace damson::driver {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using asio::ip::tcp;
using asio::ip::udp;
using boost::system::error_code;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

/// Takes NOTIFYs, and answers them or does not. Handlers refer to it until `close`.
class subscriber {
 public:
  struct visit {
    explicit visit(tcp::socket with) : socket(std::move(with)) {}
    tcp::socket socket;
    ip_address from;
    std::string request;
  };

  subscriber(asio::io_context& io, const ip_address& address, bool answers)
      : io_(io), where_{address, 0}, answers_(answers) {
    listen();
  }
  subscriber(const subscriber&) = delete;
  subscriber& operator=(const subscriber&) = delete;
  ~subscriber() { close(); }

  const endpoint& where() const { return where_; }
  const std::vector<std::shared_ptr<visit>>& visits() const { return visits_; }

  /// "SEQ" of each NOTIFY that has come whole, in their order.
  std::vector<int> numbers() const {
    constexpr std::string_view name = "\r\nSEQ: ";
    std::vector<int> out;
    for (const std::string& each : requests()) {
      const auto at = each.find(name);
      out.push_back(at == std::string::npos ? -1 : std::stoi(each.substr(at + name.size())));
    }
    return out;
  }

  std::vector<std::string> requests() const {
    std::vector<std::string> out;
    for (const auto& each : visits_) {
      if (each->request.ends_with(end)) out.push_back(each->request);
    }
    return out;
  }

  void answer_from_now_on() {
    answers_ = true;
    for (const auto& each : visits_) answer(*each);
  }

  /// Refuses connections until it listens again, on the same port.
  void stop_listening() { acceptor_.reset(); }
  void listen() {
    acceptor_.emplace(io_, tcp::endpoint{to_asio(where_.address), where_.port});
    where_.port = acceptor_->local_endpoint().port();
    accept();
  }

  void close() {
    stop_listening();
    for (const auto& each : visits_) each->socket.close();
    io_.restart();
    io_.poll();
  }

 private:
  static constexpr std::string_view end = "</e:propertyset>\r\n";

  void accept() {
    acceptor_->async_accept([this](const error_code& error, tcp::socket socket) {
      if (error) return;
      auto& made = *visits_.emplace_back(std::make_shared<visit>(std::move(socket)));
      made.from = from_asio(made.socket.remote_endpoint().address());
      asio::async_read_until(made.socket, asio::dynamic_buffer(made.request), end,
                             [this, &made](const error_code& failure, std::size_t /*length*/) {
                               if (!failure && answers_) answer(made);
                             });
      accept();
    });
  }

  static void answer(visit& to) {
    error_code error;
    constexpr std::string_view text = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    asio::write(to.socket, asio::buffer(text), error);
  }

  asio::io_context& io_;
  endpoint where_;
  bool answers_;
  std::optional<tcp::acceptor> acceptor_;
  std::vector<std::shared_ptr<visit>> visits_;
};

sim::profile upnp_only() {
  sim::profile how;
  how.speaks_pcp = false;
  how.speaks_nat_pmp = false;
  how.speaks_upnp = true;
  return how;
}

/// The router and its subscribers run in the test's own thread.
class socket_events : public testing::Test {
 protected:
  void start_router(const sim::profile& how = upnp_only(), sim::socket_settings settings = {}) {
    router_.emplace(io_.get_executor(),
                    sim::gateway{how, address_, router_public_address, sim::socket_gateway::now()},
                    settings);
  }

  endpoint web() const { return {address_, router_->model().upnp().http_port()}; }

  /// What the router answers to the host at `host_`.
  std::string ask(const std::string& request) {
    tcp::socket socket{io_};
    socket.open(tcp::v4());
    socket.bind({to_asio(host_), 0});
    socket.connect({to_asio(web().address), web().port});
    asio::write(socket, asio::buffer(request));
    std::string out;
    bool ended = false;
    asio::async_read(socket, asio::dynamic_buffer(out),
                     [&](const error_code& /*error*/, std::size_t /*length*/) { ended = true; });
    EXPECT_TRUE(run_until(io_, [&] { return ended; }));
    return out;
  }

  std::string subscription(const subscriber& of) const {
    return "SUBSCRIBE /evt/WANIPConn1 HTTP/1.1\r\nHost: " + to_string(web()) +
           "\r\nCallback: <http://" + to_string(of.where()) + "/e>\r\nNT: upnp:event\r\n\r\n";
  }

  /// Its SID.
  std::string subscribe(const subscriber& who) {
    const std::string answer = ask(subscription(who));
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
    constexpr std::string_view name = "\r\nSID: ";
    const auto at = answer.find(name) + name.size();
    return answer.substr(at, answer.find("\r\n", at) - at);
  }

  void add_mapping(std::uint16_t port) {
    const std::string type = "urn:schemas-upnp-org:service:WANIPConnection:1";
    const std::string number = std::to_string(port);
    const std::string body =
        "<?xml version=\"1.0\"?>"
        "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\""
        " s:encodingStyle=\"http://schemas.xmlsoap.org/soap/encoding/\"><s:Body>"
        "<u:AddPortMapping xmlns:u=\"" +
        type + "\"><NewRemoteHost></NewRemoteHost><NewExternalPort>" + number +
        "</NewExternalPort><NewProtocol>TCP</NewProtocol><NewInternalPort>" + number +
        "</NewInternalPort><NewInternalClient>" + to_string(host_) +
        "</NewInternalClient><NewEnabled>1</NewEnabled><NewPortMappingDescription>x"
        "</NewPortMappingDescription><NewLeaseDuration>0</NewLeaseDuration>"
        "</u:AddPortMapping></s:Body></s:Envelope>";
    EXPECT_THAT(ask("POST /ctl/WANIPConn1 HTTP/1.1\r\nHost: " + to_string(web()) +
                    "\r\nContent-Type: text/xml\r\nSOAPAction: \"" + type +
                    "#AddPortMapping\"\r\nContent-Length: " + std::to_string(body.size()) +
                    "\r\n\r\n" + body),
                StartsWith("HTTP/1.1 200 OK\r\n"));
  }

  void set_public_address(std::uint8_t last) {
    router_->change([last](sim::gateway& model, time_point now) {
      model.set_public_address(now, ip_address{ip_address::v4_bytes{1, 2, 3, last}});
    });
  }

  bool run_until_told(const subscriber& who, std::size_t times) {
    return run_until(io_, [&] { return who.requests().size() >= times; });
  }

  asio::io_context io_;
  ip_address address_ = unused_loopback_address();
  ip_address host_ = unused_loopback_address();
  std::optional<sim::socket_gateway> router_;
};

TEST_F(socket_events, come_in_order) {
  start_router();
  const subscriber who{io_, host_, true};
  const std::string sid = subscribe(who);
  ASSERT_TRUE(run_until_told(who, 1));
  add_mapping(8080);
  ASSERT_TRUE(run_until_told(who, 2));
  set_public_address(5);
  ASSERT_TRUE(run_until_told(who, 3));
  EXPECT_THAT(who.numbers(), ElementsAre(0, 1, 2));
  const auto all = who.requests();
  EXPECT_THAT(
      all[0],
      AllOf(StartsWith("NOTIFY /e HTTP/1.1\r\n"), HasSubstr("\r\nSID: " + sid + "\r\n"),
            HasSubstr("<ExternalIPAddress>1.2.3.4<"), HasSubstr("<PortMappingNumberOfEntries>0<")));
  EXPECT_THAT(all[1], HasSubstr("<PortMappingNumberOfEntries>1<"));
  EXPECT_THAT(all[2], HasSubstr("<ExternalIPAddress>1.2.3.5<"));
  for (const auto& each : who.visits()) EXPECT_EQ(each->from, address_);
}

TEST_F(socket_events, begin_after_the_answer_that_names_them) {
  sim::profile how = upnp_only();
  how.upnp.processing = 50ms;
  start_router(how);
  const subscriber who{io_, host_, true};
  tcp::socket socket{io_};
  socket.open(tcp::v4());
  socket.bind({to_asio(host_), 0});
  socket.connect({to_asio(address_), web().port});
  asio::write(socket, asio::buffer(subscription(who)));
  ASSERT_TRUE(run_until(io_, [&] { return router_->model().upnp().subscriptions() == 1; }));
  set_public_address(5);
  ASSERT_TRUE(run_until(io_, [&] { return !who.visits().empty(); }));
  EXPECT_GT(socket.available(), 0U) << "the answer";
  ASSERT_TRUE(run_until_told(who, 1));
  EXPECT_THAT(who.requests()[0], HasSubstr("<ExternalIPAddress>1.2.3.5<"));
}

TEST_F(socket_events, reach_others_when_one_does_not_answer) {
  start_router();
  const subscriber silent{io_, host_, false};
  const subscriber polite{io_, host_, true};
  subscribe(silent);
  subscribe(polite);
  ASSERT_TRUE(run_until_told(silent, 1));
  for (std::uint8_t i = 5; i < 10; ++i) set_public_address(i);
  add_mapping(8080);
  ASSERT_TRUE(run_until_told(polite, 7));
  EXPECT_THAT(polite.numbers(), ElementsAre(0, 1, 2, 3, 4, 5, 6));
  EXPECT_THAT(silent.numbers(), ElementsAre(0));
}

TEST_F(socket_events, that_are_not_answered_are_followed_by_the_next) {
  start_router(upnp_only(), {.event_patience = 50ms});
  const subscriber silent{io_, host_, false};
  subscribe(silent);
  ASSERT_TRUE(run_until_told(silent, 1));
  set_public_address(5);
  set_public_address(6);
  ASSERT_TRUE(run_until_told(silent, 3));
  EXPECT_THAT(silent.numbers(), ElementsAre(0, 1, 2));
  EXPECT_EQ(router_->model().upnp().subscriptions(), 1U);
}

TEST_F(socket_events, wait_in_bounds_for_one_that_does_not_answer) {
  start_router();
  subscriber silent{io_, host_, false};
  subscribe(silent);
  ASSERT_TRUE(run_until_told(silent, 1));
  constexpr int more = 50;
  for (std::uint8_t i = 1; i <= more; ++i) set_public_address(static_cast<std::uint8_t>(100 + i));
  silent.answer_from_now_on();
  constexpr std::size_t limit = sim::socket_event_carrier::waiting_limit;
  ASSERT_TRUE(run_until_told(silent, 1 + limit));
  const auto numbers = silent.numbers();
  EXPECT_EQ(numbers.front(), 0);
  EXPECT_EQ(numbers[1], more + 1 - static_cast<int>(limit)) << "the oldest gave way";
  EXPECT_EQ(numbers.back(), more);
}

TEST_F(socket_events, are_lost_where_nobody_listens) {
  start_router();
  subscriber who{io_, host_, true};
  subscribe(who);
  ASSERT_TRUE(run_until_told(who, 1));
  who.stop_listening();
  set_public_address(5);
  // Once nothing is left but the web server and the datagrams, the connection was refused.
  EXPECT_THAT(ask("GET / HTTP/1.1\r\nHost: " + to_string(web()) + "\r\n\r\n"), StartsWith("HTTP"));
  who.listen();
  set_public_address(6);
  ASSERT_TRUE(run_until_told(who, 2));
  EXPECT_THAT(who.numbers(), ElementsAre(0, 2));
}

TEST_F(socket_events, end_with_a_restart) {
  start_router();
  const subscriber silent{io_, host_, false};
  subscribe(silent);
  ASSERT_TRUE(run_until_told(silent, 1));
  set_public_address(5);
  router_->change([](sim::gateway& model, time_point now) { model.reboot(now); });
  std::array<char, 1> nothing{};
  std::optional<error_code> end;
  silent.visits()[0]->socket.async_read_some(
      asio::buffer(nothing), [&](const error_code& error, std::size_t /*length*/) { end = error; });
  ASSERT_TRUE(run_until(io_, [&] { return end.has_value(); })) << "the connection is cut";
  set_public_address(6);
  // The newcomer's first event is sent after anything that were still to be sent to the other.
  const subscriber next{io_, host_, true};
  subscribe(next);
  ASSERT_TRUE(run_until_told(next, 1));
  EXPECT_THAT(next.numbers(), ElementsAre(0));
  EXPECT_THAT(silent.visits(), SizeIs(1));
}

TEST_F(socket_events, are_lost_without_the_cable) {
  start_router();
  const subscriber who{io_, host_, true};
  subscribe(who);
  ASSERT_TRUE(run_until_told(who, 1));
  router_->set_plugged(false);
  set_public_address(5);
  router_->set_plugged(true);
  set_public_address(6);
  ASSERT_TRUE(run_until_told(who, 2));
  EXPECT_THAT(who.numbers(), ElementsAre(0, 2));
}

TEST_F(socket_events, leave_nothing_to_run_when_the_router_is_gone) {
  start_router();
  subscriber silent{io_, host_, false};
  subscribe(silent);
  ASSERT_TRUE(run_until_told(silent, 1));
  set_public_address(5);
  router_.reset();
  silent.stop_listening();
  io_.restart();
  io_.run_for(patience);
  EXPECT_TRUE(io_.stopped());
  EXPECT_THAT(silent.numbers(), ElementsAre(0));
}

/// First lines and NTS of what comes to the SSDP group while the router starts again.
std::vector<std::string> announcements(bool joins_group, const ip_address& lan) {
  asio::io_context io;
  udp::socket group{io};
  group.open(udp::v4());
  group.set_option(udp::socket::reuse_address{true});
  const asio::ip::address_v4 ssdp{{239, 255, 255, 250}};
  group.bind({ssdp, 1900});
  group.set_option(asio::ip::multicast::join_group{ssdp, asio::ip::address_v4{lan.to_v4()}});
  sim::socket_gateway router{
      io.get_executor(),
      sim::gateway{upnp_only(), lan, router_public_address, sim::socket_gateway::now()},
      {.joins_group = joins_group}};
  router.change([](sim::gateway& model, time_point now) { model.reboot(now); });
  std::vector<std::string> out;
  std::array<char, 2'048> text{};
  while (group.available() > 0) {
    udp::endpoint from;
    const std::size_t length = group.receive_from(asio::buffer(text), from);
    EXPECT_EQ(from_asio(from.address()), lan);
    EXPECT_EQ(from.port(), 1900);
    const std::string_view all{text.data(), length};
    EXPECT_THAT(all, StartsWith("NOTIFY * HTTP/1.1\r\n"));
    const std::string kind = all.contains("ssdp:byebye") ? "byebye" : "alive";
    if (out.empty() || out.back() != kind) out.push_back(kind);
  }
  return out;
}

TEST(socket_announcements, go_to_the_group_where_that_is_joined) {
  DAMSON_RUN_IN_NEW_NETWORK([] {
    const ip_address lan = unused_loopback_address();
    EXPECT_THAT(announcements(true, lan), ElementsAre("byebye", "alive"));
    EXPECT_THAT(announcements(false, lan), IsEmpty());
  });
}

}  // namespace
}  // namespace damson::driver
