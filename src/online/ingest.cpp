#include "online/ingest.h"

#include <algorithm>
#include <chrono>

namespace fewshop {
namespace {

constexpr size_t kMostTogether = 512;  // submissions in one commit
constexpr auto kIdle = std::chrono::milliseconds(50);

int64_t size_of(const Change& change) {
  return 1 + std::ssize(change.old_rows) + std::ssize(change.events) + std::ssize(change.users) +
         std::ssize(change.items) + std::ssize(change.overwritten_feedback) + std::ssize(change.deleted_feedback);
}

}  // namespace

void write_change(ShopStore::Writer& writer, const Change& change, Outcome& outcome) {
  int64_t& rows = outcome.rows;
  for (const auto& item : change.items) rows += writer.put_item(item);
  for (const auto& patch : change.item_patches) rows += writer.patch_item(patch.id, patch.changes);
  for (const auto& user : change.users) rows += writer.put_user(user);
  for (const auto& patch : change.user_patches)
    if (!patch.effect.off) rows += writer.patch_user(patch.id, patch.changes);
  if (!change.named_items.empty()) writer.name_items(change.named_items);
  // In the order of the request: an event belongs to somebody who has refused until the consent that came with it.
  int64_t written = 0;
  const auto append_until = [&](int64_t end) {
    if (end > written) writer.append(std::span(change.events).subspan(written, end - written));
    written = std::max(written, end);
  };
  for (const auto& consent : change.consents) {
    if (consent.effect.off) continue;
    append_until(consent.after);
    rows += writer.set_personalization(consent.user_id, consent.client_id, consent.given);
  }
  append_until(change.fresh);
  for (const auto& join : change.joins)
    if (!join.effect.off) rows += join.join ? writer.join(join.client_id, join.user_id) : writer.part(join.client_id);
  for (const auto& event : change.overwritten_feedback) rows += writer.replace_feedback(event);
  for (const auto& key : change.deleted_feedback) rows += writer.delete_feedback(key.event, key.user_id, key.item_id);
  for (const auto& id : change.deleted_items) rows += writer.delete_item(id);
  for (const auto& id : change.forgotten_users)
    for (const auto& [table, count] : writer.forget_user(id)) {
      outcome.removed[table] += count;
      rows += count;
    }
  if (!change.old_rows.empty()) rows += writer.remove_old(change.old_rows);
  for (const auto& [name, value] : change.settings) writer.put_setting(name, value);
}

Ingest::Ingest(ShopStore& store, Options options, Hooks hooks)
    : store_(store), options_(options), hooks_(std::move(hooks)), thread_([this] { loop(); }) {}

Ingest::~Ingest() { stop(); }

void Ingest::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Ingest::submit(Change change, std::function<void(const Outcome&)> done) {
  const int64_t size = size_of(change);
  if (store_.queued() > options_.most_queued)
    throw Overloaded("events come faster than they can be indexed; send again in a second");
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) throw Overloaded("the server is stopping; send again to the next one");
    if (waiting_size_ + size > options_.most_waiting && !waiting_.empty())
      throw Overloaded("too many events are waiting to be written; send again in a second");
    waiting_size_ += size;
    waiting_.push_back({std::move(change), std::move(done), nullptr, size, {}, std::chrono::steady_clock::now()});
  }
  wake_.notify_one();
}

void Ingest::run(std::function<void()> task) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) throw Overloaded("the server is stopping");
    waiting_.push_back({{}, nullptr, std::move(task), 0, {}});
  }
  wake_.notify_one();
}

void Ingest::loop() {
  bool more_to_index = true;
  std::vector<Submission> group;
  while (true) {
    {
      std::unique_lock lock(mutex_);
      const auto ready = [&] { return stopping_ || !waiting_.empty(); };
      if (!more_to_index) wake_.wait_for(lock, kIdle, ready);
      if (stopping_ && waiting_.empty()) return;
      group.clear();
      if (waiting_.size() <= kMostTogether) {
        group.swap(waiting_);
      } else {
        const auto end = waiting_.begin() + kMostTogether;
        group.assign(std::make_move_iterator(waiting_.begin()), std::make_move_iterator(end));
        waiting_.erase(waiting_.begin(), end);
      }
      for (const auto& submission : group) waiting_size_ -= submission.size;
    }
    if (!group.empty()) commit(group);
    hooks_.idle();
    // A batch is indexed between two commits: slow enough for events not to wait, fast enough to keep up with single
    // posts.
    if (store_.queued() > 0 || group.empty()) {
      const int64_t before = store_.queued();
      index();
      more_to_index = store_.queued() > 0 && store_.queued() < before;
    }
  }
}

/// Submissions are committed together; where one is at fault, one by one, so that it fails alone.
void Ingest::commit(std::vector<Submission>& group) {
  size_t begin = 0;
  while (begin < group.size()) {
    if (group[begin].task) {
      group[begin].task();
      ++begin;
      continue;
    }
    size_t end = begin;
    while (end < group.size() && !group[end].task) ++end;
    const std::span part = std::span(group).subspan(begin, end - begin);
    if (!try_commit(part) && part.size() > 1)
      for (size_t i = 0; i < part.size(); ++i) try_commit(part.subspan(i, 1));
    for (Submission& submission : part)
      if (submission.done) submission.done(submission.outcome);
    begin = end;
  }
}

bool Ingest::try_commit(std::span<Submission> group) {
  bool invalid = false;
  std::string error;
  std::map<std::string, int64_t> item_changes;
  std::set<std::string> doubled;
  try {
    const Micros now = hooks_.now();
    hooks_.begin(now);
    for (Submission& submission : group) {
      submission.outcome = {};
      hooks_.prepare(submission.change, submission.outcome);
    }
    store_.write([&](ShopStore::Writer& writer) {
      writer.set_now(now);
      for (Submission& submission : group) write_change(writer, submission.change, submission.outcome);
      item_changes = writer.item_changes();
      doubled = writer.doubled();
    });
  } catch (const InvalidInput& problem) {
    invalid = true;
    error = problem.what();
  } catch (const std::exception& problem) {
    error = problem.what();
    hooks_.failed(error);
  }
  for (Submission& submission : group) {
    if (error.empty()) {
      bring_into_effect(submission);
      if (submission.outcome.error.empty() && hooks_.effect && submission.change.fresh > 0)
        hooks_.effect(std::chrono::duration<double>(std::chrono::steady_clock::now() - submission.at).count());
    } else {
      submission.outcome = {};
      submission.outcome.error = error;
      submission.outcome.invalid = invalid;
    }
  }
  // Afterwards: items that came with these changes are known by now, and what they add has been counted.
  if (error.empty() && !item_changes.empty()) hooks_.counted(item_changes);
  if (error.empty() && !doubled.empty()) hooks_.doubled(doubled);
  return error.empty();
}

/// What is brought into effect is read back from the store in part, and reading may fail.
void Ingest::bring_into_effect(Submission& submission) {
  constexpr int kAttempts = 20;
  for (int attempt = 1;; ++attempt) {
    try {
      hooks_.apply(submission.change, submission.outcome);
      return;
    } catch (const std::exception& problem) {
      hooks_.failed(problem.what());
      if (attempt == kAttempts) {
        submission.outcome = {};
        submission.outcome.stored = true;
        submission.outcome.error = problem.what();
        return;
      }
    }
    std::this_thread::sleep_for(kIdle);
  }
}

void Ingest::index() {
  try {
    Doubled found;
    store_.index(options_.index_batch, hooks_.now(), &found);
    for (auto& entry : found.rows) entry.second = -entry.second;
    if (!found.rows.empty()) hooks_.counted(found.rows);
    if (!found.people.empty()) hooks_.doubled(found.people);
  } catch (const std::exception& problem) {
    hooks_.failed(problem.what());
    std::this_thread::sleep_for(kIdle);  // a full disk is not asked a thousand times a second
  }
}

}  // namespace fewshop
