#include "core/progress_lines.h"

#include <algorithm>
#include <cstdlib>

namespace fewshop {
namespace {

const std::string kMark = "progress ";

/// Calls use(line, without its end; whether it is one of ours) for every whole line.
template <class Use>
void each_progress_line(const std::string& text, Use&& use) {
  for (size_t begin = 0, end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    const std::string line = text.substr(begin, end - begin);
    const size_t blank = line.find(' ', kMark.size());
    use(line, line.starts_with(kMark) && blank != std::string::npos &&
                  line.find_first_not_of("-.0123456789", kMark.size()) == blank);
  }
}

}  // namespace

ProgressLine last_progress_line(const std::string& text) {
  ProgressLine last;
  each_progress_line(text, [&](const std::string& line, bool ours) {
    if (!ours) return;
    const size_t blank = line.find(' ', kMark.size());
    const std::string share = line.substr(kMark.size(), blank - kMark.size());
    last.name = line.substr(blank + 1);
    last.share = share == "-" ? -1 : std::clamp(std::strtod(share.c_str(), nullptr), 0.0, 1.0);
  });
  return last;
}

std::string without_progress_lines(const std::string& text) {
  std::string rest;
  each_progress_line(text, [&](const std::string& line, bool ours) {
    if (!ours) rest += line + "\n";
  });
  return rest + text.substr(text.rfind('\n') + 1);
}

}  // namespace fewshop
