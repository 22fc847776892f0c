#include "runtime/step_table.h"

#include <algorithm>
#include <cmath>

#include "runtime/member_support.h"

namespace fewshop {

void StepTable::rates(double rows, std::vector<double>& rate) const {
  const size_t n = sizes.size();
  const double size = std::log(std::clamp<double>(rows, sizes.front(), sizes.back()));
  size_t right = 0;  // the first tabled size that is not below
  while (right + 1 < n && std::log(static_cast<double>(sizes[right])) < size) ++right;
  const size_t left = right == 0 ? 0 : right - 1;
  const double from = std::log(static_cast<double>(sizes[left])), to = std::log(static_cast<double>(sizes[right]));
  const double share = left == right ? 1 : (size - from) / (to - from);
  rate.resize(static_cast<size_t>(steps) * parts);
  for (size_t i = 0; i < rate.size(); ++i)
    rate[i] = std::exp((1 - share) * log_rate[i * n + left] + share * log_rate[i * n + right]);
}

void StepTable::check() const {
  require(steps >= 0 && steps <= 1000 && parts > 0 && !sizes.empty() && sizes.front() > 0 &&
              std::is_sorted(sizes.begin(), sizes.end(), std::less_equal<>()) &&
              log_rate.size() == static_cast<size_t>(steps) * parts * sizes.size(),
          "step sizes: ", steps, " steps, ", parts, " parts and ", sizes.size(), " support sizes do not fit ",
          log_rate.size(), " values");
  require_finite(log_rate, "step sizes");
}

void StepTable::save(TensorFile& file, const std::string& prefix) const {
  file.put(prefix + "steps", std::vector<int32_t>{steps, parts});
  file.put(prefix + "step_sizes_at", sizes);
  file.put(prefix + "log_step_size", log_rate);
}

StepTable StepTable::load(const TensorFile& file, const std::string& prefix) {
  StepTable table;
  const auto shape = file.get<int32_t>(prefix + "steps");
  require(shape.size() == 2, "step sizes: tensor steps has ", shape.size(), " values, expected 2; the file is damaged");
  table.steps = shape[0];
  table.parts = shape[1];
  table.sizes = file.get<float>(prefix + "step_sizes_at");
  table.log_rate = file.get<float>(prefix + "log_step_size");
  table.check();
  return table;
}

}  // namespace fewshop
