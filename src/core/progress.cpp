#include "core/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>

#include "core/cancel.h"
#include "core/progress_lines.h"

namespace fewshop {
namespace {

bool progress_enabled = true;
bool verbose_enabled = false;
bool lines_enabled = false;
std::atomic<bool> bar_on_screen{false};

int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

Progress::Progress(std::string name, int64_t total) : name_(std::move(name)), total_(total), start_ms_(now_ms()) {}

Progress::~Progress() {
  if (!shown_) return;
  fmt::print(stderr, "\r\033[K");
  bar_on_screen = false;
}

void Progress::advance(int64_t by, const std::string& note) {
  check_cancelled();
  done_ += by;
  if (!progress_enabled) return;
  const int64_t now = now_ms();
  if (now - last_draw_ms_ < (lines_enabled ? 500 : 100)) return;
  last_draw_ms_ = now;
  if (lines_enabled) {
    const double share =
        static_cast<double>(std::min(done_, total_)) / static_cast<double>(std::max<int64_t>(1, total_));
    fmt::print(stderr, "progress {} {}\n", total_ > 0 ? fmt::format("{:.3f}", share) : "-", name_);
    return;
  }
  static const bool terminal = isatty(STDERR_FILENO);
  if (terminal) draw(note);
}

void Progress::draw(const std::string& note) {
  shown_ = bar_on_screen = true;
  const double seconds = static_cast<double>(now_ms() - start_ms_) / 1000;
  if (total_ > 0) {
    constexpr int kWidth = 30;
    const double share = static_cast<double>(std::min(done_, total_)) / static_cast<double>(total_);
    const int filled = static_cast<int>(share * kWidth);
    const double left = share > 0 ? seconds * (1 - share) / share : 0;
    fmt::print(stderr, "\r\033[K{} [{}{}] {:3.0f} %, {:.0f} s left  {}", name_, std::string(filled, '#'),
               std::string(kWidth - filled, '.'), share * 100, left, note);
  } else {
    fmt::print(stderr, "\r\033[K{} {}  {:.0f} s  {}", name_, done_, seconds, note);
  }
  std::fflush(stderr);
}

void Progress::set_enabled(bool enabled) { progress_enabled = enabled; }

void set_progress_lines(bool enabled) { lines_enabled = enabled; }

void say(const std::string& line) { fmt::print(stderr, "{}{}\n", bar_on_screen ? "\r\033[K" : "", line); }

void verbose(const std::string& line) {
  if (verbose_enabled) say(line);
}

void set_verbose(bool enabled) { verbose_enabled = enabled; }

}  // namespace fewshop
