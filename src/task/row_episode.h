#pragma once

#include <span>
#include <vector>

#include "runtime/row_member.h"
#include "task/dataset.h"

namespace fewshop {

/// The columns of one row of a dataset, its item's behind its own, as row members take them. Views point into the
/// dataset; `views` is where they stand.
RowInput row_input(const Dataset& data, int32_t row, std::span<const int32_t> item_of, std::vector<ColumnView>& views);

/// An episode of a dataset in the form that row members take; owns what its spans point into.
struct RowEpisode {
  std::vector<std::vector<ColumnView>> views;  // [support + query]
  std::vector<Example> support;
  std::vector<RowInput> query;
  std::vector<ColumnView> description;

  RowTask task() const { return {support, description}; }
};

///   item_of  dataset item -> item of the model, -1 = unknown to it; empty: both number items alike
///   kind_of  kind of event alike; support rows of a kind that is -1 are left out
RowEpisode row_episode(const Dataset& data, const Episode& episode, std::span<const int32_t> item_of = {},
                       std::span<const int> kind_of = {});

}  // namespace fewshop
