#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <damson/types.hpp>

/// A web server on a thread of its own: says for each target what it was told to say, and 404 for
/// all others.
class web_site {
 public:
  /// Port 0: the system's choice.
  explicit web_site(const std::string& address = "127.0.0.1", std::uint16_t port = 0);
  web_site(const web_site&) = delete;
  web_site& operator=(const web_site&) = delete;
  ~web_site();

  damson::endpoint where() const;

  void set_file(const std::string& target, const std::string& body);
  /// The whole answer, head and all. An empty one: none, and the connection stays.
  void set_answer(const std::string& target, const std::string& answer);

  /// The requests so far, head and all.
  std::vector<std::string> requests() const;

 private:
  void accept();
  void serve(boost::asio::ip::tcp::socket connection);

  boost::asio::io_context io_;
  boost::asio::ip::tcp::acceptor acceptor_;
  std::vector<boost::asio::ip::tcp::socket> unanswered_;
  mutable std::mutex mutex_;
  std::map<std::string, std::string> answers_;
  std::vector<std::string> requests_;
  std::thread thread_;
};
