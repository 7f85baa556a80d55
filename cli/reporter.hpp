#pragma once

#include <chrono>
#include <optional>

#include <damson/engine.hpp>

#include "output.hpp"
#include "terminal.hpp"

namespace damson::cli {

/// Turns the events of one mapping into lines on standard output, for people or for programs, and
/// adds the times that only somebody who watched from the start can know.
class reporter {
 public:
  using clock = std::chrono::steady_clock;

  reporter(bool json, status_line& status) : json_(json), status_(status) {}

  /// Each returns whether the line could be written.
  bool opened(const mapping_info& info);
  bool told(const mapping_event& event);
  bool removed(const mapping_info& info, removal how, clock::duration took);

  /// One line on standard error and, for programs, one on standard output.
  void failed(map_failure what);

  /// One line on standard error about anything else.
  void complain(std::string_view line);

  clock::duration elapsed() const { return clock::now() - started_; }

 private:
  bool write(const report& what);

  bool json_;
  status_line& status_;
  clock::time_point started_ = clock::now();
  std::optional<clock::time_point> lost_at_;
  mapping_info last_;
};

}  // namespace damson::cli
