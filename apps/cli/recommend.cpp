// fewshop recommend: the best items for one task, with reasons.
#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <optional>

#include "command.h"
#include "core/error.h"
#include "core/progress.h"
#include "learner/training.h"
#include "runtime/model.h"
#include "task/answer.h"
#include "task/model_data.h"
#include "task/task_input.h"

namespace fewshop::cli {
namespace {

struct RecommendArguments {
  std::string model, data, task, support, at;
  int count = 10;
  bool explain = false;
};

std::string labelled(const ItemLabels& labels, const std::string& item) {
  const auto found = labels.find(item);
  return found == labels.end() || found->second.empty() ? item : fmt::format("{} ({})", item, found->second);
}

/// Prior and contributions, largest first; many small ones as one line, so that what is shown still adds up.
void print_reasons(const RecommendedItem& item, const ItemLabels& labels) {
  constexpr size_t kShown = 5;
  fmt::print("       {:+.4f}  prior\n", item.prior);
  double rest = 0;
  size_t others = 0;
  for (size_t i = 0; i < item.reasons.size(); ++i) {
    const Reason& reason = item.reasons[i];
    if (reason.contribution == 0) continue;
    if (i < kShown) {
      fmt::print("       {:+.4f}  row {}: {}\n", reason.contribution, reason.row, labelled(labels, reason.item));
    } else {
      rest += reason.contribution;
      ++others;
    }
  }
  if (others > 0) fmt::print("       {:+.4f}  {} other rows (--json lists them)\n", rest, others);
}

void print(const Recommendation& answer, const TaskInput& input, const ItemLabels& labels, bool explain) {
  fmt::print("{}: {} support rows, served: {}\n", answer.task.empty() ? "task" : answer.task, input.support.size(),
             answer.served);
  if (answer.items.empty()) fmt::print("no item is left to recommend\n");
  int rank = 0;
  for (const RecommendedItem& item : answer.items) {
    fmt::print("{:>3}. {}  {:.4g}", ++rank, labelled(labels, item.item), item.prediction);
    if (item.high > item.low) fmt::print("  [{:.4g}, {:.4g}]", item.low, item.high);
    fmt::print("\n");
    if (explain) print_reasons(item, labels);
  }
}

void run(const RecommendArguments& arguments, const Globals& globals) {
  require(arguments.task.empty() || !arguments.data.empty(),
          "--task: expected --data as well, the database that has its rows");
  require(!arguments.task.empty() || !arguments.support.empty(),
          "recommend: expected --data DB --task ID, or --support FILE");
  allow_training_members();
  const auto model = Model::load(arguments.model);
  std::optional<Micros> at;
  if (!arguments.at.empty()) {
    at = parse_time(arguments.at);
    require(at.has_value(), "--at: expected a time such as 2011-12-09T12:50:00Z, got '", arguments.at, "'");
  }
  std::optional<ModelData> data;
  if (!arguments.data.empty()) data.emplace(*model, arguments.data);

  TaskInput input;
  if (!arguments.support.empty()) {
    const TextRows rows = read_text_rows(arguments.support);
    EntityValues description = description_in(*model, rows);
    if (data && !arguments.task.empty()) description.merge(data->description(arguments.task));
    input = task_input(*model, rows, description, at);
  } else {
    input = data->task(arguments.task, at);
  }
  if (const std::string note = left_out(*model, input.unknown_kinds); !note.empty()) say("recommend: " + note);
  RecommendOptions options{.count = arguments.count, .explain = arguments.explain, .hidden = {}};
  if (data) options.hidden = data->hidden_items();
  const Recommendation answer = recommend(*model, arguments.task, input, options);
  if (globals.json)
    print_json(to_json(answer));
  else
    print(answer, input, data ? data->item_labels() : ItemLabels{}, arguments.explain);
}

}  // namespace

void add_recommend(CLI::App& app, Globals& globals) {
  auto arguments = std::make_shared<RecommendArguments>();
  CLI::App* command = app.add_subcommand("recommend", "the best items for one task, with reasons");
  command->add_option("MODEL", arguments->model, "bundle of a trained model")->required();
  command->add_option("--data", arguments->data, "database with the task's rows, its description, and new items");
  command->add_option("--task", arguments->task, "id of the task in the database");
  command->add_option("--support", arguments->support, "file with the task's rows instead");
  command->add_option("-n,--count", arguments->count, "items to recommend")->check(CLI::Range(1, 100000));
  command->add_option("--at", arguments->at, "time of the question; the task's latest row by default");
  command->add_flag("--explain", arguments->explain, "every support row's part of every score");
  command->callback([arguments, &globals] { run(*arguments, globals); });
}

}  // namespace fewshop::cli
