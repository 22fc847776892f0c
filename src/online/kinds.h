#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

#include "online/event_field.h"
#include "scenario/scenario.h"
#include "store/event.h"

namespace fewshop {

/// The column of `events` that [live] takes a kind's value from.
enum class EventColumn : uint8_t { kNone, kRating, kValue, kPrice, kQuantity };

/// Numbers of the kinds of event (a number is never given twice), which kinds serving keeps rows of, and which column's
/// value a LiveRow of each kind keeps: the one that the [live] of a published scenario names.
///
/// Threads: any number.
class EventKinds {
 public:
  static constexpr int kMost = 65535;
  static constexpr int32_t kUnknown = kMost;  // no kind's number

  /// The number of a kind, a new one where it is not known; -1 when there are too many kinds.
  int32_t add(std::string_view name);
  int32_t find(std::string_view name) const;  // -1 = not known
  std::string name(int32_t kind) const;

  /// Takes over the columns that a scenario's [live], rows.weight and episode.ties name. True where that changes what
  /// rows keep: those in memory have to be read again. Throws InvalidInput for an unknown column, or where another
  /// scenario takes another column.
  bool use(const Scenario& scenario);
  /// The scenario no longer counts.
  void release(const std::string& scenario);

  /// From now on rows of these kinds are kept; nothing = of all. True where that is a change: rows in memory have to be
  /// read again.
  bool keep(std::optional<std::set<int32_t>> kinds);
  bool keeps(int32_t kind) const;
  std::optional<std::vector<std::string>> names_kept() const;  // nothing = all

  /// What a row of this kind keeps.
  struct Kept {
    float number = 0, weight = 0;
    uint32_t tie = 0;
  };
  Kept kept(int32_t kind, const EventRow& row) const;
  /// Whether that needs more of a row than numbers: ids, extra.
  bool keeps_texts() const;

 private:
  mutable std::shared_mutex mutex_;
  std::map<std::string, int32_t, std::less<>> index_;
  std::vector<std::string> names_;
  std::vector<EventColumn> columns_;  // [kinds]
  struct Choice {
    std::map<std::string, EventColumn> columns;  // of kinds
    EventField weight, tie;
  };
  float number(int32_t kind, const EventRow& row) const;
  void refuse_others(const std::string& scenario, const Choice& choice) const;

  std::optional<std::set<int32_t>> keep_;  // nothing = all
  EventField weight_, tie_;                // that some scenario takes
  std::map<std::string, Choice> chosen_;   // by scenario
};

/// The column that a [live] value such as "rating" names; throws InvalidInput naming `where`.
EventColumn event_column(const std::string& name, const std::string& where);

}  // namespace fewshop
