#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "scenario/scenario.h"
#include "store/store.h"

namespace fewshop {

/// Columns that the user names; the others are guessed.
struct GuessHints {
  std::string user{}, item{}, rating{}, time{};
  std::string place{};  // begins error messages: the file that the table was read from; "" = the table
};

/// A learning problem that a table was taken for.
struct Guess {
  Problem problem = Problem::kRanking;
  std::string user, item, rating, time, ties, event;  // columns, "" = none; ties may be "time" (equal times)
  std::vector<std::string> reasons;                   // one sentence for each choice
  std::string toml;                                   // the scenario file
};

/// Takes a table for a recommendation problem: which column is the user (the task), which the item, whether there is a
/// rating, a time, an order or session that rows stand in, a kind of event. First by name (user, customer, reviewer
/// ...; item, product, sku, asin ...), else by type and by how often values repeat. Other columns that belong to an
/// item or to a user alone become features.
///
/// Throws InvalidInput when there is no user or item column, naming the columns and the options --user and --item.
Guess guess_scenario(Store& store, const std::string& table, const std::string& name, const GuessHints& hints);

}  // namespace fewshop
