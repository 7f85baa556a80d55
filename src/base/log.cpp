#include "base/log.hpp"

#include <array>
#include <utility>

namespace damson {
namespace {

constexpr std::string_view cut_mark = "...";

std::string escaped(char c) {
  switch (c) {
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    case '\\':
      return "\\\\";
    default:
      break;
  }
  const auto byte = static_cast<unsigned char>(c);
  if (byte >= 0x20 && byte < 0x7f) return {c};
  constexpr std::string_view digits = "0123456789abcdef";
  return {'\\', 'x', digits[byte >> 4U], digits[byte & 0xfU]};
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out;
  std::size_t cut_here = 0;  // the last place that leaves room for the mark and splits no escape
  for (const char c : text) {
    out += escaped(c);
    if (out.size() > log_line_bytes) {
      out.resize(cut_here);
      out += cut_mark;
      return out;
    }
    if (out.size() + cut_mark.size() <= log_line_bytes) cut_here = out.size();
  }
  return out;
}

logger::logger(log_level level, log_sink sink) : level_(level), sink_(std::move(sink)) {}

void logger::write(log_level level, std::string_view text) const {
  if (enabled(level)) sink_(level, printable(text));
}

}  // namespace damson
