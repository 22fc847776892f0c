#include <algorithm>

#include "learner/learner.h"
#include "task/support_rows.h"

namespace fewshop::learning {
namespace {

Rows padded(const Dataset& data, std::span<const Episode> episodes, std::vector<int32_t> Episode::*which,
            at::ScalarType type) {
  const auto tasks = static_cast<int64_t>(episodes.size());
  int64_t longest = 0;
  for (const auto& e : episodes) longest = std::max<int64_t>(longest, static_cast<int64_t>((e.*which).size()));
  Rows rows;
  rows.row = at::zeros({tasks, longest}, at::kLong);
  rows.item = at::zeros({tasks, longest}, at::kLong);
  rows.kind = at::zeros({tasks, longest}, at::kLong);
  Tensor target = at::zeros({tasks, longest}, at::kFloat), mask = at::zeros({tasks, longest}, at::kFloat),
         age = at::zeros({tasks, longest}, at::kFloat), weight = at::zeros({tasks, longest}, at::kFloat);
  for (int64_t t = 0; t < tasks; ++t) {
    const Episode& e = episodes[t];
    const Micros now = episode_time(data, e.support, e.query);
    const auto& numbers = e.*which;
    for (size_t s = 0; s < numbers.size(); ++s) {
      const int64_t at = t * longest + static_cast<int64_t>(s);
      const int32_t r = numbers[s];
      rows.row.data_ptr<int64_t>()[at] = r;
      rows.item.data_ptr<int64_t>()[at] = data.item[r];
      rows.kind.data_ptr<int64_t>()[at] = data.kind[r];
      target.data_ptr<float>()[at] = data.target[r];
      mask.data_ptr<float>()[at] = 1;
      age.data_ptr<float>()[at] = static_cast<float>(age_seconds(now, data.time[r]));
      weight.data_ptr<float>()[at] = data.weight[r];
    }
  }
  rows.target = target.to(type);
  rows.mask = mask.to(type);
  rows.age = age.to(type);
  rows.weight = weight.to(type);
  return rows;
}

}  // namespace

Batch make_batch(const Dataset& data, std::span<const Episode> episodes, at::ScalarType type) {
  Batch batch{padded(data, episodes, &Episode::support, type), padded(data, episodes, &Episode::query, type), {}};
  batch.task.description = at::empty({static_cast<int64_t>(episodes.size())}, at::kLong);
  for (size_t t = 0; t < episodes.size(); ++t) batch.task.description.data_ptr<int64_t>()[t] = episodes[t].task;
  batch.task.known = at::full({static_cast<int64_t>(episodes.size())}, -1, at::kLong);
  return batch;
}

}  // namespace fewshop::learning
