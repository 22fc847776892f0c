// Keys: who may do what.
#include "online/keys.h"

#include "http/routes/admin.h"

namespace fewshop::http {
namespace {

using nlohmann::json;

/// Submits the setting and brings it into effect once it is durable.
void put(const Api& api, const Request& request, KeyRing& keys, const KeyRing::Setting& setting, Reply reply,
         std::function<Response()> answer) {
  Change change;
  change.settings.emplace_back(setting.name, setting.value);
  submit(api, request, std::move(change), std::move(reply), [&keys, setting, answer](const Outcome&) {
    keys.put(setting);
    return answer();
  });
}

}  // namespace

void add_key_routes(Router& router, const Api& api, KeyRing& keys) {
  const json text = {{"type", "string"}}, texts = array_of(text);
  router.define("Key", {{"type", "object"},
                        {"properties",
                         {{"id", text},
                          {"name", text},
                          {"prefix", text},
                          {"actions", texts},
                          {"scenarios", texts},
                          {"created", text},
                          {"expires_at", {{"type", {"string", "null"}}}},
                          {"rate", {{"type", {"number", "null"}}}},
                          {"revoked_at", {{"type", {"string", "null"}}}}}}});
  router.add({.method = Method::kGet,
              .path = "/api/keys",
              .tag = "keys",
              .summary = "Lists keys, revoked ones included; what they are is shown once only, when they are made.",
              .scope = "admin",
              .response = {{"type", "object"}, {"properties", {{"keys", array_of(schema_ref("Key"))}}}},
              .handle = [&keys](const std::shared_ptr<const Request>&, const Reply& reply) {
                json list = json::array();
                for (const Key& key : keys.list()) list.push_back(to_json(key));
                reply(Response::json({{"keys", list}}));
              }});
  router.add({.method = Method::kPost,
              .path = "/api/keys",
              .tag = "keys",
              .summary = "Makes a key. The answer's `key` is shown this once.",
              .scope = "admin",
              .body = {{"type", "object"},
                       {"required", {"actions"}},
                       {"properties",
                        {{"name", text},
                         {"actions", {{"type", "array"}, {"items", {{"enum", KeyRing::actions()}}}}},
                         {"scenarios", texts},
                         {"expires_at", text},
                         {"rate", {{"type", "number"}}}}}},
              .response = schema_ref("Key"),
              .handle = [api, &keys](std::shared_ptr<const Request> request, Reply reply) {
                auto wanted = KeyRing::parse(read_body(*request, json::value_t::object), api.shop.now());
                const auto made = KeyRing::make(std::move(wanted), api.shop.now());
                put(api, *request, keys, made.setting, std::move(reply), [made] {
                  json answer = to_json(made.key);
                  answer["key"] = made.secret;
                  Response response = Response::json(answer);
                  response.headers.emplace_back("Cache-Control", "no-store");
                  return response;
                });
              }});
  router.add({.method = Method::kDelete,
              .path = "/api/keys/{id}",
              .tag = "keys",
              .summary = "Revokes a key; no request that comes later may use it.",
              .scope = "admin",
              .response = schema_ref("Key"),
              .handle = [api, &keys](std::shared_ptr<const Request> request, Reply reply) {
                const std::string id = request->parameter("id");
                const auto list = keys.list();
                if (std::none_of(list.begin(), list.end(), [&](const Key& key) { return key.id == id; }))
                  throw HttpError(404, "not_found", "no key of this id");
                put(api, *request, keys, keys.revoked(id, api.shop.now()), std::move(reply), [&keys, id] {
                  for (const Key& key : keys.list())
                    if (key.id == id) return Response::json(to_json(key));
                  return Response::json(json::object());
                });
              }});
}

}  // namespace fewshop::http
