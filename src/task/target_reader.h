#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "scenario/condition.h"
#include "scenario/scenario.h"
#include "store/store.h"
#include "task/raw_rows.h"

namespace fewshop {

/// Reads the target of one row after the other, as the problem asks:
///
///   rating, regression   the number
///   ranking              1; the number where it is above 0; rows that `positive` does not admit have none
///   binary               1 or 0: whether `positive` holds, else the number, which has to be one of the two
///   count                the number, whole and 0 or more
///   multiclass, ordinal  position of the label among Scenario::classes, or where these are empty among the labels that
///                        were met; take_classes() then puts them in order
class TargetReader {
 public:
  explicit TargetReader(const Scenario& scenario);

  /// Nothing where the target is missing, or the row is no positive one or of no class (all counted). `place` names the
  /// row in messages. Throws InvalidInput for what is no target of the problem.
  std::optional<float> read(const Value& value, RowCounts& counts, const std::function<std::string()>& place);

  /// The classes in order: those of the scenario, or the labels that were met, by number where all are numbers, else by
  /// text; `targets` are renumbered. Empty for problems without classes. Throws InvalidInput where ordinal labels that
  /// are no numbers have no order, and for less than two or too many classes.
  std::vector<std::string> take_classes(std::vector<float>& targets, const std::string& source);

 private:
  std::optional<float> class_of(const Value& value, RowCounts& counts);
  float checked(double number, const Value& value, const std::function<std::string()>& place) const;

  const Scenario& s_;
  std::optional<Condition> positive_;
  Interner labels_;
  std::string buffer_;
};

/// More classes than this are no classes: every prediction holds a probability for each.
inline constexpr size_t kMaxClasses = 1000;

/// A number that a cell holds as number or text; nothing for anything else, infinite ones included.
std::optional<double> finite_number(const Value& value);

}  // namespace fewshop
