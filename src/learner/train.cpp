#include <ATen/Parallel.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>

#include "bundle/bundle.h"
#include "bundle/tensor_file.h"
#include "core/cancel.h"
#include "core/error.h"
#include "core/hash.h"
#include "core/parallel.h"
#include "core/progress.h"
#include "core/time.h"
#include "evaluate/report.h"
#include "evaluate/run_model.h"
#include "learner/baseline/baseline.h"
#include "learner/bayes.h"
#include "learner/catalogue.h"
#include "learner/gate/gate_fit.h"
#include "learner/held_out.h"
#include "learner/stack/stack_fit.h"
#include "learner/training.h"
#include "runtime/members.h"
#include "runtime/model.h"
#include "task/problem.h"
#include "task/support_rows.h"

extern "C" void openblas_set_num_threads(int);

namespace fewshop::learning {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr size_t kHalvesFrom = 1000;       // meta-validation tasks from which they are halved instead of cross-fitted
constexpr size_t kSelectionTasks = 500;    // meta-validation tasks that constants and epochs are chosen on, at most
constexpr size_t kWeightTasks = 3000;      // held-out tasks that stack and gate are fitted on, at most
constexpr size_t kRankingEpisodes = 4000;  // the same in episodes, for ranks
constexpr double kHiddenShare = 0.2;

TaskSet draw_tasks(const TaskSet& tasks, size_t at_most, Random random) {
  if (tasks.size() <= at_most) return tasks;
  std::vector<size_t> order(tasks.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  random.shuffle(order);
  order.resize(at_most);
  std::sort(order.begin(), order.end());
  TaskSet drawn;
  for (const size_t i : order) drawn.push_back(tasks[i]);
  return drawn;
}

std::vector<HeldOutEpisode> draw_episodes(std::vector<HeldOutEpisode> episodes, size_t at_most, Random random) {
  if (episodes.size() <= at_most) return episodes;
  random.shuffle(episodes);
  episodes.resize(at_most);
  return episodes;
}

/// Fits that stack and gate look at: members and the held-out episodes they answer.
struct Fold {
  std::vector<std::unique_ptr<Member>> members;
  std::vector<int32_t> counts;
  std::vector<HeldOutEpisode> episodes;
};

class Trainer {
 public:
  explicit Trainer(const TrainRequest& request)
      : request_(request),
        problem_(load_problem(complete(request.scenario), request.database)),
        data_(problem_.data),
        scenario_(problem_.scenario),
        metric_(parse_metric(scenario_.metrics.front(), scenario_.problem)),
        threads_(thread_count(request.threads)),
        random_(Random(request.seed).fork("train")) {
    const auto& p = problem_.partition;
    require(!p.train.empty(), scenario_.name, ": no training tasks are left; look at [split] with `fewshop validate`");
    require(!p.valid.empty(), scenario_.name,
            ": no meta-validation tasks are left, so nothing can be chosen or gated; enlarge split.valid, or rows in "
            "[episode]");
    middle_ = middle_target(data_, p.train);
    has_learner_ = !request.baselines_only;
    if (has_learner_) {
      require(scenario_.learner == "bayes", "learner: '", scenario_.learner, "' cannot be trained; known: bayes");
      set_fields(options_, scenario_.learner_options, "learner");
    }
    for (const auto& name : scenario_.baselines) {
      const Baseline* baseline = find_baseline(name);
      require(baseline, "report.baselines: unknown baseline '", name, "'");
      require(baseline->fits(scenario_.problem), "report.baselines: '", name, "' does not fit this problem");
      baselines_.push_back(baseline);
    }
    require(!baselines_.empty(), "report.baselines: at least one is needed to compare with");
    open_work_folder();
  }

  std::shared_ptr<fewshop::Model> train(json& facts) {
    choose();
    std::vector<Fold> folds = scenario_.stack || scenario_.gate ? held_out_fits() : std::vector<Fold>();
    fewshop::Model::Parts parts;
    fit_weights(folds, parts);
    folds.clear();
    fit_last(parts);
    facts = facts_;
    parts.manifest = {{"learner_options", fields_to_json(options_)},
                      {"constants", facts_["constants"]},
                      {"epochs", epochs_},
                      {"seed", request_.seed},
                      {"data_fingerprint", problem_.data_fingerprint},
                      {"catalogue_fingerprint", catalogue_fingerprint()},
                      {"fewshop", FEWSHOP_VERSION},
                      {"valid", facts_["valid"]}};
    return std::make_shared<fewshop::Model>(std::move(parts));
  }

  const LoadedProblem& problem() const { return problem_; }
  void remove_work_folder() const {
    if (!work_.empty()) fs::remove_all(work_);
  }

 private:
  bool ranking() const { return scenario_.problem == Problem::kRanking; }
  int learner_position() const { return has_learner_ ? static_cast<int>(baselines_.size()) : -1; }
  MemberList member_list(const std::vector<std::unique_ptr<Member>>& members) const {
    MemberList list{{}, learner_position()};
    for (const auto& member : members) list.members.push_back(member.get());
    return list;
  }

  static Scenario complete(Scenario scenario) {
    if (scenario.baselines.empty()) scenario.baselines = default_baselines(scenario.problem);
    return scenario;
  }

  static std::string catalogue_fingerprint() {
    Fingerprint fingerprint;
    for (const auto& info : learners()) {
      fingerprint.add(info.name);
      for (const auto& option : info.options) fingerprint.add(option.name).add(option.default_value.dump());
    }
    return fingerprint.hex();
  }

  /// Finished fits and the checkpoint of the running one live beside the bundle until it is complete. They are used
  /// again only by a run with the same data, scenario, seed and version.
  void open_work_folder() {
    if (request_.out.empty()) return;
    fs::path out = fs::absolute(request_.out).lexically_normal();
    if (out.filename().empty()) out = out.parent_path();
    work_ = out.string() + ".training";
    const std::string key = Fingerprint()
                                .add(problem_.data_fingerprint)
                                .add(scenario_to_json(scenario_).dump())
                                .add(request_.seed)
                                .add(request_.baselines_only)
                                .add(FEWSHOP_VERSION)
                                .hex();
    std::string found;
    std::ifstream(work_ + "/key") >> found;
    if (found == key) {
      lock_work_folder();
      say("train: continues the interrupted training in " + work_);
      return;
    }
    std::error_code ignored;
    fs::remove_all(work_, ignored);
    std::error_code error;
    fs::create_directories(work_, error);
    if (error) throw Failure(work_ + ": cannot be created: " + error.message());
    std::ofstream(work_ + "/key") << key;
    lock_work_folder();
  }

  /// Two trainings into one folder would write over each other's fits. The lock goes with the process, killed or not.
  void lock_work_folder() {
    const int file = open((work_ + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (file < 0) throw Failure(work_ + ": cannot be written");
    lock_ = std::shared_ptr<int>(new int(file), [](int* f) {
      close(*f);
      delete f;
    });
    if (flock(file, LOCK_EX | LOCK_NB) != 0)
      throw Failure(work_ + ": another training is writing this model; wait for it, or choose another --out");
  }

  /// One fifth of the items, drawn anew for every fold; none for ranks (docs/stack-and-gate.md says why).
  std::vector<uint8_t> hidden_items(int64_t fold) const {
    std::vector<uint8_t> hidden(data_.items(), 0);
    if (ranking()) return hidden;
    std::vector<int32_t> order(data_.items());
    for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int32_t>(i);
    Random(scenario_.split.seed).fork("hidden items").shuffle(order);
    const auto folds = static_cast<int64_t>(1 / kHiddenShare);
    for (size_t i = 0; i < order.size(); ++i) hidden[order[i]] = static_cast<int64_t>(i) % folds == fold % folds;
    return hidden;
  }
  const std::vector<uint8_t>* hidden_or_null(const std::vector<uint8_t>& hidden) const {
    return ranking() ? nullptr : &hidden;
  }

  FitInput fit_input(const TaskSet& tasks, const std::vector<uint8_t>* hidden) const {
    return {data_, scenario_, tasks, hidden, threads_, request_.seed};
  }

  /// The learner's fit of one stage, continued or read back where an interrupted run has left it.
  std::unique_ptr<Member> fit_learner(const FitInput& input, const std::string& stage,
                                      const std::function<double(const Member&)>& validate) {
    const std::string done = work_.empty() ? "" : work_ + "/" + stage + ".safetensors";
    if (!done.empty() && fs::exists(done)) {
      const TensorFile file = TensorFile::load(done);
      if (validate) epochs_ = static_cast<int>(file.get<int64_t>("trained_epochs").at(0));
      return load_member(file);
    }
    BayesOptions options = options_;
    if (!validate) options.epochs = epochs_;
    Run run{request_.seed, threads_, work_.empty() ? "" : work_ + "/" + stage + ".checkpoint", "bayes, " + stage};
    BayesFit fit = fit_bayes(input, options, options_.epochs, validate, run);
    if (validate) epochs_ = fit.training.epochs;
    if (!done.empty()) {
      TensorFile file;
      fit.member->save(file);
      file.put("trained_epochs", std::vector<int64_t>{fit.training.epochs});
      file.save(done);
      fs::remove(run.checkpoint);
    }
    return std::move(fit.member);
  }

  /// Constants of the baselines and the learner's number of epochs, on meta-validation tasks with hidden items.
  void choose() {
    const auto& p = problem_.partition;
    selection_hidden_ = hidden_items(0);
    const auto* hidden = hidden_or_null(selection_hidden_);
    TaskSet valid = p.valid;
    if (halves()) {  // the first half stops training and chooses constants
      valid = split_valid(true);
    }
    valid = draw_tasks(valid, kSelectionTasks, random_.fork("selection tasks"));
    const auto sizes = selection_sizes();
    auto episodes = held_out_episodes(data_, scenario_, valid, sizes, hidden);
    if (ranking())
      episodes = draw_episodes(std::move(episodes), kRankingEpisodes / 2, random_.fork("selection episodes"));
    require(!episodes.empty(), scenario_.name,
            ": no meta-validation task is large enough for any support size of the scenario");
    const FitInput input = fit_input(p.train, hidden);
    facts_["constants"] = json::object();
    for (const Baseline* baseline : baselines_) {
      const auto grid = baseline->grid(input);
      auto fitted = baseline->fit(input, grid);
      size_t best = 0;
      double best_loss = INFINITY;
      for (size_t i = 0; i < fitted.size() && fitted.size() > 1; ++i) {
        const double loss = member_loss(data_, scenario_, *fitted[i], metric_, middle_, episodes, threads_);
        verbose(fmt::format("{} {}: validation {:.5f}", baseline->name(), grid[i].dump(), loss));
        if (loss < best_loss) {
          best_loss = loss;
          best = i;
        }
      }
      constants_.push_back(grid.at(best));
      facts_["constants"][std::string(baseline->name())] = grid.at(best);
      selection_members_.push_back(std::move(fitted.at(best)));
      check_cancelled();
    }
    if (!has_learner_) return;
    const auto stopping = draw_episodes(episodes, ranking() ? 1000 : 4000, random_.fork("stopping episodes"));
    selection_members_.push_back(fit_learner(input, "selection", [&](const Member& member) {
      return member_loss(data_, scenario_, member, metric_, middle_, stopping, threads_);
    }));
    verbose(fmt::format("bayes: {} epochs", epochs_));
  }

  bool halves() const { return problem_.partition.valid.size() >= kHalvesFrom; }

  TaskSet split_valid(bool first) const {
    TaskSet half;
    for (const auto& task : problem_.partition.valid)
      if ((Random(scenario_.split.seed).fork("halves").fork(task.task).next() & 1) == (first ? 0 : 1))
        half.push_back(task);
    return half;
  }

  std::vector<int> selection_sizes() const {
    std::vector<int> sizes;
    for (const auto& shot : scenario_.episode.shots)
      if (shot.share <= 0) sizes.push_back(shot.count);
    return sizes;
  }

  std::vector<std::unique_ptr<Member>> fit_members(const TaskSet& tasks, const std::vector<uint8_t>* hidden,
                                                   const std::string& stage) {
    const FitInput input = fit_input(tasks, hidden);
    std::vector<std::unique_ptr<Member>> members;
    for (size_t b = 0; b < baselines_.size(); ++b) {
      members.push_back(std::move(baselines_[b]->fit(input, {constants_[b]}).at(0)));
      check_cancelled();
    }
    if (has_learner_) members.push_back(fit_learner(input, stage, nullptr));
    return members;
  }

  /// The fits and episodes that stack and gate are fitted on: the second half of many validation tasks, or a cross-fit
  /// over training and validation tasks.
  std::vector<Fold> held_out_fits() {
    const auto& p = problem_.partition;
    std::vector<Fold> folds;
    if (halves()) {
      sizes_ = held_out_sizes(data_, scenario_, p.valid);
      Fold fold;
      fold.members = std::move(selection_members_);
      fold.counts = seen_counts(p.train, hidden_or_null(selection_hidden_));
      fold.episodes =
          held_out_episodes(data_, scenario_, draw_tasks(split_valid(false), kWeightTasks, random_.fork("weights")),
                            sizes_, hidden_or_null(selection_hidden_));
      folds.push_back(std::move(fold));
    } else {
      selection_members_.clear();
      TaskSet all = p.train_last;
      all.insert(all.end(), p.valid_last.begin(), p.valid_last.end());
      sizes_ = held_out_sizes(data_, scenario_, all);
      const int count = std::min<int>(options_.folds, static_cast<int>(all.size()));
      std::vector<int> fold_of(all.size());
      for (size_t i = 0; i < all.size(); ++i) fold_of[i] = static_cast<int>(i % count);
      Random(scenario_.split.seed).fork("folds").shuffle(fold_of);
      for (int f = 0; f < count; ++f) {
        TaskSet fit_on, held_out;
        for (size_t i = 0; i < all.size(); ++i) {
          if (fold_of[i] != f)
            fit_on.push_back(all[i]);
          else
            held_out.push_back(all[i]);
        }
        if (held_out.empty() || fit_on.empty()) continue;
        const auto hidden = hidden_items(f);
        Fold fold;
        fold.members = fit_members(fit_on, hidden_or_null(hidden), "fold-" + std::to_string(f));
        fold.counts = seen_counts(fit_on, hidden_or_null(hidden));
        fold.episodes = held_out_episodes(data_, scenario_,
                                          draw_tasks(held_out, kWeightTasks / count, random_.fork("weights").fork(f)),
                                          sizes_, hidden_or_null(hidden));
        folds.push_back(std::move(fold));
      }
    }
    if (ranking())
      for (size_t f = 0; f < folds.size(); ++f)
        folds[f].episodes = draw_episodes(std::move(folds[f].episodes), kRankingEpisodes / folds.size(),
                                          random_.fork("weight episodes").fork(f));
    return folds;
  }

  std::vector<int32_t> seen_counts(const TaskSet& tasks, const std::vector<uint8_t>* hidden) const {
    auto counts = item_counts(data_, tasks);
    for (size_t i = 0; hidden && i < counts.size(); ++i)
      if ((*hidden)[i]) counts[i] = 0;
    return counts;
  }

  Stack fit_stack(const std::vector<Sample>& samples) const {
    const int members = static_cast<int>(baselines_.size()) + (has_learner_ ? 1 : 0);
    return ranking() ? fit_ranking_stack(samples, members, learner_position(), threads_)
                     : fit_rating_stack(samples, members, learner_position(), metric_.kind == Metric::Kind::kMae);
  }

  /// Stack, gate, the best baseline and what `train` reports of validation.
  void fit_weights(const std::vector<Fold>& folds, fewshop::Model::Parts& parts) {
    parts.gate.enabled = scenario_.gate && has_learner_;
    facts_["valid"] = json::object();
    if (folds.empty()) return;
    // A task lands in one half; each half is judged with weights fitted on the other.
    const auto half_of = [&](int32_t task) { return Random(request_.seed).fork("stack halves").fork(task).next() & 1; };
    std::vector<Sample> samples;
    std::vector<size_t> fold_begin;
    for (size_t f = 0; f < folds.size(); ++f) {
      fold_begin.push_back(samples.size());
      auto more = collect_samples(data_, scenario_, member_list(folds[f].members), folds[f].counts, folds[f].episodes,
                                  request_.seed + f, threads_);
      std::move(more.begin(), more.end(), std::back_inserter(samples));
    }
    const int baselines = static_cast<int>(baselines_.size());
    Stack half_stack[2];
    const bool stacked = scenario_.stack && has_learner_;
    if (stacked) {
      for (const int half : {0, 1}) {
        std::vector<Sample> part;
        for (const auto& s : samples)
          if (static_cast<int>(half_of(s.task)) == half) part.push_back(s);
        half_stack[half] = fit_stack(part);
      }
      parts.stack = fit_stack(samples);
    }
    const int methods = baselines + (has_learner_ ? 1 : 0);
    std::vector<Judgement> judgements;
    std::vector<Metric> metrics = parse_metrics(scenario_.metrics, scenario_.problem);
    std::vector<Part> valid(metrics.size());
    if (!ranking()) {
      const auto score_of = [&](const Sample& s, int method, std::span<float> out) {
        const size_t n = s.target.size();
        if (method < baselines || !stacked)
          std::copy_n(s.score.begin() + static_cast<int64_t>(method * n), n, out.begin());
        else
          mix(half_stack[1 - half_of(s.task)], s, out);
        for (auto& value : out) value = std::clamp(value, target_low(), target_high());
      };
      judgements = judge_ratings(metric_, middle_, samples, methods, score_of, threads_);
      std::vector<float> score;
      for (const auto& s : samples) {
        if (s.way != Way::kNatural) continue;
        score.resize(s.target.size());
        score_of(s, methods - 1, score);
        for (size_t m = 0; m < metrics.size(); ++m)
          add(valid[m], rated_part(metrics[m], RatedList(s.target, score, middle_, static_cast<uint64_t>(s.task))));
      }
    } else {
      judgements = judge_rankings(folds, fold_begin, samples, half_stack, stacked, methods, half_of, metrics, valid);
    }
    for (size_t m = 0; m < metrics.size(); ++m)
      if (valid[m].denominator > 0) facts_["valid"][metrics[m].name] = metric_value(metrics[m], valid[m]);
    GateMethods which;
    for (int b = 0; b < baselines; ++b) which.baselines.push_back(b);
    which.adapted = methods - 1;
    parts.best_baseline = std::string(baselines_[best_baseline(metric_, judgements, which)]->name());
    if (!has_learner_) return;
    const bool enabled = parts.gate.enabled;
    parts.gate = fit_gate(metric_, sizes_, judgements, which);
    parts.gate.enabled = enabled;
  }

  static void add(Part& sum, const Part& part) {
    sum.numerator += part.numerator;
    sum.denominator += part.denominator;
  }

  template <class HalfOf>
  std::vector<Judgement> judge_rankings(const std::vector<Fold>& folds, const std::vector<size_t>& fold_begin,
                                        const std::vector<Sample>& samples, const Stack (&half_stack)[2], bool stacked,
                                        int methods, const HalfOf& half_of, const std::vector<Metric>& metrics,
                                        std::vector<Part>& valid) const {
    std::vector<Judgement> judgements(samples.size());
    std::vector<std::vector<Part>> all_metrics(samples.size(), std::vector<Part>(metrics.size()));
    const auto items = static_cast<size_t>(data_.items());
    for (size_t f = 0; f < folds.size(); ++f) {
      const Fold& fold = folds[f];
      parallel_for(static_cast<int64_t>(fold.episodes.size()), threads_, 16, [&](int64_t begin, int64_t end, int) {
        std::vector<std::unique_ptr<Workspace>> workspaces;
        for (const auto& member : fold.members) workspaces.push_back(member->workspace());
        std::vector<float> scores(items * fold.members.size()), mixed(items);
        std::vector<double> weights(kItemCells * (fold.members.size() + 1));
        for (int64_t i = begin; i < end; ++i) {
          const HeldOutEpisode& held = fold.episodes[i];
          const Episode& e = held.episode;
          Judgement& judgement = judgements[fold_begin[f] + i];
          judgement = {e.task, held.support, held.way, {}};
          const auto support = support_rows(data_, e.support, episode_time(data_, e.support, e.query));
          const auto description = data_.task_features.row(e.task);
          for (size_t m = 0; m < fold.members.size(); ++m) {
            const std::span<float> row(scores.data() + m * items, items);
            fold.members[m]->adapt({support, description}, *workspaces[m]);
            fold.members[m]->score_all(*workspaces[m], row);
          }
          for (int m = 0; m < methods; ++m) {
            std::span<const float> row(scores.data() + m * items, items);
            if (m == methods - 1 && stacked) {
              const Stack& stack = half_stack[1 - half_of(e.task)];
              const size_t width = stack.members.size() + 1;
              for (int c = 0; c < kItemCells; ++c)
                stack.weights(held.support, c, std::span(weights).subspan(c * width, width));
              for (size_t item = 0; item < items; ++item) {
                const double* w = weights.data() + item_cell(fold.counts[item]) * width;
                double sum = w[width - 1];
                for (size_t k = 0; k + 1 < width; ++k) sum += w[k] * scores[stack.members[k] * items + item];
                mixed[item] = static_cast<float>(sum);
              }
              row = mixed;
            }
            judgement.methods.push_back(judge_ranking(metric_, data_, scenario_, e, row));
            if (m == methods - 1)
              for (size_t k = 0; k < metrics.size(); ++k)
                all_metrics[fold_begin[f] + i][k] = judge_ranking(metrics[k], data_, scenario_, e, row)[kItemCells];
          }
        }
      });
    }
    for (const auto& parts : all_metrics)
      for (size_t k = 0; k < metrics.size(); ++k) add(valid[k], parts[k]);
    return judgements;
  }

  float target_low() const { return extreme_targets().first; }
  float target_high() const { return extreme_targets().second; }
  std::pair<float, float> extreme_targets() const {
    if (range_) return *range_;
    float low = INFINITY, high = -INFINITY;
    for (const auto& task : problem_.partition.train_last)
      for (const int32_t r : task.rows) {
        low = std::min(low, data_.target[r]);
        high = std::max(high, data_.target[r]);
      }
    range_ = {low, high};
    return *range_;
  }

  /// The members that are served: all training tasks (and, when cross-fitted, validation tasks), all items.
  void fit_last(fewshop::Model::Parts& parts) {
    const auto& p = problem_.partition;
    TaskSet tasks = p.train_last;
    if (!halves()) tasks.insert(tasks.end(), p.valid_last.begin(), p.valid_last.end());
    parts.members = fit_members(tasks, nullptr, "last");
    parts.scenario = scenario_;
    parts.encoders = problem_.encoders;
    parts.item_ids = data_.item_ids;
    parts.kinds = data_.kinds;
    parts.item_counts = item_counts(data_, tasks);
    for (const auto& name : scenario_.baselines) parts.baselines.push_back(name);
    if (has_learner_) parts.learner = std::string(parts.members.back()->name());
    if (parts.best_baseline.empty()) parts.best_baseline = parts.baselines.front();
    parts.target_low = target_low();
    parts.target_high = target_high();
    if (!scenario_.stack) parts.stack = {};
  }

  const TrainRequest& request_;
  LoadedProblem problem_;
  const Dataset& data_;
  const Scenario& scenario_;
  Metric metric_;
  int threads_;
  Random random_;
  float middle_ = 0;
  bool has_learner_ = true;
  BayesOptions options_;
  std::string work_;
  std::shared_ptr<int> lock_;
  std::vector<const Baseline*> baselines_;
  std::vector<json> constants_;
  std::vector<std::unique_ptr<Member>> selection_members_;
  std::vector<uint8_t> selection_hidden_;
  std::vector<int> sizes_;
  int epochs_ = 0;
  mutable std::optional<std::pair<float, float>> range_;
  json facts_;
};

double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

}  // namespace

TrainResult train(const TrainRequest& request) {
  const double cpu_start = cpu_seconds();
  const auto start = std::chrono::steady_clock::now();
  at::set_num_threads(1);
  openblas_set_num_threads(1);
  Trainer trainer(request);
  json facts;
  const auto model = trainer.train(facts);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const json run = {{"train_seconds", seconds},
                    {"train_cpu_seconds", cpu_seconds() - cpu_start},
                    {"threads", thread_count(request.threads)},
                    {"finished", format_time(std::chrono::duration_cast<std::chrono::microseconds>(
                                                 std::chrono::system_clock::now().time_since_epoch())
                                                 .count())}};
  json printed = report(run_model(*model, trainer.problem(), {.threads = request.threads, .timing = false}));
  printed.erase("timing");
  model->save(request.out, printed, run);
  trainer.remove_work_folder();
  json result = {{"model", request.out},
                 {"scenario", request.scenario.name},
                 {"learner", request.baselines_only ? "" : request.scenario.learner},
                 {"seed", request.seed},
                 {"train_seconds", seconds},
                 {"train_cpu_seconds", run["train_cpu_seconds"]},
                 {"valid", facts["valid"]},
                 {"constants", facts["constants"]},
                 {"best_baseline", model->parts().best_baseline}};
  return {std::move(result)};
}

std::vector<std::string> learner_names() { return {"bayes"}; }

}  // namespace fewshop::learning

namespace fewshop {

extern "C" const TrainingLibrary fewshop_training_library{TrainingLibrary::kAbi, learning::train,
                                                          learning::learner_names};

}  // namespace fewshop
