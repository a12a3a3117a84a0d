/*
 * What the answers of /compare and of verifying have in common: a score with what it means, and a
 * side.
 */
#ifndef VP_SCORE_JSON_H
#define VP_SCORE_JSON_H

#include "http/json_build.h"
#include "work/job.h"

/* score, metric, range, threshold, same_speaker, calibrated. [loop] */
void score_put(struct json_build *root, const struct query *query, const struct engine *engine,
               double score);
struct json_build score_side(const struct side *side); /* [loop] */

#endif
