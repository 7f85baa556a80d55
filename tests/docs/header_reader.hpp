#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace damson::docs {

enum class declaration_kind : std::uint8_t {
  section,      ///< a heading between two rules of dashes or after one
  type,         ///< class, struct, or an enum without enumerators
  enumeration,  ///< members are its enumerators
  function,
  alias,
  variable,  ///< a data member or a constant
  enumerator,
  macro,
};

struct declaration {
  declaration_kind kind{};
  std::string name;
  std::string text;       ///< as written, without body, doc comments and the indentation
  std::string doc;        ///< without comment signs; empty where there is none
  bool after_gap = true;  ///< a blank line stands before it
  std::vector<declaration> members;
};

struct header {
  std::string intro;
  std::vector<declaration> declarations;
};

/// What the reader does not understand, with the line.
struct unreadable : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Reads a public header of this tree: everything public in it that is not in a namespace called
/// detail. It knows C++ as these headers use it, and throws `unreadable` for anything else rather
/// than leaving it out.
header read_header(std::string_view text);

}  // namespace damson::docs
