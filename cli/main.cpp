#include <cstdlib>
#include <exception>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "arguments.hpp"
#include "demo_command.hpp"
#include "exit_code.hpp"
#include "gateway_command.hpp"
#include "map_command.hpp"
#include "router_command.hpp"
#include "terminal.hpp"
#include "text.hpp"

namespace {

using namespace damson::cli;

template <class... Functions>
struct overloaded : Functions... {
  using Functions::operator()...;
};

int run(const command& what) {
  return std::visit(
      overloaded{
          [](const map_arguments& arguments) { return run_map(arguments); },
          [](const demo_arguments& arguments) { return run_demo(arguments); },
          [](const gateway_arguments& arguments) { return run_gateway(arguments); },
          [](const router_arguments& arguments) { return run_router_question(arguments); },
          [](const text_to_print& help) {
            const std::string_view text = help.text;
            return write_line(stream::out, text.substr(0, text.find_last_not_of('\n') + 1))
                       ? exit_done
                       : exit_failed;
          },
          [](const usage_error& error) {
            write_line(stream::err, error.line);
            return exit_usage;
          },
      },
      what);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    prepare_streams();
    const char* const verbose = std::getenv("DAMSON_VERBOSE");
    const auto arguments = std::span{argv, static_cast<std::size_t>(argc)};
    const std::vector<std::string> words(arguments.begin() + (argc > 0 ? 1 : 0), arguments.end());
    return run(parse_arguments(words, verbose == nullptr ? "" : verbose));
  } catch (const std::exception& error) {
    write_line(stream::err, "damson: " + printable(error.what()) + ". Try: the same again");
    return exit_failed;
  }
}
