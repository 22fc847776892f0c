#pragma once

#include <string>

namespace fewshop {

// How a program that was started by another tells it how far it is: bars as lines of standard error.

/// From now on every Progress writes a line twice a second at most, and draws nothing: "progress 0.421 NAME";
/// "progress - NAME" where the total is not known.
void set_progress_lines(bool enabled);

struct ProgressLine {
  std::string name;   // "" = none was written yet
  double share = -1;  // of the total that is done; -1 = not known
};
/// The last whole line of that form in a text.
ProgressLine last_progress_line(const std::string& text);
/// The text without such lines.
std::string without_progress_lines(const std::string& text);

}  // namespace fewshop
