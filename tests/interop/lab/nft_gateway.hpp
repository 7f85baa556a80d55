#pragma once

#include <map>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "lab/network.hpp"
#include "lab/process.hpp"

namespace lab {

/// The simulated router, `damson gateway`, in the place of miniupnpd: what it maps becomes rules of
/// the kernel, in the same chains, a moment after the client has its answer. For what the real
/// daemon refuses to be, such as a router whose own address outside is private.
class nft_gateway {
 public:
  /// Serving when the constructor returns. `tool`: the program; `external`: what it says its
  /// address outside is.
  nft_gateway(const network& where, std::string_view tool, std::string_view external);
  nft_gateway(const nft_gateway&) = delete;
  nft_gateway& operator=(const nft_gateway&) = delete;
  /// Takes its rules back.
  ~nft_gateway();

  /// Waits until the kernel has as many mappings; throws when that takes too long.
  void await(std::size_t mappings) const;

 private:
  void follow(const std::stop_token& stop);
  void note(std::string_view line);
  void apply() const;

  const network& network_;
  process program_;
  /// Where each transport and external port leads.
  std::map<std::pair<std::string, std::string>, endpoint> rules_;
  std::jthread follower_;
};

}  // namespace lab
