#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "feature/columns.h"

namespace fewshop::nn {

// Axes: T tasks, S rows of a task, n entities of a table.

/// One field of what a network reads.
struct Field {
  enum class Kind {
    kNumbers,   // dense numbers, [width]
    kBag,       // a set of entries of a vocabulary, averaged: a category is a bag of one
    kSequence,  // entries of a vocabulary in their order (sequences, tokens of a text)
  };
  std::string name;  // with its prefix: "items.genres"
  Kind kind = Kind::kNumbers;
  int64_t width = 0;       // numbers
  int64_t vocabulary = 0;  // bags and sequences: entries are in [0, vocabulary)
  bool several = false;    // bags: a row may have more than one entry
};

/// Encoded values of all entities of one table (items, rows, task descriptions), made once and shared by all batches.
/// `columns` must outlive it.
struct InputTable {
  std::vector<Field> fields;  // one per column
  const Columns* columns = nullptr;
};

/// Kinds of fields by column: dense columns are numbers, those in `sequences` (names) sequences, all others bags.
InputTable input_table(const Columns& columns, const std::vector<std::string>& sequences = {});

/// What a network reads of [T, S] rows: numbers given directly, and rows of tables. A network made for
/// `fields(input)` reads any input of the same fields.
struct NetworkInput {
  struct Part {
    std::shared_ptr<const InputTable> table;
    at::Tensor row;  // [T, S] int64, row of the table; -1 = nothing known (all fields empty, numbers 0)
  };
  /// An identity of each row as a field of its own: one entry of a vocabulary, or none.
  struct Identity {
    std::string name;
    int64_t vocabulary = 0;
    at::Tensor id;  // [T, S] int64 in [0, vocabulary), -1 = unknown, or not to be used
  };
  at::Tensor numbers;  // [T, S, F] or undefined: the first field
  std::vector<Part> parts;
  std::vector<Identity> identities;  // the last fields
};

/// Only numbers: for tests, vectors at hand, and networks behind another encoder.
inline NetworkInput numbers_only(at::Tensor numbers) { return {std::move(numbers), {}, {}}; }

/// The fields of an input, in the order in which networks number them.
std::vector<Field> fields(const NetworkInput& input);

}  // namespace fewshop::nn
