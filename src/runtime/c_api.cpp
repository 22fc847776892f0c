#include "runtime/c_api.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <deque>
#include <exception>
#include <map>
#include <mutex>
#include <new>
#include <optional>
#include <shared_mutex>
#include <string>
#include <vector>

#include "core/error.h"
#include "feature/encoders.h"
#include "runtime/model.h"

using fewshop::require;

struct fewshop_model {
  std::shared_ptr<fewshop::Model> model;
  mutable std::shared_mutex mutex;  // shared by everything but add_item
  uint64_t generation = 0;          // how often an item was added
  std::string manifest;
  std::deque<std::string> item_ids;  // what callers hold pointers into: never moves
};

struct fewshop_description {
  std::shared_ptr<const fewshop::EncodedEntity> entity;
};

struct fewshop_session {
  const fewshop_model* owner;
  std::unique_ptr<fewshop::ModelSession> session;
  bool adapted = false;
  uint64_t generation = 0;  // of the model when the session adapted
  std::vector<fewshop::SupportRow> rows;
  std::shared_ptr<const fewshop::EncodedEntity> description;
  // Reused from call to call.
  std::string id;
  std::vector<int32_t> items;
  fewshop::ItemSet excluded;
  std::vector<float> score, variance;
  std::vector<fewshop::Model::Scored> found;
};

namespace fewshop {
namespace {

thread_local char error_text[1024] = "";

void set_error(const char* text) noexcept { std::snprintf(error_text, sizeof(error_text), "%s", text); }

/// Runs the body of a function of the interface: what it throws becomes a status and a text.
template <class Body>
fewshop_status guarded(Body&& body) noexcept {
  try {
    body();
    return FEWSHOP_OK;
  } catch (const InvalidInput& e) {
    set_error(e.what());
    return FEWSHOP_INVALID;
  } catch (const std::bad_alloc&) {
    set_error("out of memory");
  } catch (const std::exception& e) {
    set_error(e.what());
  } catch (...) {
    set_error("unknown error");
  }
  return FEWSHOP_FAILED;
}

EncodedEntity encode(const std::vector<ColumnEncoder>& encoders, const fewshop_text* columns, size_t count) {
  require(columns || count == 0, "columns: expected ", count, " of them, got NULL");
  std::map<std::string, std::optional<std::string>> values;
  for (size_t i = 0; i < count; ++i) {
    require(columns[i].column, "columns: the name of column ", i, " is NULL");
    values[columns[i].column] = columns[i].value ? std::optional<std::string>(columns[i].value) : std::nullopt;
  }
  return encode_entity(encoders, values);
}

SupportRow to_support_row(const fewshop_row& row, size_t position, const Model& model, std::string& id) {
  const auto number = [&](float value, const char* name) {
    require(std::isfinite(value), "row ", position, ": ", name, " is ", value, ", expected a finite number");
    return value;
  };
  const int32_t kinds = std::max<int32_t>(1, static_cast<int32_t>(model.kinds().size()));
  require(row.kind >= 0 && row.kind < kinds, "row ", position, ": kind ", row.kind, " is unknown; the model has ",
          kinds, " (fewshop_find_kind)");
  SupportRow support;
  support.item = row.item;
  if (row.item_id) {
    id.assign(row.item_id);
    support.item = model.find_item(id);
  }
  support.target = number(row.target, "target");
  support.weight = number(row.weight, "weight");
  require(row.weight >= 0, "row ", position, ": weight is ", row.weight, ", expected 0 or more");
  support.age = std::max(0.0f, number(row.age_seconds, "age_seconds"));
  support.group = row.group;
  support.kind = static_cast<uint8_t>(row.kind);
  return support;
}

void adapt_stored(fewshop_session& s) {
  s.adapted = false;
  TaskView task{s.rows, {}};
  if (s.description) task.description = s.description->views;
  s.owner->model->adapt_served(task, *s.session);
  s.generation = s.owner->generation;
  s.adapted = true;
}

/// The session's model, locked against new items; adapted again if one came since.
std::shared_lock<std::shared_mutex> begin(fewshop_session* s) {
  require(s, "session is NULL");
  std::shared_lock lock(s->owner->mutex);
  require(s->adapted, "session: it holds no task; call fewshop_adapt first");
  if (s->generation != s->owner->generation) adapt_stored(*s);
  return lock;
}

}  // namespace

fewshop_model* to_c(std::shared_ptr<Model> model) {
  auto wrapped = std::make_unique<fewshop_model>();
  wrapped->manifest = model->manifest().dump();
  wrapped->item_ids.assign(model->item_ids().begin(), model->item_ids().end());
  wrapped->model = std::move(model);
  return wrapped.release();
}

}  // namespace fewshop

using namespace fewshop;  // the functions below are only thin

const char* fewshop_error_text(void) { return error_text; }

const char* fewshop_version(void) { return FEWSHOP_VERSION; }

fewshop_status fewshop_open(const char* folder, fewshop_model** model) {
  return guarded([&] {
    require(folder && model, "fewshop_open: an argument is NULL");
    *model = nullptr;
    *model = to_c(Model::load(folder));
  });
}

void fewshop_close(fewshop_model* model) { delete model; }

fewshop_status fewshop_describe(const fewshop_model* model, fewshop_info* info) {
  return guarded([&] {
    require(model && info, "fewshop_describe: an argument is NULL");
    const std::shared_lock lock(model->mutex);
    const Model& m = *model->model;
    info->scenario = m.scenario().name.c_str();
    info->manifest = model->manifest.c_str();
    info->learner = m.parts().learner.c_str();
    info->ranking = m.scenario().problem == Problem::kRanking;
    info->excludes_seen = m.scenario().exclude_seen;
    info->items = static_cast<int32_t>(m.item_ids().size());
    info->kinds = static_cast<int32_t>(m.kinds().size());
  });
}

int32_t fewshop_find_item(const fewshop_model* model, const char* id) {
  if (!model || !id) return -1;
  int32_t item = -1;
  guarded([&] {
    thread_local std::string text;  // keeps its memory
    text.assign(id);
    const std::shared_lock lock(model->mutex);
    item = model->model->find_item(text);
  });
  return item;
}

int32_t fewshop_find_kind(const fewshop_model* model, const char* name) {
  if (!model || !name) return -1;
  const auto& kinds = model->model->kinds();
  const auto found = std::find(kinds.begin(), kinds.end(), name);
  return found == kinds.end() ? -1 : static_cast<int32_t>(found - kinds.begin());
}

const char* fewshop_item_id(const fewshop_model* model, int32_t item) {
  if (!model || item < 0) return nullptr;
  const std::shared_lock lock(model->mutex);
  return static_cast<size_t>(item) < model->item_ids.size() ? model->item_ids[item].c_str() : nullptr;
}

const char* fewshop_kind_name(const fewshop_model* model, int32_t kind) {
  if (!model || kind < 0 || static_cast<size_t>(kind) >= model->model->kinds().size()) return nullptr;
  return model->model->kinds()[kind].c_str();
}

fewshop_status fewshop_add_item(fewshop_model* model, const char* id, const fewshop_text* columns, size_t count,
                                int32_t* item) {
  return guarded([&] {
    require(model && id, "fewshop_add_item: model or id is NULL");
    const EncodedEntity entity = encode(model->model->encoders().items, columns, count);
    const std::unique_lock lock(model->mutex);
    require(model->model->find_item(id) < 0, "fewshop_add_item: item ", id, " is known already");
    model->item_ids.emplace_back(id);
    ++model->generation;
    try {
      const int32_t index = model->model->add_item(id, entity.views);
      if (item) *item = index;
    } catch (...) {
      model->item_ids.pop_back();
      throw;
    }
  });
}

fewshop_status fewshop_description_create(const fewshop_model* model, const fewshop_text* columns, size_t count,
                                          fewshop_description** description) {
  return guarded([&] {
    require(model && description, "fewshop_description_create: an argument is NULL");
    *description = nullptr;
    auto entity = std::make_shared<const EncodedEntity>(encode(model->model->encoders().tasks, columns, count));
    *description = new fewshop_description{std::move(entity)};
  });
}

void fewshop_description_destroy(fewshop_description* description) { delete description; }

fewshop_status fewshop_session_create(fewshop_model* model, fewshop_session** session) {
  return guarded([&] {
    require(model && session, "fewshop_session_create: an argument is NULL");
    *session = nullptr;
    auto created = std::make_unique<fewshop_session>();
    created->owner = model;
    const std::shared_lock lock(model->mutex);
    created->session = model->model->session();
    *session = created.release();
  });
}

void fewshop_session_destroy(fewshop_session* session) { delete session; }

fewshop_status fewshop_adapt(fewshop_session* session, const fewshop_row* rows, size_t count,
                             const fewshop_description* description) {
  return guarded([&] {
    require(session, "session is NULL");
    session->adapted = false;
    require(rows || count == 0, "rows: expected ", count, " of them, got NULL");
    const std::shared_lock lock(session->owner->mutex);
    session->rows.resize(count);
    for (size_t i = 0; i < count; ++i) {
      session->rows[i] = to_support_row(rows[i], i, *session->owner->model, session->id);
    }
    session->description = description ? description->entity : nullptr;
    adapt_stored(*session);
  });
}

fewshop_status fewshop_predict(fewshop_session* session, fewshop_item* items, size_t count) {
  return guarded([&] {
    const auto lock = begin(session);
    require(items || count == 0, "items: expected ", count, " of them, got NULL");
    const Model& model = *session->owner->model;
    session->items.resize(count);
    session->score.resize(count);
    session->variance.resize(count);
    for (size_t i = 0; i < count; ++i) session->items[i] = items[i].item;
    model.score(*session->session, Model::kServed, session->items, session->score, session->variance);
    for (size_t i = 0; i < count; ++i) {
      const auto [low, high] = Model::interval(session->score[i], session->variance[i]);
      items[i] = {items[i].item, model.served_adapted(*session->session, items[i].item), session->score[i], low, high};
    }
  });
}

fewshop_status fewshop_recommend(fewshop_session* session, const int32_t* exclude, size_t excluded, fewshop_item* items,
                                 size_t* count) {
  return guarded([&] {
    const auto lock = begin(session);
    require(count && (items || *count == 0), "fewshop_recommend: items or count is NULL");
    require(exclude || excluded == 0, "exclude: expected ", excluded, " items, got NULL");
    const Model& model = *session->owner->model;
    auto& leave_out = session->excluded;
    leave_out.clear();
    const auto items_known = std::ssize(model.item_ids());
    const auto add = [&](int32_t item) {
      if (item < items_known) leave_out.set(item, true);
    };
    for (size_t i = 0; i < excluded; ++i) add(exclude[i]);
    if (model.scenario().exclude_seen)
      for (const SupportRow& row : session->rows) add(row.item);
    const int wanted = static_cast<int>(std::min<size_t>(*count, model.item_ids().size()));
    model.recommend(*session->session, wanted, leave_out, session->found);
    *count = session->found.size();
    for (size_t i = 0; i < session->found.size(); ++i) {
      const auto& found = session->found[i];
      items[i] = {found.item, model.served_adapted(*session->session, found.item), found.score, found.low, found.high};
    }
  });
}

fewshop_status fewshop_explain(fewshop_session* session, int32_t item, double* prior, double* contributions,
                               size_t count) {
  return guarded([&] {
    const auto lock = begin(session);
    require(prior && (contributions || count == 0), "fewshop_explain: prior or contributions is NULL");
    require(count == session->rows.size(), "contributions: expected room for ", session->rows.size(), ", got ", count);
    *prior = session->owner->model->explain(*session->session, Model::kServed, item, {contributions, count});
  });
}
