#include "http/access_log.h"

#include <fmt/format.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <optional>

#include "core/error.h"
#include "core/time.h"
#include "http/line_log.h"
#include "http/router.h"

namespace fewshop::http {
namespace {

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
  Level least;
  std::optional<LineLog> lines;
};

AccessLog::AccessLog(const std::string& path, Level least) : impl_(std::make_unique<Impl>()) {
  impl_->least = least;
  LineLog::Options options;
  options.lost = [](int64_t lost) {
    return fmt::format(R"({{"time":"{}","level":"warning","message":"{} lines came faster than they were written"}})",
                       now(), lost);
  };
  try {
    if (path.empty())
      options.sink = std::make_shared<spdlog::sinks::stderr_sink_st>();
    else
      options.sink = std::make_shared<spdlog::sinks::basic_file_sink_st>(path);
  } catch (const spdlog::spdlog_ex& e) {
    throw Failure(path + ": cannot write the log: " + e.what());
  }
  impl_->lines.emplace(std::move(options));
}

AccessLog::~AccessLog() = default;

void AccessLog::request(const Request& request, const Route* route, int status, double seconds, size_t bytes) {
  const Level level = status >= 500 ? Level::kError : Level::kInfo;
  if (level < impl_->least) return;
  // Nothing here needs escapes: ids of requests were checked, templates and names of methods are ours.
  impl_->lines->write(fmt::format(
      R"({{"time":"{}","level":"{}","request_id":"{}","method":"{}","route":"{}","status":{},"ms":{:.3f},"bytes":{}}})",
      now(), level_name(level), request.id, route ? method_name(route->method) : "-", route ? route->path : "-", status,
      seconds * 1e3, bytes));
}

void AccessLog::error(const Request& request, const Route* route, const std::string& message) {
  impl_->lines->write(fmt::format(R"({{"time":"{}","level":"error","request_id":"{}","route":"{}","message":{}}})",
                                  now(), request.id, route ? route->path : "-", json_text(message)));
}

void AccessLog::message(Level level, std::string_view text) {
  if (level < impl_->least) return;
  impl_->lines->write(
      fmt::format(R"({{"time":"{}","level":"{}","message":{}}})", now(), level_name(level), json_text(text)));
}

}  // namespace fewshop::http
