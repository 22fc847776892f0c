#include "http/answer_head.h"

#include <fmt/format.h>

#include <ctime>
#include <iterator>

namespace fewshop::http {
namespace {

// A value may hold what a client sent (an id): it must not end its line.
void append_value(std::string& out, std::string_view value) {
  for (const char c : value) out.push_back(static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c);
}

}  // namespace

std::string_view reason_phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 422:
      return "Unprocessable Content";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Status";
  }
}

std::string_view http_date() {
  thread_local time_t second = 0;
  thread_local std::string text;
  const time_t now = ::time(nullptr);
  if (now != second) {
    char buffer[64];
    std::tm parts{};
    ::gmtime_r(&now, &parts);
    // Not strftime's names of days: those follow the locale.
    constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const auto end = fmt::format_to_n(buffer, sizeof buffer, "{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT",
                                      kDays[parts.tm_wday], parts.tm_mday, kMonths[parts.tm_mon], parts.tm_year + 1900,
                                      parts.tm_hour, parts.tm_min, parts.tm_sec);
    text.assign(buffer, end.out);
    second = now;
  }
  return text;
}

std::string write_head(const Response& response, const AnswerHead& head) {
  std::string out;
  out.reserve(320);
  fmt::format_to(std::back_inserter(out), "HTTP/1.1 {} {}\r\nDate: {}\r\nX-Request-ID: ", response.status,
                 reason_phrase(response.status), http_date());
  append_value(out, head.request_id);
  if (response.status != 204 && response.status != 304)
    fmt::format_to(std::back_inserter(out), "\r\nContent-Length: {}", response.body.size());
  if (!response.body.empty() && !response.content_type.empty()) {
    out += "\r\nContent-Type: ";
    append_value(out, response.content_type);
    out += "\r\nX-Content-Type-Options: nosniff";
  }
  for (const auto& [name, value] : response.headers) {
    out += "\r\n";
    append_value(out, name);
    out += ": ";
    append_value(out, value);
  }
  if (!head.keep_alive)
    out += "\r\nConnection: close";
  else if (head.old_version)
    out += "\r\nConnection: keep-alive";
  out += "\r\n\r\n";
  return out;
}

}  // namespace fewshop::http
