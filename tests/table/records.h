#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/error.h"
#include "support/message_of.h"
#include "table/record.h"

namespace fewshop::testing {

using Rows = std::vector<std::vector<std::string>>;

struct Read {
  std::vector<std::string> columns;
  Rows rows;
  std::vector<std::string> problems;  // "7: expected 3 fields, got 2 | raw"
};

/// Everything that a file holds.
inline Read read_all(const std::string& path, const FileFormat& format) {
  const auto reader = open_records(path, format);
  Read all{reader->columns(), {}, {}};
  Record record;
  while (reader->next(record)) {
    if (record.problem.empty())
      all.rows.emplace_back(record.fields.begin(), record.fields.end());
    else
      all.problems.push_back(std::to_string(record.line) + ": " + record.problem + " | " + std::string(record.raw));
  }
  return all;
}

}  // namespace fewshop::testing
