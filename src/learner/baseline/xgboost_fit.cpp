#include "learner/baseline/xgboost_fit.h"

#include <fmt/format.h>
#include <xgboost/c_api.h>

#include <cmath>
#include <cstring>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "core/cancel.h"
#include "core/error.h"

namespace fewshop {
namespace {

using nlohmann::json;

void check(int code) {
  if (code != 0) throw Failure(std::string("xgboost: ") + XGBGetLastError());
}

/// XGBoost's description of an array in memory.
template <class T>
std::string array_of(const std::vector<T>& values, const char* type) {
  return json{{"data", {reinterpret_cast<uint64_t>(values.data()), true}},
              {"shape", {values.size()}},
              {"typestr", type},
              {"version", 3}}
      .dump();
}

struct FreeMatrix {
  void operator()(void* handle) const { XGDMatrixFree(handle); }
};
struct FreeBooster {
  void operator()(void* handle) const { XGBoosterFree(handle); }
};
using Matrix = std::unique_ptr<void, FreeMatrix>;
using Booster = std::unique_ptr<void, FreeBooster>;

Matrix matrix_of(const BoostRows& rows) {
  DMatrixHandle handle = nullptr;
  check(XGDMatrixCreateFromCSREx(rows.begin.data(), rows.column.data(), rows.value.data(), rows.begin.size(),
                                 rows.value.size(), static_cast<size_t>(rows.columns), &handle));
  Matrix matrix(handle);
  check(XGDMatrixSetFloatInfo(handle, "label", rows.target.data(), rows.target.size()));
  check(XGDMatrixSetFloatInfo(handle, "weight", rows.weight.data(), rows.weight.size()));
  check(XGDMatrixSetFloatInfo(handle, "base_margin", rows.margin.data(), rows.margin.size()));
  return matrix;
}

std::map<std::string, std::string> parameters(Problem problem, size_t classes, const BoostOptions& options) {
  std::map<std::string, std::string> set = {{"booster", "gbtree"},
                                            {"tree_method", "hist"},
                                            {"verbosity", "0"},
                                            {"nthread", std::to_string(options.threads)},
                                            {"seed", std::to_string(options.seed % 1'000'000'007)},
                                            {"max_depth", std::to_string(options.max_depth)},
                                            {"eta", fmt::format("{}", options.learning_rate)},
                                            {"min_child_weight", fmt::format("{}", options.min_child_weight)}};
  switch (problem) {
    case Problem::kBinary:
      set["objective"] = "binary:logistic";
      set["eval_metric"] = "logloss";
      break;
    case Problem::kCount:
      set["objective"] = "count:poisson";
      set["eval_metric"] = "poisson-nloglik";
      break;
    case Problem::kRegression:
      set["objective"] = "reg:squarederror";
      set["eval_metric"] = "rmse";
      break;
    default:
      set["objective"] = "multi:softprob";
      set["eval_metric"] = "mlogloss";
      set["num_class"] = std::to_string(classes);
  }
  return set;
}

/// The number behind the last colon of "[3]\theld-out-logloss:0.41".
double evaluated(const char* text) {
  const char* colon = std::strrchr(text, ':');
  return colon ? std::strtod(colon + 1, nullptr) : std::nan("");
}

/// The model without the rounds behind `keep`.
std::string first_rounds(BoosterHandle booster, int keep) {
  BoosterHandle part = nullptr;
  check(XGBoosterSlice(booster, 0, keep, 1, &part));
  const Booster own(part);
  uint64_t size = 0;
  const char* bytes = nullptr;
  check(XGBoosterSaveModelToBuffer(part, R"({"format":"json"})", &size, &bytes));
  return {bytes, size};
}

}  // namespace

Boosted boost(Problem problem, size_t classes, const BoostRows& rows, const BoostRows* held_out,
              const BoostOptions& options) {
  const Matrix train = matrix_of(rows), held = held_out ? matrix_of(*held_out) : nullptr;
  DMatrixHandle handles[] = {train.get(), held.get()};
  BoosterHandle handle = nullptr;
  check(XGBoosterCreate(handles, held ? 2 : 1, &handle));
  const Booster booster(handle);
  for (const auto& [name, value] : parameters(problem, classes, options))
    check(XGBoosterSetParam(handle, name.c_str(), value.c_str()));
  int best = options.rounds;
  double best_loss = INFINITY;
  for (int round = 0; round < options.rounds; ++round) {
    check_cancelled();
    check(XGBoosterUpdateOneIter(handle, round, train.get()));
    if (!held) continue;
    const char* name = "held-out";
    const char* said = nullptr;
    DMatrixHandle asked = held.get();
    check(XGBoosterEvalOneIter(handle, round, &asked, &name, 1, &said));
    const double loss = evaluated(said);
    if (!std::isfinite(loss)) throw Failure(std::string("xgboost: its loss is not finite: ") + said);
    if (loss < best_loss) {
      best_loss = loss;
      best = round + 1;
    } else if (round + 1 - best >= options.patience) {
      break;
    }
  }
  return {first_rounds(handle, best), best};
}

}  // namespace fewshop
