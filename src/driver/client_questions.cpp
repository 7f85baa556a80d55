/// What a client asks a router for its own sake.

#include <utility>

#include <boost/asio/error.hpp>

#include "driver/client_state.hpp"

namespace damson::detail {

namespace asio = boost::asio;

namespace {

// What each kind of handler hears of an answer.

void pass_on(wait<client_state::answer_signature> waiter, const error_code& error,
             router_answered answer) {
  std::move(waiter.operation).complete(error, std::move(answer));
}

void pass_on(wait<client_state::entries_signature> waiter, const error_code& error,
             router_answered answer) {
  std::move(waiter.operation).complete(error, std::move(answer.entries));
}

void pass_on(wait<client_state::entry_signature> waiter, const error_code& error,
             router_answered answer) {
  router_entry entry;
  if (!answer.entries.empty()) entry = std::move(answer.entries.front());
  std::move(waiter.operation).complete(error, std::move(entry));
}

void pass_on(wait<client_state::status_signature> waiter, const error_code& error,
             router_answered answer) {
  std::move(waiter.operation).complete(error, std::move(answer.status).value_or(router_status{}));
}

}  // namespace

void client_state::begin_question(router_question_id id, const router_question& what,
                                  question_wait waiter) {
  if (closing_) return complete(std::move(waiter), make_error_code(errc::closed), {});
  questions_.emplace(id, std::move(waiter));
  put(ask_router{id, what});
}

void client_state::complete(question_wait waiter, const error_code& error, router_answered answer) {
  std::visit([&](auto& each) { pass_on(std::move(each), error, std::move(answer)); }, waiter);
}

void client_state::on_router_answered(router_answered answer) {
  auto waiter = take_question(answer.id);
  if (!waiter) return;
  error_code error;
  if (answer.why.reason != errc{}) error = make_error_code(answer.why.reason);
  complete(std::move(*waiter), error, std::move(answer));
}

void client_state::cancel_question(router_question_id id) {
  if (auto waiter = take_question(id)) {
    complete(std::move(*waiter), asio::error::operation_aborted, {});
    put(cancel_router_question{id});
  }
}

std::optional<client_state::question_wait> client_state::take_question(router_question_id id) {
  std::optional<question_wait> taken;
  if (const auto found = questions_.find(id); found != questions_.end()) {
    taken.emplace(std::move(found->second));
    questions_.erase(found);
  }
  return taken;
}

}  // namespace damson::detail
