#include "web_server.hpp"

#include <gtest/gtest.h>

#include <cstddef>

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/write.hpp>

#include "driver/endpoints.hpp"

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

damson::endpoint from_tcp(const tcp::endpoint& where) {
  return {damson::driver::from_asio(where.address()), where.port()};
}

}  // namespace

web_server::web_server(asio::io_context& io, std::string_view address, reading how)
    : acceptor_(io, {asio::ip::make_address(address), 0}), connection_(io), how_(how) {
  acceptor_.async_accept(connection_, [this](const error_code& error) {
    if (error) return;
    connected_ = true;
    connection_.set_option(tcp::no_delay{true});
    if (how_ == reading::at_once) receive();
  });
}

/// Its handlers are run to their end, or else they would find nobody.
web_server::~web_server() {
  acceptor_.close();
  connection_.close();
  auto& io = static_cast<asio::io_context&>(acceptor_.get_executor().context());
  io.restart();
  io.poll();
}

void web_server::receive() {
  connection_.async_read_some(asio::buffer(buffer_),
                              [this](const error_code& error, std::size_t length) {
                                received_.append(buffer_.data(), length);
                                if (!error)
                                  receive();
                                else if (error != asio::error::operation_aborted)
                                  ended_ = error;
                              });
}

damson::endpoint web_server::where() const { return from_tcp(acceptor_.local_endpoint()); }

damson::endpoint web_server::client() const { return from_tcp(connection_.remote_endpoint()); }

void web_server::send(std::string_view bytes) {
  error_code error;
  asio::write(connection_, asio::buffer(bytes), error);
  EXPECT_FALSE(error) << error.message();
}

void web_server::finish() { connection_.shutdown(tcp::socket::shutdown_send); }

void web_server::reset() {
  connection_.set_option(tcp::socket::linger{true, 0});
  connection_.close();
}

void web_server::stop_listening() { acceptor_.close(); }
