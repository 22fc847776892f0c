// The guidance of a product page.
#include <fmt/format.h>

#include <algorithm>

#include "http/routes/api.h"

namespace fewshop::http {
namespace {

using nlohmann::json;

constexpr size_t kMostGuided = 1000;  // questions of one batch
constexpr int kMostEntries = 1000;    // of one list
constexpr int kNeighbours = 5;        // times n: what the entries are chosen from

struct ProductPage {
  std::string item;
  Asker asker;
  int n = 10;
};

ProductPage product_page(const Api& api, const json& body) {
  static const std::vector<std::string> known = {"item_id", "user_id", "client_id", "n"};
  refuse_unknown(body, known, "; the scenario is named by ?scenario=");
  ProductPage page{member<std::string>(body, "item_id"),
                   {member<std::string>(body, "user_id", ""), member<std::string>(body, "client_id", ""), std::nullopt},
                   member(body, "n", api.default_n)};
  if (page.n < 1 || page.n > kMostEntries)
    throw HttpError(400, "invalid_body", fmt::format("n is from 1 to {}", kMostEntries));
  return page;
}

json entries(const std::vector<ListReply::Item>& items) {
  json list = json::array();
  for (const auto& item : items) list.push_back(item_json(item, true, true));
  return list;
}

/// Those that the person is most likely to want.
std::vector<ListReply::Item> best_of(std::vector<ListReply::Item> items, int n) {
  std::stable_sort(items.begin(), items.end(),
                   [](const ListReply::Item& a, const ListReply::Item& b) { return a.score > b.score; });
  if (std::ssize(items) > n) items.resize(n);
  return items;
}

/// Both lists of a product page as the one answer that its id stands for.
void log_both(const Api& api, const ListReply& about, std::vector<ListReply::Item> related,
              const std::vector<ListReply::Item>& complementary, const std::string& id) {
  ListReply both = about;
  both.recommendation_id = id;
  both.served = "guide";
  both.items = std::move(related);
  both.items.insert(both.items.end(), complementary.begin(), complementary.end());
  api.answered(both);
}

/// The item and its neighbours are scored together: all numbers are of one version and one state of the person.
json guide(const Api& api, const std::shared_ptr<const LiveModel>& model, const ProductPage& page) {
  ListRequest near;
  near.n = kNeighbours * page.n;
  const ListReply also = api.shop.also(page.item, near);
  json answer = {{"recommendation_id", also.recommendation_id}, {"scenario", ""}, {"model_version", ""}};
  if (!model) {
    answer["interest"] = nullptr;
    std::vector<ListReply::Item> first = also.items;
    if (std::ssize(first) > page.n) first.resize(page.n);
    answer["related"] = answer["complementary"] = entries(first);
    log_both(api, also, first, {}, also.recommendation_id);
    return answer;
  }
  const ListReply similar = api.shop.similar(*model, page.item, near);
  std::vector<std::string> ids = {page.item};
  for (const auto* list : {&similar, &also})
    for (const auto& item : list->items) ids.push_back(item.id);
  const ListReply scored = api.shop.score(*model, page.asker, ids, true);
  const auto& own = scored.items.front();
  const auto begin = scored.items.begin() + 1, middle = begin + std::ssize(similar.items);
  answer["scenario"] = scored.scenario;
  answer["model_version"] = scored.version;
  answer["interest"] = {{"score", own.score}, {"low", own.low}, {"high", own.high}};
  const auto related = best_of({begin, middle}, page.n), complementary = best_of({middle, scored.items.end()}, page.n);
  answer["related"] = entries(related);
  answer["complementary"] = entries(complementary);
  log_both(api, scored, related, complementary, also.recommendation_id);
  return answer;
}

}  // namespace

void add_guide_routes(Router& router, const Api& api) {
  const json text = {{"type", "string"}}, number = {{"type", "number"}};
  router.define(
      "GuideQuestion",
      {{"type", "object"},
       {"required", {"item_id"}},
       {"properties", {{"item_id", text}, {"user_id", text}, {"client_id", text}, {"n", {{"type", "integer"}}}}}});
  router.define(
      "Guide",
      {{"type", "object"},
       {"properties",
        {{"interest",
          {{"type", {"object", "null"}}, {"properties", {{"score", number}, {"low", number}, {"high", number}}}}},
         {"related", array_of(schema_ref("Recommended"))},
         {"complementary", array_of(schema_ref("Recommended"))},
         {"recommendation_id", text},
         {"scenario", text},
         {"model_version", text}}}});
  router.add({.method = Method::kPost,
              .path = "/api/guide",
              .tag = "predict",
              .summary =
                  "For a product page: how much a person wants the item, items like it, items that go with it. A "
                  "list of bodies gives a list of answers.",
              .scope = "recommend",
              .scenario = ScenarioFrom::kQuery,
              .query = {{"scenario", "string", "whose model answers"}},
              .body = one_or_many("GuideQuestion"),
              .response = one_or_many("Guide"),
              .handle = [api](std::shared_ptr<const Request> request, Reply reply) {
                const auto model = asked_model(api, *request);  // once: all answers are of one version
                reply(Response::json(answer_one_or_many(parse_body(*request), kMostGuided, [&](const json& question) {
                  return guide(api, model, product_page(api, question));
                })));
              }});
}

}  // namespace fewshop::http
