/* Bodies to a job's only side. */
#include "request/voice_upload.h"

#include "http/json.h"
#include "http/multipart.h"
#include "request/upload.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* As many recordings wait among those of /embed; more are long work (see route_compare.c). */
enum { MOST_SHORT_CLIPS = 2 };
static const double most_speech_s = 86400; /* that a client may state */

/* ---- metadata ------------------------------------------------------------------------------- */

/* Keeps a JSON object of the client's as text. Takes value. */
static bool keep_metadata(struct job *job, json_t *value)
{
    size_t n_bytes = 0;
    if (!json_is_object(value)) {
        json_decref(value);
        return problem_refuse_field(&job->problem, "metadata", "metadata must be a JSON object");
    }
    char *text = json_take_text((struct json_build){.root = value}, &n_bytes);
    if (text == NULL) {
        problem_set_no_memory(&job->problem);
        return false;
    }
    job->change.metadata = text;
    if (n_bytes <= METADATA_MAX_BYTES)
        return true;
    return problem_refuse_field(&job->problem, "metadata",
                                "metadata must be no longer than 2048 bytes");
}

static bool read_metadata(struct job *job, const struct part *part)
{
    json_t *value = json_read_object(part->bytes, part->n_bytes, "metadata", &job->problem);
    return value != NULL && keep_metadata(job, value);
}

/* ---- recordings ----------------------------------------------------------------------------- */

static bool fill_side(struct job *job, const struct part *parts, size_t n_parts)
{
    size_t n = 0;
    if (!job_set_sides(job, 1, &n_parts))
        return false;
    for (; n < n_parts; n++)
        upload_fill_clip(&job->sides[0].clips[n], &parts[n], &job->query.clip);
    job->is_large = n > MOST_SHORT_CLIPS;
    job->max_used_s = job->config->compare_max_duration_s;
    return true;
}

/* Moves the recordings to the front; metadata is read where it is taken. */
static bool sort_parts(struct job *job, struct part *parts, size_t n_parts, size_t *n_files)
{
    *n_files = 0;
    for (size_t i = 0; i < n_parts; i++) {
        const bool is_metadata = job->kind == JOB_ENROL && strcmp(parts[i].name, "metadata") == 0;
        if (is_metadata && job->change.metadata != NULL)
            return problem_refuse_field(&job->problem, "metadata",
                                        "there is one part \"metadata\" at most");
        if (is_metadata && !read_metadata(job, &parts[i]))
            return false;
        if (is_metadata)
            continue;
        if (strcmp(parts[i].name, "file") != 0) {
            problem_set_field(&job->problem, parts[i].name,
                              "unknown part \"%s\": recordings are parts \"file\"", parts[i].name);
            return false;
        }
        if (!upload_judge_clip(&parts[i], job->config->max_body_bytes, &job->problem))
            return false;
        parts[(*n_files)++] = parts[i];
    }
    if (*n_files >= 1 && *n_files <= job->config->max_clips)
        return true;
    problem_set_field(&job->problem, "file", "1 to %zu parts \"file\" are taken at a time",
                      job->config->max_clips);
    return false;
}

static bool read_form(struct job *job)
{
    size_t n_parts = 0, n_files = 0, max_parts = job->config->max_clips + 2 + upload_n_options(job);
    struct part *parts = calloc(max_parts, sizeof *parts);
    if (parts == NULL)
        problem_set_no_memory(&job->problem);
    const bool good = parts != NULL &&
                      multipart_split(job->content_type, job->body.bytes, job->body.n_bytes, parts,
                                      max_parts, &n_parts, &job->problem) &&
                      upload_take_options(job, parts, &n_parts) &&
                      sort_parts(job, parts, n_parts, &n_files) && fill_side(job, parts, n_files);
    free(parts);
    return good;
}

static bool read_recordings(struct job *job)
{
    struct part clip;
    if (multipart_is_type(job->content_type))
        return read_form(job);
    return upload_find_clip(job, job->config->max_body_bytes, &clip, NULL) &&
           fill_side(job, &clip, 1);
}

/* ---- embeddings ----------------------------------------------------------------------------- */

/* speech_s of an object, or of its quality, as an answer of /embed has it; else `otherwise`. */
static bool read_speech(struct job *job, const json_t *object, double otherwise, double *speech_s)
{
    const json_t *value = json_object_get(object, "speech_s");
    if (value == NULL)
        value = json_object_get(json_object_get(object, "quality"), "speech_s");
    *speech_s = value != NULL ? json_number_value(value) : otherwise;
    if ((value == NULL || json_is_number(value)) && *speech_s >= 0 && *speech_s <= most_speech_s)
        return true;
    return problem_refuse_field(&job->problem, "speech_s",
                                "speech_s must be a number of seconds, up to 86400");
}

/* One of the list: an embedding by itself, or an object as /embed answers it. */
static bool read_embedding(struct job *job, json_t *item, size_t i, double speech_s)
{
    const struct vp_model_info *info = job->engine->info;
    struct side *side = &job->sides[0];
    json_t *object =
        json_is_object(item) ? json_incref(item) : json_pack("{s:O}", "embedding", item);
    if (object == NULL) {
        problem_set_no_memory(&job->problem);
        return false;
    }
    const bool good = json_read_stored(object, "embeddings", info->digest, info->dim,
                                       side->embeddings + i * info->dim, &job->problem) &&
                      read_speech(job, object, speech_s, &side->clips[i].info.speech_s);
    json_decref(object);
    job->problem.has_clip = !good;
    job->problem.clip = good ? 0 : i;
    return good;
}

static bool read_embeddings(struct job *job, const json_t *list, double speech_s)
{
    const size_t n = json_array_size(list);
    if (n < 1 || n > job->config->max_clips) {
        problem_set_field(&job->problem, "embeddings",
                          "must be an array of 1 to %zu embeddings, each as numbers, base64, or an "
                          "object with a member \"embedding\"",
                          job->config->max_clips);
        return false;
    }
    if (!job_set_sides(job, 1, &n))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!read_embedding(job, json_array_get(list, i), i, speech_s / (double)n))
            return false;
    job->at_clip = n; /* all of them are embedded */
    return true;
}

static bool read_members(struct job *job, json_t *root)
{
    const char *key;
    json_t *value;
    double speech_s = 0;
    json_object_foreach(root, key, value)
    {
        if (strcmp(key, "embeddings") != 0 && strcmp(key, "speech_s") != 0 &&
            strcmp(key, "metadata") != 0) {
            problem_set_field(
                &job->problem, key,
                "unknown member: \"embeddings\", \"speech_s\" and \"metadata\" are taken");
            return false;
        }
    }
    value = json_object_get(root, "metadata");
    return read_speech(job, root, 0, &speech_s) &&
           (value == NULL || keep_metadata(job, json_incref(value))) &&
           read_embeddings(job, json_object_get(root, "embeddings"), speech_s);
}

bool voice_upload_enrolment(struct job *job)
{
    if (!upload_is_json(job->content_type))
        return read_recordings(job);
    json_t *root = json_read_object(job->body.bytes, job->body.n_bytes, "body", &job->problem);
    const bool good = root != NULL && read_members(job, root);
    json_decref(root);
    return good;
}

bool voice_upload_probe(struct job *job)
{
    const struct vp_model_info *info = job->engine->info;
    const size_t n_clips = 0;
    if (!upload_is_json(job->content_type))
        return read_recordings(job);
    json_t *root = json_read_object(job->body.bytes, job->body.n_bytes, "body", &job->problem);
    const bool good = root != NULL && job_set_sides(job, 1, &n_clips) &&
                      json_read_stored(root, "body", info->digest, info->dim,
                                       job->sides[0].embedding, &job->problem);
    json_decref(root);
    return good;
}
