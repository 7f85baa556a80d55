#include "web_site.hpp"

#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

web_site::web_site(const std::string& address, std::uint16_t port)
    : acceptor_(io_, tcp::endpoint{asio::ip::make_address(address), port}) {
  accept();
  thread_ = std::thread{[this] { io_.run(); }};
}

web_site::~web_site() {
  io_.stop();
  thread_.join();
}

damson::endpoint web_site::where() const {
  const tcp::endpoint local = acceptor_.local_endpoint();
  return {damson::ip_address::parse(local.address().to_string()).value(), local.port()};
}

void web_site::set_file(const std::string& target, const std::string& body) {
  set_answer(target, "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) +
                         "\r\nConnection: close\r\n\r\n" + body);
}

void web_site::set_answer(const std::string& target, const std::string& answer) {
  const std::lock_guard lock{mutex_};
  answers_[target] = answer;
}

std::vector<std::string> web_site::requests() const {
  const std::lock_guard lock{mutex_};
  return requests_;
}

void web_site::accept() {
  acceptor_.async_accept([this](error_code error, tcp::socket connection) {
    if (error) return;
    serve(std::move(connection));
    accept();
  });
}

void web_site::serve(tcp::socket connection) {
  std::string request;
  error_code error;
  asio::read_until(connection, asio::dynamic_buffer(request), "\r\n\r\n", error);
  const std::size_t begin = request.find(' ') + 1;
  const std::string target = request.substr(begin, request.find(' ', begin) - begin);
  std::string answer = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
  {
    const std::lock_guard lock{mutex_};
    requests_.push_back(request);
    if (const auto found = answers_.find(target); found != answers_.end()) answer = found->second;
  }
  if (answer.empty())
    unanswered_.push_back(std::move(connection));
  else
    asio::write(connection, asio::buffer(answer), error);
}
