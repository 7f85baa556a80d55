#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <future>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <damson/types.hpp>

#include "capi/http_fetch.hpp"
#include "capi/name_lookup.hpp"

namespace damson::capi {

/// The files of a DummyTLS domain.
enum class dummytls_file : std::uint8_t { cert, chain, full_chain, private_key };

/// Whether it can be the domain of host names: letters, digits, hyphens, underscores and single
/// dots between, so short that an IPv4 address still fits in front.
bool is_domain(std::string_view text);

/// What DummyTLS needs of the world outside.
struct dummytls_surroundings {
  resolve_function resolve = resolve_by_system;
  std::uint16_t http_port = 80;
  std::function<std::chrono::steady_clock::time_point()> now = std::chrono::steady_clock::now;
};

/// The host names and the certificate of one DummyTLS domain.
///
/// May be called from any thread.
class dummytls {
 public:
  using clock = std::chrono::steady_clock;
  /// Called with the host name, or with nothing where it does not lead to the address.
  using host_handler = std::function<void(std::optional<std::string> host)>;

  static constexpr std::chrono::seconds host_limit{5};    ///< for `host`
  static constexpr std::chrono::seconds fetch_limit{10};  ///< for `file`
  static constexpr std::chrono::hours keep_files_for{1};

  explicit dummytls(std::string domain, dummytls_surroundings around = {});

  /// The host name for an address.
  std::string name_of(const ip_address& address) const;

  /// Finds out whether that name leads to the address and nowhere else. The handler is called
  /// inside the call where the name cannot exist, else on a thread that must not be kept.
  void check_host(const ip_address& address, host_handler handler);

  /// The same, waited for.
  std::optional<std::string> host(const ip_address& address);

  /// What a file holds; nothing where it cannot be had. Blocks while the files are fetched: once
  /// for all who ask meanwhile.
  std::optional<std::string> file(dummytls_file which);

 private:
  static constexpr std::size_t file_count = 4;
  struct file_set {
    clock::time_point fetched;
    std::array<std::optional<std::string>, file_count> files;
  };

  std::vector<ip_address> resolve_domain(clock::time_point deadline);
  file_set fetch();
  bool is_fresh(clock::time_point now) const;
  void keep(file_set fetched);

  std::string domain_;
  dummytls_surroundings around_;
  name_lookup names_;
  std::mutex files_mutex_;  ///< never held while files are fetched
  std::optional<file_set> files_;
  std::shared_future<void> fetching_;  ///< valid while files are fetched
};

}  // namespace damson::capi
