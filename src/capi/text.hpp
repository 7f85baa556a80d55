#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace damson::capi {

/// Copies as much of the text as fits, with a NUL after it; nothing where `size` is 0.
inline void copy_text(std::string_view text, char* buffer, std::size_t size) {
  if (size == 0) return;
  const std::size_t length = std::min(text.size(), size - 1);
  *std::copy_n(text.data(), length, buffer) = '\0';
}

}  // namespace damson::capi
