#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "scenario/scenario.h"
#include "task/entity_reader.h"

namespace fewshop {

/// Features of a live model's items or tasks from the table or SQL that its scenario names, where that is not plainly
/// the table `items` or `users`, whose columns the server has at hand. What it cannot say, those columns do: it holds
/// up neither changes nor answers, and the log says once why.
///
/// Threads: any number.
class FeatureSource {
 public:
  using Log = std::function<void(const std::string&)>;
  enum class Of { kItems, kTasks };

  /// Null where the columns count: plainly so, or because the source cannot be read, which the log says. It also says
  /// where every question would go through a large table.
  static std::unique_ptr<FeatureSource> open(const std::string& database, const Scenario& scenario, Of of,
                                             const std::vector<ColumnEncoder>& encoders, Log log);

  /// Nothing where the source has no such row, or cannot be read any more (a table that was dropped).
  std::optional<EntityValues> values(const std::string& id);
  /// EntityReader::each.
  void each(const std::function<void(const std::string& id, const EntityValues& values)>& use) { reader_.each(use); }

 private:
  FeatureSource(const std::string& database, const Scenario& scenario, Of of,
                const std::vector<ColumnEncoder>& encoders, Log log);

  Of of_;
  std::string scenario_;
  Log log_;
  EntityReader reader_;
  std::atomic<bool> failed_ = false;  // said already
};

}  // namespace fewshop
