#include "online/jobs.h"

namespace fewshop {
namespace {

constexpr size_t kMostRecords = 100;

const char* name_of(Jobs::Status status) {
  switch (status) {
    case Jobs::Status::kPending:
      return "Pending";
    case Jobs::Status::kRunning:
      return "Running";
    case Jobs::Status::kComplete:
      return "Complete";
    case Jobs::Status::kFailed:
      return "Failed";
  }
  return "Failed";
}

}  // namespace

Jobs::Record Jobs::add(const std::string& name, int64_t total, const std::string& scenario) {
  const std::lock_guard lock(mutex_);
  Record record;
  record.id = ++last_;
  record.name = name;
  record.scenario = scenario;
  record.total = total;
  records_.push_front(record);
  if (records_.size() > kMostRecords) records_.pop_back();
  return record;
}

void Jobs::change(int64_t id, const std::function<void(Record&)>& change) {
  const std::lock_guard lock(mutex_);
  for (Record& record : records_)
    if (record.id == id) change(record);
}

void Jobs::start(int64_t id) {
  change(id, [&](Record& record) {
    record.status = Status::kRunning;
    record.start = now_();
  });
}

void Jobs::advance(int64_t id, int64_t count, const std::string& step) {
  change(id, [&](Record& record) {
    record.count = count;
    record.step = step;
    record.part.clear();
    record.share = -1;
  });
}

void Jobs::report(int64_t id, const std::string& part, double share) {
  change(id, [&](Record& record) {
    record.part = part;
    record.share = share;
  });
}

void Jobs::complete(int64_t id, const std::string& result) {
  change(id, [&](Record& record) {
    record.status = Status::kComplete;
    record.count = record.total;
    record.step.clear();
    record.part.clear();
    record.share = -1;
    record.result = result;
    record.finish = now_();
  });
}

void Jobs::fail(int64_t id, const std::string& error) {
  change(id, [&](Record& record) {
    record.status = Status::kFailed;
    record.error = error;
    record.finish = now_();
  });
}

std::vector<Jobs::Record> Jobs::list() const {
  const std::lock_guard lock(mutex_);
  return {records_.begin(), records_.end()};
}

Jobs::Record Jobs::get(int64_t id) const {
  const std::lock_guard lock(mutex_);
  for (const Record& record : records_)
    if (record.id == id) return record;
  return {};
}

nlohmann::json to_json(const Jobs::Record& record) {
  const auto time = [](Micros at) { return at == 0 ? nlohmann::json() : nlohmann::json(format_time(at)); };
  return {{"id", record.id},
          {"Tracer", "models"},
          {"Name", record.name},
          {"Status", name_of(record.status)},
          {"Count", record.count},
          {"Total", record.total},
          {"StartTime", time(record.start)},
          {"FinishTime", time(record.finish)},
          {"Error", record.error},
          {"step", record.step},
          {"part", record.part},
          {"share", record.share < 0 ? nlohmann::json() : nlohmann::json(record.share)},
          {"result", record.result}};
}

}  // namespace fewshop
