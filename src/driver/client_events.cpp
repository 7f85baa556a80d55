#include "driver/client_events.hpp"

#include <utility>

#include <boost/asio/error.hpp>

namespace damson::detail {

void client_events::tell(const std::shared_ptr<mapping_state>& of, mapping_event event) {
  of->tell(std::move(event));
  if (!of->has_untold()) return;
  if (auto waiter = take_wait()) std::move(waiter->operation).complete({}, of->take_untold());
  if (of->has_untold()) keep(of);
}

void client_events::wait_for(const std::shared_ptr<mapping_state>& of, wait<signature> waiter) {
  of->wait_for_event(std::move(waiter));
  if (!of->has_untold()) forget(*of);
}

void client_events::wait_for_any(wait<signature> waiter) {
  keeps_for_all_ = true;
  if (waiter_) {
    std::move(waiter.operation).complete(make_error_code(errc::busy), {});
  } else if (!untold_.empty()) {
    const auto next = untold_.begin()->second;
    forget(*next);
    std::move(waiter.operation).complete({}, next->take_untold());
    if (next->has_untold()) keep(next);  // of another part
  } else if (closed_) {
    std::move(waiter.operation).complete(make_error_code(errc::closed), {});
  } else {
    waiter_.emplace(std::move(waiter));
  }
}

void client_events::cancel(driver::wait_ticket ticket) {
  if (!waiter_ || waiter_->ticket != ticket) return;
  std::move(take_wait()->operation).complete(boost::asio::error::operation_aborted, {});
}

void client_events::on_handle_gone(mapping_state& of) {
  if (!keeps_for_all_) forget(of);
}

void client_events::stop_keeping() { const auto kept = take_kept(); }

std::map<std::uint64_t, std::shared_ptr<mapping_state>> client_events::take_kept() {
  keeps_none_ = true;
  for (const auto& [place, each] : untold_) each->set_place(0);
  return std::exchange(untold_, {});
}

void client_events::close() {
  closed_ = true;
  if (auto waiter = take_wait())
    std::move(waiter->operation).complete(make_error_code(errc::closed), {});
}

std::optional<wait<client_events::signature>> client_events::take_wait() {
  return take_out(waiter_);
}

void client_events::keep(const std::shared_ptr<mapping_state>& of) {
  const bool is_held = of->fate() == handle_fate::held;
  if (keeps_none_ || of->place() != 0 || (!is_held && !keeps_for_all_)) return;
  untold_.emplace(++last_place_, of);
  of->set_place(last_place_);
}

void client_events::forget(mapping_state& of) {
  const auto place = of.place();
  if (place == 0) return;
  of.set_place(0);
  untold_.erase(place);  // perhaps the last that kept it alive
}

}  // namespace damson::detail
