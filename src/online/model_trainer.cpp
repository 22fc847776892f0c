#include "online/model_trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/child.h"
#include "core/progress_lines.h"
#include "online/live_check.h"
#include "scenario/read.h"
#include "task/problem.h"

namespace fewshop {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int kMostBegun = 3;  // times a training begins because somebody was forgotten meanwhile
constexpr int kSteps = 3;      // train, evaluate, publish
constexpr double kStopSeconds = 10;
constexpr auto kScheduleEvery = std::chrono::seconds(20);

std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// The end of a file that grows.
std::string read_tail(const std::string& path) {
  constexpr std::streamoff kTail = 4096;
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) return {};
  const std::streamoff size = file.tellg();
  file.seekg(std::max<std::streamoff>(0, size - kTail));
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// What a command said last: its error.
std::string last_words(std::string text) {
  text = without_progress_lines(text);
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  const size_t begin = text.rfind("fewshop: ");
  text = begin == std::string::npos ? text.substr(text.rfind('\n') + 1) : text.substr(begin + 9);
  return text.substr(0, 1000);
}

/// A command that failed. Its last words may name people: what() has them, for who asks; logs take for_log().
class CommandFailed : public Failure {
 public:
  CommandFailed(const std::string& what, const std::string& words, const std::string& log)
      : Failure(what + ": " + words), for_log_(what + "; why: " + log) {}
  const std::string& for_log() const { return for_log_; }

 private:
  std::string for_log_;
};

std::string figure(const json& interval) {
  const auto number = [&](const char* key) {
    return interval.is_object() && interval.at(key).is_number() ? fmt::format("{:.4f}", interval.at(key).get<double>())
                                                                : std::string("unknown");
  };
  return fmt::format("{} ({} to {})", number("value"), number("low"), number("high"));
}

std::string sentence(const json& comparison) {
  std::string text;
  for (const auto& [name, split] : comparison.at("splits").items())
    text += fmt::format("{}{}: {} {} against {}, difference {}, {} tasks", text.empty() ? "" : "; ", name,
                        comparison.at("metric").get<std::string>(), figure(split.at("candidate")),
                        figure(split.at("running")), figure(split.at("difference")), split.at("tasks").dump());
  return text;
}

}  // namespace

ModelTrainer::ModelTrainer(ModelShelf& shelf, Jobs& jobs, std::function<Micros()> now, Options options)
    : shelf_(shelf), jobs_(jobs), now_(std::move(now)), options_(std::move(options)) {
  if (!options_.log) options_.log = [](const std::string&) {};
  shelf_.on_forgetting([this] { remove_leftovers(); });
  thread_ = std::thread([this] { loop(); });
}

ModelTrainer::~ModelTrainer() {
  stop();
  shelf_.on_forgetting(nullptr);
}

/// The training that runs begins again by itself, and removes its own.
void ModelTrainer::remove_leftovers() {
  const std::lock_guard lock(mutex_);
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(shelf_.folder() + "/.training", error))
    if (entry.path().filename().string() != running_) fs::remove_all(entry.path(), error);
}

void ModelTrainer::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

Jobs::Record ModelTrainer::train(const std::string& scenario, const std::string& source) {
  Training training{0, scenario, source};
  if (training.source.empty()) {
    if (const auto live = shelf_.live(scenario)) {
      training.source = live->folder;
    } else {
      for (const std::string& file : bundled_scenarios())
        if (fs::path(file).stem() == scenario) training.source = file;
      if (training.source.empty())
        throw UnknownModel(
            fmt::format("scenario: '{}' has no live model and is no bundled scenario: say with "
                        "\"source\" which scenario file to train",
                        scenario));
    }
  } else {
    const std::string name = read_scenario(training.source).name;
    require(name == scenario, training.source, ": is scenario '", name, "', not '", scenario, "'");
  }
  const std::lock_guard lock(mutex_);
  if (stopping_) throw Failure("the server is stopping");
  const bool waits =
      std::any_of(waiting_.begin(), waiting_.end(), [&](const Training& other) { return other.scenario == scenario; });
  if (waits || running_ == scenario)
    throw InvalidInput(fmt::format("a training of {} is under way; wait for it (`fewshop ps`)", scenario));
  const Jobs::Record record = jobs_.add("train " + scenario, kSteps, scenario);
  training.job = record.id;
  waiting_.push_back(std::move(training));
  wake_.notify_all();
  return record;
}

void ModelTrainer::schedule() {
  if (options_.retrain_hours <= 0) return;
  const auto hours = [](double count) { return static_cast<Micros>(count * 3600e6); };
  for (const ModelVersion& version : shelf_.list()) {
    if (!version.live) continue;
    const Micros last = attempts_.count(version.scenario) > 0 ? attempts_[version.scenario] : version.published;
    if (now_() - std::max(last, version.published) < hours(options_.retrain_hours)) continue;
    attempts_[version.scenario] = now_();
    try {
      train(version.scenario);
    } catch (const Error& problem) {
      options_.log(fmt::format("models: {}: not trained: {}", version.scenario, problem.what()));
    }
  }
}

void ModelTrainer::loop() {
  while (!stopping_) {
    schedule();
    Training training;
    {
      std::unique_lock lock(mutex_);
      wake_.wait_for(lock, kScheduleEvery, [&] { return stopping_ || !waiting_.empty(); });
      if (stopping_) break;
      if (waiting_.empty()) continue;
      training = waiting_.front();
      waiting_.pop_front();
      running_ = training.scenario;
    }
    run(training);
    const std::lock_guard lock(mutex_);
    running_.clear();
  }
  const std::lock_guard lock(mutex_);
  for (const Training& training : waiting_) jobs_.fail(training.job, "the server was stopped");
  waiting_.clear();
}

void ModelTrainer::run(const Training& training) {
  job_ = training.job;
  begun_ = now_();
  jobs_.start(job_);
  try {
    const std::string result = work(training);
    jobs_.complete(training.job, result);
    options_.log(fmt::format("models: {}: {}", training.scenario, result));
  } catch (const RowsDiffer& problem) {
    failed(training, problem.for_log(), problem.for_log());
  } catch (const CommandFailed& problem) {
    failed(training, problem.what(), problem.for_log());
  } catch (const std::exception& problem) {
    failed(training, problem.what(), problem.what());
  }
}

void ModelTrainer::failed(const Training& training, const std::string& error, const std::string& for_log) {
  jobs_.fail(training.job, error);
  if (shelf_.shop().last_forgotten() >= begun_) {  // what it has left may hold somebody
    std::error_code ignored;
    fs::remove_all(folder_of(training), ignored);
    remove_column_cache(shelf_.database());
  }
  options_.log(fmt::format("models: {}: training failed: {}", training.scenario, for_log));
}

json ModelTrainer::command(const std::string& folder, const std::string& name, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {options_.program.empty() ? own_program() : options_.program, "--json"});
  arguments.emplace_back("--progress-lines");
  if (options_.threads > 0) arguments.insert(arguments.end(), {"--threads", std::to_string(options_.threads)});
  const std::string out = folder + "/" + name + ".json", log = folder + "/" + name + ".log";
  Child child(arguments, out, log);
  while (!child.wait(0.2)) {
    if (stopping_) {
      child.stop(kStopSeconds);
      throw Failure("the server was stopped; asked for again, the training goes on where it was");
    }
    if (const ProgressLine line = last_progress_line(read_tail(log)); !line.name.empty())
      jobs_.report(job_, line.name, line.share);
  }
  if (stopping_ && child.status() != 0) throw Failure("the server was stopped");
  if (child.status() != 0)
    throw CommandFailed(fmt::format("`fewshop {}` ended with status {}", name, child.status()),
                        last_words(read_text(log)), log);
  json result = json::parse(read_text(out), nullptr, false);
  if (!result.is_object()) throw Failure(fmt::format("`fewshop {}` printed no JSON object", name));
  return result;
}

std::string ModelTrainer::work(const Training& training) {
  for (int begun = 1;; ++begun) {
    try {
      return attempt(training, begun == kMostBegun);
    } catch (const ForgottenSince&) {
      options_.log(fmt::format("models: {}: somebody was forgotten; the training begins again", training.scenario));
      std::error_code error;
      fs::remove_all(folder_of(training), error);
      remove_column_cache(shelf_.database());
    }
  }
}

std::string ModelTrainer::attempt(const Training& training, bool last) {
  const std::optional<Micros> begin = last ? std::nullopt : std::optional(now_());
  const std::string folder = folder_of(training), bundle = folder + "/bundle";
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) throw Failure(fmt::format("{}: cannot be made: {}", folder, error.message()));

  jobs_.advance(training.job, 0, "train");
  const json trained =
      command(folder, "train", {"train", training.source, "--data", shelf_.database(), "--out", bundle});
  require(trained.at("scenario") == training.scenario, training.source, ": is scenario ", trained.at("scenario").dump(),
          ", not ", training.scenario);

  jobs_.advance(training.job, 1, "evaluate");
  const auto running = shelf_.live(training.scenario);
  json comparison;
  if (running)
    comparison = command(folder, "model", {"model", "compare", bundle, running->folder, "--data", shelf_.database()});
  const std::string verdict = running ? comparison.at("verdict").get<std::string>() : "first";
  const bool better = verdict != "worse" && verdict != "unknown";

  jobs_.advance(training.job, 2, "publish");
  const ModelVersion version = shelf_.publish(bundle, better, begin);
  fs::remove_all(folder, error);
  if (last) remove_column_cache(shelf_.database());
  if (!running) return fmt::format("version {} is live", version.version);
  if (better)
    return fmt::format("version {} is live in place of {} ({})", version.version, running->version,
                       sentence(comparison));
  return fmt::format("version {} is published and {} stays live: the new one is {} ({})", version.version,
                     running->version, verdict == "worse" ? "proven worse" : "not known to be as good",
                     sentence(comparison));
}

}  // namespace fewshop
