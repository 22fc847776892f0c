#include "http/shop_server.h"

#include <fmt/format.h>

#include "core/error.h"
#include "core/read_ahead.h"
#include "core/text.h"
#include "http/health.h"
#include "http/openapi.h"
#include "http/routes/admin.h"
#include "http/routes/api.h"
#include "store/store.h"

namespace fewshop::http {
std::string ShopServer::socket_of(const std::string& database) { return database_path(database) + ".sock"; }

ShopServer::ShopServer(Options options) : options_(std::move(options)) {
  const Config& config = options_.config;
  require(!config.database.data_store.empty(),
          "database.data_store: expected a database; name one with --data shop.db");
  read_ahead(database_path(config.database.data_store));  // while nothing of this process has it open
  log_ = std::make_unique<AccessLog>(config.server.log);
  metrics_ = std::make_unique<Metrics>();
  shop_metrics_ = std::make_unique<ShopMetrics>(metrics_->registry());
  Shop::Options shop;
  shop.database = config.database.data_store;
  shop.recent_ids = config.database.recent_ids;
  shop.rows.most_bytes = int64_t{config.database.cache_mb} << 20;
  shop.rows.rows_per_key = config.database.rows_per_user;
  shop.default_scenario = config.recommend.scenario;
  shop.retention = config.retention;
  shop.index_from = config.models.index_from;
  shop.share_from = config.models.share_from;
  shop.answered = [this](const Shop::Answer& answer) { shop_metrics_->answered(answer); };
  shop.effect = [this](double seconds) { shop_metrics_->effect(seconds); };
  shop.vfs = options_.vfs;
  shop.now = options_.now;
  shop.log = [this](const std::string& message) { log_->message(AccessLog::Level::kError, message); };
  shop_ = std::make_unique<Shop>(std::move(shop));
  add_models();
  std::string answers = config.recommend.answer_log;
  if (answers.empty()) answers = database_path(config.database.data_store) + ".answers";
  if (answers != "none")
    answers_ = std::make_unique<AnswerLog>(
        AnswerLog::Options{answers, config.recommend.answer_log_share, config.recommend.answer_log_mb});
  keys_ = std::make_unique<KeyRing>(shop_->store().settings(std::string(KeyRing::kSettings)));
  std::vector<std::string> origins = split_list(config.server.cors_origins, ',');
  for (std::string& origin : origins) std::erase(origin, ' ');  // "https://a.example, https://b.example"
  const bool loopback = is_loopback(config.server.host);
  const std::string make_one =
      "make one first: fewshop key create NAME --allow admin --data " + config.database.data_store;
  require(!options_.tcp || loopback || keys_->any_valid(shop_->now()), "server.host: ", config.server.host,
          " is reached from other machines, and the database has no valid key; ", make_one);
  require(!config.server.require_key || keys_->any_valid(shop_->now()),
          "server.require_key: the database has no valid key; ", make_one);
  authorizer_ = std::make_unique<Authorizer>(
      *keys_, Authorizer::Options{.loopback = loopback,
                                  .require_key = config.server.require_key,
                                  .origins = origins,
                                  .now = [this] { return shop_->now(); },
                                  .default_scenario = [this] { return default_scenario(); }});
  add_routes();

  ServerOptions server;
  server.host = config.server.host;
  server.port = static_cast<uint16_t>(config.server.port);
  server.tcp = options_.tcp;
  server.threads = config.server.threads;
  if (options_.admin_socket) server.unix_socket = socket_of(config.database.data_store);
  server.tls_certificate = config.server.tls_certificate;
  server.tls_key = config.server.tls_key;
  server.max_body = static_cast<size_t>(config.server.max_body_mb) << 20;
  server.max_decompressed_body = 4 * server.max_body;
  server.max_connections = config.server.max_connections;
  server.max_in_flight = config.server.max_in_flight;
  server.drain_seconds = config.server.drain_seconds;
  server.cors_origins = origins;
  ServerHooks hooks;
  hooks.authorize = [this](Request& request, const Route* route) { (*authorizer_)(request, route); };
  hooks.observe = [this](const Request& request, const Route* route, int status, double seconds, size_t bytes) {
    metrics_->observe(route, status, seconds);
    log_->request(request, route, status, seconds, bytes);
  };
  hooks.log_error = [this](const Request& request, const Route* route, const std::string& message) {
    log_->error(request, route, message);
  };
  server_ = std::make_unique<Server>(router_, std::move(server), std::move(hooks));
  server_->start();
  log_->message(AccessLog::Level::kInfo,
                fmt::format("serving, port {}, {}, {} models live", server_->port(),
                            open() ? "no key: open to this machine" : "keys needed", shop_->scenarios().size()));
  warmer_ = std::thread([this] {
    try {
      shop_->warm(stopping_);
    } catch (const std::exception& problem) {
      log_->message(AccessLog::Level::kWarning, std::string("rows of users were not read ahead: ") + problem.what());
    }
  });
}

ShopServer::~ShopServer() { stop(); }

std::optional<std::string> ShopServer::default_scenario() const {
  try {
    const auto model = shop_->model_or_null("");
    return model ? model->name() : std::string();
  } catch (const InvalidInput&) {
    return std::nullopt;
  }
}

void ShopServer::add_models() {
  const Config& config = options_.config;
  const auto log = [this](const std::string& message) { log_->message(AccessLog::Level::kInfo, message); };
  ModelShelf::Options shelf;
  shelf.database = config.database.data_store;
  shelf.folder = config.models.folder;
  shelf.keep = config.models.keep;
  shelf.check_users = options_.check_users;
  shelf.log = log;
  shelf_ = std::make_unique<ModelShelf>(*shop_, std::move(shelf));
  const auto now = [this] { return shop_->now(); };
  jobs_ = std::make_unique<Jobs>(now);
  ModelTrainer::Options trainer;
  trainer.program = options_.program;
  trainer.retrain_hours = config.models.retrain_hours;
  trainer.threads = config.models.train_threads;
  trainer.log = log;
  trainer_ = std::make_unique<ModelTrainer>(*shelf_, *jobs_, now, std::move(trainer));
}

void ShopServer::stop() {
  if (!server_ || stopping_.exchange(true)) return;
  log_->message(AccessLog::Level::kInfo, "stopping");
  if (warmer_.joinable()) warmer_.join();
  // First the shop's routes end, then the shop: what is in flight still needs it.
  server_->stop();
  if (trainer_) trainer_->stop();
  if (shelf_) shelf_->stop();
  shop_->stop();
  log_->message(AccessLog::Level::kInfo, "stopped");
}

std::string ShopServer::not_ready() const {
  if (!server_) return "starting";
  if (server_->draining()) return "the server is stopping";
  return shop_->problem();
}

void ShopServer::add_routes() {
  Api api{*shop_, {}, options_.config.server.default_n};
  if (answers_) api.answered = [this](const ListReply& reply) { answers_->answered(reply, shop_->now()); };
  add_shop_routes(router_, api);
  add_model_routes(router_, *shelf_, *trainer_, *jobs_);
  add_people_routes(router_, api);
  add_operation_routes(router_, api, [this] { return not_ready(); });
  add_health_routes(router_, [this] { return not_ready(); });
  metrics_->before_text([this] { shop_metrics_->look(*shop_, not_ready().empty()); });
  add_key_routes(router_, api, *keys_);
  add_metrics_route(router_, *metrics_, "data:read");
  add_apidocs_routes(router_, FEWSHOP_VERSION);
}

}  // namespace fewshop::http
