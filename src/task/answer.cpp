#include "task/answer.h"

#include <algorithm>
#include <cmath>

namespace fewshop {
namespace {

/// Items that are no answers: those of the support where the scenario says so, and hidden ones.
ItemSet excluded_items(const Model& model, const TaskInput& input, const std::vector<std::string>& hidden) {
  ItemSet items;
  if (model.scenario().exclude_seen)
    for (const SupportRow& row : input.support) items.set(row.item, true);
  for (const std::string& id : hidden) items.set(model.find_item(id), true);
  return items;
}

std::string served_name(const Model& model, const ModelSession& session, int32_t item) {
  return model.served_adapted(session, item) ? "adapted" : model.method_name(model.served_baseline(session));
}

}  // namespace

Recommendation recommend(const Model& model, const std::string& task, const TaskInput& input,
                         const RecommendOptions& options) {
  const auto session = model.session();
  model.adapt_served(input.view(), *session);
  std::vector<Model::Scored> best;
  model.recommend(*session, options.count, excluded_items(model, input, options.hidden), best);

  Recommendation out{task, {}, input.item_ids, {}};
  std::vector<double> contribution(input.support.size());
  for (const Model::Scored& scored : best) {
    const std::string served = served_name(model, *session, scored.item);
    out.served = out.served.empty() || out.served == served ? served : "mixed";
    RecommendedItem item;
    item.item = model.item_ids()[scored.item];
    item.prior = model.explain(*session, Model::kServed, scored.item, contribution);
    // The score is what the item was ranked by; only where that was cut to the range of ratings, the sum of its parts.
    item.prediction = item.score = scored.score;
    if (model.scenario().problem == Problem::kRating &&
        (scored.score <= model.parts().target_low || scored.score >= model.parts().target_high)) {
      item.score = item.prior;
      for (const double part : contribution) item.score += part;
    }
    item.low = scored.low;
    item.high = scored.high;
    for (size_t row = 0; row < contribution.size(); ++row)
      item.reasons.push_back({static_cast<int32_t>(row), input.item_ids[row], contribution[row]});
    std::stable_sort(item.reasons.begin(), item.reasons.end(), [](const Reason& a, const Reason& b) {
      return std::abs(a.contribution) > std::abs(b.contribution);
    });
    if (!options.explain && item.reasons.size() > 3) item.reasons.resize(3);
    out.items.push_back(std::move(item));
  }
  if (out.served.empty()) out.served = served_name(model, *session, -1);
  return out;
}

nlohmann::json to_json(const Recommendation& recommendation) {
  nlohmann::json items = nlohmann::json::array();
  for (const RecommendedItem& item : recommendation.items) {
    nlohmann::json reasons = nlohmann::json::array();
    for (const Reason& reason : item.reasons)
      reasons.push_back({{"row", reason.row}, {"item", reason.item}, {"contribution", reason.contribution}});
    items.push_back({{"item", item.item},
                     {"score", item.score},
                     {"prediction", item.prediction},
                     {"low", item.low},
                     {"high", item.high},
                     {"prior", item.prior},
                     {"reasons", reasons}});
  }
  return {{"task", recommendation.task},
          {"served", recommendation.served},
          {"support", recommendation.support.size()},
          {"items", items}};
}

std::vector<Prediction> predict(const Model& model, const TaskInput& input, std::span<const std::string> items) {
  const auto session = model.session();
  model.adapt_served(input.view(), *session);
  std::vector<int32_t> index;
  for (const std::string& id : items) index.push_back(model.find_item(id));
  std::vector<float> score(items.size()), variance(items.size());
  model.score(*session, Model::kServed, index, score, variance);
  std::vector<Prediction> predictions;
  for (size_t i = 0; i < items.size(); ++i) {
    const auto [low, high] = Model::interval(score[i], variance[i]);
    predictions.push_back({score[i], low, high, served_name(model, *session, index[i])});
  }
  return predictions;
}

}  // namespace fewshop
