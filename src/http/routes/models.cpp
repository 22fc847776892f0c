// Versions of models: published, live, shadow; trainings.
#include <filesystem>

#include "http/routes/api.h"
#include "online/live_check.h"

namespace fewshop::http {
namespace {

using nlohmann::json;

/// Runs on the shelf's thread and answers from there.
void later(ModelShelf& shelf, std::shared_ptr<const Request> request, Reply reply, std::function<json()> work) {
  shelf.background([request = std::move(request), reply = std::move(reply), work = std::move(work)] {
    try {
      reply(Response::json(work()));
    } catch (const HttpError& problem) {
      reply(Response::error(problem, request->id));
    } catch (const UnknownModel& problem) {
      reply(Response::error(HttpError(404, "not_found", problem.what()), request->id));
    } catch (const InvalidInput& problem) {
      reply(Response::error(HttpError(409, "conflict", problem.what()), request->id));
    } catch (const std::exception& problem) {
      reply(Response::error(HttpError(503, "unavailable", problem.what()), request->id));
    }
  });
}

std::string text_member(const json& body, const char* name) {
  std::string text = member<std::string>(body, name);
  if (text.empty()) throw HttpError(400, "invalid_body", std::string(name) + ": expected a string, it is empty");
  return text;
}

json body_or_nothing(const Request& request) {
  return request.body.empty() ? json::object() : read_body(request, json::value_t::object);
}

}  // namespace

void add_model_routes(Router& router, ModelShelf& shelf, ModelTrainer& trainer, const Jobs& jobs) {
  const json text = {{"type", "string"}}, boolean = {{"type", "boolean"}}, number = {{"type", "number"}};
  const json integer = {{"type", "integer"}};
  router.define("ModelVersion", {{"type", "object"},
                                 {"properties",
                                  {{"scenario", text},
                                   {"version", text},
                                   {"published", text},
                                   {"source", text},
                                   {"live", boolean},
                                   {"shadow", boolean},
                                   {"quality", {{"type", "object"}}}}}});
  router.define("Task", {{"type", "object"},
                         {"properties",
                          {{"Tracer", text},
                           {"Name", text},
                           {"Status", {{"enum", {"Pending", "Running", "Complete", "Failed"}}}},
                           {"Count", integer},
                           {"Total", integer},
                           {"StartTime", {{"type", {"string", "null"}}}},
                           {"FinishTime", {{"type", {"string", "null"}}}},
                           {"step", text},
                           {"part", text},
                           {"share", {{"type", {"number", "null"}}}},
                           {"Error", text}}}});
  const json version_body = {{"type", "object"}, {"required", {"version"}}, {"properties", {{"version", text}}}};
  const auto add = [&](Method method, const char* path, ScenarioFrom scenario, const char* summary, json body,
                       json response, auto handle) {
    router.add({.method = method,
                .path = path,
                .tag = "models",
                .summary = summary,
                .scope = "models",
                .scenario = scenario,
                .query = {},
                .body = std::move(body),
                .response = std::move(response),
                .handle = std::move(handle)});
  };
  add(Method::kGet, "/api/models", ScenarioFrom::kNone,
      "Versions on the shelf, what shadows have answered, indexes of live versions.", nullptr,
      {{"type", "object"},
       {"properties",
        {{"models", array_of(schema_ref("ModelVersion"))},
         {"shadows", {{"type", "object"}}},
         {"indexes", {{"type", "object"}}}}}},
      [&shelf](std::shared_ptr<const Request> request, Reply reply) {
        json models = json::array(), shadows = json::object(), indexes = json::object();
        for (const ModelVersion& version : shelf.list())
          if (request->may_use(version.scenario)) models.push_back(to_json(version));
        for (const auto& [scenario, count] : shelf.shadows())
          if (request->may_use(scenario)) shadows[scenario] = to_json(count);
        for (const auto& [scenario, report] : shelf.indexes())
          if (request->may_use(scenario)) indexes[scenario] = to_json(report);
        reply(Response::json(
            {{"models", std::move(models)}, {"shadows", std::move(shadows)}, {"indexes", std::move(indexes)}}));
      });
  add(Method::kPost, "/api/models", ScenarioFrom::kAny,
      "Publishes a bundle of the server's machine, of any problem. 409 names the part that cannot be served, or the "
      "first row that [live] makes otherwise than [rows]. The key must not be limited to scenarios.",
      {{"type", "object"}, {"required", {"path"}}, {"properties", {{"path", text}, {"activate", boolean}}}},
      schema_ref("ModelVersion"), [&shelf](std::shared_ptr<const Request> request, Reply reply) {
        const json body = read_body(*request, json::value_t::object);
        const std::string path = text_member(body, "path");
        const bool activate = member(body, "activate", true);
        later(shelf, request, std::move(reply), [&shelf, path, activate] {
          std::error_code error;
          if (!std::filesystem::exists(path, error))
            throw HttpError(400, "invalid_body", "path: no such folder on the server's machine");
          return to_json(shelf.publish(path, activate));
        });
      });
  add(Method::kPost, "/api/models/{scenario}/activate", ScenarioFrom::kPath, "Makes a version live.", version_body,
      schema_ref("ModelVersion"), [&shelf](std::shared_ptr<const Request> request, Reply reply) {
        const std::string version = text_member(read_body(*request, json::value_t::object), "version");
        later(shelf, request, std::move(reply), [&shelf, scenario = request->parameter("scenario"), version] {
          return to_json(shelf.activate(scenario, version));
        });
      });
  add(Method::kPost, "/api/models/{scenario}/rollback", ScenarioFrom::kPath, "Makes live what was live before.",
      nullptr, schema_ref("ModelVersion"), [&shelf](std::shared_ptr<const Request> request, Reply reply) {
        later(shelf, request, std::move(reply),
              [&shelf, scenario = request->parameter("scenario")] { return to_json(shelf.rollback(scenario)); });
      });
  add(Method::kPost, "/api/models/{scenario}/shadow", ScenarioFrom::kPath,
      "Asks a version what the live one is asked, without answering anybody; null: no longer.",
      {{"type", "object"}, {"required", {"version"}}, {"properties", {{"version", {{"type", {"string", "null"}}}}}}},
      {{"type", "object"}}, [&shelf](std::shared_ptr<const Request> request, Reply reply) {
        const json body = read_body(*request, json::value_t::object);
        if (!body.contains("version")) throw HttpError(400, "invalid_body", "version: expected a text, or null");
        std::optional<std::string> version;
        if (!body.at("version").is_null()) version = text_member(body, "version");
        later(shelf, request, std::move(reply), [&shelf, scenario = request->parameter("scenario"), version] {
          shelf.shadow(scenario, version);
          return json{{"scenario", scenario}, {"shadow", version ? json(*version) : json()}};
        });
      });
  add(Method::kDelete, "/api/models/{scenario}/{version}", ScenarioFrom::kPath,
      "Removes a version that is neither live nor shadow.", nullptr,
      {{"type", "object"}, {"properties", {{"RowAffected", integer}}}},
      [&shelf](std::shared_ptr<const Request> request, Reply reply) {
        later(shelf, request, std::move(reply),
              [&shelf, scenario = request->parameter("scenario"), version = request->parameter("version")] {
                shelf.remove(scenario, version);
                return json{{"RowAffected", 1}};
              });
      });
  add(Method::kPost, "/api/models/{scenario}/check", ScenarioFrom::kPath,
      "Whether [live] of the live version makes the rows that [rows] reads, for so many users (200).",
      {{"type", "object"}, {"properties", {{"users", integer}}}},
      {{"type", "object"}, {"properties", {{"users", integer}, {"rows", integer}, {"difference", text}}}},
      [&shelf](std::shared_ptr<const Request> request, Reply reply) {
        const int users = member(body_or_nothing(*request), "users", 200);
        if (users < 1) throw HttpError(400, "invalid_body", "users: expected a whole number from 1");
        later(shelf, request, std::move(reply), [&shelf, scenario = request->parameter("scenario"), users] {
          const auto live = shelf.live(scenario);
          if (!live) throw UnknownModel("scenario: no model of '" + scenario + "' is live");
          const LiveCheck check = check_live(live->folder, shelf.database(), users, &shelf.shop());
          return json{{"users", check.users}, {"rows", check.rows}, {"difference", check.difference}};
        });
      });
  add(Method::kPost, "/api/models/{scenario}/train", ScenarioFrom::kPath,
      "Trains the scenario anew beside the server; the model goes live unless it is proven worse than the running one. "
      "The answer is the task to follow.",
      {{"type", "object"}, {"properties", {{"source", text}}}}, schema_ref("Task"),
      [&shelf, &trainer](std::shared_ptr<const Request> request, Reply reply) {
        const json body = body_or_nothing(*request);
        const std::string source = body.contains("source") ? text_member(body, "source") : "";
        later(shelf, request, std::move(reply), [&trainer, scenario = request->parameter("scenario"), source] {
          return to_json(trainer.train(scenario, source));
        });
      });
  add(Method::kGet, "/api/dashboard/tasks", ScenarioFrom::kNone, "Long work of the server, latest first.", nullptr,
      array_of(schema_ref("Task")), [&jobs](std::shared_ptr<const Request> request, Reply reply) {
        json list = json::array();
        for (const Jobs::Record& record : jobs.list())
          if (record.scenario.empty() || request->may_use(record.scenario)) list.push_back(to_json(record));
        reply(Response::json(list));
      });
}

}  // namespace fewshop::http
