#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "store/store.h"
#include "support/message_of.h"

namespace fewshop::testing {

inline const std::vector<TableColumn> kRatings = {
    {"user_id", ColumnType::kText}, {"rating", ColumnType::kReal}, {"time", ColumnType::kTime}};

inline TableInfo write_ratings(Store& store, int rows, const std::string& table = "ratings", double first = 0) {
  Transaction transaction(store);
  auto writer = store.write(table, kRatings);
  for (int i = 0; i < rows; ++i) {
    const std::string user = "u" + std::to_string(i);
    writer->add(std::vector<Value>{Value::of(std::string_view(user)), Value::of(first + i), Value::of(int64_t{i})});
  }
  auto info = writer->finish({{"user_id"}, {"user_id", "time"}});
  transaction.commit();
  return info;
}

inline int64_t count(Store& store, const std::string& table) {
  auto cursor = store.query("select count(*) from " + table);
  EXPECT_TRUE(cursor->next());
  return cursor->at(0).integer;
}

}  // namespace fewshop::testing
