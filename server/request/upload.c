/* Parts to clips. The container is decided by its magic, in the engine; a type is only a hint. */
#include "request/upload.h"

#include "util/thread.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum {
    MULTIPART_OVERHEAD_BYTES = 64 * 1024,
    OPTION_ROOM = 80,              /* of an option's value, with its end */
    MOST_READ_AT_ONCE = 64 * 1024, /* of JSON: 10 ms at the worst, nothing but "{}," */
    LEAST_TO_TELL = 2048           /* bytes: chance leaves out three values once in 10^10 */
};

void upload_media_type(const char *content_type, char *type, size_t room)
{
    size_t n = 0;
    for (const char *c = content_type; c != NULL && *c != 0 && *c != ';' && n + 1 < room; c++)
        if (*c != ' ' && *c != '\t')
            type[n++] = (char)tolower((unsigned char)*c);
    type[n] = 0;
}

bool upload_is_json(const char *content_type)
{
    char type[128];
    upload_media_type(content_type, type, sizeof type);
    return strcmp(type, "application/json") == 0;
}

/* A recording by itself is there already, whatever its length. */
static bool is_for_worker(const struct job *job)
{
    return job->body.n_bytes > MOST_READ_AT_ONCE &&
           (multipart_is_type(job->content_type) || upload_is_json(job->content_type));
}

struct job *upload_begin(struct request *request, enum job_kind kind, job_reader *read)
{
    ON_LOOP();
    const struct service *service = request->service;
    const char *type = request->head.content_type;
    struct job *job = job_new(kind, service->engine, service->config);
    if (job == NULL || (type != NULL && (job->content_type = strdup(type)) == NULL)) {
        problem_set_no_memory(&request->problem);
        job_free(job);
        return NULL;
    }
    job->read = read;
    job->query = request->query;
    job->query.allowed &= ~(unsigned)QUERY_TARGET;
    job->store = service->store;
    holder_copy(&job->holder, &request->holder);
    body_move(&request->body, &job->body);
    if (is_for_worker(job) || job_read_body(job))
        return job;
    request->problem = job->problem;
    job_free(job);
    return NULL;
}

bool upload_is_guess(const char *media_type)
{
    return *media_type != 0 && strncmp(media_type, "audio/", 6) != 0 &&
           strcmp(media_type, "application/octet-stream") != 0 &&
           strcmp(media_type, "application/ogg") != 0;
}

bool upload_judge_clip(const struct part *part, size_t max_bytes, struct problem *problem)
{
    if (part->n_bytes == 0) {
        problem_set(problem, PROBLEM_EMPTY_BODY, "part \"%s\" is empty", part->name);
        snprintf(problem->field, sizeof problem->field, "%s", part->name);
        return false;
    }
    if (part->n_bytes > max_bytes) {
        problem_set(problem, PROBLEM_BODY_TOO_LARGE,
                    "part \"%s\" is larger than the %zu bytes that one clip may have", part->name,
                    max_bytes);
        problem->max_bytes = max_bytes;
        return false;
    }
    return true;
}

size_t upload_max_bytes(size_t max_bytes, bool is_form)
{
    return max_bytes + (is_form ? MULTIPART_OVERHEAD_BYTES : 0);
}

/* `curl --data @FILE` takes CR, LF and NUL out of it, and what follows them in a line, and states
 * the same type as --data-binary. */
static bool is_stripped(const struct part *clip)
{
    if (strcmp(clip->content_type, "application/x-www-form-urlencoded") != 0 ||
        clip->n_bytes < LEAST_TO_TELL)
        return false;
    static const char taken[] = {'\n', '\r', 0};
    for (size_t i = 0; i < sizeof taken; i++)
        if (memchr(clip->bytes, taken[i], clip->n_bytes) != NULL)
            return false;
    return true;
}

static bool read_option(struct job *job, const struct part *part)
{
    char value[OPTION_ROOM];
    if (part->n_bytes >= sizeof value || memchr(part->bytes, 0, part->n_bytes) != NULL) {
        problem_set_field(&job->problem, part->name, "option \"%s\" is no short text", part->name);
        return false;
    }
    memcpy(value, part->bytes, part->n_bytes);
    value[part->n_bytes] = 0;
    return query_set(&job->query, part->name, value, &job->problem);
}

bool upload_take_options(struct job *job, struct part *parts, size_t *n_parts)
{
    size_t n = 0;
    for (size_t i = 0; i < *n_parts; i++) {
        if (!query_takes(&job->query, parts[i].name))
            parts[n++] = parts[i];
        else if (!read_option(job, &parts[i]))
            return false;
    }
    *n_parts = n;
    return query_judge(&job->query, &job->problem);
}

size_t upload_n_options(const struct job *job)
{
    return (size_t)__builtin_popcount(job->query.allowed & ~(unsigned)QUERY_SPLIT);
}

/* The part that a name stands for; NULL: the route takes none of that name. */
static struct part *place_of(const char *name, struct part *clip, struct part *transcript)
{
    if (strcmp(name, "file") == 0)
        return clip;
    return strcmp(name, "transcript") == 0 ? transcript : NULL;
}

bool upload_find_clip(struct job *job, size_t max_bytes, struct part *clip, struct part *transcript)
{
    const char *type = job->content_type;
    const char *path = job->kind == JOB_EMBED ? "/embed" : "/diarize";
    const char *takes = transcript == NULL ? "" : ", and with it \"transcript\" or none";
    memset(clip, 0, sizeof *clip);
    if (transcript != NULL)
        memset(transcript, 0, sizeof *transcript);
    if (!multipart_is_type(type)) {
        clip->bytes = job->body.bytes;
        clip->n_bytes = job->body.n_bytes;
        upload_media_type(type, clip->content_type, sizeof clip->content_type);
        if (!is_stripped(clip))
            return true;
        problem_set_field(
            &job->problem, "content-type",
            "the body has no line ends, as curl --data leaves it, so the recording is "
            "spoilt: send it with --data-binary @FILE or -F file=@FILE");
        return false;
    }
    struct part parts[3 + QUERY_MAX_OPTIONS];
    size_t n_parts = 0;
    if (!multipart_split(type, job->body.bytes, job->body.n_bytes, parts, 3 + upload_n_options(job),
                         &n_parts, &job->problem) ||
        !upload_take_options(job, parts, &n_parts))
        return false;
    for (size_t i = 0; i < n_parts; i++) {
        struct part *place = place_of(parts[i].name, clip, transcript);
        if (place == NULL) {
            problem_set_field(&job->problem, parts[i].name,
                              "unknown part \"%s\": %s takes one part \"file\"%s", parts[i].name,
                              path, takes);
            return false;
        }
        if (place->bytes != NULL) {
            problem_set_field(&job->problem, parts[i].name, "%s takes exactly one part \"%s\"",
                              path, parts[i].name);
            return false;
        }
        *place = parts[i];
    }
    if (clip->bytes == NULL) {
        problem_set_field(&job->problem, "file", "%s takes exactly one part \"file\"%s", path,
                          takes);
        return false;
    }
    return upload_judge_clip(clip, max_bytes, &job->problem);
}

void upload_fill_clip(struct clip *clip, const struct part *part,
                      const struct vp_clip_options *options)
{
    clip->options = *options;
    clip->bytes = part->bytes;
    clip->n_bytes = part->n_bytes;
    clip->type_guessed = upload_is_guess(part->content_type);
}
