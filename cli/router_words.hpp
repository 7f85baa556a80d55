#pragma once

#include <string>
#include <vector>

#include "argument_readers.hpp"
#include "router_arguments.hpp"

namespace damson::cli {

/// The commands that ask the router for its own sake, as they were typed.
class router_words {
 public:
  void describe(CLI::App& app);
  std::vector<CLI::App*> commands() const { return {list_, status_, delete_, delete_range_}; }

  /// Whether one of them was given.
  bool parsed() const;
  /// Throws `bad_value`. Precondition: `parsed`.
  router_arguments read() const;

 private:
  CLI::App* list_ = nullptr;
  CLI::App* status_ = nullptr;
  CLI::App* delete_ = nullptr;
  CLI::App* delete_range_ = nullptr;
  std::string port_;
  std::string range_;
  std::string remote_host_;
  std::string gateway_;
  bool json_ = false;
};

}  // namespace damson::cli
