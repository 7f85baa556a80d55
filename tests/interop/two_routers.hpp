#pragma once

/// The same requests to Debian's miniupnpd in the lab and to a gateway model in this process, and
/// what their answers say.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "callback_server.hpp"
#include "lab/lab.hpp"
#include "sim/gateway.hpp"

/// What an answer says, field by field, in a form that can be compared and read.
using facts = std::vector<std::pair<std::string, std::string>>;

struct difference {
  std::string request;
  std::string field;
  std::string real;
  std::string model;

  friend bool operator==(const difference&, const difference&) = default;
};

/// Which service a call is for; its path is what the router's description says.
enum class service : std::uint8_t { connection, common_interface, layer3, firewall };

using arguments = std::vector<std::pair<std::string, std::string>>;

/// A router of each kind with the same addresses, and what they were found to differ in.
class two_routers {
 public:
  /// `version` of the InternetGatewayDevice.
  explicit two_routers(std::uint8_t version);

  /// A datagram in hexadecimal to port 5351.
  void pcp(const std::string& request, std::string_view hex);
  void pcp_v6(const std::string& request, std::string_view hex);
  void nat_pmp(const std::string& request, std::string_view hex);

  /// A search sent to the router alone, line ends included.
  void search(const std::string& request, const std::string& text);

  /// A call with good manners. `over_v6` goes to the router's IPv6 address. "ITS ID" as a value
  /// stands for the UniqueID that the router gave last. Without a name nothing is compared.
  void call(const std::string& request, service at, std::string_view action, const arguments& in,
            bool over_v6 = false);

  /// A whole HTTP request, where "HOST", "PATH" and "EVENTS" in capitals stand for the router's
  /// authority and for the control and event paths of its connection, and "SIDVALUE" for the
  /// identifier that the router gave last.
  void http(const std::string& request, std::string text);

  /// The first event of the subscription that `http` made last, which goes to `event_port`.
  void first_event(const std::string& request);
  static constexpr std::uint16_t event_port = 4004;

  /// The service descriptions: actions and their arguments, variables and their types.
  void descriptions();

  const std::vector<difference>& differences() const { return differences_; }
  std::size_t requests() const { return requests_; }

  const lab::network& net() const { return net_; }

 private:
  struct document {
    std::string kind;  ///< "WANIPConnection:2"
    std::string control;
    std::string scpd;
    std::string events;
  };

  std::string ask_real(std::string_view text, bool over_v6 = false) const;
  std::string ask_model(std::string_view text, bool over_v6 = false);
  std::vector<std::uint8_t> datagram_to_model(const lab::endpoint& to,
                                              const std::vector<std::uint8_t>& bytes);
  void compare(const std::string& request, const facts& real, const facts& model);
  const document& document_of(const std::vector<document>& all, service which) const;
  std::vector<document> read_description(const std::string& answer) const;

  std::uint8_t version_;
  lab::network net_;
  callback_server events_{net_.lan(), event_port};
  lab::miniupnpd daemon_;
  damson::sim::gateway model_;
  std::uint16_t real_port_ = 0;
  std::vector<document> real_services_;
  std::vector<document> model_services_;
  std::string real_sid_;
  std::string model_sid_;
  std::string real_id_;
  std::string model_id_;
  std::vector<difference> differences_;
  std::size_t requests_ = 0;
};
