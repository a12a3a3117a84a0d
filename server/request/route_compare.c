/* POST /compare: two sides to a score. A side is clips, or a stored embedding. */
#include "http/multipart.h"
#include "request/answer.h"
#include "request/lifecycle.h"
#include "request/score_json.h"
#include "request/upload.h"
#include "util/clock.h"
#include "util/thread.h"

#include <stdlib.h>
#include <string.h>

/* A comparison of so many recordings waits among those of /embed: that is what two voices need. One
 * of more is long work, and gives way to them between its clips. */
enum { MOST_SHORT_CLIPS = 2 };

void route_compare_head(struct request *request)
{
    ON_LOOP();
    const char *type = request->head.content_type;
    request->needs_worker = multipart_is_type(type);
    request->max_body_bytes = 4 * request->service->config->max_body_bytes;
    if (upload_is_json(type))
        request->max_body_bytes = JSON_MAX_BYTES;
    else if (!request->needs_worker)
        problem_set_field(&request->problem, "content-type",
                          "/compare takes multipart/form-data (parts a and b: curl -F a=@FILE -F "
                          "b=@FILE) or application/json (curl -H content-type:application/json)");
}

/* Side index of a part or member name, -1 for any other. */
static int side_of(const char *name)
{
    return strcmp(name, "a") == 0 ? 0 : strcmp(name, "b") == 0 ? 1 : -1;
}

/* ---- the answer ----------------------------------------------------------------------------- */

static void answer(struct request *request, const struct job *job)
{
    const struct engine *engine = job->engine;
    uint64_t start = clock_now_ns();
    double score = vp_cosine(job->sides[0].embedding, job->sides[1].embedding, engine->info->dim);
    struct json_build root = json_begin_object();
    score_put(&root, &job->query, engine, score);
    json_put_build(&root, "a", score_side(&job->sides[0]));
    json_put_build(&root, "b", score_side(&job->sides[1]));
    json_put_text(&root, "model", engine->info->name);
    json_put_text(&root, "model_digest", engine->info->digest);
    json_put_flag(&root, "untrained", engine->info->untrained);
    json_put_text(&root, "request_id", request->id);
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

/* An object without the type that would tell it: no container begins with a brace. */
static bool is_untold(const struct part *part)
{
    size_t i = 0;
    while (i < part->n_bytes && memchr(" \t\r\n", part->bytes[i], 4) != NULL)
        i++;
    return i < part->n_bytes && part->bytes[i] == '{' && !is_stored(part);
}

static bool fail_untold(struct job *job, const char *field)
{
    problem_set_field(&job->problem, field,
                      "part \"%s\" is JSON and does not say so: give it the type application/json, "
                      "curl -F \"%s=@FILE;type=application/json\"",
                      field, field);
    return false;
}

static bool fail_count(struct job *job, const char *field)
{
    problem_set_field(&job->problem, field,
                      "side \"%s\" takes 1 to %zu recordings, or one stored embedding", field,
                      job->config->max_clips);
    return false;
}

/* How many clips each side has; stored[i] when side i is a stored embedding instead. */
static bool count_clips(struct job *job, const struct part *parts, size_t n_parts,
                        size_t n_clips[2], bool stored[2])
{
    struct problem *problem = &job->problem;
    static const char *const names[] = {"a", "b"};
    for (size_t i = 0; i < n_parts; i++) {
        int side = side_of(parts[i].name);
        if (side < 0) {
            problem_set_field(problem, parts[i].name,
                              "unknown part \"%s\": /compare takes parts \"a\" and \"b\"",
                              parts[i].name);
            return false;
        }
        if (!upload_judge_clip(&parts[i], job->config->max_body_bytes, problem)) {
            problem->side = parts[i].name[0];
            problem->has_clip = true;
            problem->clip = n_clips[side];
            return false;
        }
        if (is_untold(&parts[i]))
            return fail_untold(job, names[side]);
        if (stored[side] || (is_stored(&parts[i]) && n_clips[side] > 0))
            return fail_count(job, names[side]);
        if (is_stored(&parts[i]))
            stored[side] = true;
        else
            n_clips[side]++;
    }
    for (size_t i = 0; i < 2; i++) {
        if (n_clips[i] == 0 && !stored[i]) {
            problem_set_field(problem, names[i], "part \"%s\" is missing", names[i]);
            return false;
        }
        if (n_clips[i] > job->config->max_clips)
            return fail_count(job, names[i]);
    }
    return true;
}

static bool read_stored(struct job *job, int side, const char *field, const json_t *object)
{
    const struct vp_model_info *info = job->engine->info;
    return json_read_stored(object, field, info->digest, info->dim, job->sides[side].embedding,
                            &job->problem);
}

static bool read_stored_part(struct job *job, int side, const struct part *part)
{
    json_t *object = json_read_object(part->bytes, part->n_bytes, part->name, &job->problem);
    bool good = object != NULL && read_stored(job, side, part->name, object);
    json_decref(object);
    return good;
}

static bool read_parts(struct job *job, const struct part *parts, size_t n_parts)
{
    size_t n_clips[2] = {0, 0}, filled[2] = {0, 0};
    bool stored[2] = {false, false};
    if (!count_clips(job, parts, n_parts, n_clips, stored) || !job_set_sides(job, 2, n_clips))
        return false;
    for (size_t i = 0; i < n_parts; i++) {
        int side = side_of(parts[i].name);
        if (!is_stored(&parts[i]))
            upload_fill_clip(&job->sides[side].clips[filled[side]++], &parts[i], &job->query.clip);
        else if (!read_stored_part(job, side, &parts[i]))
            return false;
    }
    job->is_large = n_clips[0] + n_clips[1] > MOST_SHORT_CLIPS;
    job->max_used_s = job->config->compare_max_duration_s;
    return true;
}

static bool read_form(struct job *job)
{
    size_t n_parts = 0, max_parts = 2 * job->config->max_clips + 1 + upload_n_options(job);
    struct part *parts = calloc(max_parts, sizeof *parts);
    if (parts == NULL)
        problem_set_no_memory(&job->problem);
    bool good = parts != NULL &&
                multipart_split(job->content_type, job->body.bytes, job->body.n_bytes, parts,
                                max_parts, &n_parts, &job->problem) &&
                upload_take_options(job, parts, &n_parts) && read_parts(job, parts, n_parts);
    free(parts);
    return good;
}

/* ---- JSON: no audio, and where it is short no queue slot ------------------------------------ */

static bool read_members(struct job *job, json_t *root)
{
    static const char *const names[] = {"a", "b"};
    const size_t n_clips[2] = {0, 0};
    const char *key;
    json_t *value;
    json_object_foreach(root, key, value)
    {
        if (side_of(key) < 0) {
            problem_set_field(&job->problem, key, "unknown member: \"a\" and \"b\" are taken");
            return false;
        }
    }
    if (!job_set_sides(job, 2, n_clips))
        return false;
    for (int side = 0; side < 2; side++) {
        value = json_object_get(root, names[side]);
        if (value == NULL)
            problem_set_field(&job->problem, names[side], "member \"%s\" is missing", names[side]);
        if (value == NULL || !read_stored(job, side, names[side], value))
            return false;
    }
    return true;
}

static bool read_json(struct job *job)
{
    json_t *root = json_read_object(job->body.bytes, job->body.n_bytes, "body", &job->problem);
    bool good = root != NULL && read_members(job, root);
    json_decref(root);
    return good;
}

/* ---- from the body to a job ----------------------------------------------------------------- */

void route_compare_body(struct request *request)
{
    ON_LOOP();
    const bool is_json = upload_is_json(request->head.content_type);
    struct job *job = upload_begin(request, JOB_COMPARE, is_json ? read_json : read_form);
    if (job == NULL)
        return;
    if (is_json && job->read == NULL) { /* both embeddings are there */
        answer(request, job);
        job_free(job);
    } else {
        request_submit(request, job);
    }
}
