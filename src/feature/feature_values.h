#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "scenario/scenario.h"

namespace fewshop {

/// Whether a feature of this type becomes numbers (number, log-number, time, vector) or vocabulary entries (category,
/// categories, text, sequence). `id` is neither: learners have their own factors of items and tasks.
bool is_dense(FeatureType type);

/// The words of an id feature, in order: each once, but for a sequence, which keeps what it repeats. category: the
/// trimmed value; categories and sequence: its parts; text: text_words (feature/text_words.h). Bytes that are no UTF-8
/// become U+FFFD, as JSON, which vocabularies are written in, holds UTF-8 only.
std::vector<std::string> words_of(const FeatureSpec& spec, std::string_view value);

/// The numbers of a dense feature before standardising, without the missing indicator; nothing where the value does
/// not parse or is not finite.
///   number, log-number  1: x, or sign(x) log(1 + |x|)
///   time                7: days since 1970, then sine and cosine of the month, of the weekday and of the hour
///   vector              as many as there are
std::optional<std::vector<double>> numbers_of(const FeatureSpec& spec, std::string_view value);

}  // namespace fewshop
