#include "router_words.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include "text.hpp"

namespace damson::cli {
namespace {

constexpr const char* exit_codes =
    "Asks the router by UPnP, the only protocol that has words for it.\n"
    "Exit codes: 0 done, 1 could not, 2 wrong usage.\n";

/// Cuts "/tcp" or "/udp" off; tcp where there is none.
transport take_transport(std::string_view& text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return transport::tcp;
  const transport out = read_transport(text.substr(slash + 1));
  text = text.substr(0, slash);
  return out;
}

router_questions::delete_entry read_entry(std::string_view text, const std::string& remote_host) {
  router_questions::delete_entry out;
  out.name.transport = take_transport(text);
  out.name.external_port = read_port("PORT", text);
  out.name.remote_host = remote_host;
  return out;
}

router_questions::delete_range read_range(std::string_view text) {
  router_questions::delete_range out;
  out.transport = take_transport(text);
  const std::size_t dash = text.find('-');
  if (dash == std::string_view::npos) {
    throw bad_value("FIRST-LAST must be two ports with a dash between them, not '" +
                    printable(text) + "'");
  }
  out.first = read_port("FIRST", text.substr(0, dash));
  out.last = read_port("LAST", text.substr(dash + 1));
  if (out.first > out.last) throw bad_value("FIRST must not be above LAST");
  return out;
}

}  // namespace

void router_words::describe(CLI::App& app) {
  list_ = app.add_subcommand("list", "List what the router has open, for any host");
  list_->footer(std::string{exit_codes} + "\nExample:\n  damson list --json");
  status_ = app.add_subcommand("status", "Show what the router says of its way out");
  status_->footer(std::string{exit_codes} + "\nExample:\n  damson status");
  delete_ = app.add_subcommand("delete", "Delete one entry of the router by its exact name");
  add_value(*delete_, "PORT", port_, "[/tcp|/udp]",
            "The port outside, as 'damson list' shows it (transport: default tcp)")
      ->required();
  add_value(*delete_, "--remote-host", remote_host_, "ADDRESS",
            "Who may come in by the entry, where that is not anybody");
  delete_->footer(std::string{"Also an entry that leads to another host, if the router allows it."
                              "\n"} +
                  exit_codes + "\nExample:\n  damson delete 8080/tcp");
  delete_range_ = app.add_subcommand("delete-range", "Delete what leads to this host in a range");
  add_value(*delete_range_, "FIRST-LAST", range_, "[/tcp|/udp]",
            "The ports outside (transport: default tcp)")
      ->required();
  delete_range_->footer(
      std::string{
          "Whichever program of this host made it; entries of other hosts are left alone.\n"} +
      exit_codes + "\nExample:\n  damson delete-range 8000-8099/udp");
  for (CLI::App* const each : commands()) {
    add_value(*each, "--gateway", gateway_, "ADDRESS",
              "The router's address (default: the next hop of the default route)");
    each->add_flag("--json", json_, "Print one JSON object a line")->disable_flag_override();
  }
}

bool router_words::parsed() const {
  return std::ranges::any_of(commands(), [](const CLI::App* each) { return each->parsed(); });
}

router_arguments router_words::read() const {
  router_arguments out;
  out.json = json_;
  if (!gateway_.empty()) out.gateway = read_router("--gateway", gateway_, ip_families::v4);
  if (status_->parsed()) out.question = router_questions::read_status{};
  if (delete_->parsed()) out.question = read_entry(port_, remote_host_);
  if (delete_range_->parsed()) out.question = read_range(range_);
  return out;
}

}  // namespace damson::cli
