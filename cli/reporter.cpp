#include "reporter.hpp"

#include <string>
#include <utility>

namespace damson::cli {

bool reporter::opened(const mapping_info& info, const std::vector<protocol_report>& how,
                      const failure& why) {
  report what;
  what.event.kind = event_kind::mapped;
  what.event.info = info;
  what.event.report = how;
  what.event.why = why;
  what.elapsed = info.elapsed;
  return write(what);
}

bool reporter::told(const mapping_event& event) {
  report what{.event = event, .before = last_, .elapsed = clock::now() - last_told_};
  if (event.kind == event_kind::mapped) {
    what.was_never_lost = !std::exchange(is_lost_, false);
  } else if (event.kind == event_kind::lost) {
    is_lost_ = true;
  }
  return write(what);
}

bool reporter::removed(const mapping_info& info, removal how, clock::duration took) {
  report what;
  what.event.kind = event_kind::removed;
  what.event.info = info;
  what.event.how = how;
  what.elapsed = took;
  return write(what);
}

bool reporter::failed(map_failure what) {
  what.elapsed = clock::now() - started_;
  complain(human_line(what));
  return !json_ || write_line(stream::out, json_line(what));
}

void reporter::complain(std::string_view line) {
  status_.clear();
  write_line(stream::err, line);
}

bool reporter::write(const report& what) {
  last_ = what.event.info;
  last_told_ = clock::now();
  status_.clear();
  const bool is_written = write_line(stream::out, json_ ? json_line(what) : human_line(what));
  const bool is_open =
      what.event.kind == event_kind::mapped || what.event.kind == event_kind::changed;
  const ip_address& outside = what.event.info.external.address;
  if (is_open && std::exchange(judged_, outside) != outside) {
    if (const std::string warning = warning_line(what.event.info, what.event.why);
        !warning.empty()) {
      complain(warning);
    }
  }
  if (is_verbose_ && !json_) {
    for (const protocol_report& of : what.event.report) {
      complain("damson: " + human_line(of));
    }
  }
  return is_written;
}

}  // namespace damson::cli
