#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "lab/lab.hpp"

/// Takes UPnP events on a host of the lab: each request is kept and answered with 200.
class callback_server {
 public:
  callback_server(const lab::net_namespace& where, std::uint16_t port);
  callback_server(const callback_server&) = delete;
  callback_server& operator=(const callback_server&) = delete;
  ~callback_server();

  /// The first request that came, waited for; empty when none comes within ten seconds.
  std::optional<std::string> first();

 private:
  void serve();

  lab::unique_fd socket_;
  lab::unique_fd stop_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> requests_;
  std::thread server_;
};
