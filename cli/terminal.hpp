#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace damson::cli {

enum class stream : unsigned char { out, err };

/// To be called first: descriptors 0 to 2 that came closed are taken, so that no socket gets the
/// number that lines are written to, and a reader who went away is an error of the write, no longer
/// a signal.
void prepare_streams();

bool is_terminal(stream where);

/// Writes the text and a line end, without buffering; false when that is not possible any more.
bool write_line(stream where, std::string_view text);

/// A line on standard error that is written over; nothing at all unless that is a terminal.
class status_line {
 public:
  /// `enabled` false: never shown.
  explicit status_line(bool enabled) : enabled_(enabled && is_terminal(stream::err)) {}

  bool enabled() const { return enabled_; }
  void show(std::string_view text);
  /// Takes the text away, before a line that stays is written.
  void clear();

 private:
  bool enabled_;
  std::string shown_;
};

}  // namespace damson::cli
