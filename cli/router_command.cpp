#include "router_command.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <exception>
#include <string>
#include <utility>
#include <variant>

#include <damson/client.hpp>

#include "client_options.hpp"
#include "exit_code.hpp"
#include "router_output.hpp"
#include "stop_switch.hpp"

namespace damson::cli {
namespace {

namespace asio = boost::asio;

constexpr auto as_result = asio::as_tuple(asio::use_awaitable);

/// Returns whether somebody reads it.
bool tell_entries(const router_arguments& arguments, const router_answered& answer) {
  const bool is_list = std::holds_alternative<router_questions::list_entries>(arguments.question);
  if (is_list && !arguments.json) {
    const bool is_known = answer.why.reason == errc{} || !answer.entries.empty();
    return !is_known || write_line(stream::out, human_table(answer.entries));
  }
  for (const router_entry& each : answer.entries) {
    const std::string line =
        arguments.json ? json_line(each, is_list ? "entry" : "deleted") : human_deleted(each);
    if (!write_line(stream::out, line)) return false;
  }
  const bool is_range = std::holds_alternative<router_questions::delete_range>(arguments.question);
  const bool is_nothing = is_range && answer.entries.empty() && answer.why.reason == errc{};
  return !is_nothing || arguments.json ||
         write_line(stream::out, "nothing there leads to this host");
}

bool tell(const router_arguments& arguments, const router_answered& answer) {
  if (!answer.status) return tell_entries(arguments, answer);
  return write_line(stream::out,
                    arguments.json ? json_line(*answer.status) : human_text(*answer.status));
}

int conclude(const router_arguments& arguments, const router_answered& answer, errc reason,
             bool interrupted) {
  const bool heard = tell(arguments, answer);
  if (reason == errc{} && !interrupted) return heard ? exit_done : exit_failed;
  question_failure what{.asked = arguments.question,
                        .why = answer.why,
                        .is_named = arguments.gateway.has_value(),
                        .interrupted = interrupted};
  if (what.why.reason == errc{}) what.why.reason = reason;
  write_line(stream::err, human_line(what));
  if (arguments.json) write_line(stream::out, json_line(what));
  return exit_failed;
}

asio::awaitable<int> ask(const router_arguments& arguments, status_line& status,
                         stop_switch& stop) {
  client asker{co_await asio::this_coro::executor,
               client_options(arguments.gateway, std::nullopt, arguments.level, status)};
  status.show("asking the router");
  auto [error, answer] = co_await asker.async_ask_router(
      arguments.question, asio::bind_cancellation_slot(stop.slot(), as_result));
  status.clear();
  // What is no word of the library's has none in the answer.
  const errc reason = error && answer.why.reason == errc{} ? errc::closed : answer.why.reason;
  const int result = conclude(arguments, answer, reason, stop.pulled() && error);
  co_await asker.async_close(as_result);
  stop.disarm();
  co_return result;
}

}  // namespace

int run_router_question(const router_arguments& arguments) {
  asio::io_context context{1};
  status_line status{!arguments.json};
  stop_switch stop{context.get_executor()};
  int result = exit_failed;
  asio::co_spawn(context, ask(arguments, status, stop),
                 [&result](const std::exception_ptr& error, int code) {
                   if (error) std::rethrow_exception(error);
                   result = code;
                 });
  context.run();
  return result;
}

}  // namespace damson::cli
