/// What is asked of the device for its own sake: its table, its state, and deletes by name.

#include <algorithm>

#include "proto/igd_client.hpp"

namespace damson {

void igd_client::ask(const router_question& what) {
  jobs_.push_back({.kind = job_kind::ask, .question = what});
}

igd_reading igd_client::stop_asking(errc reason) {
  const auto found =
      std::ranges::find_if(jobs_, [](const job& each) { return each.kind == job_kind::ask; });
  if (found == jobs_.end()) return {.why = {reason, std::nullopt, {}}};
  if (found == jobs_.begin() && open_ && !open_->for_probe) abort();
  igd_reading out{.why = {reason, std::nullopt, {}}};
  if (found->reader) {
    found->reader->give_up(reason);
    out = found->reader->take();
  }
  jobs_.erase(found);
  return out;
}

/// A reader begins when there is a device, and goes on where the device is found again.
void igd_client::follow_device(job& what) {
  if (!what.reader) {
    what.reader = std::make_unique<igd_reader>(*what.question, *device_, local_);
  } else if (what.reader_is_behind) {
    what.reader->begin_anew(*device_);
  }
  what.reader_is_behind = false;
}

void igd_client::on_read_answer(job& what, const http_answer& answer, time_point now) {
  if (const auto failure = what.reader->on_answer(answer)) {
    const bool is_gone = failure->status == 404 || failure->status == 410;
    // What it need not have, it may not have; else the page has moved.
    if (is_gone && !what.reader->is_optional()) return on_job_failed(true, errc::no_answer, now);
    if (failure->status >= 500) return on_job_failed(false, errc::unusable_answer, now);
    if (what.reader->is_optional()) {
      what.reader->leave_out();
    } else {
      what.reader->give_up(errc::unusable_answer);
    }
  }
  // A table is long, and each answer shows that the device is there.
  what.failures = what.failures_in_all = 0;
  what.searched_again = false;
}

void igd_client::settle_reading() {
  reading_ = jobs_.front().reader->take();
  jobs_.pop_front();
  events_.emplace_back(igd_event::read{});
}

}  // namespace damson
