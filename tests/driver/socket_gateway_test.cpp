// The gateway model on real sockets: what is not the model's own, but the sockets'.

#include "sim/socket_gateway.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include "driver/endpoints.hpp"
#include "driver/udp_channel.hpp"
#include "http_exchange_fixture.hpp"
#include "new_network.hpp"
#include "test_router.hpp"
#include "waiting.hpp"

namespace damson::driver {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using asio::ip::tcp;
using boost::system::error_code;
using std::system_error;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

constexpr std::uint16_t mapping_port = 5351;
constexpr std::uint16_t ssdp_port = 1900;
const std::string control_path = "/ctl/WANIPConn1";
const endpoint ssdp_group{ip_address::parse("239.255.255.250").value(), ssdp_port};

/// What channels told: texts by sender, the newest each.
struct listener final : channel_listener {
  void on_datagrams(channel_id /*channel*/, std::span<const incoming_datagram> arrived) override {
    for (const auto& [from, bytes] : arrived) take(from, bytes);
  }
  void take(const endpoint& from, std::span<const std::byte> bytes) {
    auto& text = heard[from];
    text.clear();
    for (const std::byte each : bytes) text += static_cast<char>(each);
  }
  void on_channel_error(channel_id /*channel*/, channel_error error) override {
    errors.push_back(error);
  }

  std::map<endpoint, std::string> heard;
  std::vector<channel_error> errors;
};

sim::profile upnp_only() {
  sim::profile how;
  how.speaks_pcp = false;
  how.speaks_nat_pmp = false;
  how.speaks_upnp = true;
  return how;
}

/// The router runs in the test's own thread.
class socket_gateway_test : public http_exchange_test {
 protected:
  void start_router(const sim::profile& how = upnp_only()) {
    router_.emplace(io_.get_executor(),
                    sim::gateway{how, address_, router_public_address, sim::socket_gateway::now()});
  }

  const sim::upnp_server& upnp() const { return router_->model().upnp(); }
  endpoint web() const { return {address_, upnp().http_port()}; }

  void restart_router() {
    router_->change([](sim::gateway& model, time_point now) { model.reboot(now); });
  }

  template <class How>
  std::shared_ptr<udp_channel> open(const How& how) {
    auto out = udp_channel::open(io_.get_executor(), channel_id{1}, how);
    EXPECT_TRUE(out.has_value()) << out.error().message();
    (*out)->start(listener_);
    return *out;
  }

  /// What the router answers from `answering` to a search that is sent there.
  std::string search(const endpoint& asked, const endpoint& answering) {
    const auto channel = open(search_channel{.local = address_});
    const auto text = "M-SEARCH * HTTP/1.1\r\nHOST: " + to_string(asked) +
                      "\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\nST: upnp:rootdevice\r\n\r\n";
    listener_->heard.clear();
    EXPECT_EQ(channel->send(std::as_bytes(std::span{text}), asked), send_result::sent);
    EXPECT_TRUE(run_until(io_, [&] { return listener_->heard.contains(answering); }));
    channel->close();
    return listener_->heard[answering];
  }

  /// Where a search that is sent to the router itself says that its description is.
  std::string location() {
    const std::string answer = search({address_, ssdp_port}, {address_, ssdp_port});
    constexpr std::string_view name = "\r\nLOCATION: ";
    const auto begin = answer.find(name);
    EXPECT_NE(begin, std::string::npos) << answer;
    if (begin == std::string::npos) return {};
    return answer.substr(begin + name.size(), answer.find("\r\n", begin + 1) - begin - name.size());
  }

  std::string get(const std::string& path) const {
    return "GET " + path + " HTTP/1.1\r\nHost: " + to_string(web()) + "\r\n\r\n";
  }

  std::string public_address_question() const {
    const std::string type = "urn:schemas-upnp-org:service:WANIPConnection:1";
    const std::string body =
        "<?xml version=\"1.0\"?>"
        "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\""
        " s:encodingStyle=\"http://schemas.xmlsoap.org/soap/encoding/\"><s:Body>"
        "<u:GetExternalIPAddress xmlns:u=\"" +
        type + "\"></u:GetExternalIPAddress></s:Body></s:Envelope>";
    return "POST " + control_path + " HTTP/1.1\r\nHost: " + to_string(web()) +
           "\r\nContent-Type: text/xml; charset=\"utf-8\"\r\nSOAPAction: \"" + type +
           "#GetExternalIPAddress\"\r\nContent-Length: " + std::to_string(body.size()) +
           "\r\n\r\n" + body;
  }

  http_witness::answer answer_from(const endpoint& where, const std::string& request) {
    *witness_ = {};
    send_http order = order_to(where, request);
    order.body_limit = 100'000;
    const auto exchange = start(std::move(order));
    EXPECT_TRUE(run_until_told());
    EXPECT_THAT(witness_->failures, IsEmpty());
    return witness_->answers.empty() ? http_witness::answer{} : witness_->answers.front();
  }

  std::optional<http_error> failure_from(const endpoint& where) {
    *witness_ = {};
    const auto exchange = start(order_to(where, get("/")));
    EXPECT_TRUE(run_until_told());
    return witness_->failures.empty() ? std::nullopt : std::optional{witness_->failures.front()};
  }

  /// All that comes back when these bytes are sent and the client's side ends, or not.
  std::string answer_to_bytes(std::string_view bytes, bool ending) {
    tcp::socket socket{io_};
    const endpoint where = web();
    socket.connect({to_asio(where.address), where.port});
    asio::write(socket, asio::buffer(bytes));
    if (ending) socket.shutdown(tcp::socket::shutdown_send);
    return all_that_comes(socket);
  }

  std::string all_that_comes(tcp::socket& socket) {
    std::string out;
    std::optional<error_code> end;
    asio::async_read(socket, asio::dynamic_buffer(out),
                     [&](const error_code& error, std::size_t /*length*/) { end = error; });
    EXPECT_TRUE(run_until(io_, [&] { return end.has_value(); }));
    EXPECT_EQ(end, asio::error::eof);
    return out;
  }

  ip_address address_ = unused_loopback_address();
  std::shared_ptr<listener> listener_ = std::make_shared<listener>();
  std::optional<sim::socket_gateway> router_;
};

TEST_F(socket_gateway_test, answers_a_search_and_serves_what_it_names) {
  start_router();
  const std::string origin = "http://" + to_string(web());
  const std::string where = location();
  ASSERT_THAT(where, StartsWith(origin + "/"));
  const auto answer = answer_from(web(), get(where.substr(origin.size())));
  EXPECT_EQ(answer.status, 200);
  EXPECT_THAT(answer.content_type, StartsWith("text/xml"));
  EXPECT_THAT(answer.body, HasSubstr("urn:schemas-upnp-org:device:InternetGatewayDevice:1"));
  EXPECT_THAT(answer.body, HasSubstr(control_path));
}

TEST_F(socket_gateway_test, hears_the_group) {
  DAMSON_RUN_IN_NEW_NETWORK([this] {
    start_router();
    EXPECT_THAT(search(ssdp_group, {address_, ssdp_port}), StartsWith("HTTP/1.1 200 OK\r\n"));
  });
}

//
TEST_F(socket_gateway_test, answers_from_another_port_where_the_profile_says_so) {
  sim::profile how = upnp_only();
  how.upnp.ssdp_source_port = 1901;
  start_router(how);
  EXPECT_THAT(search({address_, ssdp_port}, {address_, 1901}), StartsWith("HTTP/1.1 200 OK\r\n"));
}

TEST_F(socket_gateway_test, answers_an_action) {
  start_router();
  const auto answer = answer_from(web(), public_address_question());
  EXPECT_EQ(answer.status, 200);
  EXPECT_THAT(answer.body, HasSubstr("<NewExternalIPAddress>1.2.3.4</NewExternalIPAddress>"));
  ASSERT_THAT(upnp().calls(), SizeIs(1));
  EXPECT_EQ(upnp().calls()[0].from, answer.local);
  EXPECT_THAT(router_->model().complaints(), IsEmpty());
}

//
TEST_F(socket_gateway_test, moves_at_a_restart) {
  start_router();
  const endpoint before = web();
  const std::string where_before = location();
  restart_router();
  ASSERT_NE(web(), before);
  EXPECT_EQ(failure_from(before), http_error::refused);
  EXPECT_EQ(answer_from(web(), public_address_question()).status, 200);
  EXPECT_THAT(location(), StartsWith("http://" + to_string(web()) + "/"));
  EXPECT_NE(location(), where_before);
}

TEST_F(socket_gateway_test, stays_where_the_profile_says_so) {
  sim::profile how = upnp_only();
  how.upnp.http_port_moves = false;
  start_router(how);
  const endpoint before = web();
  restart_router();
  EXPECT_EQ(web(), before);
  EXPECT_EQ(answer_from(before, public_address_question()).status, 200);
}

TEST_F(socket_gateway_test, goes_by_another_port_where_its_own_is_taken) {
  const tcp::acceptor other{io_, {to_asio(address_), sim::upnp_profile{}.http_port}};
  start_router();
  EXPECT_NE(web().port, other.local_endpoint().port());
  EXPECT_THAT(location(), StartsWith("http://" + to_string(web()) + "/"));
  EXPECT_EQ(answer_from(web(), public_address_question()).status, 200);
  EXPECT_THAT(router_->model().complaints(), IsEmpty());
}

TEST_F(socket_gateway_test, keeps_its_table_when_a_port_is_taken_at_a_restart) {
  sim::profile how = upnp_only();
  how.speaks_nat_pmp = true;
  start_router(how);
  const auto next = static_cast<std::uint16_t>(how.upnp.http_port + 37);
  const tcp::acceptor other{io_, {to_asio(address_), next}};
  sim::bytes map(12);
  map[1] = std::byte{2};    // opcode: TCP
  map[5] = std::byte{80};   // internal port
  map[7] = std::byte{80};   // suggested external port
  map[10] = std::byte{14};  // lifetime: 3584 s
  router_->change([&](sim::gateway& model, time_point now) {
    model.handle(now, {{address_, 1'234}, {address_, mapping_port}, map});
    ASSERT_THAT(model.rules(), SizeIs(1));
    model.reboot(now, true);
    ASSERT_EQ(model.upnp().http_port(), next) << "else the test takes another port's place";
  });
  EXPECT_NE(web().port, next);
  EXPECT_EQ(answer_from(web(), public_address_question()).status, 200);
  EXPECT_THAT(router_->model().rules(), SizeIs(1));
}

TEST_F(socket_gateway_test, cannot_start_where_its_only_port_is_taken) {
  const tcp::acceptor other{io_, {to_asio(address_), sim::upnp_profile{}.http_port}};
  sim::profile how = upnp_only();
  how.upnp.http_port_moves = false;
  EXPECT_THROW(start_router(how), system_error);
}

TEST_F(socket_gateway_test, two_have_no_address_in_common) {
  start_router({});
  const sim::gateway again{{}, address_, router_public_address, sim::socket_gateway::now()};
  EXPECT_THROW((sim::socket_gateway{io_.get_executor(), again}), system_error);
}

TEST_F(socket_gateway_test, a_restart_breaks_what_was_not_answered) {
  sim::profile how = upnp_only();
  how.upnp.processing = 1h;
  start_router(how);
  const auto exchange = start(order_to(web(), public_address_question()));
  EXPECT_TRUE(run_until(io_, [&] { return upnp().calls().size() == 1; }));
  restart_router();
  ASSERT_TRUE(run_until_told());
  EXPECT_THAT(witness_->failures, ElementsAre(http_error::broken));
}

TEST_F(socket_gateway_test, serves_no_web_without_upnp) {
  start_router({});
  EXPECT_EQ(failure_from(web()), http_error::refused);
  router_->change([](sim::gateway& model, time_point) { model.behaviour().speaks_upnp = true; });
  EXPECT_EQ(answer_from(web(), public_address_question()).status, 200);
  router_->change([](sim::gateway& model, time_point) { model.behaviour().speaks_upnp = false; });
  EXPECT_EQ(failure_from(web()), http_error::refused);
}

//
TEST_F(socket_gateway_test, has_a_mapping_port_that_refuses) {
  start_router();
  const auto channel = open(connected_channel{.local = {}, .remote = {address_, mapping_port}});
  channel->send(std::array{std::byte{2}});
  EXPECT_TRUE(run_until(io_, [&] { return !listener_->errors.empty(); }));
  EXPECT_THAT(listener_->errors, ElementsAre(channel_error::refused));
}

//
TEST_F(socket_gateway_test, has_a_mapping_port_that_is_silent) {
  sim::profile how = upnp_only();
  how.closed_port_refuses = false;
  start_router(how);
  const auto channel = open(connected_channel{.local = {}, .remote = {address_, mapping_port}});
  channel->send(std::array{std::byte{2}});
  // On loopback the refusal would be there by now.
  EXPECT_EQ(channel->send(std::array{std::byte{2}}), send_result::sent);
  location();
  EXPECT_THAT(listener_->errors, IsEmpty());
}

TEST_F(socket_gateway_test, answers_one_request_and_ends_the_connection) {
  start_router();
  const std::string answer = answer_to_bytes(get("/nothing"), false);
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 404 "));
  EXPECT_THAT(answer, HasSubstr("\r\nConnection: close\r\n"));
}

TEST_F(socket_gateway_test, waits_for_the_whole_body) {
  start_router();
  const std::string request = public_address_question();
  tcp::socket socket{io_};
  socket.connect({to_asio(address_), web().port});
  const auto half = request.size() - 20;
  asio::write(socket, asio::buffer(request, half));
  // Long enough for one that does not wait.
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(location().empty());
  EXPECT_EQ(socket.available(), 0U);
  asio::write(socket, asio::buffer(request) + half);
  const std::string answer = all_that_comes(socket);
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, EndsWith("</s:Envelope>\r\n"));
}

TEST_F(socket_gateway_test, refuses_a_request_that_ends_early) {
  start_router();
  const std::string request = public_address_question();
  EXPECT_THAT(answer_to_bytes(std::string_view{request}.substr(0, request.size() - 1), true),
              StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(answer_to_bytes("GET /", true), StartsWith("HTTP/1.1 400 "));
}

TEST_F(socket_gateway_test, refuses_a_body_that_is_too_long_by_its_head) {
  start_router();
  EXPECT_THAT(answer_to_bytes("POST " + control_path + " HTTP/1.1\r\nHost: " + to_string(web()) +
                                  "\r\nContent-Length: 65537\r\n\r\n",
                              false),
              StartsWith("HTTP/1.1 413 "));
}

TEST_F(socket_gateway_test, bears_with_a_client_that_sends_on) {
  start_router();
  tcp::socket socket{io_};
  socket.connect({to_asio(address_), web().port});
  asio::write(socket, asio::buffer(get("/nothing")));
  EXPECT_THAT(all_that_comes(socket), StartsWith("HTTP/1.1 404 "));
  // A reset in reply to the first byte would be there for the second.
  for (const char* each : {"a", "b"}) {
    error_code error;
    asio::write(socket, asio::buffer(each, 1), error);
    EXPECT_FALSE(error) << error.message();
    io_.poll();
  }
}

TEST_F(socket_gateway_test, refuses_a_head_without_end) {
  start_router();
  EXPECT_THAT(answer_to_bytes("GET / HTTP/1.1\r\nA: " + std::string(100'000, 'a'), false),
              StartsWith("HTTP/1.1 400 "));
}

TEST_F(socket_gateway_test, serves_so_many_at_a_time) {
  start_router();
  std::vector<tcp::socket> idle;
  for (int i = 0; i < 32; ++i) idle.emplace_back(io_).connect({to_asio(address_), web().port});
  io_.poll();
  const auto exchange = start(order_to(web(), public_address_question()));
  // Long enough for one that is served: what it takes to answer some searches, one after another.
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(location().empty());
  EXPECT_FALSE(witness_->was_told());
  idle.back().close();
  ASSERT_TRUE(run_until_told());
  EXPECT_THAT(witness_->answers, SizeIs(1));
}

TEST_F(socket_gateway_test, leaves_nothing_to_run_when_it_is_gone) {
  sim::profile how = upnp_only();
  how.upnp.processing = 1h;
  start_router(how);
  const auto exchange = start(order_to(web(), public_address_question()));
  EXPECT_TRUE(run_until(io_, [&] { return upnp().calls().size() == 1; }));
  router_.reset();
  ASSERT_TRUE(run_until_told());
  EXPECT_TRUE(run_out());
}

}  // namespace
}  // namespace damson::driver
