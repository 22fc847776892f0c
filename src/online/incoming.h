#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/random.h"
#include "store/event.h"

namespace fewshop {

/// What a body may hold (docs/events.md publishes these).
struct ParseLimits {
  int64_t events = 10'000;         // in one body; more: the body is refused
  int64_t items = 200;             // of one event
  int64_t id_bytes = 1024;         // of an id, of the name of an event
  int64_t extra_bytes = 64 << 10;  // of what has no column, as JSON; of labels
  int64_t shared_bytes = 4 << 10;  // of what stands around the events of a body: each of them keeps it
  int depth = 32;                  // of nesting in one event
};

/// A body that can be read and holds more than ParseLimits::events.
class TooManyValues : public InvalidInput {
 public:
  using InvalidInput::InvalidInput;
};

/// What a parser needs beside the body.
struct ParseContext {
  Micros now = 0;            // the time of what came without one
  Random* random = nullptr;  // ids of events that came without one; seed it from the system's entropy
  bool exported = false;     // to_json wrote the events: names are final (no aliases), "identify" is one as any other
  bool lines = false;        // the content type says JSON lines (application/x-ndjson); else the content tells
  ParseLimits limits;
};

/// One value of a body that was not taken, and why: what was expected, what came.
struct Refusal {
  int64_t index = 0;     // its position in the batch
  std::string event_id;  // "" = it has none that can be read
  std::string reason;
};

/// What a message does beside the event that it is: nothing where that event is a duplicate, so that a message that is
/// sent again changes nothing.
struct Effect {
  int64_t event = -1;  // its own event, a position in the events of the same body; -1 = it has none
  bool off = false;    // set before the commit: its event is a duplicate, or of somebody who may not be known
};

/// A guest who turned out to be a user (identify, alias); join = false undoes it.
struct GuestJoin {
  std::string client_id, user_id;
  bool join = true;
  Effect effect = {};
};

/// What a body said about personalization, in so many words, for a user or a guest.
struct Consent {
  std::string user_id, client_id;
  bool given = true;
  int64_t after = 0;  // events of the same request that came before
  Effect effect = {};
};

/// Changes of a user or an item by the names of the record's members (`labels`, `comment`, `hidden`, `categories`,
/// `time`), only those that were given; labels are to be merged.
struct RecordPatch {
  std::string id;
  nlohmann::json changes = nlohmann::json::object();
  Effect effect = {};
};

/// What one body of events was turned into. Everything is in the order of the body; `events[i]` came from position
/// `index[i]` of it. Every value that is taken is an event; an identity or a change of a user comes beside it.
struct Incoming {
  int64_t total = 0;  // values in the body
  std::vector<Event> events;
  std::vector<int64_t> index;
  std::vector<GuestJoin> identities;
  std::vector<Consent> consents;
  std::vector<RecordPatch> users;
  std::vector<Refusal> refusals;
  std::string write_key;  // Segment's, as the body gave it; a secret, never stored or logged

  /// An effect of the next event.
  Effect with_next() const { return {static_cast<int64_t>(events.size()), false}; }
  /// What the next event says. Whoever consents with an account takes back what the guest refused.
  void note_consent(const std::string& user_id, const std::string& client_id, bool given) {
    const Effect effect = with_next();
    consents.push_back({user_id, client_id, given, effect.event, effect});
    if (given && !user_id.empty() && !client_id.empty())
      consents.push_back({"", client_id, given, effect.event, effect});
  }
};

/// Users or items of one body.
template <class Record>
struct IncomingRecords {
  int64_t total = 0;
  std::vector<Record> records;
  std::vector<int64_t> index;
  std::vector<Refusal> refusals;
};

}  // namespace fewshop
