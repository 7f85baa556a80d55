#include "rules.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <functional>
#include <optional>
#include <ostream>
#include <set>
#include <span>
#include <string_view>
#include <utility>

#include "quirk_coverage.hpp"
#include "source_text.hpp"

namespace damson::structure {
namespace {

using namespace std::string_view_literals;

// Where a file belongs
// ------------------------------------------------------------------------------

constexpr std::array facade_headers{"client.hpp"sv, "mapping.hpp"sv, "damson.hpp"sv};

bool is_source(std::string_view path) {
  return std::ranges::any_of(std::array{".hpp"sv, ".cpp"sv, ".h"sv, ".c"sv},
                             [&](std::string_view suffix) { return path.ends_with(suffix); });
}

/// The folder of the include table that a file of the tree belongs to. The public headers are two
/// folders in one, and the simulator is three: models, what gives them real sockets, the runner.
std::string folder_of(std::string_view path) {
  if (path.starts_with("include/damson/")) {
    const std::string_view name = path.substr(path.rfind('/') + 1);
    return std::ranges::count(facade_headers, name) != 0 ? "facade" : "vocabulary";
  }
  if (path.starts_with("include/")) {
    path.remove_prefix("include/"sv.size());
  } else if (path.starts_with("src/")) {
    path.remove_prefix("src/"sv.size());
  } else if (path.starts_with("sim/socket_")) {
    return "sim sockets";
  } else if (path.starts_with("sim/runner/")) {
    return "sim runner";
  }
  return std::string{path.substr(0, path.find('/'))};
}

// What each folder may include
// ----------------------------------------------------------------------

struct include_rule {
  std::string_view folder;
  /// Folders of the tree, and libraries by the names that `library_of` gives them. A folder may
  /// always include itself.
  std::vector<std::string_view> may_include;
};

const std::vector<include_rule>& include_rules() {
  static const std::vector<include_rule> rules{
      {.folder = "vocabulary", .may_include = {"std"}},
      {.folder = "facade", .may_include = {"std", "vocabulary", "asio"}},
      {.folder = "compat", .may_include = {"c"}},
      {.folder = "base", .may_include = {"std", "vocabulary"}},
      {.folder = "wire", .may_include = {"std", "vocabulary", "base", "pugixml", "boost url"}},
      {.folder = "proto", .may_include = {"std", "vocabulary", "base", "wire"}},
      {.folder = "core", .may_include = {"std", "vocabulary", "base", "wire", "proto"}},
      {.folder = "net", .may_include = {"std", "vocabulary", "base", "libmnl", "c", "system"}},
      {.folder = "driver",
       .may_include = {"std", "vocabulary", "facade", "base", "net", "core", "asio", "beast",
                       "boost", "c", "system"}},
      {.folder = "capi",
       .may_include = {"std", "vocabulary", "facade", "compat", "asio", "beast", "c", "system"}},
      {.folder = "state", .may_include = {"std", "vocabulary", "base", "sqlite"}},
      {.folder = "service",
       .may_include = {"std", "vocabulary", "facade", "state", "asio", "beast"}},
      {.folder = "cli",
       .may_include = {"std", "vocabulary", "facade", "sim", "sim sockets", "asio", "boost json",
                       "cli11", "c", "system"}},
      {.folder = "sim", .may_include = {"std", "vocabulary", "base"}},
      {.folder = "sim runner",
       .may_include = {"std", "vocabulary", "base", "sim", "cli11", "c", "system"}},
      {.folder = "sim sockets",
       .may_include = {"std", "vocabulary", "base", "sim", "asio", "beast", "pugixml",
                       "boost json"}},
      {.folder = "examples",
       .may_include = {"std", "vocabulary", "facade", "compat", "asio", "c", "system"}},
  };
  return rules;
}

/// Folders that include whatever they test or measure.
constexpr std::array free_folders{"tests"sv, "fuzz"sv, "bench"sv};

/// The codec parts of base that a gateway model must not share.
constexpr std::array codec_headers{"src/base/byte_reader.hpp"sv, "src/base/byte_writer.hpp"sv};

struct library {
  std::string_view prefix;
  std::string_view name;
};

constexpr std::array libraries{
    library{.prefix = "boost/asio", .name = "asio"},
    library{.prefix = "boost/system/", .name = "asio"},
    library{.prefix = "boost/beast", .name = "beast"},
    library{.prefix = "boost/url", .name = "boost url"},
    library{.prefix = "boost/json", .name = "boost json"},
    library{.prefix = "boost/", .name = "boost"},
    library{.prefix = "pugixml.hpp", .name = "pugixml"},
    library{.prefix = "libmnl/", .name = "libmnl"},
    library{.prefix = "CLI/", .name = "cli11"},
    library{.prefix = "sqlite3.h", .name = "sqlite"},
    library{.prefix = "stddef.h", .name = "c"},
    library{.prefix = "stdint.h", .name = "c"},
    library{.prefix = "stdbool.h", .name = "c"},
};

std::string_view library_of(std::string_view header) {
  const auto* const found = std::ranges::find_if(
      libraries, [&](const library& l) { return header.starts_with(l.prefix); });
  if (found != libraries.end()) {
    return found->name;
  }
  return header.find_first_of("./") == std::string_view::npos ? "std" : "system";
}

/// The file of the tree that an include names, seen from the file that includes it: below one of
/// the roots, or below the folder of that file or one around it (test folders have roots of their
/// own).
std::optional<std::string> resolve(const source_tree& tree, std::string_view including,
                                   const include_directive& include) {
  for (std::string_view folder = including; !folder.empty();) {
    folder.remove_suffix(folder.ends_with('/') ? 1 : 0);
    folder = folder.substr(0, folder.rfind('/') + 1);
    if (std::string path = std::string{folder} + include.name; tree.contains(path)) {
      return path;
    }
  }
  for (const std::string_view root : {"include/"sv, "include/compat/"sv, "src/"sv}) {
    if (std::string path = std::string{root} + include.name; tree.contains(path)) {
      return path;
    }
  }
  return std::nullopt;
}

std::optional<std::string> fault_of_include(const source_tree& tree, const std::string& path,
                                            const include_directive& include) {
  const std::string folder = folder_of(path);
  const std::optional<std::string> file = resolve(tree, path, include);
  if (include.name.empty() || include.name.starts_with('/') || include.name.contains("..")) {
    return "an include must name its header from a root of the tree";
  }
  if (include.quoted && !file) {
    return "\"" + include.name + "\" is no file of this tree";
  }
  if (std::ranges::count(free_folders, folder) != 0) {
    return std::nullopt;
  }
  const std::vector<include_rule>& rules = include_rules();
  const auto rule = std::ranges::find(rules, folder, &include_rule::folder);
  if (rule == rules.end()) {
    return "folder " + folder + " has no row in the table of allowed includes";
  }
  const std::string target = file ? folder_of(*file) : std::string{library_of(include.name)};
  if (target == folder || std::ranges::count(rule->may_include, target) != 0) {
    return std::nullopt;
  }
  return folder + " must not include " + include.name + " (" + target + ")";
}

// What the engine must not call
// ----------------------------------------------------------------------

constexpr std::array pure_folders{"vocabulary"sv, "base"sv, "wire"sv, "proto"sv, "core"sv, "sim"sv};

constexpr std::array banned_headers{
    "atomic"sv,     "barrier"sv,      "condition_variable"sv,
    "csignal"sv,    "ctime"sv,        "filesystem"sv,
    "fstream"sv,    "future"sv,       "iostream"sv,
    "latch"sv,      "mutex"sv,        "print"sv,
    "semaphore"sv,  "shared_mutex"sv, "stop_token"sv,
    "syncstream"sv, "thread"sv,
};

enum class use : std::uint8_t {
  anywhere,   ///< the word itself
  called,     ///< followed by `(` and not a member
  qualified,  ///< preceded by `::` and followed by `(` or `{`, or naming a type
};

struct banned_word {
  std::string_view word;
  use when;
  std::string_view why;
};

constexpr auto clock_why = "time is an input"sv;
constexpr auto thread_why = "there is one thread and one order"sv;
constexpr auto random_why = "randomness comes from the seeded generator"sv;
constexpr auto outside_why = "the outside world is reached through inputs and outputs"sv;
constexpr auto print_why = "the library never prints"sv;

constexpr std::array banned_words{
    banned_word{.word = "now", .when = use::qualified, .why = clock_why},
    banned_word{.word = "time", .when = use::qualified, .why = clock_why},
    banned_word{.word = "clock", .when = use::qualified, .why = clock_why},
    banned_word{.word = "clock_gettime", .when = use::anywhere, .why = clock_why},
    banned_word{.word = "gettimeofday", .when = use::anywhere, .why = clock_why},
    banned_word{.word = "sleep", .when = use::called, .why = clock_why},
    banned_word{.word = "usleep", .when = use::anywhere, .why = clock_why},
    banned_word{.word = "nanosleep", .when = use::anywhere, .why = clock_why},
    banned_word{.word = "sleep_for", .when = use::anywhere, .why = clock_why},
    banned_word{.word = "sleep_until", .when = use::anywhere, .why = clock_why},
    banned_word{.word = "thread", .when = use::qualified, .why = thread_why},
    banned_word{.word = "jthread", .when = use::anywhere, .why = thread_why},
    banned_word{.word = "this_thread", .when = use::anywhere, .why = thread_why},
    banned_word{.word = "thread_local", .when = use::anywhere, .why = thread_why},
    banned_word{.word = "async", .when = use::qualified, .why = thread_why},
    banned_word{.word = "mutex", .when = use::anywhere, .why = thread_why},
    banned_word{.word = "recursive_mutex", .when = use::anywhere, .why = thread_why},
    banned_word{.word = "shared_mutex", .when = use::anywhere, .why = thread_why},
    banned_word{.word = "condition_variable", .when = use::anywhere, .why = thread_why},
    banned_word{.word = "atomic", .when = use::qualified, .why = thread_why},
    banned_word{.word = "atomic_flag", .when = use::anywhere, .why = thread_why},
    banned_word{.word = "random_device", .when = use::anywhere, .why = random_why},
    banned_word{.word = "rand", .when = use::called, .why = random_why},
    banned_word{.word = "srand", .when = use::called, .why = random_why},
    banned_word{.word = "random", .when = use::called, .why = random_why},
    banned_word{.word = "getrandom", .when = use::anywhere, .why = random_why},
    banned_word{.word = "arc4random", .when = use::anywhere, .why = random_why},
    banned_word{.word = "getenv", .when = use::anywhere, .why = outside_why},
    banned_word{.word = "secure_getenv", .when = use::anywhere, .why = outside_why},
    banned_word{.word = "fopen", .when = use::called, .why = outside_why},
    banned_word{.word = "socket", .when = use::called, .why = outside_why},
    banned_word{.word = "sendto", .when = use::called, .why = outside_why},
    banned_word{.word = "recvfrom", .when = use::called, .why = outside_why},
    banned_word{.word = "system", .when = use::called, .why = outside_why},
    banned_word{.word = "cout", .when = use::anywhere, .why = print_why},
    banned_word{.word = "cerr", .when = use::anywhere, .why = print_why},
    banned_word{.word = "clog", .when = use::anywhere, .why = print_why},
    banned_word{.word = "printf", .when = use::called, .why = print_why},
    banned_word{.word = "fprintf", .when = use::called, .why = print_why},
    banned_word{.word = "puts", .when = use::called, .why = print_why},
    banned_word{.word = "fputs", .when = use::called, .why = print_why},
    banned_word{.word = "putchar", .when = use::called, .why = print_why},
};

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

/// The code before and after one word, without the white space in between.
struct surroundings {
  std::string_view before;
  std::string_view after;
};

surroundings around(std::string_view code, std::size_t begin, std::size_t end) {
  constexpr auto space = " \t\r\n"sv;
  const std::size_t before = code.substr(0, begin).find_last_not_of(space);
  const std::size_t after = code.find_first_not_of(space, end);
  return {.before = code.substr(0, before == std::string_view::npos ? 0 : before + 1),
          .after = after == std::string_view::npos ? ""sv : code.substr(after)};
}

bool is_used(use when, const surroundings& s) {
  switch (when) {
    case use::anywhere:
      return true;
    case use::called:
      return s.after.starts_with('(') && !s.before.ends_with('.') && !s.before.ends_with("->");
    case use::qualified:
      return s.before.ends_with("::");
  }
  std::unreachable();
}

void check_words(const std::string& path, std::string_view code, std::vector<violation>& found) {
  for (std::size_t begin = 0; begin < code.size();) {
    if (!is_word(code[begin])) {
      ++begin;
      continue;
    }
    std::size_t end = begin;
    while (end < code.size() && is_word(code[end])) {
      ++end;
    }
    const std::string_view word = code.substr(begin, end - begin);
    const auto* const banned = std::ranges::find(banned_words, word, &banned_word::word);
    if (banned != banned_words.end() && is_used(banned->when, around(code, begin, end))) {
      found.push_back({.path = path,
                       .line = line_at(code, begin),
                       .what = std::string{word} + ": " + std::string{banned->why}});
    }
    begin = end;
  }
}

// What a gateway model reaches
// ------------------------------------------------------------------------

bool is_closed_to_simulator(std::string_view path) {
  const std::string folder = folder_of(path);
  return folder == "wire" || folder == "proto" || folder == "core" ||
         std::ranges::count(codec_headers, path) != 0;
}

/// The files that `path` includes, directly or not, and that a model must not know.
std::set<std::string> closed_files_reached(const source_tree& tree, const std::string& path) {
  std::set<std::string> seen{path};
  std::set<std::string> closed;
  std::vector<std::string> pending{path};
  while (!pending.empty()) {
    const std::string file = std::move(pending.back());
    pending.pop_back();
    for (const include_directive& include : includes_of(tree.at(file))) {
      const std::optional<std::string> target = resolve(tree, file, include);
      if (!target || !seen.insert(*target).second) {
        continue;
      }
      if (is_closed_to_simulator(*target)) {
        closed.insert(*target);
      }
      pending.push_back(*target);
    }
  }
  return closed;
}

// Paths of one machine
// ----------------------------------------------------------------------------------

// Each in two pieces, or this table would be its own first finding.
constexpr std::array machine_paths{
    "/ho"
    "me/"sv,
    "/Us"
    "ers/"sv,
    "/ro"
    "ot/"sv,
    "/wo"
    "rk/"sv,
    ":\\Us"
    "ers\\"sv};

/// Whether a path begins at `at`, rather than goes on as in `https://example.org/...` or
/// `../x/...`.
bool begins_path(std::string_view line, std::size_t at) {
  return at == 0 || !(is_word(line[at - 1]) || "./-}~"sv.contains(line[at - 1]));
}

bool has_machine_path(std::string_view line) {
  return std::ranges::any_of(machine_paths, [&](std::string_view path) {
    for (std::size_t at = line.find(path); at != std::string_view::npos;
         at = line.find(path, at + 1)) {
      if (path.starts_with(':') || begins_path(line, at)) {
        return true;
      }
    }
    return false;
  });
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const violation& v) {
  return out << v.path << ':' << v.line << ": " << v.what;
}

std::vector<violation> check_includes(const source_tree& tree) {
  std::vector<violation> found;
  for (const auto& [path, text] : tree) {
    if (!is_source(path)) {
      continue;
    }
    for (const include_directive& include : includes_of(text)) {
      if (const auto fault = fault_of_include(tree, path, include)) {
        found.push_back({.path = path, .line = include.line, .what = *fault});
      }
    }
  }
  return found;
}

std::vector<violation> check_banned_calls(const source_tree& tree) {
  std::vector<violation> found;
  for (const auto& [path, text] : tree) {
    if (!is_source(path) || std::ranges::count(pure_folders, folder_of(path)) == 0) {
      continue;
    }
    for (const include_directive& include : includes_of(text)) {
      if (std::ranges::count(banned_headers, include.name) != 0) {
        found.push_back({.path = path,
                         .line = include.line,
                         .what = "<" + include.name + "> has no place in the engine"});
      }
    }
    check_words(path, code_only(text), found);
  }
  return found;
}

std::vector<violation> check_simulator_reach(const source_tree& tree) {
  std::vector<violation> found;
  for (const auto& [path, text] : tree) {
    if (!is_source(path) || !path.starts_with("sim/")) {
      continue;
    }
    for (const std::string& closed : closed_files_reached(tree, path)) {
      found.push_back({.path = path, .line = 0, .what = "the simulator must not reach " + closed});
    }
  }
  return found;
}

namespace {

void for_each_line(
    const source_tree& tree,
    const std::function<void(const std::string&, std::size_t, std::string_view)>& action) {
  for (const auto& [path, text] : tree) {
    std::size_t number = 0;
    for (std::size_t begin = 0; begin < text.size();) {
      const std::size_t end = std::min(text.find('\n', begin), text.size());
      action(path, ++number, std::string_view{text}.substr(begin, end - begin));
      begin = end + 1;
    }
  }
}

}  // namespace

std::vector<violation> check_machine_paths(const source_tree& tree) {
  std::vector<violation> found;
  for_each_line(tree, [&](const std::string& path, std::size_t number, std::string_view line) {
    if (has_machine_path(line)) {
      found.push_back({.path = path, .line = number, .what = "a path of one machine"});
    }
  });
  return found;
}

std::vector<violation> check_quirk_numbers(const source_tree& tree) {
  std::set<std::string, std::less<>> explained;
  std::vector<violation> found;
  const std::string explanations = "docs/quirks.md";
  for_each_line(tree, [&](const std::string& path, std::size_t, std::string_view line) {
    if (path != explanations || !line.starts_with("| Q-")) return;
    for (const auto number : quirk_numbers(line)) explained.emplace(number);
  });
  for_each_line(tree, [&](const std::string& path, std::size_t at, std::string_view line) {
    for (const auto number : quirk_numbers(line)) {
      if (explained.contains(number)) continue;
      found.push_back(
          {.path = path, .line = at, .what = std::string{number} + " is not in " + explanations});
    }
  });
  return found;
}

}  // namespace damson::structure
