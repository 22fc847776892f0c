#include "scenario/guess.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string_view>

#include "core/error.h"
#include "core/progress.h"
#include "scenario/names.h"

namespace fewshop {
namespace {

// What columns are called, the more telling words first.
constexpr std::array<std::string_view, 16> kUserWords = {
    "user",    "customer", "client", "member", "reviewer", "buyer",     "shopper", "consumer",
    "visitor", "account",  "person", "author", "uid",      "household", "voter",   "listener"};
constexpr std::array<std::string_view, 24> kItemWords = {
    "item",   "product", "sku",   "asin",  "article",  "stock",      "movie",   "book",
    "isbn",   "artist",  "song",  "track", "business", "restaurant", "place",   "game",
    "recipe", "good",    "offer", "ad",    "iid",      "film",       "listing", "itm"};
constexpr std::array<std::string_view, 7> kRatingWords = {"rating",  "stars", "star", "score",
                                                          "overall", "rate",  "vote"};
constexpr std::array<std::string_view, 6> kTimeWords = {"timestamp", "time", "datetime", "date", "ts", "day"};
constexpr std::array<std::string_view, 8> kTieWords = {"invoice", "order",   "basket", "transaction",
                                                       "session", "receipt", "cart",   "visit"};
constexpr std::array<std::string_view, 4> kEventWords = {"event", "action", "behavior", "behaviour"};
// Words that make a name an identifier, and words that make it something else about the user or item.
constexpr std::array<std::string_view, 8> kKeyWords = {"id", "code", "no", "number", "num", "key", "hash", "uuid"};
constexpr std::array<std::string_view, 22> kOtherWords = {
    "name", "title",    "description", "desc",  "category", "categories", "type",  "price",
    "age",  "gender",   "country",     "city",  "text",     "summary",    "count", "brand",
    "qty",  "quantity", "url",         "image", "status",   "group"};
// Numbers that say how much, never which.
constexpr std::array<std::string_view, 17> kMeasureWords = {
    "price", "age",      "count",   "qty",   "quantity", "amount", "total",    "sum",    "value",
    "cost",  "discount", "revenue", "sales", "weight",   "length", "duration", "percent"};
constexpr std::array<std::string_view, 4> kLabelWords = {"name", "title", "description", "desc"};
// Numbers with such names may tell the answer (an average of the ratings that are to be predicted).
constexpr std::array<std::string_view, 10> kLeakWords = {"rating", "score", "stars", "avg",  "average",
                                                         "count",  "rank",  "votes", "mean", "overall"};

constexpr int kMaxFeatures = 6;
constexpr int64_t kMinRepeating = 10;  // values that a column must have to be taken for users or items by its numbers

/// "CustomerID", "customer_id", "customer id" -> customer, id.
std::vector<std::string> words_of_name(const std::string& name) {
  std::vector<std::string> words;
  std::string word;
  const auto end_word = [&] {
    if (!word.empty()) words.push_back(word);
    word.clear();
  };
  for (size_t i = 0; i < name.size(); ++i) {
    const auto c = static_cast<unsigned char>(name[i]);
    if (!std::isalnum(c) && c < 0x80) {
      end_word();
      continue;
    }
    const bool upper = std::isupper(c), after_lower = i > 0 && std::islower(static_cast<unsigned char>(name[i - 1]));
    if (upper && after_lower) end_word();
    word += static_cast<char>(std::tolower(c));
  }
  end_word();
  return words;
}

/// Position of a word of the name in the list (also as a plural, or with "id" grown on to it), or nothing.
std::optional<int> position_in(std::span<const std::string_view> list, const std::vector<std::string>& words) {
  std::optional<int> best;
  for (const std::string& word : words)
    for (size_t i = 0; i < list.size(); ++i) {
      const std::string listed(list[i]);
      if (word == listed || word == listed + "s" || word == listed + "id" || word == listed + "no")
        best = std::min(best.value_or(1000), static_cast<int>(i));
    }
  return best;
}

bool has_word(std::span<const std::string_view> list, const std::vector<std::string>& words) {
  return position_in(list, words).has_value();
}

/// A name as SQL takes it.
std::string sql_name(const std::string& name) {
  std::string out = "\"";
  for (const char c : name) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

/// A TOML string: literal where that is possible, so that SQL stays readable.
std::string toml_text(const std::string& text) {
  const auto plain = [](unsigned char c) { return c >= 0x20 && c != 0x7f && c != '\''; };
  if (text.find_first_of("\"\\") != std::string::npos && std::all_of(text.begin(), text.end(), plain))
    return "'" + text + "'";
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    else
      out += c;
  }
  return out + "\"";
}

class Guesser {
 public:
  Guesser(Store& store, const std::string& table, const std::string& name, const GuessHints& hints)
      : store_(store),
        table_(table),
        name_(name),
        hints_(hints),
        place_(hints.place.empty() ? table : hints.place),
        info_(store.describe(table)) {}

  Guess guess() {
    require(info_.rows > 0, place_, ": expected rows, found none");
    guess_.time = choose("time", hints_.time, kTimeWords, &Guesser::may_be_time);
    guess_.rating = choose("rating", hints_.rating, kRatingWords, &Guesser::may_be_rating);
    guess_.user = choose("user", hints_.user, kUserWords, &Guesser::may_be_key);
    guess_.item = choose("item", hints_.item, kItemWords, &Guesser::may_be_key);
    if (guess_.time.empty()) first_of_type(ColumnType::kTime);
    if (guess_.time.empty()) say_unread_times();
    by_numbers();
    guess_.ties = choose("order", "", kTieWords, &Guesser::may_be_ties);
    guess_.event = choose("event", "", kEventWords, &Guesser::may_be_event);
    if (guess_.rating.empty() && guess_.event.empty()) rating_by_numbers();
    guess_.problem = guess_.rating.empty() ? Problem::kRanking : Problem::kRating;
    // Several rows of a user at one time are a basket: to know a part of it would tell the rest.
    if (guess_.problem == Problem::kRanking && guess_.ties.empty() && !guess_.time.empty() &&
        pairs(guess_.user, guess_.time) * 5 < info_.rows * 4) {
      guess_.ties = "time";
      guess_.reasons.push_back("baskets: rows of one user at one time, because most rows are not alone");
    }
    guess_.toml = toml();
    return guess_;
  }

 private:
  const TableColumn& column(const std::string& name) const { return info_.columns[info_.index_of(name)]; }

  bool taken(const std::string& name) const {
    for (const auto* role : {&guess_.user, &guess_.item, &guess_.rating, &guess_.time, &guess_.ties, &guess_.event})
      if (*role == name) return true;
    for (const auto* hint : {&hints_.user, &hints_.item, &hints_.rating, &hints_.time})
      if (*hint == name) return true;
    return false;
  }

  int64_t number(const std::string& sql) {
    progress_.advance();
    const auto cursor = store_.query(sql);
    return cursor->next() ? static_cast<int64_t>(cursor->at(0).number()) : 0;
  }

  int64_t distinct(const std::string& name) {
    const auto [found, added] = distinct_.emplace(name, 0);
    if (added)
      found->second = number(fmt::format("select count(distinct {}) from {}", sql_name(name), sql_name(table_)));
    return found->second;
  }

  /// Different pairs of values of two columns, of rows that have both.
  int64_t pairs(const std::string& a, const std::string& b) {
    return number(
        fmt::format("select count(*) from (select distinct {0}, {1} from {2} where {0} is not null and {1} is "
                    "not null) as pairs",
                    sql_name(a), sql_name(b), sql_name(table_)));
  }

  bool may_be_time(const TableColumn& c) { return c.type != ColumnType::kBoolean && c.type != ColumnType::kText; }
  bool may_be_rating(const TableColumn& c) {
    return (c.type == ColumnType::kInteger || c.type == ColumnType::kReal) && distinct(c.name) >= 2 &&
           distinct(c.name) <= 101;
  }
  bool may_be_key(const TableColumn& c) {
    return c.type != ColumnType::kTime && c.type != ColumnType::kBoolean && distinct(c.name) >= 2;
  }
  /// An order groups several rows of one user.
  bool may_be_ties(const TableColumn& c) {
    if (!may_be_key(c) || distinct(c.name) >= info_.rows) return false;
    return pairs(c.name, guess_.user) <= distinct(c.name) * 101 / 100;
  }
  bool may_be_event(const TableColumn& c) {
    return c.type == ColumnType::kText && distinct(c.name) >= 2 && distinct(c.name) <= 20;
  }

  /// The column that the user named, or the best one by name among those that `fits` admits; "" = none.
  std::string choose(const std::string& role, const std::string& hint, std::span<const std::string_view> words,
                     bool (Guesser::*fits)(const TableColumn&)) {
    if (!hint.empty()) {
      require(info_.index_of(hint) >= 0, "--", role, ": no column '", hint, "'; columns: ", columns_text());
      const ColumnType type = column(hint).type;
      require(role != "rating" || type == ColumnType::kInteger || type == ColumnType::kReal, "--rating: column '", hint,
              "' holds ", type_name(type), ", expected numbers");
      require(role != "time" || (type != ColumnType::kText && type != ColumnType::kBoolean), "--time: column '", hint,
              "' holds ", type_name(type), ", expected times");
      guess_.reasons.push_back(fmt::format("{}: column '{}', as given", role, hint));
      return hint;
    }
    std::string best;
    int best_score = 1'000'000;
    for (const TableColumn& c : info_.columns) {
      if (taken(c.name)) continue;
      const auto name_words = words_of_name(c.name);
      const auto position = position_in(words, name_words);
      if (!position) continue;
      // An identifier before the thing's other properties, then the more telling word, then the shorter name.
      int score = *position * 10 + static_cast<int>(name_words.size());
      if (has_word(kOtherWords, name_words)) score += 10'000;
      // "order_item_id" counts the lines of an order.
      if (role == "item" && has_word(kTieWords, name_words)) score += 5'000;
      if (!has_word(kKeyWords, name_words) && name_words.size() > 1) score += 500;
      if (role == "time" && c.type == ColumnType::kTime) score -= 1'000;
      if (score >= best_score || !(this->*fits)(c)) continue;
      best = c.name;
      best_score = score;
    }
    if (!best.empty()) guess_.reasons.push_back(fmt::format("{}: column '{}', by its name", role, best));
    return best;
  }

  void first_of_type(ColumnType type) {
    for (const TableColumn& c : info_.columns)
      if (c.type == type && !taken(c.name)) {
        guess_.time = c.name;
        guess_.reasons.push_back(fmt::format("time: column '{}', by its type", c.name));
        return;
      }
  }

  void say_unread_times() {
    for (const TableColumn& c : info_.columns)
      if (c.type == ColumnType::kText && has_word(kTimeWords, words_of_name(c.name)))
        guess_.reasons.push_back(
            fmt::format("time: none; column '{}' is called like one, but its values are not read as times, so rows are "
                        "taken in random order",
                        c.name));
  }

  /// Whether hardly any item has two values here (a seller, a brand): then nobody can take what somebody else took.
  bool owns_items(const std::string& name) { return pairs(guess_.item, name) <= distinct(guess_.item) * 110 / 100; }

  /// Users and items that no name tells: the columns of keys whose values repeat, the one with the most values first.
  void by_numbers() {
    for (auto* role : {&guess_.user, &guess_.item}) {
      if (!role->empty()) continue;
      const std::string what = role == &guess_.user ? "user" : "item";
      const std::span<const std::string_view> words_of_role = what == "user"
                                                                  ? std::span<const std::string_view>(kUserWords)
                                                                  : std::span<const std::string_view>(kItemWords);
      std::string best, owners;
      int64_t most = kMinRepeating - 1;
      for (const TableColumn& c : info_.columns) {
        const auto words = words_of_name(c.name);
        if (taken(c.name) || c.type == ColumnType::kReal || !may_be_key(c) || has_word(kTieWords, words)) continue;
        if (has_word(kOtherWords, words) && what == "user") continue;
        if (has_word(kMeasureWords, words)) continue;
        const int64_t values = distinct(c.name);
        if (what == "user" && values >= kMinRepeating && !guess_.item.empty() && owns_items(c.name)) {
          owners += fmt::format("; {} is none: hardly any {} has more than one", c.name, guess_.item);
          continue;
        }
        // In a log of users and items both occur again and again.
        if (values > most && values * 3 <= info_.rows * 2) {
          most = values;
          best = c.name;
        }
      }
      require(!best.empty(), place_, ": no column looks like the ", what,
              what == "user" ? " (a customer, reviewer, session ...: whoever the next recommendation is for)"
                             : " (a product, film, article ...: what is recommended)",
              owners, "; columns: ", columns_text(), single_value(words_of_role), "; name it with --", what, " COLUMN");
      *role = best;
      guess_.reasons.push_back(fmt::format("{}: column '{}', because its {} values repeat", what, best, most));
    }
    require(guess_.user != guess_.item, "--user and --item: expected two columns, got '", guess_.user, "' twice");
  }

  /// Says it where a column is called so, but cannot be it because all its values are equal.
  std::string single_value(std::span<const std::string_view> words) {
    for (const TableColumn& c : info_.columns)
      if (!taken(c.name) && position_in(words, words_of_name(c.name)) && distinct(c.name) < 2)
        return fmt::format("; '{}' holds {} only, and learning across them needs several", c.name,
                           distinct(c.name) == 0 ? "nothing" : "one value");
    return "";
  }

  /// A rating that no name tells: the only number left in a narrow table.
  void rating_by_numbers() {
    std::vector<std::string> numbers;
    for (const TableColumn& c : info_.columns)
      if (!taken(c.name) && may_be_rating(c)) numbers.push_back(c.name);
    if (info_.columns.size() > 4 || numbers.size() != 1 || distinct(numbers[0]) > 20) return;
    if (has_word(kOtherWords, words_of_name(numbers[0]))) return;
    guess_.rating = numbers[0];
    guess_.reasons.push_back(
        fmt::format("rating: column '{}', the only number left, with {} values", numbers[0], distinct(numbers[0])));
  }

  std::string columns_text() const {
    std::string text;
    for (const TableColumn& c : info_.columns)
      text += (text.empty() ? "" : ", ") + c.name + " (" + type_name(c.type) + ")";
    return text;
  }

  /// Columns that have one value for each value of `key`.
  std::vector<std::string> properties_of(const std::string& key) {
    std::vector<std::string> names;
    for (const TableColumn& c : info_.columns) {
      if (names.size() == kMaxFeatures) break;
      if (taken(c.name) || used_.count(c.name) || c.name == key || c.type == ColumnType::kTime) continue;
      const bool numeric = c.type == ColumnType::kInteger || c.type == ColumnType::kReal;
      if (numeric && has_word(kLeakWords, words_of_name(c.name))) continue;
      // Names are typed again and again, and not always alike; everything else has to be one value each.
      const int64_t allowed = has_word(kLabelWords, words_of_name(c.name)) ? 200 : 105;
      if (distinct(c.name) < 2 || pairs(key, c.name) > distinct(key) * allowed / 100) continue;
      names.push_back(c.name);
      used_.insert(c.name);
    }
    return names;
  }

  std::string entity_section(const std::string& section, const std::string& key, const char* what) {
    const auto names = properties_of(key);
    std::string sql = "select " + sql_name(key);
    for (const std::string& name : names) sql += fmt::format(", max({0}) as {0}", sql_name(name));
    sql += fmt::format(" from {0} where {1} is not null group by {1}", sql_name(table_), sql_name(key));
    if (names.empty()) return "";
    guess_.reasons.push_back(fmt::format("features of the {}: {}, because each {} has one value there", what,
                                         fmt::format("'{}'", fmt::join(names, "', '")), what));
    return fmt::format("\n[{}]\nsql = {}\nkey = {}\n", section, toml_text(sql), toml_text(key));
  }

  /// Rows (or orders) of the middle user.
  int64_t median_size() {
    const std::string& ties = guess_.ties == "time" ? guess_.time : guess_.ties;
    const std::string what = ties.empty() ? "*" : "distinct " + sql_name(ties);
    const auto cursor = store_.query(fmt::format("select count({}) from {} where {} is not null group by {}", what,
                                                 sql_name(table_), sql_name(guess_.user), sql_name(guess_.user)));
    std::vector<int64_t> sizes;
    while (cursor->next()) sizes.push_back(cursor->at(0).integer);
    require(!sizes.empty(), place_, ": column '", guess_.user, "' (the user) is empty");
    std::nth_element(sizes.begin(), sizes.begin() + static_cast<ptrdiff_t>(sizes.size() / 2), sizes.end());
    return sizes[sizes.size() / 2];
  }

  std::string toml() {
    const bool rating = guess_.problem == Problem::kRating;
    std::string rows = fmt::format("[rows]\ntable = {}\ntask  = {}\nitem  = {}\n", toml_text(table_),
                                   toml_text(guess_.user), toml_text(guess_.item));
    if (rating) rows += "target = " + toml_text(guess_.rating) + "\n";
    if (!guess_.time.empty()) rows += "time  = " + toml_text(guess_.time) + "\n";
    if (!guess_.event.empty()) rows += "event = " + toml_text(guess_.event) + "\n";

    std::string items = entity_section("items", guess_.item, "item");
    if (!rating) {
      const bool again = pairs(guess_.user, guess_.item) * 10 < info_.rows * 9;
      if (items.empty()) items = "\n[items]\n" + items_source();
      items += fmt::format("seen = \"{}\"   # users {} items again\n", again ? "include" : "exclude",
                           again ? "take" : "hardly take");
    }
    const std::string tasks = entity_section("tasks", guess_.user, "user");

    const int64_t query = std::clamp<int64_t>(median_size() / 3, 1, rating ? 10 : 5);
    std::string episode = fmt::format("\n[episode]\nsupport = [0, {}]\nquery   = {}\nrows    = {}\n",
                                      guess_.ties.empty() ? 100 : 20, query, query + 1);
    if (!guess_.ties.empty()) episode += "ties    = " + toml_text(guess_.ties) + "\n";
    episode += "shots   = [0, 1, 3, 5, 10]\n";

    std::string head = fmt::format(
        "# Guessed from the table {}. Correct what is wrong, then:  fewshop train THIS_FILE --data DB --out MODEL\n",
        one_line(table_));
    for (const std::string& reason : guess_.reasons) head += "#   " + one_line(reason) + "\n";
    head += fmt::format("name    = {}\nproblem = \"{}\"\n\n", toml_text(name_), problem_name(guess_.problem));
    return head + rows + items + tasks + "\n[split]\ntrain = 0.7\nvalid = 0.15\ntest  = 0.15\n" + episode;
  }

  std::string items_source() const {
    return fmt::format("sql = {}\nkey = {}\n",
                       toml_text(fmt::format("select distinct {0} from {1} where {0} is not null",
                                             sql_name(guess_.item), sql_name(table_))),
                       toml_text(guess_.item));
  }

  static std::string one_line(std::string text) {
    std::replace_if(
        text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
    return text;
  }

  Store& store_;
  std::string table_, name_;
  GuessHints hints_;
  std::string place_;
  TableInfo info_;
  Guess guess_;
  std::map<std::string, int64_t> distinct_;
  std::set<std::string> used_;
  Progress progress_{"guess: questions about the columns", 0};
};

}  // namespace

Guess guess_scenario(Store& store, const std::string& table, const std::string& name, const GuessHints& hints) {
  return Guesser(store, table, name, hints).guess();
}

}  // namespace fewshop
