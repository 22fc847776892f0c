#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "evaluate/bootstrap.h"
#include "evaluate/metric.h"

namespace fewshop {

/// What the figures of one point say about the served answers against the baseline that does best at that very point
/// (a harder opponent than the one that validation chose, since it is picked with the answers known).
struct Verdict {
  enum class Kind {
    kBetter,     // the whole interval of the difference is in favour of the served answers
    kWorse,      // the whole interval is against them
    kUndecided,  // the interval contains no difference
    kSame,       // the served answers are the baseline's
    kUnknown     // no tasks, no baselines, or too few tasks for an interval
  };
  Kind kind = Kind::kUnknown;
  std::string baseline;
  double value = 0;     // of that baseline
  Interval difference;  // served minus baseline
};

/// `point` is one entry of a report: a split, a group, or a shot.
Verdict judge(const nlohmann::json& point, const Metric& primary);

/// One clause: "better than als by 0.0081 (0.0044 to 0.0120)".
std::string describe(const Verdict& verdict);

/// One or two sentences for a whole split: from how many examples on adapting is proven to be worth it, what is served
/// below that, and where it is worse, if anywhere.
std::string headline(const nlohmann::json& split, const Metric& primary);

/// {value, low, high} of a report; null is NaN.
Interval read_interval(const nlohmann::json& json);

/// Whether a difference is none, but for the rounding of sums in another order.
bool is_none(const Interval& difference);

/// The primary metric of a report.
Metric primary_metric(const nlohmann::json& report);

/// "5" or "80%".
std::string shot_name(const nlohmann::json& shot);

}  // namespace fewshop
