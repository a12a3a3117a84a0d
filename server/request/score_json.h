/*
 * What the answers of /compare, of verifying and of identifying have in common: a score with what
 * it means, a side, and by what it is decided who it is.
 */
#ifndef VP_SCORE_JSON_H
#define VP_SCORE_JSON_H

#include "http/json_build.h"
#include "voices/identify.h"
#include "work/job.h"

/* score, metric, range, threshold, same_speaker, calibrated. [loop] */
void score_put(struct json_build *root, const struct query *query, const struct engine *engine,
               double score);
struct json_build score_side(const struct side *side); /* [loop] */
/* By what that job's engine and configuration decide who somebody is. [any] */
struct decision score_decision(const struct job *job);
/* threshold, unknown_prior. [any] */
void score_put_decision(struct json_build *root, const struct decision *decision);
void score_put_or_null(struct json_build *root, const char *key, bool is_there, double number);

#endif
