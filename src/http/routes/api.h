#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "http/json_body.h"
#include "http/router.h"
#include "online/incoming.h"
#include "online/model_trainer.h"
#include "online/shop.h"

namespace fewshop::http {

/// What routes share: the shop, and how its clients' requests are read and answered. Routes only translate.
struct Api {
  Shop& shop;
  ParseLimits limits;
  int default_n = 10;
  int most_n = 10'000;  // items of one list
  /// Called with every list whose recommendation_id is handed out: for the log of answers.
  std::function<void(const ListReply&)> answered = [](const ListReply&) {};
};

/// Parsing with the shop's clock and ids of its own.
ParseContext parse_context(const Api& api, const Request& request);

/// Submits a change; `answer` makes the response of what became of it. Nothing durable: 503. Too much waiting: 429.
void submit(const Api& api, const Request& request, Change change, Reply reply,
            std::function<Response(const Outcome&)> answer);

/// {"RowAffected": n}, and what was refused, where anything was.
Response rows_affected(int64_t rows, const std::vector<Refusal>& refusals = {});
nlohmann::json to_json(const std::vector<Refusal>& refusals);

/// Where the page that is asked for begins, `cursor` or, as clients of Gorse may call it, `Cursor`; "" = at the start.
std::string asked_cursor(const Request& request);
/// The parameters of such a page whose answer holds the next cursor.
std::vector<Parameter> cursor_parameters();
/// Where a list ends before its end, a header X-Next-Cursor: the cursor, percent-encoded as it goes into the query.
void add_next_cursor(Response& response, const std::string& cursor);
/// The parameters of such a list.
std::vector<Parameter> page_parameters(const std::string& what);
/// The header, for the API document.
std::vector<Parameter> page_headers();

/// The model that answers a request: of this scenario, "" = the default, null where nothing is live. HttpError 403
/// where the request's key may not use it: the default may have changed since the key was checked.
std::shared_ptr<const LiveModel> model_for(const Api& api, const Request& request, const std::string& scenario);
/// The same of the scenario that the query names.
std::shared_ptr<const LiveModel> asked_model(const Api& api, const Request& request);

/// The list, where it has no more rules than allowed; else HttpError 400 naming which.
const ListRequest& limited(const ListRequest& list);

/// An item of a list: {Id, Score, low, high, boost, diversity, pinned, prior, reasons}, where there is something to
/// say. Explained, Score = prior + sum of the contributions.
nlohmann::json item_json(const ListReply::Item& item, bool explain, bool intervals);
/// [{row, item, contribution}]
nlohmann::json reasons_json(const ListReply::Item& item);

/// 429 and 503 that say when to come again.
HttpError overloaded(const std::string& message);
HttpError unavailable(const std::string& what);

/// Moves events of kinds that the shop has no room for to the refusals.
Incoming admitted(const Api& api, Incoming incoming);

/// The change that parsed events ask for.
Change change_of(Incoming& incoming);

// Pieces of JSON schemas for the API document.
nlohmann::json schema_ref(const std::string& name);
nlohmann::json array_of(const nlohmann::json& schema);
/// What is sent alone or in a list.
nlohmann::json one_or_many(const std::string& name);

// One function per file of routes.
void add_event_routes(Router& router, const Api& api);      // canonical events
void add_segment_routes(Router& router, const Api& api);    // Segment's calls
void add_ga4_routes(Router& router, const Api& api);        // Measurement Protocol
void add_record_routes(Router& router, const Api& api);     // users, items
void add_feedback_routes(Router& router, const Api& api);   // feedback
void add_bulk_routes(Router& router, const Api& api);       // users, items, feedback as JSON lines
void add_recommend_routes(Router& router, const Api& api);  // lists
void add_question_routes(Router& router, const Api& api);   // lists asked for by JSON
void add_predict_routes(Router& router, const Api& api);    // scenarios
void add_guide_routes(Router& router, const Api& api);      // product pages

/// Versions of models, trainings, tasks; on the shelf's thread what takes long.
void add_model_routes(Router& router, ModelShelf& shelf, ModelTrainer& trainer, const Jobs& jobs);

/// All of the above but the last.
void add_shop_routes(Router& router, const Api& api);

}  // namespace fewshop::http
