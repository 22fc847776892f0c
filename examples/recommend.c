/* Recommends ten items to somebody who bought the items named on the command line, and says why.
 *
 *   recommend_example BUNDLE [ITEM_ID...]
 *
 * Build it anywhere with:  cc recommend.c -lfewshop_runtime -lm
 */
#include <fewshop/runtime.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void check(fewshop_status status) {
  if (status == FEWSHOP_OK) return;
  fprintf(stderr, "recommend_example: %s\n", fewshop_error_text());
  exit(status);
}

int main(int argc, char** argv) {
  if (argc < 2) {
    fprintf(stderr, "usage: recommend_example BUNDLE [ITEM_ID...]\n");
    return 2;
  }

  /* Once per process: the model. Once per thread: a session. */
  fewshop_model* model = NULL;
  fewshop_session* session = NULL;
  fewshop_info info;
  check(fewshop_open(argv[1], &model));
  check(fewshop_session_create(model, &session));
  check(fewshop_describe(model, &info));
  printf("%s: %d items\n", info.scenario, info.items);

  /* Once per request: adapt to all events of the task, oldest first; then ask. */
  const size_t events = (size_t)argc - 2;
  fewshop_row* rows = calloc(events + 1, sizeof(*rows));
  double* contributions = calloc(events + 1, sizeof(*contributions));
  if (!rows || !contributions) return 1;
  for (size_t i = 0; i < events; ++i) {
    rows[i] = fewshop_row_of(argv[2 + i], 1.0f);
    rows[i].group = (int32_t)i; /* every event on its own */
  }
  check(fewshop_adapt(session, rows, events, NULL));

  fewshop_item best[10];
  size_t found = 10;
  check(fewshop_recommend(session, NULL, 0, best, &found));
  for (size_t i = 0; i < found; ++i) {
    double prior;
    check(fewshop_explain(session, best[i].item, &prior, contributions, events));
    printf("%-16s %8.4f  [%.4f, %.4f]  %s: prior %.4f", fewshop_item_id(model, best[i].item), best[i].score, best[i].low,
           best[i].high, best[i].adapted ? "adapted" : "baseline", prior);
    double sum = prior, magnitude = fabs(prior);
    for (size_t s = 0; s < events; ++s) {
      printf(", %s %+.4f", argv[2 + s], contributions[s]);
      sum += contributions[s];
      magnitude += fabs(contributions[s]);
    }
    printf("\n");
    /* Explanations add up (for ratings before the score is cut to their range). */
    if (info.ranking && fabs(sum - best[i].score) > 2e-6 * magnitude) {
      fprintf(stderr, "recommend_example: the parts add up to %.9g, the score is %.9g\n", sum, best[i].score);
      return 1;
    }
  }

  free(contributions);
  free(rows);
  fewshop_session_destroy(session);
  fewshop_close(model);
  return found == 0;
}
