#include "learner/meta_train.h"

#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <torch/autograd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <numbers>
#include <optional>

#include "bundle/tensor_file.h"
#include "core/cancel.h"
#include "core/error.h"
#include "core/parallel.h"
#include "core/progress.h"
#include "learner/adam.h"

namespace fewshop::learning {
namespace {

constexpr int kShards = 4;

// The parameters that are validated and kept are an average over about this many outer steps: single steps move the
// biases of new items by more than what there is to choose between epochs.
constexpr double kAveragedSteps = 60;

void put(TensorFile& file, const std::string& name, const at::Tensor& tensor) {
  const at::Tensor t = tensor.detach().contiguous().to(at::kFloat);
  file.put(name, std::span<const float>(t.data_ptr<float>(), t.numel()), t.sizes().vec());
}

void get(const TensorFile& file, const std::string& name, at::Tensor& tensor) {
  at::NoGradGuard no_grad;
  const auto values = file.get<float>(name);
  require(static_cast<int64_t>(values.size()) == tensor.numel(), "checkpoint: ", name, " has ", values.size(),
          " numbers, expected ", tensor.numel());
  tensor.copy_(at::from_blob(const_cast<float*>(values.data()), tensor.sizes(), at::kFloat));
}

/// The learner's own outer gradient of some episodes, times the share that they are of a meta-batch.
std::vector<at::Tensor> scaled_gradient(const EpisodicLearner& learner, std::span<const Episode> episodes,
                                        const std::vector<uint8_t>& hidden, const Random& random, double share) {
  std::vector<at::Tensor> gradient;
  {
    at::AutoGradMode enabled(true);
    gradient = learner.outer_gradient(episodes, hidden, random);
  }
  for (auto& g : gradient)
    if (g.defined()) g = share * g;
  return gradient;
}

/// One tensor per parameter, undefined = zeros, no number beyond `most`.
std::vector<at::Tensor> clamped_sum(const std::vector<std::vector<at::Tensor>>& shards, double most) {
  std::vector<at::Tensor> sum(shards.empty() ? 0 : shards.front().size());
  for (const auto& shard : shards)
    for (size_t i = 0; i < shard.size(); ++i)
      if (shard[i].defined()) sum[i] = sum[i].defined() ? sum[i] + shard[i] : shard[i];
  for (auto& g : sum)
    if (g.defined()) g = g.clamp(-most, most);
  return sum;
}

/// Everything that meta_train needs to go on after an epoch.
struct State {
  int epoch = 0, best_epoch = 0;
  std::vector<at::Tensor> average;  // of the parameters over the last steps
  double best = std::numeric_limits<double>::infinity();
  std::vector<at::Tensor> best_values;
  MetaTrainResult result;
};

void save_checkpoint(const std::string& path, const std::vector<Parameter>& parameters, const Adam& adam,
                     const State& state) {
  TensorFile file;
  for (size_t i = 0; i < parameters.size(); ++i) {
    put(file, "value." + std::to_string(i), parameters[i].value);
    put(file, "best." + std::to_string(i), state.best_values[i]);
    put(file, "average." + std::to_string(i), state.average[i]);
    put(file, "first." + std::to_string(i), adam.first[i]);
    put(file, "second." + std::to_string(i), adam.second[i]);
  }
  file.put("counters", std::vector<int64_t>{state.epoch, state.best_epoch, adam.steps});
  file.put("best", std::vector<double>{state.best});
  file.put("train_loss", state.result.train_loss);
  file.put("validation_loss", state.result.validation_loss);
  file.save(path);
}

/// The file of an interrupted run; nothing where there is none, or none that can be read.
std::optional<TensorFile> find_checkpoint(const std::string& path) {
  if (path.empty() || !std::filesystem::exists(path)) return std::nullopt;
  try {
    return TensorFile::load(path);
  } catch (const InvalidInput& error) {
    say(std::string(error.what()) + "; this fit begins anew");
    return std::nullopt;
  }
}

void load_checkpoint(const TensorFile& file, std::vector<Parameter>& parameters, Adam& adam, State& state) {
  for (size_t i = 0; i < parameters.size(); ++i) {
    get(file, "value." + std::to_string(i), parameters[i].value);
    get(file, "best." + std::to_string(i), state.best_values[i]);
    get(file, "average." + std::to_string(i), state.average[i]);
    get(file, "first." + std::to_string(i), adam.first[i]);
    get(file, "second." + std::to_string(i), adam.second[i]);
  }
  const auto counters = file.get<int64_t>("counters");
  state.epoch = static_cast<int>(counters.at(0));
  state.best_epoch = static_cast<int>(counters.at(1));
  adam.steps = counters.at(2);
  state.best = file.get<double>("best").at(0);
  state.result.train_loss = file.get<double>("train_loss");
  state.result.validation_loss = file.get<double>("validation_loss");
}

/// The meta-validation loss of the present parameters.
double judged(const EpisodicLearner& learner, const Run& run) {
  const double loss = learner.validation_loss();
  if (!std::isfinite(loss))
    throw Failure(run.what + ": training diverged (the meta-validation loss is not a finite number); lower learner.lr");
  return loss;
}

}  // namespace

MetaTrainResult meta_train(EpisodicLearner& learner, const Dataset& data, const Scenario& scenario,
                           const TaskSet& tasks, const MetaTrainOptions& options, const Run& run) {
  auto& parameters = learner.parameters;
  Adam adam(parameters, options.epsilon);
  State state;
  for (const auto& p : parameters) {
    state.best_values.push_back(p.value.detach().clone());
    state.average.push_back(p.value.detach().clone());
  }
  if (const auto checkpoint = find_checkpoint(run.checkpoint)) {
    load_checkpoint(*checkpoint, parameters, adam, state);
    verbose(run.what + ": continues after epoch " + std::to_string(state.epoch));
  }

  std::vector<at::Tensor> leaves;
  for (const auto& p : parameters) leaves.push_back(p.value);
  const Random root = Random(run.seed).fork("meta_train");
  const int64_t batches =
      std::max<int64_t>(1, (static_cast<int64_t>(tasks.size()) + options.batch_tasks - 1) / options.batch_tasks);
  const int64_t judged_every = std::max<int64_t>(1, options.steps_per_judgement / batches);
  Progress progress(run.what, static_cast<int64_t>(options.epochs) * batches);
  progress.advance(static_cast<int64_t>(state.epoch) * batches);

  const bool choose = static_cast<bool>(learner.validation_loss);
  const auto last_judged = [&] { return choose ? state.epoch - state.epoch % judged_every : state.epoch; };
  if (choose && options.judge_start && state.epoch == 0) {
    state.best = judged(learner, run);
    verbose(fmt::format("{}: before training validation {:.5f}", run.what, state.best));
  }
  while (state.epoch < options.epochs && last_judged() - state.best_epoch < options.patience) {
    Random random = root.fork(state.epoch);
    std::vector<int32_t> order(tasks.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int32_t>(i);
    random.shuffle(order);
    double epoch_loss = 0;
    int64_t counted = 0;
    for (int64_t batch = 0; batch < batches; ++batch) {
      std::vector<Episode> episodes;
      // Batches of equal size: a small last one would move the parameters more than its tasks are worth.
      for (size_t i = order.size() * batch / batches; i < order.size() * (batch + 1) / batches; ++i) {
        Random draw = random.fork("draw").fork(order[i]);
        if (auto episode = draw_episode(data, scenario, tasks[order[i]], options.query, draw))
          episodes.push_back(std::move(*episode));
      }
      progress.advance();
      if (episodes.empty()) continue;
      // Tasks of similar size share a shard, so that little is padded.
      std::stable_sort(episodes.begin(), episodes.end(),
                       [](const Episode& a, const Episode& b) { return a.support.size() < b.support.size(); });
      std::vector<uint8_t> hidden(data.items(), 0);
      Random hide = random.fork("hide").fork(batch);
      for (auto& h : hidden) h = hide.uniform() < options.hold_out_items;

      std::vector<std::vector<at::Tensor>> gradients(kShards);
      std::vector<double> losses(kShards, 0);
      parallel_for(kShards, run.threads, 1, [&](int64_t begin, int64_t end, int) {
        at::set_num_threads(1);
        for (int64_t turn = begin; turn < end; ++turn) {
          const int64_t shard = kShards - 1 - turn;  // the largest tasks first: threads end nearly together
          const size_t first = episodes.size() * shard / kShards, last = episodes.size() * (shard + 1) / kShards;
          if (first == last) continue;
          const double share = static_cast<double>(last - first) / static_cast<double>(episodes.size());
          const auto part = std::span(episodes).subspan(first, last - first);
          const Random draws = random.fork("shard").fork(batch * kShards + shard);
          const auto loss_of_part = [&] { return share * learner.query_loss(part, hidden, draws); };
          if (learner.outer_gradient) {
            at::NoGradGuard no_grad;
            losses[shard] = loss_of_part().item<double>();
            if (!std::isfinite(losses[shard])) return;
            gradients[shard] = scaled_gradient(learner, part, hidden, draws, share);
            continue;
          }
          const at::Tensor loss = loss_of_part();
          losses[shard] = loss.item<double>();
          if (!std::isfinite(losses[shard])) return;
          gradients[shard] = torch::autograd::grad({loss}, leaves, {}, false, false, /*allow_unused=*/true);
        }
      });
      double loss = 0;
      for (const double of_shard : losses) loss += of_shard;
      if (!std::isfinite(loss))
        throw Failure(
            run.what + ": training diverged in epoch " + std::to_string(state.epoch + 1) +
            " (the query loss is not a finite number); lower learner.lr, or look for extreme values in the target");
      std::erase_if(gradients, [](const auto& shard) { return shard.empty(); });
      if (options.clamp > 0) gradients = {clamped_sum(gradients, options.clamp)};
      const double passed =
          static_cast<double>(state.epoch) + static_cast<double>(batch) / static_cast<double>(batches);
      const double cosine = 0.5 * (1 + std::cos(std::numbers::pi * std::min(1.0, passed / options.schedule_epochs)));
      adam.step(gradients, options.lr * (options.cosine ? std::max(cosine, 0.01) : 1), run.threads);
      // Early on the average is over the steps there were.
      const double keep = options.average ? 1 - 1 / std::min(kAveragedSteps, static_cast<double>(adam.steps)) : 0;
      at::NoGradGuard no_grad;
      for (size_t k = 0; k < parameters.size(); ++k) state.average[k].mul_(keep).add_(parameters[k].value, 1 - keep);
      epoch_loss += loss;
      ++counted;
    }
    ++state.epoch;
    state.result.train_loss.push_back(epoch_loss / static_cast<double>(std::max<int64_t>(1, counted)));
    if (choose && state.epoch % judged_every != 0 && state.epoch < options.epochs) {
      if (!run.checkpoint.empty()) save_checkpoint(run.checkpoint, parameters, adam, state);
      check_cancelled();
      continue;
    }
    std::vector<at::Tensor> present;  // validated are the averaged parameters
    {
      at::NoGradGuard no_grad;
      for (size_t i = 0; i < parameters.size(); ++i) {
        present.push_back(parameters[i].value.detach().clone());
        parameters[i].value.copy_(state.average[i]);
      }
    }
    const double validation = choose ? judged(learner, run) : -static_cast<double>(state.epoch);
    {
      at::NoGradGuard no_grad;
      for (size_t i = 0; i < parameters.size(); ++i) parameters[i].value.copy_(present[i]);
    }
    if (choose) {
      state.result.validation_loss.push_back(validation);
      verbose(fmt::format("{}: epoch {} train loss {:.5f} validation {:.5f}", run.what, state.epoch,
                          state.result.train_loss.back(), validation));
    }
    if (validation < state.best) {
      state.best = validation;
      state.best_epoch = state.epoch;
      for (size_t i = 0; i < parameters.size(); ++i) state.best_values[i] = state.average[i].clone();
    }
    if (!run.checkpoint.empty()) save_checkpoint(run.checkpoint, parameters, adam, state);
    check_cancelled();
  }
  at::NoGradGuard no_grad;
  for (size_t i = 0; i < parameters.size(); ++i) parameters[i].value.copy_(state.best_values[i]);
  state.result.epochs = state.best_epoch;
  state.result.best_validation = state.best;
  return state.result;
}

}  // namespace fewshop::learning
