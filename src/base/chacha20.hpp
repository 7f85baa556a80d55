#pragma once

#include <array>
#include <cstdint>

namespace damson {

/// The ChaCha20 block function (RFC 8439 section 2.3): sixteen words that nobody can tell from
/// random ones without the key. Words are little-endian readings of the RFC's byte strings.
std::array<std::uint32_t, 16> chacha20_block(const std::array<std::uint32_t, 8>& key,
                                             std::uint32_t counter,
                                             const std::array<std::uint32_t, 3>& nonce) noexcept;

}  // namespace damson
