#pragma once

#include <string>
#include <vector>

#include "core/hash.h"
#include "store/store.h"

namespace fewshop {

/// The fingerprint of a table, built row by row: columns first, then every cell with its kind, in order.
class ContentHash {
 public:
  explicit ContentHash(const std::vector<TableColumn>& columns) {
    for (const auto& column : columns) {
      add(Value::of(column.name));
      add(Value::of(type_name(column.type)));
    }
  }

  void add(const Value& value) {
    buffer_.push_back(static_cast<char>(value.kind));
    switch (value.kind) {
      case Value::Kind::kNull:
        break;
      case Value::Kind::kInteger:
        append(&value.integer, sizeof value.integer);
        break;
      case Value::Kind::kReal:
        append(&value.real, sizeof value.real);
        break;
      case Value::Kind::kText: {
        const uint64_t size = value.text.size();
        append(&size, sizeof size);
        append(value.text.data(), value.text.size());
        break;
      }
    }
  }

  void end_row() {
    ++rows_;
    if (buffer_.size() >= kFlush) flush();
  }

  int64_t rows() const { return rows_; }

  std::string hex() {
    flush();
    return to_hex(Fingerprint().add(state_).add(static_cast<uint64_t>(rows_)).value());
  }

 private:
  static constexpr size_t kFlush = 1 << 16;

  void append(const void* data, size_t size) { buffer_.append(static_cast<const char*>(data), size); }
  void flush() {
    state_ = hash64(buffer_, state_);
    buffer_.clear();
  }

  std::string buffer_;
  uint64_t state_ = 0;
  int64_t rows_ = 0;
};

}  // namespace fewshop
