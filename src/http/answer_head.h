#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "http/route.h"

namespace fewshop::http {

/// The status line and the headers of an answer, the empty line included.
struct AnswerHead {
  std::string_view request_id;
  bool keep_alive = true;
  bool old_version = false;  // HTTP/1.0: keep-alive is said, not understood
};
std::string write_head(const Response& response, const AnswerHead& head);

std::string_view reason_phrase(int status);

/// "Sun, 06 Nov 1994 08:49:37 GMT", now; computed once a second for each thread.
std::string_view http_date();

}  // namespace fewshop::http
