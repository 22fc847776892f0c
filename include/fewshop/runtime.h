/* fewshop at serving time, from C and from everything that can call C.
 *
 * Opens a model bundle (a folder that `fewshop train` wrote) and answers for one task (one user, say) at a time: adapt
 * to its events, then predict, explain, recommend. Needs neither libtorch nor a database. Link with -lfewshop_runtime.
 *
 *   fewshop_model* model;
 *   fewshop_session* session;
 *   if (fewshop_open("model", &model) || fewshop_session_create(model, &session)) fail(fewshop_error_text());
 *   fewshop_row row = fewshop_row_of("85123A", 1.0f);
 *   fewshop_item best[10];
 *   size_t count = 10;
 *   if (fewshop_adapt(session, &row, 1, NULL) || fewshop_recommend(session, NULL, 0, best, &count)) fail(...);
 *   for (size_t i = 0; i < count; ++i) printf("%s %g\n", fewshop_item_id(model, best[i].item), best[i].score);
 *
 * Errors. Every function that can fail returns a fewshop_status, and leaves a sentence for people in
 * fewshop_error_text(). No exception leaves the library. After a failed fewshop_adapt a session holds no task.
 *
 * Threads. A model may be used by any number of threads. A session belongs to one thread at a time: make one per
 * thread. fewshop_add_item may be called while other threads answer.
 *
 * Memory. fewshop_adapt, _predict, _explain and _recommend allocate only where a session's buffers must grow: a task
 * or a list of candidates larger than all before. What a function returns as `const char*` belongs to the library and
 * stays valid until the model is closed (the error text: until this thread's next failure).
 *
 * docs/runtime.md has more; examples/recommend.c is a whole program.
 */
#ifndef FEWSHOP_RUNTIME_H
#define FEWSHOP_RUNTIME_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FEWSHOP_API __attribute__((visibility("default")))

/* The same numbers as the exit statuses of the program. */
typedef enum fewshop_status {
  FEWSHOP_OK = 0,
  FEWSHOP_FAILED = 1, /* the operation cannot go on although the call may be right: memory, disk */
  FEWSHOP_INVALID = 2 /* something wrong in what was given: bundle, arguments, items */
} fewshop_status;

/* What went wrong in the last call of this thread that failed; "" before the first. */
FEWSHOP_API const char* fewshop_error_text(void);

/* "0.1.0" */
FEWSHOP_API const char* fewshop_version(void);

/* ---------------------------------------------------------------------------------------------------- models ---- */

typedef struct fewshop_model fewshop_model;

/* Reads and checks a bundle folder. */
FEWSHOP_API fewshop_status fewshop_open(const char* folder, fewshop_model** model);

/* Its sessions and descriptions must be destroyed before. NULL is allowed, as in all functions that destroy. */
FEWSHOP_API void fewshop_close(fewshop_model* model);

typedef struct fewshop_info {
  const char* scenario;  /* its name */
  const char* manifest;  /* JSON: scenario with all defaults, options, fingerprints, metrics */
  const char* learner;   /* "" where the bundle holds baselines only */
  int32_t ranking;       /* 1: scores rank items (larger is better); 0: scores predict the target */
  int32_t excludes_seen; /* 1: fewshop_recommend leaves out the items of the support */
  int32_t items;         /* known items, numbered 0 .. items - 1; grows by fewshop_add_item */
  int32_t kinds;         /* kinds of event, numbered 0 .. kinds - 1 */
} fewshop_info;

FEWSHOP_API fewshop_status fewshop_describe(const fewshop_model* model, fewshop_info* info);

/* -1 where there is no such item or kind. */
FEWSHOP_API int32_t fewshop_find_item(const fewshop_model* model, const char* id);
FEWSHOP_API int32_t fewshop_find_kind(const fewshop_model* model, const char* name);

/* NULL where there is no such number. */
FEWSHOP_API const char* fewshop_item_id(const fewshop_model* model, int32_t item);
FEWSHOP_API const char* fewshop_kind_name(const fewshop_model* model, int32_t kind);

/* One column of an item or of a task description as text, as it would stand in a table: {"genres", "Comedy|Crime"}. A
 * NULL value is a missing one; columns that the model does not use are ignored. */
typedef struct fewshop_text {
  const char* column;
  const char* value;
} fewshop_text;

/* Encodes an item that came after training and makes it known; *item (may be NULL) becomes its number. Waits until no
 * other thread is inside a call with this model. Sessions that are adapted stay so: they adapt again by themselves. */
FEWSHOP_API fewshop_status fewshop_add_item(fewshop_model* model, const char* id, const fewshop_text* columns,
                                            size_t count, int32_t* item);

/* A task description (what is known about a user before any event), encoded once, used as often as wanted. */
typedef struct fewshop_description fewshop_description;

FEWSHOP_API fewshop_status fewshop_description_create(const fewshop_model* model, const fewshop_text* columns,
                                                      size_t count, fewshop_description** description);
FEWSHOP_API void fewshop_description_destroy(fewshop_description* description);

/* -------------------------------------------------------------------------------------------------- sessions ---- */

typedef struct fewshop_session fewshop_session;

FEWSHOP_API fewshop_status fewshop_session_create(fewshop_model* model, fewshop_session** session);
FEWSHOP_API void fewshop_session_destroy(fewshop_session* session);

/* One support row: one past event of the task. Begin with fewshop_row_of, which fills in the defaults. */
typedef struct fewshop_row {
  const char* item_id; /* NULL: `item` says which */
  int32_t item;        /* -1: an item the model does not know; so is an unknown item_id */
  int32_t kind;        /* see fewshop_find_kind; 0 where the scenario has no kinds */
  int32_t group;       /* rows of equal group happened together (one basket); neighbours only */
  float target;        /* the rating, or 1 for an event that says "interested" */
  float weight;        /* importance, not below 0; 1 is one event */
  float age_seconds;   /* before now; 0 where there is no time; below 0 counts as 0 */
} fewshop_row;

static inline fewshop_row fewshop_row_of(const char* item_id, float target) {
  fewshop_row row = {item_id, -1, 0, 0, target, 1.0f, 0.0f};
  return row;
}

/* Adapts to one task, given all its support rows, oldest first; count 0 is a new task. `description` may be NULL.
 * The rows are copied; a description that is in use may be destroyed. */
FEWSHOP_API fewshop_status fewshop_adapt(fewshop_session* session, const fewshop_row* rows, size_t count,
                                         const fewshop_description* description);

typedef struct fewshop_item {
  int32_t item;
  int32_t adapted;        /* 1: the adapted score is served; 0: that of the baseline, as the model's gate says */
  float score, low, high; /* low, high: central 95 % interval */
} fewshop_item;

/* Scores the items whose numbers stand in items[count].item, and fills in the rest. -1 is an unknown item. */
FEWSHOP_API fewshop_status fewshop_predict(fewshop_session* session, fewshop_item* items, size_t count);

/* The best items, best first. *count: room in items on entry, items found on return. exclude [excluded]: item numbers
 * to leave out beside the task's own (fewshop_info.excludes_seen), in any order. */
FEWSHOP_API fewshop_status fewshop_recommend(fewshop_session* session, const int32_t* exclude, size_t excluded,
                                             fewshop_item* items, size_t* count);

/* Takes a score apart:  score = *prior + sum of contributions, before a prediction is cut to the range of the training
 * targets. contributions [count]: one per support row, in the order given to fewshop_adapt; count must be their number.
 */
FEWSHOP_API fewshop_status fewshop_explain(fewshop_session* session, int32_t item, double* prior, double* contributions,
                                           size_t count);

#ifdef __cplusplus
}
#endif

#endif
