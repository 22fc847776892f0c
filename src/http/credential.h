#pragma once

#include <string>

#include "http/route.h"

namespace fewshop::http {

/// The key that a request brings, "" where it brings none; the first of
///
///   X-API-Key: KEY
///   Authorization: Basic, as user name; the password is not looked at
///   Authorization: Bearer KEY
///   ?api_secret=KEY               GA4's Measurement Protocol
///   "writeKey" of the body        of /v1/..., Segment
///
/// It is a secret: it must not reach a log or an answer.
std::string credential_of(const Request& request);

}  // namespace fewshop::http
