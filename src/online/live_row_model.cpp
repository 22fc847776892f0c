#include "online/live_row_model.h"

#include <chrono>

namespace fewshop {
namespace {

constexpr size_t kMostRowSessions = 64;

/// No rows, with the columns that support of the scenario has to have.
TextRows no_support(const Scenario& scenario) {
  TextRows rows{"support", {}, {}, {}};
  for (const auto* column : {&scenario.item, &scenario.target, &scenario.time})
    if (!column->empty()) rows.columns.push_back(*column);
  return rows;
}

/// The task's description: as stated, then as the support's columns say, then as those of the query do.
EntityValues description_of(const RowModel& model, const RowQuestion& question) {
  EntityValues description = question.task;
  description.merge(description_in(model, question.support));
  description.merge(description_in(model, question.query));
  return description;
}

}  // namespace

/// A session for one question: one that was used before, where there is one.
class LiveRowModel::Lease {
 public:
  explicit Lease(const LiveRowModel& live) : live_(live) {
    {
      const std::lock_guard lock(live_.sessions_mutex_);
      if (!live_.sessions_.empty()) {
        session_ = std::move(live_.sessions_.back());
        live_.sessions_.pop_back();
      }
    }
    if (!session_) session_ = live_.model_->session();
  }
  ~Lease() {
    session_->task = {};
    const std::lock_guard lock(live_.sessions_mutex_);
    if (live_.sessions_.size() < kMostRowSessions) live_.sessions_.push_back(std::move(session_));
  }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;

  RowSession& operator*() { return *session_; }

 private:
  const LiveRowModel& live_;
  std::unique_ptr<RowSession> session_;
};

LiveRowModel::LiveRowModel(std::string version, std::string folder, std::shared_ptr<const RowModel> model)
    : version_(std::move(version)), folder_(std::move(folder)), model_(std::move(model)) {}

RowAnswer LiveRowModel::answer(const RowQuestion& question) const {
  check_columns(*model_, question);
  RowTaskInput input =
      row_task_input(*model_, question.support.rows.empty() ? no_support(scenario()) : question.support,
                     description_of(*model_, question), question.at);
  RowAnswer answer;
  answer.support = static_cast<int32_t>(input.support.size());
  Lease session(*this);
  const auto begin = std::chrono::steady_clock::now();
  model_->adapt_served(input.task(), *session);
  answer.adapt_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  answer.predictions = predict_rows(*model_, *session, input, question.query, {.explain = question.explain});
  return answer;
}

}  // namespace fewshop
