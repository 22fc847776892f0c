#pragma once

#include <cstdint>
#include <vector>

namespace fewshop {

/// The dot products of 8-bit codes that a scan spends its time with, in the forms that processors have instructions
/// for. All forms give the same whole numbers (as floats: rounded beyond 2^24); they differ in how large the codes of a
/// query may be.
struct CodeDots {
  static constexpr int kQueries = 4;  // at once, at most

  /// Dots of the codes of Q queries with those of some blocks (CodeRows::block).
  ///   queries [Q] each [quads * 4]; start [Q] start_of() of each; blocks [count], aligned to 32 bytes; out [count, Q,
  ///   8 rows]
  using Function = void (*)(const int8_t* const* queries, const int32_t* start, const uint8_t* const* blocks, int count,
                            int quads, float* out);

  const char* name;
  int largest;                  // magnitude of a query's code, at most
  Function function[kQueries];  // [Q - 1]

  /// The fastest form that this processor has.
  static const CodeDots& best();
  /// Every form that it has.
  static std::vector<const CodeDots*> all();
  /// Codes of rows are stored with 128 added: what that adds to every dot of this query [size], to be taken off.
  static int32_t start_of(const int8_t* query, int size);
};

}  // namespace fewshop
