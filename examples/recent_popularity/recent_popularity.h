#pragma once

#include "core/options.h"
#include "learner/baseline/baseline.h"

namespace fewshop {

struct RecentPopularityOptions {
  double half_life_days = 30;
  double repeat = 1;
};

template <class Visitor>
void fields(RecentPopularityOptions& o, Visitor&& visit) {
  visit("half_life_days", o.half_life_days, Field{0.01, 1e5, "days after which a row counts half"});
  visit("repeat", o.repeat, Field{0, 100, "what one fresh support row adds to its item's score"});
}

const Baseline& recent_popularity_baseline();

}  // namespace fewshop
