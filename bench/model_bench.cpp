// One request to a whole model: bayes, popularity and item-kNN under a stack and a gate, d = 64, through the C
// interface.
//   us   median CPU microseconds of one call; adapt is done anew before every call of the others, not counted
#include <benchmark/benchmark.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "bench/measure.h"
#include "runtime/c_api.h"
#include "runtime/model.h"
#include "runtime/small_model.h"

namespace fewshop {
namespace {

constexpr int kUsers = 64;

std::shared_ptr<Model> a_model(int items) {
  const auto model = testing::small_model({.items = items, .d = 64});
  model->set_candidate_depth(50);  // what a training chooses for such a shop (fewshop bench serve)
  return model;
}

struct Serving {
  fewshop_model* model;
  fewshop_session* session = nullptr;
  std::vector<std::string> ids;
  std::vector<std::vector<fewshop_row>> users;
  int user = 0;

  Serving(int items, int events) : model(to_c(a_model(items))) {
    if (fewshop_session_create(model, &session) != FEWSHOP_OK) std::abort();
    Random random(3);
    for (int i = 0; i < kUsers * events; ++i) ids.push_back("item-" + std::to_string(random.below(items)));
    for (int u = 0; u < kUsers; ++u) {
      auto& rows = users.emplace_back();
      for (int s = 0; s < events; ++s) {
        rows.push_back(fewshop_row_of(ids[u * events + s].c_str(), 1));
        rows.back().group = s;
      }
    }
  }
  ~Serving() {
    fewshop_session_destroy(session);
    fewshop_close(model);
  }
  void adapt() {
    user = (user + 1) % kUsers;
    if (fewshop_adapt(session, users[user].data(), users[user].size(), nullptr) != FEWSHOP_OK) std::abort();
  }
};

/// Made once per size: a model of 100,000 items takes a second.
Serving& serving_for(const benchmark::State& state) {
  static std::map<std::pair<int64_t, int64_t>, std::unique_ptr<Serving>> all;
  auto& serving = all[{state.range(0), state.range(1)}];
  if (!serving) serving = std::make_unique<Serving>(static_cast<int>(state.range(0)), static_cast<int>(state.range(1)));
  return *serving;
}

/// Times `call` in chunks of `calls`, each chunk after a fresh adapt.
template <class Call>
void run(benchmark::State& state, Serving& serving, int calls, Call&& call) {
  bench::Chunks chunks;
  for (auto _ : state) {
    serving.adapt();
    state.SetIterationTime(chunks.time(calls, call) / calls);
  }
  state.counters["us"] = 1e6 * chunks.median();
}

void adapt(benchmark::State& state) {
  Serving& serving = serving_for(state);
  run(state, serving, 64, [&] { serving.adapt(); });
}

void predict_100_items(benchmark::State& state) {
  Serving& serving = serving_for(state);
  std::vector<fewshop_item> items(100);
  for (int i = 0; i < 100; ++i) items[i].item = 13 * i;
  run(state, serving, 1, [&] { fewshop_predict(serving.session, items.data(), items.size()); });
}

void explain_one_item(benchmark::State& state) {
  Serving& serving = serving_for(state);
  std::vector<double> contributions(state.range(1));
  double prior;
  run(state, serving, 16,
      [&] { fewshop_explain(serving.session, 17, &prior, contributions.data(), contributions.size()); });
}

void recommend_10(benchmark::State& state) {
  Serving& serving = serving_for(state);
  std::vector<fewshop_item> items(10);
  run(state, serving, 1, [&] {
    size_t count = 10;
    fewshop_recommend(serving.session, nullptr, 0, items.data(), &count);
  });
}

#define FEWSHOP_MODEL_BENCH(name)                \
  BENCHMARK(name)                                \
      ->ArgNames({"items", "events"})            \
      ->ArgsProduct({{4'000, 100'000}, {5, 20}}) \
      ->UseManualTime()                          \
      ->Iterations(400)                          \
      ->Unit(benchmark::kMicrosecond)
FEWSHOP_MODEL_BENCH(adapt);
FEWSHOP_MODEL_BENCH(predict_100_items);
FEWSHOP_MODEL_BENCH(explain_one_item);
FEWSHOP_MODEL_BENCH(recommend_10);

}  // namespace
}  // namespace fewshop
