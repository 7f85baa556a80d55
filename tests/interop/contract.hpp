#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <concepts>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>

#include "contract_router.hpp"
#include "interop.hpp"

/// The fixture of the tests of the contract, each of which is named after a row of it and runs on a
/// router of each protocol, on the WAN side of which somebody knocks.
class contract : public interop, public testing::WithParamInterface<damson::protocol> {
 protected:
  static constexpr std::uint16_t service_port = 8080;
  static constexpr std::uint16_t second_port = 8081;
  static constexpr std::uint16_t forbidden_port = contract_router::forbidden_port;
  /// How long a release may take by the contract, and the time for the program around it.
  static constexpr std::chrono::milliseconds release_bound{3'000};
  /// Less than a silent router is waited for where nobody asks for haste.
  static constexpr std::chrono::milliseconds promptly{3'000};

  void SetUp() override {
    interop::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    router_ = std::make_unique<contract_router>(GetParam());
    rules_ = net().rules();
  }

  contract_router& router() { return *router_; }
  const lab::network& net() const { return router_->net(); }

  lab::listener listen(std::uint16_t port = service_port,
                       lab::transport which = lab::transport::tcp) const {
    return {net().lan(), which, port};
  }
  bool leads_in(std::uint16_t port = service_port) const {
    return net().leads_to({net().lan_address(), port});
  }
  /// Whether the router's rules are what they were before anything was asked of it.
  bool is_untouched() const { return net().rules() == rules_; }

  /// Whether something comes true within ten seconds.
  static bool eventually(const std::predicate auto& holds) {
    const auto deadline = lab::steady_clock::now() + std::chrono::seconds{10};
    while (!holds()) {
      if (lab::steady_clock::now() > deadline) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds{2});
    }
    return true;
  }

  static lab::milliseconds time_of(const std::invocable auto& work) {
    const auto begin = lab::steady_clock::now();
    work();
    return std::chrono::duration_cast<lab::milliseconds>(lab::steady_clock::now() - begin);
  }

 private:
  std::unique_ptr<contract_router> router_;
  std::string rules_;
};

inline std::string name_of(const testing::TestParamInfo<damson::protocol>& tested) {
  return tested.param == damson::protocol::nat_pmp ? "nat_pmp"
                                                   : std::string(to_string(tested.param));
}
