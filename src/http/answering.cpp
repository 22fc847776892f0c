#include "http/answering.h"

#include <boost/beast/core/string.hpp>
#include <utility>

#include "core/error.h"
#include "http/coding.h"
#include "http/url.h"
#include "online/incoming.h"

namespace fewshop::http {
namespace {

constexpr size_t kMostCompressed = 4 << 20;  // of an answer: more would hold up the thread's other connections
constexpr size_t kMostTogether = 4;          // requests that are answered together

}  // namespace

std::optional<Response> Answering::prepare(RequestReader& reader, Plan& plan) const {
  Request& request = *reader.request;
  try {
    plan.old_version = reader.version != 11;
    plan.head = request.head = reader.method == "HEAD";
    if (reader.other_coding)
      throw HttpError(501, "unsupported_transfer_encoding", "Transfer-Encoding is chunked or absent");
    if (reader.hosts > 1 || (reader.hosts == 0 && !plan.old_version))
      throw HttpError(400, "malformed_request", "a request has one Host header");
    if (reader.expects_other) throw HttpError(417, "unsupported_expectation", "Expect is 100-continue or absent");
    const Target target = split_target(reader.target);
    request.path = std::string(target.path);
    request.query = parse_query(target.query);

    const std::optional<Method> method = plan.head ? Method::kGet : parse_method(reader.method);
    Router::Match match = router_.find(method, target.path);
    if (reader.method == "OPTIONS" && (target.path == "*" || !match.allow.empty())) {
      Response response{.status = 204};
      const std::string allow = allow_header(match.allow);
      response.headers.emplace_back("Allow", allow);
      if (!request.header("access-control-request-method").empty()) cors_.preflight(request, allow, response);
      return response;
    }
    if (!match.route && match.allow.empty())
      throw HttpError(404, "no_such_route", "there is nothing at this address; /apidocs lists all that there is");
    if (!match.route) {
      const std::string allow = allow_header(match.allow);
      Response response =
          Response::error({405, "method_not_allowed", "here the method is one of " + allow}, request.id);
      response.headers.emplace_back("Allow", allow);
      return response;
    }
    request.method = match.route->method;
    request.parameters = std::move(match.parameters);
    plan.route = match.route;
    reader.start_body();
    return std::nullopt;
  } catch (...) {
    return answer_of_current_exception(request, plan.route);
  }
}

Response Answering::answer_of_current_exception(const Request& request, const Route* route) const {
  try {
    throw;
  } catch (const HttpError& e) {
    return Response::error(e, request.id);
  } catch (const TooManyValues& e) {
    return Response::error({413, "too_many_values", e.what()}, request.id);
  } catch (const InvalidInput& e) {
    return Response::error({400, "invalid_request", e.what()}, request.id);
  } catch (const Failure& e) {
    // The reason may name files and tables: it is for the log.
    hooks_.log_error(request, route, e.what());
    HttpError error(503, "unavailable", "the server cannot do this now; its log has the reason under this request id");
    error.retry_after = 1;
    return Response::error(error, request.id);
  } catch (const std::exception& e) {
    hooks_.log_error(request, route, e.what());
  } catch (...) {
    hooks_.log_error(request, route, "an exception of unknown type");
  }
  return Response::error({500, "internal", "an error of the server; its log has the reason under this request id"},
                         request.id);
}

void Answering::dispatch(Loop& loop, const std::shared_ptr<Request>& request, const Route& route,
                         const std::shared_ptr<Exchange>& exchange) {
  const auto state = std::make_shared<ReplyState>(loop.shared_from_this(), exchange, request->id);
  try {
    if (hooks_.authorize) hooks_.authorize(*request, &route);
    if (!route.aside || !route.aside(*request)) {
      if (!route.gathers || !route.gathers(*request)) return handle(request, route, state);
      return gather(loop, request, route, state);
    }
    if (aside_.post([this, request, &route, state] { handle(request, route, state); })) return;
    HttpError error(503, "overloaded", "too many requests that take long are waiting; try again later");
    error.retry_after = 1;
    throw error;
  } catch (...) {
    state->answer(answer_of_current_exception(*request, &route));
  }
}

/// The request is answered when all that can be read now has been read.
void Answering::gather(Loop& loop, const std::shared_ptr<const Request>& request, const Route& route,
                       const std::shared_ptr<ReplyState>& state) {
  if (loop.gathered.empty()) asio::post(loop.context, [this, &loop] { answer_gathered(loop); });
  loop.gathered.push_back({&route,
                           {request, [state](Response response) { state->answer(std::move(response)); },
                            [this, request, &route, state](std::exception_ptr error) {
                              try {
                                std::rethrow_exception(error);
                              } catch (...) {
                                state->answer(answer_of_current_exception(*request, &route));
                              }
                            }}});
}

/// Answers some requests of one route; what is left waits for its turn, behind what has been read meanwhile.
void Answering::answer_gathered(Loop& loop) {
  const Route* route = loop.gathered.front().route;
  std::vector<Call> calls;
  std::deque<Loop::Gathered> others;
  for (Loop::Gathered& waiting : loop.gathered)
    if (waiting.route == route && calls.size() < kMostTogether)
      calls.push_back(std::move(waiting.call));
    else
      others.push_back(std::move(waiting));
  loop.gathered = std::move(others);
  if (!loop.gathered.empty()) asio::post(loop.context, [this, &loop] { answer_gathered(loop); });
  try {
    route->handle_together(calls);
  } catch (...) {
    for (const Call& call : calls) call.fail(std::current_exception());
  }
}

void Answering::handle(const std::shared_ptr<const Request>& request, const Route& route,
                       const std::shared_ptr<ReplyState>& state) const {
  try {
    route.handle(request, [state](Response response) { state->answer(std::move(response)); });
  } catch (...) {
    state->answer(answer_of_current_exception(*request, &route));
  }
}

void Answering::finish(const Request& request, Response& response) const {
  cors_.mark(request, response);
  const size_t size = response.body.size();
  if (size < options_.compress_from || size > kMostCompressed || !is_compressible(response.content_type)) return;
  for (const auto& [name, value] : response.headers)
    if (boost::beast::iequals(name, "Content-Encoding")) return;
  response.headers.emplace_back("Vary", "Accept-Encoding");
  const Coding coding = accepted_coding(request.header("accept-encoding"));
  if (coding == Coding::kIdentity) return;
  response.body = encode(coding, response.body);
  response.headers.emplace_back("Content-Encoding", std::string(coding_name(coding)));
}

void Answering::observe(const Request& request, const Route* route, int status, double seconds,
                        size_t bytes) const noexcept {
  if (!hooks_.observe) return;
  try {
    hooks_.observe(request, route, status, seconds, bytes);
  } catch (...) {
    // Counting must not cost the client its answer.
  }
}

}  // namespace fewshop::http
