#include "runtime/prototype_head.h"

#include <algorithm>
#include <cmath>

#include "runtime/glm.h"
#include "runtime/member_support.h"
#include "runtime/predictive.h"

namespace fewshop {
namespace {

struct PrototypeWorkspace : Workspace {
  HeadSupport support;
  std::vector<float> prototypes;      // [C, D]
  std::vector<double> count, prior;   // [C] n_c; log class prior
  mutable std::vector<double> score;  // [C]
};

/// The class of a support row; -1 where its target is none of them.
int32_t class_of(float target, int32_t classes) {
  return target >= 0 && target < static_cast<float>(classes) ? static_cast<int32_t>(target) : -1;
}

/// |a - b|^2, in four sums so that the compiler can use vector registers.
double squared_distance(const float* a, const float* b, int32_t n) {
  double sums[4] = {};
  int32_t i = 0;
  for (; i + 4 <= n; i += 4)
    for (int32_t j = 0; j < 4; ++j) {
      const double difference = static_cast<double>(a[i + j]) - b[i + j];
      sums[j] += difference * difference;
    }
  for (; i < n; ++i) sums[0] += (static_cast<double>(a[i]) - b[i]) * (static_cast<double>(a[i]) - b[i]);
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

}  // namespace

PrototypeHead::PrototypeHead(Arrays arrays) : a_(std::move(arrays)) {
  const auto classes = static_cast<size_t>(a_.classes);
  require(a_.size > 0 && a_.classes >= 2 && (!a_.binary || a_.classes == 2) &&
              a_.prototypes.size() == classes * static_cast<size_t>(a_.size) && a_.count.size() == classes &&
              a_.strength > 0 && std::isfinite(a_.scale) && std::isfinite(a_.frequency) &&
              std::all_of(a_.count.begin(), a_.count.end(), [](double c) { return c > 0; }),
          "protonet: sizes disagree, or a count is not above 0");
}

std::unique_ptr<Workspace> PrototypeHead::workspace() const {
  auto w = std::make_unique<PrototypeWorkspace>();
  w->prototypes.resize(a_.prototypes.size());
  for (auto* list : {&w->count, &w->prior, &w->score}) list->resize(a_.classes);
  return w;
}

void PrototypeHead::adapt(const HeadSupport& support, std::span<const ColumnView> /*description*/,
                          Workspace& workspace) const {
  auto& w = static_cast<PrototypeWorkspace&>(workspace);
  w.support = support;
  const int32_t d = a_.size;
  std::fill(w.count.begin(), w.count.end(), 0.0);
  for (size_t s = 0; s < support.target.size(); ++s)
    if (const int32_t c = class_of(support.target[s], a_.classes); c >= 0) w.count[c] += support.weight[s];
  const auto strength = static_cast<float>(a_.strength);
  for (size_t i = 0; i < w.prototypes.size(); ++i) w.prototypes[i] = strength * a_.prototypes[i];
  for (size_t s = 0; s < support.target.size(); ++s) {
    const int32_t c = class_of(support.target[s], a_.classes);
    if (c < 0) continue;
    const float* x = support.x.data() + s * d;
    float* sum = w.prototypes.data() + static_cast<size_t>(c) * d;
    const float weight = support.weight[s];
    for (int32_t i = 0; i < d; ++i) sum[i] += weight * x[i];
  }
  double counted = 0;
  for (int32_t c = 0; c < a_.classes; ++c) {
    const auto share = static_cast<float>(1 / (a_.strength + w.count[c]));
    float* p = w.prototypes.data() + static_cast<size_t>(c) * d;
    for (int32_t i = 0; i < d; ++i) p[i] *= share;
    counted += w.count[c] + a_.count[c];
  }
  for (int32_t c = 0; c < a_.classes; ++c)
    w.prior[c] = a_.frequency == 0 ? 0 : a_.frequency * std::log((w.count[c] + a_.count[c]) / counted);
}

void PrototypeHead::predict(const Workspace& workspace, std::span<const float> x, float offset, Predictive& out) const {
  const auto& w = static_cast<const PrototypeWorkspace&>(workspace);
  for (int32_t c = 0; c < a_.classes; ++c)
    w.score[c] = w.prior[c] -
                 a_.scale * squared_distance(x.data(), w.prototypes.data() + static_cast<size_t>(c) * a_.size, a_.size);
  if (a_.binary) {
    out.family = Family::kBernoulli;
    out.mean = sigmoid(offset + w.score[1] - w.score[0]);
    return;
  }
  out.family = Family::kCategorical;
  out.probability.resize(a_.classes);
  softmax(w.score, out.probability);
}

double PrototypeHead::explain(const Workspace& workspace, std::span<const float> x, float offset, int output,
                              std::span<double> contribution) const {
  // Seen from the prior prototype m (x' = x - m):  -|x' - p'|^2 = -|x'|^2 + sum over rows of share x_s' . (2 x' - p').
  const auto& w = static_cast<const PrototypeWorkspace&>(workspace);
  std::fill(contribution.begin(), contribution.end(), 0.0);
  const int first = a_.binary ? 0 : output, last = a_.binary ? 1 : output;
  double prior = a_.binary ? offset : 0;
  for (int c = first; c <= last; ++c) {
    const double sign = a_.binary && c == 0 ? -1 : 1;
    const float *m = a_.prototypes.data() + static_cast<size_t>(c) * a_.size,
                *p = w.prototypes.data() + static_cast<size_t>(c) * a_.size;
    prior += sign * (w.prior[c] - a_.scale * squared_distance(x.data(), m, a_.size));
    for (size_t s = 0; s < contribution.size(); ++s) {
      if (class_of(w.support.target[s], a_.classes) != c) continue;
      const float* row = w.support.x.data() + s * a_.size;
      double sum = 0;
      for (int32_t i = 0; i < a_.size; ++i)
        sum += (static_cast<double>(row[i]) - m[i]) *
               (2 * (static_cast<double>(x[i]) - m[i]) - (static_cast<double>(p[i]) - m[i]));
      contribution[s] += sign * a_.scale * w.support.weight[s] / (a_.strength + w.count[c]) * sum;
    }
  }
  return prior;
}

void PrototypeHead::save(TensorFile& file, const std::string& prefix) const {
  file.put_text(prefix + "kind", std::string(kind()));
  file.put(prefix + "sizes", std::vector<int32_t>{a_.binary ? 1 : 0, a_.classes, a_.size});
  file.put(prefix + "prototypes", a_.prototypes, {a_.classes, a_.size});
  file.put(prefix + "scalars", std::vector<double>{a_.strength, a_.scale, a_.frequency});
  file.put(prefix + "count", a_.count);
}

std::unique_ptr<TaskHead> PrototypeHead::load(const TensorFile& file, const std::string& prefix) {
  Arrays a;
  const auto sizes = file.get<int32_t>(prefix + "sizes");
  const auto scalars = file.get<double>(prefix + "scalars");
  require(sizes.size() == 3 && scalars.size() == 3, "protonet: sizes or scalars have the wrong length");
  a.binary = sizes[0] != 0;
  a.classes = sizes[1];
  a.size = sizes[2];
  a.prototypes = file.get<float>(prefix + "prototypes");
  a.strength = scalars[0];
  a.scale = scalars[1];
  a.frequency = scalars[2];
  a.count = file.get<double>(prefix + "count");
  return std::make_unique<PrototypeHead>(std::move(a));
}

}  // namespace fewshop
