#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/route.h"

namespace fewshop::http {

/// Which web pages may read our answers: the origins ("https://shop.example") listed, or all with "*". Cookies are not
/// used here, so "*" gives a page nothing that its key does not.
class Cors {
 public:
  explicit Cors(std::vector<std::string> origins) : origins_(std::move(origins)) {}

  bool allows(std::string_view origin) const;
  /// Adds Access-Control-Allow-Origin and -Expose-Headers, and Vary, to the answer of a request.
  void mark(const Request& request, Response& response) const;
  /// Adds what a preflight asks for; `methods` as in header Allow.
  void preflight(const Request& request, const std::string& methods, Response& response) const;

 private:
  bool any() const;

  std::vector<std::string> origins_;
};

}  // namespace fewshop::http
