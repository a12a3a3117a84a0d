/* A score, and the two sides of it, as JSON. */
#include "request/score_json.h"

#include "http/json.h"

typedef struct json_build describe_clip(const struct vp_clip_info *info);

/* An object for one clip, an array of them for more, null for a stored embedding. */
static void put_clips(struct json_build *root, const char *key, const struct side *side,
                      describe_clip *describe)
{
    if (side->n_clips == 0) {
        json_put_null(root, key);
        return;
    }
    if (side->n_clips == 1) {
        json_put_build(root, key, describe(&side->clips[0].info));
        return;
    }
    struct json_build array = json_begin_array();
    for (size_t i = 0; i < side->n_clips; i++)
        json_put_build(&array, NULL, describe(&side->clips[i].info));
    json_put_build(root, key, array);
}

struct json_build score_side(const struct side *side)
{
    struct json_build report = json_begin_object();
    put_clips(&report, "audio", side, json_audio);
    put_clips(&report, "quality", side, json_quality);
    json_put_number(&report, "coherence", side->coherence);
    json_put_count(&report, "clips", side->n_clips);
    return report;
}

static void put_decision(struct json_build *root, const struct query *query,
                         const struct engine *engine, double score)
{
    if (query->has_threshold || engine->has_threshold) {
        const double threshold = query->has_threshold ? query->threshold : engine->threshold;
        json_put_number(root, "threshold", threshold);
        json_put_flag(root, "same_speaker", score >= threshold);
    } else {
        json_put_null(root, "threshold");
        json_put_null(root, "same_speaker");
    }
}

static void put_calibrated(struct json_build *root, const struct engine *engine, double score)
{
    if (!engine->has_calibration) {
        json_put_null(root, "calibrated");
        return;
    }
    double llr = 0, p = 0;
    vp_calibrate(engine->slope, engine->offset, score, &llr, &p);
    struct json_build calibrated = json_begin_object();
    json_put_number(&calibrated, "llr", llr);
    json_put_number(&calibrated, "p", p);
    json_put_build(root, "calibrated", calibrated);
}

static struct json_build score_range(void)
{
    struct json_build range = json_begin_array();
    json_put(&range, NULL, json_integer(-1));
    json_put(&range, NULL, json_integer(1));
    return range;
}

void score_put(struct json_build *root, const struct query *query, const struct engine *engine,
               double score)
{
    json_put_number(root, "score", score);
    json_put_text(root, "metric", "cosine");
    json_put_build(root, "range", score_range());
    put_decision(root, query, engine, score);
    put_calibrated(root, engine, score);
}

void score_put_or_null(struct json_build *root, const char *key, bool is_there, double number)
{
    if (is_there)
        json_put_number(root, key, number);
    else
        json_put_null(root, key);
}

struct decision score_decision(const struct job *job)
{
    const struct engine *engine = job->engine;
    return (struct decision){
        .has_threshold = engine->has_threshold,
        .threshold = engine->threshold,
        .has_calibration = engine->has_calibration,
        .slope = engine->slope,
        .offset = engine->offset,
        .unknown_prior = job->config->unknown_prior,
    };
}

void score_put_decision(struct json_build *root, const struct decision *decision)
{
    score_put_or_null(root, "threshold", decision->has_threshold, decision->threshold);
    json_put_number(root, "unknown_prior", decision->unknown_prior);
}
