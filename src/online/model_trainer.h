#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "online/jobs.h"
#include "online/model_shelf.h"

namespace fewshop {

/// Trains models of a served shop, one after the other, each in a child process (`fewshop train` on the served
/// database, which it only reads), and puts them on the shelf.
///
/// The gate: the new model and the running one answer the same test tasks. The new one goes live unless it is proven
/// worse: unless the whole 95 % interval of the paired difference in the scenario's first metric is against it. Where
/// there are too few test tasks for an interval, nothing is known, and the running one stays. A model that does not go
/// live is on the shelf all the same. The first model of a scenario has nobody to stand against.
///
/// Where somebody is forgotten while a model is trained, the training begins again; after the third time the model is
/// taken as it is, its counts counted anew (ModelShelf::publish).
///
/// Threads: any.
class ModelTrainer {
 public:
  struct Options {
    std::string program;       // that trains; "" = this one
    double retrain_hours = 0;  // a live model older than this is trained anew; 0 = never
    int threads = 0;           // of a training; 0 = all cores
    std::function<void(const std::string&)> log;
  };

  ModelTrainer(ModelShelf& shelf, Jobs& jobs, std::function<Micros()> now, Options options);
  ~ModelTrainer();

  /// Waits in line; the record tells how it goes. `source`: a scenario file or the name of a bundled one; "" = the
  /// scenario of the live model. Throws UnknownModel where there is neither, InvalidInput where a training of the
  /// scenario is under way.
  Jobs::Record train(const std::string& scenario, const std::string& source = "");
  /// Ends a running training (it goes on where it stopped when it is asked for again) and takes no more.
  void stop();

 private:
  struct Training {
    int64_t job = 0;
    std::string scenario, source;
  };

  void loop();
  void schedule();
  void run(const Training& training);
  void remove_leftovers();
  void failed(const Training& training, const std::string& error, const std::string& for_log);
  std::string folder_of(const Training& training) const { return shelf_.folder() + "/.training/" + training.scenario; }
  std::string work(const Training& training);
  std::string attempt(const Training& training, bool last);
  /// Runs a command of the program; returns the JSON that it prints.
  nlohmann::json command(const std::string& folder, const std::string& name, std::vector<std::string> arguments);

  ModelShelf& shelf_;
  Jobs& jobs_;
  std::function<Micros()> now_;
  Options options_;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Training> waiting_;
  std::string running_;  // scenario
  // Of the training that runs, and of the thread alone.
  int64_t job_ = 0;
  Micros begun_ = 0;
  std::map<std::string, Micros> attempts_;  // when the schedule last trained a scenario
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

}  // namespace fewshop
