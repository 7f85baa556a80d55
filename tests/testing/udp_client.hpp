#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/udp.hpp>

#include <damson/types.hpp>

/// A client that knows nothing but how to send bytes, for what damson's own never does.
class udp_client {
 public:
  /// Bytes as numbers.
  using packet = std::vector<std::uint8_t>;

  explicit udp_client(const damson::endpoint& server);

  void send(const packet& what);
  /// To a group, on loopback.
  void send_to_group(const damson::endpoint& group, std::string_view text);
  void send(std::string_view text) { send(packet{text.begin(), text.end()}); }

  /// The next answer; empty where the port refuses, or nobody answers for a long time.
  std::optional<packet> receive();
  /// Whether the port refused what was sent.
  bool is_refused();
  /// Whether an answer has come already.
  bool has_answer() const { return socket_.available() > 0; }

  static packet nat_pmp_address_question() { return {0, 0}; }
  /// Version 0, opcode UDP or TCP, two reserved bytes, ports, lifetime in s.
  static packet nat_pmp_map(std::uint8_t opcode, std::uint16_t internal, std::uint16_t external,
                            std::uint32_t lifetime);

 private:
  bool wait();

  boost::asio::io_context io_;
  boost::asio::ip::udp::endpoint server_;
  boost::asio::ip::udp::socket socket_{io_, boost::asio::ip::udp::v4()};
};
