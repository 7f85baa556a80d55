#include "reporter.hpp"

#include <utility>

namespace damson::cli {

bool reporter::opened(const mapping_info& info) {
  report what;
  what.event.kind = event_kind::mapped;
  what.event.info = info;
  what.elapsed = what.took = info.elapsed;
  return write(what);
}

bool reporter::told(const mapping_event& event) {
  report what{.event = event, .before = last_, .elapsed = elapsed()};
  what.took = what.elapsed;
  if (event.kind == event_kind::lost) {
    lost_at_ = clock::now();
  } else if (event.kind == event_kind::mapped && lost_at_) {
    what.took = clock::now() - *lost_at_;
    lost_at_.reset();
  }
  return write(what);
}

bool reporter::removed(const mapping_info& info, removal how, clock::duration took) {
  report what;
  what.event.kind = event_kind::removed;
  what.event.info = info;
  what.event.how = how;
  what.elapsed = elapsed();
  what.took = took;
  return write(what);
}

void reporter::failed(map_failure what) {
  what.elapsed = elapsed();
  complain(human_line(what));
  if (json_) {
    write_line(stream::out, json_line(what));
  }
}

void reporter::complain(std::string_view line) {
  status_.clear();
  write_line(stream::err, line);
}

bool reporter::write(const report& what) {
  last_ = what.event.info;
  status_.clear();
  return write_line(stream::out, json_ ? json_line(what) : human_line(what));
}

}  // namespace damson::cli
