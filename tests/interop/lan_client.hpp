#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <vector>

#include <damson/engine.hpp>
#include <damson/error.hpp>
#include <damson/mapping.hpp>
#include <damson/options.hpp>

#include "lab/lab.hpp"

/// Lets the client's log be seen where the environment has DAMSON_VERBOSE=1.
damson::options with_log(damson::options opts);

/// A damson client on the LAN host, its loop on a thread there, for tests that read from top to
/// bottom. Every call throws lab::error when nothing comes within thirty seconds.
class lan_client {
 public:
  explicit lan_client(const lab::network& net, const damson::options& opts = {});
  lan_client(const lan_client&) = delete;
  lan_client& operator=(const lan_client&) = delete;
  ~lan_client();

  /// Empty on success; then `info` and the calls below are about this mapping.
  std::optional<damson::failure> map(const damson::map_request& request);
  damson::mapping_info info() const;
  std::vector<damson::mapping_part> parts() const;
  /// Where a WAN host has to knock.
  lab::endpoint external() const;
  damson::mapping_event next_event();
  damson::removal release();

 private:
  class loop;
  std::unique_ptr<loop> loop_;
};
