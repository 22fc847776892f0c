#include "learner/bayes.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "core/error.h"
#include "core/progress.h"
#include "learner/bayes_start.h"
#include "learner/usable_tasks.h"
#include "nn/head_solve.h"

namespace fewshop::learning {
namespace {

constexpr double kSecondsPerDay = 86'400;
constexpr int64_t kFullSoftmaxItems = 50'000;
constexpr int64_t kDefaultNegatives = 5'000;
constexpr double kMasked = -1e30;

Tensor scalar(double value) { return at::full({}, value, at::kFloat); }

Tensor index_of(const std::vector<int32_t>& items) {
  Tensor index = at::empty({static_cast<int64_t>(items.size())}, at::kLong);
  std::copy(items.begin(), items.end(), index.data_ptr<int64_t>());
  return index;
}

std::shared_ptr<BayesInputs> make_inputs(const FitInput& input) {
  auto inputs = std::make_shared<BayesInputs>();
  const Dataset& data = input.data;
  const nn::SparseRows content = nn::sparse_rows(data.item_features);
  const auto items = static_cast<int32_t>(data.items());
  inputs->content = content.inputs;
  inputs->item_count = items;
  inputs->seen.assign(items, 0);
  for (const auto& task : input.tasks)
    for (const int32_t r : task.rows)
      if (!input.is_hidden(data.item[r])) inputs->seen[data.item[r]] = 1;
  for (int32_t i = 0; i < items; ++i)
    if (inputs->seen[i]) inputs->seen_items.push_back(i);
  nn::SparseRows& rows = inputs->items;
  rows.inputs = content.inputs + items + 1;
  for (const bool with_identity : {true, false}) {
    for (int32_t i = 0; i < items; ++i) {
      if (content.rows() > 0)
        for (int64_t j = content.offsets[i]; j < content.offsets[i + 1]; ++j) {
          rows.index.push_back(content.index[j]);
          rows.value.push_back(content.value[j]);
        }
      const bool known = with_identity && inputs->seen[i];
      rows.index.push_back(static_cast<int32_t>(content.inputs + (known ? i : items)));
      rows.value.push_back(1);
      rows.offsets.push_back(static_cast<int64_t>(rows.index.size()));
    }
  }
  inputs->tasks = nn::sparse_rows(data.task_features);
  return inputs;
}

Tensor gather_rows(const Tensor& table, const Tensor& index) {
  auto shape = index.sizes().vec();
  shape.push_back(table.size(1));
  return table.index_select(0, index.reshape(-1)).view(shape);
}

/// What support rows add to the score of their own item: [T, S].
Tensor own_item_terms(const BayesParameters& p, const Rows& rows) {
  const auto of_kind = [&](const Tensor& table) {
    return table.index_select(0, rows.kind.reshape(-1)).view(rows.kind.sizes());
  };
  return of_kind(p.repeat) * (-of_kind(at::softplus(p.raw_repeat_decay)) * (rows.age / kSecondsPerDay)).exp() *
         rows.weight * rows.mask;
}

/// The tensors of one step: items that take part, their raw vectors, and where each row finds its item among them.
struct StepItems {
  std::vector<int32_t> items;     // item numbers, seen ones first in order
  Tensor raw;                     // [n, d + 1]
  std::vector<int64_t> position;  // [I] -> place in items, -1 = absent
};

/// The outer loss of `bayes` on some episodes.
class BayesLoss {
 public:
  BayesLoss(const FitInput& input, const BayesInputs& inputs, const BayesParameters& p, const BayesOptions& options,
            bool ranking)
      : input_(input), inputs_(inputs), p_(p), options_(options), ranking_(ranking) {}

  Tensor operator()(std::span<const Episode> episodes, const std::vector<uint8_t>& hidden, Random random) const {
    const Batch batch = make_batch(input_.data, episodes);
    const StepItems step = step_items(episodes, hidden, random);
    const Tensor support = positions(batch.support.item, step), query = positions(batch.query.item, step);
    const int64_t d = p_.item_weight.size(1) - 1;
    const Tensor raw_support = gather_rows(step.raw, support);
    const Tensor beta =
        (p_.log_beta.index_select(0, batch.support.kind.reshape(-1)).view(support.sizes()) -
         at::softplus(p_.raw_decay).index_select(0, batch.support.kind.reshape(-1)).view(support.sizes()) *
             (batch.support.age / kSecondsPerDay))
            .exp() *
        batch.support.weight * batch.support.mask;
    Tensor y =
        batch.support.target * p_.target_scale.index_select(0, batch.support.kind.reshape(-1)).view(support.sizes());
    Tensor mean = p_.prior.unsqueeze(0).expand({static_cast<int64_t>(episodes.size()), -1});
    if (inputs_.tasks.inputs > 0) {
      std::vector<int32_t> tasks;
      for (const auto& e : episodes) tasks.push_back(e.task);
      mean = mean + nn::sparse_matmul(inputs_.tasks, tasks, p_.description_weight);
    }
    const Tensor diagonal = at::diag(p_.log_precision.exp());
    // Query rows of a task weigh by their importance, tasks alike.
    const Tensor importance = batch.query.mask * batch.query.weight;
    const Tensor per_task = importance.sum(1).clamp_min(1e-6);
    if (ranking_) {
      const Tensor z = step.raw.narrow(1, 0, d);
      const Tensor gram = at::matmul(z.t(), z) / static_cast<double>(z.size(0));
      const auto solution = nn::head_solve(raw_support.narrow(2, 0, d), y, beta, diagonal + p_.log_gram.exp() * gram,
                                           mean, at::empty({support.size(0), 0, d}, z.options()));
      Tensor logits = at::addmm(step.raw.select(1, d).unsqueeze(0), solution.weights, z.t());
      if (input_.scenario.exclude_seen)
        logits = logits + seen_mask(support, batch.support.mask, logits.size(1));
      else
        logits = logits.scatter_add(1, support, own_item_terms(p_, batch.support));
      const Tensor chosen = at::log_softmax(logits, 1).gather(1, query);
      return -((chosen * importance).sum(1) / per_task).mean();
    }
    const auto features = [&](const Tensor& raw) {
      return at::cat({raw.narrow(2, 0, d), at::ones_like(raw.narrow(2, 0, 1))}, 2);
    };
    const Tensor x_query = features(gather_rows(step.raw, query));
    const Tensor bias_query = gather_rows(step.raw, query).select(2, d);
    y = y - p_.offset - raw_support.select(2, d);
    const auto solution = nn::head_solve(features(raw_support), y, beta, diagonal, mean, x_query);
    const Tensor predicted = p_.offset + bias_query + (x_query * solution.weights.unsqueeze(1)).sum(2);
    const Tensor variance = solution.variance + p_.log_noise.exp();
    const Tensor error = batch.query.target - predicted;
    const Tensor loss = 0.5 * (variance.log() + error * error / variance);
    return ((loss * importance).sum(1) / per_task).mean();
  }

 private:
  StepItems step_items(std::span<const Episode> episodes, const std::vector<uint8_t>& hidden, Random random) const {
    StepItems step;
    step.position.assign(inputs_.item_count, -1);
    const auto add = [&](int32_t item) {
      if (step.position[item] >= 0) return;
      step.position[item] = static_cast<int64_t>(step.items.size());
      step.items.push_back(item);
    };
    const auto seen = static_cast<int64_t>(inputs_.seen_items.size());
    const int64_t negatives = options_.negatives > 0      ? options_.negatives
                              : seen <= kFullSoftmaxItems ? seen
                                                          : kDefaultNegatives;
    if (ranking_ && negatives >= seen)
      for (const int32_t item : inputs_.seen_items) add(item);
    for (const auto& e : episodes)
      for (const auto* rows : {&e.support, &e.query})
        for (const int32_t r : *rows) add(input_.data.item[r]);
    if (ranking_ && negatives < seen)
      for (int64_t i = 0; i < negatives; ++i) add(inputs_.seen_items[random.below(seen)]);
    std::vector<int32_t> rows(step.items.size());
    for (size_t i = 0; i < rows.size(); ++i) rows[i] = step.items[i] + (hidden[step.items[i]] ? inputs_.item_count : 0);
    step.raw = nn::sparse_matmul(inputs_.items, rows, p_.item_weight);
    return step;
  }

  static Tensor positions(const Tensor& items, const StepItems& step) {
    Tensor out = at::empty_like(items);
    const int64_t* in = items.data_ptr<int64_t>();
    for (int64_t i = 0; i < items.numel(); ++i) out.data_ptr<int64_t>()[i] = std::max<int64_t>(0, step.position[in[i]]);
    return out;
  }

  static Tensor seen_mask(const Tensor& support, const Tensor& mask, int64_t items) {
    Tensor out = at::zeros({support.size(0), items}, at::kFloat);
    const int64_t* position = support.data_ptr<int64_t>();
    const float* used = mask.data_ptr<float>();
    for (int64_t t = 0; t < support.size(0); ++t)
      for (int64_t s = 0; s < support.size(1); ++s)
        if (used[t * support.size(1) + s] != 0)
          out.data_ptr<float>()[t * items + position[t * support.size(1) + s]] = static_cast<float>(kMasked);
    return out;
  }

  const FitInput& input_;
  const BayesInputs& inputs_;
  const BayesParameters& p_;
  const BayesOptions& options_;
  bool ranking_;
};

template <class T>
std::vector<T> to_vector(const Tensor& tensor) {
  const Tensor t = tensor.detach().contiguous().to(c10::CppTypeToScalarType<T>::value);
  return {t.data_ptr<T>(), t.data_ptr<T>() + t.numel()};
}

std::vector<int32_t> first_inputs(const Columns& columns) {
  std::vector<int32_t> first{0};
  for (const auto& column : columns.columns) first.push_back(first.back() + column.width + column.vocabulary);
  return first;
}

}  // namespace

std::vector<Parameter> BayesParameters::list(const BayesOptions& o, int64_t content, bool ranking, bool repeats) const {
  // The bias of an item is worth about ten embedding entries: its own scale is larger.
  Tensor decay = at::full({item_weight.size(0), item_weight.size(1)}, o.id_decay, at::kFloat);
  decay.narrow(0, 0, content).fill_(o.content_decay);
  decay.select(0, item_weight.size(0) - 1).fill_(o.content_decay);
  decay.select(1, item_weight.size(1) - 1).mul_(0.1);
  std::vector<Parameter> list{{"item_weight", item_weight, decay},
                              {"prior", prior, {}},
                              {"log_precision", log_precision, {}},
                              {"log_beta", log_beta, {}},
                              {"raw_decay", raw_decay, {}}};
  if (description_weight.size(0) > 0) list.push_back({"description_weight", description_weight, scalar(o.prior_decay)});
  if (ranking) {
    list.push_back({"log_gram", log_gram, {}});
    list.push_back({"target_scale", target_scale, {}});
    if (repeats) {
      list.push_back({"repeat", repeat, {}});
      list.push_back({"raw_repeat_decay", raw_repeat_decay, {}});
    }
  } else {
    list.push_back({"log_noise", log_noise, {}});
    list.push_back({"offset", offset, {}});
  }
  for (auto& parameter : list) parameter.value.set_requires_grad(true);
  return list;
}

BayesModel::BayesModel(BayesParameters parameters, std::shared_ptr<const BayesInputs> inputs, bool ranking)
    : p_(std::move(parameters)), inputs_(std::move(inputs)), ranking_(ranking) {
  at::NoGradGuard no_grad;
  const int64_t d = p_.item_weight.size(1) - 1;
  std::vector<int32_t> rows(inputs_->item_count);
  for (int32_t i = 0; i < inputs_->item_count; ++i) rows[i] = i;
  const Tensor raw = nn::sparse_matmul(inputs_->items, rows, p_.item_weight);
  vectors_ = raw.narrow(1, 0, d).contiguous();
  bias_ = raw.select(1, d).contiguous();
  precision_ = at::diag(p_.log_precision.exp());
  if (ranking_) {
    const Tensor z = vectors_.index_select(0, index_of(inputs_->seen_items));
    precision_ = precision_ + p_.log_gram.exp() * at::matmul(z.t(), z) / static_cast<double>(z.size(0));
  }
}

Tensor BayesModel::features(const Tensor& items) const {
  const Tensor z = gather_rows(vectors_, items);
  return ranking_ ? z : at::cat({z, at::ones_like(z.narrow(2, 0, 1))}, 2);
}

Tensor BayesModel::row_precision(const Rows& rows) const {
  const auto of_kind = [&](const Tensor& table) {
    return table.index_select(0, rows.kind.reshape(-1)).view(rows.kind.sizes());
  };
  return (of_kind(p_.log_beta) - of_kind(at::softplus(p_.raw_decay)) * (rows.age / kSecondsPerDay)).exp() *
         rows.weight * rows.mask;
}

Tensor BayesModel::residual_target(const Rows& rows) const {
  Tensor y = rows.target * p_.target_scale.index_select(0, rows.kind.reshape(-1)).view(rows.kind.sizes());
  if (!ranking_) y = y - p_.offset - bias_.index_select(0, rows.item.reshape(-1)).view(rows.item.sizes());
  return y;
}

Tensor BayesModel::prior_mean(const Task& task) const {
  Tensor mean = p_.prior.unsqueeze(0).expand({task.description.size(0), -1}).clone();
  if (inputs_->tasks.inputs == 0) return mean;
  for (int64_t t = 0; t < mean.size(0); ++t) {
    const auto row = static_cast<int32_t>(task.description.data_ptr<int64_t>()[t]);
    if (row >= 0) mean[t] += nn::sparse_matmul(inputs_->tasks, std::span(&row, 1), p_.description_weight)[0];
  }
  return mean;
}

Adapted BayesModel::adapt(const Rows& support, const Task& task) const {
  at::NoGradGuard no_grad;
  const Tensor x = features(support.item), beta = row_precision(support), mean = prior_mean(task);
  const auto solution = nn::head_solve(x, residual_target(support), beta, precision_, mean,
                                       at::empty({x.size(0), 0, x.size(2)}, x.options()));
  const Tensor a = precision_ + at::matmul((x * beta.unsqueeze(2)).transpose(1, 2), x);
  return {{"weights", solution.weights},
          {"factor", at::linalg_cholesky(a)},
          {"prior", mean},
          {"x", x},
          {"residual", residual_target(support) - (x * mean.unsqueeze(1)).sum(2)},
          {"beta", beta},
          {"item", support.item},
          {"repeat", repeat_terms(support)}};
}

Tensor BayesModel::repeat_terms(const Rows& rows) const {
  at::NoGradGuard no_grad;
  return ranking_ ? own_item_terms(p_, rows) : at::zeros_like(rows.mask);
}

Tensor BayesModel::own_item_evidence(const Adapted& adapted, const Tensor& items) const {
  const Tensor same = items.unsqueeze(2).eq(adapted.at("item").unsqueeze(1));
  return same.to(adapted.at("repeat").scalar_type()) * adapted.at("repeat").unsqueeze(1);
}

Distribution BayesModel::predict(const Adapted& adapted, const Rows& query) const {
  at::NoGradGuard no_grad;
  const Tensor x = features(query.item);
  const Tensor bias = bias_.index_select(0, query.item.reshape(-1)).view(query.item.sizes());
  const Tensor u = at::cholesky_solve(x.transpose(1, 2), adapted.at("factor"));
  Tensor mean = bias + (x * adapted.at("weights").unsqueeze(1)).sum(2) + own_item_evidence(adapted, query.item).sum(2),
         variance = (x * u.transpose(1, 2)).sum(2);
  if (ranking_) return {Family::kScores, {{"mean", mean}, {"variance", variance}}};
  return {Family::kGaussian, {{"mean", mean + p_.offset}, {"variance", variance + p_.log_noise.exp()}}};
}

Explains::Explanation BayesModel::explain(const Adapted& adapted, const Rows& query) const {
  at::NoGradGuard no_grad;
  const Tensor x = features(query.item);
  Tensor prior = bias_.index_select(0, query.item.reshape(-1)).view(query.item.sizes()) +
                 (x * adapted.at("prior").unsqueeze(1)).sum(2);
  if (!ranking_) prior = prior + p_.offset;
  const Tensor u = at::cholesky_solve(x.transpose(1, 2), adapted.at("factor"));  // [T, H, Q]
  const Tensor kernel = at::matmul(adapted.at("x"), u).transpose(1, 2);          // [T, Q, S]
  return {prior,
          kernel * (adapted.at("beta") * adapted.at("residual")).unsqueeze(1) + own_item_evidence(adapted, query.item)};
}

Tensor BayesModel::query_vectors(const Adapted& adapted) const { return adapted.at("weights"); }

Tensor BayesModel::item_vectors() const {
  return ranking_ ? vectors_ : at::cat({vectors_, at::ones_like(vectors_.narrow(1, 0, 1))}, 1);
}

Tensor BayesModel::item_bias() const { return ranking_ ? bias_ : bias_ + p_.offset.detach(); }

Tensor BayesModel::sample_heads(const Adapted& adapted, int draws, uint64_t seed) const {
  at::NoGradGuard no_grad;
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  const Tensor& weights = adapted.at("weights");
  const Tensor noise = at::randn({draws, weights.size(0), weights.size(1), 1}, generator, weights.options());
  // A = L L^T, so L^-T noise has covariance A^-1.
  const Tensor factor = adapted.at("factor").transpose(1, 2).unsqueeze(0).expand({draws, -1, -1, -1});
  return weights.unsqueeze(0) + at::linalg_solve_triangular(factor, noise, /*upper=*/true).squeeze(3);
}

Adapted BayesModel::update(const Adapted& adapted, const Rows& row) const {
  at::NoGradGuard no_grad;
  const Tensor x = features(row.item), beta = row_precision(row);
  const Tensor& l = adapted.at("factor");
  const Tensor a = at::matmul(l, l.transpose(1, 2)) + at::matmul((x * beta.unsqueeze(2)).transpose(1, 2), x);
  const Tensor factor = at::linalg_cholesky(a);
  const Tensor& weights = adapted.at("weights");
  const Tensor error = residual_target(row) - (x * weights.unsqueeze(1)).sum(2);
  const Tensor step = at::cholesky_solve((x * (beta * error).unsqueeze(2)).sum(1).unsqueeze(2), factor).squeeze(2);
  const Tensor residual = residual_target(row) - (x * adapted.at("prior").unsqueeze(1)).sum(2);
  return {{"weights", weights + step},
          {"factor", factor},
          {"prior", adapted.at("prior")},
          {"x", at::cat({adapted.at("x"), x}, 1)},
          {"residual", at::cat({adapted.at("residual"), residual}, 1)},
          {"beta", at::cat({adapted.at("beta"), beta}, 1)},
          {"item", at::cat({adapted.at("item"), row.item}, 1)},
          {"repeat", at::cat({adapted.at("repeat"), repeat_terms(row)}, 1)}};
}

/// How much the parts that seen items have of their own differ from 0: what is not known of an item that comes later.
void BayesModel::set_unlearned_variance(BayesMember::Arrays& a, const Tensor& factor) const {
  a.learned.assign(inputs_->seen.begin(), inputs_->seen.end());
  if (inputs_->seen_items.empty()) return;
  const Tensor rows = index_of(inputs_->seen_items) + inputs_->content;
  const Tensor own = p_.item_weight.index_select(0, rows).to(at::kDouble);
  const Tensor white = at::linalg_solve_triangular(factor, own.narrow(1, 0, a.raw).t(), /*upper=*/false);
  a.vector_variance = white.square().mean().item<float>();
  a.bias_variance = own.select(1, a.raw).square().mean().item<float>();
}

std::unique_ptr<BayesMember> BayesModel::runtime_form(const Columns& item_columns, const Columns& task_columns) const {
  at::NoGradGuard no_grad;
  BayesMember::Arrays a;
  a.ranking = ranking_;
  a.raw = static_cast<int32_t>(vectors_.size(1));
  a.head = static_cast<int32_t>(precision_.size(0));
  const Tensor factor = at::linalg_cholesky(precision_.to(at::kDouble));
  Tensor raw = vectors_.to(at::kDouble);
  if (!ranking_) raw = at::cat({raw, at::ones({raw.size(0), 1}, raw.options())}, 1);
  a.vectors = to_vector<float>(at::linalg_solve_triangular(factor, raw.t(), /*upper=*/false).t());
  a.bias = to_vector<float>(bias_);
  if (ranking_) set_unlearned_variance(a, factor);
  a.offset = ranking_ ? 0 : p_.offset.item<float>();
  a.noise = ranking_ ? 0 : std::exp(p_.log_noise.item<float>());
  a.prior = to_vector<float>(at::matmul(p_.prior.to(at::kDouble), factor));
  a.prior_weight = to_vector<float>(at::matmul(p_.description_weight.to(at::kDouble), factor));
  a.target_scale = to_vector<float>(p_.target_scale);
  a.precision = to_vector<float>(p_.log_beta.exp());
  a.decay = to_vector<float>(at::softplus(p_.raw_decay));
  a.repeat = to_vector<float>(ranking_ ? p_.repeat : at::zeros_like(p_.repeat));
  a.repeat_decay = to_vector<float>(at::softplus(p_.raw_repeat_decay));
  a.item_weight = to_vector<float>(p_.item_weight.narrow(0, 0, inputs_->content));
  a.new_item = to_vector<float>(p_.item_weight.select(0, inputs_->content + inputs_->item_count));
  a.whitening = to_vector<double>(factor);
  a.item_inputs = first_inputs(item_columns);
  a.description_inputs = first_inputs(task_columns);
  return std::make_unique<BayesMember>(std::move(a));
}

BayesFit fit_bayes(const FitInput& input, const BayesOptions& given, int schedule_epochs, const MemberLoss& validate,
                   const Run& run) {
  const bool ranking = input.scenario.problem == Problem::kRanking;
  BayesOptions options = given;
  if (options.start == "auto") options.start = "als";
  set_sizes(options, ranking);
  const auto inputs = make_inputs(input);
  BayesParameters parameters = initial_parameters(input, *inputs, options.d, options.start, run.seed);
  EpisodicLearner learner;
  learner.parameters = parameters.list(options, inputs->content, ranking, ranking && !input.scenario.exclude_seen);
  BayesLoss loss(input, *inputs, parameters, options, ranking);
  const auto diverged = [&](const std::string& why) {
    return Failure(run.what + ": training diverged (" + why +
                   "); lower learner.lr, or look for extreme values in target and weight");
  };
  learner.query_loss = [&](std::span<const Episode> episodes, const std::vector<uint8_t>& hidden, Random random) {
    try {
      return loss(episodes, hidden, random);
    } catch (const Failure& e) {  // a system that cannot be solved
      throw diverged(e.what());
    }
  };
  // The last step of an epoch may be the one that goes astray: no loss has seen its parameters.
  const auto runtime_form = [&](const BayesModel& model) {
    try {
      auto member = model.runtime_form(input.data.item_features, input.data.task_features);
      const auto finite = [](const std::vector<float>& values) {
        return std::all_of(values.begin(), values.end(), [](float x) { return std::isfinite(x); });
      };
      const BayesMember::Arrays& a = member->arrays();
      if (!finite(a.vectors) || !finite(a.bias) || !finite(a.prior) || !finite(a.precision) || !finite(a.item_weight) ||
          !std::isfinite(a.noise))
        throw diverged("a parameter is not a finite number");
      return member;
    } catch (const c10::Error&) {
      throw diverged("the prior precision of the head is not positive definite");
    }
  };
  if (validate)
    learner.validation_loss = [&] { return validate(*runtime_form(BayesModel(parameters, inputs, ranking))); };
  MetaTrainOptions training;
  training.epochs = options.epochs;
  training.schedule_epochs = schedule_epochs;
  training.patience = validate ? options.patience : options.epochs + 1;
  training.batch_tasks = options.batch_tasks;
  training.query = options.query;
  training.lr = options.lr;
  training.judge_start = options.start == "als";
  training.hold_out_items = input.scenario.episode.hold_out_items;
  BayesFit fit;
  fit.training = meta_train(learner, input.data, input.scenario, usable_tasks(input), training, run);
  fit.model = std::make_unique<BayesModel>(parameters, inputs, ranking);
  fit.member = runtime_form(*fit.model);
  return fit;
}

namespace {

class BayesLearner : public Learner {
 public:
  explicit BayesLearner(const nlohmann::json& options) { set_fields(options_, options, "learner"); }

  std::string_view name() const override { return "bayes"; }

  std::unique_ptr<Member> fit(const FitInput& input, const MemberLoss& loss, nlohmann::json& chosen,
                              const Run& run) const override {
    BayesOptions options = options_;
    set_epochs(options, input.tasks.size());
    if (loss) return choose(input, options, loss, chosen, run);
    options.epochs = chosen.at("epochs").get<int>();
    options.start = chosen.value("start", "random");
    const int schedule = chosen.at("schedule").get<int>();
    return std::move(fit_bayes(input, options, schedule, nullptr, run).member);
  }

 private:
  /// The fit that meta-validation tasks prefer: its start, where that is left open, and its number of epochs.
  static std::unique_ptr<Member> choose(const FitInput& input, const BayesOptions& options, const MemberLoss& loss,
                                        nlohmann::json& chosen, const Run& run) {
    const bool open = options.start == "auto";
    std::optional<BayesFit> best;
    for (const std::string& start : open ? std::vector<std::string>{"als", "random"} : std::vector{options.start}) {
      BayesOptions tried = options;
      tried.start = start;
      Run own = run;
      if (open) own.what += ", " + start + " start";
      if (open && !own.checkpoint.empty()) own.checkpoint += "." + start;
      BayesFit fit = fit_bayes(input, tried, options.epochs, loss, own);
      verbose(fmt::format("{}: {} of {} epochs, validation {:.5f}", own.what, fit.training.epochs, options.epochs,
                          fit.training.best_validation));
      if (best && fit.training.best_validation >= best->training.best_validation) continue;
      chosen = {{"epochs", fit.training.epochs}, {"schedule", options.epochs}, {"start", start}};
      best = std::move(fit);
    }
    return std::move(best->member);
  }

  BayesOptions options_;
};

}  // namespace

std::unique_ptr<Learner> make_bayes(const nlohmann::json& options) { return std::make_unique<BayesLearner>(options); }

}  // namespace fewshop::learning
