// What a shop answers: lists, neighbours, scores, predictions for rows.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <unordered_map>
#include <unordered_set>

#include "online/shop.h"

#include "core/error.h"
#include "core/hash.h"
#include "runtime/search.h"
#include "store/person_key.h"

namespace fewshop {
namespace {

constexpr int kMostActors = 300;      // who is asked for "also"
constexpr int kRowsOfAUser = 50;      // latest rows that similar users are sought by
constexpr int kActorsOfAnItem = 100;  // and per item

/// The filter and the category of a request as one condition; "" = none.
std::string condition_of(const ListRequest& request) {
  if (request.category.empty()) return request.filter;
  const std::string category = ItemViews::in_category(request.category);
  return request.filter.empty() ? category : "(" + request.filter + ") and " + category;
}

template <class IdOf>
ListReply::Item item_of(const Answered& answered, std::string id, const IdOf& id_of) {
  ListReply::Item item{std::move(id),  answered.score, answered.low,       answered.high,   answered.link,
                       answered.prior, answered.boost, answered.diversity, answered.pinned, {}};
  for (const Contribution& part : answered.reasons) item.reasons.push_back({part.row, id_of(part), part.value});
  return item;
}

}  // namespace

bool Shop::ready(const ListRequest& request) const {
  const std::string condition = condition_of(request);
  if (!condition.empty() && !views_.has_filter(condition)) return false;
  for (const auto& boost : request.boosts)
    if (!views_.has_filter(boost.filter)) return false;
  for (const auto& cap : request.caps)
    if (!views_.has_values(cap.column)) return false;
  return true;
}

ListRules Shop::rules(const ListRequest& request) {
  ListRules rules;
  rules.n = request.n;
  rules.offset = request.offset;
  rules.include_seen = request.include_seen;
  rules.diversity = request.diversity;
  const std::string condition = condition_of(request);
  if (!condition.empty()) rules.filter = views_.filter(condition);
  for (const auto& id : request.exclude)
    if (const int32_t item = items_.find(id); item >= 0) rules.exclude.push_back(item);
  for (const auto& cap : request.caps) rules.caps.push_back({views_.values(cap.column), cap.most});
  for (const auto& boost : request.boosts) rules.boosts.push_back({views_.filter(boost.filter), boost.by});
  for (const auto& pin : request.pins) {
    // A rule of a shop may outlive its item: that is no reason to have no list.
    const int32_t item = items_.find(pin.item_id);
    if (item < 0) continue;
    // A pin does not bring back what may not be shown, and an item has one place.
    const auto is_it = [&](const Pin& other) { return other.item == item; };
    const bool may =
        ItemTable::Reader(items_).at(item).shown && !std::count(rules.exclude.begin(), rules.exclude.end(), item);
    if (may && std::none_of(rules.pins.begin(), rules.pins.end(), is_it)) rules.pins.push_back({item, pin.place});
  }
  return rules;
}

void Shop::read_support(std::string_view key, std::optional<Micros> at, std::vector<LiveRow>& rows) {
  if (!at) return rows_.read(key, until(), rows);
  // Memory holds the latest rows, which may all be later.
  rows.clear();
  read_rows(key, *at, rows);
  std::erase_if(rows, [&](const LiveRow& row) { return row.time > *at; });
}

Shop::TaskState Shop::task_state(const Asker& asker, const LiveModel* model, std::optional<Micros> at) {
  TaskState state;
  std::string user = asker.user_id;
  if (user.empty() && !asker.client_id.empty()) {
    const std::shared_lock lock(people_mutex_);
    if (const auto joined = joins_.find(asker.client_id); joined != joins_.end()) user = joined->second;
  }
  if (asker.rows) {
    for (const EventRow& row : *asker.rows) {
      // A question makes no kind known: what no event and no model has named is no support.
      const int32_t kind = kinds_.find(row.event);
      state.rows.push_back(live_row(row, items_.find(row.item_id), kind < 0 ? EventKinds::kUnknown : kind, kinds_));
    }
    std::stable_sort(state.rows.begin(), state.rows.end(),
                     [](const LiveRow& a, const LiveRow& b) { return a.time < b.time; });
  } else if (refused("", asker.client_id)) {
    // Who asks from a device that refused is nobody there, whoever it is joined to.
  } else if (!user.empty()) {
    read_support(user_key(user), at, state.rows);
  } else if (!asker.client_id.empty()) {
    read_support(guest_key(asker.client_id), at, state.rows);
  }
  if (model && model->has_description()) {
    if (!user.empty() && !refused(user, asker.client_id))
      state.description =
          model->describe(user, [&] { return store_->user_columns(user).value_or(ShopStore::Columns{}); });
    else
      state.description = model->describe_nobody();
  }
  return state;
}

/// The facts of an answer, without its items.
ListReply Shop::reply_of(const ListAnswer& answer, const LiveModel* model) {
  ListReply reply;
  reply.recommendation_id = new_id();
  if (model) {
    reply.scenario = model->name();
    reply.version = model->version();
  }
  reply.served = answer.served;
  reply.support = answer.support;
  reply.adapt_seconds = answer.adapt_seconds;
  reply.new_items = answer.new_items;
  return reply;
}

ListReply Shop::reply(const ListAnswer& answer, const LiveModel* model) {
  ListReply reply = reply_of(answer, model);
  const ItemTable::Reader items(items_);
  const auto id_of = [&](int32_t item) { return item < 0 ? std::string() : items.at(item).id; };
  for (const Answered& answered : answer.items)
    if (answered.item >= 0)
      reply.items.push_back(
          item_of(answered, id_of(answered.item), [&](const Contribution& part) { return id_of(part.item); }));
  return reply;
}

ListReply Shop::recommend(const LiveModelPtr& model, const Asker& asker, const ListRequest& request) {
  const auto begin = std::chrono::steady_clock::now();
  ListReply reply;
  if (!model) {
    reply = popular(request);
  } else {
    const TaskState state = task_state(asker, model.get());
    reply = this->reply(fewshop::recommend(*model, state.view(), rules(request), request.explain, now()), model.get());
  }
  recommended(model, asker, request, reply, begin);
  return reply;
}

void Shop::recommended(const LiveModelPtr& model, const Asker& asker, const ListRequest& request,
                       const ListReply& reply, std::chrono::steady_clock::time_point begin) const {
  tell({reply.scenario, reply.support, 0, reply.adapt_seconds, reply.new_items, reply.shared}, begin);
  if (!model) return;
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  for (const Observe& observe : observers_) observe(asker, request, reply, seconds);
}

std::vector<Shop::ListOutcome> Shop::recommend(std::span<const ListQuestion> questions) {
  std::vector<ListOutcome> outcomes(questions.size());
  const auto alone = [&](size_t i) {
    try {
      outcomes[i].reply = recommend(questions[i].model, questions[i].asker, questions[i].request);
    } catch (...) {
      outcomes[i].error = std::current_exception();
    }
  };
  std::map<LiveModelPtr, std::vector<size_t>> of_model;
  for (size_t i = 0; i < questions.size(); ++i) of_model[questions[i].model].push_back(i);
  for (const auto& [model, asked] : of_model) {
    const size_t most = shares(model) ? ItemSearch::kTogether : 1;
    for (size_t first = 0; first < asked.size(); first += most) {
      const auto group = std::span(asked).subspan(first, std::min(most, asked.size() - first));
      if (group.size() > 1) try {
          recommend_together(*model, questions, group, outcomes);
          continue;
        } catch (...) {
          // One of them is at fault: alone each gets what is its own.
        }
      for (const size_t i : group) alone(i);
    }
  }
  return outcomes;
}

void Shop::recommend_together(const LiveModel& model, std::span<const ListQuestion> questions,
                              std::span<const size_t> asked, std::vector<ListOutcome>& outcomes) {
  const auto begin = std::chrono::steady_clock::now();
  std::vector<TaskState> states;
  for (const size_t i : asked) states.push_back(task_state(questions[i].asker, &model));
  std::vector<ListTask> tasks;
  for (size_t t = 0; t < asked.size(); ++t) {
    const ListRequest& request = questions[asked[t]].request;
    tasks.push_back({states[t].view(), rules(request), request.explain});
  }
  const std::vector<ListAnswer> answers = fewshop::recommend(model, tasks, now());
  for (size_t t = 0; t < asked.size(); ++t) {
    const ListQuestion& question = questions[asked[t]];
    ListReply& reply = outcomes[asked[t]].reply;
    reply = this->reply(answers[t], &model);
    reply.shared = true;
    recommended(question.model, question.asker, question.request, reply, begin);
  }
}

void Shop::tell(Answer answer, std::chrono::steady_clock::time_point begin) const {
  if (!options_.answered) return;
  answer.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  options_.answered(answer);
}

RowReply Shop::predict(const std::string& scenario, const RowQuestion& question) {
  const auto begin = std::chrono::steady_clock::now();
  RowReply reply{row_model(scenario), {}};
  require(reply.model != nullptr, "scenario: no model of '", scenario, "' that predicts rows is live");
  reply.answer = reply.model->answer(question);
  tell({reply.model->name(), reply.answer.support, 0, reply.answer.adapt_seconds}, begin);
  return reply;
}

ListReply Shop::score(const LiveModel& model, const Asker& asker, const std::vector<std::string>& ids, bool explain,
                      std::optional<Micros> at) {
  const auto begin = std::chrono::steady_clock::now();
  const ListReply reply = answer_scores(model, asker, ids, explain, at);
  tell({reply.scenario, reply.support, 0, reply.adapt_seconds, reply.new_items}, begin);
  return reply;
}

ListReply Shop::answer_scores(const LiveModel& model, const Asker& asker, const std::vector<std::string>& ids,
                              bool explain, std::optional<Micros> at) {
  const TaskState state = task_state(asker, &model, at);
  std::vector<int32_t> items;
  for (const auto& id : ids) items.push_back(items_.find(id));
  return scores(score_items(model, state.view(), items, explain, at.value_or(now())), model, ids,
                [&](const Contribution& part) {
                  return part.item < 0 ? std::string() : ItemTable::Reader(items_).at(part.item).id;
                });
}

ListReply Shop::score(const LiveModel& model, const TextRows& support, const ColumnValues& description,
                      const std::vector<std::string>& ids, bool explain, std::optional<Micros> at) {
  const auto begin = std::chrono::steady_clock::now();
  const int item = support.find(model.scenario().item);
  const ListReply reply =
      scores(score_rows(model, support, description, ids, explain, at.value_or(now())), model, ids,
             [&](const Contribution& part) { return item < 0 ? "" : support.rows[part.row][item].value_or(""); });
  tell({reply.scenario, reply.support, 0, reply.adapt_seconds, reply.new_items}, begin);
  return reply;
}

/// An answer about items by the names they were asked by.
ListReply Shop::scores(const ListAnswer& answer, const LiveModel& model, const std::vector<std::string>& ids,
                       const std::function<std::string(const Contribution&)>& id_of) {
  ListReply reply = reply_of(answer, &model);
  for (size_t i = 0; i < ids.size(); ++i) reply.items.push_back(item_of(answer.items[i], ids[i], id_of));
  return reply;
}

/// What says how alike items are in lists that no model ranks: that of the default scenario, where it has learned
/// vectors, else the first that has; null where none is live.
std::shared_ptr<const LiveModel> Shop::model_with_vectors() const {
  std::shared_ptr<const LiveModel> found;
  for (const auto& model : models())
    if (model->has_vectors() && (!found || model->name() == options_.default_scenario)) found = model;
  return found;
}

/// A list that no model ranks, of items that may be shown.
ListReply Shop::ranked(std::vector<Candidate> candidates, const ListRules& rules, const std::string& served) {
  {
    const ItemTable::Reader items(items_);
    std::erase_if(candidates, [&](const Candidate& one) { return !items.at(one.item).shown; });
  }
  ListAnswer answer;
  answer.served = served;
  const auto model = rules.diversity > 0 ? model_with_vectors() : nullptr;
  answer.items = model ? rank_candidates(std::move(candidates), rules, *model)
                       : rank_candidates(std::move(candidates), rules, Likeness());
  return reply(answer, nullptr);
}

ListReply Shop::popular(const ListRequest& request) {
  std::vector<Candidate> candidates;
  {
    const ItemTable::Reader items(items_);
    for (int32_t item = 0; item < items.size(); ++item) candidates.push_back({item, items.at(item).events});
  }
  return ranked(std::move(candidates), rules(request), "popular");
}

ListReply Shop::latest(const ListRequest& request) {
  std::vector<Candidate> candidates;
  {
    const ItemTable::Reader items(items_);
    for (int32_t item = 0; item < items.size(); ++item)
      candidates.push_back({item, static_cast<double>(items.at(item).time) / kSecond});
  }
  return ranked(std::move(candidates), rules(request), "latest");
}

std::pair<ListRules, int32_t> Shop::rules_beside(const std::string& item_id, const ListRequest& request) {
  const int32_t item = items_.find(item_id);
  require(item >= 0, "no item '", item_id, "'");
  ListRules rules = this->rules(request);
  rules.exclude.push_back(item);
  return {std::move(rules), item};
}

ListReply Shop::similar(const LiveModel& model, const std::string& item_id, const ListRequest& request) {
  const auto [rules, item] = rules_beside(item_id, request);
  return reply(similar_items(model, item, rules), &model);
}

ListReply Shop::also(const std::string& item_id, const ListRequest& request) {
  const auto beside = rules_beside(item_id, request);
  const ListRules& rules = beside.first;
  const int32_t item = beside.second;
  std::unordered_map<int32_t, int> together;
  const auto actors = store_->actors_of_item(item_id, kMostActors);
  std::vector<LiveRow> rows;
  std::unordered_set<int32_t> seen;
  for (const auto& actor : actors) {
    rows_.read(person_key(actor.user_id, actor.client_id), until(), rows);
    seen.clear();
    for (const LiveRow& row : rows)
      if (row.item >= 0 && row.item != item && seen.insert(row.item).second) ++together[row.item];
  }
  std::vector<Candidate> candidates;
  {
    const ItemTable::Reader items(items_);
    for (const auto& [other, count] : together)
      candidates.push_back(
          {other, count / std::sqrt(static_cast<double>(actors.size()) * std::max(1.0, items.at(other).events))});
  }
  return ranked(std::move(candidates), rules, "also");
}

std::vector<std::pair<std::string, double>> Shop::similar_users(const std::string& user_id, int n, int offset) {
  std::vector<LiveRow> rows;
  rows_.read(user_key(user_id), until(), rows);
  std::unordered_set<int32_t> items;
  for (auto row = rows.rbegin(); row != rows.rend() && items.size() < kRowsOfAUser; ++row)
    if (row->item >= 0) items.insert(row->item);
  std::unordered_map<std::string, int> common;
  for (const int32_t item : items) {
    const std::string id = ItemTable::Reader(items_).at(item).id;
    for (const auto& actor : store_->actors_of_item(id, kActorsOfAnItem))
      if (!actor.user_id.empty() && actor.user_id != user_id) ++common[actor.user_id];
  }
  std::vector<std::pair<std::string, double>> users;
  for (const auto& [user, count] : common) {
    rows_.read(user_key(user), until(), rows);
    std::unordered_set<int32_t> theirs;
    for (const LiveRow& row : rows) theirs.insert(row.item);
    users.emplace_back(user, count / std::sqrt(static_cast<double>(std::max<size_t>(1, items.size())) *
                                               static_cast<double>(std::max<size_t>(1, theirs.size()))));
  }
  std::sort(users.begin(), users.end(), [](const auto& a, const auto& b) {
    return a.second > b.second || (a.second == b.second && a.first < b.first);
  });
  users.erase(users.begin(), users.begin() + std::min<int64_t>(offset, std::ssize(users)));
  if (std::ssize(users) > n) users.resize(n);
  return users;
}

}  // namespace fewshop
