#pragma once

#include <gmock/gmock.h>

#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/time.h"
#include "online/incoming.h"

namespace fewshop::testing {

inline Micros at(std::string_view time) { return *parse_time(time); }

/// A context whose time is 2026-11-22 and whose ids are the same in every run.
struct Context {
  Random random{7};
  ParseContext context;
  Context() {
    context.now = at("2026-11-22T08:00:00Z");
    context.random = &random;
  }
  operator const ParseContext&() const { return context; }
};

template <class Batch>
std::vector<std::pair<int64_t, std::string>> reasons(const Batch& batch) {
  std::vector<std::pair<int64_t, std::string>> result;
  for (const Refusal& refusal : batch.refusals) result.emplace_back(refusal.index, refusal.reason);
  return result;
}

/// The message of the InvalidInput that `call` throws, "" where it does not.
template <class Call>
std::string refusal_of(Call&& call) {
  try {
    call();
  } catch (const InvalidInput& error) {
    return error.what();
  }
  return "";
}

}  // namespace fewshop::testing
