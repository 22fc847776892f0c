#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/time.h"

namespace fewshop {

/// Long work of the server, for people: what `fewshop ps` and GET /api/dashboard/tasks show. The last 100 are kept.
///
/// Threads: any.
class Jobs {
 public:
  enum class Status { kPending, kRunning, kComplete, kFailed };

  struct Record {
    int64_t id = 0;
    std::string name, scenario;  // whose work it is; "" = of none
    Status status = Status::kPending;
    int64_t count = 0, total = 0;
    Micros start = 0, finish = 0;  // 0 = not yet
    std::string step;              // what is being done
    std::string part;              // what of it
    double share = -1;             // of the part that is done; -1 = not known
    std::string result;            // of a complete one, a sentence
    std::string error;
  };

  explicit Jobs(std::function<Micros()> now) : now_(std::move(now)) {}

  Record add(const std::string& name, int64_t total, const std::string& scenario = "");
  void start(int64_t id);
  /// `count` of the total are done; now comes `step`.
  void advance(int64_t id, int64_t count, const std::string& step);
  /// How far the present step is: so much of a part of it.
  void report(int64_t id, const std::string& part, double share);
  void complete(int64_t id, const std::string& result);
  void fail(int64_t id, const std::string& error);
  std::vector<Record> list() const;  // newest first
  Record get(int64_t id) const;      // id 0 where it is no longer there

 private:
  void change(int64_t id, const std::function<void(Record&)>& change);

  std::function<Micros()> now_;
  mutable std::mutex mutex_;
  int64_t last_ = 0;
  std::list<Record> records_;  // newest first
};

/// {Tracer, Name, Status, Count, Total, StartTime, FinishTime, Error}, and id, step, part, share (null where it is not
/// known), result.
nlohmann::json to_json(const Jobs::Record& record);

}  // namespace fewshop
