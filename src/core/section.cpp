#include "core/section.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"

namespace fewshop {
namespace {

using nlohmann::json;

/// Insertions, deletions, replacements and exchanges of neighbours that turn one word into the other.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<size_t>> d(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
  for (size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
  for (size_t i = 1; i <= a.size(); ++i)
    for (size_t j = 1; j <= b.size(); ++j) {
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  return d[a.size()][b.size()];
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

/// A value for a message: short, and never a page of text.
std::string shown(const json& value) {
  if (value.is_object()) return "a table";
  std::string text = value.dump(-1, ' ', false, json::error_handler_t::replace);
  if (text.size() > 80) text = text.substr(0, 77) + "...";
  return text;
}

}  // namespace

std::string nearest_word(std::string_view word, const std::vector<std::string>& known) {
  std::string best;
  size_t least = std::max<size_t>(1, word.size() / 3) + 1;
  if (word.size() > 64) return best;
  for (const auto& candidate : known) {
    const size_t distance = edit_distance(word, candidate);
    if (distance >= least) continue;
    least = distance;
    best = candidate;
  }
  return best;
}

Section::Section(const TomlDocument& document, std::string path) : document_(document), path_(std::move(path)) {
  const json* at = &document.values;
  for (size_t begin = 0; begin < path_.size();) {
    const size_t dot = std::min(path_.find('.', begin), path_.size());
    const auto found = at->find(path_.substr(begin, dot - begin));
    if (found == at->end()) return;
    at = &*found;
    require(at->is_object(), document.where(path_), ": expected a section [", path_, "], got ", shown(*at));
    begin = dot + 1;
  }
  values_ = at;
  given_ = true;
}

bool Section::has(const std::string& key) { return find(key) != nullptr; }

const json* Section::find(const std::string& key) {
  if (std::find(known_.begin(), known_.end(), key) == known_.end()) known_.push_back(key);
  const auto found = values_->find(key);
  return found == values_->end() ? nullptr : &*found;
}

std::string Section::text(const std::string& key, const std::string& otherwise) {
  const json* value = find(key);
  if (!value) return otherwise;
  if (!value->is_string()) refuse(key, "text in quotes");
  auto text = value->get<std::string>();
  if (text.empty()) refuse(key, "text that is not empty (leave the key out to have none)");
  return text;
}

double Section::number(const std::string& key, double otherwise, double low, double high) {
  const json* value = find(key);
  if (!value) return otherwise;
  if (!value->is_number() || !(value->get<double>() >= low && value->get<double>() <= high))
    refuse(key, fmt::format("a number from {} to {}", low, high));
  return value->get<double>();
}

int64_t Section::integer(const std::string& key, int64_t otherwise, int64_t low, int64_t high) {
  const json* value = find(key);
  if (!value) return otherwise;
  if (!value->is_number_integer() || value->get<int64_t>() < low || value->get<int64_t>() > high)
    refuse(key, fmt::format("a whole number from {} to {}", low, high));
  return value->get<int64_t>();
}

bool Section::boolean(const std::string& key, bool otherwise) {
  const json* value = find(key);
  if (!value) return otherwise;
  if (!value->is_boolean()) refuse(key, "true or false");
  return value->get<bool>();
}

std::vector<std::string> Section::texts(const std::string& key) {
  const json* value = find(key);
  if (!value) return {};
  const json list = value->is_array() ? *value : json::array({*value});
  std::vector<std::string> texts;
  for (const auto& entry : list) {
    if (!entry.is_string() || entry.get<std::string>().empty()) refuse(key, "text or a list of texts");
    texts.push_back(entry.get<std::string>());
  }
  return texts;
}

std::string Section::word(const std::string& key, const std::string& otherwise, const std::vector<std::string>& words) {
  const json* value = find(key);
  if (!value) return otherwise;
  if (!value->is_string() || std::find(words.begin(), words.end(), value->get<std::string>()) == words.end())
    refuse(key, "one of " + joined(words));
  return value->get<std::string>();
}

json Section::others() const {
  json others = json::object();
  for (const auto& [key, value] : values_->items())
    if (std::find(known_.begin(), known_.end(), key) == known_.end()) others[key] = value;
  return others;
}

void Section::done() const {
  const json unknown = others();
  if (unknown.empty()) return;
  const std::string& key = unknown.begin().key();
  const std::string near = nearest_word(key, known_);
  throw InvalidInput(fmt::format("{}: unknown key{}; known keys{}: {}", where(key),
                                 near.empty() ? "" : ", did you mean '" + near + "'?",
                                 path_.empty() ? "" : " of [" + path_ + "]", joined(known_)));
}

std::string Section::where(const std::string& key) const {
  return document_.where(path_.empty() ? key : path_ + "." + key);
}

void Section::refuse(const std::string& key, const std::string& expected) const {
  const auto found = values_->find(key);
  throw InvalidInput(fmt::format("{}: expected {}, got {}", where(key), expected,
                                 found == values_->end() ? "nothing" : shown(*found)));
}

}  // namespace fewshop
