#pragma once

#include <cstdint>
#include <string>

namespace fewshop {

/// A progress bar on standard error, shown only where that is a terminal. Also throws Interrupted when the user asked
/// to stop, so that every loop with progress can be left.
class Progress {
 public:
  /// `total` 0: unknown, only the count is shown.
  Progress(std::string name, int64_t total);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void advance(int64_t by = 1, const std::string& note = {});

  /// Off for --json callers that want a silent terminal, and for tests.
  static void set_enabled(bool enabled);

 private:
  void draw(const std::string& note);

  std::string name_;
  int64_t total_, done_ = 0;
  int64_t last_draw_ms_ = -1000, start_ms_;
  bool shown_ = false;
};

/// A line for people on standard error (not on standard output, which carries results); `-v` messages use `verbose`.
void say(const std::string& line);
void verbose(const std::string& line);
void set_verbose(bool enabled);

}  // namespace fewshop
