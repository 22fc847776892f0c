#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "store/store.h"
#include "table/text_source.h"

namespace fewshop {

/// How a file is laid out; docs/data-formats.md describes every kind and key.
struct FileFormat {
  enum class Kind { kDelimited, kBlanks, kFixed, kItems, kJsonLines, kJson, kRecbole };
  Kind kind = Kind::kDelimited;
  Encoding encoding = Encoding::kUtf8;
  std::vector<std::string> columns;   // names; empty: the file has a header (JSON: all keys that occur)
  int skip = 0;                       // lines before the header or the first record
  std::string separator = ",";        // delimited: one character or more; items: "" = blanks
  char quote = '"';                   // delimited; 0: quotes mean nothing
  std::vector<int> widths;            // fixed: characters of each column
  std::string path;                   // json: where the records are, "data.items"; "" = the document itself
  std::string key;                    // json: the records are the members of an object, their names this column
  std::string line = "line";          // items: column that holds the number of the line, from 1
  std::string item = "item_id";       // items: column that holds the item
  std::string position = "position";  // items: column that holds the place in the line, from 0
  bool line_first = false;            // items: the first item of a line is its name and stands in `line`
};

/// One record of a file. Views are valid until the next one is read.
struct Record {
  std::vector<std::string_view> fields;  // one per column; "" = missing
  int64_t line = 0;                      // where it begins, from 1
  std::string_view raw;
  std::string problem;  // why it does not fit; then `fields` mean nothing
};

/// Reads a file record by record. A record that does not fit is returned with its problem; only what makes the file as
/// a whole unreadable throws InvalidInput.
class RecordReader {
 public:
  virtual ~RecordReader() = default;
  virtual const std::vector<std::string>& columns() const = 0;
  /// Types that the file itself declares (RecBole headers).
  virtual std::map<std::string, ColumnType> types() const { return {}; }
  virtual bool next(Record& record) = 0;
  /// Bytes of the file that were read so far.
  virtual int64_t position() const = 0;
};

std::unique_ptr<RecordReader> open_records(const std::string& path, const FileFormat& format);

/// Gives the record a problem if its raw text is no UTF-8 or holds a zero byte.
void check_text(Record& record);

/// Names of a header, checked: UTF-8, no control characters, no name twice; an empty one becomes "column_3".
std::vector<std::string> checked_header(const std::vector<std::string_view>& names, const std::string& path);

/// One function per kind of file; open_records chooses.
namespace reader {
std::unique_ptr<RecordReader> delimited(const std::string& path, const FileFormat& format);
std::unique_ptr<RecordReader> blanks(const std::string& path, const FileFormat& format);
std::unique_ptr<RecordReader> fixed(const std::string& path, const FileFormat& format);
std::unique_ptr<RecordReader> items(const std::string& path, const FileFormat& format);
std::unique_ptr<RecordReader> json_lines(const std::string& path, const FileFormat& format);
std::unique_ptr<RecordReader> json(const std::string& path, const FileFormat& format);
std::unique_ptr<RecordReader> recbole(const std::string& path, const FileFormat& format);
}  // namespace reader

}  // namespace fewshop
