#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "lab/probe.hpp"

namespace lab {

/// An answer that sends the client somewhere else.
struct redirection {
  int status = 302;
  std::string to;
};

/// What a fake device says about itself. As it is here all of it is true and consistent; each
/// member is a place where it can lie.
struct device_story {
  /// The LOCATION of its search answers; empty: its own description.
  std::string location{};
  /// The description's URLBase; empty: it has none.
  std::string url_base{};
  std::string control_url = "/ctl/IPConn";
  /// In front of the paths of all URLs that opening a port does not need (SCPD, events,
  /// presentation).
  std::string other_urls{};
  /// Its answer to every GET, and to every POST.
  std::optional<redirection> description_moved{};
  std::optional<redirection> control_moved{};
};

/// A UPnP gateway (IGD 1 with one WANIPConnection) that does nothing but talk: it answers searches
/// by multicast and unicast, serves a description and keeps a table of port mappings that opens no
/// port. For what a real router would never say.
class fake_device {
 public:
  static constexpr std::string_view external_address = "1.2.3.4";

  /// Answering when the constructor returns. `address` is one of the host's, from which it answers.
  fake_device(const net_namespace& where, std::string_view address, device_story story = {});
  fake_device(const fake_device&) = delete;
  fake_device& operator=(const fake_device&) = delete;
  ~fake_device();

  /// Where its description is, whatever it says.
  std::string description_url() const;
  endpoint web() const { return {address_, web_port_}; }

  /// How many searches it has answered.
  std::size_t searches() const;
  /// How often it was asked with this method: "GET" for a description, "POST" for an action.
  std::size_t requests(std::string_view method) const;
  /// How many entries its table has.
  std::size_t entries() const;

 private:
  struct entry {
    std::string client;
    std::string port;
    std::string lease;
  };

  void serve();
  void serve_search();
  void serve_web();
  std::string respond(const std::string& head, const std::string& body);
  std::string act(const std::string& action, const std::string& body);
  std::string description() const;

  std::string address_;
  device_story story_;
  unique_fd search_;
  unique_fd web_;
  unique_fd stop_;
  std::uint16_t web_port_ = 0;
  mutable std::mutex mutex_;
  std::size_t searches_ = 0;
  std::map<std::string, std::size_t, std::less<>> requests_;
  std::map<std::pair<std::string, std::string>, entry> table_;
  std::thread server_;
};

}  // namespace lab
