#include "http/access_log.h"

#include <fmt/format.h>
#include <spdlog/async.h>
#include <spdlog/async_logger.h>
#include <spdlog/details/periodic_worker.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <chrono>

#include "core/error.h"
#include "core/time.h"
#include "http/router.h"

namespace fewshop::http {
namespace {

spdlog::level::level_enum spdlog_level(AccessLog::Level level) {
  switch (level) {
    case AccessLog::Level::kDebug:
      return spdlog::level::debug;
    case AccessLog::Level::kInfo:
      return spdlog::level::info;
    case AccessLog::Level::kWarning:
      return spdlog::level::warn;
    case AccessLog::Level::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

std::string_view level_name(AccessLog::Level level) {
  switch (level) {
    case AccessLog::Level::kDebug:
      return "debug";
    case AccessLog::Level::kInfo:
      return "info";
    case AccessLog::Level::kWarning:
      return "warning";
    case AccessLog::Level::kError:
      return "error";
  }
  return "info";
}

std::string now() { return format_time(system_time()); }

std::string json_text(std::string_view text) {
  return nlohmann::json(std::string(text)).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

struct AccessLog::Impl {
  std::shared_ptr<spdlog::async_logger> logger;
  // Goes first: its thread writes what is queued and ends, and then nobody else uses the logger and its file.
  std::shared_ptr<spdlog::details::thread_pool> pool = std::make_shared<spdlog::details::thread_pool>(8192, 1);
  std::unique_ptr<spdlog::details::periodic_worker> flusher;  // before them all
};

AccessLog::AccessLog(const std::string& path, Level least) : impl_(std::make_unique<Impl>()) {
  try {
    spdlog::sink_ptr sink;
    if (path.empty())
      sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
    else
      sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(path);
    impl_->logger = std::make_shared<spdlog::async_logger>("fewshop", std::move(sink), impl_->pool,
                                                           spdlog::async_overflow_policy::overrun_oldest);
  } catch (const spdlog::spdlog_ex& e) {
    throw Failure(path + ": cannot write the log: " + e.what());
  }
  impl_->logger->set_pattern("%v");
  impl_->logger->set_level(spdlog_level(least));
  impl_->logger->flush_on(spdlog::level::warn);
  impl_->flusher = std::make_unique<spdlog::details::periodic_worker>(
      [logger = impl_->logger.get()] { logger->flush(); }, std::chrono::seconds(1));
}

AccessLog::~AccessLog() {
  impl_->flusher.reset();
  impl_->logger->flush();
}

void AccessLog::request(const Request& request, const Route* route, int status, double seconds, size_t bytes) {
  const Level level = status >= 500 ? Level::kError : Level::kInfo;
  if (!impl_->logger->should_log(spdlog_level(level))) return;
  // Nothing here needs escapes: ids of requests were checked, templates and names of methods are ours.
  impl_->logger->log(
      spdlog_level(level),
      fmt::format(
          R"({{"time":"{}","level":"{}","request_id":"{}","method":"{}","route":"{}","status":{},"ms":{:.3f},"bytes":{}}})",
          now(), level_name(level), request.id, route ? method_name(route->method) : "-", route ? route->path : "-",
          status, seconds * 1e3, bytes));
}

void AccessLog::error(const Request& request, const Route* route, const std::string& message) {
  impl_->logger->log(spdlog::level::err,
                     fmt::format(R"({{"time":"{}","level":"error","request_id":"{}","route":"{}","message":{}}})",
                                 now(), request.id, route ? route->path : "-", json_text(message)));
}

void AccessLog::message(Level level, std::string_view text) {
  impl_->logger->log(spdlog_level(level), fmt::format(R"({{"time":"{}","level":"{}","message":{}}})", now(),
                                                      level_name(level), json_text(text)));
}

}  // namespace fewshop::http
