#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <damson/error.hpp>
#include <damson/router.hpp>

namespace damson::cli {

/// The router did not do, or not wholly do, what it was asked.
struct question_failure {
  router_question asked;
  failure why;
  bool is_named = false;  ///< the user named the router's address
  bool interrupted = false;
};

// Texts without their last line end. What routers say is made printable by the library, and stands
// among our own words here.

/// For people: a table with a heading; one line where there is nothing.
std::string human_table(const std::vector<router_entry>& entries);
/// For people: one fact a line, without those that the router did not tell.
std::string human_text(const router_status& status);
/// For people: one line, that the entry is deleted.
std::string human_deleted(const router_entry& entry);
/// For people, on standard error: what happened, where, and what to try.
std::string human_line(const question_failure& what);

/// For programs: one JSON object. `event`: "entry" or "deleted".
std::string json_line(const router_entry& entry, std::string_view event);
std::string json_line(const router_status& status);
std::string json_line(const question_failure& what);

}  // namespace damson::cli
