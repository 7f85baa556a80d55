#include "reporter.hpp"

#include <string>
#include <utility>

namespace damson::cli {

reporter::story& reporter::story_of(const mapping_info& info) {
  return stories_
      .try_emplace(
          info.part,
          story{
              .last_told = started_, .is_lost = false, .last = {}, .judged = {}, .judged_seen = {}})
      .first->second;
}

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
  story& of = story_of(event.info);
  report what{.event = event, .before = of.last, .elapsed = clock::now() - of.last_told};
  if (event.kind == event_kind::mapped) {
    what.was_never_lost = !std::exchange(of.is_lost, false) && event.regained;
  } else if (event.kind == event_kind::lost) {
    of.is_lost = true;
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
  story& told = story_of(what.event.info);
  told.last = what.event.info;
  told.last_told = clock::now();
  status_.clear();
  const bool is_written = write_line(stream::out, json_ ? json_line(what) : human_line(what));
  const bool is_open =
      what.event.kind == event_kind::mapped || what.event.kind == event_kind::changed;
  const ip_address& outside = what.event.info.external.address;
  if (is_open && std::exchange(told.judged, outside) != outside) {
    if (const std::string warning = warning_line(what.event.info, what.event.why);
        !warning.empty()) {
      complain(warning);
    }
    if (is_filtered_ && !what.event.info.filtered) complain(unfiltered_line(what.event.info));
  }
  if (is_open) {
    const std::string unseen = seen_line(what.event.info);
    if (std::exchange(told.judged_seen, unseen) != unseen && !unseen.empty()) complain(unseen);
  }
  if (is_verbose_ && !json_) {
    for (const protocol_report& of : what.event.report) {
      complain("damson: " + human_line(of));
    }
  }
  return is_written;
}

}  // namespace damson::cli
