#include "runtime/bayes_member.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>

#include "bundle/tensor_file.h"
#include "core/error.h"
#include "runtime/head.h"

namespace fewshop {
namespace {

constexpr float kSecondsPerDay = 86'400;

struct BayesWorkspace : Workspace {
  HeadPosterior posterior;
  std::vector<int32_t> rows;
  std::vector<float> target, precision, prior;
  std::vector<float> repeat;   // [support rows] what each adds to the score of its own item; empty where none does
  std::vector<int32_t> items;  // [support rows] -1 = unknown
  mutable std::optional<double> squared_norm;  // E[|w|^2], worked out when it is asked for
  ItemSearch::Buffers search;
  std::vector<ItemSearch::Hit> best;
  std::vector<int32_t> own;  // items of the support that may be an answer, ascending, each once
  // Of seek(): own and best are there already for candidates() of so many (-1: they are not).
  int sought = -1;
  const ItemMix* mix = nullptr;  // by which they were ranked
};

/// In double and rounded once by the caller: a score may be far smaller than the terms of its sum, and has to be what
/// the explanation adds up to.
double dot(const float* a, const double* b, int32_t n) {
  // Eight independent sums, so that the compiler can use vector registers without reordering a single sum.
  double sums[8] = {};
  int32_t i = 0;
  for (; i + 8 <= n; i += 8)
    for (int32_t j = 0; j < 8; ++j) sums[j] += a[i + j] * b[i + j];
  for (; i < n; ++i) sums[i & 7] += a[i] * b[i];
  return ((sums[0] + sums[4]) + (sums[1] + sums[5])) + ((sums[2] + sums[6]) + (sums[3] + sums[7]));
}

/// Adds the rows of `weight` [inputs, width] that the encoded columns select: means of bags, weighted dense numbers.
template <class T>
void add_inputs(std::span<const ColumnView> columns, std::span<const int32_t> first, const std::vector<float>& weight,
                int32_t width, T* out) {
  for (size_t c = 0; c < columns.size(); ++c) {
    const auto add = [&](int32_t input, float factor) {
      const float* row = weight.data() + static_cast<int64_t>(first[c] + input) * width;
      for (int32_t j = 0; j < width; ++j) out[j] += static_cast<T>(factor * row[j]);
    };
    for (size_t j = 0; j < columns[c].dense.size(); ++j)
      if (columns[c].dense[j] != 0) add(static_cast<int32_t>(j), columns[c].dense[j]);
    for (const int32_t id : columns[c].ids) add(id, 1.0F / static_cast<float>(columns[c].ids.size()));
  }
}

void check_columns(std::span<const ColumnView> columns, std::span<const int32_t> first, const char* what) {
  require(columns.size() + 1 == first.size(), "bayes: expected ", first.size() - 1, " encoded ", what, " columns, got ",
          columns.size());
  for (size_t c = 0; c < columns.size(); ++c) {
    const int32_t inputs = first[c + 1] - first[c];
    require(columns[c].dense.size() <= static_cast<size_t>(inputs), "bayes: ", what, " column ", c, " has ",
            columns[c].dense.size(), " numbers, expected at most ", inputs);
    for (const int32_t id : columns[c].ids)
      require(id >= 0 && id < inputs, "bayes: ", what, " column ", c, " has entry ", id, ", expected below ", inputs);
  }
}

}  // namespace

BayesMember::BayesMember(Arrays arrays) : a_(std::move(arrays)) {
  const size_t n = a_.bias.size(), d = a_.head, kinds = a_.precision.size();
  const auto fits = [](size_t size, size_t expected, const char* name) {
    require(size == expected, "bayes: array ", name, " has ", size, " entries, expected ", expected);
  };
  require(a_.head > 0 && a_.raw > 0 && !a_.item_inputs.empty() && !a_.description_inputs.empty() && kinds > 0,
          "bayes: sizes are missing");
  fits(a_.vectors.size(), n * d, "vectors");
  if (!a_.learned.empty()) fits(a_.learned.size(), n, "learned");
  fits(a_.prior.size(), d, "prior");
  fits(a_.prior_weight.size(), static_cast<size_t>(a_.description_inputs.back()) * d, "prior_weight");
  fits(a_.target_scale.size(), kinds, "target_scale");
  fits(a_.decay.size(), kinds, "decay");
  fits(a_.repeat.size(), kinds, "repeat");
  fits(a_.repeat_decay.size(), kinds, "repeat_decay");
  if (!a_.new_item.empty()) fits(a_.new_item.size(), a_.raw + 1, "new_item");
  fits(a_.item_weight.size(), static_cast<size_t>(a_.item_inputs.back()) * (a_.raw + 1), "item_weight");
  fits(a_.whitening.size(), d * d, "whitening");
  fits(d, a_.ranking ? a_.raw : a_.raw + 1, "head");
  for (const auto* inputs : {&a_.item_inputs, &a_.description_inputs})
    require(inputs->front() == 0 && std::is_sorted(inputs->begin(), inputs->end()), "bayes: inputs are not in order");
  require(!a_.ranking || a_.offset == 0, "bayes: ranks have no offset, got ", a_.offset);
  search_.assign(a_.vectors.data(), a_.head, items(), a_.head, a_.bias.data());
}

std::unique_ptr<Workspace> BayesMember::workspace() const { return std::make_unique<BayesWorkspace>(); }

void BayesMember::adapt(const TaskView& task, Workspace& workspace) const {
  auto& w = static_cast<BayesWorkspace&>(workspace);
  w.sought = -1;
  const size_t n = task.support.size();
  w.rows.resize(n);
  w.target.resize(n);
  w.precision.resize(n);
  for (size_t s = 0; s < n; ++s) {
    const SupportRow& row = task.support[s];
    const size_t kind = std::min<size_t>(row.kind, a_.precision.size() - 1);
    const bool known = knows(row.item);
    w.rows[s] = known ? row.item : 0;
    w.target[s] = row.target * a_.target_scale[kind] - (a_.ranking || !known ? 0 : a_.offset + a_.bias[row.item]);
    w.precision[s] = known ? row.weight * a_.precision[kind] * std::exp(-a_.decay[kind] * row.age / kSecondsPerDay) : 0;
  }
  const bool repeats = std::any_of(a_.repeat.begin(), a_.repeat.end(), [](float r) { return r != 0; });
  w.repeat.resize(repeats ? n : 0);
  w.items.resize(w.repeat.size());
  for (size_t s = 0; s < w.repeat.size(); ++s) {
    const SupportRow& row = task.support[s];
    const size_t kind = std::min<size_t>(row.kind, a_.precision.size() - 1);
    w.items[s] = knows(row.item) ? row.item : -1;
    w.repeat[s] = row.weight * a_.repeat[kind] * std::exp(-a_.repeat_decay[kind] * row.age / kSecondsPerDay);
  }
  w.prior = a_.prior;
  if (!task.description.empty()) {
    check_columns(task.description, a_.description_inputs, "description");
    add_inputs(task.description, a_.description_inputs, a_.prior_weight, a_.head, w.prior.data());
  }
  w.posterior.solve(a_.vectors.data(), a_.head, a_.head, w.rows, w.target, w.precision, w.prior);
  w.squared_norm.reset();
}

namespace {

/// What the support adds to the score of an item that is in it, summed in the order of the rows.
double own_item_score(const BayesWorkspace& w, int32_t item) {
  double sum = 0;
  for (size_t s = 0; s < w.repeat.size(); ++s)
    if (w.items[s] == item) sum += w.repeat[s];
  return sum;
}

/// The score of a known item by the head alone, and with what the support adds to its own items.
double head_score(const BayesMember::Arrays& a, const BayesWorkspace& w, int32_t item) {
  return (static_cast<double>(a.offset) + a.bias[item]) +
         dot(a.vectors.data() + static_cast<int64_t>(item) * a.head, w.posterior.weights_double().data(), a.head);
}

float to_float(double x) {
  constexpr double kMost = std::numeric_limits<float>::max();
  return static_cast<float>(std::clamp(x, -kMost, kMost));
}

float score_of(const BayesMember::Arrays& a, const BayesWorkspace& w, int32_t item) {
  return to_float(head_score(a, w, item) + own_item_score(w, item));
}

}  // namespace

void BayesMember::score(const Workspace& workspace, std::span<const int32_t> items, std::span<float> score,
                        std::span<float> variance) const {
  const auto& w = static_cast<const BayesWorkspace&>(workspace);
  constexpr size_t kAhead = 4;  // vectors lie far apart: fetched before they are needed
  for (size_t i = 0; i < items.size(); ++i) {
    if (i + kAhead < items.size() && knows(items[i + kAhead])) {
      const float* next = vector(items[i + kAhead]);
      for (int32_t j = 0; j < a_.head; j += 16) __builtin_prefetch(next + j);
    }
    const bool known = knows(items[i]);
    score[i] = known ? score_of(a_, w, items[i]) : a_.offset;
    if (variance.empty()) continue;
    variance[i] = a_.noise;
    variance[i] += known ? w.posterior.variance(vector(items[i])) + unlearned_variance(w, items[i]) : 1.0F;
  }
}

/// What is added to the variance of an item of whose own part nothing is known.
float BayesMember::unlearned_variance(const Workspace& workspace, int32_t item) const {
  if (a_.learned.empty() || a_.learned[item]) return 0;
  const auto& w = static_cast<const BayesWorkspace&>(workspace);
  if (!w.squared_norm) {
    const auto mean = w.posterior.weights_double();
    w.squared_norm = w.posterior.total_variance() + dot(w.posterior.weights().data(), mean.data(), a_.head);
  }
  return a_.bias_variance + static_cast<float>(a_.vector_variance * *w.squared_norm);
}

void BayesMember::score_all(const Workspace& workspace, std::span<float> score) const {
  const auto& w = static_cast<const BayesWorkspace&>(workspace);
  for (int32_t i = 0; i < items(); ++i) score[i] = to_float(head_score(a_, w, i));
  for (size_t i = items(); i < score.size(); ++i) score[i] = a_.offset;
  for (size_t s = 0; s < w.repeat.size(); ++s)
    if (w.items[s] >= 0) score[w.items[s]] = score_of(a_, w, w.items[s]);
}

double BayesMember::explain(const Workspace& workspace, int32_t item, std::span<double> contribution) const {
  const auto& w = static_cast<const BayesWorkspace&>(workspace);
  if (!knows(item)) {
    std::fill(contribution.begin(), contribution.end(), 0.0);
    return a_.offset;
  }
  w.posterior.equivalent_kernel(vector(item), contribution);
  const auto residuals = w.posterior.residuals();
  for (size_t s = 0; s < contribution.size(); ++s) contribution[s] *= residuals[s];
  for (size_t s = 0; s < w.repeat.size(); ++s)
    if (w.items[s] == item) contribution[s] += w.repeat[s];
  double prior = static_cast<double>(a_.offset) + a_.bias[item];
  for (int32_t j = 0; j < a_.head; ++j) prior += static_cast<double>(vector(item)[j]) * w.prior[j];
  return prior;
}

namespace {

/// The search for n candidates. It knows the head alone: items that the support adds to may rank lower or higher than
/// it says, so as many more are sought.
ItemSearch::Query query_of(BayesWorkspace& w, const Member::Sought& list) {
  const auto& [workspace, n, excluded, mix, left_out] = list;
  w.mix = mix;
  w.own.clear();
  for (const int32_t item : w.items)
    if (item >= 0 && !excluded->contains(item)) w.own.push_back(item);
  std::sort(w.own.begin(), w.own.end());
  w.own.erase(std::unique(w.own.begin(), w.own.end()), w.own.end());
  return {
      w.posterior.weights().data(), n + static_cast<int>(w.own.size()), excluded, &w.search, &w.best, mix, left_out};
}

}  // namespace

void BayesMember::seek(std::span<const Sought> lists) const {
  std::array<ItemSearch::Query, ItemSearch::kTogether> queries;
  for (size_t begin = 0; begin < lists.size(); begin += queries.size()) {
    const auto group = lists.subspan(begin, std::min(queries.size(), lists.size() - begin));
    for (size_t i = 0; i < group.size(); ++i) {
      const Sought& list = group[i];
      auto& w = static_cast<BayesWorkspace&>(*list.workspace);
      queries[i] = query_of(w, list);
      w.sought = list.n;
    }
    search_.top(std::span(queries).first(group.size()));
  }
}

void BayesMember::candidates(const Workspace& workspace, int n, const ItemSet& excluded,
                             std::vector<int32_t>& out) const {
  // The workspace is one thread's own; its buffers are scratch.
  auto& w = const_cast<BayesWorkspace&>(static_cast<const BayesWorkspace&>(workspace));
  if (w.sought != n) {
    const ItemSearch::Query query = query_of(w, {&w, n, &excluded});
    search_.top(query.vector, query.n, excluded, w.search, w.best);
  }
  w.sought = -1;
  // Items of the support are put in their place among the others.
  if (!w.own.empty()) {
    std::erase_if(w.best,
                  [&](const ItemSearch::Hit& hit) { return std::binary_search(w.own.begin(), w.own.end(), hit.item); });
    for (const int32_t item : w.own) w.best.push_back({item, 0});
    for (auto& hit : w.best) {
      const double score = head_score(a_, w, hit.item) + own_item_score(w, hit.item);
      hit.score = to_float(w.mix ? w.mix->of(hit.item, score) : score);
    }
    std::sort(w.best.begin(), w.best.end(), [](const ItemSearch::Hit& a, const ItemSearch::Hit& b) {
      return a.score > b.score || (a.score == b.score && a.item < b.item);
    });
    if (w.best.size() > static_cast<size_t>(n)) w.best.resize(n);
  }
  for (const auto& hit : w.best) out.push_back(hit.item);
}

std::span<const float> BayesMember::head(const Workspace& workspace) const {
  return static_cast<const BayesWorkspace&>(workspace).posterior.weights();
}

float BayesMember::head_variance(const Workspace& workspace, std::span<const float> z) const {
  require(std::ssize(z) == a_.head, "bayes: a vector of ", z.size(), " numbers for a head of ", a_.head);
  return static_cast<const BayesWorkspace&>(workspace).posterior.variance(z.data());
}

std::vector<float> BayesMember::whitened(std::span<const double> raw) const {
  std::vector<double> all(raw.begin(), raw.end());
  all.resize(a_.head, 0.0);
  std::vector<float> z(a_.head, 0.0F);
  add_whitened(all, z.data());
  return z;
}

/// vector += L^-1 raw by forward substitution.
void BayesMember::add_whitened(std::span<const double> raw, float* vector) const {
  std::vector<double> white(a_.head);
  for (int32_t i = 0; i < a_.head; ++i) {
    double sum = raw[i];
    for (int32_t j = 0; j < i; ++j) sum -= a_.whitening[i * a_.head + j] * white[j];
    white[i] = sum / a_.whitening[i * a_.head + i];
    vector[i] = static_cast<float>(vector[i] + white[i]);
  }
}

void BayesMember::add_item(std::span<const ColumnView> features) {
  check_columns(features, a_.item_inputs, "item");
  std::vector<double> raw(a_.raw + 1, 0.0);
  std::copy(a_.new_item.begin(), a_.new_item.end(), raw.begin());
  add_inputs(features, a_.item_inputs, a_.item_weight, a_.raw + 1, raw.data());
  a_.bias.push_back(static_cast<float>(raw[a_.raw]));
  raw[a_.raw] = 1;  // ratings: the constant that carries the task's own offset
  if (!a_.learned.empty()) a_.learned.push_back(0);
  a_.vectors.resize(a_.vectors.size() + a_.head, 0.0F);
  add_whitened(raw, a_.vectors.data() + a_.vectors.size() - a_.head);
  search_.extend(a_.vectors.data(), a_.head, items(), a_.bias.data());
}

void BayesMember::change_item(int32_t item, std::span<const ColumnView> before, std::span<const ColumnView> after) {
  check_columns(before, a_.item_inputs, "item");
  check_columns(after, a_.item_inputs, "item");
  std::vector<double> old(a_.raw + 1, 0.0), raw(a_.raw + 1, 0.0);
  add_inputs(before, a_.item_inputs, a_.item_weight, a_.raw + 1, old.data());
  add_inputs(after, a_.item_inputs, a_.item_weight, a_.raw + 1, raw.data());
  for (size_t i = 0; i < raw.size(); ++i) raw[i] -= old[i];
  a_.bias[item] = static_cast<float>(a_.bias[item] + raw[a_.raw]);
  raw[a_.raw] = 0;  // the constant is no feature's
  add_whitened(raw, a_.vectors.data() + static_cast<int64_t>(item) * a_.head);
  search_.update(item);
}

void BayesMember::save(TensorFile& file) const {
  file.put_text("kind", "bayes");
  file.put<int32_t>("sizes", std::vector<int32_t>{a_.ranking, a_.head, a_.raw});
  file.put("scalars", std::vector<float>{a_.offset, a_.noise});
  file.put("vectors", a_.vectors, {items(), a_.head});
  file.put("bias", a_.bias);
  if (!a_.learned.empty()) {
    file.put("learned", a_.learned);
    file.put("unlearned", std::vector<float>{a_.vector_variance, a_.bias_variance});
  }
  file.put("prior", a_.prior);
  file.put("prior_weight", a_.prior_weight, {a_.description_inputs.back(), a_.head});
  file.put("target_scale", a_.target_scale);
  file.put("precision", a_.precision);
  file.put("decay", a_.decay);
  file.put("repeat", a_.repeat);
  file.put("repeat_decay", a_.repeat_decay);
  file.put("item_weight", a_.item_weight, {a_.item_inputs.back(), a_.raw + 1});
  if (!a_.new_item.empty()) file.put("new_item", a_.new_item);
  file.put("whitening", a_.whitening, {a_.head, a_.head});
  file.put("item_inputs", a_.item_inputs);
  file.put("description_inputs", a_.description_inputs);
}

std::unique_ptr<Member> BayesMember::load(const TensorFile& file) {
  Arrays a;
  const auto sizes = file.get<int32_t>("sizes");
  const auto scalars = file.get<float>("scalars");
  require(sizes.size() == 3 && scalars.size() == 2, "bayes: sizes or scalars have the wrong length");
  a.ranking = sizes[0] != 0;
  a.head = sizes[1];
  a.raw = sizes[2];
  a.offset = scalars[0];
  a.noise = scalars[1];
  a.vectors = file.get<float>("vectors");
  a.bias = file.get<float>("bias");
  if (file.has("learned")) {  // bundles of older versions have no such part
    a.learned = file.get<uint8_t>("learned");
    const auto unlearned = file.get<float>("unlearned");
    require(unlearned.size() == 2 && unlearned[0] >= 0 && unlearned[1] >= 0, "bayes: unlearned is no two variances");
    a.vector_variance = unlearned[0];
    a.bias_variance = unlearned[1];
  }
  a.prior = file.get<float>("prior");
  a.prior_weight = file.get<float>("prior_weight");
  a.target_scale = file.get<float>("target_scale");
  a.precision = file.get<float>("precision");
  a.decay = file.get<float>("decay");
  a.repeat = file.get<float>("repeat");
  a.repeat_decay = file.get<float>("repeat_decay");
  a.item_weight = file.get<float>("item_weight");
  if (file.has("new_item")) a.new_item = file.get<float>("new_item");  // bundles of older versions have none
  a.whitening = file.get<double>("whitening");
  a.item_inputs = file.get<int32_t>("item_inputs");
  a.description_inputs = file.get<int32_t>("description_inputs");
  return std::make_unique<BayesMember>(std::move(a));
}

}  // namespace fewshop
