/* POST /compare: two sides to a score. A side is clips, or a stored embedding. */
#include "http/multipart.h"
#include "request/answer.h"
#include "request/lifecycle.h"
#include "request/upload.h"
#include "util/clock.h"
#include "util/thread.h"

#include <stdlib.h>
#include <string.h>

static bool is_json(const char *content_type)
{
    char type[128];
    upload_media_type(content_type, type, sizeof type);
    return strcmp(type, "application/json") == 0;
}

void route_compare_head(struct request *request)
{
    ON_LOOP();
    const char *type = request->head.content_type;
    request->needs_worker = multipart_is_type(type);
    request->max_body_bytes = 4 * request->service->config->max_body_bytes;
    if (is_json(type))
        request->max_body_bytes = JSON_MAX_BYTES;
    else if (!request->needs_worker)
        problem_set_field(&request->problem, "content-type",
                          "/compare takes multipart/form-data (parts a and b) or "
                          "application/json");
}

/* Side index of a part or member name, -1 for any other. */
static int side_of(const char *name)
{
    return strcmp(name, "a") == 0 ? 0 : strcmp(name, "b") == 0 ? 1 : -1;
}

/* ---- answers -------------------------------------------------------------------------------- */

/* {audio, quality, coherence}: objects for one clip, arrays for more, null for a stored one. */
static json_t *side_report(const struct side *side)
{
    json_t *audio = side->n_clips == 1   ? json_audio(&side->clips[0].info)
                    : side->n_clips == 0 ? json_null()
                                         : json_array();
    json_t *quality = side->n_clips == 1   ? json_quality(&side->clips[0].info)
                      : side->n_clips == 0 ? json_null()
                                           : json_array();
    for (size_t i = 0; side->n_clips > 1 && i < side->n_clips; i++) {
        audio = json_append(audio, json_audio(&side->clips[i].info));
        quality = json_append(quality, json_quality(&side->clips[i].info));
    }
    return json_pack("{s:o, s:o, s:f, s:I}", "audio", audio, "quality", quality, "coherence",
                     side->coherence, "clips", (json_int_t)side->n_clips);
}

static json_t *calibrated(const struct engine *engine, double score)
{
    if (!engine->has_calibration)
        return json_null();
    double llr = 0, p = 0;
    vp_calibrate(engine->slope, engine->offset, score, &llr, &p);
    return json_pack("{s:f, s:f}", "llr", llr, "p", p);
}

static void answer(struct request *request, const struct job *job)
{
    const struct engine *engine = job->engine;
    uint64_t start = clock_now_ns();
    double score = vp_cosine(job->sides[0].embedding, job->sides[1].embedding, engine->info->dim);
    bool has_threshold = request->query.has_threshold || engine->has_threshold;
    double threshold = request->query.has_threshold ? request->query.threshold : engine->threshold;
    json_t *root = json_pack("{s:f, s:s, s:[i,i], s:o, s:o, s:o, s:o, s:o, s:s, s:s, s:b, s:s}",
                             "score", score, "metric", "cosine", "range", -1, 1, "threshold",
                             has_threshold ? json_real(threshold) : json_null(), "same_speaker",
                             has_threshold ? json_boolean(score >= threshold) : json_null(),
                             "calibrated", calibrated(engine, score), "a",
                             side_report(&job->sides[0]), "b", side_report(&job->sides[1]), "model",
                             engine->info->name, "model_digest", engine->info->digest, "untrained",
                             engine->info->untrained, "request_id", request->id);
    request->encode_ms = clock_ms_since(start, clock_now_ns());
    (void)answer_json(request, MHD_HTTP_OK, root); /* on failure the state tells the caller */
}

void route_compare_done(struct request *request)
{
    ON_LOOP();
    answer(request, request->ticket.job);
}

/* ---- multipart ------------------------------------------------------------------------------ */

/* A part of type application/json holds a stored embedding instead of a recording. */
static bool is_stored(const struct part *part)
{
    return strcmp(part->content_type, "application/json") == 0;
}

static bool fail_count(struct request *request, const char *field)
{
    problem_set_field(&request->problem, field,
                      "side \"%s\" takes 1 to %zu recordings, or one stored embedding", field,
                      request->service->config->max_clips);
    return false;
}

/* How many clips each side has; stored[i] when side i is a stored embedding instead. */
static bool count_clips(struct request *request, const struct part *parts, size_t n_parts,
                        size_t n_clips[2], bool stored[2])
{
    static const char *const names[] = {"a", "b"};
    for (size_t i = 0; i < n_parts; i++) {
        int side = side_of(parts[i].name);
        if (side < 0) {
            problem_set_field(&request->problem, parts[i].name,
                              "unknown part \"%s\": /compare takes parts \"a\" and \"b\"",
                              parts[i].name);
            return false;
        }
        if (!upload_judge_clip(request, request->service->config->max_body_bytes, &parts[i])) {
            request->problem.side = parts[i].name[0];
            request->problem.clip = n_clips[side];
            return false;
        }
        if (stored[side] || (is_stored(&parts[i]) && n_clips[side] > 0))
            return fail_count(request, names[side]);
        if (is_stored(&parts[i]))
            stored[side] = true;
        else
            n_clips[side]++;
    }
    for (size_t i = 0; i < 2; i++) {
        if (n_clips[i] == 0 && !stored[i]) {
            problem_set_field(&request->problem, names[i], "part \"%s\" is missing", names[i]);
            return false;
        }
        if (n_clips[i] > request->service->config->max_clips)
            return fail_count(request, names[i]);
    }
    return true;
}

static bool fill_stored(struct request *request, struct job *job, int side, const struct part *part)
{
    const struct vp_model_info *info = job->engine->info;
    json_t *object = json_read_object(part->bytes, part->n_bytes, part->name, &request->problem);
    bool good = object != NULL && json_read_stored(object, part->name, info->digest, info->dim,
                                                   job->sides[side].embeddings, &request->problem);
    json_decref(object);
    return good;
}

static void compare_parts(struct request *request, const struct part *parts, size_t n_parts)
{
    size_t n_clips[2] = {0, 0}, filled[2] = {0, 0};
    bool stored[2] = {false, false};
    if (!count_clips(request, parts, n_parts, n_clips, stored))
        return;
    struct job *job = job_new(JOB_COMPARE, request->service->engine, 2, n_clips);
    if (job == NULL) {
        problem_set_no_memory(&request->problem);
        return;
    }
    for (size_t i = 0; i < n_parts; i++) {
        int side = side_of(parts[i].name);
        if (!is_stored(&parts[i]))
            upload_fill_clip(&job->sides[side].clips[filled[side]++], &parts[i]);
        else if (!fill_stored(request, job, side, &parts[i]))
            break;
    }
    if (request->problem.kind != PROBLEM_NONE) {
        job_free(job);
        return;
    }
    body_move(&request->body, &job->body);
    request_submit(request, job);
}

/* ---- JSON: no audio, no queue slot ---------------------------------------------------------- */

static void compare_stored(struct request *request)
{
    static const char *const names[] = {"a", "b"};
    const size_t n_clips[2] = {0, 0};
    json_t *root =
        json_read_object(request->body.bytes, request->body.n_bytes, "body", &request->problem);
    struct job *job =
        root != NULL ? job_new(JOB_COMPARE, request->service->engine, 2, n_clips) : NULL;
    if (root != NULL && job == NULL)
        problem_set_no_memory(&request->problem);
    const char *key;
    json_t *value;
    json_object_foreach(root, key, value) /* of NULL: nothing */
    {
        if (job != NULL && side_of(key) < 0 && request->problem.kind == PROBLEM_NONE)
            problem_set_field(&request->problem, key, "unknown member: \"a\" and \"b\" are taken");
    }
    for (size_t i = 0; i < 2 && job != NULL && request->problem.kind == PROBLEM_NONE; i++) {
        const struct vp_model_info *info = job->engine->info;
        value = json_object_get(root, names[i]);
        if (value == NULL)
            problem_set_field(&request->problem, names[i], "member \"%s\" is missing", names[i]);
        else if (json_read_stored(value, names[i], info->digest, info->dim, job->sides[i].embedding,
                                  &request->problem))
            continue;
    }
    json_decref(root);
    if (request->problem.kind == PROBLEM_NONE)
        answer(request, job);
    job_free(job);
}

void route_compare_body(struct request *request)
{
    ON_LOOP();
    if (is_json(request->head.content_type)) {
        compare_stored(request);
        return;
    }
    size_t n_parts = 0, max_parts = 2 * request->service->config->max_clips + 1;
    struct part *parts = calloc(max_parts, sizeof *parts);
    if (parts == NULL)
        problem_set_no_memory(&request->problem);
    else if (multipart_split(request->head.content_type, request->body.bytes, request->body.n_bytes,
                             parts, max_parts, &n_parts, &request->problem))
        compare_parts(request, parts, n_parts);
    free(parts);
}
