#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <damson/engine.hpp>

#include "output.hpp"
#include "terminal.hpp"

namespace damson::cli {

/// Turns the events of one mapping into lines on standard output, for people or for programs, and
/// adds the times that only somebody who watched from the start can know.
class reporter {
 public:
  using clock = std::chrono::steady_clock;

  /// `is_verbose`: people are told how each protocol fared, on standard error. `is_filtered`: only
  /// some peers are to come in.
  reporter(bool json, bool is_verbose, bool is_filtered, status_line& status)
      : json_(json), is_verbose_(is_verbose), is_filtered_(is_filtered), status_(status) {}

  /// Each returns whether the line could be written.
  bool opened(const mapping_info& info, const std::vector<protocol_report>& how,
              const failure& why);
  bool told(const mapping_event& event);
  bool removed(const mapping_info& info, removal how, clock::duration took);

  /// One line on standard error and, for programs, one on standard output. Returns whether the
  /// latter could be written.
  bool failed(map_failure what);

  /// One line on standard error about anything else.
  void complain(std::string_view line);

 private:
  bool write(const report& what);

  bool json_;
  bool is_verbose_;
  bool is_filtered_;
  status_line& status_;
  clock::time_point started_ = clock::now();
  /// What was told of one part.
  struct story {
    clock::time_point last_told;
    bool is_lost = false;
    mapping_info last;
    ip_address judged;          ///< the outside address that was warned of, or was none to warn of
    std::string judged_seen{};  ///< what was said of the address that the internet sees
  };
  story& story_of(const mapping_info& info);

  std::map<std::uint32_t, story> stories_;
};

}  // namespace damson::cli
