#pragma once

#include <map>
#include <string>
#include <string_view>

#include "store/store.h"

namespace fewshop {

/// How the text of a field becomes a value.
struct FieldType {
  ColumnType type = ColumnType::kText;
  std::string time_format;  // for times, as of strptime ("%d/%m/%Y"); "" = what parse_time reads

  /// "real", "time", "time:%d/%m/%Y"; throws InvalidInput, which `place` begins.
  static FieldType parse(std::string_view text, const std::string& place);
};

/// The value of a field; false when it does not fit its type. Empty text is missing (null). Numbers may have blanks
/// around them; what is no number of finite size does not fit ("1e999", "nan", "--", "1,5"), nor does a date that does
/// not exist. Booleans: 1/0, true/false, yes/no, t/f, y/n in any case. Text fits always and is kept as it is.
bool parse_field(std::string_view text, const FieldType& type, Value& value);

/// Finds the type of a column from all its values: boolean, integer, real or time where 99 % of the values that are not
/// empty fit, else text. Ids (columns called id, *_id, *Id, *ID) and columns with leading zeros are text.
class TypeGuess {
 public:
  explicit TypeGuess(std::string_view column);
  void add(std::string_view text);
  ColumnType type() const;

 private:
  bool is_id_, is_time_;
  bool leading_zero_ = false;
  int64_t values_ = 0, integers_ = 0, reals_ = 0, booleans_ = 0, dates_ = 0, epochs_ = 0;
};

}  // namespace fewshop
