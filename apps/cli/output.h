#pragma once

#include <string>

namespace fewshop::cli {

/// Writes a whole file, or throws Failure and leaves what was there.
void write_file(const std::string& path, const std::string& content);

}  // namespace fewshop::cli
