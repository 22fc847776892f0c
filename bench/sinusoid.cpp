// Sinusoid regression (Finn, Abbeel, Levine 2017, section 5.1) with every learner that trains by episodes.
//
//   sinusoid [OUTER_STEPS [FILE.svg [NAME...]]]
//
// y = A sin(x - phase), A in [0.1, 5], phase in [0, pi], x in [-5, 5]; network 40-40, support of 5 and of 10 rows. All
// learners see the same training tasks in the same order for the same number of outer steps; what they leave open is
// chosen on validation tasks; test tasks only report. Prints mean squared errors on new tasks (tables in Markdown),
// with the standard error over tasks, and draws their roots after 0 to 10 steps; a learner without steps is a flat
// line.

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <limits>
#include <numbers>

#include "evaluate/plot.h"
#include "learner/episodic_support.h"

namespace fewshop {
namespace {

using at::Tensor;
using learning::Batch;
using learning::EpisodicModel;
using learning::Rows;
using nlohmann::json;

constexpr int64_t kTrainingTasks = 4000, kValidationTasks = 300, kTestTasks = 1000, kTasksAtOnce = 25;
constexpr int64_t kTrainingQuery = 10, kTestQuery = 50, kMostShots = 10;
constexpr int kMostSteps = 10;
const std::vector<int64_t> kShots{5, 10};

struct Entry {
  std::string name;
  json options;
  double lr = 0.003;
};

/// Every learner of the catalogue that takes numbers without descriptions.
std::vector<Entry> entries() {
  const json none = json::object();
  return {
      {"pooled", none},
      {"finetune", none},
      {"multitask", none},
      {"ridge", none},
      {"bayes", none},
      {"maml", {{"adapts", "all"}, {"step_size", 0.01}, {"step_sizes", "tensor"}, {"choose_steps", true}}},
      {"reptile", {{"adapts", "all"}}},
      {"cavia", {{"steps", 5}, {"step_sizes", "tensor"}, {"choose_steps", true}}},
      {"learned-optimizer", none},
      {"lwa", {{"d", 40}}},
      {"nlba", {{"d", 40}, {"hidden", 40}}},
  };
}

/// The sinusoids numbered `tasks`, `shots` support rows each.
Batch episodes(int64_t first, const std::vector<int64_t>& tasks, int64_t shots, int64_t query, Random draw) {
  const auto count = static_cast<int64_t>(tasks.size());
  Batch b;
  for (Rows* rows : {&b.support, &b.query}) {
    const int64_t size = rows == &b.support ? shots : query;
    Random random = draw.fork(rows == &b.support ? "support" : "query");
    Tensor x = at::empty({count, size, 1}, at::kFloat), y = at::empty({count, size}, at::kFloat);
    for (int64_t t = 0; t < count; ++t) {
      Random wave = Random(1).fork(static_cast<uint64_t>(first + tasks[t]));
      const double amplitude = 0.1 + 4.9 * wave.uniform(), phase = std::numbers::pi * wave.uniform();
      for (int64_t i = t * size; i < (t + 1) * size; ++i) {
        const double at = -5 + 10 * random.uniform();
        x.data_ptr<float>()[i] = static_cast<float>(at);
        y.data_ptr<float>()[i] = static_cast<float>(amplitude * std::sin(at - phase));
      }
    }
    rows->x = nn::numbers_only(x);
    rows->target = y;
    rows->mask = rows->weight = at::ones({count, size}, at::kFloat);
    rows->age = at::zeros({count, size}, at::kFloat);
    rows->item = rows->kind = at::zeros({count, size}, at::kLong);
  }
  b.task.description = at::full({count}, -1, at::kLong);
  b.task.known = first == 0 ? at::tensor(tasks) : at::full({count}, -1, at::kLong);
  return b;
}

Batch training(int step) {
  Random random = Random(2).fork(static_cast<uint64_t>(step));
  std::vector<int64_t> tasks;
  for (int64_t t = 0; t < kTasksAtOnce; ++t) tasks.push_back(static_cast<int64_t>(random.below(kTrainingTasks)));
  return episodes(0, tasks, kShots[step % kShots.size()], kTrainingQuery, random.fork("rows"));
}

/// New tasks behind those of training: validation first, then test.
Batch fresh(bool test, int64_t shots) {
  std::vector<int64_t> tasks(test ? kTestTasks : kValidationTasks);
  for (size_t t = 0; t < tasks.size(); ++t) tasks[t] = static_cast<int64_t>(t);
  return episodes(kTrainingTasks + (test ? kValidationTasks : 0), tasks, shots, kTestQuery,
                  Random(test ? 4 : 3).fork(static_cast<uint64_t>(shots)));
}

/// Squared error of each task [T].
Tensor errors(const EpisodicModel& model, const Batch& b) {
  at::NoGradGuard no_grad;
  return (model.predict(model.adapt(b.support, b.task), b.query).mean() - b.query.target).square().mean(1);
}

Interval interval(const Tensor& of_tasks) {
  const double mean = of_tasks.mean().item<double>();
  const double error = of_tasks.std().item<double>() / std::sqrt(static_cast<double>(of_tasks.numel()));
  return {mean, mean - 1.96 * error, mean + 1.96 * error};
}

struct Result {
  Entry entry;
  json chosen;
  double seconds = 0;
  std::vector<Interval> after[2];  // by number of steps, for each of kShots; one where there are no steps
};

json choose(EpisodicModel& model) {
  double best = std::numeric_limits<double>::infinity();
  json chosen;
  for (const auto& candidate : model.candidates()) {
    model.choose(candidate);
    double loss = 0;
    for (const int64_t shots : kShots) loss += errors(model, fresh(false, shots)).mean().item<double>();
    if (loss < best) {
      best = loss;
      chosen = candidate;
    }
  }
  if (!chosen.is_null()) model.choose(chosen);
  return chosen;
}

Result measure(const Entry& entry, int outer_steps) {
  learning::EpisodicProblem problem;
  problem.family = Family::kGaussian;
  problem.fields = {{"numbers", nn::Field::Kind::kNumbers, 1, 0}};
  problem.known_tasks = kTrainingTasks;
  problem.target_variance = fresh(false, kMostShots).query.target.var().item<double>();
  const auto model = learning::make_episodic(
      entry.name, entry.options, {{"name", "mlp"}, {"hidden", "40-40"}, {"init", "torch"}}, problem, Random(5));
  const std::clock_t begin = std::clock();
  testing::train(*model, training, {outer_steps, entry.lr});
  Result result{entry, {}, static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC, {}};
  result.chosen = choose(*model);
  for (size_t k = 0; k < kShots.size(); ++k) {
    const Batch test = fresh(true, kShots[k]);
    if (!result.chosen.contains("steps")) {
      result.after[k].push_back(interval(errors(*model, test)));
      continue;
    }
    for (int steps = 0; steps <= kMostSteps; ++steps) {
      json candidate = result.chosen;
      candidate["steps"] = steps;
      model->choose(candidate);
      result.after[k].push_back(interval(errors(*model, test)));
    }
    model->choose(result.chosen);
  }
  return result;
}

/// At the number of steps that was chosen.
Interval chosen_error(const Result& r, size_t k) {
  if (r.after[k].size() == 1) return r.after[k][0];
  return r.after[k][std::min<size_t>(r.chosen.at("steps").get<size_t>(), kMostSteps)];
}

std::string cell(const Interval& i) { return fmt::format("{:.3f} ± {:.3f}", i.value, (i.high - i.value) / 1.96); }

void print(const std::vector<Result>& results) {
  std::printf("| learner | K = 5 | K = 10 | chosen | training, CPU s |\n| --- | ---: | ---: | --- | ---: |\n");
  for (const auto& r : results)
    std::printf("| `%s` | %s | %s | %s | %.0f |\n", r.entry.name.c_str(), cell(chosen_error(r, 0)).c_str(),
                cell(chosen_error(r, 1)).c_str(), r.chosen.is_null() ? "" : r.chosen.dump().c_str(), r.seconds);
  for (size_t k = 0; k < kShots.size(); ++k) {
    std::printf(
        "\n| K = %d, after steps | 0 | 1 | 2 | 3 | 5 | 10 |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: |\n",
        static_cast<int>(kShots[k]));
    for (const auto& r : results) {
      if (r.after[k].size() == 1) continue;
      std::string row;
      for (const int steps : {0, 1, 2, 3, 5, 10}) row += fmt::format(" {:.3f} |", r.after[k][steps].value);
      std::printf("| `%s` |%s\n", r.entry.name.c_str(), row.c_str());
    }
  }
}

std::string panel(const std::vector<Result>& results, size_t k) {
  std::vector<std::string> positions;
  for (int steps = 0; steps <= kMostSteps; ++steps) positions.push_back(std::to_string(steps));
  std::vector<PlotSeries> series;
  for (size_t r = 0; r < results.size(); ++r) {
    PlotSeries one{results[r].entry.name, fmt::format("s{}", r), {}};
    for (int steps = 0; steps <= kMostSteps; ++steps) {
      const auto& after = results[r].after[k];
      Interval i = after[after.size() == 1 ? 0 : steps];
      for (double* x : {&i.value, &i.low, &i.high}) *x = std::sqrt(std::max(0.0, *x));
      one.points.push_back(i);
    }
    series.push_back(one);
  }
  return curve_plot(positions, series, "inner steps", fmt::format("root mean squared error, K = {}", kShots[k]));
}

/// Two panels and a legend as a picture that stands alone.
std::string figure(const std::vector<Result>& results) {
  constexpr const char* kColours[] = {"#7f7f7f", "#d62728", "#ff7f0e", "#1f77b4", "#17becf", "#9467bd",
                                      "#e377c2", "#2ca02c", "#bcbd22", "#8c564b", "#000000", "#aec7e8"};
  std::string style =
      "text{font:12px sans-serif;fill:#333}.grid{stroke:#ddd}.bar{stroke-width:1}path{fill:none;stroke-width:1.5}";
  std::string legend;
  for (size_t r = 0; r < results.size(); ++r) {
    const char* colour = kColours[r % std::size(kColours)];
    style += fmt::format(".s{} path,.s{} line{{stroke:{}}}.s{} circle{{fill:{}}}", r, r, colour, r, colour);
    const size_t column = r % 5, row = r / 5;
    legend += fmt::format(
        "<rect x=\"{}\" y=\"{}\" width=\"12\" height=\"4\" fill=\"{}\"/><text x=\"{}\" y=\"{}\">{}</text>\n",
        64 + 130 * column, 14 + 18 * row, colour, 82 + 130 * column, 20 + 18 * row, results[r].entry.name);
  }
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 720 790\" width=\"720\" "
      "height=\"790\">\n<style>{}</style>\n"
      "<rect width=\"720\" height=\"790\" fill=\"#fff\"/>\n{}",
      style, legend);
  for (size_t k = 0; k < kShots.size(); ++k) {
    std::string one = panel(results, k);
    one.replace(0, 4, fmt::format("<svg x=\"0\" y=\"{}\" width=\"720\" height=\"360\"", 60 + 365 * k));
    svg += one;
  }
  return svg + "</svg>\n";
}

int run(int argc, char** argv) {
  const int outer_steps = argc > 1 ? std::stoi(argv[1]) : 3'000;
  const std::vector<std::string> names(argv + std::min(argc, 3), argv + argc);
  std::vector<Result> results;
  for (const Entry& entry : entries()) {
    if (!names.empty() && std::find(names.begin(), names.end(), entry.name) == names.end()) continue;
    std::fprintf(stderr, "%s ...\n", entry.name.c_str());
    results.push_back(measure(entry, outer_steps));
    std::fprintf(stderr, "  %s  %s\n", cell(chosen_error(results.back(), 0)).c_str(),
                 cell(chosen_error(results.back(), 1)).c_str());
  }
  print(results);
  if (argc > 2) std::ofstream(argv[2]) << figure(results);
  return 0;
}

}  // namespace
}  // namespace fewshop

int main(int argc, char** argv) { return fewshop::run(argc, argv); }
