#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace fewshop {

inline constexpr size_t kMaxTomlBytes = 1 << 20;
inline constexpr int kMaxTomlDepth = 64;

/// Refuses, with place and line, what the TOML library cannot be trusted with: files above kMaxTomlBytes, brackets or
/// dotted keys deeper than kMaxTomlDepth (it recurses), numbers and dates with some hundred underscores (it ends the
/// process), bytes of 0x80 and above outside quotes and comments, and zero bytes. Throws InvalidInput; says nothing
/// about other mistakes.
void check_toml_text(std::string_view text, const std::string& place);

}  // namespace fewshop
