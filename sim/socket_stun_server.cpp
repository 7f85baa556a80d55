#include "sim/socket_stun_server.hpp"

#include <utility>

#include <boost/system/system_error.hpp>

namespace damson::sim {

socket_stun_server::socket_stun_server(const endpoint& at, const stun_habits& how)
    : at_(at), how_(how) {
  boost::system::error_code error;
  port_ = socket_datagrams::open(
      io_.get_executor(), at, false,
      [this](const datagram& in) {
        if (auto answer = answer_stun(how_, in)) port_->send({at_, in.from, std::move(*answer)});
      },
      error);
  if (error) throw boost::system::system_error(error, "STUN server");
  at_.port = port_->number();
  thread_ = std::thread([this] { io_.run(); });
}

socket_stun_server::~socket_stun_server() {
  io_.stop();
  thread_.join();
}

}  // namespace damson::sim
