// The words for the enumerations of <damson/options.hpp> and <damson/engine.hpp>.

#include <string_view>

#include <damson/engine.hpp>
#include <damson/options.hpp>

namespace damson {

std::string_view to_string(log_level value) noexcept {
  switch (value) {
    case log_level::trace:
      return "trace";
    case log_level::debug:
      return "debug";
    case log_level::info:
      return "info";
    case log_level::warning:
      return "warning";
    case log_level::error:
      return "error";
    case log_level::none:
      return "none";
  }
  return "unknown level";
}

std::string_view to_string(event_kind value) noexcept {
  switch (value) {
    case event_kind::mapped:
      return "mapped";
    case event_kind::changed:
      return "changed";
    case event_kind::lost:
      return "lost";
    case event_kind::failed:
      return "failed";
    case event_kind::removed:
      return "removed";
  }
  return "unknown event";
}

std::string_view to_string(protocol_standing value) noexcept {
  switch (value) {
    case protocol_standing::not_asked:
      return "not asked";
    case protocol_standing::asked:
      return "asked";
    case protocol_standing::answered:
      return "answered";
    case protocol_standing::taken:
      return "taken";
    case protocol_standing::failed:
      return "failed";
  }
  return "unknown";
}

std::string_view to_string(removal value) noexcept {
  switch (value) {
    case removal::deleted:
      return "deleted";
    case removal::already_gone:
      return "already gone";
    case removal::left_to_expire:
      return "left to expire";
    case removal::still_shared:
      return "still shared";
  }
  return "unknown removal";
}

}  // namespace damson
